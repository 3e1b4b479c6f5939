//! `--trace`, `vreader trace` and `vreader ctl trace`: what passed, in files and on the screen.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::Value;

use crate::{
    raw::Raw,
    vreader::{Place, require, text},
};

const WRONG_PIN: &str = "135791";
const WRONG_PIN_HEX: &str = "313335373931";

/// A login with a wrong PIN, recorded.
fn record(place: &Place, file: &str, options: &[&str]) {
    require("pkcs15-tool");
    let program = ["pkcs15-tool", "--verify-pin", "--auth-id", "01", "--pin", WRONG_PIN];
    let words = [&["run", "--trace", file][..], options, &["--"], &program].concat();
    let output = place.vreader(&words).output().unwrap();
    assert!(text(&output).contains("PIN code or key incorrect"), "{}", text(&output));
    place.is_clean();
}

fn show(place: &Place, words: &[&str]) -> String {
    place.done(&[&["trace", "show"], words].concat())
}

#[test]
fn a_trace_has_names_and_no_pin() {
    let place = Place::new();
    record(&place, "my.trace", &[]);
    let file = fs::read_to_string(place.file("my.trace")).unwrap();
    assert!(file.contains("0020008008****************") && !file.contains(WRONG_PIN_HEX), "{file}");
    let events: Vec<Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().zip(1..).all(|(event, number)| event["number"] == number));
    let refused = events.iter().find(|event| event["answer"] == "63C2").expect("the refusal");
    assert_eq!(refused["client"], "pkcs15-tool");
    assert_eq!(refused["meaning"], "VERIFY PIV PIN");
    assert_eq!(refused["rule"], "the reference data is verified (SP 800-73-5 part 2, 3.2.1)");

    let shown = show(&place, &["my.trace"]);
    assert_eq!(shown.lines().count(), events.len());
    let line =
        "VERIFY PIV PIN -> 63C2 (verification failed, 2 tries left); rule: the reference data is verified";
    assert!(shown.contains(line) && shown.contains("card inserted"), "{shown}");
    assert!(!shown.contains("00200080"), "{shown}");
    assert!(show(&place, &["my.trace", "--hex"]).contains("> 00 20 00 80 08 ** ** **"));
    assert_eq!(show(&place, &["my.trace", "--json"]), file);
    let exchanges = show(&place, &["my.trace", "--exchanges"]);
    assert!(
        exchanges.contains("GET DATA Card Holder Unique Identifier -> 9000 (success), with data"),
        "{exchanges}"
    );
    assert!(!exchanges.contains("GET RESPONSE"), "{exchanges}");
}

#[test]
fn a_trace_has_the_pin_if_it_is_to() {
    let place = Place::new();
    record(&place, "open.trace", &["--trace-secrets"]);
    assert!(fs::read_to_string(place.file("open.trace")).unwrap().contains(WRONG_PIN_HEX));
}

#[test]
fn runs_are_compared_by_meaning() {
    let place = Place::new();
    record(&place, "one.trace", &["--seed", "1"]);
    record(&place, "two.trace", &["--seed", "2", "--reader", "Another"]);
    let same = place.done(&["trace", "diff", "one.trace", "two.trace"]);
    assert!(same.starts_with("both mean the same: "), "{same}");
    let other = [
        "run",
        "--trace",
        "right.trace",
        "--",
        "pkcs15-tool",
        "--verify-pin",
        "--auth-id",
        "01",
        "--pin",
        "123456",
    ];
    assert!(place.vreader(&other).output().unwrap().status.success());
    let differ = |words: &[&str]| {
        let words = [&["trace", "diff", "one.trace", "right.trace"], words].concat();
        let output = place.vreader(&words).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        text(&output)
    };
    let said = differ(&[]);
    assert!(
        said.contains("\n- VERIFY PIV PIN -> 63C2") && said.contains("\n+ VERIFY PIV PIN -> 9000"),
        "{said}"
    );
    assert!(said.contains("lines the same"), "{said}");
    let lines: Vec<Value> = serde_json::from_str(&differ(&["--json"])).unwrap();
    let only = |side: &str| lines.iter().filter(|line| line["in"] == side).count();
    assert_eq!((only("first"), only("second")), (1, 1));
}

#[test]
fn what_is_no_trace_is_told() {
    let place = Place::new();
    fs::write(place.file("empty"), "").unwrap();
    fs::write(place.file("other"), "hello\n").unwrap();
    for (words, said) in [
        (["trace", "show", "none"], "cannot read the trace none"),
        (["trace", "show", "other"], "line 1 of other is no event"),
    ] {
        let found = place.fails(2, &mut place.vreader(&words));
        assert!(found.contains(said), "{found}");
    }
    let found = place.fails(2, &mut place.vreader(&["trace", "diff", "empty", "other"]));
    assert!(found.contains("line 1 of other"), "{found}");
    let nowhere = ["run", "--trace", "none/my.trace", "--", "true"];
    let found = place.fails(2, &mut place.vreader(&nowhere));
    assert!(found.contains("cannot write the trace none/my.trace"), "{found}");
}

#[test]
fn a_world_shows_what_happens_in_it() {
    let place = Place::new();
    let serving = place.serve(&[]);
    let mut raw = Raw::new(&serving.socket, 4);
    raw.handle("vreader 00 00");
    let shown = serving.ctl(&["trace"]);
    let own_name = fs::read_to_string("/proc/self/comm").unwrap();
    let own = format!("{}[{}]  connected", own_name.trim(), std::process::id());
    assert!(shown.ends_with(&(own + "\n")), "{shown}");

    let mut following = place
        .vreader(&["ctl", "trace", "--follow", "--json"])
        .env("PCSCLITE_CSOCK_NAME", &serving.socket)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut until = |wanted: &str| {
        let mut parsed = lines.by_ref().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        parsed.find(|event| event["event"] == wanted).unwrap_or_else(|| panic!("{wanted} is missing"))
    };
    until("connected");
    serving.ctl(&["remove"]);
    let removed = until("removed");
    serving.ctl(&["insert"]);
    assert!(until("inserted")["number"].as_u64() > removed["number"].as_u64());
    serving.ctl(&["stop"]);
    assert!(following.wait().unwrap().success(), "it ends with the world");
}
