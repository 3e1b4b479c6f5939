//! PIN, PUK, Global PIN and enrolled fingers: their formats, counters, comparison and change.
//!
//! Follows SP 800-73-5 part 2, 2.4.3 (formats) and 3.2.1 to 3.2.3 (counters). Promise: a try is spent, in a
//! transaction of its own, before anything is compared; a comparison takes the same time wherever the values differ.

use heapless::Vec;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    on_card_comparison,
    refusal::{Refusal, rules},
    store::{Record, Store, StoreError, Update},
};

/// Length of a PIN or PUK in bytes, padding included.
pub const LENGTH: usize = 8;

/// Reference data that is compared with what a holder presents (SP 800-73-5 part 1, table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// `00`: the PIN that all applications of the card share.
    GlobalPin,
    /// `80`: the PIN of the PIV application.
    PivPin,
    /// `81`: the PIN unblocking key.
    Puk,
    /// `96`: the primary finger of on-card comparison.
    PrimaryFinger,
    /// `97`: the secondary finger.
    SecondaryFinger,
}

impl Reference {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::GlobalPin, Self::PivPin, Self::Puk, Self::PrimaryFinger, Self::SecondaryFinger];

    /// The reference with this byte.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0x00 => Self::GlobalPin,
            0x80 => Self::PivPin,
            0x81 => Self::Puk,
            0x96 => Self::PrimaryFinger,
            0x97 => Self::SecondaryFinger,
            _ => return None,
        })
    }

    /// The byte that stands for it in commands.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::GlobalPin => 0x00,
            Self::PivPin => 0x80,
            Self::Puk => 0x81,
            Self::PrimaryFinger => 0x96,
            Self::SecondaryFinger => 0x97,
        }
    }

    /// Whether a finger is compared, by [`on_card_comparison`].
    pub const fn is_finger(self) -> bool {
        matches!(self, Self::PrimaryFinger | Self::SecondaryFinger)
    }

    /// Whether `data` has the format of this reference: a PIN is 6 to 8 digits padded with `FF`; a PUK is any
    /// eight bytes (part 2, 2.4.3); a finger is a list of minutiae.
    pub fn is_well_formed(self, data: &[u8]) -> bool {
        if self.is_finger() {
            return on_card_comparison::is_well_formed(data);
        }
        let Ok(data) = <&[u8; LENGTH]>::try_from(data) else { return false };
        match self {
            Self::GlobalPin | Self::PivPin => {
                let digits = data.iter().take_while(|byte| byte.is_ascii_digit()).count();
                digits >= 6 && data.iter().skip(digits).all(|byte| *byte == 0xFF)
            }
            _ => true,
        }
    }
}

/// A PIN as bytes for the card: padded with `FF` to eight. `None` if it is not 6 to 8 digits.
pub fn pad_pin(pin: &str) -> Option<Zeroizing<[u8; LENGTH]>> {
    let mut padded = Zeroizing::new([0xFF; LENGTH]);
    padded.get_mut(..pin.len())?.copy_from_slice(pin.as_bytes());
    Reference::PivPin.is_well_formed(padded.as_slice()).then_some(padded)
}

/// Reference data in the form of its record: number of tries, then what is compared.
pub(crate) struct ReferenceRecord(Zeroizing<Vec<u8, RECORD_CAPACITY>>);

const RECORD_CAPACITY: usize = on_card_comparison::MAX_LENGTH.saturating_add(1);

impl ReferenceRecord {
    /// The record of a well-formed value.
    pub(crate) fn new(tries: u8, value: &[u8]) -> Self {
        let mut bytes = Zeroizing::new(Vec::new());
        // The longest well-formed value, a finger, fits with its number of tries.
        let _ = bytes.push(tries);
        let _ = bytes.extend_from_slice(value);
        Self(bytes)
    }

