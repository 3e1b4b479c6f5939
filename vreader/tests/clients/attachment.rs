//! `vreader vpcd` itself: restarts, several cards, what it says, and how it ends.

use crate::card::{CARD, PIN, VREADER, WRONG_PIN};
use crate::pcscd::{Pcscd, READER};
use crate::world::World;

/// The tries that are left, as PKCS#11 tells them: "final" after two wrong ones.
fn is_at_the_final_try(world: &World<Pcscd>) -> bool {
    world.client("pkcs11-tool").args(["--list-token-slots"]).succeeds().contains("final user PIN try")
}

fn try_pin(world: &World<Pcscd>, pin: &str) -> bool {
    let words = ["--verify-pin", "--auth-id", "01", "--pin", pin];
    world.client("pkcs15-tool").args(words).run().code() == Some(0)
}

#[test]
fn the_card_returns_when_pcscd_restarts() {
    let (world, mut vreader) = World::with_plugged_card(&[]);
    vreader.hear_line("Virtual PCD 00 00");
    for _ in 0..2 {
        world.stop_pcscd();
        vreader.hear_line("pcscd closed the connection");
        world.start_pcscd();
        world.wait_for_card(0, true);
        vreader.hear_line("Virtual PCD 00 00");
        assert!(try_pin(&world, PIN));
    }
}

#[test]
fn a_card_is_presented_through_its_antenna() {
    let world = World::with_pcscd();
    world.new_card(CARD, &["--sm", "cs2", "--vci", "open"]);
    let _vreader = world.companion(&[VREADER, "vpcd", "--card", CARD, "--contactless"]);
    world.wait_for_card(0, true);
    let atr = world.client("opensc-tool").args(["--atr"]).succeeds();
    assert!(atr.contains("3b:86:80:01"), "{atr}");
    let apdu = |words: &[&str]| world.client(VREADER).args([&["apdu"], words].concat()).run();
    let printed = "00CB3FFF055C035FC10900";
    let pin = "0020008008313233343536FFFF";
    assert!(apdu(&[pin]).text().contains("6982"));
    assert!(apdu(&["--sm", pin, printed]).text().contains("Printed Information\n< 53"));
}

#[test]
fn without_pcscd_it_says_what_is_missing_and_waits() {
    let world = World::without_pcscd();
    world.new_card("early.card", &[]);
    let mut vreader = world.begin_to_plug(&["early.card"]);
    let said = vreader.hear_line("nothing listens on 127.0.0.1:35963");
    assert!(said.contains("pcscd is not running"), "{said}");
    world.start_pcscd();
    vreader.hear_line("look for the reader \"Virtual PCD 00 00\"");
    world.wait_for_card(0, true);
}

#[test]
fn two_cards_sit_in_two_slots() {
    let world = World::with_pcscd();
    world.new_card("a.card", &["--seed", "1"]);
    world.new_card("b.card", &["--seed", "2"]);
    let mut vreader = world.plug(&["a.card", "b.card"]);
    let serial = |slot: &str| world.client("opensc-tool").args(["--reader", slot, "--serial"]).succeeds();
    let (first, second) = (serial("0"), serial("1"));
    assert_ne!(first, second);
    vreader.say("remove 0");
    world.wait_for_card(0, false);
    world.wait_for_card(1, true);
    assert_eq!(serial("1"), second, "the other card stays");
    vreader.say("insert 0");
    world.wait_for_card(0, true);
    assert_eq!(serial("0"), first);
}

#[test]
fn a_third_card_hears_that_there_are_two_slots() {
    let world = World::with_pcscd();
    for file in ["a.card", "b.card", "c.card"] {
        world.new_card(file, &[]);
    }
    let mut vreader = world.begin_to_plug(&["a.card", "b.card", "c.card"]);
    let said = vreader.hear_line("slot 2: waiting");
    assert!(said.contains("Debian's vpcd has 2 slots, this would be slot 2"), "{said}");
    world.wait_for_card(0, true);
    world.wait_for_card(1, true);
}

#[test]
fn a_taken_slot_is_taken_over_when_it_is_free() {
    let (world, first) = World::with_plugged_card(&[]);
    world.new_card("second.card", &["--seed", "2"]);
    let serial = || world.client("opensc-tool").args(["--serial"]).succeeds();
    let before = serial();
    let mut second = world.begin_to_plug(&["second.card"]);
    second.hear_line("another virtual card sits in the slot");
    assert_eq!(serial(), before);
    assert!(first.end_by(&world, "TERM").success());
    second.hear_line("look for the reader");
    world.wait_for_card(0, true);
    assert_ne!(serial(), before);
}

#[test]
fn every_way_to_end_leaves_a_valid_card_file() {
    let (world, mut vreader) = World::with_plugged_card(&[]);
    assert!(!try_pin(&world, WRONG_PIN) && !try_pin(&world, WRONG_PIN));
    for signal in ["INT", "TERM", "HUP", "KILL"] {
        let status = vreader.end_by(&world, signal);
        assert_eq!(status.success(), signal != "KILL", "{signal}: {status}");
        world.wait_for_card(0, false);
        world.tool(VREADER).args(["card", "show", "test.card"]).succeeds();
        vreader = world.plug(&["test.card"]);
        assert!(is_at_the_final_try(&world), "the spent tries are on the card after {signal}");
    }
    vreader.say("quit");
    assert!(vreader.ends().success());
    world.wait_for_card(0, false);
    world.tool(VREADER).args(["card", "show", "test.card"]).succeeds();
}

#[test]
fn an_end_in_the_middle_of_the_work_leaves_a_valid_card_file() {
    let (world, vreader) = World::with_plugged_card(&["--algorithm", "rsa2048"]);
    // `stdbuf` lets us hear the first line while the program still works.
    let busy = ["stdbuf", "--output=L", "pkcs11-tool", "--login", "--pin", PIN, "--test"];
    let mut busy = world.companion(&busy);
    busy.hear_line("Signatures");
    assert!(vreader.end_by(&world, "INT").success());
    busy.hear_line("CKR_");
    world.wait_for_card(0, false);
    world.tool(VREADER).args(["card", "show", "test.card"]).succeeds();
    let _vreader = world.plug(&["test.card"]);
    world.client("pkcs11-tool").args(["--login", "--pin", PIN, "--test"]).succeeds();
}

#[test]
fn an_apdu_of_one_byte_does_not_hang_the_reader() {
    let (world, mut vreader) = World::with_plugged_card(&[]);
    world.write("one-byte.txt", "01\n");
    world.client("scriptor").args(["-r", READER, "one-byte.txt"]).run();
    vreader.hear_line("an APDU of one byte");
    // It left, and comes back; until then programs may still see it as it was.
    vreader.hear_line("look for the reader");
    world.wait_for_card(0, true);
    let words = ["--verify-pin", "--auth-id", "01", "--pin", PIN];
    world.client("pkcs15-tool").args(words).succeeds();
}

#[test]
fn the_console_answers() {
    let (world, mut vreader) = World::with_plugged_card(&[]);
    vreader.say("list");
    vreader.hear_line("slot 0: in the reader \"Virtual PCD 00 00\"");
    vreader.say("remove");
    vreader.hear_line("slot 0: card removed");
    world.wait_for_card(0, false);
    vreader.say("list");
    vreader.hear_line("slot 0: removed");
    vreader.say("eject");
    vreader.hear_line("\"eject\" is no command here");
    vreader.say("quit");
    assert!(vreader.ends().success());
}
