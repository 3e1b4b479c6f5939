//! What differs between the versions 4:3 to 4:6: agreement, and the wait for changes.

use std::path::Path;

use vreader::{attach::pcsc::Slots, reader::ReaderSettings, run::World};

use crate::{
    echo_card::{ATR, world, world_with},
    raw::{CANCELLED, INVALID_HANDLE, Raw, SERVICE_STOPPED, SHARED, SUCCESS, word, words},
};

const WAIT: u32 = 0x13;
const STOP: u32 = 0x14;
const EVENT: [u8; 8] = [0; 8];

/// What a version sends with WAIT and STOP.
fn wait_body(minor: u32) -> &'static [u8] {
    if minor == 3 { &[0; 8] } else { &[] }
}

/// Waits for changes as libpcsclite of this version does it, up to the point where only the event can come.
fn wait(raw: &mut Raw, minor: u32) {
    match minor {
        3 => {
            raw.send(0x12, &[]);
            raw.receive(16 * 184);
            raw.send(WAIT, wait_body(minor));
        }
        4 | 5 => {
            raw.send(WAIT, &[]);
            raw.receive(16 * 184);
        }
        _ => {
            raw.send(WAIT, &[]);
            raw.send(0x16, &[]);
            assert_eq!(raw.receive(4), 16_i32.to_ne_bytes());
            raw.send(0x17, &[]);
            raw.receive(16 * 184);
        }
    }
}

fn stop(raw: &mut Raw, minor: u32) {
    raw.send(STOP, wait_body(minor));
}

fn toggle(world: &World, reader: &str) {
    let readers = world.readers();
    if readers.remove(reader).is_err() {
        readers.insert(reader, None).expect("the card that was taken out");
    }
}

fn first_state(array: &[u8]) -> (String, u32, u32, i32, Vec<u8>, u32) {
    let name = array[..128].split(|byte| *byte == 0).next().unwrap();
    let sharing = i32::from_ne_bytes(array[136..140].try_into().unwrap());
    let atr = array[140..140 + word(array, 176) as usize].to_vec();
    (
        String::from_utf8(name.to_vec()).unwrap(),
        word(array, 128),
        word(array, 132),
        sharing,
        atr,
        word(array, 180),
    )
}

#[test]
fn every_version_is_answered_with_itself() {
    let (world, _) = world();
    for minor in 3..=6 {
        Raw::new(world.socket(), minor);
    }
}

#[test]
fn a_later_version_is_offered_ours_and_may_take_it_on_the_same_connection() {
    let (world, _) = world();
    for (major, minor) in [(4, 7), (4, 99), (4, 2), (3, 4), (5, 0)] {
        let mut raw = Raw::silent(world.socket());
        assert_eq!(raw.call(0x11, &words(&[major, minor, 0])), words(&[4, 6, SERVICE_STOPPED]));
        assert_eq!(raw.call(0x11, &words(&[4, 6, 0])), words(&[4, 6, SUCCESS]));
        raw.establish();
    }
}

#[test]
fn the_array_has_as_many_entries_as_the_setting_says() {
    for (slots, count) in [(Slots::Sixteen, 16), (Slots::FortyEight, 48)] {
        let (world, reader) = world_with(slots, Some(Box::new(crate::echo_card::EchoCard)));
        let mut raw = Raw::new(world.socket(), 4);
        let array = |raw: &mut Raw, command| {
            raw.send(command, &[]);
            raw.receive(count * 184)
        };
        let states = array(&mut raw, 0x12);
        assert_eq!(first_state(&states), (reader.clone(), 0, 0x34, 0, ATR.to_vec(), 0));
        assert!(states[184..].iter().all(|byte| *byte == 0));
        raw.send(0x16, &[]);
        assert_eq!(raw.receive(4), i32::try_from(count).unwrap().to_ne_bytes());
        assert_eq!(array(&mut raw, 0x17), states);
        let handle = raw.handle(&reader);
        assert_ne!(handle, 0);
        assert_eq!(first_state(&array(&mut raw, 0x12)), (reader.clone(), 0, 0x34, 1, ATR.to_vec(), 2));
        world.readers().remove(&reader).unwrap();
        assert_eq!(first_state(&array(&mut raw, 0x12)), (reader, 1, 0x02, 1, vec![], 0));
        while world.readers().list().len() < count {
            world.readers().add(ReaderSettings::new("More"), None).unwrap();
        }
        assert!(array(&mut raw, 0x12).chunks(184).all(|state| state[0] != 0));
        let error = world.readers().add(ReaderSettings::new("Too many"), None).unwrap_err().to_string();
        assert!(error.contains(&count.to_string()), "{error}");
    }
}

#[test]
fn a_change_ends_a_wait_with_one_event() {
    for minor in 3..=6 {
        let (world, reader) = world();
        let mut raw = Raw::new(world.socket(), minor);
        for _ in 0..4 {
            wait(&mut raw, minor);
            raw.hears_nothing();
            toggle(&world, &reader);
            assert_eq!(raw.receive(8), EVENT, "4:{minor}");
            toggle(&world, &reader);
            raw.hears_nothing();
            // The event was the answer.
            stop(&mut raw, minor);
            raw.hears_nothing();
        }
    }
}

