//! `vreader card check` as a person uses it.

use std::{
    fs,
    process::{Command, Output},
};

use tempfile::TempDir;

fn vreader(folder: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vreader"))
        .current_dir(folder.path())
        .args(arguments)
        .env_remove("PCSCLITE_CSOCK_NAME")
        .output()
        .expect("vreader starts")
}

/// Runs a command line that must exit with `status`; gives what it printed.
fn exits(folder: &TempDir, status: i32, arguments: &[&str]) -> String {
    let output = vreader(folder, arguments);
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("UTF-8");
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {text}");
    text
}

/// A folder with a new card, `my.card`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = ["--seed", "4", "--sm", "cs7", "--vci", "open", "--algorithm", "p384"];
    exits(&folder, 0, &[&["card", "new", "my.card"], &options[..]].concat());
    folder
}

/// The reader of `vreader run`.
const READER: &str = "vreader 00 00";

const DAY: [&str; 2] = ["--now", "2026-11-23"];

#[test]
fn a_card_file_is_checked_and_stays_as_it_is() {
    let folder = folder();
    let before = fs::read(folder.path().join("my.card")).unwrap();
    let text = exits(&folder, 0, &["card", "check", "my.card", DAY[0], DAY[1]]);
    assert!(text.contains(" passed, 0 failed, "), "{text}");
    assert!(text.contains("not applicable: a heading of the list"), "{text}");
    assert_eq!(fs::read(folder.path().join("my.card")).unwrap(), before);
    // No lock file or anything else beside it.
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1 + usize::from(folder.path().join("my.card.lock").exists())
    );
}

#[test]
fn every_row_is_printed_when_asked_for() {
    let folder = folder();
    let text = exits(&folder, 0, &["card", "check", "my.card", "--all", DAY[0], DAY[1]]);
    let rows = |word: &str| text.lines().filter(|line| line.starts_with(word)).count();
    let report: serde_json::Value =
        serde_json::from_str(&exits(&folder, 0, &["card", "check", "my.card", "--json", DAY[0], DAY[1]]))
            .unwrap();
    assert_eq!(report["counts"]["passed"], rows("passed"));
    assert_eq!(report["counts"]["not_applicable"], rows("n/a"));
    assert_eq!(report["date"], "2026-11-23");
    let rows = report["rows"].as_array().unwrap();
    let of = |part: &str| rows.iter().filter(|row| row["part"] == part).count();
    assert_eq!((of("SP 800-85B"), of("FIPS 201-3")), (489, 9));
    assert!(of("SP 800-85A-4") > 40);
    let row = rows.iter().find(|row| row["id"] == "8.1.1").unwrap();
    assert_eq!((&row["outcome"], &row["about"]), (&"passed".into(), &"Card Capability Container".into()));
}

#[test]
fn failures_come_first_and_exit_with_1() {
    let folder = folder();
    let text =
        exits(&folder, 1, &["card", "check", "my.card", "--now", "2041-01-01", "--junit", "report.xml"]);
    assert!(text.starts_with("FAILED  SP 800-85B 8.2.4  Card Holder Unique Identifier\n"), "{text}");
    assert!(text.contains("found     2031-12-31"), "{text}");
    let junit = fs::read_to_string(folder.path().join("report.xml")).unwrap();
    assert!(junit.contains("failures=\"6\""), "{junit}");
    assert_eq!(junit.matches("<failure ").count(), 6);
    assert_eq!(
        junit.matches("<testcase ").count(),
        junit.matches("/>\n").count() + junit.matches("</testcase>\n").count()
    );
}

#[test]
fn what_cannot_be_checked_exits_with_2() {
    let folder = folder();
    assert!(exits(&folder, 2, &["card", "check", "no.card"]).contains("there is no card file"));
    fs::write(folder.path().join("text"), "no card").unwrap();
    exits(&folder, 2, &["card", "check", "text"]);
    let text = exits(&folder, 2, &["card", "check", "my.card", "--pin", "000000"]);
    assert!(text.contains("the PIN was answered with 63C2"), "{text}");
    assert!(
        exits(&folder, 2, &["card", "check", "my.card", "--authority", "text"])
            .contains("neither a certificate")
    );
    exits(&folder, 2, &["card", "check"]);
    exits(&folder, 2, &["card", "check", "my.card", "--destructive"]);
}

#[test]
fn the_help_has_an_example() {
    let folder = tempfile::tempdir().unwrap();
    let text = exits(&folder, 0, &["card", "check", "--help"]);
    assert!(text.contains("vreader card check my.card\n"), "{text}");
}

#[test]
fn a_card_in_a_world_is_checked_through_its_reader() {
    let folder = folder();
    let program = env!("CARGO_BIN_EXE_vreader");
    let check = ["card", "check", "--reader", READER, "--pin", "123456", DAY[0], DAY[1]];
    let text = exits(&folder, 0, &[&["run", "--card", "my.card", "--", program], &check[..]].concat());
    assert!(text.contains(" passed, 0 failed, "), "{text}");
    let wrong = ["card", "check", "--reader", "Nobody's Reader"];
    exits(&folder, 2, &[&["run", "--card", "my.card", "--", program], &wrong[..]].concat());
}

/// The issuing authority of a card, as `vreader card new --export-ca` writes it.
#[test]
fn authorities_are_certificates_or_keys() {
    let folder = tempfile::tempdir().unwrap();
    exits(&folder, 0, &["card", "new", "my.card", "--seed", "4", "--export-ca", "pki"]);
    let check = |authority: &str, status| {
        exits(&folder, status, &["card", "check", "my.card", "--authority", authority, DAY[0], DAY[1]])
    };
    assert!(!check("pki/issuing-ca.pem", 0).contains("no authority was given"));
    assert!(check("pki/root-ca.pem", 1).contains("FAILED  FIPS 201-3 9A.2"));
}
