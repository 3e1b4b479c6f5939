//! Common Access Cards and the programs that read them: OpenSC through the CAC applets and through PIV, coolkey, curl, openssl.

use crate::{
    cackey::cackey,
    card::{PIN, PUK, WRONG_PIN},
    openssl::MESSAGE,
    pcscd::READER,
    piv_tool::piv_tool,
    tls::{Server, curl_with},
    vreader::require,
    world::{Attachment, Client, World},
};

/// PKCS#11 identifiers of the three certificates, in the order of the card.
pub(crate) const IDENTITY: &str = "0001";
pub(crate) const SIGNATURE: &str = "0002";
pub(crate) const ENCRYPTION: &str = "0003";

/// What clients call them.
const LABELS: [&str; 3] =
    ["CAC ID Certificate", "CAC Email Signature Certificate", "CAC Email Encryption Certificate"];

pub(crate) const GEMALTO: &str = "cac-gemalto-gx4-144";
/// The stock without PIV.
pub(crate) const CAC_ONLY: &str = "cac-only";
/// Every stock with CAC applets.
pub(crate) const PROFILES: [&str; 8] = [
    GEMALTO,
    "cac-oberthur-v55",
    "cac-gemalto-v21",
    "cac-gemalto-gcx4-72",
    "cac-oberthur-v52",
    "cac-gd-sce7",
    "cac-idemia-v8",
    CAC_ONLY,
];

/// Who issued what a server has to trust.
const AUTHORITIES: [&str; 3] = ["pki/root-ca.pem", "pki/id-ca.pem", "pki/email-ca.pem"];

const COOLKEY: &str = "/usr/lib/pkcs11/libcoolkeypk11.so";

/// A world with a card of this profile; the seed makes it valid from 2026 on, with an active PIV certificate.
pub(crate) fn world(profile: &str, options: &[&str]) -> World {
    World::with_card(&[&["--profile", profile], options].concat())
}

/// pkcs11-tool with one of OpenSC's two drivers for such cards.
pub(crate) fn opensc(world: &World<impl Attachment>, driver: &str, words: &[&str]) -> Client {
    world.client("pkcs11-tool").env("OPENSC_DRIVER", driver).args(words)
}

/// pkcs11-tool with OpenSC through the CAC applets, logged in.
fn with_login(world: &World<impl Attachment>, words: &[&str]) -> Client {
    opensc(world, "cac", &["--login", "--pin", PIN]).args(words)
}

/// pkcs11-tool with coolkey. It keeps what it has read of a card in a folder for the whole machine; here in one of its own.
pub(crate) fn coolkey(world: &World<impl Attachment>, words: &[&str]) -> Client {
    require(COOLKEY);
    let own_cache = "mount -t tmpfs none /var/cache/coolkey && exec \"$@\"";
    world
        .client("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", own_cache, "sh"])
        .args(["pkcs11-tool", "--module", COOLKEY])
        .args(words)
}

/// The labels of all certificates that were listed, in order.
pub(crate) fn labels(listed: &str) -> Vec<&str> {
    let certificates = listed.split("Certificate Object").skip(1);
    certificates
        .filter_map(|object| object.lines().find_map(|line| line.trim().strip_prefix("label:")))
        .map(str::trim)
        .collect()
}

/// Reads a certificate, and returns the file with its public key.
pub(crate) fn public_key(world: &World<impl Attachment>, id: &str) -> String {
    let file = format!("{id}.der");
    let words = ["--read-object", "--type", "cert", "--id", id, "--output-file", &file];
    opensc(world, "cac", &words).succeeds();
    world.public_key(&file)
}

#[test]
fn three_certificates_in_order_with_their_names() {
    for profile in PROFILES {
        let world = world(profile, &[]);
        let listed = opensc(&world, "cac", &["--list-objects", "--type", "cert"]).succeeds();
        assert_eq!(labels(&listed), LABELS, "OpenSC, {profile}");
        let listed = coolkey(&world, &["--list-objects", "--type", "cert"]).succeeds();
        assert_eq!(labels(&listed), LABELS, "coolkey, {profile}");
    }
}

