//! `vreader serve` and `vreader ctl`: a world that stays, and its cards on the move.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    raw::{REMOVED_CARD, RESET_CARD, Raw, SUCCESS},
    vreader::{Place, Serving, text},
};

fn readers(serving: &Serving<'_>) -> Value {
    serde_json::from_str(&serving.ctl(&["list", "--json"])).unwrap()
}

fn slots(serving: &Serving<'_>) -> Vec<(String, String)> {
    let string = |value: &Value| value.as_str().unwrap().to_owned();
    readers(serving)
        .as_array()
        .unwrap()
        .iter()
        .map(|reader| (string(&reader["name"]), string(&reader["slot"])))
        .collect()
}

#[test]
fn cards_come_and_go_and_programs_see_it_when_ctl_returns() {
    let place = Place::new();
    let serving = place.serve(&[]);
    let mut raw = Raw::new(&serving.socket, 4);
    let handle = raw.handle("vreader 00 00");
    assert_eq!(serving.ctl(&["list"]), "0  vreader 00 00: card, 1 handle\n");
    assert_eq!(serving.ctl(&["remove"]), "");
    assert_eq!(raw.status(handle), REMOVED_CARD);
    assert_eq!(serving.ctl(&["list"]), "0  vreader 00 00: empty, its card was taken out, 1 handle\n");
    assert!(serving.refuses(&["remove"]).contains("no card in \"vreader 00 00\""));
    serving.ctl(&["insert"]);
    assert!(serving.refuses(&["insert"]).contains("a card in \"vreader 00 00\" already"));
    let mut other = Raw::new(&serving.socket, 4);
    let handle = other.handle("vreader 00 00");
    assert_eq!(other.status(handle), SUCCESS);
    serving.ctl(&["reset"]);
    assert_eq!(other.status(handle), RESET_CARD);
    assert_eq!(readers(&serving)[0]["events"], 2);
    assert_eq!(serving.end_by("TERM"), Some(0));
    place.is_clean();
}

#[test]
fn cards_are_turned_over() {
    let place = Place::new();
    let serving = place.serve(&["--contactless"]);
    let mut raw = Raw::new(&serving.socket, 4);
    let handle = raw.handle("vreader 00 00");
    assert_eq!(serving.ctl(&["list"]), "0  vreader 00 00: card, contactless, 1 handle\n");
    assert_eq!(readers(&serving)[0]["interface"], "contactless");
    assert_eq!(serving.ctl(&["interface", "contactless"]), "");
    assert_eq!(raw.status(handle), SUCCESS, "it is there already");
    assert_eq!(serving.ctl(&["interface", "contact", "0"]), "");
    assert_eq!(raw.status(handle), REMOVED_CARD);
    assert_eq!(readers(&serving)[0]["interface"], "contact");
    assert!(serving.refuses(&["interface", "contact", "Gate"]).contains("no reader \"Gate\""));
    serving.ctl(&["add-reader", "Gate", "--card", "piv", "--contactless"]);
    assert_eq!(readers(&serving)[1]["interface"], "contactless");
    assert_eq!(serving.end_by("TERM"), Some(0));
    place.is_clean();
}

#[test]
fn a_touch_that_no_card_waits_for_is_refused_with_the_reason() {
    let place = Place::new();
    let serving = place.serve(&["--card", "yubikey5", "--card", "piv", "--touch", "wait"]);
    assert!(
        serving.refuses(&["touch", "Yubi"]).contains("one that comes before the question does not count")
    );
    assert!(serving.refuses(&["touch", "1"]).contains("no sensor to touch; a YubiKey"));
    assert_eq!(readers(&serving)[0]["waits_for_touch"], false);
    serving.ctl(&["remove", "1"]);
    assert!(serving.refuses(&["touch", "1"]).contains("no card in \"vreader 01 00\""));
    let serving = place.serve(&["--card", "yubikey5", "--touch", "never=0.5"]);
    assert!(serving.refuses(&["touch", "--wait", "60"]).contains("start the world with --touch wait"));
    let mut command = place.vreader(&["run", "--touch", "sometimes", "--", "true"]);
    assert!(text(&command.output().unwrap()).contains("choose auto, wait or never"));
}

#[test]
fn card_files_are_found_from_where_ctl_is_called_and_locked_while_they_are_in() {
    let place = Place::new();
    for (name, seed) in [("a.card", "1"), ("b.card", "2")] {
        place.done(&["card", "new", name, "--seed", seed]);
    }
    let serving = place.serve(&["--empty"]);
    assert!(serving.refuses(&["insert"]).contains("say which card"));
    serving.ctl(&["insert", "--card", "a.card"]);
    assert!(place.file("a.card.lock").exists());
    serving.ctl(&["swap", "--card", "b.card"]);
    assert!(!place.file("a.card.lock").exists() && place.file("b.card.lock").exists());
    assert!(serving.refuses(&["swap", "--card", "b.card"]).contains("in use"));
    assert!(serving.refuses(&["swap", "--card", "c.card"]).contains("c.card"));
    assert_eq!(slots(&serving), [("vreader 00 00".to_owned(), "card".to_owned())]);
    serving.ctl(&["remove"]);
    assert!(place.file("b.card.lock").exists(), "a card that was taken out can be put back");
    serving.ctl(&["insert", "--card", "a.card"]);
    assert!(!place.file("b.card.lock").exists());
    // A stock that a file describes, too.
    std::fs::write(place.file("agency.toml"), "name = \"agency\"\nlike = \"piv\"\nlabel = \"Agency\"\n")
        .unwrap();
    serving.ctl(&["swap", "--card", "agency.toml"]);
    assert!(!place.file("a.card.lock").exists());
    assert_eq!(slots(&serving), [("vreader 00 00".to_owned(), "card".to_owned())]);
    std::fs::write(place.file("agency.toml"), "name = \"agency\"\n").unwrap();
    assert!(serving.refuses(&["swap", "--card", "agency.toml"]).contains("missing field `like`"));
    serving.ctl(&["stop"]);
    let mut serving = serving;
    assert!(serving.child.wait().unwrap().success());
    assert!(!place.file("a.card.lock").exists());
    place.is_clean();
}

