//! PUT DATA (SP 800-73-5 part 2, 3.3.1).

use apdu::tlv_ber::{Reader, Tag};

use super::Context;
use crate::{
    card::RESPONSE_CAPACITY,
    discovery::PinUsagePolicy,
    object::{Container, ObjectTag},
    platform::Platform,
    profile::Profile,
    reference::Reference,
    refusal::{Refusal, rules},
    security::AccessRule,
    store::{Record, Store, Update},
};

const TAG_LIST: Tag = Tag::new(0x5C);
const CONTENTS: Tag = Tag::new(0x53);
const DISCOVERY: Tag = Tag::new(0x7E);
const BIT_GROUP: Tag = Tag::new(0x7F61);

/// Replaces the contents of a data object.
pub(super) fn put_data<P: Platform>(context: &mut Context<'_, P>, data: &[u8]) -> Result<(), Refusal> {
    if !context.security.permits(AccessRule::Administrator) {
        return Err(rules::ADMINISTRATOR.refuse());
    }
    let (tag, object) = parse(data, context.profile)?;
    // What cannot be read back in one answer is not taken.
    if object.len() > RESPONSE_CAPACITY {
        return Err(rules::MEMORY_FULL.refuse());
    }
    context.platform.store.commit(&[Update::Write(Record::Object(tag), object)])?;
    if tag == ObjectTag::DISCOVERY { take_back(context) } else { Ok(()) }
}

/// What a new Discovery Object takes back opens nothing any more.
fn take_back<P: Platform>(context: &mut Context<'_, P>) -> Result<(), Refusal> {
    let policy = PinUsagePolicy::load(&context.platform.store)?;
    if !policy.global_pin() {
        context.security.set_verified(Reference::GlobalPin, false);
    }
    if !policy.on_card_comparison() {
        context.security.set_verified(Reference::PrimaryFinger, false);
        context.security.set_verified(Reference::SecondaryFinger, false);
    }
    Ok(())
}

/// The object's tag, and the object as GET DATA will answer it.
fn parse<'a>(data: &'a [u8], profile: &Profile) -> Result<(ObjectTag, &'a [u8]), Refusal> {
    let mut reader = Reader::new(data);
    let first = reader.next().ok().flatten().ok_or(rules::PUT_DATA_FORM.refuse())?;
    let (tag, object) = match first.tag {
        TAG_LIST => {
            let container = Container::from_bytes(first.value)
                .filter(|container| profile.has_container(container))
                .ok_or(rules::OBJECT_NOT_FOUND.refuse())?;
            let object = reader.remaining();
            if !container.tag.is_wrapped() || reader.expect(CONTENTS).is_err() {
                return Err(rules::PUT_DATA_FORM.refuse());
            }
            (container.tag, object)
        }
        DISCOVERY => (ObjectTag::DISCOVERY, data),
        BIT_GROUP => (ObjectTag::BIT_GROUP, data),
        _ => return Err(rules::PUT_DATA_FORM.refuse()),
    };
    if reader.is_empty() { Ok((tag, object)) } else { Err(rules::PUT_DATA_FORM.refuse()) }
}
