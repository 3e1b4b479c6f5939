//! The names of the records that make up a card's state.
//!
//! Numbers are stable: they are written to card files and to flash, and stay below 4096, the limit of the flash
//! store that holds them.

#[cfg(feature = "cac")]
use crate::cac::{CONTAINERS as CONTAINERS_OF_CAC, ObjectId};
#[cfg(feature = "yubico")]
use crate::further_object::PLACES;
use crate::{
    key::KeyReference,
    object::{Container, ObjectTag},
    reference::Reference,
};

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// The card stock's name, as in [`Profile::name`](crate::profile::Profile::name).
    Profile,
    /// The card-verifiable certificate of the key for secure messaging, with its tag.
    CardVerifiableCertificate,
    /// What the card's stock is like, if it is none of those that are built in: text that only the host reads.
    Stock,
    /// The serial number that Yubico's GET SERIAL answers, four bytes.
    SerialNumber,
    /// The key of the CAC ID certificate, in the form of the other keys.
    #[cfg(feature = "cac")]
    CacIdentityKey,
    /// One byte, 01: the PIV Authentication certificate and its key are on the card and hidden.
    #[cfg(feature = "cac")]
    PivAuthenticationHidden,
    /// A CAC container: its T buffer, then its V buffer.
    #[cfg(feature = "cac")]
    CacContainer(ObjectId),
    /// A data object as GET DATA answers it: `53 L …`, or bare `7E L …` and `7F 61 L …`.
    Object(ObjectTag),
    /// Which tags the further objects of a YubiKey have: three bytes for each place.
    #[cfg(feature = "yubico")]
    FurtherTags,
    /// The further object in this place, as GET DATA answers it.
    #[cfg(feature = "yubico")]
    FurtherObject(u8),
    /// A key: algorithm identifier, origin and policy, material.
    Key(KeyReference),
    /// Reference data: number of tries, then the eight bytes that are compared.
    ReferenceData(Reference),
    /// Tries left, one byte. Apart from the reference data, because it changes most often.
    RetryCounter(Reference),
}

/// First number of each kind of record.
mod base {
    pub(super) const PROFILE: u16 = 0x001;
    pub(super) const CARD_VERIFIABLE_CERTIFICATE: u16 = 0x002;
    pub(super) const SERIAL_NUMBER: u16 = 0x003;
    #[cfg(feature = "cac")]
    pub(super) const CAC_IDENTITY_KEY: u16 = 0x004;
    #[cfg(feature = "cac")]
    pub(super) const PIV_AUTHENTICATION_HIDDEN: u16 = 0x005;
    pub(super) const STOCK: u16 = 0x006;
    pub(super) const OBJECT: u16 = 0x100;
    pub(super) const KEY: u16 = 0x300;
    pub(super) const REFERENCE_DATA: u16 = 0x400;
    pub(super) const RETRY_COUNTER: u16 = 0x500;
    #[cfg(feature = "cac")]
    pub(super) const CAC_CONTAINER: u16 = 0x600;
    #[cfg(feature = "yubico")]
    pub(super) const FURTHER_OBJECT: u16 = 0x700;
    #[cfg(feature = "yubico")]
    pub(super) const FURTHER_TAGS: u16 = 0x7FF;
}

impl Record {
    /// The record's number, below 4096.
    pub fn number(self) -> u16 {
        match self {
            Self::Profile => base::PROFILE,
            Self::CardVerifiableCertificate => base::CARD_VERIFIABLE_CERTIFICATE,
            Self::SerialNumber => base::SERIAL_NUMBER,
            Self::Stock => base::STOCK,
            #[cfg(feature = "cac")]
            Self::CacIdentityKey => base::CAC_IDENTITY_KEY,
            #[cfg(feature = "cac")]
            Self::PivAuthenticationHidden => base::PIV_AUTHENTICATION_HIDDEN,
            #[cfg(feature = "cac")]
            Self::CacContainer(object) => base::CAC_CONTAINER | u16::from(object.container().record),
            #[cfg(feature = "yubico")]
            Self::FurtherTags => base::FURTHER_TAGS,
            #[cfg(feature = "yubico")]
            Self::FurtherObject(place) => base::FURTHER_OBJECT | u16::from(place),
            Self::Object(tag) => base::OBJECT | tag.record_offset(),
            Self::Key(key) => base::KEY | u16::from(key.to_byte()),
            Self::ReferenceData(reference) => base::REFERENCE_DATA | u16::from(reference.to_byte()),
            Self::RetryCounter(reference) => base::RETRY_COUNTER | u16::from(reference.to_byte()),
        }
    }

