//! Cards that take their time, leave in the middle of a command, or fail.

use super::*;
use crate::reader::tests::Gate;
use crate::reader::{ManageError, ReaderState, ReturnCode};

/// A client whose command is at the gate.
fn at_the_gate(service: &Service, gate: &Gate) -> Running<(Result<Vec<u8>, crate::reader::Refusal>, Client)> {
    service.insert(NAME, TestCard::behind(gate).boxed()).unwrap();
    let (mut client, handle) = connected(service, SHARED);
    let running = start(move || (client.transmit(handle, T1, &[0xC0], 10), client));
    gate.wait_for(1);
    running
}

#[test]
fn a_slow_card_delays_only_those_who_want_it() {
    let service = world();
    let gate = Gate::default();
    let slow = at_the_gate(&service, &gate);
    // The same reader, without its card.
    let (mut client, handle) = connected(&service, SHARED);
    client.status(handle).unwrap();
    client.get_attrib(handle, 0x0009_0303, 33).unwrap();
    client.control(handle, 0x4200_0D48, &[], 100).unwrap();
    client.begin(handle).unwrap();
    client.end(handle, LEAVE).unwrap();
    assert_eq!(service.snapshot().readers[0].sharing, 2);
    // Another reader.
    service.add_reader(ReaderSettings::new("Door")).unwrap();
    service.insert("Door", card()).unwrap();
    let mut other = service.client();
    let context = other.establish(2).unwrap();
    let door = other.connect(context, b"Door 01 00", SHARED, T1).unwrap();
    other.transmit(door.handle, T1, &[1], 10).unwrap();
    // Only the card itself has to be waited for.
    let waiting = start(move || (client.transmit(handle, T1, &[0xC1], 10), client));
    until_waiting(&service, 1);
    assert!(slow.goes_on() && waiting.goes_on());
    gate.open_once();
    assert_eq!(slow.end().0.unwrap(), [0xC0, 0x90, 0x00]);
    gate.open_once();
    assert_eq!(waiting.end().0.unwrap(), [0xC1, 0x90, 0x00]);
}

#[test]
fn a_removal_during_a_command_is_seen_at_once() {
    let service = std::sync::Arc::new(world());
    let gate = Gate::default();
    let slow = at_the_gate(&service, &gate);
    let (mut client, handle) = connected(&service, SHARED);
    let removal = start({
        let service = std::sync::Arc::clone(&service);
        move || service.remove(NAME)
    });
    until("the card is seen to leave", || service.snapshot().readers[0].state == ReaderState::ABSENT);
    assert_eq!(client.status(handle), Err(ReturnCode::RemovedCard.into()));
    assert!(removal.goes_on(), "the card is still busy");
    // Another card can come meanwhile.
    service.insert(NAME, card()).unwrap();
    client.reconnect(handle, SHARED, T1, LEAVE).unwrap();
    assert_eq!(client.transmit(handle, T1, &[7], 10).unwrap(), [7, 0x90, 0x00]);
    gate.open_once();
    let (answer, mut slow) = slow.end();
    assert_eq!(answer, Err(ReturnCode::NoSmartcard.into()));
    let card = removal.end().unwrap();
    // The card can be used again.
    service.swap(NAME, card).unwrap();
    gate.open_once();
    let connection = connect(&mut slow, SHARED);
    assert_eq!(slow.transmit(connection.handle, T1, &[8], 10).unwrap(), [8, 0x90, 0x00]);
}

#[test]
fn swapping_and_unplugging_during_a_command() {
    let service = std::sync::Arc::new(world());
    let gate = Gate::default();
    let slow = at_the_gate(&service, &gate);
    let swap = start({
        let service = std::sync::Arc::clone(&service);
        move || service.swap(NAME, card())
    });
    until("the card is swapped", || service.snapshot().readers[0].event_counter == 3);
    assert_eq!(service.snapshot().readers[0].state, ReaderState::USABLE);
    gate.open_once();
    assert_eq!(slow.end().0, Err(ReturnCode::NoSmartcard.into()));
    assert!(swap.end().unwrap().is_some());
    drop(service.remove(NAME));

    let gate = Gate::default();
    let slow = at_the_gate(&service, &gate);
    let unplugging = start({
        let service = std::sync::Arc::clone(&service);
        move || service.remove_reader(NAME)
    });
    until("the reader is gone", || service.snapshot().readers.is_empty());
    gate.open_once();
    assert_eq!(slow.end().0, Err(ReturnCode::NoSmartcard.into()));
    assert!(unplugging.end().unwrap().is_some());
}

#[test]
fn a_card_whose_code_fails_is_gone_and_all_else_goes_on() {
    let service = world_with_card();
    let (mut client, handle) = connected(&service, SHARED);
    let (mut other, another) = connected(&service, SHARED);
    let failed = client.transmit(handle, T1, &[TestCard::FATAL], 10);
    assert_eq!(failed, Err(ReturnCode::NotTransacted.into()));
    assert_eq!(service.snapshot().readers[0].state, ReaderState::ABSENT);
    assert_eq!(other.status(another), Err(ReturnCode::RemovedCard.into()));
    assert_eq!(service.remove(NAME).err(), Some(ManageError::Empty("Desk 00 00".into())));
    service.insert(NAME, card()).unwrap();
    other.reconnect(another, SHARED, T1, LEAVE).unwrap();
    other.transmit(another, T1, &[1], 10).unwrap();
}

