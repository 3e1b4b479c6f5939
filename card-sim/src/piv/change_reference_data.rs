//! CHANGE REFERENCE DATA (SP 800-73-5 part 2, 3.2.2).

use apdu::Status;

use super::{Context, command::ChangeReferenceData, verify};
use crate::{
    discovery::PinUsagePolicy,
    platform::Platform,
    profile::MalformedReference,
    reference::{self, Comparison, LENGTH, Reference, ReferenceRecord},
    refusal::{Refusal, rules},
    store::{Record, Store, Update},
};

/// Replaces a PIN or the PUK by its holder, who proves the old one.
///
/// Malformed data is refused before anything is compared, so it neither costs a try nor tells whether the old value
/// was right; on cards where a malformed value counts as a wrong one, it is refused after the comparison, with `6985`.
pub(super) fn change<P: Platform>(
    context: &mut Context<'_, P>,
    command: &ChangeReferenceData<'_>,
) -> Result<(), Refusal> {
    let reference = changeable(context, command.key_reference)?;
    if verify::tries_left_here(context, reference)? == 0 {
        return Err(rules::BLOCKED.refuse());
    }
    let (old, new) = halves(command.data).ok_or(rules::CHANGE_FORM.refuse())?;
    let well_formed = context.profile.is_well_formed(reference, new);
    let both = well_formed && context.profile.is_well_formed(reference, old);
    if !both && context.profile.choices.malformed_reference == MalformedReference::Refused {
        return Err(rules::CHANGE_FORM.refuse());
    }
    context.security.set_verified(reference, false);
    let store = &mut context.platform.store;
    match reference::spend_and_compare(store, reference, old)? {
        Comparison::Equal { tries } if !well_formed => {
            store.commit(&[Update::Write(Record::RetryCounter(reference), &[tries])])?;
            Err(rules::CHANGE_FORM.refuse_with(Status::ConditionsNotSatisfied))
        }
        Comparison::Equal { tries } if !context.profile.takes_new_reference(new) => {
            store.commit(&[Update::Write(Record::RetryCounter(reference), &[tries])])?;
            Err(rules::PIN_COMPLEXITY.refuse())
        }
        Comparison::Equal { tries } => {
            let record = ReferenceRecord::new(tries, new);
            store.commit(&[
                Update::Write(Record::ReferenceData(reference), record.bytes()),
                Update::Write(Record::RetryCounter(reference), &[tries]),
            ])?;
            context.security.set_verified(reference, true);
            Ok(())
        }
        Comparison::Different { left } => {
            Err(rules::TRIES_LEFT.refuse_with(context.profile.tries_left(left)))
        }
    }
}

/// The reference, if the card lets it be changed: the PIV PIN, the PUK, and the Global PIN where it is enabled.
fn changeable<P: Platform>(context: &Context<'_, P>, key_reference: u8) -> Result<Reference, Refusal> {
    let store = &context.platform.store;
    let reference = Reference::from_byte(key_reference).ok_or(rules::REFERENCE_NOT_FOUND.refuse())?;
    let enabled = match reference {
        Reference::PivPin | Reference::Puk => true,
        Reference::GlobalPin => PinUsagePolicy::load(store)?.global_pin(),
        // Fingers are enrolled by the issuer.
        Reference::PrimaryFinger | Reference::SecondaryFinger => false,
    };
    if !enabled || !reference::exists(store, reference)? {
        return Err(rules::REFERENCE_NOT_FOUND.refuse());
    }
    verify::check_channel(context, reference)?;
    Ok(reference)
}

/// Two pieces of reference data, one after the other.
pub(super) fn halves(data: &[u8]) -> Option<(&[u8; LENGTH], &[u8; LENGTH])> {
    let (first, second) = data.split_first_chunk()?;
    Some((first, second.try_into().ok()?))
}
