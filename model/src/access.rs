//! The access matrix: who may read an object or use a key (SP 800-73-5 part 1, tables 2, 4 and 5, contact interface).
//!
//! Written from the standard's tables, without a look at the card's own. Writing an object or making a key always needs
//! the card management key (part 2, table 2).

/// What a holder has to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing.
    None,
    /// The PIN, at any time since the application was selected.
    Pin,
    /// The PIN, by the command immediately before.
    PinAlways,
}

/// What reading an object needs; `None` if the data model has no such object.
pub fn reading(tag: u32) -> Option<Proof> {
    Some(match tag {
        // Fingerprints, facial image, printed information, iris images, pairing code.
        0x5F_C103 | 0x5F_C108 | 0x5F_C109 | 0x5F_C121 | 0x5F_C123 => Proof::Pin,
        // `5F C1 04` is nobody's.
        0x5F_C104 => return None,
        0x7E | 0x7F61 | 0x5F_C101..=0x5F_C122 => Proof::None,
        _ => return None,
    })
}

/// What using a private key needs; `None` if the application has no such key.
pub fn using(key_reference: u8) -> Option<Proof> {
    Some(match key_reference {
        0x9A | 0x9D | 0x82..=0x95 => Proof::Pin,
        0x9C => Proof::PinAlways,
        0x9E => Proof::None,
        _ => return None,
    })
}

/// Whether the key signs; the others decrypt or agree on keys.
pub fn signs(key_reference: u8) -> bool {
    matches!(key_reference, 0x9A | 0x9C | 0x9E)
}

/// Whether the key may be made outside of the card (FIPS 201-3, 4.2.2: keys for key management).
pub fn imported(key_reference: u8) -> bool {
    matches!(key_reference, 0x9D | 0x82..=0x95)
}

/// Whether GENERATE ASYMMETRIC KEY PAIR makes this key.
pub fn generated(key_reference: u8) -> bool {
    matches!(key_reference, 0x9A | 0x9C | 0x9D | 0x9E)
}
