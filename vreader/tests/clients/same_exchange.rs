//! The same client with the same card through both attachments, the private socket and pcscd with vpcd: what it prints,
//! what it writes, each command it sends, each answer it gets, and what the card is afterwards are equal.
//!
//! The commands are those in the card's own log: header, and length or refusal. Both readers have the same name, and
//! there is a second, empty one, as Debian's vpcd always has.

use std::{collections::BTreeMap, ffi::OsString, fs, path::Path};

use crate::{
    card::{CARD, PIN, PUK, VREADER, WRONG_PIN, opensc_module},
    companion::Companion,
    openssl::MESSAGE,
    pcscd::{Pcscd, READER},
    piv_tool::{MANAGEMENT_KEY, OBJECT},
    serve::{LOG, Serve},
    world::{Attachment, World},
};

/// Runs these clients one after the other, and compares. The card is pulled and put back in between, so that none
/// depends on how fast the one before it was.
fn compare(options: &[&str], prepare: impl Fn(&World), clients: &[&[&str]]) {
    let first = World::with_card(options);
    prepare(&first);
    let socket = through_the_socket(&first);
    let (pcscd, mut vreader) = through_pcscd(&first);
    for words in clients {
        let (ours, theirs) = (exchange(&socket, words), exchange(&pcscd, words));
        // Not the whole of both, of which a failure would print thousands of lines.
        for line in 0..ours.len().max(theirs.len()) {
            assert_eq!(ours.get(line), theirs.get(line), "{words:?}, line {line}: the socket, then pcscd");
        }
        socket.ctl(&["remove", "0"]);
        socket.ctl(&["insert", "0"]);
        pcscd.reinsert(&mut vreader);
    }
    let (ours, theirs) = (files(&socket), files(&pcscd));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (name, bytes) in &ours {
        assert!(*bytes == theirs[name], "{} is different", name.display());
    }
}

fn through_the_socket(first: &World) -> World<Serve> {
    let world = World::with_options(&[]);
    copy(first.path(""), world.path(""));
    world.serve(&["--card", CARD, "--empty", "--reader", "Virtual PCD", "--seed", "1"])
}

fn through_pcscd(first: &World) -> (World<Pcscd>, Companion) {
    let world = World::with_pcscd();
    copy(first.path(""), world.path(""));
    let log = ["env", "VREADER_LOG=debug", "NO_COLOR=1", "sh", "-c", &format!("exec \"$@\" 2>{LOG}"), "sh"];
    let vreader = world.companion(&[&log[..], &[VREADER, "vpcd", "--card", CARD, "--seed", "1"]].concat());
    world.wait_for_card(0, true);
    (world, vreader)
}

/// What a client did: a line for each command and its answer, what it printed, how it ended.
fn exchange(world: &World<impl Attachment>, words: &[&str]) -> Vec<String> {
    let before = commands(world).len();
    let outcome = world.client(words[0]).args(&words[1..]).run();
    let mut lines = commands(world).split_off(before);
    assert!(!lines.is_empty(), "it did not reach the card: {outcome}");
    lines.extend(outcome.text().lines().map(without_chance));
    lines.push(format!("{:?}", outcome.code()));
    lines
}

/// A line that a client printed, without what is not of the card.
fn without_chance(line: &str) -> String {
    // pkcs11-tool prints handles, which OpenSC makes of addresses in its memory.
    if let Some((kind, handle)) = line.split_once(" object ")
        && handle.parse::<u64>().is_ok()
    {
        return kind.to_owned();
    }
    // OpenSSL begins with the number of a thread.
    if let Some((_thread, error)) = line.split_once(":error:") {
        return error.to_owned();
    }
    // Two slots of one device share the first number; our readers are two devices.
    line.replace("Virtual PCD 01 00", "Virtual PCD 00 01")
}

/// What the card has said about commands so far, without the times.
fn commands(world: &World<impl Attachment>) -> Vec<String> {
    let log = world.read_text(LOG);
    log.lines()
        .filter_map(|line| line.split_once("vreader::emulated: "))
        .map(|(_, command)| command.to_owned())
        .collect()
}

fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    for entry in fs::read_dir(from).expect("the folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_file() {
            fs::copy(entry.path(), to.as_ref().join(entry.file_name())).expect("a copy");
        }
    }
}