    fn load(store: &impl Store, reference: Reference) -> Result<Option<Self>, StoreError> {
        let mut bytes = Zeroizing::new(Vec::<u8, RECORD_CAPACITY>::new());
        if !store.read(Record::ReferenceData(reference), &mut *bytes)? {
            return Ok(None);
        }
        let record = Self(bytes);
        let whole = if reference.is_finger() {
            on_card_comparison::is_well_formed(record.value())
        } else {
            record.value().len() == LENGTH
        };
        if whole { Ok(Some(record)) } else { Err(StoreError::Medium) }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number of tries, as a fresh counter's record.
    pub(crate) fn tries_bytes(&self) -> &[u8] {
        self.0.get(..1).unwrap_or_default()
    }

    fn tries(&self) -> u8 {
        self.0.first().copied().unwrap_or(0)
    }

    fn value(&self) -> &[u8] {
        self.0.get(1..).unwrap_or_default()
    }
}

/// Whether the card has this reference.
pub(crate) fn exists(store: &impl Store, reference: Reference) -> Result<bool, StoreError> {
    Ok(ReferenceRecord::load(store, reference)?.is_some())
}

/// Tries that a fresh counter has.
pub fn tries_total(store: &impl Store, reference: Reference) -> Result<u8, StoreError> {
    Ok(ReferenceRecord::load(store, reference)?.map_or(0, |record| record.tries()))
}

/// Tries left; 0 means blocked.
pub fn tries_left(store: &impl Store, reference: Reference) -> Result<u8, StoreError> {
    let mut counter = Vec::<u8, 1>::new();
    store.read(Record::RetryCounter(reference), &mut counter)?;
    Ok(counter.first().copied().unwrap_or(0))
}

/// Whether the reference data is `value`. Costs no try: it is for values that everybody knows.
#[cfg(feature = "yubico")]
pub(crate) fn is(store: &impl Store, reference: Reference, value: &[u8]) -> Result<bool, StoreError> {
    let record = ReferenceRecord::load(store, reference)?;
    Ok(record.is_some_and(|record| bool::from(record.value().ct_eq(value))))
}

/// What a comparison found.
pub(crate) enum Comparison {
    /// Equal. The try is still spent: the caller gives it back in the transaction that follows.
    Equal {
        /// Tries that a fresh counter has.
        tries: u8,
    },
    /// Different; so many tries are left.
    Different {
        /// Tries left.
        left: u8,
    },
}

/// Spends a try, then compares `candidate` with the reference data.
///
/// # Errors
/// [`rules::BLOCKED`] when no try is left; nothing changes then.
pub(crate) fn spend_and_compare(
    store: &mut impl Store,
    reference: Reference,
    candidate: &[u8],
) -> Result<Comparison, Refusal> {
    let record = ReferenceRecord::load(store, reference)?.ok_or(rules::REFERENCE_NOT_FOUND.refuse())?;
    let left = tries_left(store, reference)?.checked_sub(1).ok_or(rules::BLOCKED.refuse())?;
    store.commit(&[Update::Write(Record::RetryCounter(reference), &[left])])?;
    let equal = if reference.is_finger() {
        on_card_comparison::matches(record.value(), candidate)
    } else {
        bool::from(record.value().ct_eq(candidate))
    };
    if equal { Ok(Comparison::Equal { tries: record.tries() }) } else { Ok(Comparison::Different { left }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pin_format() {
        let cases: [(&[u8], bool); 12] = [
            (b"123456\xFF\xFF", true),
            (b"1234567\xFF", true),
            (b"12345678", true),
            (b"12345\xFF\xFF\xFF", false),
            (b"123456", false),
            (b"123456\xFF7", false),
            (b"12345a\xFF\xFF", false),
            (b"123456\x00\x00", false),
            (b"123456789", false),
            (b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", false),
            (b"", false),
            (b"1234567a", false),
        ];
        for (data, expected) in cases {
            assert_eq!(Reference::PivPin.is_well_formed(data), expected, "{data:02X?}");
        }
        assert!(Reference::Puk.is_well_formed(&[0; 8]));
        assert!(!Reference::Puk.is_well_formed(&[0; 7]));
    }

    #[test]
    fn pins_are_padded() {
        assert_eq!(pad_pin("123456").as_deref(), Some(b"123456\xFF\xFF"));
        for pin in ["", "12345", "123456789", "12345x", "١٢٣"] {
            assert!(pad_pin(pin).is_none(), "{pin}");
        }
    }
}
