//! A YubiKey in a world waits for a finger: who sees it, who touches it, what ends the wait, and who is not held up by it.

use std::{
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use card_sim::{
    crypto::{Crypto, RustCrypto},
    key::SymmetricKey,
    profile::{PIV, yubico::YUBIKEY_5},
};
use vreader::{
    World,
    attach::pcsc::{RemoteCard, RemoteError},
    reader::{Finger, Interface, ManageError, ReaderSettings, TouchHabit},
    run::{CardSource, ReadersError, SlotReport, WorldSettings},
};

const PATIENCE: Duration = Duration::from_mins(1);
const WAIT: TouchHabit = TouchHabit::WhenTold { deadline: PATIENCE };

/// GENERATE ASYMMETRIC KEY PAIR of P-256 in 9A: no PIN, a touch each time; in 9D: no PIN, a cached touch.
const GENERATE: [&str; 2] = ["0047009A0BAC09800111AA0101AB0102", "0047009D0BAC09800111AA0101AB0103"];

/// A world with a YubiKey that has such keys in 9A and 9D.
fn world(touch: TouchHabit) -> World {
    let world = World::with(&WorldSettings { touch, ..WorldSettings::default() }).unwrap();
    world.add(ReaderSettings::new("Key"), Some(&CardSource::Profile(&YUBIKEY_5))).unwrap();
    let mut card = connect(&world);
    authenticate(&mut card);
    for generate in GENERATE {
        let answer = send(&mut card, &hex::decode(generate).unwrap());
        assert!(answer.starts_with(&[0x7F, 0x49]), "{answer:02X?}");
    }
    world
}

fn connect(world: &World) -> RemoteCard {
    let mut card = RemoteCard::connect(world.socket(), "Key 00 00").unwrap();
    let answer = send(&mut card, &hex::decode("00A4040005A000000308").unwrap());
    assert!(answer.ends_with(&[0x90, 0x00]), "{answer:02X?}");
    card
}

fn send(card: &mut RemoteCard, command: &[u8]) -> Vec<u8> {
    card.transmit(command).unwrap()[..].to_vec()
}

/// Proves the factory's management key.
fn authenticate(card: &mut RemoteCard) {
    let answer = send(card, &[0x00, 0x87, 0x0A, 0x9B, 0x04, 0x7C, 0x02, 0x81, 0x00]);
    let mut block = answer[4..20].to_vec();
    let key: SymmetricKey = YUBIKEY_5.yubico.unwrap().default_management_key().unwrap();
    RustCrypto::default().encrypt_block(&key, &mut block).unwrap();
    let proof = [&[0x00, 0x87, 0x0A, 0x9B, 0x14, 0x7C, 0x12, 0x82, 0x10][..], &block].concat();
    assert_eq!(send(card, &proof), [0x90, 0x00]);
}

/// GENERAL AUTHENTICATE with a key: a signature over a digest.
fn sign(key: u8) -> Vec<u8> {
    let header = [0x00, 0x87, 0x11, key, 0x26, 0x7C, 0x24, 0x82, 0x00, 0x81, 0x20];
    [&header[..], &[0x5A; 32]].concat()
}

/// ECDH with a key and the base point of P-256.
fn agree(key: u8) -> Vec<u8> {
    let point = "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296\
                 4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5";
    let header = [0x00, 0x87, 0x11, key, 0x47, 0x7C, 0x45, 0x82, 0x00, 0x85, 0x41];
    [&header[..], &hex::decode(point).unwrap()].concat()
}

/// Sends a command from another thread; its answer comes when it is there.
fn begin(world: &World, command: Vec<u8>) -> Receiver<Result<Vec<u8>, RemoteError>> {
    let mut card = connect(world);
    let (sender, answer) = channel();
    // The test may be over before the answer is there.
    thread::spawn(move || sender.send(card.transmit(&command).map(|answer| answer[..].to_vec())));
    answer
}

fn wait_until_asked(world: &World) {
    let end = Instant::now() + PATIENCE;
    while !world.readers().list()[0].waits_for_touch {
        assert!(Instant::now() < end, "the card does not ask");
        thread::sleep(Duration::from_millis(1));
    }
}

fn is_signature(answer: &Receiver<Result<Vec<u8>, RemoteError>>) {
    let answer = answer.recv_timeout(PATIENCE).unwrap().unwrap();
    assert!(answer.starts_with(&[0x7C]) && answer.ends_with(&[0x90, 0x00]), "{answer:02X?}");
}

#[test]
fn a_card_waits_until_it_is_touched_and_holds_nobody_up() {
    let world = world(WAIT);
    let not_asked = |error| matches!(error, Err(ReadersError::Manage(ManageError::NotAskedForTouch(_))));
    assert!(not_asked(world.touch(Duration::ZERO)), "a touch before the question");
    let answer = begin(&world, sign(0x9A));
    wait_until_asked(&world);
    // The world goes on beside it: another reader comes with a card, and a program talks to that.
    world.add(ReaderSettings::new("Other"), Some(&CardSource::Profile(&PIV))).unwrap();
    let mut other = RemoteCard::connect(world.socket(), "Other 01 00").unwrap();
    let chuid = hex::decode("00CB3FFF055C035FC10200").unwrap();
    assert!(send(&mut other, &chuid).starts_with(&[0x53]));
    assert!(world.readers().list()[0].waits_for_touch && answer.try_recv().is_err());

    world.readers().touch("Key 00 00", Finger::Enrolled, Duration::ZERO).unwrap();
    is_signature(&answer);
    assert!(!world.readers().list()[0].waits_for_touch);
    let no_sensor = world.readers().touch("Other 01 00", Finger::Enrolled, Duration::ZERO);
    assert!(matches!(no_sensor, Err(ReadersError::Manage(ManageError::NoSensor(_)))));
}

#[test]
fn a_touch_may_wait_for_its_question_and_a_cached_one_is_good_for_the_next() {
    let world = world(WAIT);
    thread::scope(|scope| {
        let touched = scope.spawn(|| world.touch(PATIENCE));
        is_signature(&begin(&world, agree(0x9D)));
        touched.join().unwrap().unwrap();
    });
    is_signature(&begin(&world, agree(0x9D)));
    // Whoever wants a touch each time wants it also now.
    let answer = begin(&world, sign(0x9A));
    wait_until_asked(&world);
    world.touch(Duration::ZERO).unwrap();
    is_signature(&answer);
}

#[test]
fn without_a_touch_the_card_refuses_at_its_deadline() {
    let deadline = Duration::from_millis(50);
    let world = world(TouchHabit::Never { deadline });
    assert_eq!(send(&mut connect(&world), &sign(0x9A)), [0x69, 0x82]);
    let exchanges = world.exchanges();
    let last = exchanges.last().unwrap().to_string();
    assert!(last.contains("rule: the holder touches the card in time (Yubico PIV, key policies)"), "{last}");
    let took = world.events().iter().rev().find_map(|event| event.command().map(|run| run.took_us)).unwrap();
    assert!(took >= 50_000, "{took}");
    let never = world.touch(Duration::ZERO);
    assert!(matches!(never, Err(ReadersError::Manage(ManageError::NeverTouched(_)))));
    // Held to an antenna it is touched.
    world.set_interface(Interface::Contactless).unwrap();
    is_signature(&begin(&world, sign(0x9A)));
}

#[test]
fn taking_the_card_out_ends_the_wait() {
    let world = world(WAIT);
    let answer = begin(&world, sign(0x9A));
    wait_until_asked(&world);
    let begun = Instant::now();
    world.remove().unwrap();
    assert!(answer.recv_timeout(PATIENCE).unwrap().is_err(), "the card is gone");
    assert!(begun.elapsed() < PATIENCE / 2);
    assert_eq!(world.readers().list()[0].slot, SlotReport::TakenOut);
    world.insert().unwrap();
    let answer = begin(&world, sign(0x9A));
    wait_until_asked(&world);
    world.touch(Duration::ZERO).unwrap();
    is_signature(&answer);
}

#[test]
fn the_end_of_the_world_ends_the_wait() {
    let world = world(WAIT);
    let answer = begin(&world, sign(0x9A));
    wait_until_asked(&world);
    let begun = Instant::now();
    drop(world);
    assert!(answer.recv_timeout(PATIENCE).unwrap().is_err());
    assert!(begun.elapsed() < PATIENCE / 2);
}
