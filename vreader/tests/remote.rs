//! This crate's own end of the PC/SC wire: transactions, what becomes of a card at their end, and watching readers.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use vreader::{
    World,
    attach::pcsc::{ReaderEvent, RemoteCard, RemoteError, RemoteReader, Watcher},
    reader::{Disposition, ReaderSettings},
    trace::What,
};

const READER: &str = "vreader 00 00";
const PATIENCE: Duration = Duration::from_secs(30);
const MOMENT: Duration = Duration::from_millis(20);

const SELECT: &[u8] = &[0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00];
const VERIFY: &[u8] = &[0x00, 0x20, 0x00, 0x80, 0x08, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0xFF, 0xFF];
/// Answered with 9000 as long as the PIN is verified.
const IS_VERIFIED: &[u8] = &[0x00, 0x20, 0x00, 0x80];

fn connect(world: &World) -> RemoteCard {
    RemoteCard::connect(world.socket(), READER).unwrap()
}

fn log_in(card: &mut RemoteCard) {
    card.transmit(SELECT).unwrap();
    assert_eq!(card.transmit(VERIFY).unwrap(), [0x90, 0x00]);
}

#[test]
fn a_transaction_keeps_others_away_until_it_ends() {
    let world = World::start().unwrap();
    let (mut one, mut two) = (connect(&world), connect(&world));
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut transaction = one.transaction(Disposition::Leave).unwrap();
        let other = scope.spawn(|| {
            let mut transaction = two.transaction(Disposition::Leave).unwrap();
            assert!(ended.load(Ordering::SeqCst), "it waited for the end of the other");
            assert_eq!(transaction.transmit(IS_VERIFIED).unwrap(), [0x90, 0x00]);
            transaction.end().unwrap();
        });
        log_in(&mut transaction);
        ended.store(true, Ordering::SeqCst);
        transaction.end().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn a_dropped_transaction_ends_as_it_was_begun_to_end() {
    let world = World::start().unwrap();
    let (mut one, mut two) = (connect(&world), connect(&world));
    for (at_end, left) in [(Disposition::Leave, true), (Disposition::Reset, false)] {
        log_in(&mut one.transaction(at_end).unwrap());
        // The reset of the one is no error for the other, which had begun nothing.
        let mut transaction = two.transaction(Disposition::Leave).unwrap();
        transaction.transmit(SELECT).unwrap();
        let status = transaction.transmit(IS_VERIFIED).unwrap();
        assert_eq!(status == [0x90, 0x00], left, "{at_end:?}: {status:02X?}");
    }
}

#[test]
fn a_card_is_disconnected_with_what_becomes_of_it() {
    let world = World::start().unwrap();
    let mut stays = connect(&world);
    for (disposition, reset) in [(Disposition::Leave, false), (Disposition::Reset, true)] {
        let mut card = connect(&world);
        log_in(&mut card);
        card.disconnect(disposition).unwrap();
        let answer = stays.transmit(IS_VERIFIED);
        match answer {
            Ok(status) => assert!(!reset && status == [0x90, 0x00], "{disposition:?}: {status:02X?}"),
            Err(RemoteError::Refused { code, .. }) => assert!(reset && code == 0x8010_0068, "{code:08X}"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_transaction_with_a_card_that_is_gone_says_so() {
    let world = World::start().unwrap();
    let mut card = connect(&world);
    let mut transaction = card.transaction(Disposition::Reset).unwrap();
    world.remove().unwrap();
    assert!(transaction.transmit(SELECT).is_err());
    let error = transaction.end().unwrap_err().to_string();
    assert!(error.starts_with("SCardEndTransaction") && error.contains("the card was taken out"), "{error}");
    assert!(card.transaction(Disposition::Reset).is_err());
}

#[test]
fn a_watcher_sees_cards_and_readers_come_and_go() {
    let world = World::start().unwrap();
    let atr = world.readers().list().remove(0).atr;
    let reader = RemoteReader { name: READER.to_owned(), atr: hex::decode(atr).unwrap() };
    let (plugged, inserted, removed) = (
        ReaderEvent::Plugged(READER.to_owned()),
        ReaderEvent::Inserted(reader.clone()),
        ReaderEvent::Removed(reader.clone()),
    );
    let mut watcher = Watcher::new(world.socket()).unwrap();
    assert_eq!(watcher.wait(PATIENCE).unwrap(), [plugged, inserted.clone()]);
    assert_eq!(watcher.readers().collect::<Vec<_>>(), [&reader]);
    assert_eq!(watcher.wait(MOMENT).unwrap(), []);

    // While it waits.
    thread::scope(|scope| {
        let waits = scope.spawn(|| watcher.wait(PATIENCE).unwrap());
        world.remove().unwrap();
        assert_eq!(waits.join().unwrap(), std::slice::from_ref(&removed));
    });
    // Before it waits.
    world.insert().unwrap();
    assert_eq!(watcher.wait(PATIENCE).unwrap(), std::slice::from_ref(&inserted));
    world.remove().unwrap();
    world.insert().unwrap();
    assert_eq!(watcher.wait(PATIENCE).unwrap(), [removed, inserted]);

    world.add(ReaderSettings::new("Door"), None).unwrap();
    let door = watcher.readers().count();
    assert_eq!(watcher.wait(PATIENCE).unwrap(), [ReaderEvent::Plugged("Door 01 00".to_owned())]);
    assert_eq!(watcher.readers().count(), door + 1);
    // Nothing of this is seen by who does not wait, and a program that uses the card is no event.
    log_in(&mut connect(&world));
    world.wait_for(PATIENCE, |event| event.what == What::Disconnected).unwrap();
    assert_eq!(watcher.wait(MOMENT).unwrap(), []);
}

#[test]
fn a_watcher_is_told_that_the_service_is_gone() {
    let world = World::start().unwrap();
    let mut watcher = Watcher::new(world.socket()).unwrap();
    watcher.wait(PATIENCE).unwrap();
    thread::scope(|scope| {
        // Its last readers may be seen to go.
        let waits = scope.spawn(|| (0..10).find_map(|_| watcher.wait(PATIENCE).err()));
        drop(world);
        let error = waits.join().unwrap().unwrap().to_string();
        assert!(error.contains("broke the connection"), "{error}");
    });
}
