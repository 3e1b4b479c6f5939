//! PUT DATA (SP 800-73-5 part 2, 3.3.1).

use apdu::tlv_ber::{Reader, Tag};

use super::Context;
#[cfg(feature = "cac")]
use crate::{cac, store::StoreError};
use crate::{
    card::RESPONSE_CAPACITY,
    discovery::PinUsagePolicy,
    object::{Container, ObjectTag, tag_number},
    platform::Platform,
    reference::Reference,
    refusal::{Refusal, rules},
    security::AccessRule,
    store::{Record, Store, Update},
};

const TAG_LIST: Tag = Tag::new(0x5C);
const CONTENTS: Tag = Tag::new(0x53);
const DISCOVERY: Tag = Tag::new(0x7E);
const BIT_GROUP: Tag = Tag::new(0x7F61);

/// Replaces the contents of a data object, in one transaction. On a Common Access Card whose PIV Authentication certificate
/// is hidden, a new one in its place activates certificate and key in the same transaction.
pub(super) fn put_data<P: Platform>(context: &mut Context<'_, P>, data: &[u8]) -> Result<(), Refusal> {
    if !context.security.permits(AccessRule::Administrator) {
        return Err(rules::ADMINISTRATOR.refuse());
    }
    let (tag, object) = parse(data)?;
    // What cannot be read back in one answer is not taken.
    if object.len() > RESPONSE_CAPACITY {
        return Err(rules::MEMORY_FULL.refuse());
    }
    write(context, tag, object)?;
    if tag == ObjectTag::DISCOVERY.get() { take_back(context) } else { Ok(()) }
}

fn write<P: Platform>(context: &mut Context<'_, P>, tag: u32, object: &[u8]) -> Result<(), Refusal> {
    #[cfg(feature = "yubico")]
    if let Some(yubico) = context.profile.yubico {
        return super::yubico::object::write(context, yubico, tag, object);
    }
    let container = Container::find(tag).filter(|container| context.profile.has_container(container));
    let tag = container.ok_or(rules::OBJECT_NOT_FOUND.refuse())?.tag;
    let store = &mut context.platform.store;
    let object_update = Update::Write(Record::Object(tag), object);
    #[cfg(feature = "cac")]
    if activates_piv_authentication(store, tag, object)? {
        return Ok(store.commit(&[object_update, Update::Remove(Record::PivAuthenticationHidden)])?);
    }
    Ok(store.commit(&[object_update])?)
}

/// Whether the object is the certificate by which the issuer activates a PIV Authentication key that is hidden. An empty
/// object only clears the container, as renewal does before it makes another key.
#[cfg(feature = "cac")]
fn activates_piv_authentication(
    store: &impl Store,
    tag: ObjectTag,
    object: &[u8],
) -> Result<bool, StoreError> {
    let filled = Reader::new(object).expect(CONTENTS).is_ok_and(|contents| !contents.is_empty());
    Ok(tag == ObjectTag::PIV_AUTHENTICATION && filled && cac::piv_authentication_is_hidden(store)?)
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
fn parse(data: &[u8]) -> Result<(u32, &[u8]), Refusal> {
    let mut reader = Reader::new(data);
    let first = reader.next().ok().flatten().ok_or(rules::PUT_DATA_FORM.refuse())?;
    let (tag, object) = match first.tag {
        TAG_LIST => {
            let tag = tag_number(first.value).ok_or(rules::OBJECT_NOT_FOUND.refuse())?;
            let bare = [ObjectTag::DISCOVERY, ObjectTag::BIT_GROUP].iter().any(|bare| bare.get() == tag);
            let object = reader.remaining();
            if bare || reader.expect(CONTENTS).is_err() {
                return Err(rules::PUT_DATA_FORM.refuse());
            }
            (tag, object)
        }
        DISCOVERY => (ObjectTag::DISCOVERY.get(), data),
        BIT_GROUP => (ObjectTag::BIT_GROUP.get(), data),
        _ => return Err(rules::PUT_DATA_FORM.refuse()),
    };
    if reader.is_empty() { Ok((tag, object)) } else { Err(rules::PUT_DATA_FORM.refuse()) }
}
