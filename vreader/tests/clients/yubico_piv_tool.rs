//! yubico-piv-tool on a YubiKey that has just left the factory: its whole command set, and its complaints.
//!
//! What is known of 2.2.0: it proves management keys of TDEA only, so the card is one of firmware 5.4; with OpenSSL 3 it
//! can neither sign a certificate nor a request itself, before anything reaches a card.

use crate::{
    card::{CARD, PIN, PUK, VREADER, WRONG_PIN},
    world::{Attachment, World},
};

/// Another management key than the factory's.
const OTHER_KEY: &str = "--key=111213141516171821222324252627283132333435363738";

/// A world with an empty YubiKey of this firmware, whose state remains from client to client.
pub(crate) fn fresh(profile: &str) -> World {
    let world = World::with_options(&["--card", CARD]);
    world.tool(VREADER).args(["card", "new", CARD, "--profile", profile, "--seed", "1"]).succeeds();
    world
}

fn tool(world: &World, words: &[&str]) -> String {
    world.client("yubico-piv-tool").args(words).succeeds()
}

/// An RSA key and its certificate, made with openssl: `rsa.pem`, `rsa.crt`.
pub(crate) fn make_certificate(world: &World<impl Attachment>) {
    let words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Sam Sample", "-days", "30"];
    world.tool("openssl").args(words).args(["-keyout", "rsa.pem", "-out", "rsa.crt"]).succeeds();
}

#[test]
fn it_finds_the_card_and_tells_what_is_on_it() {
    let world = fresh("yubikey5-4");
    let listed = tool(&world, &["-a", "list-readers"]);
    assert!(listed.contains("Yubico YubiKey OTP+FIDO+CCID"), "{listed}");
    let said = tool(&world, &["-a", "version", "-a", "status"]);
    for line in ["Application version 5.4.3 found.", "CHUID:\tNo data available", "PIN tries left:\t3"] {
        assert!(said.contains(line), "{said}");
    }
    tool(&world, &["-a", "set-chuid", "-a", "set-ccc"]);
    let said = tool(&world, &["-a", "status"]);
    assert!(said.contains("CHUID:\t3019") && said.contains("CCC:\tf015a000000116"), "{said}");
}

#[test]
fn imported_keys_sign_and_decrypt_under_their_certificate() {
    let world = fresh("yubikey5-4");
    make_certificate(&world);
    for slot in ["9a", "9c", "9d", "82"] {
        tool(&world, &["-s", slot, "-a", "import-key", "-i", "rsa.pem"]);
        tool(&world, &["-s", slot, "-a", "import-certificate", "-i", "rsa.crt"]);
        let pem = tool(&world, &["-s", slot, "-a", "read-certificate"]);
        assert!(pem.contains(world.read_text("rsa.crt").trim()), "{pem}");
        let test = |what: &str| {
            tool(&world, &["-s", slot, "-P", PIN, "-a", "verify-pin", "-a", what, "-i", "rsa.crt"])
        };
        let said = test("test-signature");
        assert!(said.contains("Successful RSA verification."), "{said}");
        let said = test("test-decipher");
        assert!(said.contains("Successfully performed RSA decryption!"), "{said}");
    }
    tool(&world, &["-s", "9a", "-a", "delete-certificate"]);
    world.client("yubico-piv-tool").args(["-s", "9a", "-a", "read-certificate"]).fails();
}

#[test]
fn keys_are_generated_with_policies() {
    let world = fresh("yubikey5-4");
    for (slot, algorithm) in [("9a", "RSA2048"), ("9c", "ECCP256"), ("95", "ECCP384")] {
        let words = ["-s", slot, "-A", algorithm, "-a", "generate", "--pin-policy=always"];
        tool(&world, &[&words[..], &["--touch-policy=cached", "-o", "public.pem"]].concat());
        world.tool("openssl").args(["pkey", "-pubin", "-in", "public.pem", "-noout"]).succeeds();
    }
    // Firmware 5.4 has no such keys.
    world.client("yubico-piv-tool").args(["-s", "9a", "-A", "RSA1024", "-a", "generate"]).fails();
}

