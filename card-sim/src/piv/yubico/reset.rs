//! RESET: the card becomes what it was when it left the factory, once its PIN and its PUK are blocked. Nothing has to be
//! proved for it. The attestation key and its certificate stay, and so does the Discovery Object.

use heapless::Vec;

use super::super::Context;
use crate::{
    further_object,
    key::{KeyRecord, KeyReference, Origin, RetiredNumber},
    object::{Container, ObjectTag},
    platform::Platform,
    profile::yubico::{DEFAULT_PIN, DEFAULT_PUK, Yubico},
    reference::{self, Reference, ReferenceRecord},
    refusal::{Refusal, rules},
    store::{Record, Store, Update},
};

/// Updates of the transaction: every object and key, PIN and PUK with their counters, and some more.
const CAPACITY: usize = 128;

/// Objects that stay.
const FROM_FACTORY: [ObjectTag; 2] = [ObjectTag::ATTESTATION, ObjectTag::DISCOVERY];

pub(super) fn run<P: Platform>(context: &mut Context<'_, P>, yubico: &Yubico) -> Result<(), Refusal> {
    let store = &context.platform.store;
    for reference in [Reference::PivPin, Reference::Puk] {
        if reference::tries_left(store, reference)? > 0 {
            return Err(rules::RESET_BLOCKED.refuse());
        }
    }
    to_factory(context, yubico)
}

/// The same whatever PIN and PUK are: also what the management application of a YubiKey Bio does.
pub(crate) fn to_factory<P: Platform>(context: &mut Context<'_, P>, yubico: &Yubico) -> Result<(), Refusal> {
    let tries = context.profile.default_tries;
    let pin = ReferenceRecord::new(tries, &DEFAULT_PIN);
    let puk = ReferenceRecord::new(tries, &DEFAULT_PUK);
    let key = yubico.default_management_key().ok_or(rules::MEMORY_FAILURE.refuse())?;
    let key = KeyRecord::symmetric(&key, Origin::Imported);

    let mut updates = Vec::<Update<'_>, CAPACITY>::new();
    let keys = KeyReference::ASYMMETRIC
        .into_iter()
        .chain([KeyReference::SecureMessaging])
        .chain((1..=20).filter_map(RetiredNumber::new).map(KeyReference::Retired));
    updates.extend(keys.map(|key| Update::Remove(Record::Key(key))));
    let objects = Container::all().filter(|container| !FROM_FACTORY.contains(&container.tag));
    updates.extend(objects.map(|container| Update::Remove(Record::Object(container.tag))));
    updates.extend(further_object::records().map(Update::Remove));
    updates.extend([
        Update::Remove(Record::CardVerifiableCertificate),
        Update::Write(Record::Key(KeyReference::CardManagement), key.bytes()),
        Update::Write(Record::ReferenceData(Reference::PivPin), pin.bytes()),
        Update::Write(Record::RetryCounter(Reference::PivPin), pin.tries_bytes()),
        Update::Write(Record::ReferenceData(Reference::Puk), puk.bytes()),
        Update::Write(Record::RetryCounter(Reference::Puk), puk.tries_bytes()),
    ]);
    for reference in [Reference::GlobalPin, Reference::PrimaryFinger, Reference::SecondaryFinger] {
        updates.extend([
            Update::Remove(Record::ReferenceData(reference)),
            Update::Remove(Record::RetryCounter(reference)),
        ]);
    }
    context.platform.store.commit(&updates)?;
    context.security.leave_application();
    context.security.set_verified(Reference::GlobalPin, false);
    *context.session = None;
    Ok(())
}