/// What is in the folder: the card file, and what the clients wrote.
fn files(world: &World<impl Attachment>) -> BTreeMap<OsString, Vec<u8>> {
    let entries = fs::read_dir(world.path("")).expect("the folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    // Logs have times, and the lock of the card that is in use has a process number. A folder is pcscd's configuration.
    paths
        .filter(|path| path.is_file() && path.extension().is_none_or(|kind| kind != "log" && kind != "lock"))
        .map(|path| (path.file_name().expect("a name").to_owned(), fs::read(path).expect("a file")))
        .collect()
}

#[test]
fn opensc_tool_and_pkcs15_tool_read_the_same_card() {
    compare(
        &["--algorithm", "rsa2048"],
        |_| {},
        &[
            &["opensc-tool", "--name"],
            &["opensc-tool", "--serial"],
            &["opensc-tool", "--card-driver", "default", "--send-apdu", "00A4040009A0000003080000100000"],
            &["pkcs15-tool", "--dump"],
            &["pkcs15-tool", "--read-certificate", "01", "--output", "certificate.pem"],
            &["pkcs15-tool", "--read-ssh-key", "01"],
            &["ssh-keygen", "-D", &opensc_module()],
            &["pkcs11-tool", "--list-token-slots"],
            &["pkcs11-tool", "--list-objects"],
        ],
    );
}

#[test]
fn pins_are_spent_changed_and_unblocked_alike() {
    let verify = |pin| ["pkcs15-tool", "--verify-pin", "--auth-id", "01", "--pin", pin];
    let wrong_login = ["pkcs11-tool", "--login", "--pin", WRONG_PIN, "--list-objects"];
    let flags = ["pkcs11-tool", "--list-token-slots"];
    compare(
        &[],
        |_| {},
        &[
            &verify(PIN),
            &verify(WRONG_PIN),
            &wrong_login,
            &flags,
            &wrong_login,
            &flags,
            &verify(PIN),
            &["pkcs15-tool", "--unblock-pin", "--auth-id", "01", "--puk", PUK, "--new-pin", "654321"],
            &["pkcs11-tool", "--login", "--pin", "654321", "--change-pin", "--new-pin", "87654321"],
            &verify("87654321"),
        ],
    );
}

/// A command line of pkcs11-tool for the holder, with a key and files.
fn with_key<'a>(
    action: &'a str,
    id: &'a str,
    mechanism: &'a str,
    input: &'a str,
    output: &'a str,
) -> [&'a str; 13] {
    let [login, pin, key, from, to] = ["--login", "--pin", "--id", "--input-file", "--output-file"];
    ["pkcs11-tool", login, pin, PIN, action, key, id, "--mechanism", mechanism, from, input, to, output]
}

#[test]
fn rsa_keys_sign_and_decrypt_alike() {
    compare(
        &["--algorithm", "rsa2048"],
        |world| {
            world.message("-sha256");
            world.client("pkcs15-tool").args(["--read-certificate", "03", "--output", "3.pem"]).succeeds();
            let encrypt = ["pkeyutl", "-encrypt", "-certin", "-inkey", "3.pem", "-in", "hash.bin"];
            world.openssl(encrypt.into_iter().chain(["-out", "encrypted.bin"]));
        },
        &[
            &with_key("--sign", "01", "SHA256-RSA-PKCS", MESSAGE, "1.signature"),
            &with_key("--sign", "02", "SHA256-RSA-PKCS", MESSAGE, "2.signature"),
            &with_key("--decrypt", "03", "RSA-PKCS", "encrypted.bin", "3.decrypted"),
            &["pkcs11-tool", "--login", "--pin", PIN, "--test"],
        ],
    );
}

#[test]
fn elliptic_keys_sign_and_agree_alike() {
    compare(
        &[],
        |world| {
            world.message("-sha256");
            let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
            world.openssl(["genpkey", "-out", "peer.pem"].into_iter().chain(curve));
            world.openssl(["pkey", "-in", "peer.pem", "-pubout", "-outform", "DER", "-out", "peer.der"]);
        },
        &[
            &with_key("--sign", "01", "ECDSA", "hash.bin", "1.signature"),
            &with_key("--sign", "02", "ECDSA", "hash.bin", "2.signature"),
            &with_key("--derive", "03", "ECDH1-DERIVE", "peer.der", "3.secret"),
        ],
    );
}

#[test]
fn piv_tool_and_scriptor_change_the_card_alike() {
    let administer = |action, what, option, file| {
        let key = "PIV_EXT_AUTH_KEY=management.key";
        ["env", key, "piv-tool", "--admin", "M:9B:0A", action, what, option, file]
    };
    compare(
        &[],
        |world| {
            world.write("management.key", MANAGEMENT_KEY);
            world.write("object.bin", OBJECT);
            world.client("pkcs15-tool").args(["--read-certificate", "02", "--output", "2.pem"]).succeeds();
            // SELECT, the right PIN, the state of the PIN, and the same after a reset.
            let select = "00A4040005A000000308";
            let script = [select, "0020008008313233343536FFFF", "00200080", "reset", select, "00200080"];
            world.write("script.txt", script.join("\n"));
        },
        &[
            &administer("--object", "3001", "--in", "object.bin"),
            &administer("--cert", "9A", "--in", "2.pem"),
            &administer("--genkey", "9E:11", "--out", "key.pem"),
            &["scriptor", "-r", READER, "script.txt"],
        ],
    );
}
