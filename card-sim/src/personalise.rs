//! Putting a holder's data on an empty card, before it is used for the first time.
//!
//! This is what a card management system does over a secure channel in a factory. Here it is one transaction on the
//! card's store, so that a card is never half made.

use heapless::Vec;

#[cfg(feature = "cac")]
use crate::cac::{self, ObjectId};
use crate::{
    card::RESPONSE_CAPACITY,
    key::{KeyRecord, KeyReference, Origin, PrivateKey, SymmetricKey},
    object::{Container, ObjectTag},
    profile::{EmptyContainer, Profile},
    reference::{LENGTH, Reference, ReferenceRecord},
    store::{Record, Store, StoreError, Update},
};

/// Most keys that a card has: 04 9A 9C 9D 9E and the retired ones.
const MAX_KEYS: usize = 25;

/// A PIN or PUK with its number of tries.
pub struct ReferenceData<'a> {
    /// The eight bytes that are compared.
    pub value: &'a [u8; LENGTH],
    /// Tries of a fresh counter, 1 to 15.
    pub tries: u8,
}

/// A finger for on-card comparison with its number of tries.
pub struct Finger<'a> {
    /// Its minutiae: see [`on_card_comparison`](crate::on_card_comparison).
    pub minutiae: &'a [u8],
    /// Tries of a fresh counter, 1 to 15.
    pub tries: u8,
}

/// Everything that goes on a new card.
pub struct Personalisation<'a> {
    /// The card stock.
    pub profile: &'static Profile,
    /// PIV PIN, `80`.
    pub pin: ReferenceData<'a>,
    /// PUK, `81`.
    pub puk: ReferenceData<'a>,
    /// Global PIN, `00`, if the card has one.
    pub global_pin: Option<ReferenceData<'a>>,
    /// Fingers of on-card comparison: none, the primary one `96`, or that and the secondary one `97`.
    pub fingers: &'a [Finger<'a>],
    /// The serial number, if the card tells one.
    pub serial_number: Option<u32>,
    /// Card management key, `9B`.
    pub management_key: &'a SymmetricKey,
    /// The certificate of key `04`, which makes the card speak secure messaging.
    pub card_verifiable_certificate: Option<&'a [u8]>,
    /// Asymmetric keys.
    pub keys: &'a [(KeyReference, PrivateKey, Origin)],
    /// Data objects as GET DATA answers them: `53 L …`, bare `7E L …` and `7F 61 L …`.
    pub objects: &'a [(ObjectTag, &'a [u8])],
    /// What a Common Access Card has beside these.
    #[cfg(feature = "cac")]
    pub cac: Option<CacPersonalisation<'a>>,
}

/// What a Common Access Card has beside its PIV data.
#[cfg(feature = "cac")]
#[derive(Clone, Copy)]
pub struct CacPersonalisation<'a> {
    /// The key of the ID certificate.
    pub identity_key: &'a PrivateKey,
    /// Containers: T buffer, then V buffer. Those that are not here are empty.
    pub containers: &'a [(ObjectId, &'a [u8])],
    /// The PIV Authentication certificate and key are not activated.
    pub piv_authentication_hidden: bool,
}

/// Why a card was not made. Nothing has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PersonaliseError {
    /// Reference data without a try, with more than 15, or of a wrong format.
    Reference(Reference),
    /// A key under a reference that holds no asymmetric key.
    Key(KeyReference),
    /// More keys or objects than the card has places, or a place named twice.
    TooMany,
    /// An object that is too long to be read back.
    ObjectTooLong(ObjectTag),
    /// A CAC container that is too long to be read back, or is not a T buffer and a V buffer.
    #[cfg(feature = "cac")]
    Container(ObjectId),
    /// The store failed or is full.
    Store(StoreError),
}

