//! GET DATA (SP 800-73-5 part 2, 3.1.2).

use apdu::tlv_ber::{Reader, Tag};

use super::Context;
#[cfg(feature = "yubico")]
use super::yubico;
#[cfg(feature = "cac")]
use crate::{cac, object::ObjectTag};
use crate::{
    object::{Container, tag_number},
    platform::Platform,
    profile::EmptyContainer,
    refusal::{Refusal, rules},
    store::{Record, Store},
};

/// The tag list that names one object.
const TAG_LIST: Tag = Tag::new(0x5C);

/// What an empty wrapped object looks like.
const EMPTY: [u8; 2] = [0x53, 0x00];

/// Answers with the object that the tag list names.
///
/// The access rule comes before the question whether the object exists, so that a reader without the right learns
/// nothing.
pub(super) fn get_data<P: Platform>(context: &mut Context<'_, P>, tag_list: &[u8]) -> Result<(), Refusal> {
    let tag = parse(tag_list)?;
    let container = Container::find(tag).filter(|container| context.profile.has_container(container));
    #[cfg(feature = "yubico")]
    if container.is_none() && context.profile.yubico.is_some() {
        return yubico::object::read(context, tag);
    }
    let container = container.ok_or(rules::OBJECT_NOT_FOUND.refuse())?;
    let (contact, contactless) = context.profile.read_rules(container);
    if !context.security.permits_here(contact, contactless) {
        return Err(rules::OBJECT_READ.refuse());
    }
    #[cfg(feature = "cac")]
    if container.tag == ObjectTag::PIV_AUTHENTICATION
        && cac::piv_authentication_is_hidden(&context.platform.store)?
    {
        return Err(rules::OBJECT_NOT_FOUND.refuse());
    }
    if !context.platform.store.read(Record::Object(container.tag), context.response)? {
        return Err(rules::OBJECT_NOT_FOUND.refuse());
    }
    let hidden = context.profile.choices.empty_container == EmptyContainer::NotFound;
    if hidden && context.response.as_slice() == EMPTY {
        context.response.clear();
        return Err(rules::OBJECT_NOT_FOUND.refuse());
    }
    Ok(())
}

/// The tag that the list names, of one to three bytes.
fn parse(tag_list: &[u8]) -> Result<u32, Refusal> {
    let mut reader = Reader::new(tag_list);
    let tag = reader.expect(TAG_LIST).map_err(|_| rules::GET_DATA_FORM.refuse())?;
    if !reader.is_empty() {
        return Err(rules::GET_DATA_FORM.refuse());
    }
    tag_number(tag).ok_or(rules::GET_DATA_FORM.refuse())
}
