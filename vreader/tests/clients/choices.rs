//! Cards with what few cards have: compressed certificates, and certificates that are not on the card. OpenSC takes both.

use crate::{
    card::PIN,
    openssl::MESSAGE,
    world::{Attachment, World},
};

/// Reads a certificate in PEM.
fn certificate(world: &World<impl Attachment>, id: &str) -> String {
    let file = format!("{id}.pem");
    world.client("pkcs15-tool").args(["--read-certificate", id, "--output", &file]).succeeds();
    file
}

#[test]
fn compressed_certificates_are_read_and_their_keys_sign() {
    let options = ["--algorithm", "rsa2048", "--compress-certificates", "--sm", "cs2", "--compress-signer"];
    let world = World::with_card(&options);
    world.message("-sha256");
    for id in ["01", "02", "03", "04"] {
        let file = certificate(&world, id);
        world.verify_chain(&file);
        if id == "03" {
            continue;
        }
        world.openssl(["x509", "-in", &file, "-pubkey", "-noout", "-out", "key.pub"]);
        world
            .client("pkcs11-tool")
            .args(["--login", "--pin", PIN, "--sign", "--id", id, "--mechanism", "SHA256-RSA-PKCS"])
            .args(["--input-file", MESSAGE, "--output-file", "signature.bin"])
            .succeeds();
        world.verify("key.pub", "signature.bin", &["-sha256"]);
    }
}

#[test]
fn certificates_elsewhere_are_found_where_opensc_keeps_such_files() {
    // OpenSC fetches nothing; it looks in its folder for files that somebody has fetched.
    let options = ["--retired", "1", "--retired-off-card", "2", "--export-off-card", "cache/opensc"];
    let world = World::with_card(&options);
    let cache = world.path("cache");
    let certificates = |cache: &std::path::Path| {
        world.client("pkcs15-tool").env("XDG_CACHE_HOME", cache).args(["--list-certificates"]).succeeds()
    };
    let with_file = certificates(&cache);
    for name in [
        "Retired Certificate for Key Management 1]",
        "Retired Certificate for Key Management 20]",
        "Retired Certificate for Key Management 19]",
    ] {
        assert!(with_file.contains(name), "{with_file}");
    }
    let without = certificates(&world.path("elsewhere"));
    assert!(without.contains("Key Management 1]") && !without.contains("Key Management 20]"), "{without}");
}

#[test]
fn a_card_like_a_genuine_one_shows_all_of_its_certificates() {
    let world = World::with_card(&["--like", "nist-sd33-4"]);
    let listed = world.client("pkcs15-tool").args(["--list-certificates"]).succeeds();
    // Four, and seven retired ones on the card.
    assert_eq!(listed.matches("X.509 Certificate [").count(), 11, "{listed}");
    let token = world.client("pkcs11-tool").args(["--login", "--pin", PIN, "--list-objects"]).succeeds();
    assert_eq!(token.matches("Private Key Object; EC").count(), 10, "{token}");
    assert_eq!(token.matches("Private Key Object; RSA").count(), 1, "{token}");
}
