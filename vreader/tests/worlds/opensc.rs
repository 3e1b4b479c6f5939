//! OpenSC's programs, as an ordinary user starts them: `vreader run -- PROGRAM`.

use crate::vreader::{Place, require};

fn run(options: &[&str], program: &[&str]) -> String {
    require(program[0]);
    Place::new().done(&[&["run"], options, &["--"], program].concat())
}

#[test]
fn opensc_tool_lists_the_readers() {
    let said = run(&["--card", "piv", "--empty"], &["opensc-tool", "--list-readers"]);
    let lines: Vec<_> = said.lines().filter(|line| line.contains("vreader")).collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].contains("Yes") && lines[1].contains("No"), "{said}");
}

#[test]
fn pkcs11_tool_finds_nothing_wrong() {
    require("pkcs11-tool");
    let place = Place::new();
    place.done(&["card", "new", "rsa.card", "--seed", "1", "--algorithm", "rsa2048"]);
    let test = ["pkcs11-tool", "--login", "--pin", "123456", "--test"];
    let said = place.done(&[&["run", "--card", "rsa.card", "--"], &test[..]].concat());
    // OpenSC offers no random numbers of PIV cards, whatever the card does; that is the one error.
    assert!(said.contains("C_GenerateRandom failed: CKR_FUNCTION_NOT_SUPPORTED"), "{said}");
    assert!(said.lines().any(|line| line == "1 errors") && said.matches("ERR").count() == 1, "{said}");
    for key in ["PIV AUTH key", "SIGN key", "KEY MAN key", "CARD AUTH key"] {
        assert_eq!(said.matches(&format!("({key})")).count(), 3, "signed, verified, decrypted: {said}");
    }
    assert!(said.matches("OK").count() >= 35, "{said}");
}

#[test]
fn a_key_pad_asks_for_the_pin_itself() {
    let options = ["--card", "piv", "--pinpad", "123456"];
    assert!(run(&options, &["opensc-tool", "--list-readers"]).contains("PIN pad"));
    let said = run(&options, &["pkcs11-tool", "--login", "--list-objects", "--type", "privkey"]);
    assert!(said.contains("PIV AUTH key"), "{said}");
    assert!(!said.contains("Please enter"), "{said}");
}

#[test]
fn eight_programs_share_a_card() {
    require("pkcs11-tool");
    let one = "pkcs11-tool --login --pin 123456 --test > /dev/null 2>&1 || echo failed";
    let script = format!("for i in 1 2 3 4 5 6 7 8; do ({one}) & done; wait");
    assert_eq!(run(&[], &["sh", "-c", &script]), "");
}

#[test]
fn pcsc_scan_sees_readers_and_cards() {
    let said = run(&[], &["timeout", "--preserve-status", "--signal=INT", "2", "pcsc_scan", "-n"]);
    assert!(said.contains("vreader 00 00") && said.contains("Card inserted"), "{said}");
}
