//! Readers that come and go, and what hands do to them.

use std::sync::Arc;

use super::*;
use crate::reader::{Interface, ManageError, PinPad, ReaderState, Refusal, ReturnCode};

fn names(service: &Service) -> Vec<String> {
    service.snapshot().readers.into_iter().map(|reader| reader.name).collect()
}

#[test]
fn names_are_numbered_and_numbers_used_again() {
    let service = world();
    assert_eq!(service.add_reader(ReaderSettings::new("Desk")).unwrap(), "Desk 01 00");
    assert_eq!(
        service.add_reader(ReaderSettings::new("Yubico YubiKey OTP+FIDO+CCID")).unwrap().split_at(28).1,
        " 02 00"
    );
    service.remove_reader("Desk 00 00").unwrap();
    assert_eq!(service.add_reader(ReaderSettings::new("Door")).unwrap(), "Door 00 00");
    assert_eq!(names(&service), ["Desk 01 00", "Yubico YubiKey OTP+FIDO+CCID 02 00", "Door 00 00"]);
    assert_eq!(service.snapshot().reader_events, 6);
}

#[test]
fn names_that_are_none() {
    let service = world();
    let long = "x".repeat(121);
    assert_eq!(service.add_reader(ReaderSettings::new(&*long)).unwrap().len(), 127);
    for name in ["", "a\0b", "a\nb", &*"x".repeat(122)] {
        let refused = service.add_reader(ReaderSettings::new(name));
        assert_eq!(refused, Err(ManageError::BadName(name.into())));
    }
    for _ in 2..16 {
        service.add_reader(ReaderSettings::new("Desk")).unwrap();
    }
    assert_eq!(service.add_reader(ReaderSettings::new("Desk")), Err(ManageError::TooManyReaders(16)));
}

#[test]
fn readers_are_found_by_full_and_by_given_name() {
    let service = world();
    service.insert("Desk", card()).unwrap();
    service.remove("Desk 00 00").unwrap();
    service.add_reader(ReaderSettings::new("Desk")).unwrap();
    let error = service.insert("Desk", card()).unwrap_err().error;
    assert_eq!(
        error.to_string(),
        "several readers are called \"Desk\"; say which: there are: Desk 00 00, Desk 01 00"
    );
    service.insert("Desk 01 00", card()).unwrap();
    let error = service.remove("Shelf").err().unwrap();
    assert_eq!(error.to_string(), "there is no reader \"Shelf\"; there are: Desk 00 00, Desk 01 00");
}

#[test]
fn a_refused_card_comes_back() {
    let service = world_with_card();
    let mine = TestCard::new(TestCard::T0);
    let diary = mine.diary();
    let refused = service.insert(NAME, mine.boxed()).unwrap_err();
    assert_eq!(refused.error, ManageError::Occupied("Desk 00 00".into()));
    let refused = service.insert("Shelf", refused.card).unwrap_err();
    let refused = service.swap("Shelf", refused.card).err().unwrap();
    let refused = service.add_reader_with(ReaderSettings::new(""), refused.card).unwrap_err();
    assert!(diary.lock().unwrap().is_empty(), "nobody touched it");
    let former = service.swap(NAME, refused.card).unwrap();
    assert!(former.is_some());
    assert_eq!(*diary.lock().unwrap(), ["on"]);
    assert_eq!(service.snapshot().readers[0].atr, TestCard::T0);
}

#[test]
fn a_card_that_is_turned_over_is_one_that_leaves_and_comes() {
    let service = world();
    let mine = TestCard::new(TestCard::T1);
    let diary = mine.diary();
    service.insert(NAME, mine.boxed()).unwrap();
    assert!(service.set_interface(NAME, Interface::Contact).unwrap().is_none(), "nothing happens");
    let in_hand = service.set_interface(NAME, Interface::Contactless).unwrap().unwrap();
    let state = service.snapshot().readers.remove(0);
    assert_eq!((state.interface, state.event_counter), (Interface::Contactless, 2));
    service.insert(NAME, in_hand).unwrap();
    assert_eq!(*diary.lock().unwrap(), ["on", "off", "on, contactless"]);
    assert!(service.set_interface("Shelf", Interface::Contact).is_err());
}

#[test]
fn a_card_that_is_there_from_the_start_is_no_event() {
    let service = world();
    let name = service.add_reader_with(ReaderSettings::new("Door"), card()).unwrap();
    let door = service.snapshot().readers.pop().unwrap();
    assert_eq!((door.event_counter, door.state, door.name), (0, ReaderState::USABLE, name));
    drop(service.remove("Door").unwrap());
    assert_eq!(service.snapshot().readers[1].event_counter, 1);
}