/// What PUT DATA gives 9C, the e-mail signature applet shows too; without a certificate there, clients show the others.
#[test]
fn a_certificate_that_piv_gets_is_that_of_the_applet() {
    let world = world(GEMALTO, &[]);
    let list = ["--list-objects", "--type", "cert"];
    let read = ["--read-object", "--type", "cert", "--id", SIGNATURE];
    // Another one: that of the key-management key will do.
    let of_9d = ["--read-certificate", "03", "--output", "9d.pem"];
    world.client("pkcs15-tool").env("OPENSC_DRIVER", "PIV-II").args(of_9d).succeeds();
    world.client("openssl").args(["x509", "-in", "9d.pem", "-outform", "der", "-out", "9d.der"]).succeeds();
    let write = |words: &[&str]| piv_tool(&world, "0A", words).env("OPENSC_DRIVER", "PIV-II").run();
    write(&["--cert", "9C", "--in", "9d.pem"]);
    opensc(&world, "cac", &read).args(["--output-file", "opensc.der"]).succeeds();
    coolkey(&world, &read).args(["--output-file", "coolkey.der"]).succeeds();
    for file in ["opensc.der", "coolkey.der"] {
        assert_eq!(world.read(file), world.read("9d.der"), "{file}");
    }
    write(&["--send-apdu", "00:DB:3F:FF:07:5C:03:5F:C1:0A:53:00"]);
    for listed in [opensc(&world, "cac", &list).succeeds(), coolkey(&world, &list).succeeds()] {
        assert_eq!(labels(&listed), [LABELS[0], LABELS[2]], "{listed}");
    }
}

#[test]
fn the_self_test_of_opensc_finds_nothing_wrong() {
    let world = world(GEMALTO, &[]);
    let said = with_login(&world, &["--test"]).succeeds();
    assert!(said.contains("No errors"), "{said}");
    for label in LABELS {
        assert_eq!(said.matches(&format!("({label})")).count(), 3, "{label}: {said}");
    }
    let said = opensc(&world, "PIV-II", &["--login", "--pin", PIN, "--test"]).succeeds();
    // OpenSC offers no random numbers of PIV cards, whatever the card does; that is the one error.
    assert!(said.contains("C_GenerateRandom failed: CKR_FUNCTION_NOT_SUPPORTED"), "{said}");
    assert!(said.lines().any(|line| line == "1 errors"), "{said}");
}

#[test]
fn signatures_of_both_programs_verify() {
    let world = world(GEMALTO, &[]);
    world.message("-sha256");
    let files = ["--input-file", MESSAGE, "--output-file", "signature.bin"];
    for id in [IDENTITY, SIGNATURE] {
        let key = public_key(&world, id);
        let words = ["--sign", "--id", id, "--mechanism", "SHA256-RSA-PKCS"];
        with_login(&world, &words).args(files).succeeds();
        world.verify(&key, "signature.bin", &["-sha256"]);
    }
    // coolkey signs what it is given: the hash, in the form in which PKCS#1 wants it.
    let key = public_key(&world, IDENTITY);
    let digest_info = hex::decode("3031300D060960864801650304020105000420").expect("hex");
    world.write("digest.bin", [digest_info, world.read("hash.bin")].concat());
    coolkey(&world, &["--login", "--pin", PIN, "--sign", "--id", IDENTITY, "--mechanism", "RSA-PKCS"])
        .args(["--input-file", "digest.bin", "--output-file", "signature.bin"])
        .succeeds();
    world.verify(&key, "signature.bin", &["-sha256"]);
}

