//! The real libpcsclite, through the `pcsc` crate. It reads the environment once in a process's life, so each test runs
//! itself again as a program under `vreader run`.

use std::{
    ffi::{CStr, CString},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use pcsc::{
    Attribute, Card, Context, Disposition, Error, PNP_NOTIFICATION, Protocol, Protocols, ReaderState, Scope,
    ShareMode, State, Status, ctl_code,
};

use crate::vreader::{Place, text};

/// Names the test that runs as the program.
const ROLE: &str = "VREADER_TEST_PROGRAM";

const SELECT: [u8; 10] = [0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08];
const READER: &CStr = c"vreader 00 00";
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `program` in a world with these options.
fn in_world(test: &str, options: &[&str], program: impl FnOnce()) {
    if std::env::var_os(ROLE).is_some_and(|role| role == test) {
        program();
        return;
    }
    let own_program = std::env::current_exe().unwrap();
    let place = Place::new();
    let words = [own_program.to_str().unwrap(), "--exact", &format!("libpcsclite::{test}"), "--nocapture"];
    let output =
        place.vreader(&[&["run"], options, &["--"], &words].concat()).env(ROLE, test).output().unwrap();
    let said = text(&output);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    place.is_clean();
}

fn ctl(words: &[&str]) {
    let status = Command::new(env!("CARGO_BIN_EXE_vreader")).arg("ctl").args(words).status();
    assert!(status.unwrap().success(), "{words:?}");
}

fn context() -> Context {
    Context::establish(Scope::User).expect("a context")
}

/// Waits until the state of a reader has `wanted`; how long it took.
fn wait_until(context: &Context, states: &mut [ReaderState], wanted: State) -> Duration {
    let begun = Instant::now();
    loop {
        for state in &mut *states {
            state.sync_current_state();
        }
        context.get_status_change(PATIENCE, states).expect("a change");
        if states[0].event_state().contains(wanted) {
            return begun.elapsed();
        }
    }
}

#[test]
fn a_card_is_selected_and_described() {
    in_world("a_card_is_selected_and_described", &["--empty", "--card", "piv"], || {
        let context = context();
        let names = context.list_readers_owned().unwrap();
        assert_eq!(names, [CString::from(READER), CString::from(c"vreader 01 00")]);
        let card = context.connect(READER, ShareMode::Shared, Protocols::ANY).unwrap();
        let mut buffer = [0; 300];
        let answer = card.transmit(&SELECT, &mut buffer).unwrap();
        assert_eq!((answer[0], &answer[answer.len() - 2..]), (0x61, &[0x90, 0x00][..]));
        let status = card.status2_owned().unwrap();
        assert_eq!(status.reader_names(), [CString::from(READER)]);
        assert_eq!(card.get_attribute_owned(Attribute::AtrString).unwrap(), status.atr());
        assert_eq!(card.get_attribute_owned(Attribute::VendorName).unwrap(), b"vreader\0");
        assert_eq!(card.get_attribute_owned(Attribute::VendorIfdSerialNo).unwrap(), b"VR000001\0");
        let empty = context.connect(c"vreader 01 00", ShareMode::Shared, Protocols::ANY);
        assert_eq!(empty.err(), Some(Error::NoSmartcard));
        assert_eq!(
            context.connect(c"another 00 00", ShareMode::Shared, Protocols::ANY).err(),
            Some(Error::UnknownReader)
        );
        assert_eq!(card.transmit(&SELECT, &mut [0; 4]), Err(Error::InsufficientBuffer));
        card.disconnect(Disposition::ResetCard).map_err(|(_, error)| error).unwrap();
    });
}

#[test]
fn insertion_and_removal_end_a_wait() {
    in_world("insertion_and_removal_end_a_wait", &[], || {
        let context = context();
        let mut states = [ReaderState::new(READER, State::UNAWARE)];
        context.get_status_change(Duration::ZERO, &mut states).unwrap();
        assert!(states[0].event_state().contains(State::PRESENT));
        for round in 0..5 {
            let mover = thread::spawn(|| {
                thread::sleep(Duration::from_millis(20));
                ctl(&["remove"]);
            });
            wait_until(&context, &mut states, State::EMPTY);
            mover.join().unwrap();
            ctl(&["insert"]);
            wait_until(&context, &mut states, State::PRESENT);
            assert_eq!(states[0].event_count(), 2 * round + 2);
        }
        let short = Duration::from_millis(50);
        states[0].sync_current_state();
        assert_eq!(context.get_status_change(short, &mut states), Err(Error::Timeout));
    });
}

#[test]
fn a_new_reader_ends_a_wait_for_readers() {
    in_world("a_new_reader_ends_a_wait_for_readers", &[], || {
        let context = context();
        let mut states = [ReaderState::new(PNP_NOTIFICATION(), State::UNAWARE)];
        let mover = thread::spawn(|| {
            thread::sleep(Duration::from_millis(50));
            ctl(&["add-reader", "Second", "--card", "piv"]);
        });
        wait_until(&context, &mut states, State::CHANGED);
        mover.join().unwrap();
        let names = context.list_readers_owned().unwrap();
        assert_eq!(names, [CString::from(READER), CString::from(c"Second 01 00")]);
    });
}

#[test]
fn a_wait_is_cancelled_by_another_thread() {
    in_world("a_wait_is_cancelled_by_another_thread", &[], || {
        let context = context();
        for _ in 0..20 {
            let waiting = context.clone();
            let waiter = thread::spawn(move || {
                let mut states = [ReaderState::new(READER, State::UNAWARE)];
                loop {
                    states[0].sync_current_state();
                    if let Err(error) = waiting.get_status_change(PATIENCE, &mut states) {
                        return error;
                    }
                }
            });
            while !waiter.is_finished() {
                // The library sends it only while a call waits.
                context.cancel().unwrap();
                thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(waiter.join().unwrap(), Error::Cancelled);
        }
    });
}

#[test]
fn transactions_of_many_contexts_take_turns() {
    in_world("transactions_of_many_contexts_take_turns", &[], || {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let context = context();
                    let mut card = context.connect(READER, ShareMode::Shared, Protocols::ANY).unwrap();
                    let mut buffer = [0; 300];
                    for _ in 0..50 {
                        let transaction = card.transaction().unwrap();
                        let answer = transaction.transmit(&SELECT, &mut buffer).unwrap();
                        assert!(answer.ends_with(&[0x90, 0x00]));
                        transaction.end(Disposition::LeaveCard).map_err(|(_, error)| error).unwrap();
                    }
                    // Dropped, a handle would reset the card, and the others would hear of it.
                    card.disconnect(Disposition::LeaveCard).map_err(|(_, error)| error).unwrap();
                });
            }
        });
    });
}