#[test]
fn a_reader_that_comes_or_goes_ends_a_wait() {
    for minor in 3..=6 {
        let (world, _) = world();
        let mut raw = Raw::new(world.socket(), minor);
        wait(&mut raw, minor);
        let name = world.readers().add(ReaderSettings::new("Second"), None).unwrap();
        assert_eq!(raw.receive(8), EVENT);
        wait(&mut raw, minor);
        world.readers().unplug(&name).unwrap();
        assert_eq!(raw.receive(8), EVENT);
        raw.send(0x15, &[]);
        let events = raw.receive(8);
        assert_eq!((word(&events, 0), word(&events, 4)), (4, SUCCESS), "1, and three changes since");
    }
}

#[test]
fn a_wait_that_is_stopped_is_answered_once() {
    for minor in 3..=6 {
        let (world, reader) = world();
        let mut raw = Raw::new(world.socket(), minor);
        wait(&mut raw, minor);
        stop(&mut raw, minor);
        assert_eq!(raw.receive(8), EVENT);
        toggle(&world, &reader);
        raw.hears_nothing();
        stop(&mut raw, minor);
        raw.hears_nothing();
        raw.establish();
    }
}

#[test]
fn in_4_6_no_event_comes_between_the_wait_and_the_array() {
    let (world, reader) = world();
    let mut raw = Raw::new(world.socket(), 6);
    raw.send(WAIT, &[]);
    raw.send(0x16, &[]);
    assert_eq!(raw.receive(4), 16_i32.to_ne_bytes());
    toggle(&world, &reader);
    raw.hears_nothing();
    raw.send(0x17, &[]);
    assert_eq!(first_state(&raw.receive(16 * 184)).2, 0x02, "the array is of now");
    assert_eq!(raw.receive(8), EVENT);
    // A client that gives up before it has read the array.
    raw.send(WAIT, &[]);
    toggle(&world, &reader);
    stop(&mut raw, 6);
    assert_eq!(raw.receive(8), EVENT);
    raw.hears_nothing();
}

#[test]
fn in_4_3_a_change_since_the_states_were_read_is_not_lost() {
    let (world, reader) = world();
    let mut raw = Raw::new(world.socket(), 3);
    raw.send(0x12, &[]);
    raw.receive(16 * 184);
    toggle(&world, &reader);
    raw.send(WAIT, wait_body(3));
    assert_eq!(raw.receive(8), EVENT);
}

#[test]
fn the_count_of_reader_events_may_be_asked_while_waiting() {
    let (world, reader) = world();
    let mut raw = Raw::new(world.socket(), 5);
    wait(&mut raw, 5);
    raw.send(0x15, &[]);
    assert_eq!(raw.receive(8), words(&[2, SUCCESS]));
    toggle(&world, &reader);
    assert_eq!(raw.receive(8), EVENT);
}

fn cancel(socket: &Path, context: u32) -> u32 {
    // SCardCancel comes on a connection that says no version.
    word(&Raw::silent(socket).call(0x0D, &words(&[context, 0])), 4)
}

#[test]
fn a_wait_is_cancelled_from_another_connection() {
    for minor in 3..=6 {
        let (world, reader) = world();
        let mut raw = Raw::new(world.socket(), minor);
        let context = raw.establish();
        wait(&mut raw, minor);
        // In 4:3 nothing tells that the wait has begun; the next answer does.
        raw.send(0x15, &[]);
        assert_eq!(raw.receive(8), words(&[2, SUCCESS]));
        assert_eq!(cancel(world.socket(), context), SUCCESS);
        assert_eq!(raw.receive(8), words(&[0, CANCELLED]));
        toggle(&world, &reader);
        raw.hears_nothing();
        assert_eq!(cancel(world.socket(), context), SUCCESS, "nobody waits: that is no error");
        raw.hears_nothing();
        assert_eq!(cancel(world.socket(), context ^ 1), INVALID_HANDLE);
    }
}

#[test]
fn in_4_6_a_cancel_before_the_array_is_told_after_it() {
    let (world, _) = world();
    let mut raw = Raw::new(world.socket(), 6);
    let context = raw.establish();
    raw.send(WAIT, &[]);
    raw.send(0x16, &[]);
    raw.receive(4);
    assert_eq!(cancel(world.socket(), context), SUCCESS);
    raw.send(0x17, &[]);
    raw.receive(16 * 184);
    assert_eq!(raw.receive(8), words(&[0, CANCELLED]));
}

#[test]
fn many_changes_never_corrupt_a_conversation() {
    let (world, reader) = world();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (3..=6_u32)
            .map(|minor| {
                let (world, reader) = (&world, reader.as_str());
                scope.spawn(move || {
                    let mut raw = Raw::new(world.socket(), minor);
                    let context = raw.establish();
                    for round in 0..300 {
                        wait(&mut raw, minor);
                        if round % 3 == 0 {
                            stop(&mut raw, minor);
                        }
                        assert_eq!(raw.receive(8), EVENT, "4:{minor}");
                        if round % 7 == 0 {
                            let (_, _, rv) = raw.connect(context, reader, SHARED);
                            assert!([SUCCESS, 0x8010_000C].contains(&rv), "{rv:X}");
                        }
                    }
                })
            })
            .collect();
        while !clients.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            toggle(&world, &reader);
        }
    });
}
