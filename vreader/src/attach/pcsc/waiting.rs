//! A client's wait for changes, and the one event that ends it.
//!
//! A wait is told of exactly once: with the 8-byte event, or with the answer to STOP_WAITING. Between the request and
//! the array of reader states that the client reads next, an event would be taken for a part of the array: it is kept
//! back until the array is written ([`Waiting::arm`]). That holds for cancelling, too, which another connection does.
//!
//! Events are sent by whichever thread makes the change, and never wait for the client.

use std::{
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustix::net::{SendFlags, send};

use super::structure::{Event, Structure};
use crate::reader::{Change, ReturnCode};

/// The wait of one connection.
pub(super) struct Waiting {
    stream: Arc<UnixStream>,
    state: Mutex<State>,
}

struct State {
    stage: Stage,
    /// Which wait this is: an event of an earlier one that comes late is not for this one.
    number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nobody waits.
    Idle,
    /// The client waits, and has not got its array yet.
    Arming {
        /// What is to be told after the array.
        due: Option<Change>,
    },
    /// The client waits for the event.
    Armed,
}

impl Waiting {
    pub(super) fn new(stream: Arc<UnixStream>) -> Self {
        Self { stream, state: Mutex::new(State { stage: Stage::Idle, number: 0 }) }
    }

    /// The client begins to wait; returns the number of its wait.
    pub(super) fn begin(&self) -> u64 {
        let mut state = self.lock();
        state.number += 1;
        state.stage = Stage::Arming { due: None };
        state.number
    }

    /// The client has all that it reads before the event; one that is due goes out now.
    pub(super) fn arm(&self) {
        let mut state = self.lock();
        match state.stage {
            Stage::Arming { due: Some(change) } => self.tell(&mut state, change),
            Stage::Arming { due: None } => state.stage = Stage::Armed,
            Stage::Idle | Stage::Armed => {}
        }
    }

    /// What the wait `number` was for has happened.
    pub(super) fn notify(&self, number: u64, change: Change) {
        let mut state = self.lock();
        if state.number != number {
            return;
        }
        match state.stage {
            Stage::Arming { due: None } => state.stage = Stage::Arming { due: Some(change) },
            Stage::Armed => self.tell(&mut state, change),
            // The first event is the one that counts.
            Stage::Arming { due: Some(_) } | Stage::Idle => {}
        }
    }

    /// The client stops waiting: whether it has to be answered, since no event was sent.
    pub(super) fn stop(&self) -> bool {
        let mut state = self.lock();
        std::mem::replace(&mut state.stage, Stage::Idle) != Stage::Idle
    }

    fn tell(&self, state: &mut State, change: Change) {
        state.stage = Stage::Idle;
        let rv = match change {
            Change::Happened => ReturnCode::SUCCESS,
            Change::Cancelled => ReturnCode::Cancelled.value(),
        };
        let event = Event { timeout: 0, rv }.bytes();
        let sent = send(&self.stream, &event, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        if sent != Ok(event.len()) {
            // The client is gone, or has let a whole buffer of answers lie: it cannot be told, and must not wait for ever.
            let _ = self.stream.shutdown(std::net::Shutdown::Both);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds this lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};

    use super::*;

    fn pair() -> (Waiting, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        (Waiting::new(Arc::new(ours)), theirs)
    }

    /// The return codes of the events that have arrived.
    fn events(theirs: &mut UnixStream) -> Vec<u32> {
        let mut bytes = Vec::new();
        let error = theirs.read_to_end(&mut bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let events: Vec<_> = bytes.chunks(8).map(|event| Event::parse(event.try_into().unwrap())).collect();
        assert!(events.iter().all(|event| event.timeout == 0));
        events.iter().map(|event| event.rv).collect()
    }

    #[test]
    fn one_wait_gets_one_event() {
        let (waiting, mut theirs) = pair();
        let number = waiting.begin();
        waiting.arm();
        assert!(events(&mut theirs).is_empty());
        waiting.notify(number, Change::Happened);
        waiting.notify(number, Change::Happened);
        assert_eq!(events(&mut theirs), [0]);
        assert!(!waiting.stop(), "the event is the answer");
        let number = waiting.begin();
        waiting.arm();
        waiting.notify(number, Change::Cancelled);
        assert_eq!(events(&mut theirs), [0x8010_0002]);
    }

    #[test]
    fn an_event_is_kept_back_until_the_array_is_written() {
        let (waiting, mut theirs) = pair();
        let number = waiting.begin();
        waiting.notify(number, Change::Happened);
        assert!(events(&mut theirs).is_empty());
        waiting.arm();
        assert_eq!(events(&mut theirs), [0]);
        waiting.arm();
        assert!(events(&mut theirs).is_empty());
    }

    #[test]
    fn a_stopped_wait_gets_no_event() {
        let (waiting, mut theirs) = pair();
        for due in [false, true] {
            let number = waiting.begin();
            if due {
                waiting.notify(number, Change::Happened);
            } else {
                waiting.arm();
            }
            assert!(waiting.stop());
            assert!(!waiting.stop());
            waiting.notify(number, Change::Happened);
            waiting.arm();
            assert!(events(&mut theirs).is_empty());
        }
    }

    #[test]
    fn an_event_of_an_earlier_wait_does_not_end_this_one() {
        let (waiting, mut theirs) = pair();
        let earlier = waiting.begin();
        assert!(waiting.stop());
        let number = waiting.begin();
        waiting.arm();
        waiting.notify(earlier, Change::Cancelled);
        assert!(events(&mut theirs).is_empty());
        waiting.notify(number, Change::Happened);
        assert_eq!(events(&mut theirs), [0]);
    }

    #[test]
    fn a_client_that_cannot_be_told_is_disconnected_without_waiting() {
        let (waiting, mut theirs) = pair();
        waiting.stream.set_nonblocking(true).unwrap();
        while (&*waiting.stream).write(&[0; 4096]).is_ok() {}
        waiting.stream.set_nonblocking(false).unwrap();
        let number = waiting.begin();
        waiting.arm();
        waiting.notify(number, Change::Happened);
        assert!(theirs.read_to_end(&mut Vec::new()).is_ok(), "the connection is closed");
    }
}
