//! pkcs15-tool: what OpenSC makes of the card's contents, and the life of its PIN.

use crate::card::{PIN, PUK, WRONG_PIN};
use crate::world::{Client, World};

const NEW_PIN: &str = "87654321";

fn pkcs15_tool(world: &World, words: &[&str]) -> Client {
    world.client("pkcs15-tool").args(words)
}

fn verify_pin(world: &World, pin: &str) -> Client {
    pkcs15_tool(world, &["--verify-pin", "--auth-id", "01", "--pin", pin])
}

fn unblock_pin(world: &World, puk: &str, pin: &str) -> Client {
    pkcs15_tool(world, &["--unblock-pin", "--auth-id", "01", "--puk", puk, "--new-pin", pin])
}

fn change_pin(world: &World, old: &str, new: &str) -> Client {
    pkcs15_tool(world, &["--change-pin", "--auth-id", "01", "--pin", old, "--new-pin", new])
}

#[test]
fn dump_shows_the_complete_card() {
    let world = World::with_card(&["--algorithm", "rsa2048"]);
    let said = pkcs15_tool(&world, &["--dump"]).succeeds();
    for line in [
        "Private RSA Key [PIV AUTH key]",
        "Private RSA Key [SIGN key]",
        "Private RSA Key [KEY MAN key]",
        "Private RSA Key [CARD AUTH key]",
        "X.509 Certificate [Certificate for PIV Authentication]",
        "X.509 Certificate [Certificate for Digital Signature]",
        "X.509 Certificate [Certificate for Key Management]",
        "X.509 Certificate [Certificate for Card Authentication]",
        "Data object 'Card Capability Container'",
        "Data object 'Card Holder Unique Identifier'",
        "Data object 'Discovery Object'",
        "Data object 'Key History Object'",
        "Data object 'Security Object'",
    ] {
        assert!(said.lines().any(|said| said == line), "no line {line:?} in\n{said}");
    }
    assert_eq!(said.matches("sensitive, alwaysSensitive, neverExtract, local").count(), 4, "{said}");
    assert_eq!(said.matches("ModLength      : 2048").count(), 8, "{said}");
}

#[test]
fn certificates_lead_to_the_root_of_the_cards_pki() {
    for algorithm in ["p256", "p384", "rsa2048"] {
        let world = World::with_card(&["--algorithm", algorithm]);
        let mut keys = Vec::new();
        for id in ["01", "02", "03", "04"] {
            let file = format!("{id}.pem");
            pkcs15_tool(&world, &["--read-certificate", id, "--output", &file]).succeeds();
            world.verify_chain(&file);
            keys.push(world.openssl(["x509", "-in", &file, "-pubkey", "-noout"]));
        }
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 4, "four different {algorithm} keys");
    }
}

#[test]
fn a_changed_pin_replaces_the_old_one_for_good() {
    let world = World::with_card(&[]);
    change_pin(&world, PIN, NEW_PIN).succeeds();
    verify_pin(&world, NEW_PIN).succeeds();
    verify_pin(&world, PIN).fails();
    verify_pin(&world, NEW_PIN).succeeds();
}

#[test]
fn changing_with_a_wrong_pin_spends_tries_and_changes_nothing() {
    let world = World::with_card(&[]);
    let said = change_pin(&world, WRONG_PIN, NEW_PIN).fails();
    assert!(said.contains("PIN code incorrect; tries left: 2"), "{said}");
    let flags = world.client("pkcs11-tool").args(["--list-token-slots"]).succeeds();
    assert!(!flags.contains("final user PIN try"), "{flags}");
    change_pin(&world, WRONG_PIN, NEW_PIN).fails();
    let flags = world.client("pkcs11-tool").args(["--list-token-slots"]).succeeds();
    assert!(flags.contains("final user PIN try"), "{flags}");
    verify_pin(&world, PIN).succeeds();
}

#[test]
fn three_wrong_pins_lock_and_the_puk_unlocks() {
    let world = World::with_card(&[]);
    for _ in 0..3 {
        verify_pin(&world, WRONG_PIN).fails();
    }
    let said = verify_pin(&world, PIN).fails();
    assert!(said.contains("Authentication method blocked"), "the right PIN does not unlock: {said}");
    verify_pin(&world, PIN).fails();

    let said = unblock_pin(&world, "00000000", NEW_PIN).fails();
    assert!(said.contains("PUK code incorrect; tries left: 2"), "{said}");
    verify_pin(&world, NEW_PIN).fails();
    unblock_pin(&world, PUK, NEW_PIN).succeeds();
    verify_pin(&world, NEW_PIN).succeeds();
    verify_pin(&world, PIN).fails();
}

#[test]
fn three_wrong_puks_block_unlocking() {
    let world = World::with_card(&[]);
    for _ in 0..3 {
        unblock_pin(&world, "00000000", NEW_PIN).fails();
    }
    let said = unblock_pin(&world, PUK, NEW_PIN).fails();
    assert!(said.contains("Authentication method blocked"), "{said}");
    verify_pin(&world, PIN).succeeds();
}
