//! cackey, a PKCS#11 module for Common Access Cards, under OpenSC's pkcs11-tool.
//!
//! Debian's package is built without zlib, and aborts while it reads the first certificate; `tools/install-cackey` builds the same
//! source with it.

use crate::{
    cac::{ENCRYPTION, GEMALTO, IDENTITY, SIGNATURE, labels, opensc, public_key, world},
    card::{PIN, WRONG_PIN, built},
    world::{Client, World},
};

/// What cackey calls the certificates.
const LABELS: [&str; 3] = ["Identity #0", "Identity #1", "Identity #2"];

/// The module.
fn library() -> String {
    built("cackey/libcackey.so", "install-cackey")
}

pub(crate) fn cackey(world: &World, words: &[&str]) -> Client {
    world.client("pkcs11-tool").args(["--module", &library()]).args(words)
}

fn read_certificate(client: Client, id: &str, file: &str) {
    client.args(["--read-object", "--type", "cert", "--id", id, "--output-file", file]).succeeds();
}

#[test]
fn the_certificates_are_those_that_opensc_reads_in_its_order() {
    for profile in [GEMALTO, "cac-oberthur-v55", "cac-only"] {
        let world = world(profile, &[]);
        let listed = cackey(&world, &["--list-objects", "--type", "cert"]).succeeds();
        assert_eq!(labels(&listed), LABELS, "{profile}");
        for id in [IDENTITY, SIGNATURE, ENCRYPTION] {
            read_certificate(cackey(&world, &[]), id, "cackey.der");
            read_certificate(opensc(&world, "cac", &[]), id, "opensc.der");
            assert_eq!(world.read("cackey.der"), world.read("opensc.der"), "{id}, {profile}");
        }
    }
}

#[test]
fn signatures_verify_and_what_openssl_encrypted_is_decrypted() {
    let world = world(GEMALTO, &[]);
    world.message("-sha256");
    // It signs what it is given: the hash, in the form in which PKCS#1 wants it.
    let digest_info = hex::decode("3031300D060960864801650304020105000420").expect("hex");
    world.write("digest.bin", [digest_info, world.read("hash.bin")].concat());
    let with_login = |operation, id| {
        cackey(&world, &["--login", "--pin", PIN, operation, "--id", id, "--mechanism", "RSA-PKCS"])
    };
    for id in [IDENTITY, SIGNATURE] {
        let files = ["--input-file", "digest.bin", "--output-file", "signature.bin"];
        with_login("--sign", id).args(files).succeeds();
        world.verify(&public_key(&world, id), "signature.bin", &["-sha256"]);
    }
    let key = public_key(&world, ENCRYPTION);
    world.write("secret.bin", b"a session key of 32 bytes length");
    world.openssl(["pkeyutl", "-encrypt", "-pubin", "-inkey", &key, "-in", "secret.bin", "-out", "in.bin"]);
    with_login("--decrypt", ENCRYPTION)
        .args(["--input-file", "in.bin", "--output-file", "out.bin"])
        .succeeds();
    assert_eq!(world.read("out.bin"), world.read("secret.bin"));
}

#[test]
fn its_own_complaint_about_a_wrong_pin_comes_out_right() {
    let world = world(GEMALTO, &[]);
    let said = cackey(&world, &["--login", "--pin", WRONG_PIN, "--list-objects"]).fails();
    assert!(said.contains("CKR_PIN_INCORRECT"), "{said}");
    cackey(&world, &["--login", "--pin", PIN, "--list-objects"]).succeeds();
}
