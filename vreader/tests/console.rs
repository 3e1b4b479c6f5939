//! The console's commands as a card's holder uses them, on cards in a world of the library's: no client program is needed.

use std::{
    fs,
    io::Write,
    process::{Output, Stdio},
};

use card_sim::{cac::ObjectId, key::AsymmetricAlgorithm, profile::Profile};
use serde_json::Value;
use tempfile::TempDir;
use vreader::{
    World,
    attach::pcsc::RemoteCard,
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    image::FlashSize,
    issue::{self, IssuedCard, Request},
    reader::ReaderSettings,
    run::{CardSource, WorldSettings},
};

const CAC: &str = "cac-gemalto-gx4-144";
const PIV: &str = "piv";

/// Within the life of a card that a seed makes.
const NOW: [&str; 2] = ["--now", "2026-06-01"];
const PIN: [&str; 2] = ["--pin", "123456"];

const VERIFY_PIN: [u8; 13] = [0x00, 0x20, 0x00, 0x00, 0x08, b'1', b'2', b'3', b'4', b'5', b'6', 0xFF, 0xFF];
const IS_VERIFIED: [u8; 4] = [0x00, 0x20, 0x00, 0x00];
const SELECT_CAC: [u8; 12] = [0x00, 0xA4, 0x04, 0x00, 0x07, 0xA0, 0x00, 0x00, 0x00, 0x79, 0x01, 0x00];

/// A card of Dana's, always the same.
fn card(profile: &str, adjust: impl FnOnce(&mut Request)) -> IssuedCard {
    let profile = Profile::find(profile).unwrap();
    let mut request = Request {
        seed: Some(1),
        holder: Some("Dana Quincy Sample".to_owned()),
        ..Request::for_profile(profile)
    };
    if profile.cac.is_none() {
        request.algorithm = AsymmetricAlgorithm::EccP256;
    }
    adjust(&mut request);
    issue::issue(&request, &mut DefaultCrypto::default(), &mut |_| {}).unwrap()
}

/// A reader with a card in it, and a folder.
struct Desk {
    world: World,
    folder: TempDir,
}

impl Desk {
    fn new(profile: &str) -> Self {
        Self::with(profile, &card(profile, |_| {}))
    }

    /// A desk with a card that was issued on this day.
    fn issued(profile: &str, day: &str) -> Self {
        Self::with(profile, &card(profile, |request| request.issued = Some(day.parse().unwrap())))
    }

