//! Common Access Cards and the programs that read them: OpenSC through the CAC applets and through PIV, coolkey, curl.

use crate::{
    card::{CARD, PIN, VREADER, WRONG_PIN},
    openssl::MESSAGE,
    tls::{Server, curl_with},
    vreader::require,
    world::{Client, World},
};

/// PKCS#11 identifiers of the three certificates, in the order of the card.
const IDENTITY: &str = "0001";
const SIGNATURE: &str = "0002";
const ENCRYPTION: &str = "0003";

/// What clients call them.
const LABELS: [&str; 3] =
    ["CAC ID Certificate", "CAC Email Signature Certificate", "CAC Email Encryption Certificate"];

const GEMALTO: &str = "cac-gemalto-gx4-144";
/// Every stock with CAC applets.
const PROFILES: [&str; 8] = [
    GEMALTO,
    "cac-oberthur-v55",
    "cac-gemalto-v21",
    "cac-gemalto-gcx4-72",
    "cac-oberthur-v52",
    "cac-gd-sce7",
    "cac-idemia-v8",
    "cac-only",
];

const COOLKEY: &str = "/usr/lib/pkcs11/libcoolkeypk11.so";

/// A world with a card of this profile; the seed makes it valid from 2026 on, with an active PIV certificate.
fn world(profile: &str, options: &[&str]) -> World {
    World::with_card(&[&["--profile", profile], options].concat())
}

/// pkcs11-tool with one of OpenSC's two drivers for such cards.
fn opensc(world: &World, driver: &str, words: &[&str]) -> Client {
    world.client("pkcs11-tool").env("OPENSC_DRIVER", driver).args(words)
}

/// pkcs11-tool with OpenSC through the CAC applets, logged in.
fn with_login(world: &World, words: &[&str]) -> Client {
    opensc(world, "cac", &["--login", "--pin", PIN]).args(words)
}

/// pkcs11-tool with coolkey. It keeps what it has read of a card in a folder for the whole machine; here in one of its own.
fn coolkey(world: &World, words: &[&str]) -> Client {
    require(COOLKEY);
    let own_cache = "mount -t tmpfs none /var/cache/coolkey && exec \"$@\"";
    world
        .client("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", own_cache, "sh"])
        .args(["pkcs11-tool", "--module", COOLKEY])
        .args(words)
}

/// The labels of all certificates that were listed, in order.
fn labels(listed: &str) -> Vec<&str> {
    let certificates = listed.split("Certificate Object").skip(1);
    certificates
        .filter_map(|object| object.lines().find_map(|line| line.trim().strip_prefix("label:")))
        .map(str::trim)
        .collect()
}

/// Reads a certificate, and returns the file with its public key.
fn public_key(world: &World, id: &str) -> String {
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
fn a_card_is_shown_with_both_faces() {
    let world = world(GEMALTO, &["--issued", "2017-06-01"]);
    let said = world.tool(VREADER).args(["card", "show", CARD]).succeeds();
    for line in [
        "2017-06-01 (Person Instance)",
        "expires on 2023-05-31 (Person Instance)",
        "Email Encryption Certificate",
        "PIV Authentication certificate: hidden, not activated",
    ] {
        assert!(said.contains(line), "no {line:?} in {said}");
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
fn three_wrong_pins_lock_both_faces() {
    let world = world(GEMALTO, &[]);
    let login =
        |driver, pin| opensc(&world, driver, &["--login", "--pin", pin, "--list-objects"]).run().text();
    assert!(login("cac", WRONG_PIN).contains("CKR_PIN_INCORRECT"));
    assert!(login("PIV-II", WRONG_PIN).contains("CKR_PIN_INCORRECT"));
    assert!(login("cac", WRONG_PIN).contains("CKR_PIN_INCORRECT"));
    for driver in ["cac", "PIV-II"] {
        let said = login(driver, PIN);
        assert!(said.contains("CKR_PIN_LOCKED"), "{driver}: {said}");
    }
}

#[test]
fn the_id_certificate_signs_in_and_the_encryption_certificate_is_refused() {
    let world = world(GEMALTO, &[]);
    let server = Server::trusting(&world, &["pki/root-ca.pem", "pki/id-ca.pem", "pki/email-ca.pem"]);
    for version in ["1.2", "1.3"] {
        for (id, signs_in) in [("%00%01", true), ("%00%02", true), ("%00%03", false)] {
            let outcome = curl_with(id, &world, &server, version, PIN).env("OPENSC_DRIVER", "cac").run();
            assert_eq!(outcome.code() == Some(0), signs_in, "{id} with TLS {version}: {outcome}");
        }
    }
}
