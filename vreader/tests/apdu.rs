//! `vreader apdu` as a person uses it: card files, readers of a world, secure messaging, fingers, what it refuses.

#[path = "worlds/vreader.rs"]
#[expect(dead_code, reason = "another test program needs more of it")]
mod vreader;

use std::{
    io::Write,
    process::{Output, Stdio},
};

use serde_json::Value;

use crate::vreader::{Place, text};

const SELECT: &str = "00 A4 04 00 05 A0 00 00 03 08 00";
const CHUID: &str = "00CB3FFF055C035FC10200";
const PRINTED: &str = "00CB3FFF055C035FC10900";
const PIN: &str = "0020008008313233343536FFFF";

fn apdu(place: &Place, words: &[&str]) -> Output {
    place.vreader(&[&["apdu"], words].concat()).stdin(Stdio::null()).output().expect("vreader runs")
}

fn said(output: &Output, status: i32) -> String {
    let said = text(output);
    assert_eq!(output.status.code(), Some(status), "{said}");
    said
}

/// The status words of the answers.
fn statuses(place: &Place, words: &[&str], status: i32) -> Vec<String> {
    let output = apdu(place, &[&["--json"], words].concat());
    said(&output, status);
    let exchanges: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    exchanges.iter().map(|exchange| exchange["status"].as_str().unwrap().to_owned()).collect()
}

/// What `vreader card new` with `--json` tells.
fn new_card(place: &Place, words: &[&str]) -> Value {
    let output = place.vreader(&[&["card", "new", "--json"], words].concat()).output().expect("vreader runs");
    said(&output, 0);
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_card_file_answers_in_words_and_pins_are_not_shown() {
    let place = Place::new();
    place.done(&["card", "new", "my.card", "--seed", "5"]);
    let shown = said(&apdu(&place, &["--card", "my.card", SELECT, CHUID, PIN, PRINTED]), 0);
    assert!(shown.contains("> 0020008008****************\n  VERIFY PIV PIN\n< 9000 (success)\n"), "{shown}");
    assert!(shown.contains("GET DATA Card Holder Unique Identifier\n< 53"), "{shown}");
    assert!(!shown.contains("bytes left"), "long answers are fetched: {shown}");

    // What a command changes is changed in the file.
    assert_eq!(statuses(&place, &["--card", "my.card", "0020008008393939393939FFFF"], 1), ["63C2"]);
    assert_eq!(statuses(&place, &["--card", "my.card", "00200080"], 1), ["63C2"]);
    assert_eq!(statuses(&place, &["--card", "my.card", "--raw", CHUID], 1), ["6100"]);
}

#[test]
fn commands_come_from_standard_input_too() {
    let place = Place::new();
    let mut child = place
        .vreader(&["apdu", "--card", "piv", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = format!("# select, then ask\n{SELECT}   # PIV\n\n00 20 00 80\n");
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "63C3 is not 9000");
    let exchanges: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(exchanges[0]["meaning"], "SELECT PIV");
    assert_eq!(exchanges[1]["status_text"], "63C3 (verification failed, 3 tries left)");
}

#[test]
fn secure_messaging_through_contacts_and_antenna() {
    let place = Place::new();
    for suite in ["cs2", "cs7"] {
        let ca = format!("ca-{suite}");
        let made = new_card(&place, &[suite, "--sm", suite, "--vci", "pairing", "--export-ca", &ca]);
        let code = made["pairing_code"].as_str().unwrap();
        let through = |options: &[&str], status: i32| {
            let words =
                [&["--card", suite, "--sm"], options, &["--authority", &format!("{ca}/issuing-ca.pem")]];
            statuses(&place, &[&words.concat()[..], &[CHUID, PIN, PRINTED]].concat(), status)
        };
        assert_eq!(through(&[], 0), ["9000", "9000", "9000"]);
        assert_eq!(through(&["--contactless"], 1), ["9000", "6982", "6982"]);
        assert_eq!(through(&["--contactless", "--pairing-code", code], 0), ["9000", "9000", "9000"]);
    }
    let refused =
        said(&apdu(&place, &["--card", "cs2", "--sm", "--authority", "ca-cs7/issuing-ca.pem", CHUID]), 2);
    assert!(refused.contains("none of the trusted authorities"), "{refused}");
    let refused = said(&apdu(&place, &["--card", "cs2", "--sm", "--pairing-code", "00000000", CHUID]), 2);
    assert!(refused.contains("the pairing code was answered with 6300"), "{refused}");
    let refused = said(&apdu(&place, &["--card", "cs2", "--sm", "--authority", "cs7", CHUID]), 2);
    assert!(refused.contains("no certificate in PEM"), "{refused}");
}

#[test]
fn fingers_open_a_card_that_compares_them() {
    let place = Place::new();
    let made = new_card(&place, &["occ.card", "--occ", "--sm", "cs2"]);
    let finger = |number: usize, which: &str| {
        let minutiae = made["fingers"][number].as_str().unwrap();
        format!("002000{which}{:02X}{minutiae}", minutiae.len() / 2)
    };
    let (primary, secondary) = (finger(0, "96"), finger(1, "97"));
    assert_eq!(statuses(&place, &["--card", "occ.card", &primary, PRINTED], 0), ["9000", "9000"]);
    assert_eq!(statuses(&place, &["--card", "occ.card", &secondary, PRINTED], 0), ["9000", "9000"]);
    assert_eq!(statuses(&place, &["--card", "occ.card", &finger(1, "96")], 1), ["63C2"]);
    let shown = place.done(&["card", "show", "occ.card"]);
    assert!(
        shown.contains("Primary finger   2 of 3 tries left\nSecondary finger 3 of 3 tries left"),
        "{shown}"
    );
    let antenna = ["--card", "occ.card", "--contactless"];
    assert_eq!(statuses(&place, &[&antenna[..], &[&primary]].concat(), 1), ["6982"]);
    assert_eq!(statuses(&place, &[&antenna[..], &["--sm", &primary]].concat(), 0), ["9000"]);
}

#[test]
fn a_reader_is_found_by_a_part_of_its_name() {
    let place = Place::new();
    let serving = place.serve(&["--empty", "--card", "piv", "--reader", "Desk", "--reader", "Door"]);
    let socket = serving.socket.to_str().unwrap();
    assert_eq!(statuses(&place, &["--socket", socket, SELECT], 0), ["9000"], "the first that has a card");
    assert_eq!(
        statuses(&place, &["--socket", socket, "--reader", "Desk", SELECT, CHUID], 0),
        ["9000", "9000"]
    );
    let refused = said(&apdu(&place, &["--socket", socket, "--reader", "Door", SELECT]), 2);
    assert!(
        refused.contains("\"Door\" in its name; there is \"Desk 00 00\", \"Door 01 00\" (empty)"),
        "{refused}"
    );
}

#[test]
fn what_cannot_be_sent_is_said() {
    let place = Place::new();
    for (words, expected) in [
        (&["--card", "piv", "00A4040"][..], "write a command as pairs"),
        (&["--card", "none.card", "00"], "none.card"),
        (&["--card", "piv", "--sm", CHUID], "vreader card new --sm cs2"),
        (&["--card", "piv", "--reader", "x", CHUID], "cannot be used with"),
        (&["--contactless", CHUID], "--card"),
        (&["--socket", "/nonexistent", CHUID], "no PC/SC service listens at /nonexistent"),
        (&["--card", "piv", "--pairing-code", "12345678", CHUID], "--sm"),
    ] {
        let refused = said(&apdu(&place, words), 2);
        assert!(refused.contains(expected), "{words:?}: {refused}");
    }
}