    fn with(profile: &str, card: &IssuedCard) -> Self {
        let desk = Self {
            world: World::with(&WorldSettings::default()).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        desk.world.add(ReaderSettings::new("vreader"), Some(&desk.file("1.card", profile, card))).unwrap();
        desk
    }

    /// Puts another card in.
    fn swap(&self, profile: &str, card: &IssuedCard) {
        self.world.swap(&self.file("2.card", profile, card)).unwrap();
    }

    fn file(&self, name: &str, profile: &str, card: &IssuedCard) -> CardSource {
        let (path, profile) = (self.folder.path().join(name), Profile::find(profile).unwrap());
        drop(EmulatedCard::create(&path, FlashSize::DEFAULT, profile, 3, card).unwrap());
        CardSource::File(path)
    }

    /// Runs a command line of vreader with this on its standard input.
    fn answers(&self, words: &[&str], input: &str) -> Output {
        let mut command = self.world.command(env!("CARGO_BIN_EXE_vreader"));
        command.current_dir(self.folder.path()).args(words).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It may end before it reads.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Runs a command line that must succeed; its standard output.
    fn done(&self, words: &[&str]) -> String {
        let output = self.answers(words, "");
        assert_eq!(output.status.code(), Some(0), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same of one that prints JSON.
    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[words, &["--json"]].concat())).unwrap()
    }

    /// Runs a command line that must be refused; its standard error.
    fn refused(&self, words: &[&str]) -> String {
        let output = self.answers(words, "");
        assert_eq!(output.status.code(), Some(1), "{words:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{words:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn labels(&self, words: &[&str]) -> Vec<String> {
        let listed = self.json(&[&["card", "certs"], words].concat());
        let labels = listed["certificates"].as_array().unwrap().iter();
        labels.map(|listed| listed["label"].as_str().unwrap().to_owned()).collect()
    }

    fn tries_left(&self) -> Value {
        self.json(&["card", "info"])["tries_left"].clone()
    }

    fn files(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join(folder)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_common_access_card_tells_its_holder_more_after_the_pin() {
    let desk = Desk::new(CAC);
    let public = desk.json(&["card", "info", NOW[0], NOW[1]]);
    assert_eq!(public["face"], "common_access");
    let edipi = public["identifier"].as_str().unwrap().to_owned();
    assert_eq!(public["name"], format!("SAMPLE.DANA.Q.{edipi}"));
    assert_eq!(public["expires"], "2031-12-31");
    assert!(public["stock"].as_str().unwrap().contains("Gemalto TOP DL GX4 144K"), "{public}");
    assert_eq!((&public["born"], &public["issued"]), (&Value::Null, &Value::Null));
    assert_eq!(public["behind_the_pin"][1], "day of birth");
    assert_eq!(public["tries_left"], 3);
    let text = desk.done(&["card", "info"]);
    assert!(text.contains("With the PIN (--pin): full name, day of birth, day of issue"), "{text}");
    assert!(!text.contains("1970-01-01") && !text.contains("QUINCY"), "{text}");

    let personal = desk.json(&[&["card", "info"], &NOW[..], &PIN].concat());
    assert_eq!(personal["name"], "DANA QUINCY SAMPLE");
    assert_eq!(personal["identifier"], edipi);
    assert_eq!(personal["born"], "1970-01-01");
    assert_eq!((&personal["issued"], &personal["expires"]), (&"2026-01-01".into(), &"2031-12-31".into()));
    assert_eq!(personal["piv_activation"], "active");
    assert_eq!(personal["warnings"], Value::Array(Vec::new()));
    assert_eq!(personal["behind_the_pin"], Value::Null);
    let asked = desk.answers(&["card", "info", "--pin", "-"], "123456\n");
    assert!(String::from_utf8(asked.stdout).unwrap().contains("Day of birth  1970-01-01"));
}

#[test]
fn a_piv_card_shows_what_is_printed_on_it_after_the_pin() {
    let desk = Desk::new(PIV);
    let public = desk.json(&["card", "info"]);
    assert_eq!((&public["face"], &public["affiliation"]), (&"piv".into(), &Value::Null));
    assert_eq!(public["name"], "Dana Quincy Sample");
    assert_eq!(public["behind_the_pin"][1], "affiliation");
    assert_eq!(public["piv_activation"], Value::Null);
    let personal = desk.json(&[&["card", "info"], &PIN[..]].concat());
    assert_eq!(personal["affiliation"], "Sample Employee");
    assert_eq!(personal["organization"][0], "Sample Organization");
    assert_eq!(personal["expires"], "2031-12-31");
}

#[test]
fn cards_without_piv_and_alternate_tokens_have_a_console_too() {
    let only = Desk::new("cac-only");
    let information = only.json(&[&["card", "info"], &PIN[..]].concat());
    assert_eq!((&information["born"], &information["expires"]), (&"1970-01-01".into(), &"2031-12-31".into()));
    assert_eq!(information["piv_activation"], Value::Null);
    let token = Desk::new("cac-token-gd-sce7");
    let information = token.json(&["card", "info"]);
    assert_eq!((&information["behind_the_pin"], &information["tries_left"]), (&Value::Null, &3.into()));
    for desk in [only, token] {
        assert_eq!(desk.labels(&[]).len(), 3);
    }
}

#[test]
fn the_login_of_another_program_shows_no_console_what_the_pin_protects() {
    let desk = Desk::new(CAC);
    let mut other = RemoteCard::connect(desk.world.socket(), "vreader 00 00").unwrap();
    other.transmit(&SELECT_CAC).unwrap();
    assert_eq!(other.transmit(&VERIFY_PIN).unwrap(), [0x90, 0x00]);
    let information = desk.json(&["card", "info"]);
    assert_eq!((&information["born"], &information["issued"]), (&Value::Null, &Value::Null));
}

#[test]
fn nobody_finds_the_login_of_a_console() {
    let desk = Desk::new(CAC);
    desk.done(&[&["card", "info"], &PIN[..]].concat());
    let mut other = RemoteCard::connect(desk.world.socket(), "vreader 00 00").unwrap();
    other.transmit(&SELECT_CAC).unwrap();
    assert_eq!(other.transmit(&IS_VERIFIED).unwrap(), [0x63, 0xC3]);
    desk.done(&["card", "pin", "change", "--old", "123456", "--new", "123456"]);
    // Who was connected has to see that the card was reset.
    assert!(other.transmit(&IS_VERIFIED).is_err());
}

#[test]
fn the_end_of_a_card_is_told_before_and_after_it() {
    let desk = Desk::new(CAC);
    for (now, warned) in [
        ("2031-12-01T23:59:59Z", None),
        ("2031-12-02", Some("expires on 2031-12-31")),
        ("2031-12-31T23:59:59Z", Some("expires on 2031-12-31")),
        ("2032-01-01", Some("expired on 2031-12-31")),
    ] {
        let warnings = desk.json(&["card", "info", "--now", now])["warnings"].to_string();
        assert_eq!(warnings == "[]", warned.is_none(), "{now}: {warnings}");
        assert!(warnings.contains(warned.unwrap_or_default()), "{now}: {warnings}");
    }
}

#[test]
fn the_day_of_issue_decides_about_activation() {
    let with = |cutoff: &str, pin: &[&str], desk: &Desk| {
        let words = [&["card", "info", "--piv-activation-cutoff", cutoff], pin].concat();
        desk.json(&words)["piv_activation"].as_str().unwrap().to_owned()
    };
    let old = Desk::issued(CAC, "2018-02-27");
    assert_eq!(with("2018-02-28", &PIN, &old), "needed");
    // A Defense agency's sheet names the 24th; then the card should have come with its certificate.
    assert_eq!(with("2018-02-24", &PIN, &old), "missing");
    assert_eq!(with("2018-02-28", &[], &old), "unknown");
    assert_eq!(old.labels(&[]).len(), 3);
    let new = Desk::issued(CAC, "2018-02-28");
    assert_eq!(with("2018-02-28", &PIN, &new), "active");
    assert_eq!(with("2018-02-28", &[], &new), "active");
    assert_eq!(new.labels(&[]).len(), 4);
}

#[test]
fn certificates_are_listed_in_the_holders_words() {
    let desk = Desk::new(CAC);
    let listed = desk.json(&[&["card", "certs"], &NOW[..]].concat());
    let name = listed["certificates"][0]["name"].as_str().unwrap();
    let labels =
        ["ID", "Signature", "Encryption", "Authentication"].map(|purpose| format!("{purpose} - {name}"));
    assert_eq!(desk.labels(&[]), labels);
    let identity = &listed["certificates"][0];
    assert_eq!((&identity["container"], &identity["validity"]), (&"0100".into(), &"valid".into()));
    assert_eq!(identity["not_after"], "2031-12-31T23:59:59Z");
    assert!(identity["issuer"].as_str().unwrap().starts_with("CN=DEMO DOD ID CA-59,"));
    let text = desk.done(&["card", "certs", "--now", "2031-12-31"]);
    assert_eq!(text.matches("from 2026-01-01 to 2031-12-31: expires within 30 days").count(), 4, "{text}");
    assert!(desk.done(&["card", "certs", "--now", "2032-01-01"]).contains(": expired"));
    assert!(desk.done(&["card", "certs", "--now", "2025-12-31"]).contains(": not yet valid"));

    let piv = card(PIV, |request| request.features.retired_keys = 2);
    desk.swap(PIV, &piv);
    assert_eq!(
        desk.labels(&[]),
        [
            "Authentication",
            "Signature",
            "Encryption",
            "Card Authentication",
            "Retired Encryption 1",
            "Retired Encryption 2"
        ]
        .map(|purpose| format!("{purpose} - Dana Quincy Sample"))
    );
}

#[test]
fn a_pin_is_changed_by_who_knows_it() {
    for profile in [CAC, PIV] {
        let desk = Desk::new(profile);
        let change = |old, new| ["card", "pin", "change", "--old", old, "--new", new];
        for (old, new, what) in [
            ("12345", "654321", "old"),
            ("123456", "65432", "new"),
            ("123456", "123456789", "new"),
            ("123456", "abcdef", "new"),
        ] {
            let said = desk.refused(&change(old, new));
            assert!(said.contains(&format!("the {what} PIN is not 6 to 8 digits")), "{profile}: {said}");
        }
        assert_eq!(desk.tries_left(), 3, "no try was spent");
        let said = desk.refused(&change("000000", "654321"));
        assert!(said.contains("the old PIN is wrong; tries left: 2"), "{profile}: {said}");
        assert_eq!(desk.done(&change("123456", "65432100")), "the PIN is changed\n");
        let asked = desk.answers(&["card", "pin", "change", "--old", "-"], "65432100\n135790\n");
        assert_eq!(asked.status.code(), Some(0), "{asked:?}");
        assert!(desk.refused(&[&["card", "info"], &PIN[..]].concat()).contains("tries left: 2"));
        desk.done(&["card", "info", "--pin", "135790"]);
        assert_eq!(desk.tries_left(), 3);
    }
}

#[test]
fn a_locked_pin_says_who_can_help() {
    for (profile, help) in [(CAC, "contact the issuer"), (PIV, "`vreader card unlock`")] {
        let desk = Desk::new(profile);
        let wrong = ["card", "pin", "change", "--old", "000000", "--new", "654321"];
        assert!(desk.refused(&wrong).contains("tries left: 2"));
        assert!(desk.refused(&wrong).contains("tries left: 1"));
        let information = desk.json(&["card", "info"]);
        assert_eq!(
            information["warnings"].as_array().unwrap().last().unwrap(),
            "one more wrong PIN locks the card"
        );
        desk.refused(&wrong);
        for words in [&wrong[..], &["card", "info", "--pin", "123456"]] {
            let said = desk.refused(words);
            assert!(said.contains("the PIN is locked") && said.contains(help), "{profile}: {said}");
        }
        // A power cut is no help.
        desk.world.remove().unwrap();
        desk.world.insert().unwrap();
        assert_eq!(desk.tries_left(), 0);
        assert!(desk.done(&["card", "info"]).contains(help));
    }
}

#[test]
fn the_unlock_code_sets_a_new_pin() {
    let desk = Desk::new(PIV);
    for _ in 0..3 {
        desk.refused(&["card", "info", "--pin", "000000"]);
    }
    let unlock = |puk, new| ["card", "unlock", "--puk", puk, "--new-pin", new];
    assert!(desk.refused(&unlock("1234", "654321")).contains("the card was not asked"));
    assert!(desk.refused(&unlock("12345678", "65432")).contains("the card was not asked"));
    let said = desk.refused(&unlock("00000000", "654321"));
    assert!(said.contains("the unlock code (PUK) is wrong; tries left: 2"), "{said}");
    assert_eq!(desk.done(&unlock("12345678", "654321")), "the PIN is unlocked, and it is the new one\n");
    desk.done(&["card", "info", "--pin", "654321"]);
    for _ in 0..3 {
        desk.refused(&unlock("00000000", "123456"));
    }
    let said = desk.refused(&unlock("12345678", "123456"));
    assert!(said.contains("locked, too: contact the issuer"), "{said}");
    desk.done(&["card", "info", "--pin", "654321"]);
}

#[test]
fn a_common_access_card_has_no_unlock_code() {
    let desk = Desk::new(CAC);
    let said = desk.refused(&["card", "unlock", "--puk", "12345678", "--new-pin", "654321"]);
    assert!(said.contains("contact the issuer"), "{said}");
    desk.done(&[&["card", "info"], &PIN[..]].concat());
}

#[test]
fn copies_are_made_after_a_yes_and_replaced_by_the_next() {
    let desk = Desk::issued(CAC, "2017-06-01");
    let export = ["certs", "export", "--pem", "copies"];
    for no in ["no\n", "\n", "", "nonsense\n"] {
        let output = desk.answers(&export, no);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "no certificate was copied\n");
        let question = String::from_utf8(output.stderr).unwrap();
        assert!(
            question.contains("Make 3 certificates of this card known in copies? [yes/no]"),
            "{question}"
        );
        assert!(!desk.folder.path().join("copies").exists());
    }
    let output = desk.answers(&export, "yes\n");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "3 certificates installed in copies\n");
    let names: Vec<_> = desk.labels(&[]).iter().map(|label| format!("{label}.pem")).collect();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(desk.files("copies"), sorted);

    // Another card of the same person; what is not the card's stays as it is.
    let copies = desk.folder.path().join("copies");
    let before = fs::read(copies.join(&names[0])).unwrap();
    assert!(before.starts_with(b"-----BEGIN CERTIFICATE-----\n"));
    fs::write(copies.join("other.pem"), "somebody else's").unwrap();
    desk.swap(CAC, &card(CAC, |request| request.issued = Some("2017-07-01".parse().unwrap())));
    let installed = desk.json(&[&export[..], &["--yes"]].concat());
    assert_eq!(installed["installed"].as_array().unwrap().len(), 3);
    assert_eq!(desk.files("copies").len(), 4);
    assert_ne!(fs::read(copies.join(&names[0])).unwrap(), before);
    assert_eq!(fs::read_to_string(copies.join("other.pem")).unwrap(), "somebody else's");
}

#[test]
fn a_certificate_that_cannot_be_copied_is_named() {
    let mut card = card(CAC, |_| {});
    let containers = &mut card.cac.as_mut().unwrap().containers;
    containers.retain(|(id, _)| *id != ObjectId::ENCRYPTION);
    card.objects.retain(|(tag, _)| tag.get() != 0x5F_C10B);
    let desk = Desk::with(CAC, &card);
    assert!(
        desk.done(&["card", "certs"])
            .contains("Encryption (container 0102): the card has no such certificate")
    );
    let output = desk.answers(&["certs", "export", "--pem", "copies", "--yes"], "");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "only 3 of 4 certificates installed in copies\n");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        said,
        "vreader: not installed: Encryption (container 0102): the card has no such certificate\n"
    );

