//! Messages whose form is the same in all versions: what goes in, what comes back, where the limits are.

use std::{
    io::{Read, Write},
    thread,
};

use vreader::reader::{InsertedCard, ReaderSettings};

use crate::{
    echo_card::{ATR, EchoCard, world},
    raw::{
        DIRECT, INSUFFICIENT_BUFFER, LEAVE, NO_MEMORY, REMOVED_CARD, RESET_CARD, Raw, SHARED, SUCCESS, T1,
        UNKNOWN_READER, message, word, words,
    },
};

/// Longest payload of the protocol: 4 + 3 + 65,536 + 3 + 2 bytes.
const MAX_PAYLOAD: usize = 65_548;

/// Contexts at one time, as in pcscd.
const CONTEXTS: usize = 200;

#[test]
fn a_session_from_context_to_release() {
    let (world, reader) = world();
    let mut raw = Raw::new(world.socket(), 4);
    let context = raw.establish();
    assert!((1..=0x7FFF_FFFF).contains(&context));
    let (handle, protocol, rv) = raw.connect(context, &reader, SHARED);
    assert_eq!((protocol, rv), (T1, SUCCESS));
    assert!((1..=0x7FFF_FFFF).contains(&handle));
    assert_eq!(raw.status(handle), SUCCESS);
    assert_eq!(raw.begin(handle), SUCCESS);
    raw.echoes(handle, &[0x00, 0xA4, 0x04, 0x00]);
    assert_eq!(raw.call(0x08, &words(&[handle, LEAVE, 0])), words(&[handle, LEAVE, SUCCESS]));
    let reconnected = raw.call(0x05, &words(&[handle, SHARED, 3, 0, 0, 0]));
    assert_eq!(reconnected, words(&[handle, SHARED, 3, 0, T1, SUCCESS]));
    assert_eq!(raw.call(0x06, &words(&[handle, LEAVE, 0])), words(&[handle, LEAVE, SUCCESS]));
    assert_eq!(raw.call(0x02, &words(&[context, 0])), words(&[context, SUCCESS]));
}

#[test]
fn an_unknown_reader_is_a_return_code() {
    let (world, _) = world();
    let mut raw = Raw::new(world.socket(), 4);
    let context = raw.establish();
    for name in ["", "Echo", "Echo 00 000", &"x".repeat(128)] {
        assert_eq!(raw.connect(context, name, SHARED), (0, 0, UNKNOWN_READER), "{name}");
    }
}

#[test]
fn lengths_of_the_pci_come_back_as_they_went() {
    let (world, reader) = world();
    let mut raw = Raw::new(world.socket(), 4);
    let handle = raw.handle(&reader);
    for length in [8, 16, 0, 0xFFFF_FFFF] {
        raw.send(0x09, &words(&[handle, T1, length, 1, 0, length, 3, 0]));
        raw.stream.write_all(&[0x42]).unwrap();
        assert_eq!(raw.receive(32), words(&[handle, T1, length, 1, T1, length, 3, SUCCESS]));
        assert_eq!(raw.receive(3), [0x42, 0x90, 0x00]);
    }
}

#[test]
fn payloads_have_the_limits_of_pcscd() {
    let (world, reader) = world();
    let mut raw = Raw::new(world.socket(), 4);
    let handle = raw.handle(&reader);
    raw.echoes(handle, &vec![0xA5; 65_533]);
    // One byte too many: the client is told, and the conversation goes on.
    let answer = raw.transmit(handle, &vec![0; MAX_PAYLOAD + 1], 65_548);
    assert_eq!((word(&answer, 24), word(&answer, 28)), (0, INSUFFICIENT_BUFFER));
    raw.echoes(handle, &[1]);
    // The answer does not fit into the client's buffer: its length comes, and nothing else.
    let answer = raw.transmit(handle, &[1, 2, 3], 4);
    assert_eq!((word(&answer, 24), word(&answer, 28)), (5, INSUFFICIENT_BUFFER));
    let answer = raw.transmit(handle, &[1, 2, 3], 0xFFFF_FFFF);
    assert_eq!((word(&answer, 24), word(&answer, 28)), (5, SUCCESS));
    assert_eq!(raw.receive(5), [1, 2, 3, 0x90, 0x00]);
    raw.send(0x0A, &words(&[handle, 0x4200_0D48, 70_000, 1000, 0, 0]));
    raw.stream.write_all(&vec![0; 70_000]).unwrap();
    assert_eq!(word(&raw.receive(24), 20), INSUFFICIENT_BUFFER);
    raw.echoes(handle, &[1]);
}

