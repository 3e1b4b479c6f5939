//! What a card keeps without power.

use std::collections::BTreeMap;

use apdu::tlv_ber::{Reader, Tag};

/// Key references of the reference data (SP 800-73-5 part 1, table 4).
pub const GLOBAL_PIN: u8 = 0x00;
/// The PIN of the PIV application.
pub const PIV_PIN: u8 = 0x80;
/// The PIN unblocking key.
pub const PUK: u8 = 0x81;

/// A PIN or PUK with its counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The eight bytes that are compared.
    pub value: [u8; 8],
    /// Tries left; 0 means blocked.
    pub left: u8,
    /// Tries of a fresh counter.
    pub total: u8,
}

/// Everything that a loss of power leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persistent {
    /// PIN, PUK and Global PIN, by key reference.
    pub references: BTreeMap<u8, Reference>,
    /// Objects as GET DATA answers them, by tag.
    pub objects: BTreeMap<u32, Vec<u8>>,
    /// The algorithm of each private key, by key reference.
    pub keys: BTreeMap<u8, u8>,
}

impl Persistent {
    /// Whether the card has this reference and lets it be presented: the Global PIN needs the Discovery Object's word
    /// (part 1, 3.3.2: bit 6 of the PIN usage policy).
    pub(crate) fn has(&self, reference: u8) -> bool {
        self.references.contains_key(&reference) && (reference != GLOBAL_PIN || self.global_pin_enabled())
    }

    /// What the Discovery Object says, if it is one: longer than this it is none.
    pub(crate) fn global_pin_enabled(&self) -> bool {
        let discovery = self.objects.get(&0x7E).filter(|object| object.len() <= 64);
        let policy = |object: &Vec<u8>| {
            let template = Reader::new(object).expect(Tag::new(0x7E)).ok()?;
            Reader::new(template).find(Tag::new(0x5F2F)).ok()??.first().copied()
        };
        discovery.and_then(policy).is_some_and(|first| first & 0x20 != 0)
    }

    /// A comparison spends a try before it happens.
    pub(crate) fn spend(&mut self, reference: u8) -> &mut Reference {
        let reference = self.references.get_mut(&reference).expect("only what the card has is compared");
        reference.left -= 1;
        reference
    }
}

/// Whether these bytes can be the value of a reference: a PIN is six to eight digits, padded with `FF`; a PUK is any
/// eight bytes (part 2, 2.4.3).
pub(crate) fn value(reference: u8, bytes: &[u8]) -> Option<[u8; 8]> {
    let value = <[u8; 8]>::try_from(bytes).ok()?;
    let padding = value.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(8);
    let is_pin = padding >= 6 && value[padding..].iter().all(|byte| *byte == 0xFF);
    (reference == PUK || is_pin).then_some(value)
}
