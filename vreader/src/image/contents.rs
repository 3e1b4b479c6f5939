//! What lies in a card's store, for [`inspect`](crate::inspect).

use std::collections::BTreeMap;

use card_sim::{
    cac,
    crypto::Crypto,
    further_object::Register,
    key::{self, KeyReference, RetiredNumber},
    object::Container,
    reference::{self, Reference},
    store::{Record, Store, StoreError},
};

use crate::{
    inspect::{CacContents, Contents, Counter, Slot},
    stock,
};

/// Longest object that is read, in bytes.
const MAX_OBJECT: usize = 64 * 1024;

/// Reads everything that is no secret. Private keys are read for their public halves only.
pub fn contents(store: &impl Store, crypto: &mut impl Crypto) -> Result<Contents, StoreError> {
    let profile = String::from_utf8_lossy(&read(store, Record::Profile)?.unwrap_or_default()).into_owned();
    let label = stock::of_card(store)?.map(|profile| profile.label.to_owned()).unwrap_or_default();
    let mut objects = BTreeMap::new();
    for container in Container::all() {
        if let Some(object) = read(store, Record::Object(container.tag))? {
            objects.insert(container.tag.get(), object);
        }
    }
    for (tag, record) in Register::load(store)?.objects() {
        objects.extend(read(store, record)?.map(|object| (tag.get(), object)));
    }
    let retired = (1..=20).filter_map(RetiredNumber::new).map(KeyReference::Retired);
    let mut slots = Vec::new();
    for reference in KeyReference::ASYMMETRIC.into_iter().chain(retired) {
        if let Some((key, origin)) = key::load_private(store, reference)? {
            let public_key = crypto.public_key(&key).ok();
            slots.push(Slot { reference, algorithm: key.algorithm(), public_key, origin });
        }
    }
    let fingers = [Reference::PrimaryFinger, Reference::SecondaryFinger];
    let fingers = fingers.map(|finger| present(store, finger)).into_iter().filter_map(Result::transpose);
    Ok(Contents {
        profile,
        label,
        objects,
        slots,
        pin: counter(store, Reference::PivPin)?,
        puk: counter(store, Reference::Puk)?,
        global_pin: present(store, Reference::GlobalPin)?,
        fingers: fingers.collect::<Result<_, _>>()?,
        cac: common_access(store)?,
    })
}

/// The CAC side, if the card has the key of an ID certificate.
fn common_access(store: &impl Store) -> Result<Option<CacContents>, StoreError> {
    if key::load_identity(store)?.is_none() {
        return Ok(None);
    }
    let mut containers = Vec::new();
    for container in &cac::CONTAINERS {
        if let Some(record) = read(store, Record::CacContainer(container.id))? {
            containers.push((container.id, record));
        }
    }
    let piv_authentication_hidden = read(store, Record::PivAuthenticationHidden)?.is_some();
    Ok(Some(CacContents { containers, piv_authentication_hidden, pin_verified: false }))
}

fn read(store: &impl Store, record: Record) -> Result<Option<Vec<u8>>, StoreError> {
    // In a box: the buffer is too large for the stack of a thread.
    let mut buffer = Box::new(heapless::Vec::<u8, MAX_OBJECT>::new());
    Ok(store.read(record, &mut *buffer)?.then(|| buffer.to_vec()))
}

/// The counter, if the card has the reference.
fn present(store: &impl Store, reference: Reference) -> Result<Option<Counter>, StoreError> {
    Ok(Some(counter(store, reference)?).filter(|counter| counter.tries_total > 0))
}

fn counter(store: &impl Store, reference: Reference) -> Result<Counter, StoreError> {
    Ok(Counter {
        tries_left: reference::tries_left(store, reference)?,
        tries_total: reference::tries_total(store, reference)?,
    })
}