impl Personalisation<'_> {
    /// Writes the card into an empty `store`, in one transaction.
    ///
    /// Optional containers that the stock has from the factory (retired certificates, iris images) are created empty
    /// where its empty containers read as such.
    pub fn write(&self, store: &mut impl Store) -> Result<(), PersonaliseError> {
        let references = self.reference_records()?;
        let management_key = KeyRecord::symmetric(self.management_key, Origin::Imported);
        let keys = self.key_records()?;

        let serial_number = self.serial_number.map(u32::to_be_bytes);
        #[cfg(feature = "cac")]
        let identity_key = self.cac.map(|cac| KeyRecord::asymmetric(cac.identity_key, Origin::Generated));

        let mut updates = Vec::<Update<'_>, 100>::new();
        let mut add =
            |record, bytes| updates.push(Update::Write(record, bytes)).map_err(|_| PersonaliseError::TooMany);
        add(Record::Profile, self.profile.name.as_bytes())?;
        if let Some(number) = &serial_number {
            add(Record::SerialNumber, number)?;
        }
        for (reference, record) in &references {
            add(Record::ReferenceData(*reference), record.bytes())?;
            add(Record::RetryCounter(*reference), record.tries_bytes())?;
        }
        add(Record::Key(KeyReference::CardManagement), management_key.bytes())?;
        if let Some(certificate) = self.card_verifiable_certificate {
            add(Record::CardVerifiableCertificate, certificate)?;
        }
        for (reference, record) in &keys {
            add(Record::Key(*reference), record.bytes())?;
        }
        for (tag, object) in self.objects {
            if object.len() > RESPONSE_CAPACITY {
                return Err(PersonaliseError::ObjectTooLong(*tag));
            }
            add(Record::Object(*tag), object)?;
        }
        for tag in self.empty_containers() {
            add(Record::Object(tag), &[0x53, 0x00])?;
        }
        #[cfg(feature = "cac")]
        if let Some((cac, key)) = self.cac.zip(identity_key.as_ref()) {
            add(Record::CacIdentityKey, key.bytes())?;
            for (id, container) in cac.containers {
                if container.len() > RESPONSE_CAPACITY || cac::split(container).is_none() {
                    return Err(PersonaliseError::Container(*id));
                }
                add(Record::CacContainer(*id), container)?;
            }
            if cac.piv_authentication_hidden {
                add(Record::PivAuthenticationHidden, &[0x01])?;
            }
        }
        store.commit(&updates).map_err(|error| match error {
            StoreError::RepeatedRecord => PersonaliseError::TooMany,
            other => PersonaliseError::Store(other),
        })
    }

    fn reference_records(
        &self,
    ) -> Result<Vec<(Reference, ReferenceRecord), { Reference::ALL.len() }>, PersonaliseError> {
        let fingers = [Reference::PrimaryFinger, Reference::SecondaryFinger];
        if self.fingers.len() > fingers.len() {
            return Err(PersonaliseError::TooMany);
        }
        let fingers = fingers
            .into_iter()
            .zip(self.fingers)
            .map(|(which, finger)| (which, finger.minutiae, finger.tries));
        let global_pin =
            self.global_pin.as_ref().map(|data| (Reference::GlobalPin, data.value.as_slice(), data.tries));
        let always = [
            (Reference::PivPin, self.pin.value.as_slice(), self.pin.tries),
            (Reference::Puk, self.puk.value.as_slice(), self.puk.tries),
        ];
        let mut records = Vec::new();
        for (reference, value, tries) in always.into_iter().chain(global_pin).chain(fingers) {
            if !(1..=15).contains(&tries) || !self.profile.is_well_formed(reference, value) {
                return Err(PersonaliseError::Reference(reference));
            }
            records
                .push((reference, ReferenceRecord::new(tries, value)))
                .map_err(|_| PersonaliseError::TooMany)?;
        }
        Ok(records)
    }

    fn key_records(&self) -> Result<Vec<(KeyReference, KeyRecord), MAX_KEYS>, PersonaliseError> {
        let mut records = Vec::new();
        for (reference, key, origin) in self.keys {
            if *reference == KeyReference::CardManagement {
                return Err(PersonaliseError::Key(*reference));
            }
            records
                .push((*reference, KeyRecord::asymmetric(key, *origin)))
                .map_err(|_| PersonaliseError::TooMany)?;
        }
        Ok(records)
    }

    /// Containers that the factory creates and that got no contents: retired certificates and iris images.
    fn empty_containers(&self) -> impl Iterator<Item = ObjectTag> {
        let created = self.profile.choices.empty_container == EmptyContainer::ZeroLength;
        (0x5F_C10D..=0x5F_C121)
            .filter(move |_| created)
            .filter_map(Container::find)
            .map(|container| container.tag)
            .filter(|tag| !self.objects.iter().any(|(filled, _)| filled == tag))
    }
}