#[test]
fn an_answer_is_one_write() {
    let (world, reader) = world();
    let mut raw = Raw::new(world.socket(), 4);
    let handle = raw.handle(&reader);
    let command = [0x5A; 2000];
    let mut buffer = [0; 4096];
    for _ in 0..500 {
        raw.send(0x09, &words(&[handle, T1, 16, 2000, 0, 16, 65_548, 0]));
        raw.stream.write_all(&command).unwrap();
        assert_eq!(raw.stream.read(&mut buffer).unwrap(), 32 + 2002);
    }
}

#[test]
fn attributes_and_controls_carry_their_bytes() {
    let (world, reader) = world();
    let mut raw = Raw::new(world.socket(), 4);
    let context = raw.establish();
    let (handle, _, rv) = raw.connect(context, &reader, DIRECT);
    assert_eq!(rv, SUCCESS);
    let mut attribute = |id: u32, length: u32| {
        let structure = [words(&[handle, id]), vec![0xEE; 264], words(&[length, 0x8010_001D])].concat();
        raw.call(0x0F, &structure)
    };
    let atr = attribute(0x0009_0303, 264);
    assert_eq!((word(&atr, 272), word(&atr, 276), &atr[8..12]), (4, SUCCESS, &ATR[..]));
    assert!(atr[12..272].iter().all(|byte| *byte == 0));
    let name = attribute(0x7FFF_0003, 264);
    assert_eq!(&name[8..8 + word(&name, 272) as usize], format!("{reader}\0").as_bytes());
    let short = attribute(0x7FFF_0003, 3);
    assert_eq!(word(&short, 276), INSUFFICIENT_BUFFER);
    assert_eq!(word(&attribute(0x1234_5678, 264), 276), 0x8010_001F);
    let structure = [words(&[handle, 0x0009_0303]), vec![0; 264], words(&[265, 0])].concat();
    assert_eq!(word(&raw.call(0x10, &structure), 276), INSUFFICIENT_BUFFER);

    raw.send(0x0A, &words(&[handle, 0x4200_0D48, 0, 264, 0, 0]));
    let answer = raw.receive(24);
    let length = word(&answer, 16) as usize;
    assert_eq!((word(&answer, 20), length % 6), (SUCCESS, 0));
    let features = raw.receive(length);
    assert!(features.chunks(6).any(|feature| feature[0] == 0x12), "{features:02X?}");
    assert!(features.chunks(6).all(|feature| feature[0] != 0x06), "there is no key-pad");
}

#[test]
fn contexts_beyond_the_limit_are_refused_with_a_return_code() {
    let (world, _) = world();
    let mut all: Vec<_> = (0..CONTEXTS).map(|_| Raw::new(world.socket(), 4)).collect();
    for raw in &mut all {
        raw.establish();
    }
    let mut one_more = Raw::new(world.socket(), 4);
    assert_eq!(word(&one_more.call(0x01, &words(&[2, 0, 0])), 8), NO_MEMORY);
    let mut first = all.swap_remove(0);
    drop(all);
    let context = first.establish();
    assert_ne!(context, 0);
}

#[test]
fn connections_beyond_the_limit_are_refused_with_a_return_code() {
    let (world, _) = world();
    let mut all: Vec<_> = (0..416).map(|_| Raw::new(world.socket(), 4)).collect();
    let mut one_more = Raw::silent(world.socket());
    assert_eq!(word(&one_more.receive(12), 8), NO_MEMORY);
    one_more.is_closed();
    for raw in &mut all {
        assert_eq!(raw.call(0x11, &words(&[4, 4, 0])), words(&[4, 4, SUCCESS]));
    }
}

#[test]
fn a_handle_of_somebody_else_ends_the_connection_of_who_uses_it() {
    let (world, reader) = world();
    let mut owner = Raw::new(world.socket(), 4);
    let handle = owner.handle(&reader);
    for command in [0x05, 0x07, 0x08, 0x0B] {
        let size =
            [(0x05, 24), (0x07, 8), (0x08, 12), (0x0B, 8)].iter().find(|entry| entry.0 == command).unwrap().1;
        let mut thief = Raw::new(world.socket(), 4);
        thief.establish();
        let mut structure = words(&[handle, 2, 3]);
        structure.resize(size, 0);
        thief.send(command, &structure);
        thief.is_closed();
    }
    owner.echoes(handle, &[1, 2, 3]);
}