    // A folder where a copy should go.
    let taken = desk.labels(&[])[0].clone();
    fs::create_dir_all(desk.folder.path().join("taken").join(format!("{taken}.pem"))).unwrap();
    let output = desk.answers(&["certs", "export", "--pem", "taken", "--yes", "--json"], "");
    assert_eq!(output.status.code(), Some(1));
    let exported: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(exported["failed"][0]["label"], taken);
    assert!(
        exported["failed"][0]["reason"].as_str().unwrap().starts_with("cannot write taken"),
        "{exported}"
    );
}

#[test]
fn without_certutil_it_says_how_to_get_it() {
    let desk = Desk::new(PIV);
    let mut command = desk.world.command(env!("CARGO_BIN_EXE_vreader"));
    let output = command.args(["certs", "export", "--yes", "--nss"]).arg(desk.folder.path().join("db"));
    let output = output.env("PATH", desk.folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("apt-get install libnss3-tools"), "{said}");
}

#[test]
fn without_a_card_nothing_is_done() {
    let desk = Desk::new(PIV);
    for words in [&["card", "info", "--reader", "elsewhere"][..], &["card", "certs", "--reader", "elsewhere"]]
    {
        let said = desk.refused(words);
        assert!(said.contains("no reader with a card has \"elsewhere\" in its name"), "{said}");
    }
    desk.world.remove().unwrap();
    for words in [
        &["card", "info"][..],
        &["card", "pin", "change", "--old", "123456", "--new", "654321"],
        &["card", "unlock", "--puk", "12345678", "--new-pin", "654321"],
        &["certs", "export", "--pem", "copies", "--yes"],
    ] {
        let said = desk.refused(words);
        assert!(said.contains("(empty)"), "{said}");
    }
    let usage = desk.answers(&["certs", "export"], "");
    assert_eq!(usage.status.code(), Some(2));
}

#[test]
fn every_command_has_help_with_examples() {
    let desk = Desk::new(PIV);
    for words in [
        &["card", "info"][..],
        &["card", "certs"],
        &["card", "pin", "change"],
        &["card", "unlock"],
        &["certs", "export"],
    ] {
        let help = desk.done(&[words, &["--help"]].concat());
        assert!(help.contains("Examples:") && help.contains("--reader"), "{words:?}: {help}");
    }
}
