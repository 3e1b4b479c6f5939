//! Rows 14 to 16: a card's certificates made known to other programs, in an NSS database that NSS's own `certutil` reads.

use card_sim::{cac::ObjectId, profile::Profile};
use vreader::{
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    image::FlashSize,
    issue::{self, Request},
};

use crate::{
    cac::{GEMALTO, world},
    card::{CARD, VREADER},
    world::{Attachment, Client, World},
};

/// The command, and the database that it writes.
const EXPORT: [&str; 4] = ["certs", "export", "--nss", "db"];
const DATABASE: [&str; 2] = ["-d", "sql:db"];

fn export(world: &World<impl Attachment>, words: &[&str]) -> Client {
    world.client(VREADER).args(EXPORT).args(words)
}

fn certutil(world: &World<impl Attachment>, words: &[&str]) -> Client {
    world.tool("certutil").args(DATABASE).args(words)
}

/// The names in the database, in alphabetical order.
fn names(world: &World<impl Attachment>) -> Vec<String> {
    let listed = certutil(world, &["-L"]).succeeds();
    // Behind each stands for what it is trusted: nothing.
    let lines = listed.lines().filter_map(|line| line.trim_end().strip_suffix(",,"));
    let mut names: Vec<_> = lines.map(|name| name.trim_end().to_owned()).collect();
    names.sort();
    names
}

/// The certificate of this name, as openssl shows it.
fn copy(world: &World<impl Attachment>, name: &str, what: &[&str]) -> String {
    world.write("copy.pem", certutil(world, &["-L", "-n", name, "-a"]).succeeds());
    world.openssl([&["x509", "-in", "copy.pem", "-noout"], what].concat())
}

/// The names of a card with three certificates, the same.
fn expected(listed: &[String]) -> [String; 3] {
    let holder = listed.first().and_then(|name| name.split_once(" - ")).expect("a label").1;
    ["Encryption", "ID", "Signature"].map(|purpose| format!("{purpose} - {holder}"))
}

#[test]
fn row_14_certificates_are_copied_after_a_yes_and_private_keys_stay() {
    let world = world(GEMALTO, &["--issued", "2017-06-01"]);
    let said = export(&world, &[]).input("no\n").succeeds();
    assert!(said.contains("no certificate was copied") && !world.path("db").exists(), "{said}");
    let said = export(&world, &[]).input("yes\n").succeeds();
    assert!(said.contains("[yes/no]") && said.contains("3 certificates installed"), "{said}");
    let listed = names(&world);
    assert_eq!(listed, expected(&listed));
    assert!(listed[0].starts_with("Encryption - ") && listed[0].contains(".Q."), "{listed:?}");
    let keys = certutil(&world, &["-K"]).run().text();
    assert!(keys.contains("no keys found"), "{keys}");
}

#[test]
fn row_14_a_later_copy_replaces_its_own_and_leaves_others_alone() {
    let world = world(GEMALTO, &["--issued", "2017-06-01"]);
    export(&world, &["--yes"]).succeeds();
    let mut listed = names(&world);
    certutil(&world, &["-A", "-n", "Somebody else", "-t", ",,", "-i", "pki/id-ca.pem"]).succeeds();
    // The same person with newer certificates.
    world.new_card("new.card", &["--profile", GEMALTO, "--issued", "2017-07-01"]);
    let world = world.changed_to(&["--card", "new.card"]);
    export(&world, &["--yes"]).succeeds();
    listed.push("Somebody else".to_owned());
    assert_eq!(names(&world), listed);
    for name in &listed[..3] {
        let dates = copy(&world, name, &["-startdate"]);
        assert_eq!(dates.trim(), "notBefore=Jul  1 00:00:00 2017 GMT", "{name}");
    }
}

#[test]
fn row_15_a_certificate_that_is_missing_is_named() {
    let world = world(GEMALTO, &["--issued", "2017-06-01"]);
    let profile = Profile::find(GEMALTO).expect("the stock");
    let request = Request {
        seed: Some(1),
        issued: Some("2017-06-01".parse().expect("a day")),
        ..Request::for_profile(profile)
    };
    let mut card = issue::issue(&request, &mut DefaultCrypto::default(), &mut |_| {}).expect("the same card");
    let containers = &mut card.cac.as_mut().expect("CAC applets").containers;
    containers.retain(|(id, _)| *id != ObjectId::ENCRYPTION);
    card.objects.retain(|(tag, _)| tag.get() != 0x5F_C10B);
    let file = world.path("less.card");
    drop(EmulatedCard::create(&file, FlashSize::DEFAULT, profile, 3, &card).expect("a card file"));

    let world = world.changed_to(&["--card", "less.card"]);
    let outcome = export(&world, &["--yes"]).run();
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    let said = outcome.text();
    assert!(said.contains("only 2 of 3 certificates installed"), "{said}");
    assert!(
        said.contains("not installed: Encryption (container 0102): the card has no such certificate"),
        "{said}"
    );
    assert_eq!(names(&world).len(), 2);

    // The whole card makes good what was missing.
    let world = world.changed_to(&["--card", CARD]);
    assert!(export(&world, &["--yes"]).succeeds().contains("3 certificates installed"));
    assert_eq!(names(&world).len(), 3);
}

#[test]
fn row_16_the_store_shows_label_issuer_and_dates() {
    let world = world(GEMALTO, &["--issued", "2017-06-01"]);
    export(&world, &["--yes"]).succeeds();
    for name in names(&world) {
        // Of certificates with the same subject, certutil shows all.
        let shown = certutil(&world, &["-L", "-n", &name]).succeeds();
        let from = if name.starts_with("ID") { "DEMO DOD ID CA-59" } else { "DEMO DOD EMAIL CA-59" };
        assert!(shown.contains(&format!("Issuer: \"CN={from},")), "{name}: {shown}");
        assert!(shown.contains("Not After : Wed May 31 23:59:59 2023"), "{name}: {shown}");
        let said = copy(&world, &name, &["-issuer", "-dates"]);
        assert!(said.contains(&format!("CN = {from}\n")), "{name}: {said}");
        assert!(said.contains("notBefore=Jun  1 00:00:00 2017 GMT"), "{name}: {said}");
    }
}
