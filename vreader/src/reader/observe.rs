//! Who wants to know everything that happens: the door for traces.

use std::{sync::Arc, time::Duration};

use card_sim::refusal::Rule;
use zeroize::Zeroizing;

use super::ClientId;

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
    /// Who did it, if it was a client that told its name.
    pub client: Option<Arc<Peer>>,
    /// What.
    pub what: What,
}

/// The program at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name, as the system knows it.
    pub name: String,
    /// The number of its process.
    pub process: i32,
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
        /// Whose handle it is.
        client: ClientId,
        /// The handle.
        handle: u32,
    },
    /// A handle was closed.
    Disconnected {
        /// Whose handle it was.
        client: ClientId,
        /// The handle.
        handle: u32,
    },
    /// A transaction began, or another one inside it.
    Began {
        /// Whose handle it is.
        client: ClientId,
        /// The handle.
        handle: u32,
    },
    /// A transaction ended.
    Ended {
        /// Whose handle it is.
        client: ClientId,
        /// The handle.
        handle: u32,
    },
    /// The card ran a command.
    Command {
        /// Whose handle it is.
        client: ClientId,
        /// The handle.
        handle: u32,
        /// The command, with all that is secret in it.
        command: Zeroizing<Vec<u8>>,
        /// The answer; nothing if the card left or lost its power before it answered.
        answer: Option<Zeroizing<Vec<u8>>>,
        /// The rule that the command broke, if the card refused it and tells why.
        rule: Option<&'static Rule>,
        /// How long the card took.
        duration: Duration,
    },
    /// The card lost its power in the middle of the command before, as was ordered.
    Torn,
    /// The card's code failed, and the card is gone: a defect of the card.
    Broken,
}

impl What {
    /// Whose doing it was, if it was a client's.
    pub(super) fn client(&self) -> Option<ClientId> {
        match self {
            Self::Connected { client, .. }
            | Self::Disconnected { client, .. }
            | Self::Began { client, .. }
            | Self::Ended { client, .. }
            | Self::Command { client, .. } => Some(*client),
            _ => None,
        }
    }
}
