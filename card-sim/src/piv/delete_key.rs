//! DELETE KEY: a key goes away, its certificate stays. SP 800-73 has no such command; this is Yubico's, MOVE KEY to nowhere, with
//! which a card management system takes a credential off other cards here too.

use super::Context;
use crate::{
    key::{KeyRecord, KeyReference},
    platform::Platform,
    refusal::{Refusal, rules},
    security::AccessRule,
    store::{Record, Store, Update},
};

pub(super) fn delete<P: Platform>(
    context: &mut Context<'_, P>,
    reference: KeyReference,
) -> Result<(), Refusal> {
    if !context.security.permits(AccessRule::Administrator) {
        return Err(rules::ADMINISTRATOR.refuse());
    }
    let store = &mut context.platform.store;
    if KeyRecord::load(store, Record::Key(reference))?.is_none() {
        return Err(rules::NO_KEY.refuse());
    }
    Ok(store.commit(&[Update::Remove(Record::Key(reference))])?)
}
