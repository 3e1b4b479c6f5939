//! The library as people use it in their tests: `World`, its hands and its trace. No client program is needed: a card behind
//! the socket is reached by this crate's own end of the wire.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use card_sim::profile::PIV;
use vreader::{
    World,
    attach::pcsc::{RemoteCard, RemoteError},
    reader::{Interface, ReaderSettings},
    run::{CardSource, ReadersError, WorldSettings},
    trace::{self, Secrets, Side, Status, What},
};

const READER: &str = "vreader 00 00";
const PATIENCE: Duration = Duration::from_secs(30);

const SELECT: &[u8] = &[0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00];
const CHUID: &[u8] = &[0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x02, 0x00];
const GET_RESPONSE: &[u8] = &[0x00, 0xC0, 0x00, 0x00, 0x00];

fn verify(pin: &[u8]) -> Vec<u8> {
    [&[0x00, 0x20, 0x00, 0x80, 0x08], pin, &[0xFF, 0xFF]].concat()
}

fn connect(world: &World) -> RemoteCard {
    RemoteCard::connect(world.socket(), READER).unwrap()
}

/// Commands that are answered alike by every sample card.
fn session(world: &World, pin: &[u8]) {
    let mut card = connect(world);
    let mut answer = Vec::new();
    for command in [SELECT, CHUID] {
        answer = card.transmit(command).unwrap();
    }
    while answer[answer.len() - 2] == 0x61 {
        answer = card.transmit(GET_RESPONSE).unwrap();
    }
    card.transmit(&verify(pin)).unwrap();
}

#[test]
fn a_world_has_a_card_and_tells_what_happened_to_it() {
    let world = World::start().unwrap();
    session(&world, b"000000");
    let lines: Vec<_> = world.exchanges().iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "SELECT PIV -> 9000 (success), with data",
            "GET DATA Card Holder Unique Identifier -> 9000 (success), with data",
            "VERIFY PIV PIN -> 63C2 (verification failed, 2 tries left); \
             rule: the reference data is verified (SP 800-73-5 part 2, 3.2.1)",
        ]
    );
    let events = world.events();
    assert!(events.iter().zip(1..).all(|(event, number)| event.number == number));
    assert!(events.is_sorted_by_key(|event| event.at_us));
    let of_program = events.iter().find(|event| event.what == What::Connected).unwrap();
    let client = of_program.client.clone().unwrap();
    assert_eq!(client.process, i32::try_from(std::process::id()).unwrap());
    assert!(
        events
            .iter()
            .filter(|event| event.command().is_some())
            .all(|event| event.client == Some(client.clone()))
    );
}

#[test]
fn hands_are_seen_when_they_are_done() {
    let world = World::start().unwrap();
    let mut card = connect(&world);
    let refused = |card: &mut RemoteCard| match card.transmit(SELECT) {
        Err(RemoteError::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    world.reset().unwrap();
    assert_eq!(refused(&mut card), 0x8010_0068);
    world.remove().unwrap();
    assert_eq!(refused(&mut card), 0x8010_0069);
    let error = RemoteCard::connect(world.socket(), READER).err().unwrap().to_string();
    assert!(error.contains("there is no card in the reader"), "{error}");
    assert!(matches!(world.remove(), Err(ReadersError::Manage(_))));
    world.insert().unwrap();
    session(&world, b"123456");
    world.swap(&CardSource::Profile(&PIV)).unwrap();
    assert_eq!(verify_status(&world), Status::TriesLeft(3), "a new card forgets");
    world.add(ReaderSettings::new("Door"), None).unwrap();
    assert!(matches!(world.insert(), Err(ReadersError::Ambiguous(_))));
    let error = RemoteCard::connect(world.socket(), "Gate").err().unwrap().to_string();
    assert!(error.contains("no reader has this name"), "{error}");
}

#[test]
fn a_card_is_turned_over() {
    let world = World::start().unwrap();
    let mut card = connect(&world);
    let contact = world.readers().list().remove(0);
    assert_eq!(contact.interface, Interface::Contact);
    world.set_interface(Interface::Contactless).unwrap();
    assert!(matches!(card.transmit(SELECT), Err(RemoteError::Refused { code: 0x8010_0069, .. })));
    let antenna = world.readers().list().remove(0);
    assert_eq!((antenna.interface, antenna.events), (Interface::Contactless, contact.events + 2));
    assert!(antenna.atr.starts_with("3B8") && antenna.atr != contact.atr, "{}", antenna.atr);

    // SP 800-73-5 part 1, table 2, and part 2, table 2: what a card without secure messaging does through its antenna.
    let mut card = connect(&world);
    let mut status = |command: &[u8]| {
        let answer = card.transmit(command).unwrap();
        u16::from_be_bytes([answer[answer.len() - 2], answer[answer.len() - 1]])
    };
    assert_eq!(status(SELECT), 0x9000);
    assert_eq!(status(CHUID) & 0xFF00, 0x6100);
    assert_eq!(status(&[0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x05, 0x00]), 0x6982);
    assert_eq!(status(&verify(b"123456")), 0x6982);
    assert_eq!(status(&[0x00, 0xDB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x02]), 0x6A81);
    assert_eq!(status(&[0x00, 0x47, 0x00, 0x9A, 0x05, 0xAC, 0x03, 0x80, 0x01, 0x11]), 0x6A81);

    // A card that lies beside the reader comes back to the other side of it.
    world.remove().unwrap();
    world.set_interface(Interface::Contact).unwrap();
    world.insert().unwrap();
    assert_eq!(world.readers().list().remove(0).atr, contact.atr);
    session(&world, b"123456");
}

fn verify_status(world: &World) -> Status {
    let mut card = connect(world);
    card.transmit(SELECT).unwrap();
    let answer = card.transmit(&[0x00, 0x20, 0x00, 0x80]).unwrap();
    Status::from(u16::from_be_bytes([answer[0], answer[1]]))
}

#[test]
fn a_wait_ends_with_the_event_or_tells_what_happened_instead() {
    let world = World::start().unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| world.wait_for(PATIENCE, |event| event.what == What::Removed));
        world.remove().unwrap();
        assert_eq!(waits.join().unwrap().unwrap().what, What::Removed);
    });
    let seen = world.recorder().last();
    let again = world.wait_for_after(seen, Duration::from_millis(20), |event| event.what == What::Removed);
    assert!(again.unwrap_err().happened.is_empty());
    let error = world.wait_for(Duration::from_millis(20), |event| event.what == What::Broken).unwrap_err();
    let said = error.to_string();
    assert!(said.starts_with("waited 20ms in vain") && said.contains("card removed"), "{said}");
}

