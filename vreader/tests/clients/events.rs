//! Insertion and removal as SCardGetStatusChange reports them: pcsc_scan and opensc-tool wait in it.

use std::time::Duration;

use crate::{
    card::PIN,
    companion::Companion,
    pcscd,
    serve::READER,
    world::{Attachment, World},
};

/// Waits until pcsc_scan reports on a reader, and returns the event's number and the state.
fn next_event(scan: &mut Companion, reader: &str) -> (u32, String) {
    scan.hear_line(&format!("Reader 0: {reader}"));
    let number =
        scan.hear("an event number", |line| line.trim().strip_prefix("Event number: ")?.parse().ok());
    let state = scan.hear("a card state", |line| Some(line.trim().strip_prefix("Card state: ")?.to_owned()));
    (number, state)
}

/// Lets pcsc_scan see a card that is there, goes, comes back, and so on. `act` removes and inserts it.
fn pcsc_scan_sees(world: &World<impl Attachment>, reader: &str, mut act: impl FnMut(&str)) {
    let mut scan = world.companion(&["pcsc_scan", "-n"]);
    let (first, state) = next_event(&mut scan, reader);
    assert!(state.starts_with("Card inserted"), "{state}");
    scan.hear_line("ATR: 3B");
    for round in 0..3 {
        act("remove");
        let (number, state) = next_event(&mut scan, reader);
        assert!(state.starts_with("Card removed"), "round {round}: {state}");
        assert_eq!(number, first + 2 * round + 1, "one event for a removal");

        act("insert");
        let (number, state) = next_event(&mut scan, reader);
        assert!(state.starts_with("Card inserted"), "round {round}: {state}");
        assert_eq!(number, first + 2 * round + 2, "one event for an insertion");
    }
}

#[test]
fn pcsc_scan_sees_the_card_come_and_go() {
    let world = World::with_served_card(&[]);
    pcsc_scan_sees(&world, READER, |action| world.ctl(&[action]));
}

#[test]
fn pcsc_scan_sees_the_card_come_and_go_through_pcscd() {
    let (world, mut vreader) = World::with_plugged_card(&[]);
    pcsc_scan_sees(&world, pcscd::READER, |action| vreader.say(&format!("{action} 0")));
}

#[test]
fn pcsc_scan_sees_readers_come_and_go() {
    let world = World::with_served_card(&[]);
    let mut scan = world.companion(&["pcsc_scan", "-n"]);
    next_event(&mut scan, READER);
    // libpcsclite before 2.3 does not tell of a reader that comes between two calls; then another one must come.
    let seen = (1..5).any(|number| {
        world.ctl(&["add-reader", "Door", "--card", "piv"]);
        let line = format!("{number}: Door {number:02} 00");
        scan.hear_within(Duration::from_secs(10), |said| said.contains(&line).then_some(())).is_some()
    });
    assert!(seen, "it sees a new reader");
    scan.hear_line("Reader 1: Door 01 00");
    scan.hear_line("Card state: Card inserted");
    world.ctl(&["remove-reader", "vreader"]);
    let (_, state) = next_event(&mut scan, "Door 01 00");
    assert!(state.starts_with("Card inserted"), "{state}");
}

#[test]
fn a_program_that_waits_for_a_card_gets_it() {
    let world = World::with_served_card(&[]);
    world.ctl(&["remove"]);
    let mut waiting = world.companion(&["opensc-tool", "--wait", "--name"]);
    waiting.hear_line("Waiting for a card to be inserted");
    world.ctl(&["insert"]);
    waiting.hear_line("Personal Identity Verification Card");
    assert!(waiting.ends().success());
}

#[test]
fn a_program_that_holds_the_card_learns_that_it_is_gone() {
    let world = World::with_served_card(&[]);
    // It keeps the card connected while it waits for the next line. `stdbuf` lets us hear each line at once.
    let explorer = ["stdbuf", "--output=L", "opensc-explorer", "--card-driver", "default", "--mf", ""];
    let mut explorer = world.companion(&explorer);
    explorer.say("apdu 00:A4:04:00:05:A0:00:00:03:08:00");
    explorer.hear_line("SW1=0x90, SW2=0x00");
    world.ctl(&["remove"]);
    explorer.say("apdu 00:20:00:80");
    explorer.hear_line("APDU transmit failed: Card removed");
    explorer.say("quit");
    assert!(explorer.ends().success());

    world.ctl(&["insert"]);
    world.client("pkcs15-tool").args(["--verify-pin", "--auth-id", "01", "--pin", PIN]).succeeds();
}
