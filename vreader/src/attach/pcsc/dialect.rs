//! Versions of the protocol, and what differs between them.
//!
//! | minor | libpcsclite | WAIT and STOP carry | WAIT is answered at once with |
//! |---|---|---|---|
//! | 3 | 1.8.4 to 1.8.23 | 8 bytes | nothing |
//! | 4 | 1.8.24 to 2.2.3 | nothing | the array of reader states |
//! | 5 | 2.3.0 to 2.4.1 | nothing | the array of reader states |
//! | 6 | 2.5.0 and later | nothing | nothing; the client asks for size and array |
//!
//! Clients up to 2.4.0 accept only their own version, later ones adopt the version that is answered. So every version
//! is answered with itself, and each connection keeps its own.

use super::structure::{Event, Structure, Version};

/// The major version of all of them.
const MAJOR: i32 = 4;
const OLDEST_MINOR: i32 = 3;
const NEWEST_MINOR: i32 = 6;

/// The version that one connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    minor: i32,
}

/// What follows a WAIT_READER_STATE_CHANGE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitAnswer {
    /// Nothing but, later, the event.
    Nothing,
    /// The array of reader states at once, then, later, the event.
    Array,
    /// The client asks for size and array; the event may come only after the array.
    OnRequest,
}

impl Dialect {
    /// What a connection speaks until it says what: an SCardCancel never says it.
    pub(super) const UNTOLD: Self = Self { minor: 4 };

    /// The dialect for the version that a client offers, or `None` for one that this server does not speak.
    pub(super) fn of(offered: &Version) -> Option<Self> {
        let known = offered.major == MAJOR && (OLDEST_MINOR..=NEWEST_MINOR).contains(&offered.minor);
        known.then_some(Self { minor: offered.minor })
    }

    /// The version that is answered when there is no agreement: libpcsclite 2.4.1 and later adopts it.
    pub(super) const NEWEST: (i32, i32) = (MAJOR, NEWEST_MINOR);

    /// Size of the body of WAIT_READER_STATE_CHANGE and STOP_WAITING.
    pub(super) fn wait_size(self) -> usize {
        if self.minor == OLDEST_MINOR { Event::SIZE } else { 0 }
    }

    /// What follows a WAIT_READER_STATE_CHANGE.
    pub(super) fn wait_answer(self) -> WaitAnswer {
        match self.minor {
            3 => WaitAnswer::Nothing,
            4 | 5 => WaitAnswer::Array,
            _ => WaitAnswer::OnRequest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialects_are_those_of_the_table() {
        let table = [
            (3, 8, WaitAnswer::Nothing),
            (4, 0, WaitAnswer::Array),
            (5, 0, WaitAnswer::Array),
            (6, 0, WaitAnswer::OnRequest),
        ];
        for (minor, size, answer) in table {
            let dialect = Dialect::of(&Version { major: 4, minor, rv: 0 }).unwrap();
            assert_eq!((dialect.wait_size(), dialect.wait_answer()), (size, answer), "4:{minor}");
        }
    }

    #[test]
    fn other_versions_are_not_spoken() {
        for (major, minor) in [(4, 2), (4, 7), (4, -1), (3, 4), (5, 4), (i32::MAX, i32::MIN)] {
            assert_eq!(Dialect::of(&Version { major, minor, rv: 0 }), None, "{major}:{minor}");
        }
    }
}
