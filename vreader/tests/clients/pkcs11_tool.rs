//! pkcs11-tool with OpenSC's module: signatures, decryption and key agreement, checked by openssl; PIN states
//! as PKCS#11 reports them.

use crate::card::{PIN, WRONG_PIN};
use crate::openssl::MESSAGE;
use crate::world::{Attachment, Client, World};

/// PKCS#11 identifiers that OpenSC gives to the keys 9A, 9C, 9D and 9E.
const AUTHENTICATION: &str = "01";
const SIGNATURE: &str = "02";
const KEY_MANAGEMENT: &str = "03";
const CARD_AUTHENTICATION: &str = "04";

fn pkcs11_tool(world: &World<impl Attachment>, words: &[&str]) -> Client {
    world.client("pkcs11-tool").args(words)
}

fn with_login(world: &World<impl Attachment>, words: &[&str]) -> Client {
    pkcs11_tool(world, &["--login", "--pin", PIN]).args(words)
}

/// Reads the certificate of a key, and returns the file with its public key.
fn public_key(world: &World, id: &str) -> String {
    let file = format!("{id}.der");
    pkcs11_tool(world, &["--read-object", "--type", "cert", "--id", id, "--output-file", &file]).succeeds();
    world.public_key(&file)
}

/// Signs `input` with a key of the card.
fn sign(world: &World, id: &str, mechanism: &[&str], input: &str) {
    with_login(world, &["--sign", "--id", id, "--input-file", input, "--output-file", "signature.bin"])
        .args(["--mechanism"])
        .args(mechanism)
        .succeeds();
}

#[test]
fn self_test_of_the_tool_finds_nothing_wrong() {
    let world = World::with_card(&["--algorithm", "rsa2048"]);
    let said = with_login(&world, &["--test"]).succeeds();
    // OpenSC offers no random numbers of PIV cards, whatever the card does; that is the one error.
    assert!(said.contains("C_GenerateRandom failed: CKR_FUNCTION_NOT_SUPPORTED"), "{said}");
    assert!(said.lines().any(|line| line == "1 errors"), "{said}");
    assert_eq!(said.matches("ERR").count(), 1, "{said}");
    for key in ["PIV AUTH key", "SIGN key", "KEY MAN key", "CARD AUTH key"] {
        assert_eq!(
            said.matches(&format!("({key})")).count(),
            3,
            "signed, verified and decrypted with {key}: {said}"
        );
    }
    assert!(said.matches("OK").count() >= 35, "{said}");
}

#[test]
fn eight_self_tests_at_once_do_not_disturb_each_other() {
    let world = World::with_served_card(&["--algorithm", "rsa2048"]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let said = with_login(&world, &["--test"]).succeeds();
                assert!(said.lines().any(|line| line == "1 errors"), "{said}");
            });
        }
    });
}

#[test]
fn rsa_signatures_verify() {
    // OpenSC 0.23 knows PIV keys up to 3072 bits.
    for algorithm in ["rsa2048", "rsa3072"] {
        let world = World::with_card(&["--algorithm", algorithm]);
        world.message("-sha256");
        for id in [AUTHENTICATION, SIGNATURE, CARD_AUTHENTICATION] {
            let key = public_key(&world, id);
            sign(&world, id, &["SHA256-RSA-PKCS"], MESSAGE);
            world.verify(&key, "signature.bin", &["-sha256"]);
            sign(&world, id, &["SHA256-RSA-PKCS-PSS"], MESSAGE);
            let pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
            world.verify(&key, "signature.bin", &[&["-sha256"], &pss[..]].concat());
        }
    }
}

#[test]
fn ecdsa_signatures_verify() {
    for (algorithm, hash) in [("p256", "-sha256"), ("p384", "-sha384")] {
        let world = World::with_card(&["--algorithm", algorithm]);
        world.message(hash);
        for id in [AUTHENTICATION, SIGNATURE, CARD_AUTHENTICATION] {
            let key = public_key(&world, id);
            sign(&world, id, &["ECDSA", "--signature-format", "openssl"], "hash.bin");
            world.verify(&key, "signature.bin", &[hash]);
        }
    }
}

#[test]
fn rsa_decryption_gives_what_openssl_encrypted() {
    let world = World::with_card(&["--algorithm", "rsa2048"]);
    let key = public_key(&world, KEY_MANAGEMENT);
    world.write("secret.bin", b"a session key of 32 bytes length");
    let oaep = ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"];
    let oaep = oaep.iter().flat_map(|option| ["-pkeyopt", *option]).collect::<Vec<_>>();
    for (padding, mechanism) in [
        (vec!["-pkeyopt", "rsa_padding_mode:pkcs1"], vec!["RSA-PKCS"]),
        (oaep, vec!["RSA-PKCS-OAEP", "--hash-algorithm", "SHA256", "--mgf", "MGF1-SHA256"]),
    ] {
        let encrypt =
            ["pkeyutl", "-encrypt", "-pubin", "-inkey", &key, "-in", "secret.bin", "-out", "encrypted.bin"];
        world.openssl(encrypt.iter().chain(&padding));
        let files = ["--input-file", "encrypted.bin", "--output-file", "decrypted.bin"];
        with_login(&world, &["--decrypt", "--id", KEY_MANAGEMENT, "--mechanism"])
            .args(&mechanism)
            .args(files)
            .succeeds();
        assert_eq!(world.read("decrypted.bin"), world.read("secret.bin"), "{mechanism:?}");
    }
}

