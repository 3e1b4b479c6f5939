//! GET METADATA: what a key is and what its use asks for; of PIN and PUK, the tries and whether they are those of the
//! factory; of a fingerprint, the tries and whether there is a temporary PIN.

use apdu::tlv_ber::{Header, Tag};

use super::{
    super::{Context, generate_asymmetric_key_pair::append_public_key},
    fingerprint,
};
use crate::{
    crypto::Crypto,
    key::{self, KeyReference, policy::PinPolicy},
    platform::Platform,
    profile::yubico::{DEFAULT_PIN, DEFAULT_PUK, Yubico},
    reference::{self, Reference},
    refusal::{Refusal, rules},
};

mod tag {
    use super::Tag;

    pub(super) const ALGORITHM: Tag = Tag::new(0x01);
    pub(super) const POLICY: Tag = Tag::new(0x02);
    pub(super) const ORIGIN: Tag = Tag::new(0x03);
    pub(super) const PUBLIC_KEY: Tag = Tag::new(0x04);
    pub(super) const IS_DEFAULT: Tag = Tag::new(0x05);
    pub(super) const TRIES: Tag = Tag::new(0x06);
    pub(super) const FINGER_ENROLLED: Tag = Tag::new(0x07);
    pub(super) const TEMPORARY_PIN: Tag = Tag::new(0x08);
}

/// What stands for a PIN or PUK in place of an algorithm.
const NO_ALGORITHM: u8 = 0xFF;

pub(super) fn run<P: Platform>(
    context: &mut Context<'_, P>,
    yubico: &Yubico,
    byte: u8,
) -> Result<(), Refusal> {
    match Reference::from_byte(byte) {
        Some(reference @ Reference::PivPin) => of_reference(context, reference, &DEFAULT_PIN),
        Some(reference @ Reference::Puk) => of_reference(context, reference, &DEFAULT_PUK),
        Some(Reference::PrimaryFinger) if yubico.fingerprint => of_fingerprint(context),
        _ => match KeyReference::from_byte(byte) {
            Some(KeyReference::CardManagement) => of_management_key(context, yubico),
            Some(reference) => of_key(context, reference),
            None => Err(rules::NO_KEY.refuse()),
        },
    }
}

fn of_reference<P: Platform>(
    context: &mut Context<'_, P>,
    reference: Reference,
    default: &[u8],
) -> Result<(), Refusal> {
    let store = &context.platform.store;
    let is_default = reference::is(store, reference, default)?;
    let tries = [reference::tries_total(store, reference)?, reference::tries_left(store, reference)?];
    append(context, tag::ALGORITHM, &[NO_ALGORITHM])?;
    append(context, tag::IS_DEFAULT, &[u8::from(is_default)])?;
    append(context, tag::TRIES, &tries)
}

fn of_fingerprint<P: Platform>(context: &mut Context<'_, P>) -> Result<(), Refusal> {
    let left = fingerprint::tries_left(context)?;
    let temporary_pin = context.security.temporary_pin().is_some();
    append(context, tag::FINGER_ENROLLED, &[0x01])?;
    append(context, tag::TRIES, &[left])?;
    append(context, tag::TEMPORARY_PIN, &[u8::from(temporary_pin)])
}

fn of_management_key<P: Platform>(context: &mut Context<'_, P>, yubico: &Yubico) -> Result<(), Refusal> {
    let store = &context.platform.store;
    let key = KeyReference::CardManagement;
    let attributes = key::load_attributes(store, key)?.ok_or(rules::NO_KEY.refuse())?;
    let is_default = yubico.has_default_management_key(store)?;
    let touch = attributes.policy.touch.resolved();
    append(context, tag::ALGORITHM, &[attributes.algorithm])?;
    append(context, tag::POLICY, &[PinPolicy::Default.to_byte(), touch.to_byte()])?;
    append(context, tag::IS_DEFAULT, &[u8::from(is_default)])
}

fn of_key<P: Platform>(context: &mut Context<'_, P>, reference: KeyReference) -> Result<(), Refusal> {
    let store = &context.platform.store;
    let attributes = key::load_attributes(store, reference)?.ok_or(rules::NO_KEY.refuse())?;
    let (key, _) = key::load_private(store, reference)?.ok_or(rules::NO_KEY.refuse())?;
    let policy = attributes.policy.for_key(reference);
    append(context, tag::ALGORITHM, &[attributes.algorithm])?;
    append(context, tag::POLICY, &[policy.pin.to_byte(), policy.touch.to_byte()])?;
    append(context, tag::ORIGIN, &[attributes.origin.to_byte()])?;
    let public_key = context.platform.crypto.public_key(&key)?;
    append_public_key(tag::PUBLIC_KEY, &public_key, context.response)
}

fn append<P: Platform>(context: &mut Context<'_, P>, tag: Tag, value: &[u8]) -> Result<(), Refusal> {
    let header = Header::new(tag, value.len()).ok_or(rules::MEMORY_FULL.refuse())?;
    context.response.extend_from_slice(header.as_slice())?;
    Ok(context.response.extend_from_slice(value)?)
}
