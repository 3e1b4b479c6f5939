//! Imported cards: OpenSC and openssl see exactly what the folder holds.
//!
//! The folders are one of our own, and those of the official GSA ICAM set where they are there.

use std::{fs, path::Path};

use card_sim::key::AsymmetricAlgorithm;
use vreader::issue::DEFAULT_GLOBAL_PIN;

use crate::{
    card::{CARD, PIN, VREADER},
    card_folder::{CardFolder, KEYS, MODERN, OBJECTS, TDEA},
    opensc_tool::{SELECT, answers, verify},
    openssl::MESSAGE,
    world::World,
};

/// OpenSC's names of the keys 3, 4, 5, 6 of a folder: 9A, 9C, 9D, 9E.
const IDS: [&str; 4] = ["01", "02", KEY_MANAGEMENT, "04"];
const KEY_MANAGEMENT: &str = "03";

fn imported(folder: &Path) -> World {
    let world = World::with_options(&["--card", CARD]);
    world.tool(VREADER).args(["card", "import", folder.to_str().expect("UTF-8"), CARD]).succeeds();
    world
}

/// Every object by GET DATA, byte for byte.
fn objects_are_those_of(world: &World, folder: &Path) {
    let get = |tag: u32| match tag {
        0x7E => "00CB3FFF035C017E00".to_owned(),
        tag => format!("00CB3FFF055C03{tag:06X}00"),
    };
    let commands = OBJECTS.map(|(_, tag)| get(tag));
    let verify = verify(PIN);
    let commands: Vec<&str> =
        [SELECT, &verify].into_iter().chain(commands.iter().map(String::as_str)).collect();
    let answers = answers(world, &commands);
    assert_eq!(answers[1].1, "9000");
    for ((file, tag), (data, status)) in OBJECTS.iter().zip(&answers[2..]) {
        let raw = fs::read(folder.join(file)).expect("the file");
        if raw == [0x7E, 0x00] {
            assert_eq!(status, "6A82", "a card without a Discovery Object");
            continue;
        }
        let raw = hex::encode_upper(&raw);
        let complete = if *tag == 0x7E { raw } else { format!("53{}{raw}", length(raw.len() / 2)) };
        assert_eq!((data.as_str(), status.as_str()), (complete.as_str(), "9000"), "{file}");
    }
}

/// A length as BER writes it, in hex.
fn length(length: usize) -> String {
    match length {
        0..=0x7F => format!("{length:02X}"),
        0x80..=0xFF => format!("81{length:02X}"),
        _ => format!("82{length:04X}"),
    }
}

/// Reads a certificate through OpenSC, in DER.
fn certificate(world: &World, id: &str) -> Vec<u8> {
    let (pem, der) = (format!("{id}.pem"), format!("{id}.der"));
    world.client("pkcs15-tool").args(["--read-certificate", id, "--output", &pem]).succeeds();
    world.openssl(["x509", "-in", &pem, "-outform", "DER", "-out", &der]);
    world.read(&der)
}

/// Uses a key of the card as OpenSC lets it be used, and has openssl check that with the key in the file `public`.
fn works(world: &World, pin: &str, id: &str, public: &str) {
    let pkcs11_tool = |words: &[&str], input, output| {
        let files = ["--input-file", input, "--output-file", output];
        let login = ["--login", "--pin", pin, "--id", id];
        world.client("pkcs11-tool").args(login).args(words).args(files).succeeds();
    };
    if id == KEY_MANAGEMENT {
        world.write("secret.bin", b"a session key of 32 bytes length");
        let files = ["-in", "secret.bin", "-out", "encrypted.bin"];
        world.openssl(["pkeyutl", "-encrypt", "-pubin", "-inkey", public].iter().chain(&files));
        pkcs11_tool(&["--decrypt", "--mechanism", "RSA-PKCS"], "encrypted.bin", "decrypted.bin");
        assert_eq!(world.read("decrypted.bin"), world.read("secret.bin"));
    } else {
        pkcs11_tool(&["--sign", "--mechanism", "SHA256-RSA-PKCS"], MESSAGE, "signature.bin");
        world.verify(public, "signature.bin", &["-sha256"]);
    }
}

#[test]
fn a_folder_of_our_own_is_read_byte_for_byte() {
    let folder = CardFolder::new("01_Golden", 1, AsymmetricAlgorithm::Rsa2048, TDEA);
    let world = imported(folder.path());
    objects_are_those_of(&world, folder.path());
    world.message("-sha256");
    for (id, (_, tag)) in IDS.iter().zip(KEYS) {
        assert_eq!(certificate(&world, id), folder.certificate(tag), "{id}");
        works(&world, PIN, id, &world.public_key(&format!("{id}.der")));
    }
}

#[test]
fn elliptic_keys_of_a_folder_sign() {
    let folder = CardFolder::new("01_Golden", 1, AsymmetricAlgorithm::EccP256, MODERN);
    let world = imported(folder.path());
    world.message("-sha256");
    for (id, (_, tag)) in IDS.iter().zip(KEYS).filter(|(id, _)| **id != KEY_MANAGEMENT) {
        assert_eq!(certificate(&world, id), folder.certificate(tag), "{id}");
        world
            .client("pkcs11-tool")
            .args(["--login", "--pin", PIN, "--id", id, "--sign", "--mechanism", "ECDSA"])
            .args(["--signature-format", "openssl", "--input-file", "hash.bin"])
            .args(["--output-file", "signature.bin"])
            .succeeds();
        world.verify(&world.public_key(&format!("{id}.der")), "signature.bin", &["-sha256"]);
    }
}

#[test]
fn the_official_cards_are_read_byte_for_byte() {
    let Some(folder) = vectors::files::shared("icam").expect("the shared folder") else { return };
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let world = imported(&path);
        objects_are_those_of(&world, &path);
        world.message("-sha256");
        // Where the Discovery Object says so, OpenSC asks for the Global PIN.
        let global = path.to_str().is_some_and(|path| path.contains("Global_PIN_Primary"));
        let pin = if global { DEFAULT_GLOBAL_PIN } else { PIN };
        for (number, id) in (3..).zip(IDS) {
            // What openssl finds in the file that was chosen, for these cards the longest name.
            let key_file = longest(&path, &format!("{number} - "), ".p12");
            let key_file = path.join(key_file);
            let open = |what: &str, out: &str| {
                let file = key_file.to_str().expect("UTF-8");
                world.openssl([
                    "pkcs12", "-legacy", "-in", file, "-passin", "pass:", "-nodes", what, "-out", out,
                ]);
            };
            open("-nokeys", "expected.pem");
            open("-nocerts", "key.pem");
            world.openssl(["x509", "-in", "expected.pem", "-outform", "DER", "-out", "expected.der"]);
            world.openssl(["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub"]);
            let expected = world.read("expected.der");
            assert_eq!(certificate(&world, id), expected, "{}: {id}", path.display());
            works(&world, pin, id, "key.pub");
        }
    }
}

fn longest(folder: &Path, begin: &str, end: &str) -> String {
    let names = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").file_name());
    let names = names.filter_map(|name| name.into_string().ok());
    let fits = |name: &String| name.starts_with(begin) && name.ends_with(end);
    names.filter(fits).max_by_key(String::len).expect("a file")
}
