//! The data objects of the PIV card application: tags, containers, sizes and access rules.
//!
//! [`CONTAINERS`] is table 2 and appendix A, table 7, of SP 800-73-5 part 1, row by row. Writing needs the card
//! management key (part 2, table 2) for every object, so there is no column for it.

use crate::security::AccessRule;

/// The tag of a data object that this card has a container for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectTag(u32);

impl ObjectTag {
    /// Discovery Object, one of the two that are not wrapped in `53`.
    pub const DISCOVERY: Self = Self(0x7E);
    /// Biometric Information Templates Group Template, the other one.
    pub const BIT_GROUP: Self = Self(0x7F61);
    /// Pairing Code Reference Data Container.
    pub const PAIRING_CODE: Self = Self(0x5F_C123);
    /// The certificate of a `YubiKey`'s attestation key.
    pub const ATTESTATION: Self = Self(0x5F_FF01);
    /// X.509 Certificate for PIV Authentication.
    pub const PIV_AUTHENTICATION: Self = Self(0x5F_C105);
    /// X.509 Certificate for Digital Signature.
    pub const DIGITAL_SIGNATURE: Self = Self(0x5F_C10A);
    /// X.509 Certificate for Key Management.
    pub const KEY_MANAGEMENT: Self = Self(0x5F_C10B);
    /// Printed Information.
    pub const PRINTED: Self = Self(0x5F_C109);

    /// The object with this tag, if the data model has one.
    pub fn new(tag: u32) -> Option<Self> {
        Container::find(tag).map(|container| container.tag)
    }

    /// The tag as a number, for example `0x5F_C102` for the CHUID.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Offset of the object's record among the object records, below 0x200.
    pub(crate) const fn record_offset(self) -> u16 {
        match self {
            Self::DISCOVERY => 0x1FE,
            Self::BIT_GROUP => 0x1FF,
            // 5FFF00 to 5FFF15, away from 5FC101 to 5FC123.
            Self(tag @ 0x5F_FF00..=0x5F_FFFF) => 0x80 | tag.to_le_bytes()[0] as u16,
            Self(tag) => tag.to_le_bytes()[0] as u16,
        }
    }

    /// Whether the object is wrapped in `53`; the two interindustry templates stand bare.
    pub const fn is_wrapped(self) -> bool {
        !matches!(self, Self::DISCOVERY | Self::BIT_GROUP)
    }
}

/// Whether a card must have the object (SP 800-73-5 part 1, table 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// On every card.
    Mandatory,
    /// On cards whose holder has a government mail account.
    Conditional,
    /// On cards that use it.
    Optional,
}

/// One row of the data-object table.
#[derive(Clone, Copy, Debug)]
pub struct Container {
    /// Name in the standard.
    pub name: &'static str,
    /// BER-TLV tag.
    pub tag: ObjectTag,
    /// Container identifier; 0 where Yubico's objects have none.
    pub id: u16,
    /// Smallest capacity in bytes that a card guarantees; this card takes more.
    pub minimum_capacity: u16,
    /// Who may read it through the contacts.
    pub contact_read: AccessRule,
    /// Who may read it through the contactless interface.
    pub contactless_read: AccessRule,
    /// Whether a card must have it.
    pub presence: Presence,
}

impl Container {
    /// The row of the object with this tag.
    pub fn find(tag: u32) -> Option<&'static Self> {
        Self::all().find(|container| container.tag.0 == tag)
    }

    /// Every container that a card of any stock may have.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        CONTAINERS.iter().chain(&YUBICO_CONTAINERS)
    }

    /// Whether this is one of [`YUBICO_CONTAINERS`].
    pub(crate) const fn is_yubico(&self) -> bool {
        self.tag.0 & 0xFF_FF00 == 0x5F_FF00
    }

    /// The row of the object whose tag is written in these one to three bytes.
    pub fn from_bytes(tag: &[u8]) -> Option<&'static Self> {
        Self::find(tag_number(tag)?)
    }
}

/// The number of the tag that is written in these one to three bytes.
pub(crate) fn tag_number(tag: &[u8]) -> Option<u32> {
    Some(match *tag {
        [a] => u32::from_be_bytes([0, 0, 0, a]),
        [a, b] => u32::from_be_bytes([0, 0, a, b]),
        [a, b, c] => u32::from_be_bytes([0, a, b, c]),
        _ => return None,
    })
}

