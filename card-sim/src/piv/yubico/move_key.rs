//! MOVE KEY: a key goes with its policies to another reference, where none may be (`ykman` takes `6A80` for that). Certificates stay.

use super::super::Context;
use crate::{
    key::{self, KeyRecord, KeyReference, policy::Policy},
    platform::Platform,
    refusal::{Refusal, rules},
    security::AccessRule,
    store::{Record, Store, Update},
};

pub(super) fn run<P: Platform>(
    context: &mut Context<'_, P>,
    from: KeyReference,
    to: KeyReference,
) -> Result<(), Refusal> {
    if !context.security.permits(AccessRule::Administrator) {
        return Err(rules::ADMINISTRATOR.refuse());
    }
    let store = &mut context.platform.store;
    let record = KeyRecord::load(store, Record::Key(from))?.ok_or(rules::NO_KEY.refuse())?;
    // What is the default here may be another one there.
    let policy = key::load_attributes(store, from)?.map_or_else(Policy::default, |found| found.policy);
    let record = record.with_policy(policy.for_key(from));
    if KeyRecord::load(store, Record::Key(to))?.is_some() {
        return Err(rules::MOVE_TARGET.refuse());
    }
    let gone = Update::Remove(Record::Key(from));
    Ok(store.commit(&[Update::Write(Record::Key(to), record.bytes()), gone])?)
}
