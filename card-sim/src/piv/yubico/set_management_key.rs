//! SET MANAGEMENT KEY: another key `9B`, of TDEA or AES.

use apdu::tlv_ber::{Reader, Tag};

use super::super::Context;
use crate::{
    key::{
        KeyRecord, KeyReference, Origin, SymmetricAlgorithm, SymmetricKey,
        policy::{PinPolicy, Policy, TouchPolicy},
    },
    platform::Platform,
    profile::yubico::{Feature, Yubico},
    refusal::{Refusal, rules},
    security::AccessRule,
    store::{Record, Store, Update},
};

/// The key reference, which stands as a tag before the key.
const KEY: Tag = Tag::new(0x9B);

pub(super) fn run<P: Platform>(
    context: &mut Context<'_, P>,
    yubico: &Yubico,
    touch: TouchPolicy,
    data: &[u8],
) -> Result<(), Refusal> {
    if !context.security.permits(AccessRule::Administrator) {
        return Err(rules::ADMINISTRATOR.refuse());
    }
    let key = parse(data, yubico).ok_or(rules::MANAGEMENT_KEY_FORM.refuse())?;
    let policy = Policy { pin: PinPolicy::Default, touch };
    let record = KeyRecord::symmetric(&key, Origin::Imported).with_policy(policy);
    let place = Record::Key(KeyReference::CardManagement);
    Ok(context.platform.store.commit(&[Update::Write(place, record.bytes())])?)
}

fn parse(data: &[u8], yubico: &Yubico) -> Option<SymmetricKey> {
    let (algorithm, key) = data.split_first()?;
    let algorithm = SymmetricAlgorithm::from_id(*algorithm)?;
    if algorithm != SymmetricAlgorithm::TripleDes && !yubico.has(Feature::AesManagementKey) {
        return None;
    }
    let mut reader = Reader::new(key);
    let key = SymmetricKey::new(algorithm, reader.expect(KEY).ok()?)?;
    reader.finish().ok()?;
    Some(key)
}