    /// The record with this number.
    pub fn from_number(number: u16) -> Option<Self> {
        let [_, low] = number.to_be_bytes();
        let record = match number & 0xF00 {
            0 if number == base::CARD_VERIFIABLE_CERTIFICATE => Self::CardVerifiableCertificate,
            0 if number == base::SERIAL_NUMBER => Self::SerialNumber,
            0 if number == base::STOCK => Self::Stock,
            #[cfg(feature = "cac")]
            0 if number == base::CAC_IDENTITY_KEY => Self::CacIdentityKey,
            #[cfg(feature = "cac")]
            0 if number == base::PIV_AUTHENTICATION_HIDDEN => Self::PivAuthenticationHidden,
            0 => Self::Profile,
            base::OBJECT => {
                Container::all().map(|row| Self::Object(row.tag)).find(|row| row.number() == number)?
            }
            base::KEY => Self::Key(KeyReference::from_byte(low)?),
            base::REFERENCE_DATA => Self::ReferenceData(Reference::from_byte(low)?),
            #[cfg(feature = "cac")]
            base::CAC_CONTAINER => CONTAINERS_OF_CAC
                .iter()
                .map(|row| Self::CacContainer(row.id))
                .find(|row| row.number() == number)?,
            #[cfg(feature = "yubico")]
            base::FURTHER_OBJECT if number == base::FURTHER_TAGS => Self::FurtherTags,
            #[cfg(feature = "yubico")]
            base::FURTHER_OBJECT if low < PLACES => Self::FurtherObject(low),
            base::RETRY_COUNTER => Self::RetryCounter(Reference::from_byte(low)?),
            _ => return None,
        };
        // Numbers between those of records are nobody's.
        (record.number() == number).then_some(record)
    }

    /// Whether the record with this number is a retry counter, which a store keeps where it is cheap to change.
    #[cfg(feature = "flash")]
    pub(crate) const fn is_counter(number: u16) -> bool {
        number & 0xF00 == base::RETRY_COUNTER
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::{collections::BTreeSet, vec::Vec};

    use super::*;
    use crate::key::RetiredNumber;

    #[test]
    fn numbers_are_distinct_and_small() {
        let mut records: Vec<Record> = std::vec![
            Record::Profile,
            Record::CardVerifiableCertificate,
            Record::SerialNumber,
            Record::Stock
        ];
        records.push(Record::Key(KeyReference::SecureMessaging));
        records.extend(Container::all().map(|container| Record::Object(container.tag)));
        records.extend(KeyReference::ASYMMETRIC.map(Record::Key));
        records.push(Record::Key(KeyReference::CardManagement));
        records.push(Record::Key(KeyReference::Attestation));
        records
            .extend((1..=20).filter_map(RetiredNumber::new).map(|n| Record::Key(KeyReference::Retired(n))));
        for reference in Reference::ALL {
            records.extend([Record::ReferenceData(reference), Record::RetryCounter(reference)]);
        }
        #[cfg(feature = "yubico")]
        records.extend(crate::further_object::records());
        #[cfg(feature = "cac")]
        {
            records.extend([Record::CacIdentityKey, Record::PivAuthenticationHidden]);
            records.extend(CONTAINERS_OF_CAC.iter().map(|row| Record::CacContainer(row.id)));
        }
        let numbers: BTreeSet<u16> = records.iter().map(|record| record.number()).collect();
        assert_eq!(numbers.len(), records.len());
        assert!(numbers.iter().all(|number| *number < 4096));
        for record in records {
            assert_eq!(Record::from_number(record.number()), Some(record));
        }
        let found = (0..=u16::MAX).filter_map(Record::from_number).count();
        assert_eq!(found, numbers.len());
    }
}