#[test]
fn programs_find_the_world_in_their_environment() {
    let world = World::start().unwrap();
    let output = world.command("sh").args(["-c", "echo $PCSCLITE_CSOCK_NAME"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), world.socket().to_str().unwrap());
    let folder = world.folder().to_owned();
    assert!(folder.is_dir());
    drop(world);
    assert!(!folder.exists());
}

#[test]
fn two_worlds_have_two_cards() {
    let (one, two) = (World::start().unwrap(), World::start().unwrap());
    session(&one, b"000000");
    assert_eq!((verify_status(&one), verify_status(&two)), (Status::TriesLeft(2), Status::TriesLeft(3)));
}

#[test]
fn secrets_are_in_no_trace_unless_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for secrets in [Secrets::Hidden, Secrets::Shown] {
        let path = folder.path().join("trace");
        let settings = WorldSettings { trace: Some(path.clone()), secrets, ..WorldSettings::default() };
        let world = World::with(&settings).unwrap();
        world.add(ReaderSettings::new("vreader"), Some(&CardSource::Profile(&PIV))).unwrap();
        session(&world, b"135791");
        // The last thing that happens.
        world.wait_for(PATIENCE, |event| event.what == What::Disconnected).unwrap();
        let events = world.events();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.contains("313335373931"), secrets == Secrets::Shown, "{text}");
        assert_eq!(text.contains("0020008008****************"), secrets == Secrets::Hidden, "{text}");
        assert_eq!(trace::read(&path).unwrap(), events);
    }
    let nowhere = WorldSettings { trace: Some(folder.path().join("none/trace")), ..WorldSettings::default() };
    let error = World::with(&nowhere).err().unwrap().to_string();
    assert!(error.contains("cannot write the trace"), "{error}");
}

#[test]
fn a_seed_repeats_every_byte_and_runs_of_other_cards_mean_the_same() {
    let run = |seed, pin: &[u8]| {
        let world = World::with(&WorldSettings { seed, ..WorldSettings::default() }).unwrap();
        world.add(ReaderSettings::new("vreader"), Some(&CardSource::Profile(&PIV))).unwrap();
        session(&world, pin);
        world.events()
    };
    let bytes = |events: &[trace::Event]| -> Vec<String> {
        events.iter().filter_map(|event| Some(format!("{:?}", event.command()?.answer))).collect()
    };
    let (first, again, other) = (run(Some(1), b"000000"), run(Some(1), b"000000"), run(Some(2), b"000000"));
    assert_eq!(bytes(&first), bytes(&again));
    assert_ne!(bytes(&first), bytes(&other));
    let same = |a: &[trace::Event], b: &[trace::Event]| {
        trace::compare(a, b).iter().all(|difference| difference.side == Side::Both)
    };
    assert!(same(&first, &other));
    assert!(!same(&first, &run(Some(1), b"123456")));
}

#[test]
fn a_world_is_there_at_once_and_gone_at_once() {
    // The first makes the card that later ones have ready.
    drop(World::start().unwrap());
    let begun = Instant::now();
    for _ in 0..10 {
        let world = World::start().unwrap();
        connect(&world).transmit(SELECT).unwrap();
    }
    // A generous limit for a busy machine: without ready cards, ten cards take seconds in a build for tests.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_program_that_is_gone_is_told() {
    let world = World::start().unwrap();
    drop(connect(&world));
    world.wait_for(PATIENCE, |event| event.what == What::Disconnected).unwrap();
    assert!(Command::new("test").args(["-S"]).arg(world.socket()).status().unwrap().success());
}