#[test]
fn both_programs_decrypt_what_openssl_encrypted() {
    let world = world(GEMALTO, &[]);
    let key = public_key(&world, ENCRYPTION);
    world.write("secret.bin", b"a session key of 32 bytes length");
    world.openssl(["pkeyutl", "-encrypt", "-pubin", "-inkey", &key, "-in", "secret.bin", "-out", "in.bin"]);
    let words = ["--login", "--pin", PIN, "--decrypt", "--id", ENCRYPTION, "--mechanism", "RSA-PKCS"];
    let files = |out| ["--input-file", "in.bin", "--output-file", out];
    opensc(&world, "cac", &words).args(files("opensc.bin")).succeeds();
    coolkey(&world, &words).args(files("coolkey.bin")).succeeds();
    for decrypted in ["opensc.bin", "coolkey.bin"] {
        assert_eq!(world.read(decrypted), world.read("secret.bin"), "{decrypted}");
    }
}

/// OpenSC knows them by their access control applet, and changes their PIN with a P1 of its own.
#[test]
fn alternate_tokens_sign_and_change_their_pin() {
    for profile in ["cac-token-gd-sce7", "cac-token-idemia-v8"] {
        let world = world(profile, &[]);
        let listed = opensc(&world, "cac", &["--list-objects", "--type", "cert"]).succeeds();
        assert_eq!(labels(&listed), LABELS, "{profile}");
        let said = with_login(&world, &["--test"]).succeeds();
        assert!(said.contains("No errors"), "{profile}: {said}");
        with_login(&world, &["--change-pin", "--new-pin", "654321"]).succeeds();
        opensc(&world, "cac", &["--login", "--pin", "654321", "--list-objects"]).succeeds();
        let said = with_login(&world, &["--list-objects"]).fails();
        assert!(said.contains("CKR_PIN_INCORRECT"), "{profile}: {said}");
    }
}

/// Debian's pcscd with vpcd, and a card that speaks T=0.
#[test]
fn through_pcscd_both_programs_list_and_sign() {
    for profile in ["cac-oberthur-v55", "cac-only"] {
        let (world, _vreader) = World::with_plugged_card(&["--profile", profile]);
        world.write("select.txt", "00 A4 04 00 07 A0 00 00 00 79 01 00\n");
        let said = world.client("scriptor").args(["-r", READER, "select.txt"]).succeeds();
        assert!(said.contains("T=0 protocol") && said.contains("< 6F 0B 84 07"), "{profile}: {said}");
        let words = ["--list-objects", "--type", "cert"];
        assert_eq!(labels(&opensc(&world, "cac", &words).succeeds()), LABELS, "OpenSC, {profile}");
        assert_eq!(labels(&coolkey(&world, &words).succeeds()), LABELS, "coolkey, {profile}");
        world.message("-sha256");
        let key = public_key(&world, IDENTITY);
        let words = ["--sign", "--id", IDENTITY, "--mechanism", "SHA256-RSA-PKCS"];
        let files = ["--input-file", MESSAGE, "--output-file", "signature.bin"];
        with_login(&world, &words).args(files).succeeds();
        world.verify(&key, "signature.bin", &["-sha256"]);
    }
}

