//! Who wants to know everything that happens: the door for traces.

use std::time::Duration;

use zeroize::Zeroizing;

/// Somebody who is told what happens, in the order in which it happens, and never while a lock of the reader is held.
///
/// Commands hold PINs and keys: an observer that shows or keeps them must know what it does.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, event: &Event);
}

/// Something that happened in a reader.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// When, since the service was made.
    pub at: Duration,
    /// The reader's full name.
    pub reader: String,
    /// What.
    pub what: What,
}

/// What happened in a reader.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// The reader was plugged in.
    PluggedIn,
    /// The reader was unplugged.
    Unplugged,
    /// A card was put in.
    Inserted,
    /// The card was taken out.
    Removed,
    /// The card got power and answered with this ATR; nothing if it is mute.
    PoweredOn {
        /// The answer to reset.
        atr: Vec<u8>,
    },
    /// The card lost its power.
    PoweredOff,
    /// The card had a warm reset and answered with this ATR; nothing if it is mute.
    Reset {
        /// The answer to reset.
        atr: Vec<u8>,
    },
    /// A handle was opened.
    Connected {
        /// The handle's context.
        context: u32,
        /// The handle.
        handle: u32,
    },
    /// A handle was closed.
    Disconnected {
        /// The handle's context.
        context: u32,
        /// The handle.
        handle: u32,
    },
    /// A transaction began, or another one inside it.
    Began {
        /// The handle.
        handle: u32,
    },
    /// A transaction ended.
    Ended {
        /// The handle.
        handle: u32,
    },
    /// The card ran a command.
    Command {
        /// The handle's context.
        context: u32,
        /// The handle.
        handle: u32,
        /// The command, with all that is secret in it.
        command: Zeroizing<Vec<u8>>,
        /// The answer; nothing if the card left before it answered.
        answer: Option<Zeroizing<Vec<u8>>>,
        /// How long the card took.
        duration: Duration,
    },
    /// The card's code failed, and the card is gone: a defect of the card.
    Broken,
}
