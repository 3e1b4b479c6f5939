//! What a store holds, as the model of the security rules sees it.

use std::collections::BTreeMap;

use card_sim::{
    key::KeyReference,
    object::CONTAINERS,
    reference::Reference,
    store::{Record, Store},
};
use model::persistent::Persistent;

/// What is in a store.
pub(crate) fn persistent(store: &impl Store) -> Persistent {
    let read = |record| {
        let mut out = heapless::Vec::<u8, 20_000>::new();
        store.read(record, &mut out).unwrap().then(|| out.to_vec())
    };
    let references =
        [Reference::GlobalPin, Reference::PivPin, Reference::Puk].into_iter().filter_map(|reference| {
            let data = read(Record::ReferenceData(reference))?;
            let left = read(Record::RetryCounter(reference))?[0];
            let value = data[1..].try_into().unwrap();
            Some((reference.to_byte(), model::persistent::Reference { value, left, total: data[0] }))
        });
    let objects = CONTAINERS.iter().filter_map(|row| Some((row.tag.get(), read(Record::Object(row.tag))?)));
    let keys = (0x82..=0x9E)
        .filter(|byte| *byte != 0x9B)
        .filter_map(|byte| Some((byte, read(Record::Key(KeyReference::from_byte(byte)?))?[0])));
    Persistent {
        references: references.collect(),
        objects: objects.collect::<BTreeMap<_, _>>(),
        keys: keys.collect(),
    }
}