#[test]
fn pins_puks_and_keys_are_changed_and_complained_of() {
    let world = fresh("yubikey5-4");
    let refused = |words: &[&str]| world.client("yubico-piv-tool").args(words).fails();
    let said = refused(&["-a", "verify-pin", "-P", WRONG_PIN]);
    assert!(said.contains("2 tries left before pin is blocked"), "{said}");
    tool(&world, &["-a", "change-pin", "-P", PIN, "-N", "654321"]);
    let said = refused(&["-a", "change-pin", "-P", PIN, "-N", "654321"]);
    assert!(said.contains("2 tries left"), "{said}");
    tool(&world, &["-a", "change-puk", "-P", PUK, "-N", "87654321"]);
    tool(&world, &["-a", "unblock-pin", "-P", "87654321", "-N", "777777"]);
    tool(&world, &["-a", "verify-pin", "-P", "777777"]);

    let retries = ["-a", "verify-pin", "-P", "777777", "-a", "pin-retries", "--pin-retries", "4"];
    tool(&world, &[&retries[..], &["--puk-retries", "2"]].concat());
    let said = tool(&world, &["-a", "status"]);
    assert!(said.contains("PIN tries left:\t4"), "{said}");
    tool(&world, &["-a", "verify-pin", "-P", PIN]);

    let new = OTHER_KEY.trim_start_matches("--key=");
    tool(&world, &["-a", "set-mgm-key", "-n", new]);
    let said = refused(&["-s", "9a", "-A", "ECCP256", "-a", "generate"]);
    assert!(said.contains("Failed authentication with the application."), "{said}");
    tool(&world, &[OTHER_KEY, "-s", "9a", "-A", "ECCP256", "-a", "generate"]);
}

#[test]
fn a_blocked_card_is_reset() {
    let world = fresh("yubikey5-4");
    tool(&world, &["-s", "9a", "-A", "ECCP256", "-a", "generate", "-a", "set-chuid"]);
    let refused = |words: &[&str]| world.client("yubico-piv-tool").args(words).fails();
    refused(&["-a", "reset"]);
    for _ in 0..3 {
        refused(&["-a", "verify-pin", "-P", WRONG_PIN]);
    }
    let said = refused(&["-a", "verify-pin", "-P", PIN]);
    assert!(said.contains("Pin code blocked, use unblock-pin action to unblock."), "{said}");
    for _ in 0..3 {
        refused(&["-a", "unblock-pin", "-P", "00000000", "-N", PIN]);
    }
    let said = refused(&["-a", "unblock-pin", "-P", PUK, "-N", PIN]);
    assert!(said.contains("The puk code is blocked"), "{said}");
    tool(&world, &["-a", "reset"]);
    let said = tool(&world, &["-a", "status", "-a", "verify-pin", "-P", PIN]);
    assert!(said.contains("CHUID:\tNo data available") && said.contains("PIN tries left:\t3"), "{said}");
}

#[test]
fn a_generated_key_is_attested_and_an_imported_one_is_not() {
    let world = World::with_options(&["--card", CARD]);
    let new = ["card", "new", CARD, "--profile", "yubikey5-4", "--seed", "1", "--export-ca", "pki"];
    world.tool(VREADER).args(new).succeeds();
    make_certificate(&world);
    tool(&world, &["-s", "9a", "-A", "RSA2048", "-a", "generate", "-o", "public.pem"]);
    tool(&world, &["-s", "9c", "-a", "import-key", "-i", "rsa.pem"]);
    tool(&world, &["-s", "9a", "-a", "attest", "-o", "attested.pem"]);
    tool(&world, &["-s", "f9", "-a", "read-certificate", "-o", "key.pem"]);
    let verify =
        ["verify", "-CAfile", "pki/attestation-root-ca.pem", "-untrusted", "key.pem", "attested.pem"];
    world.tool("openssl").args(verify).succeeds();
    let said =
        world.tool("openssl").args(["x509", "-in", "attested.pem", "-noout", "-text", "-pubkey"]).succeeds();
    assert!(said.contains("CN = YubiKey PIV Attestation 9a"), "{said}");
    assert!(said.contains(world.read_text("public.pem").trim()), "{said}");
    world.client("yubico-piv-tool").args(["-s", "9c", "-a", "attest"]).fails();
}
