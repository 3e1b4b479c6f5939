//! Clients among themselves: transactions, waiting, limits, death.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::reader::{Limits, Refusal, ReturnCode};

#[test]
fn a_transaction_is_handed_over_to_who_waits() {
    let service = world_with_card();
    let (mut first, handle) = connected(&service, SHARED);
    let (mut second, other) = connected(&service, SHARED);
    first.begin(handle).unwrap();
    let waiting = start(move || (second.begin(other), second));
    until_waiting(&service, 1);
    assert!(waiting.goes_on());
    first.end(handle, LEAVE).unwrap();
    let (begun, _second) = waiting.end();
    assert_eq!(begun, Ok(()));
    assert_eq!(first.status(handle), Err(ReturnCode::SharingViolation.into()));
}

#[test]
fn hand_overs_do_not_sleep() {
    const HAND_OVERS: u32 = 400;
    let service = world_with_card();
    let begin = Instant::now();
    let clients = [(); 2].map(|()| {
        let (mut client, handle) = connected(&service, SHARED);
        start(move || {
            for _ in 0..HAND_OVERS / 2 {
                client.begin(handle).unwrap();
                client.end(handle, LEAVE).unwrap();
            }
        })
    });
    clients.into_iter().for_each(Running::end);
    // pcscd takes 51 ms and more for one.
    assert!(begin.elapsed() / HAND_OVERS < Duration::from_millis(10), "{:?}", begin.elapsed());
}

#[test]
fn begin_gives_up_in_time_and_keeps_its_place() {
    let patience = Duration::from_millis(30);
    let service = world_with(Settings { begin_patience: patience, ..Settings::default() });
    service.insert(NAME, card()).unwrap();
    let (mut first, handle) = connected(&service, SHARED);
    let (mut second, other) = connected(&service, SHARED);
    first.begin(handle).unwrap();
    let begin = Instant::now();
    assert_eq!(second.begin(other), Err(ReturnCode::SharingViolation.into()));
    assert!(begin.elapsed() >= patience);
    assert_eq!(service.shared.sleepers(), 0);
    first.end(handle, LEAVE).unwrap();
    first.begin(handle).unwrap();
    first.end(handle, LEAVE).unwrap();
    second.begin(other).unwrap();
}

#[test]
fn sixty_four_clients_on_one_reader() {
    let service = Arc::new(world_with_card());
    let inside = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..64_u8)
        .map(|number| {
            let (service, inside) = (Arc::clone(&service), Arc::clone(&inside));
            start(move || {
                let (mut client, handle) = connected(&service, SHARED);
                for round in 0..10 {
                    while let Err(refusal) = client.begin(handle) {
                        // As the client library does, without its sleep.
                        assert_eq!(refusal, ReturnCode::SharingViolation.into());
                    }
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "alone in a transaction");
                    let command = [0x00, 0xB0, number, round];
                    let answer = client.transmit(handle, T1, &command, 6).unwrap();
                    assert_eq!(answer, [0x00, 0xB0, number, round, 0x90, 0x00]);
                    client.status(handle).unwrap();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    client.end(handle, LEAVE).unwrap();
                }
                client.disconnect(handle, LEAVE).unwrap();
            })
        })
        .collect();
    clients.into_iter().for_each(Running::end);
    assert_eq!(service.snapshot().readers[0].sharing, 0);
    assert_eq!(service.shared.sleepers(), 0);
}

#[test]
fn commands_outside_of_transactions_do_not_mix() {
    let service = Arc::new(world_with_card());
    let clients: Vec<_> = (0..8_u8)
        .map(|number| {
            let service = Arc::clone(&service);
            start(move || {
                let (mut client, handle) = connected(&service, SHARED);
                for round in 0..100 {
                    let answer = client.transmit(handle, T1, &[number, round], 100).unwrap();
                    assert_eq!(answer, [number, round, 0x90, 0x00]);
                }
            })
        })
        .collect();
    clients.into_iter().for_each(Running::end);
}

#[test]
fn a_death_in_a_transaction_lets_the_others_in() {
    let service = world_with_card();
    let (mut first, handle) = connected(&service, SHARED);
    first.begin(handle).unwrap();
    let mut second = service.client();
    let waiting = start(move || {
        let connection = connect(&mut second, SHARED);
        (second.begin(connection.handle), second)
    });
    until_waiting(&service, 1);
    drop(first);
    // The card is reset before the other connects, so that there is nothing to tell.
    assert_eq!(waiting.end().0, Ok(()));
}