#[test]
fn a_card_that_is_taken_out_and_a_reset_are_told() {
    in_world("a_card_that_is_taken_out_and_a_reset_are_told", &[], || {
        let context = context();
        let mut card = context.connect(READER, ShareMode::Shared, Protocols::ANY).unwrap();
        ctl(&["reset"]);
        assert_eq!(card.transmit(&SELECT, &mut [0; 300]), Err(Error::ResetCard));
        card.reconnect(ShareMode::Shared, Protocols::ANY, Disposition::LeaveCard).unwrap();
        assert!(card.transmit(&SELECT, &mut [0; 300]).is_ok());
        ctl(&["remove"]);
        assert_eq!(card.transmit(&SELECT, &mut [0; 300]), Err(Error::RemovedCard));
        let gone = card.reconnect(ShareMode::Shared, Protocols::ANY, Disposition::LeaveCard);
        assert_eq!(gone, Err(Error::NoSmartcard));
        ctl(&["insert"]);
        card.reconnect(ShareMode::Shared, Protocols::ANY, Disposition::LeaveCard).unwrap();
    });
}

#[test]
fn an_exclusive_handle_keeps_others_out() {
    in_world("an_exclusive_handle_keeps_others_out", &[], || {
        let (first, second) = (context(), context());
        let card = first.connect(READER, ShareMode::Exclusive, Protocols::ANY).unwrap();
        let other = second.connect(READER, ShareMode::Shared, Protocols::ANY);
        assert_eq!(other.err(), Some(Error::SharingViolation));
        drop(card);
        second.connect(READER, ShareMode::Shared, Protocols::ANY).unwrap();
    });
}

