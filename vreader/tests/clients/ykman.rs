//! ykman, Yubico's manager, on a YubiKey of firmware 5.7 that has just left the factory: its PIV commands.
//!
//! It comes from PyPI: see [`python`]. Its own test before it takes a reader for a YubiKey's is the reader's name.

use crate::{
    card::{CARD, PIN, PUK, VREADER},
    python,
    world::{Client, World},
    yubico_piv_tool::{fresh, make_certificate},
};

const YKMAN: &str = "yubikey-manager==5.9.2";

/// The factory's management key.
const KEY: &str = "010203040506070801020304050607080102030405060708";

/// The program.
pub(crate) fn program() -> String {
    python::program(YKMAN, "ykman")
}

/// The arguments of `ykman piv …`; words stand between spaces, and `KEY` for the factory's management key.
pub(crate) fn words(words: &str) -> Vec<String> {
    ["piv"].into_iter().chain(words.split(' ')).map(|word| word.replace("KEY", KEY)).collect()
}

/// `ykman piv …`, with these words.
fn ykman(world: &World, these: &str) -> Client {
    world.client(&program()).args(words(these))
}

#[test]
fn a_fresh_card_is_told_as_such() {
    for (profile, version, algorithm) in
        [("yubikey5", "5.7.1", "AES192"), ("yubikey5-4", "5.4.3", "TDES"), ("yubikey5-2", "5.2.4", "")]
    {
        let said = ykman(&fresh(profile), "info").succeeds();
        assert!(said.contains(&format!("PIV version:              {version}")), "{said}");
        assert!(said.contains("PIN tries remaining:      3"), "{said}");
        let with_metadata = !algorithm.is_empty();
        assert_eq!(said.contains("WARNING: Using default PIN!"), with_metadata, "{said}");
        assert!(said.contains(&format!("Management key algorithm: {algorithm}")), "{said}");
    }
}

#[test]
fn keys_are_generated_imported_moved_and_deleted() {
    let world = fresh("yubikey5");
    make_certificate(&world);
    ykman(&world, "keys generate -m KEY -a ECCP384 9e public.pem").succeeds();
    ykman(&world, "keys generate -m KEY -a RSA2048 82 public.pem").succeeds();
    ykman(&world, "keys import -m KEY --pin-policy ALWAYS --touch-policy CACHED 9d rsa.pem").succeeds();
    let said = ykman(&world, "keys info 9d").succeeds();
    for line in [
        "Algorithm:              RSA2048",
        "Origin:                 IMPORTED",
        "PIN required for use:   ALWAYS",
        "Touch required for use: CACHED",
    ] {
        assert!(said.contains(line), "{said}");
    }
    // What it exports is the public key of what was imported.
    let exported = ykman(&world, "keys export 9d -").succeeds();
    let public = world.tool("openssl").args(["pkey", "-in", "rsa.pem", "-pubout"]).succeeds();
    assert!(exported.contains(public.trim()), "{exported}");

    ykman(&world, "keys move -m KEY 82 83").succeeds();
    let said = ykman(&world, "keys info 83").succeeds();
    assert!(said.contains("GENERATED"), "{said}");
    ykman(&world, "keys info 82").fails();
    ykman(&world, "keys delete -m KEY 83").succeeds();
    ykman(&world, "keys info 83").fails();
}

#[test]
fn certificates_and_objects_are_made_and_read_back() {
    let world = fresh("yubikey5");
    ykman(&world, "keys generate -m KEY -a ECCP256 9a public.pem").succeeds();
    ykman(&world, &format!("certificates generate -m KEY -P {PIN} -s CN=Sam 9a public.pem")).succeeds();
    ykman(&world, "certificates export 9a own.crt").succeeds();
    let verify = ["verify", "-CAfile", "own.crt", "own.crt"];
    world.tool("openssl").args(verify).succeeds();
    ykman(&world, &format!("certificates request -P {PIN} -s CN=Sam 9a public.pem own.csr")).succeeds();
    world.tool("openssl").args(["req", "-in", "own.csr", "-noout", "-verify"]).succeeds();
    make_certificate(&world);
    ykman(&world, "certificates import -m KEY 9d rsa.crt").succeeds();
    ykman(&world, "objects generate -m KEY chuid").succeeds();
    ykman(&world, "objects generate -m KEY ccc").succeeds();
    let said = ykman(&world, "info").succeeds();
    for line in ["CHUID: 3019", "CCC:   f015", "Subject DN:       CN=Sam", "Private key type: ECCP256"] {
        assert!(said.contains(line), "{said}");
    }
    ykman(&world, "certificates delete -m KEY 9a").succeeds();
    ykman(&world, "certificates export 9a -").fails();
}

#[test]
fn pin_puk_and_management_key_are_changed() {
    let world = fresh("yubikey5");
    ykman(&world, &format!("access change-pin -P {PIN} -n 654321")).succeeds();
    let said = ykman(&world, &format!("access change-pin -P {PIN} -n 654321")).fails();
    assert!(said.contains("2 tries left"), "{said}");
    ykman(&world, &format!("access change-puk -p {PUK} -n 87654321")).succeeds();
    ykman(&world, "access unblock-pin -p 87654321 -n 777777").succeeds();
    ykman(&world, "access set-retries -m KEY -P 777777 -f 5 4").succeeds();
    let other = "A1".repeat(32);
    ykman(&world, &format!("access change-management-key -m KEY -a AES256 -n {other}")).succeeds();
    let protect = format!("access change-management-key -m {other} -P {PIN} --protect -a AES192 -g");
    ykman(&world, &protect).succeeds();
    let said = ykman(&world, "info").succeeds();
    for line in
        ["remaining:      5/5", "remaining:      4/4", "stored on the YubiKey, protected by PIN", "AES192"]
    {
        assert!(said.contains(line), "{said}");
    }
    // The key that it made up, which only the card knows, opens the card.
    ykman(&world, &format!("keys generate -P {PIN} -a ECCP256 9a -")).succeeds();
}

#[test]
fn a_sample_person_is_on_a_yubikey_only_if_asked_for() {
    let world = World::with_options(&["--card", CARD]);
    let new = ["card", "new", CARD, "--profile", "yubikey5", "--holder", "Sam Sample"];
    let said = world.tool(VREADER).args(new).fails();
    assert!(said.contains("add --identity"), "{said}");
    world.tool(VREADER).args(new).args(["--identity"]).succeeds();
    let said = ykman(&world, "info").succeeds();
    for line in ["CHUID: 3019", "Slot 9A (AUTHENTICATION)", "CN=Sam Sample", "Slot 9E (CARD_AUTH)"] {
        assert!(said.contains(line), "{said}");
    }
    let said = ykman(&world, "keys attest 9a -").succeeds();
    assert!(said.contains("BEGIN CERTIFICATE"), "{said}");
}

#[test]
fn it_resets_the_card() {
    let world = fresh("yubikey5");
    ykman(&world, "keys generate -m KEY -a ECCP256 9a -").succeeds();
    ykman(&world, &format!("access change-pin -P {PIN} -n 654321")).succeeds();
    ykman(&world, "reset -f").succeeds();
    let said = ykman(&world, "info").succeeds();
    assert!(said.contains("WARNING: Using default PIN!") && !said.contains("Slot 9A"), "{said}");
}
