//! MOVE KEY and DELETE KEY: a key goes to another reference with its policies, in place of the one there, or goes away.
//! Certificates stay.

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
    to: Option<KeyReference>,
) -> Result<(), Refusal> {
    if !context.security.permits(AccessRule::Administrator) {
        return Err(rules::ADMINISTRATOR.refuse());
    }
    let store = &mut context.platform.store;
    let record = KeyRecord::load(store, Record::Key(from))?.ok_or(rules::NO_KEY.refuse())?;
    // What is the default here may be another one there.
    let policy = key::load_attributes(store, from)?.map_or_else(Policy::default, |found| found.policy);
    let record = record.with_policy(policy.for_key(from));
    let gone = Update::Remove(Record::Key(from));
    match to {
        None => store.commit(&[gone])?,
        // It is there already.
        Some(to) if to == from => {}
        Some(to) => store.commit(&[Update::Write(Record::Key(to), record.bytes()), gone])?,
    }
    Ok(())
}