#[test]
fn a_reader_without_a_card_answers_directly() {
    in_world("a_reader_without_a_card_answers_directly", &["--empty"], || {
        let context = context();
        let reader = context.connect(READER, ShareMode::Direct, Protocols::UNDEFINED).unwrap();
        let status = reader.status2_owned().unwrap();
        assert!(status.status().contains(Status::ABSENT) && status.protocol2().is_none());
        let mut buffer = [0; 264];
        // PC/SC part 10, 2.2: a feature is its tag, 04, and the control code that it has, most significant byte first.
        let features = reader.control(ctl_code(3400), &[], &mut buffer).unwrap().to_vec();
        let [0x12, 0x04, code @ ..] = features.as_slice() else { panic!("{features:02X?}") };
        let properties = u32::from_be_bytes(code.try_into().unwrap()).into();
        // 2.6.14: property 0A, dwMaxAPDUDataSize, least significant byte first.
        let properties = reader.control(properties, &[], &mut buffer).unwrap();
        assert!(properties.windows(6).any(|property| property == [0x0A, 0x04, 0x00, 0x00, 0x01, 0x00]));
        assert_eq!(reader.control(ctl_code(1), &[0x01], &mut buffer), Err(Error::UnsupportedFeature));
        assert_eq!(reader.set_attribute(Attribute::AtrString, &[0x3B]), Err(Error::UnsupportedFeature));
    });
}

#[test]
fn transactions_end_as_they_are_told_to() {
    in_world("transactions_end_as_they_are_told_to", &[], || {
        let (first, second) = (context(), context());
        let mut card = first.connect(READER, ShareMode::Shared, Protocols::ANY).unwrap();
        let mut other = second.connect(READER, ShareMode::Shared, Protocols::T1).unwrap();
        let protocol = |card: &Card| card.status2_owned().unwrap().protocol2();
        assert_eq!([protocol(&card), protocol(&other)], [Some(Protocol::T1); 2]);
        // Dropped, a transaction leaves the card as it is.
        drop(card.transaction().unwrap());
        assert!(other.transmit(&SELECT, &mut [0; 300]).is_ok());
        let transaction = card.transaction().unwrap();
        transaction.end(Disposition::ResetCard).map_err(|(_, error)| error).unwrap();
        for handle in [&mut card, &mut other] {
            assert_eq!(handle.transmit(&SELECT, &mut [0; 300]), Err(Error::ResetCard));
            handle.reconnect(ShareMode::Shared, Protocols::ANY, Disposition::LeaveCard).unwrap();
            assert!(handle.transmit(&SELECT, &mut [0; 300]).is_ok());
        }
        let mismatch = second.connect(READER, ShareMode::Shared, Protocols::T0);
        assert_eq!(mismatch.err(), Some(Error::ProtoMismatch));
    });
}

#[test]
fn a_context_ends_when_nobody_uses_it() {
    in_world("a_context_ends_when_nobody_uses_it", &[], || {
        let context = context();
        assert_eq!(context.is_valid(), Ok(()));
        let card = context.connect(READER, ShareMode::Shared, Protocols::ANY).unwrap();
        let (context, error) = context.release().unwrap_err();
        assert_eq!(error, Error::CantDispose, "the card holds it");
        drop(card);
        context.release().map_err(|(_, error)| error).unwrap();
        ctl(&["remove-reader"]);
        let context = self::context();
        assert_eq!(context.list_readers_owned().unwrap(), Vec::<CString>::new());
        let mut states = [ReaderState::new(READER, State::UNAWARE)];
        assert_eq!(context.get_status_change(Duration::ZERO, &mut states), Err(Error::UnknownReader));
    });
}