/// The data-object table.
pub const CONTAINERS: [Container; 36] = {
    use AccessRule::{Always, Pin, PinOrOcc, Vci, VciAndPin, VciAndPinOrOcc};
    use Presence::{Conditional, Mandatory, Optional};
    [
        row("Card Capability Container", 0x5F_C107, 0xDB00, 170, Always, Vci, Mandatory),
        row("Card Holder Unique Identifier", 0x5F_C102, 0x3000, 2881, Always, Always, Mandatory),
        row("X.509 Certificate for PIV Authentication", 0x5F_C105, 0x0101, 1857, Always, Vci, Mandatory),
        row("Cardholder Fingerprints", 0x5F_C103, 0x6010, 4006, Pin, VciAndPin, Mandatory),
        row("Security Object", 0x5F_C106, 0x9000, 1336, Always, Vci, Mandatory),
        row("Cardholder Facial Image", 0x5F_C108, 0x6030, 12710, Pin, VciAndPin, Mandatory),
        row("X.509 Certificate for Card Authentication", 0x5F_C101, 0x0500, 1857, Always, Always, Mandatory),
        row("X.509 Certificate for Digital Signature", 0x5F_C10A, 0x0100, 1857, Always, Vci, Conditional),
        row("X.509 Certificate for Key Management", 0x5F_C10B, 0x0102, 1857, Always, Vci, Conditional),
        row("Printed Information", 0x5F_C109, 0x3001, 245, PinOrOcc, VciAndPinOrOcc, Optional),
        row("Discovery Object", 0x7E, 0x6050, 19, Always, Always, Optional),
        row("Key History Object", 0x5F_C10C, 0x6060, 128, Always, Vci, Optional),
        retired("Retired X.509 Certificate for Key Management 1", 1),
        retired("Retired X.509 Certificate for Key Management 2", 2),
        retired("Retired X.509 Certificate for Key Management 3", 3),
        retired("Retired X.509 Certificate for Key Management 4", 4),
        retired("Retired X.509 Certificate for Key Management 5", 5),
        retired("Retired X.509 Certificate for Key Management 6", 6),
        retired("Retired X.509 Certificate for Key Management 7", 7),
        retired("Retired X.509 Certificate for Key Management 8", 8),
        retired("Retired X.509 Certificate for Key Management 9", 9),
        retired("Retired X.509 Certificate for Key Management 10", 10),
        retired("Retired X.509 Certificate for Key Management 11", 11),
        retired("Retired X.509 Certificate for Key Management 12", 12),
        retired("Retired X.509 Certificate for Key Management 13", 13),
        retired("Retired X.509 Certificate for Key Management 14", 14),
        retired("Retired X.509 Certificate for Key Management 15", 15),
        retired("Retired X.509 Certificate for Key Management 16", 16),
        retired("Retired X.509 Certificate for Key Management 17", 17),
        retired("Retired X.509 Certificate for Key Management 18", 18),
        retired("Retired X.509 Certificate for Key Management 19", 19),
        retired("Retired X.509 Certificate for Key Management 20", 20),
        row("Cardholder Iris Images", 0x5F_C121, 0x1015, 7106, Pin, VciAndPin, Optional),
        row("Biometric Information Templates Group", 0x7F61, 0x1016, 65, Always, Always, Optional),
        row("Secure Messaging Certificate Signer", 0x5F_C122, 0x1017, 2471, Always, Always, Optional),
        row("Pairing Code Reference Data", 0x5F_C123, 0x1018, 12, PinOrOcc, VciAndPinOrOcc, Optional),
    ]
};

/// The objects that Yubico's programs add on a YubiKey. Everybody reads them.
pub const YUBICO_CONTAINERS: [Container; 8] = [
    yubico("Yubico administrator data", 0x5F_FF00),
    yubico("Yubico attestation certificate", 0x5F_FF01),
    yubico("Windows minidriver: container map", 0x5F_FF10),
    yubico("Windows minidriver: roots 1", 0x5F_FF11),
    yubico("Windows minidriver: roots 2", 0x5F_FF12),
    yubico("Windows minidriver: roots 3", 0x5F_FF13),
    yubico("Windows minidriver: roots 4", 0x5F_FF14),
    yubico("Windows minidriver: roots 5", 0x5F_FF15),
];

const fn yubico(name: &'static str, tag: u32) -> Container {
    row(name, tag, 0, 0, AccessRule::Always, AccessRule::Always, Presence::Optional)
}

const fn row(
    name: &'static str,
    tag: u32,
    id: u16,
    minimum_capacity: u16,
    contact_read: AccessRule,
    contactless_read: AccessRule,
    presence: Presence,
) -> Container {
    Container { name, tag: ObjectTag(tag), id, minimum_capacity, contact_read, contactless_read, presence }
}

/// Retired key-management certificate `number`: tag `5FC10C` + number, container 1000 + number.
const fn retired(name: &'static str, number: u8) -> Container {
    row(
        name,
        0x5F_C10C_u32.saturating_add(number as u32),
        0x1000_u16.saturating_add(number as u16),
        1895,
        AccessRule::Always,
        AccessRule::Vci,
        Presence::Optional,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_identifiers_are_distinct() {
        for (index, container) in CONTAINERS.iter().enumerate() {
            for other in CONTAINERS.iter().skip(index + 1) {
                assert_ne!(container.tag, other.tag);
                assert_ne!(container.id, other.id, "{} and {}", container.name, other.name);
            }
        }
    }

    #[test]
    fn tags_are_found_by_their_bytes() {
        let cases: [(&[u8], Option<u32>); 9] = [
            (&[0x5F, 0xC1, 0x02], Some(0x5F_C102)),
            (&[0x7E], Some(0x7E)),
            (&[0x7F, 0x61], Some(0x7F61)),
            (&[0x5F, 0xC1, 0x20], Some(0x5F_C120)),
            (&[0x5F, 0xC1, 0x04], None),
            (&[0x5F, 0xC1, 0x24], None),
            (&[0x5F, 0xC1], None),
            (&[], None),
            (&[0, 0, 0x5F, 0xC1, 0x02], None),
        ];
        for (bytes, tag) in cases {
            assert_eq!(Container::from_bytes(bytes).map(|found| found.tag.get()), tag, "{bytes:02X?}");
        }
    }

    #[test]
    fn retired_rows_follow_the_numbering_of_the_standard() {
        let last = Container::find(0x5F_C120).unwrap();
        assert_eq!((last.id, last.name), (0x1014, "Retired X.509 Certificate for Key Management 20"));
    }
}