#[test]
fn death_in_a_transaction_frees_the_reader_at_once_and_resets_the_card() {
    let (world, reader) = world();
    let mut survivor = Raw::new(world.socket(), 4);
    let handle = survivor.handle(&reader);
    let mut victim = Raw::new(world.socket(), 4);
    let its_handle = victim.handle(&reader);
    assert_eq!(victim.begin(its_handle), SUCCESS);
    let waiting = thread::spawn(move || {
        let rv = survivor.begin(handle);
        (survivor, rv)
    });
    victim.stream.write_all(&message(0x09, &words(&[its_handle, T1, 16, 100, 0, 16, 300, 0]))[..17]).unwrap();
    drop(victim);
    let (mut survivor, rv) = waiting.join().unwrap();
    assert_eq!(rv, RESET_CARD);
    let reconnected = survivor.call(0x05, &words(&[handle, SHARED, 3, 0, 0, 0]));
    assert_eq!(word(&reconnected, 20), SUCCESS);
    assert_eq!(survivor.begin(handle), SUCCESS);
}

#[test]
fn a_waiting_client_that_dies_leaves_its_place() {
    let (world, reader) = world();
    let mut holder = Raw::new(world.socket(), 4);
    let handle = holder.handle(&reader);
    assert_eq!(holder.begin(handle), SUCCESS);
    // Its Connect waits for the transaction to end.
    let mut waiting = Raw::new(world.socket(), 4);
    let context = waiting.establish();
    let mut name = reader.as_bytes().to_vec();
    name.resize(128, 0);
    waiting.send(0x04, &[words(&[context]), name, words(&[SHARED, 3, 0, 0, 0])].concat());
    waiting.hears_nothing();
    drop(waiting);
    holder.echoes(handle, &[1]);
    assert_eq!(word(&holder.call(0x08, &words(&[handle, LEAVE, 0])), 8), SUCCESS);
    assert_eq!(holder.status(handle), SUCCESS);
}

#[test]
fn a_card_that_leaves_ends_handles_and_a_card_that_comes_does_not_revive_them() {
    let (world, reader) = world();
    let mut raw = Raw::new(world.socket(), 4);
    let handle = raw.handle(&reader);
    world.readers().remove(&reader).unwrap();
    assert_eq!(raw.status(handle), REMOVED_CARD);
    world.readers().insert(&reader, None).unwrap();
    assert_eq!(raw.status(handle), REMOVED_CARD);
    assert_eq!(word(&raw.call(0x05, &words(&[handle, SHARED, 3, 0, 0, 0])), 20), SUCCESS);
    raw.echoes(handle, &[1]);
}

#[test]
fn sixty_four_clients_share_a_reader() {
    let (world, reader) = world();
    thread::scope(|scope| {
        for number in 0..64_u8 {
            let (world, reader) = (&world, reader.as_str());
            scope.spawn(move || {
                let mut raw = Raw::new(world.socket(), 3 + u32::from(number) % 4);
                let handle = raw.handle(reader);
                for round in 0..20 {
                    assert_eq!(raw.begin(handle), SUCCESS);
                    raw.echoes(handle, &[number, round]);
                    assert_eq!(word(&raw.call(0x08, &words(&[handle, LEAVE, 0])), 8), SUCCESS);
                }
            });
        }
    });
}

#[test]
fn sixteen_readers_work_side_by_side() {
    let (world, first) = world();
    let more = (1..16).map(|_| {
        let card: Box<dyn InsertedCard> = Box::new(EchoCard);
        world.readers().add(ReaderSettings::new("Echo"), Some(card)).unwrap()
    });
    let names: Vec<_> = std::iter::once(first).chain(more).collect();
    thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| {
                let mut raw = Raw::new(world.socket(), 4);
                let handle = raw.handle(name);
                assert_eq!(raw.begin(handle), SUCCESS);
                (0..200).for_each(|_| raw.echoes(handle, name.as_bytes()));
            });
        }
    });
}
