//! YubiKeys of the FIPS series, and a NEO, under Yubico's own programs: what these refuse, and what the card does.

use crate::{
    card::{PIN, PUK, WRONG_PIN},
    world::{Client, World},
    ykman,
    yubico_piv_tool::fresh,
};

/// `ykman piv …`; words stand between spaces.
fn ykman(world: &World, words: &str) -> Client {
    world.client(&ykman::program()).args(ykman::words(words))
}

#[test]
fn a_fips_key_takes_no_trivial_pin_and_works_when_nothing_is_the_factorys() {
    let world = fresh("yubikey5-fips");
    let said = ykman(&world, "info").succeeds();
    assert!(said.contains("FIPS approved:            False"), "{said}");
    let said = ykman(&world, "keys generate -m KEY -a ECCP256 9a public.pem").fails();
    assert!(said.contains("must be in FIPS approved mode"), "{said}");

    let said = ykman(&world, &format!("access change-pin -P {PIN} -n 77777777")).fails();
    assert!(said.contains("PIN does not meet complexity requirement."), "{said}");
    let said = ykman(&world, &format!("access change-pin -P {PIN} -n 918273")).fails();
    assert!(said.contains("must be exactly 8 characters long"), "{said}");
    // Who asks nobody is refused by the card.
    let change = |pin| world.client("yubico-piv-tool").args(["-a", "change-pin", "-P", PIN, "-N", pin]);
    change("918273").fails();
    let said = ykman(&world, &format!("access change-puk -p {PUK} -n password")).fails();
    assert!(said.contains("PUK does not meet complexity requirement."), "{said}");
    let said = ykman(&world, "info").succeeds();
    assert!(said.contains("PIN tries remaining:      3/3"), "{said}");

    change("91827364").succeeds();
    ykman(&world, &format!("access change-puk -p {PUK} -n 18273645")).succeeds();
    let key = "A5".repeat(24);
    ykman(&world, &format!("access change-management-key -m KEY -n {key}")).succeeds();
    let said = ykman(&world, "info").succeeds();
    assert!(said.contains("FIPS approved:            True"), "{said}");
    ykman(&world, &format!("keys generate -m {key} -a ECCP256 9e public.pem")).succeeds();
    let said = ykman(&world, "keys info 9e").succeeds();
    assert!(said.contains("PIN required for use:   ONCE"), "{said}");
    let never = format!("keys generate -m {key} --pin-policy NEVER -a ECCP256 9a public.pem");
    assert!(ykman(&world, &never).fails().contains("PIN policy NEVER not supported on YubiKey FIPS."));
}

#[test]
fn a_fips_key_of_the_4_series_refuses_keys_without_a_pin() {
    let world = fresh("yubikey4-fips");
    let generate = |policy| {
        ["-s", "9a", "-A", "ECCP256", "-a", "generate", policy, "-o", "public.pem"].map(str::to_owned)
    };
    world.client("yubico-piv-tool").args(generate("--pin-policy=never")).fails();
    world.client("yubico-piv-tool").args(generate("--pin-policy=once")).succeeds();
}

#[test]
fn a_neo_counts_tries_in_its_own_way_and_programs_follow() {
    let world = fresh("yubikey-neo");
    let said = ykman(&world, "info").succeeds();
    assert!(said.contains("PIV version:              1.0.4"), "{said}");
    let said = ykman(&world, &format!("access change-pin -P {WRONG_PIN} -n 654321")).fails();
    assert!(said.contains("2 tries left"), "{said}");
    ykman(&world, "keys generate -m KEY -a ECCP256 9a public.pem").succeeds();
    ykman(&world, &format!("certificates generate -m KEY -P {PIN} -s CN=Sam 9a public.pem")).succeeds();
    ykman(&world, "certificates export 9a own.crt").succeeds();
    world.tool("openssl").args(["verify", "-CAfile", "own.crt", "own.crt"]).succeeds();
    world.client("yubico-piv-tool").args(["-s", "82", "-A", "ECCP256", "-a", "generate"]).fails();
    let tokens = world.client("pkcs11-tool").args(["--login", "--pin", PIN, "--list-objects"]).succeeds();
    assert!(tokens.contains("Private Key Object; EC"), "{tokens}");
}

#[test]
fn more_than_fifteen_tries_are_told_where_there_is_room() {
    let world = fresh("yubikey5");
    ykman(&world, &format!("access set-retries -m KEY -P {PIN} -f 255 20")).succeeds();
    let said = ykman(&world, "info").succeeds();
    for line in ["PIN tries remaining:      255/255", "PUK tries remaining:      20/20"] {
        assert!(said.contains(line), "{said}");
    }
    let said = world.client("yubico-piv-tool").args(["-a", "status"]).succeeds();
    assert!(said.contains("PIN tries left:\t15"), "{said}");
    let said = ykman(&world, &format!("access change-pin -P {WRONG_PIN} -n 654321")).fails();
    assert!(said.contains("15 or more tries left"), "{said}");
}
