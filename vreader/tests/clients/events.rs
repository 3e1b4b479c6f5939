//! Insertion and removal as SCardGetStatusChange reports them: pcsc_scan and opensc-tool wait in it.

use crate::card::PIN;
use crate::world::{Companion, World};

/// Waits until pcsc_scan reports on a reader, and returns the event's number and the state.
fn next_event(scan: &mut Companion, reader: &str) -> (u32, String) {
    scan.hear_line(&format!("Reader 0: {reader}"));
    let number =
        scan.hear("an event number", |line| line.trim().strip_prefix("Event number: ")?.parse().ok());
    let state = scan.hear("a card state", |line| Some(line.trim().strip_prefix("Card state: ")?.to_owned()));
    (number, state)
}

#[test]
fn pcsc_scan_sees_the_card_come_and_go() {
    let (world, mut vreader) = World::with_card(&[]);
    let mut scan = world.companion(&["pcsc_scan", "-n"]);
    let reader = "Virtual PCD 00 00";
    let (first, state) = next_event(&mut scan, reader);
    assert!(state.starts_with("Card inserted"), "{state}");
    scan.hear_line("ATR: 3B");

    for round in 0..3 {
        vreader.say("remove 0");
        let (number, state) = next_event(&mut scan, reader);
        assert!(state.starts_with("Card removed"), "round {round}: {state}");
        assert_eq!(number, first + 2 * round + 1, "one event for a removal");

        vreader.say("insert 0");
        let (number, state) = next_event(&mut scan, reader);
        assert!(state.starts_with("Card inserted"), "round {round}: {state}");
        assert_eq!(number, first + 2 * round + 2, "one event for an insertion");
    }
}

#[test]
fn a_program_that_waits_for_a_card_gets_it() {
    let (world, mut vreader) = World::with_card(&[]);
    vreader.say("remove 0");
    world.wait_for_card(0, false);
    let mut waiting = world.companion(&["opensc-tool", "--wait", "--name"]);
    waiting.hear_line("Waiting for a card to be inserted");
    vreader.say("insert 0");
    waiting.hear_line("Personal Identity Verification Card");
    assert!(waiting.ends().success());
}

#[test]
fn a_program_that_holds_the_card_learns_that_it_is_gone() {
    let (world, mut vreader) = World::with_card(&[]);
    // It keeps the card connected while it waits for the next line. `stdbuf` lets us hear each line at once.
    let explorer = ["stdbuf", "--output=L", "opensc-explorer", "--card-driver", "default", "--mf", ""];
    let mut explorer = world.companion(&explorer);
    explorer.say("apdu 00:A4:04:00:05:A0:00:00:03:08:00");
    explorer.hear_line("SW1=0x90, SW2=0x00");
    vreader.say("remove 0");
    world.wait_for_card(0, false);
    explorer.say("apdu 00:20:00:80");
    explorer.hear_line("APDU transmit failed: Card removed");
    explorer.say("quit");
    assert!(explorer.ends().success());

    vreader.say("insert 0");
    world.wait_for_card(0, true);
    world.client("pkcs15-tool").args(["--verify-pin", "--auth-id", "01", "--pin", PIN]).succeeds();
}
