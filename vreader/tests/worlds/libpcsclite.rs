//! The real libpcsclite, through the `pcsc` crate. It reads the environment once in a process's life, so each test runs
//! itself again as a program under `vreader run`.

use std::{
    ffi::{CStr, CString},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use pcsc::{
    Attribute, Context, Disposition, Error, PNP_NOTIFICATION, Protocols, ReaderState, Scope, ShareMode, State,
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