#[test]
fn a_call_ends_when_there_is_nobody_to_wait_for() {
    let service = world_with_card();
    let (mut first, handle) = connected(&service, SHARED);
    first.begin(handle).unwrap();
    let alive = Arc::new(AtomicBool::new(true));
    let mut second = service.client();
    second.set_liveness({
        let alive = Arc::clone(&alive);
        move || alive.load(Ordering::SeqCst)
    });
    let context = second.establish(2).unwrap();
    let waiting = start(move || second.connect(context, DESK, SHARED, T1));
    until_waiting(&service, 1);
    alive.store(false, Ordering::SeqCst);
    assert_eq!(waiting.end(), Err(ReturnCode::Cancelled.into()));
    until_waiting(&service, 0);
    // It does not stand in anybody's way.
    first.end(handle, LEAVE).unwrap();
    connected(&service, SHARED).0.snapshot();
}

#[test]
fn limits() {
    let service = world();
    let mut client = service.client();
    let contexts: Vec<_> = (0..200).map(|_| client.establish(2).unwrap()).collect();
    assert_eq!(client.establish(2), Err(ReturnCode::NoMemory));
    assert_eq!(client.establish(4), Err(ReturnCode::InvalidValue));
    let connect = |client: &mut Client, context| client.connect(context, DESK, DIRECT, 0);
    let handles: Vec<_> = (0..200).map(|_| connect(&mut client, contexts[0]).unwrap().handle).collect();
    // The reader is full, and so is the context.
    assert_eq!(connect(&mut client, contexts[1]), Err(ReturnCode::NoMemory.into()));
    service.add_reader(ReaderSettings::new("Door")).unwrap();
    let door = |client: &mut Client, context| client.connect(context, b"Door 01 00", DIRECT, 0);
    assert_eq!(door(&mut client, contexts[0]), Err(ReturnCode::NoMemory.into()));
    door(&mut client, contexts[1]).unwrap();
    client.disconnect(handles[7], LEAVE).unwrap();
    door(&mut client, contexts[0]).unwrap();
    client.release(contexts[0]).unwrap();
    assert_eq!(service.snapshot().readers[0].sharing, 0);
    client.establish(0).unwrap();
    let numbers: std::collections::BTreeSet<_> = contexts.iter().chain(&handles).collect();
    assert_eq!(numbers.len(), 400, "numbers are unique");
    assert!(numbers.iter().all(|number| (1..=0x7FFF_FFFF).contains(*number)), "numbers are positive");
}

#[test]
fn the_numbers_are_repeatable() {
    let handles = [1, 1, 2].map(|seed| {
        let service = Service::new(Settings::default(), random::from_seed("service tests", seed));
        service.add_reader(ReaderSettings::new(NAME)).unwrap();
        connected(&service, DIRECT).1
    });
    assert_eq!(handles[0], handles[1]);
    assert_ne!(handles[0], handles[2]);
}

#[test]
fn small_buffers() {
    let service = world_with_card();
    let (mut client, handle) = connected(&service, SHARED);
    let too_small = |needed| Err(Refusal::InsufficientBuffer { needed });
    assert_eq!(client.transmit(handle, T1, &[1, 2, 3], 4), too_small(5));
    assert_eq!(client.transmit(handle, T1, &[1, 2, 3], 5).unwrap().len(), 5);
    assert_eq!(client.get_attrib(handle, 0x7FFF_0003, 10), too_small(11));
    assert_eq!(client.get_attrib(handle, 0x7FFF_0003, 11).unwrap(), b"Desk 00 00\0");
    assert_eq!(client.control(handle, 0x4200_0D48, &[], 5), too_small(6));
    assert_eq!(client.control(handle, 0x4200_0D48, &[], 6).unwrap().len(), 6);
    let refusal = client.transmit(handle, T1, &[1], 0).unwrap_err();
    assert_eq!((refusal.code(), refusal.needed()), (Some(ReturnCode::InsufficientBuffer), 3));
}

#[test]
fn limits_can_be_chosen() {
    let limits = Limits { readers: 2, contexts: 1, handles_per_context: 2, handles_per_reader: 1 };
    let service = world_with(Settings { limits, ..Settings::default() });
    service.add_reader(ReaderSettings::new("Door")).unwrap();
    assert!(service.add_reader(ReaderSettings::new("Gate")).is_err());
    let mut client = service.client();
    let context = client.establish(2).unwrap();
    assert_eq!(client.establish(2), Err(ReturnCode::NoMemory));
    client.connect(context, DESK, DIRECT, 0).unwrap();
    assert_eq!(client.connect(context, DESK, DIRECT, 0), Err(ReturnCode::NoMemory.into()));
    client.connect(context, b"Door 01 00", DIRECT, 0).unwrap();
}
