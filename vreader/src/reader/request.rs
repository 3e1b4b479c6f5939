//! What the numbers in a PC/SC call mean: sharing modes, protocols, dispositions (`winscard.h`, `pcsclite.h`).
//!
//! Numbers come from clients as they are; each type has the one function that makes it from a number or refuses, with
//! the return code that pcscd gives.

use super::ReturnCode;

/// How a handle shares its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShareMode {
    /// Nobody else may connect.
    Exclusive = 1,
    /// Others may connect, too.
    Shared = 2,
    /// Shared, with the reader rather than with the card: there need not be one.
    Direct = 3,
}

impl TryFrom<u32> for ShareMode {
    type Error = ReturnCode;

    fn try_from(mode: u32) -> Result<Self, ReturnCode> {
        match mode {
            1 => Ok(Self::Exclusive),
            2 => Ok(Self::Shared),
            3 => Ok(Self::Direct),
            _ => Err(ReturnCode::InvalidValue),
        }
    }
}

/// The protocol of a card, or that there is none yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Protocol {
    /// None was chosen since the card got power.
    #[default]
    Undefined = 0,
    /// T=0, by bytes.
    T0 = 1,
    /// T=1, by blocks.
    T1 = 2,
    /// No protocol: bytes as they are.
    Raw = 4,
}

impl Protocol {
    /// The bit that stands for it in masks and on the wire.
    pub const fn value(self) -> u32 {
        self as u32
    }
}

/// A set of protocols, as a caller gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Protocols(u32);

impl Protocols {
    /// The old name of "T=0 or T=1".
    pub const ANY_OLD: u32 = 0x1000;

    /// No protocol at all.
    pub const NONE: Self = Self(0);

    const KNOWN: u32 = Self::CARD | Protocol::Raw as u32;
    const CARD: u32 = Protocol::T0 as u32 | Protocol::T1 as u32;

    /// The set that a mask stands for. Unknown bits mean nothing.
    pub const fn from_mask(mask: u32) -> Self {
        let old = if mask & Self::ANY_OLD == 0 { 0 } else { Self::CARD };
        Self((mask & Self::KNOWN) | old)
    }

    /// Whether the set has this protocol.
    pub const fn contains(self, protocol: Protocol) -> bool {
        self.0 & protocol as u32 != 0
    }

    /// Whether there is nothing in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What both sets have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// What happens to the card when a handle or a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// Nothing.
    Leave = 0,
    /// A warm reset.
    Reset = 1,
    /// The power goes off.
    Unpower = 2,
    /// The reader ejects the card, if it can. Ours cannot, like every ordinary one.
    Eject = 3,
}

impl TryFrom<u32> for Disposition {
    type Error = ReturnCode;

    fn try_from(disposition: u32) -> Result<Self, ReturnCode> {
        match disposition {
            0 => Ok(Self::Leave),
            1 => Ok(Self::Reset),
            2 => Ok(Self::Unpower),
            3 => Ok(Self::Eject),
            _ => Err(ReturnCode::InvalidValue),
        }
    }
}

/// What happens to the card when a handle reconnects: as [`Disposition`], without Eject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Initialization {
    /// Nothing.
    Leave = 0,
    /// A warm reset.
    Reset = 1,
    /// The power goes off and on again.
    Unpower = 2,
}

impl TryFrom<u32> for Initialization {
    type Error = ReturnCode;

    fn try_from(initialization: u32) -> Result<Self, ReturnCode> {
        match initialization {
            0 => Ok(Self::Leave),
            1 => Ok(Self::Reset),
            2 => Ok(Self::Unpower),
            _ => Err(ReturnCode::InvalidValue),
        }
    }
}

/// The scopes of a context. They make no difference.
pub(super) fn check_scope(scope: u32) -> Result<(), ReturnCode> {
    // User, terminal, system, global.
    if scope <= 3 { Ok(()) } else { Err(ReturnCode::InvalidValue) }
}
