//! RESET RETRY COUNTER (SP 800-73-5 part 2, 3.2.3), and its form for the card manager (ISO/IEC 7816-4, P1 `02`).

use apdu::Status;

use super::{Context, change_reference_data::halves};
use crate::{
    platform::Platform,
    profile::MalformedReference,
    reference::{self, Comparison, Reference, ReferenceRecord},
    refusal::{Refusal, rules},
    security::AccessRule,
    store::{Record, Store, Update},
};

/// Gives a blocked PIN a new value, proved by the PUK.
///
/// Success does not verify the PIN: its status stays as it was. A wrong PUK sets it to not verified.
pub(super) fn reset<P: Platform>(context: &mut Context<'_, P>, data: &[u8]) -> Result<(), Refusal> {
    #[cfg(feature = "cac")]
    if context.profile.cac.is_some() {
        return Err(rules::CAC_UNBLOCK.refuse());
    }
    let store = &mut context.platform.store;
    if !reference::exists(store, Reference::Puk)? || !reference::exists(store, Reference::PivPin)? {
        return Err(rules::REFERENCE_NOT_FOUND.refuse());
    }
    if reference::tries_left(store, Reference::Puk)? == 0 {
        return Err(rules::BLOCKED.refuse());
    }
    let (puk, new_pin) = halves(data).ok_or(rules::RESET_FORM.refuse())?;
    let well_formed = context.profile.is_well_formed(Reference::PivPin, new_pin);
    if !well_formed && context.profile.choices.malformed_reference == MalformedReference::Refused {
        return Err(rules::RESET_FORM.refuse());
    }
    match reference::spend_and_compare(store, Reference::Puk, puk)? {
        Comparison::Equal { tries } if !well_formed => {
            store.commit(&[Update::Write(Record::RetryCounter(Reference::Puk), &[tries])])?;
            Err(rules::RESET_FORM.refuse_with(Status::ConditionsNotSatisfied))
        }
        Comparison::Equal { tries } if !context.profile.takes_new_reference(new_pin) => {
            store.commit(&[Update::Write(Record::RetryCounter(Reference::Puk), &[tries])])?;
            Err(rules::PIN_COMPLEXITY.refuse())
        }
        Comparison::Equal { tries } => {
            let pin_tries = reference::tries_total(store, Reference::PivPin)?;
            let record = ReferenceRecord::new(pin_tries, new_pin);
            store.commit(&[
                Update::Write(Record::ReferenceData(Reference::PivPin), record.bytes()),
                Update::Write(Record::RetryCounter(Reference::PivPin), &[pin_tries]),
                Update::Write(Record::RetryCounter(Reference::Puk), &[tries]),
            ])?;
            Ok(())
        }
        Comparison::Different { left } => {
            context.security.set_verified(Reference::PivPin, false);
            Err(rules::TRIES_LEFT.refuse_with(context.profile.tries_left(left)))
        }
    }
}

/// Gives the PIN a new value, blocked or not, in place of a PUK's proof by that of the card management key.
///
/// The PUK and its counter stay as they are, and the PIN's status too: nobody has shown that he knows it.
pub(super) fn reset_by_administrator<P: Platform>(
    context: &mut Context<'_, P>,
    new_pin: &[u8],
) -> Result<(), Refusal> {
    if !context.security.permits(AccessRule::Administrator) {
        return Err(rules::ADMINISTRATOR.refuse());
    }
    if !context.profile.is_well_formed(Reference::PivPin, new_pin) {
        return Err(rules::RESET_BY_ADMINISTRATOR_FORM.refuse());
    }
    if !context.profile.takes_new_reference(new_pin) {
        return Err(rules::PIN_COMPLEXITY.refuse());
    }
    let store = &mut context.platform.store;
    let tries = match reference::tries_total(store, Reference::PivPin)? {
        0 => return Err(rules::REFERENCE_NOT_FOUND.refuse()),
        tries => tries,
    };
    let record = ReferenceRecord::new(tries, new_pin);
    Ok(store.commit(&[
        Update::Write(Record::ReferenceData(Reference::PivPin), record.bytes()),
        Update::Write(Record::RetryCounter(Reference::PivPin), &[tries]),
    ])?)
}