#[test]
fn counters_wrap() {
    let service = world();
    service.insert(NAME, card()).unwrap();
    assert_eq!(service.snapshot().readers[0].event_counter, 1);
    service.remove(NAME).unwrap();
    assert_eq!(service.snapshot().readers[0].event_counter, 2);
    for _ in 1..0x8000 {
        service.insert(NAME, card()).unwrap();
        service.remove(NAME).unwrap();
    }
    assert_eq!(service.snapshot().readers[0].event_counter, 0, "modulo 2^16");
    for _ in 1..0x7FFF / 2 {
        service.add_reader(ReaderSettings::new("Door")).unwrap();
        service.remove_reader("Door").unwrap();
    }
    assert_eq!(service.snapshot().reader_events, 0x7FFE);
    service.add_reader(ReaderSettings::new("Door")).unwrap();
    assert_eq!(service.snapshot().reader_events, 0x7FFF);
    service.remove_reader("Door").unwrap();
    assert_eq!(service.snapshot().reader_events, 1, "as a signed 16-bit number that starts at 1 again");
}

#[test]
fn readers_come_and_go_under_clients() {
    let service = Arc::new(world_with_card());
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let service = Arc::clone(&service);
            start(move || {
                let mut client = service.client();
                let context = client.establish(2).unwrap();
                let mut answers = 0;
                while answers < 50 {
                    // What may happen to who uses a reader that comes and goes.
                    let usual = |refusal: Refusal| {
                        let code = refusal.code().expect("the handle is this client's");
                        assert!(
                            matches!(
                                code,
                                ReturnCode::UnknownReader
                                    | ReturnCode::NoSmartcard
                                    | ReturnCode::RemovedCard
                                    | ReturnCode::ReaderUnavailable
                                    | ReturnCode::InvalidValue
                            ),
                            "{code}"
                        );
                    };
                    let handle = match client.connect(context, DESK, SHARED, T1) {
                        Ok(connection) => connection.handle,
                        Err(refusal) => {
                            usual(refusal);
                            continue;
                        }
                    };
                    let done = client.begin(handle).and_then(|()| {
                        client.transmit(handle, T1, &[1], 10)?;
                        client.end(handle, LEAVE)
                    });
                    match done {
                        Ok(()) => answers += 1,
                        Err(refusal) => usual(refusal),
                    }
                    client.disconnect(handle, LEAVE).unwrap();
                }
            })
        })
        .collect();
    let hands = start({
        let service = Arc::clone(&service);
        move || {
            for _ in 0..100 {
                let card = service.remove_reader(NAME).unwrap();
                service.add_reader(ReaderSettings::new(NAME)).unwrap();
                service.insert(NAME, card.unwrap()).unwrap();
            }
        }
    });
    hands.end();
    clients.into_iter().for_each(Running::end);
    assert_eq!(service.snapshot().readers[0].sharing, 0);
}

#[test]
fn a_key_pad_can_come_later() {
    let service = world_with_card();
    let (mut client, handle) = connected(&service, SHARED);
    let features = |client: &mut Client| client.control(handle, 0x4200_0D48, &[], 100).unwrap().len();
    assert_eq!(features(&mut client), 6);
    service.set_pin_pad(NAME, Some(PinPad::new("123456"))).unwrap();
    assert_eq!(features(&mut client), 24);
    service.set_pin_pad(NAME, None).unwrap();
    assert_eq!(features(&mut client), 6);
}

/// Refuses to change PINs, if it is so.
struct Stubborn(bool);

impl InsertedCard for Stubborn {
    fn atr(&self) -> &[u8] {
        TestCard::T1
    }
    fn power_on(&mut self, _: Interface) {}
    fn power_off(&mut self) {}
    fn reset(&mut self) {}
    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        let is_change = command.get(1) == Some(&0x24);
        if self.0 && is_change { vec![0x69, 0x82] } else { [command, &[0x90, 0x00]].concat() }
    }
}

#[test]
fn a_new_pin_is_remembered_when_the_card_agrees() {
    // ASCII digits at the beginning of the data field, 6 to 8; the two PINs 8 bytes apart.
    let verify =
        hex::decode(concat!("0000820000080602000000", "00000000", "0D000000", "0020008008FFFFFFFFFFFFFFFF"));
    let modify = hex::decode(concat!(
        "00008200000008080603020000000000",
        "00000000",
        "15000000",
        "0024008010FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
    ));
    let (verify, modify) = (verify.unwrap(), modify.unwrap());
    for (stubborn, changed, afterwards) in [
        (false, "0024008010313233343536FFFF363534333231FFFF9000", "0020008008363534333231FFFF9000"),
        (true, "6982", "0020008008313233343536FFFF9000"),
    ] {
        let service = world();
        service.insert(NAME, Box::new(Stubborn(stubborn))).unwrap();
        service.set_pin_pad(NAME, Some(PinPad::new("123456").with_new_pin("654321"))).unwrap();
        let (mut client, handle) = connected(&service, SHARED);
        let mut ask =
            |code, input: &[u8]| hex::encode_upper(client.control(handle, code, input, 100).unwrap());
        assert_eq!(ask(0x4233_0006, &verify), "0020008008313233343536FFFF9000");
        assert_eq!(ask(0x4233_0007, &modify), changed);
        assert_eq!(ask(0x4233_0006, &verify), afterwards);
    }
}
