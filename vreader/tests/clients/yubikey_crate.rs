//! Programs on the crate `yubikey` (crates.io): one of ours that uses most of it, and the tests that the crate has for people
//! who plug in a YubiKey, unmodified. `tools/install-yubikey-crate` builds both.
//!
//! What is known of 0.9.0-rc.0: its certificates of Ed25519 are signed over SHA-512 of what they say instead of that
//! itself, so that nobody can verify them, its own test included.

use std::path::Path;

use crate::{
    card::{CARD, VREADER},
    world::{Client, World},
};

/// A program that the script has built.
fn program(world: &World, name: &str) -> Client {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/clients/yubikey-crate").join(name);
    assert!(
        path.exists(),
        "the programs of the crate yubikey are not there: run tools/install-yubikey-crate"
    );
    world.client(path.to_str().expect("UTF-8"))
}

fn fresh(profile: &str) -> World {
    let world = World::with_options(&["--card", CARD]);
    let new = ["card", "new", CARD, "--profile", profile, "--seed", "1", "--export-ca", "pki"];
    world.tool(VREADER).args(new).succeeds();
    world
}

#[test]
fn a_program_does_what_the_crate_offers() {
    for (profile, version, metadata, curve25519) in [
        ("yubikey5", "5.7.1", true, true),
        ("yubikey5-4", "5.4.3", true, false),
        ("yubikey5-2", "5.2.4", false, false),
        ("yubikey4", "4.3.5", false, false),
    ] {
        let world = fresh(profile);
        let said = program(&world, "program").succeeds();
        assert!(said.contains(&format!("version {version}")) && said.contains("objects: done"), "{said}");
        assert_eq!(said.contains("no metadata"), !metadata, "{said}");
        assert_eq!(said.contains("Ed25519 and X25519: done"), curve25519, "{said}");

        world
            .client("yubico-piv-tool")
            .args(["-s", "f9", "-a", "read-certificate", "-o", "key.pem"])
            .succeeds();
        let verify =
            ["verify", "-CAfile", "pki/attestation-root-ca.pem", "-untrusted", "key.pem", "attested.der"];
        world.tool("openssl").args(verify).succeeds();
        let pem = world.client("yubico-piv-tool").args(["-s", "9a", "-a", "read-certificate"]).succeeds();
        assert!(pem.contains("BEGIN CERTIFICATE"), "{pem}");
    }
}

#[test]
fn the_crates_own_tests_pass() {
    for profile in ["yubikey5", "yubikey5-4", "yubikey5-2", "yubikey4"] {
        let world = fresh(profile);
        // The second reads a file of the crate's, and no card.
        let but = ["--skip", "generate_self_signed_cv_cert", "--skip", "test_parse_cert_from_der"];
        let said = program(&world, "own-tests").args(["--ignored", "--test-threads=1"]).args(but).succeeds();
        assert!(said.contains("12 passed; 0 failed; 0 ignored"), "{profile}: {said}");
    }
}
