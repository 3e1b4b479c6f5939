//! What Yubico's programs say that a YubiKey is: model, version, serial number.

use crate::{card::CARD, world::World, ykman, yubico_piv_tool::fresh};

/// The serial number that programs which are to tell it must tell: the one that the card's first program told.
fn told_by_all(world: &World, version: &str, name: &str) {
    let ykman = |words: &[&str]| world.client(&ykman::program()).args(words).succeeds();
    let serial = ykman(&["list", "--serials"]).trim().to_owned();
    assert_eq!((serial.len(), serial.parse::<u32>().is_ok()), (8, true), "{serial}");
    let said = ykman(&["info"]);
    for line in [
        format!("Device type: {name}\n"),
        format!("Serial number: {serial}\n"),
        format!("Firmware version: {version}\n"),
    ] {
        assert!(said.contains(&line), "{said}");
    }
    let said = ykman(&["list"]);
    assert!(said.contains(&format!("{name} ({version}) [OTP+FIDO+CCID] Serial: {serial}")), "{said}");
    let said = world.client("yubico-piv-tool").args(["-a", "status"]).succeeds();
    assert!(said.contains(&format!("Serial Number:\t{serial}")), "{said}");
}

#[test]
fn all_programs_tell_the_same_of_every_profile() {
    for (profile, version, name) in [
        ("yubikey-neo", "3.4.9", "YubiKey NEO"),
        ("yubikey4", "4.3.5", "YubiKey 4"),
        ("yubikey4-fips", "4.4.5", "YubiKey FIPS (4 Series)"),
        ("yubikey5-2", "5.2.4", "YubiKey 5 NFC"),
        ("yubikey5-4", "5.4.3", "YubiKey 5 NFC"),
        ("yubikey5", "5.7.1", "YubiKey 5 NFC"),
        ("yubikey5-fips", "5.7.4", "YubiKey 5 NFC FIPS"),
    ] {
        told_by_all(&fresh(profile), version, name);
    }
}

#[test]
fn applications_that_the_card_does_not_have_are_told_as_such() {
    let world = fresh("yubikey5");
    let said = world.client(&ykman::program()).args(["info"]).succeeds();
    for line in ["PIV         \tEnabled", "OATH        \tNot available", "OpenPGP     \tNot available"] {
        assert!(said.contains(line), "{said}");
    }
    let said = world.client(&ykman::program()).args(["oath", "info"]).fails();
    assert!(said.contains("not available on this YubiKey"), "{said}");
}

#[test]
fn ykman_takes_a_reader_by_another_name_if_the_card_lies_on_its_antenna() {
    let options = |more| [&["--card", CARD, "--reader", "Desk"][..], more].concat();
    let world = fresh("yubikey5").changed_to(&options(&[]));
    let info = |world: &World| world.client(&ykman::program()).args(["--reader", "Desk", "info"]);
    // A YubiKey in a socket is one whose reader has a YubiKey's name.
    let said = info(&world).fails();
    assert!(said.contains("Failed to connect to YubiKey."), "{said}");
    let said = info(&world.changed_to(&options(&["--contactless"]))).succeeds();
    assert!(said.contains("Firmware version: 5.7.1"), "{said}");
}
