//! SET PIN RETRIES: new numbers of tries; PIN and PUK become those of the factory.

use super::super::Context;
use crate::{
    platform::Platform,
    profile::yubico::{DEFAULT_PIN, DEFAULT_PUK},
    reference::{Reference, ReferenceRecord},
    refusal::{Refusal, rules},
    security::AccessRule,
    store::{Record, Store, Update},
};

pub(super) fn run<P: Platform>(context: &mut Context<'_, P>, pin: u8, puk: u8) -> Result<(), Refusal> {
    if !context.security.permits(AccessRule::Administrator) {
        return Err(rules::ADMINISTRATOR.refuse());
    }
    if !context.security.permits(AccessRule::Pin) {
        return Err(rules::RETRIES_PIN.refuse());
    }
    let pin = ReferenceRecord::new(pin, &DEFAULT_PIN);
    let puk = ReferenceRecord::new(puk, &DEFAULT_PUK);
    context.platform.store.commit(&[
        Update::Write(Record::ReferenceData(Reference::PivPin), pin.bytes()),
        Update::Write(Record::RetryCounter(Reference::PivPin), pin.tries_bytes()),
        Update::Write(Record::ReferenceData(Reference::Puk), puk.bytes()),
        Update::Write(Record::RetryCounter(Reference::Puk), puk.tries_bytes()),
    ])?;
    // It was another PIN that was verified.
    context.security.set_verified(Reference::PivPin, false);
    Ok(())
}
