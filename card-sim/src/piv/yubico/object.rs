//! Data objects as a YubiKey keeps them: any tag, so many bytes, and none of an object that is written empty.

use super::super::Context;
use crate::{
    further_object::{FurtherTag, Register},
    object::{Container, ObjectTag},
    platform::Platform,
    profile::yubico::Yubico,
    refusal::{Refusal, rules},
    store::{Record, Store, Update},
};

/// What an object looks like that is taken away.
const EMPTY: [u8; 2] = [0x53, 0x00];

/// Bytes of the longest tag and length around an object's contents.
const WRAPPING: usize = 4;

/// GET DATA of an object that is not in the data model.
pub(in crate::piv) fn read<P: Platform>(context: &mut Context<'_, P>, tag: u32) -> Result<(), Refusal> {
    let not_found = rules::OBJECT_NOT_FOUND.refuse();
    let store = &context.platform.store;
    let record = Register::load(store)?.find(FurtherTag::new(tag).ok_or(not_found)?).ok_or(not_found)?;
    if store.read(record, context.response)? { Ok(()) } else { Err(not_found) }
}

/// PUT DATA of any object.
pub(in crate::piv) fn write<P: Platform>(
    context: &mut Context<'_, P>,
    yubico: &Yubico,
    tag: u32,
    object: &[u8],
) -> Result<(), Refusal> {
    let container = Container::find(tag).map(|container| container.tag);
    let further = FurtherTag::new(tag);
    let mut register = Register::load(&context.platform.store)?;
    let own = container.map(Record::Object).or_else(|| register.find(further?));
    if object.len() > yubico.longest_object.saturating_add(WRAPPING)
        || taken_beside(context, &register, own)?.saturating_add(object.len()) > yubico.object_memory
    {
        return Err(rules::MEMORY_FULL.refuse());
    }
    let store = &mut context.platform.store;
    match (container, further) {
        (Some(tag), _) if object == EMPTY => store.commit(&[Update::Remove(Record::Object(tag))])?,
        (Some(tag), _) => store.commit(&[Update::Write(Record::Object(tag), object)])?,
        (None, Some(tag)) if object == EMPTY => register.remove(store, tag)?,
        (None, Some(tag)) => register.put(store, tag, object)?,
        (None, None) => return Err(rules::OBJECT_NOT_FOUND.refuse()),
    }
    Ok(())
}

/// The bytes that all objects but this one take, and but the factory's.
fn taken_beside<P: Platform>(
    context: &mut Context<'_, P>,
    register: &Register,
    own: Option<Record>,
) -> Result<usize, Refusal> {
    let containers = Container::all().map(|container| Record::Object(container.tag));
    let mut taken = 0_usize;
    for record in containers.chain(register.objects().map(|(_, record)| record)) {
        if Some(record) != own && record != Record::Object(ObjectTag::ATTESTATION) {
            context.platform.store.read(record, context.response)?;
            taken = taken.saturating_add(context.response.len());
            context.response.clear();
        }
    }
    Ok(taken)
}