#[test]
fn readers_are_plugged_in_and_out() {
    let place = Place::new();
    let serving = place.serve(&["--empty", "--reader", "Desk"]);
    serving.ctl(&["add-reader", "Door", "--card", "piv"]);
    serving.ctl(&["add-reader"]);
    let name = |name: &str, slot: &str| (name.to_owned(), slot.to_owned());
    assert_eq!(
        slots(&serving),
        [name("Desk 00 00", "empty"), name("Door 01 00", "card"), name("vreader 02 00", "empty")]
    );
    assert!(serving.refuses(&["remove"]).contains("say which reader"));
    assert!(serving.refuses(&["remove", "Gate"]).contains("no reader \"Gate\""));
    serving.ctl(&["remove", "Door"]);
    serving.ctl(&["remove-reader", "0"]);
    assert_eq!(slots(&serving), [name("Door 01 00", "taken_out"), name("vreader 02 00", "empty")]);
    serving.ctl(&["remove-reader", "Door 01 00"]);
    serving.ctl(&["remove-reader"]);
    assert!(serving.ctl(&["list"]).contains("add-reader"));
}

#[test]
fn the_world_of_a_program_can_be_controlled_but_not_stopped() {
    let place = Place::new();
    let ctl = env!("CARGO_BIN_EXE_vreader");
    let script =
        format!("{ctl} ctl remove && {ctl} ctl list && {ctl} ctl insert && {ctl} ctl list && {ctl} ctl stop");
    let output = place.vreader(&["run", "--", "sh", "-c", &script]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output);
    assert!(
        said.contains("taken out\n0  vreader 00 00: card\n") && said.contains("ends with its program"),
        "{said}"
    );
    place.is_clean();
}

#[test]
fn without_a_world_ctl_says_how_to_get_one() {
    let place = Place::new();
    let said = place.fails(1, &mut place.vreader(&["ctl", "list"]));
    assert!(said.contains("PCSCLITE_CSOCK_NAME") && said.contains("vreader serve"), "{said}");
    let said = place.fails(1, &mut place.vreader(&["ctl", "list", "--socket", "/nowhere/pcscd.comm"]));
    assert!(said.contains("no world listens at /nowhere/control"), "{said}");
}

#[test]
fn a_shell_starts_and_ends_a_world_as_the_help_says() {
    let place = Place::new();
    let vreader = env!("CARGO_BIN_EXE_vreader");
    let script = format!(
        "eval \"$({vreader} serve --empty &)\"; {vreader} ctl list; {vreader} ctl stop; \
         while test -e \"$PCSCLITE_CSOCK_NAME\"; do sleep 0.01; done"
    );
    let mut shell = Command::new("sh");
    place.set_up(&mut shell);
    assert_eq!(text(&shell.args(["-c", &script]).output().unwrap()), "0  vreader 00 00: empty\n");
}

#[test]
fn the_control_socket_withstands_nonsense() {
    let place = Place::new();
    let serving = place.serve(&["--empty"]);
    let control = serving.socket.with_file_name("control");
    let mut stream = UnixStream::connect(&control).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    for nonsense in ["", "{}", "[]", "\"list\"", r#"{"do":"list","more":1}"#, r#"{"do":"fly"}"#, "\u{0}"] {
        writeln!(stream, "{nonsense}").unwrap();
        let answer: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert!(answer["refused"].as_str().unwrap().contains("no order"), "{nonsense}: {answer}");
    }
    writeln!(stream, "{}", json!({"do": "list"})).unwrap();
    let answer: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(answer["done"][0]["name"], "vreader 00 00");
    // A line without an end, and bytes that are no text.
    for bytes in [vec![b'x'; 100_000], vec![0xFF, b'\n']] {
        let mut stream = UnixStream::connect(&control).unwrap();
        // The server may close before it has read everything.
        let _ = stream.write_all(&bytes);
        assert!(matches!(BufReader::new(stream).lines().next(), None | Some(Err(_))));
    }
    assert_eq!(slots(&serving).len(), 1);
}

#[test]
fn every_signal_that_ends_a_world_removes_its_folder() {
    let place = Place::new();
    for signal in ["TERM", "INT", "HUP"] {
        let serving = place.serve(&["--empty"]);
        // Somebody is connected, and in the middle of something.
        let mut raw = Raw::new(&serving.socket, 4);
        raw.establish();
        raw.send(0x13, &[]);
        raw.receive(16 * 184);
        assert_eq!(serving.end_by(signal), Some(0), "{signal}");
        place.is_clean();
    }
}