#[test]
fn a_card_that_fails_after_its_removal() {
    let service = std::sync::Arc::new(world());
    let gate = Gate::default();
    service.insert(NAME, TestCard::behind(&gate).failing_after_the_gate().boxed()).unwrap();
    let (mut client, handle) = connected(&service, SHARED);
    let running = start(move || client.transmit(handle, T1, &[1], 10));
    gate.wait_for(1);
    let removal = start({
        let service = std::sync::Arc::clone(&service);
        move || service.remove(NAME)
    });
    until("the card is seen to leave", || service.snapshot().readers[0].state == ReaderState::ABSENT);
    gate.open_once();
    assert_eq!(running.end(), Err(ReturnCode::NotTransacted.into()));
    assert_eq!(removal.end().err(), Some(ManageError::Broken));
}

#[test]
fn resets_wait_for_commands() {
    let service = std::sync::Arc::new(world());
    let gate = Gate::default();
    let slow = at_the_gate(&service, &gate);
    let reset = start({
        let service = std::sync::Arc::clone(&service);
        move || service.reset(NAME)
    });
    let (mut client, handle) = connected(&service, SHARED);
    let reconnect = start(move || (client.reconnect(handle, SHARED, T1, RESET), client));
    until_waiting(&service, 2);
    gate.open_once();
    assert!(slow.end().0.is_ok());
    reset.end().unwrap();
    assert_eq!(reconnect.end().0, Ok(Protocol::T1));
}

#[test]
fn an_unused_card_loses_its_power_without_any_call() {
    let service = world_with(Settings { auto_power_off: AutoPowerOff::Quick, ..Settings::default() });
    let card = TestCard::new(TestCard::T1);
    let diary = card.diary();
    service.insert(NAME, card.boxed()).unwrap();
    let begin = Instant::now();
    until("the power is off", || *diary.lock().unwrap() == ["on", "off"]);
    assert!(begin.elapsed() >= Duration::from_millis(550), "not before its time: {:?}", begin.elapsed());
    assert_eq!(service.snapshot().readers[0].state, ReaderState::USABLE);
    assert_eq!(service.shared.next_timer(), None, "nothing more to wait for");
    // Used, and unused again.
    let (mut client, handle) = connected(&service, SHARED);
    assert_eq!(service.shared.next_timer(), None, "a used card keeps its power");
    client.disconnect(handle, LEAVE).unwrap();
    assert!(service.shared.next_timer().is_some());
    until("the power is off again", || *diary.lock().unwrap() == ["on", "off", "on", "off"]);
}

#[test]
fn a_busy_card_keeps_its_power_and_the_timer_sleeps() {
    let service = world_with(Settings { auto_power_off: AutoPowerOff::Quick, ..Settings::default() });
    let gate = Gate::default();
    let card = TestCard::behind(&gate);
    let diary = card.diary();
    service.insert(NAME, card.boxed()).unwrap();
    // A direct handle does not end the time that the card has.
    let (mut client, handle) = connected(&service, DIRECT);
    let running = start(move || (client.transmit(handle, 4, &[1], 10), client));
    gate.wait_for(1);
    until("the card is busy", || service.snapshot().readers[0].sharing == 1);
    assert_eq!(service.shared.next_timer(), None);
    gate.open_once();
    assert!(running.end().0.is_ok());
    until("the power is off", || diary.lock().unwrap().last().is_some_and(|entry| entry == "off"));
}

#[test]
fn a_closed_service_drops_its_cards() {
    let service = world();
    let card = TestCard::new(TestCard::T1);
    let diary = card.diary();
    service.insert(NAME, card.boxed()).unwrap();
    let (mut client, handle) = connected(&service, EXCLUSIVE);
    service.close();
    assert_eq!(*diary.lock().unwrap(), ["on", "off"]);
    assert_eq!(std::sync::Arc::strong_count(&diary), 1, "the card is gone");
    assert_eq!(client.transmit(handle, T1, &[1], 10), Err(ReturnCode::ServiceStopped.into()));
    assert_eq!(client.establish(2), Err(ReturnCode::ServiceStopped));
}

#[test]
fn a_card_that_is_busy_when_the_service_closes() {
    let service = world();
    let gate = Gate::default();
    let slow = at_the_gate(&service, &gate);
    let (mut client, handle) = connected(&service, SHARED);
    let waiting = start(move || client.transmit(handle, T1, &[1], 10));
    until_waiting(&service, 1);
    drop(service);
    assert_eq!(waiting.end(), Err(ReturnCode::ServiceStopped.into()));
    gate.open_once();
    assert_eq!(slow.end().0, Err(ReturnCode::NoSmartcard.into()));
}
