//! pyscard, the Python library: connections, transactions, requests and its two monitors. What it does stands in
//! `pyscard/cases.py`; each case is a program under `vreader run`.
//!
//! pyscard comes from PyPI: see [`python`].

use crate::{
    card::{CARD, PIN, VREADER},
    python,
    world::World,
};

pub(crate) const PYSCARD: &str = "pyscard==2.3.1";

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/pyscard/cases.py");

/// Runs a case in a world with a new card. `options` are more of `vreader run`.
fn passes(case: &str, options: &[&str]) {
    let world = World::with_options(&[&["--card", CARD], options].concat());
    world.new_card(CARD, &[]);
    let python = python::program(PYSCARD, "python");
    let said =
        world.client(&python).env("VREADER", VREADER).args([CASES, &format!("Cases.test_{case}")]).succeeds();
    assert!(said.contains("Ran 1 test") && said.ends_with("OK\n"), "{said}");
}

#[test]
fn readers_and_cards_are_found() {
    passes("readers_and_cards", &["--empty"]);
}

#[test]
fn attributes_and_control_codes_answer() {
    passes("attributes_and_control", &[]);
}

#[test]
fn a_key_pad_takes_the_pin() {
    passes("key_pad", &["--pinpad", PIN]);
}

#[test]
fn a_connection_leaves_the_card_as_it_is_told_to() {
    passes("dispositions", &[]);
}

#[test]
fn an_exclusive_connection_keeps_others_out() {
    passes("exclusive_connection", &[]);
}

#[test]
fn a_transaction_lets_others_wait() {
    passes("transactions", &[]);
}

#[test]
fn removal_and_reset_are_told() {
    passes("removal", &[]);
}

#[test]
fn a_request_gets_its_card_or_times_out() {
    passes("card_request", &[]);
}

#[test]
fn the_card_monitor_sees_cards_and_readers_come_and_go() {
    passes("card_monitor", &[]);
}

#[test]
fn the_reader_monitor_sees_readers_come_and_go() {
    passes("reader_monitor", &[]);
}