#[test]
fn personal_data_needs_the_pin() {
    let world = world(GEMALTO, &["--issued", "2017-06-01", "--holder", "Dana Quincy Sample"]);
    let read =
        ["--read-object", "--type", "data", "--label", "Person Instance", "--output-file", "person.bin"];
    opensc(&world, "cac", &read).run();
    assert!(!world.path("person.bin").exists() || world.read("person.bin").is_empty());
    with_login(&world, &read).succeeds();
    let person = world.read("person.bin");
    for text in ["DANA", "QUINCY", "SAMPLE", "20170601", "20230531"] {
        assert!(person.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }
}

#[test]
fn piv_shows_three_certificates_before_activation_and_four_after() {
    let count = |options: &[&str]| {
        let world = world(GEMALTO, options);
        let listed = opensc(&world, "PIV-II", &["--list-objects", "--type", "cert"]).succeeds();
        let names = labels(&listed).join(", ");
        (listed.matches("Certificate Object").count(), names.contains("PIV Authentication"))
    };
    assert_eq!(count(&["--issued", "2017-06-01"]), (3, false));
    assert_eq!(count(&["--issued", "2019-06-01"]), (4, true));
    assert_eq!(count(&["--issued", "2017-06-01", "--piv-activation-cutoff", "2017-01-01"]), (4, true));
}

#[test]
fn three_wrong_pins_lock_both_faces_for_every_program() {
    let world = world(GEMALTO, &[]);
    let words = |pin| ["--login", "--list-objects", "--type", "privkey", "--pin", pin];
    let by_opensc = |pin| opensc(&world, "cac", &words(pin));
    let by_piv = |pin| opensc(&world, "PIV-II", &words(pin));
    let by_cackey = |pin| cackey(&world, &words(pin));
    let by_coolkey = |pin| coolkey(&world, &words(pin));
    let refuses = |client: Client, why: &str| {
        let said = client.fails();
        assert!(said.contains(why), "no {why} in {said}");
    };
    for client in [by_opensc(WRONG_PIN), by_piv(WRONG_PIN)] {
        refuses(client, "CKR_PIN_INCORRECT");
    }
    // A right PIN makes good again what another program did wrong.
    by_coolkey(PIN).succeeds();
    for client in [by_cackey(WRONG_PIN), by_piv(WRONG_PIN), by_coolkey(WRONG_PIN)] {
        refuses(client, "CKR_PIN_INCORRECT");
    }
    for client in [by_opensc(PIN), by_piv(PIN), by_cackey(PIN)] {
        refuses(client, "CKR_PIN_LOCKED");
    }
    // coolkey knows no such word.
    refuses(by_coolkey(PIN), "CKR_DEVICE_ERROR");
    for (driver, why) in [("cac", "Unsupported INS byte"), ("PIV-II", "Security status not satisfied")] {
        let words = ["--unblock-pin", "--auth-id", "01", "--puk", PUK, "--new-pin", "654321"];
        refuses(world.client("pkcs15-tool").env("OPENSC_DRIVER", driver).args(words), why);
    }
    refuses(by_opensc("654321"), "CKR_PIN_LOCKED");
}

/// curl may use every certificate whose key can sign.
#[test]
fn the_id_certificate_signs_in_and_the_encryption_certificate_is_refused() {
    let world = world(GEMALTO, &[]);
    let server = Server::trusting(&world, &AUTHORITIES);
    for version in ["1.2", "1.3"] {
        for (id, signs_in) in [("%00%01", true), ("%00%02", true), ("%00%03", false)] {
            let outcome = curl_with(id, &world, &server, version, PIN).env("OPENSC_DRIVER", "cac").run();
            assert_eq!(outcome.code() == Some(0), signs_in, "{id} with TLS {version}: {outcome}");
        }
    }
}

/// The programs here do not even try to sign in with a key that cannot sign. A server asks the same question of any certificate.
#[test]
fn a_server_would_refuse_the_encryption_certificate_too() {
    let world = world(GEMALTO, &[]);
    world.write("trusted.pem", AUTHORITIES.map(|file| world.read_text(file)).concat());
    // 2027-01-01, as the servers of these tests have it.
    let question = ["verify", "-purpose", "sslclient", "-attime", "1798761600", "-CAfile", "trusted.pem"];
    for (id, signs_in) in [(IDENTITY, true), (SIGNATURE, true), (ENCRYPTION, false)] {
        let file = format!("{id}.der");
        opensc(&world, "cac", &["--read-object", "--type", "cert", "--id", id, "--output-file", &file])
            .succeeds();
        let outcome = world.tool("openssl").args(question).args([&file]).run();
        assert_eq!(outcome.code() == Some(0), signs_in, "{outcome}");
        assert_eq!(outcome.text().contains("unsuitable certificate purpose"), !signs_in, "{outcome}");
    }
}
