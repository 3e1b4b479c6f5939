//! What everybody may see of a reader, and the bits that say it (`pcsclite.h`).

use super::{Interface, Protocol};

/// The most bytes that an answer to reset has in PC/SC.
pub const MAX_ATR: usize = 33;

/// One reader, as in pcsc-lite's `READER_STATE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderState {
    /// Full name, at most 127 bytes.
    pub name: String,
    /// Insertions and removals, modulo 2^16.
    pub event_counter: u16,
    /// [`ReaderState::ABSENT`] and so on.
    pub state: u32,
    /// 0, the number of handles, or [`ReaderState::EXCLUSIVE`].
    pub sharing: i32,
    /// The answer to reset; nothing without a card.
    pub atr: Vec<u8>,
    /// The card's protocol.
    pub protocol: Protocol,
    /// How the reader gives cards their power. PC/SC does not tell it; programs guess it from the answer to reset.
    pub interface: Interface,
    /// The card waits for a touch. PC/SC does not tell that either.
    pub waits_for_touch: bool,
}

impl ReaderState {
    /// The reader does not work.
    pub const UNKNOWN: u32 = 0x01;
    /// No card.
    pub const ABSENT: u32 = 0x02;
    /// A card.
    pub const PRESENT: u32 = 0x04;
    /// A card that does not answer.
    pub const SWALLOWED: u32 = 0x08;
    /// A card with power.
    pub const POWERED: u32 = 0x10;
    /// A card that is ready for the choice of a protocol, and for everything after it.
    pub const NEGOTIABLE: u32 = 0x20;
    /// All that stands for a card that can be used.
    pub const USABLE: u32 = Self::PRESENT | Self::POWERED | Self::NEGOTIABLE;
    /// All that stands for a card that does not answer.
    pub const MUTE: u32 = Self::PRESENT | Self::SWALLOWED;
    /// The value of `sharing` for a reader with one exclusive handle.
    pub const EXCLUSIVE: i32 = -1;
}

/// All readers at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The readers, in the order in which they were plugged in.
    pub readers: Vec<ReaderState>,
    /// Which moment: goes up with every change that a waiting client may want to hear of.
    pub change: u64,
    /// What GET_READER_EVENTS tells: 1, and one more for each reader plugged in or out.
    pub reader_events: u32,
}