#[test]
fn key_agreement_gives_what_openssl_derives() {
    for (algorithm, curve) in [("p256", "P-256"), ("p384", "P-384")] {
        let world = World::with_card(&["--algorithm", algorithm]);
        let card = public_key(&world, KEY_MANAGEMENT);
        let option = format!("ec_paramgen_curve:{curve}");
        world.openssl(["genpkey", "-algorithm", "EC", "-pkeyopt", &option, "-out", "peer.pem"]);
        world.openssl(["pkey", "-in", "peer.pem", "-pubout", "-outform", "DER", "-out", "peer.der"]);
        world.openssl([
            "pkeyutl",
            "-derive",
            "-inkey",
            "peer.pem",
            "-peerkey",
            &card,
            "-out",
            "expected.bin",
        ]);
        with_login(&world, &["--derive", "--id", KEY_MANAGEMENT, "--mechanism", "ECDH1-DERIVE"])
            .args(["--input-file", "peer.der", "--output-file", "derived.bin"])
            .succeeds();
        assert_eq!(world.read("derived.bin"), world.read("expected.bin"), "{algorithm}");
    }
}

#[test]
fn private_keys_need_the_pin() {
    let world = World::with_card(&[]);
    world.message("-sha256");
    let words = ["--sign", "--id", AUTHENTICATION, "--mechanism", "ECDSA", "--input-file", "hash.bin"];
    let said = pkcs11_tool(&world, &words).args(["--login", "--pin", WRONG_PIN]).fails();
    assert!(said.contains("CKR_PIN_INCORRECT"), "{said}");
    let listed = pkcs11_tool(&world, &["--list-objects", "--type", "cert"]).succeeds();
    assert_eq!(listed.matches("Certificate Object").count(), 4, "certificates need none: {listed}");
    let keys = with_login(&world, &["--list-objects", "--type", "privkey"]).succeeds();
    assert_eq!(keys.matches("sensitive, always sensitive, never extractable, local").count(), 4, "{keys}");
}

/// The flags of the token, as C_GetTokenInfo reports them.
fn flags(world: &World) -> String {
    let said = pkcs11_tool(world, &["--list-token-slots"]).succeeds();
    said.lines().find(|line| line.contains("token flags")).expect("a line of flags").to_owned()
}

fn login_fails_with(world: &World, pin: &str, reason: &str) {
    let said = pkcs11_tool(world, &["--login", "--pin", pin, "--list-objects"]).fails();
    assert!(said.contains(reason), "{reason} is not in {said}");
}

#[test]
fn wrong_pins_lock_the_token_and_the_counter_survives_removal() {
    let world = World::with_card(&[]);
    assert!(!flags(&world).contains("user PIN"), "{}", flags(&world));
    login_fails_with(&world, WRONG_PIN, "CKR_PIN_INCORRECT");
    login_fails_with(&world, WRONG_PIN, "CKR_PIN_INCORRECT");
    assert!(flags(&world).contains("final user PIN try"), "{}", flags(&world));
    assert!(flags(&world).contains("final user PIN try"), "{}", flags(&world));
    login_fails_with(&world, WRONG_PIN, "CKR_PIN_INCORRECT");
    assert!(flags(&world).contains("user PIN locked"), "{}", flags(&world));
    assert!(flags(&world).contains("user PIN locked"), "{}", flags(&world));
    login_fails_with(&world, PIN, "CKR_PIN_LOCKED");
}

#[test]
fn a_right_pin_restores_the_tries() {
    let world = World::with_card(&[]);
    login_fails_with(&world, WRONG_PIN, "CKR_PIN_INCORRECT");
    login_fails_with(&world, WRONG_PIN, "CKR_PIN_INCORRECT");
    with_login(&world, &["--list-objects"]).succeeds();
    assert!(!flags(&world).contains("user PIN"), "{}", flags(&world));
}

#[test]
fn the_pin_changes_through_pkcs11() {
    let world = World::with_card(&[]);
    with_login(&world, &["--change-pin", "--new-pin", "654321"]).succeeds();
    login_fails_with(&world, PIN, "CKR_PIN_INCORRECT");
    pkcs11_tool(&world, &["--login", "--pin", "654321", "--list-objects"]).succeeds();
    let short =
        pkcs11_tool(&world, &["--login", "--pin", "654321", "--change-pin", "--new-pin", "123"]).fails();
    assert!(short.contains("CKR_PIN_LEN_RANGE"), "{short}");
}
