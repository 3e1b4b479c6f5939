//! `vreader card clone` of cards in Debian's pcscd: programs that nobody here wrote see the same in the look-alike.

use serde_json::Value;

use crate::{
    card::{CARD, PIN, VREADER},
    companion::Companion,
    pcscd::Pcscd,
    world::{Client, World},
};

const COPY: &str = "copy.card";

/// A card made with these options in Debian's pcscd; its look-alike; what `card clone --json` said. The card is out again.
fn cloned(options: &[&str]) -> (World<Pcscd>, Value) {
    let (world, vreader) = World::with_plugged_card(options);
    let words = ["card", "clone", "--reader", "Virtual PCD", COPY, "--export-ca", "ca", "--json"];
    let said = world.client(VREADER).args(words).succeeds();
    unplug(&world, vreader);
    // The steps on standard error come behind it.
    let first = serde_json::Deserializer::from_str(&said).into_iter().next();
    (world, first.expect("an answer").expect("JSON"))
}

/// Ends `vreader vpcd`, and waits until its card is gone.
fn unplug(world: &World<Pcscd>, vreader: Companion) {
    assert!(vreader.end_by(world, "TERM").success());
    world.wait_for_card(0, false);
}

/// What a program says with each of the two cards in the reader.
fn both<T>(world: &World<Pcscd>, ask: impl Fn(&World<Pcscd>) -> T) -> [T; 2] {
    [CARD, COPY].map(|file| {
        let vreader = world.plug(&[file]);
        let said = ask(world);
        unplug(world, vreader);
        said
    })
}

/// Without the lines that differ on any two cards.
fn without(text: &str, differing: &[&str]) -> String {
    let same = text.lines().filter(|line| !differing.iter().any(|word| line.contains(word)));
    same.collect::<Vec<_>>().join("\n")
}

fn opensc(world: &World<Pcscd>, driver: &str, words: &[&str]) -> String {
    let client: Client = world.client(words[0]).env("OPENSC_DRIVER", driver).args(&words[1..]);
    client.succeeds()
}

#[test]
fn a_piv_card_is_cloned_and_clients_see_the_same() {
    let (world, said) = cloned(&["--algorithm", "rsa2048", "--holder", "Robin Specimen", "--retired", "1"]);
    assert_eq!((&said["profile"], &said["holder"]), (&"piv".into(), &"Robin Specimen".into()));
    let [original, copy] = both(&world, |world| {
        without(&opensc(world, "PIV-II", &["pkcs15-tool", "--list-certificates"]), &["Encoded serial"])
    });
    assert_eq!(original, copy);
    assert_eq!(original.matches("X.509 Certificate [").count(), 5, "{original}");
    let [original, copy] = both(&world, |world| {
        let words = ["pkcs11-tool", "--login", "--pin", PIN, "--list-objects"];
        without(
            &opensc(world, "PIV-II", &words),
            &["serial:", "Data object", "Profile object", "uri:", "Using slot"],
        )
    });
    assert_eq!(original, copy);
    // Its keys are its certificates' keys.
    let _vreader = world.plug(&[COPY]);
    let report =
        world.client(VREADER).args(["card", "check", "--reader", "Virtual PCD", "--pin", PIN]).succeeds();
    assert!(report.contains(" 0 failed"), "{report}");
}

#[test]
fn a_common_access_card_is_cloned_with_three_certificates_and_its_holder() {
    let (world, said) = cloned(&["--profile", "cac-gemalto-gx4-144", "--issued", "2017-06-01"]);
    assert_eq!(said["profile"], "cac-gemalto-gx4-144");
    let [original, copy] = both(&world, |world| {
        let words = ["pkcs11-tool", "--login", "--pin", PIN, "--list-objects", "--type", "cert"];
        without(&opensc(world, "cac", &words), &["serial:", "uri:", "Using slot"])
    });
    assert_eq!(original, copy);
    assert_eq!(original.matches("label:").count(), 3, "{original}");
    let _vreader = world.plug(&[COPY]);
    let sign = ["pkcs11-tool", "--login", "--pin", PIN, "--test"];
    let said = opensc(&world, "cac", &sign);
    assert!(said.contains("No errors"), "{said}");
}

#[test]
fn a_yubikey_is_cloned_with_its_serial_number() {
    let (world, said) = cloned(&["--profile", "yubikey5", "--identity"]);
    assert_eq!(said["profile"], "yubikey5");
    let [original, copy] = both(&world, |world| {
        let status = world.client("yubico-piv-tool").args(["--reader", "Virtual PCD", "--action", "status"]);
        without(&status.succeeds(), &["CHUID", "Fingerprint"])
    });
    assert_eq!(original, copy);
    let serial = format!("Serial Number:\t{}", said["serial_number"]);
    assert!(original.contains(&serial), "{original}");
}

#[test]
fn what_cannot_be_cloned_is_told() {
    let (world, _) = cloned(&[]);
    let words = ["card", "clone", "--reader", "Virtual PCD", COPY];
    let said = world.client(VREADER).args(words).fails();
    assert!(said.contains("exists already"), "{said}");
    let words = ["card", "clone", "--reader", "Virtual PCD", "other.card"];
    let said = world.client(VREADER).args(words).fails();
    assert!(said.contains("no reader with a card has"), "{said}");
}
