//! Reading a card's contents back: who holds it, until when, with which keys and certificates.
//!
//! [`inspect`] takes what lies on a card as it is and never fails as a whole: what can be read is reported, what cannot
//! is a [`Problem`] that names the object and says what is wrong with it. Nothing here is trusted; signatures are not
//! verified.
//!
//! Objects are read as SP 800-73-5 part 1, appendix A, describes them, and liberally: elements may stand in any order,
//! and unknown ones are passed over.

pub(crate) mod certificate;
mod common_access;
mod object;
mod report;
mod text;

use std::collections::BTreeMap;

use card_sim::{
    key::{AsymmetricAlgorithm, KeyReference, Origin, PublicKey, RetiredNumber},
    object::Container,
    profile::Profile,
};

pub use self::common_access::{CacContents, CommonAccessEntry, ContainerEntry, PivAuthentication};
pub use self::report::{
    CertificateEntry, Counter, Date, DateSource, Dated, Holder, HolderSource, Identifiers, KeyMatch,
    ObjectEntry, OriginName, Problem, Report, SlotEntry, Tag,
};
use self::{certificate::Certificates, object::Objects};
pub(crate) use self::{common_access::elements as container_elements, object::without_controls};
use crate::issue::algorithm_name;

/// What lies on a card.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Name of the card stock's profile.
    pub profile: String,
    /// The application label of the card stock.
    pub label: String,
    /// Data objects by tag, as GET DATA answers them.
    pub objects: BTreeMap<u32, Vec<u8>>,
    /// The asymmetric keys.
    pub slots: Vec<Slot>,
    /// Tries of the PIN.
    pub pin: Counter,
    /// Tries of the PUK.
    pub puk: Counter,
    /// Tries of the Global PIN, if there is one.
    pub global_pin: Option<Counter>,
    /// Tries of the fingers of on-card comparison: the primary one, the secondary one.
    pub fingers: Vec<Counter>,
    /// The CAC side, if the card is a Common Access Card.
    pub cac: Option<CacContents>,
}

/// A key on a card.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Where it is.
    pub reference: KeyReference,
    /// Its algorithm.
    pub algorithm: AsymmetricAlgorithm,
    /// Its public half, if it could be computed.
    pub public_key: Option<PublicKey>,
    /// Where it was made.
    pub origin: Origin,
}

/// Reads everything.
pub fn inspect(contents: &Contents) -> Report {
    let mut problems = Vec::new();
    let objects = Objects::read(&contents.objects, &mut problems);
    let certificates = Certificates::read(contents, &mut problems);
    let slots = contents.slots.iter().map(|slot| slot_entry(slot, &certificates)).collect();
    let expires = objects.expiration(&mut problems);
    let has_piv = Profile::find(&contents.profile).is_none_or(Profile::has_piv);
    let common_access = contents.cac.as_ref().map(|cac| common_access::read(cac, has_piv, &mut problems));
    let of_person = common_access.as_ref().and_then(|cac| cac.issued);
    let of_person = of_person.map(|date| Dated { date, source: DateSource::PersonInstance });
    Report {
        profile: contents.profile.clone(),
        label: contents.label.clone(),
        holder: objects.holder().or_else(|| certificates.holder()),
        identifiers: objects.identifiers,
        issued: of_person.or_else(|| certificates.issue_date()),
        expires,
        pin: contents.pin,
        puk: contents.puk,
        global_pin: contents.global_pin,
        fingers: contents.fingers.clone(),
        slots,
        certificates: certificates.entries,
        common_access,
        objects: contents.objects.iter().map(|(tag, object)| object_entry(*tag, object)).collect(),
        problems,
    }
}

fn slot_entry(slot: &Slot, certificates: &Certificates) -> SlotEntry {
    let reference = key_name(slot.reference);
    SlotEntry {
        has_certificate: certificates.entries.iter().any(|entry| entry.slot.as_ref() == Some(&reference)),
        reference,
        name: purpose(slot.reference),
        algorithm: algorithm_name(slot.algorithm),
        origin: slot.origin.into(),
    }
}

fn object_entry(tag: u32, object: &[u8]) -> ObjectEntry {
    let empty = matches!(object, [] | [_, 0x00] | [0x7F, 0x61, 0x00]);
    ObjectEntry { tag: Tag(tag), name: object_name(tag), length: object.len(), empty }
}

/// Name of the object in the standard.
fn object_name(tag: u32) -> &'static str {
    Container::find(tag).map_or("object beyond the data model", |container| container.name)
}

/// The key reference in hex.
fn key_name(reference: KeyReference) -> String {
    format!("{:02X}", reference.to_byte())
}

fn purpose(reference: KeyReference) -> String {
    match reference {
        KeyReference::PivAuthentication => "PIV Authentication".to_owned(),
        KeyReference::SecureMessaging => "Secure Messaging".to_owned(),
        KeyReference::CardManagement => "Card Management".to_owned(),
        KeyReference::DigitalSignature => "Digital Signature".to_owned(),
        KeyReference::KeyManagement => "Key Management".to_owned(),
        KeyReference::CardAuthentication => "Card Authentication".to_owned(),
        KeyReference::Attestation => "Attestation".to_owned(),
        KeyReference::Retired(number) => format!("Retired Key Management {}", number.get()),
    }
}

/// The key references that have a certificate container, in the order of the standard's table 5.
fn references_with_certificates() -> impl Iterator<Item = KeyReference> {
    let retired = (1..=20).filter_map(RetiredNumber::new).map(KeyReference::Retired);
    KeyReference::ASYMMETRIC.into_iter().chain(retired)
}

#[cfg(test)]
mod real_card_tests;
#[cfg(test)]
mod tests;
