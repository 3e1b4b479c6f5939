//! Rows 51 and 52: a card is replaced for some days, or for ever.

use serde_json::json;

use super::{
    issued::{
        PIN, RETIRED_KEY, credentials, is_accepted, is_readable, is_refused, office, register, server,
        write_to,
    },
    office::Office,
};
use crate::card::CARD;

/// A replacement for card 1 in the file `new.card`, number 2, issued; the reader has it then.
fn replace(office: Office, reason: &str) -> Office {
    office.cms(&["request", "replacement", "1", "--reason", reason]).succeeds();
    assert_eq!(office.state("1"), "INVALID");
    let office = office.with_card("new.card");
    register(&office, "new.card");
    office.cms(&["assign", "2", "--replaces", "1"]).succeeds();
    office.desk(&["issue", "--pin", PIN]).succeeds();
    office
}

#[test]
fn row_51_a_card_that_was_forgotten_comes_back() {
    let office = office("p256");
    is_accepted(&office, &server(&office));
    let office = replace(office, "forgotten");
    assert_eq!((office.state("1"), credentials(&office, "1")), ("INVALID".into(), vec!["ON HOLD".into()]));
    assert_eq!(office.json(&["show", "2"])["temporary"], json!(true));
    let mut meanwhile = server(&office);
    is_accepted(&office, &meanwhile);
    let office = office.with_card(CARD);
    is_refused(&office, &mut meanwhile);
    drop(meanwhile);

    office.cms(&["terminate", "2"]).succeeds();
    assert_eq!((office.state("1"), credentials(&office, "1")), ("ISSUED".into(), vec!["ISSUED".into()]));
    let mut afterwards = server(&office);
    is_accepted(&office, &afterwards);
    office.agrees(PIN);
    let office = office.with_card("new.card");
    is_refused(&office, &mut afterwards);
}

#[test]
fn row_51_a_replacement_that_is_cancelled_gives_the_card_back() {
    let office = office("p256");
    let request = office.json(&["request", "replacement", "1", "--reason", "forgotten"]);
    assert_eq!(credentials(&office, "1"), ["ON HOLD"]);
    is_refused(&office, &mut server(&office));
    office.cms(&["cancel", &request["id"].to_string()]).succeeds();
    assert_eq!((office.state("1"), credentials(&office, "1")), ("ISSUED".into(), vec!["ISSUED".into()]));
    is_accepted(&office, &server(&office));
}

#[test]
fn row_52_the_replacement_of_a_stolen_card_reads_old_mail() {
    for algorithm in ["rsa2048", "p256"] {
        let office = office(algorithm);
        write_to(&office, "old.p7m");
        let office = replace(office, "stolen");
        assert_eq!(office.state("1"), "TERMINATED");
        assert_eq!(credentials(&office, "1"), ["REVOKED"]);
        assert_eq!((office.state("2"), office.listed().len()), ("ISSUED".into(), 5));
        is_readable(&office, "old.p7m", RETIRED_KEY);
        office.agrees(PIN);
        let mut server = server(&office);
        is_accepted(&office, &server);
        let office = office.with_card(CARD);
        is_refused(&office, &mut server);
    }
}
