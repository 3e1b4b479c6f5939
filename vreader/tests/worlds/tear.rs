//! `vreader ctl tear`: the next write loses power, and programs, card files and killed worlds come through it.

use std::process::{Command, Output};

use crate::vreader::{Place, Serving, require, text};

const CARD: &str = "my.card";

/// A world with a card in a file.
fn serve(place: &Place) -> Serving<'_> {
    place.done(&["card", "new", CARD, "--seed", "1"]);
    place.serve(&["--card", CARD])
}

/// OpenSC's login, and all it said.
fn login(place: &Place, serving: &Serving<'_>, pin: &str) -> Output {
    require("pkcs11-tool");
    let mut command = Command::new("pkcs11-tool");
    place.set_up(&mut command);
    command.env("PCSCLITE_CSOCK_NAME", &serving.socket);
    command.args(["--login", "--pin", pin, "--list-objects", "--type", "privkey"]).output().unwrap()
}

fn tries_left(place: &Place) -> u64 {
    // Shown beside the world that uses it.
    let shown = place.vreader(&["card", "show", CARD, "--json"]).output().unwrap();
    assert!(shown.status.success(), "{}", text(&shown));
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["problems"].as_array().map(Vec::len), Some(0));
    shown["pin"]["tries_left"].as_u64().unwrap()
}

#[test]
fn a_program_gets_an_error_and_works_when_it_tries_again() {
    let place = Place::new();
    let serving = serve(&place);
    assert_eq!(serving.ctl(&["tear"]), "");
    let torn = login(&place, &serving, "000000");
    assert!(!torn.status.success() && !text(&torn).contains("CKR_PIN_INCORRECT"), "{}", text(&torn));
    assert_eq!(serving.ctl(&["list"]), "0  vreader 00 00: card\n");
    assert!(serving.ctl(&["trace"]).contains("VERIFY PIV PIN -> no answer\n"));
    assert!(serving.ctl(&["trace"]).contains("card lost its power in the middle of a write\n"));
    let left = tries_left(&place);
    assert!(left == 3 || left == 2, "{left}");
    let works = login(&place, &serving, "123456");
    assert!(works.status.success() && text(&works).contains("PIV AUTH key"), "{}", text(&works));
    assert_eq!(tries_left(&place), 3);
}

#[test]
fn every_kind_and_place_costs_at_most_the_one_try() {
    let place = Place::new();
    let serving = serve(&place);
    for kind in ["torn", "half", "clean"] {
        for after in ["0", "1"] {
            serving.ctl(&["tear", "vreader", "--after", after, "--kind", kind]);
            let torn = login(&place, &serving, "000000");
            assert!(!torn.status.success(), "{kind} {after}: {}", text(&torn));
            let left = tries_left(&place);
            assert!(left == 3 || left == 2, "{kind} {after}: {left}");
            assert!(login(&place, &serving, "123456").status.success());
        }
    }
}

#[test]
fn a_world_that_is_killed_with_a_torn_card_leaves_one_that_opens() {
    let place = Place::new();
    let serving = serve(&place);
    serving.ctl(&["tear"]);
    assert!(!login(&place, &serving, "000000").status.success());
    assert_eq!(serving.end_by("KILL"), None);
    let left = tries_left(&place);
    assert!(left == 3 || left == 2, "{left}");
    let serving = place.serve(&["--card", CARD]);
    assert!(login(&place, &serving, "123456").status.success());
    assert_eq!(tries_left(&place), 3);
}

#[test]
fn what_cannot_be_torn_is_refused_with_a_sentence() {
    let place = Place::new();
    let serving = place.serve(&["--card", "piv", "--empty"]);
    for (words, said) in [
        (&["tear", "Gate"][..], "there is no reader \"Gate\""),
        (&["tear", "1"], "there is no card in \"vreader 01 00\""),
        (&["tear"], "say which reader: 0 \"vreader 00 00\", 1 \"vreader 01 00\""),
    ] {
        let found = serving.refuses(words);
        assert!(found.contains(said), "{found}");
    }
    for wrong in [["--kind", "gently"], ["--after", "-1"], ["--after", "many"]] {
        let output = place.vreader(&[&["ctl", "tear", "0"][..], &wrong].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", text(&output));
    }
    assert!(text(&place.vreader(&["ctl", "tear", "--help"]).output().unwrap()).contains("Example"));
}
