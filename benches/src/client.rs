//! A card as a PC/SC program has it, through libpcsclite, and the times of its answers.

use std::{
    ffi::CString,
    thread,
    time::{Duration, Instant},
};

use pcsc::{Card, Context, Disposition, Protocols, ReaderState, Scope, ShareMode, State};

use crate::microseconds;

/// Longest wait for something that must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A context; waits until somebody listens.
///
/// # Panics
/// If nobody does for half a minute.
pub fn context() -> Context {
    wait_for("a PC/SC service", || Context::establish(Scope::User).ok())
}

/// A card in a reader.
pub struct Client {
    card: Card,
    answer: Vec<u8>,
}

impl Client {
    /// Waits for the card in the reader of this name and connects to it.
    ///
    /// # Panics
    /// If there is no card in it for half a minute.
    pub fn connect(context: &Context, reader: &str) -> Self {
        let name = CString::new(reader).expect("the name has no NUL");
        let mut states = [ReaderState::new(name.clone(), State::UNAWARE)];
        wait_for("the card", || {
            states[0].sync_current_state();
            // A reader that is not there yet is an error, a card that is not there yet the end of the time.
            let _ = context.get_status_change(Duration::from_millis(100), &mut states);
            states[0].event_state().contains(State::PRESENT).then_some(())
        });
        let card =
            context.connect(&name, ShareMode::Shared, Protocols::ANY).expect("the card can be connected");
        Self { card, answer: vec![0; 8 * 1024] }
    }

    /// One command, its answer.
    ///
    /// # Panics
    /// If there is none.
    pub fn transmit(&mut self, command: &[u8]) -> &[u8] {
        self.card.transmit(command, &mut self.answer).expect("an answer")
    }

    /// How long one command takes, in microseconds.
    pub fn time(&mut self, command: &[u8]) -> f64 {
        let begin = Instant::now();
        self.transmit(command);
        microseconds(begin.elapsed())
    }

    /// Leaves the card as it is: a handle that is only dropped resets it, and other handles hear of that.
    ///
    /// # Panics
    /// If the service refuses.
    pub fn leave(self) {
        self.card.disconnect(Disposition::LeaveCard).map_err(|(_, error)| error).expect("a disconnect");
    }
}

/// Waits until something changes in a reader; returns its state then. `begun` is called just before.
///
/// # Panics
/// If nothing does for half a minute.
pub fn next_change(context: &Context, reader: &str, begun: impl FnOnce()) -> State {
    let name = CString::new(reader).expect("the name has no NUL");
    let mut states = [ReaderState::new(name, State::UNAWARE)];
    context.get_status_change(Duration::ZERO, &mut states).expect("the state");
    states[0].sync_current_state();
    begun();
    context.get_status_change(PATIENCE, &mut states).expect("a change");
    states[0].event_state()
}

/// Waits for a condition, looking often.
///
/// # Panics
/// If it does not come true for half a minute.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
