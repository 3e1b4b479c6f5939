//! VERIFY (SP 800-73-5 part 2, 3.2.1).

mod pairing_code;

use super::{Context, command::Verify};
use crate::{
    discovery::PinUsagePolicy,
    interface::Interface,
    platform::Platform,
    profile::{MalformedReference, yubico::Feature},
    reference::{self, Comparison, Reference},
    refusal::{Refusal, rules},
    store::{Record, Store, Update},
};

/// Checks reference data, tells its status, or resets the status.
pub(super) fn verify<P: Platform>(context: &mut Context<'_, P>, command: &Verify<'_>) -> Result<(), Refusal> {
    let (Verify::Status { key_reference }
    | Verify::Compare { key_reference, .. }
    | Verify::Reset { key_reference }) = *command;
    if key_reference == pairing_code::KEY_REFERENCE {
        return pairing_code::verify(context, command);
    }
    match *command {
        Verify::Status { key_reference } => {
            let reference = verifiable(context, key_reference)?;
            status(context, reference)
        }
        Verify::Reset { key_reference } => {
            let reference = verifiable(context, key_reference)?;
            context.security.set_verified(reference, false);
            Ok(())
        }
        Verify::Compare { key_reference, candidate } => {
            let reference = verifiable(context, key_reference)?;
            compare(context, reference, candidate)
        }
    }
}

/// The reference, if it is one that VERIFY checks on this card: the PIV PIN, and the Global PIN and fingers where the
/// Discovery Object enables them.
fn verifiable<P: Platform>(context: &Context<'_, P>, key_reference: u8) -> Result<Reference, Refusal> {
    let store = &context.platform.store;
    let reference = Reference::from_byte(key_reference).ok_or(rules::REFERENCE_NOT_FOUND.refuse())?;
    let enabled = match reference {
        Reference::PivPin => true,
        Reference::GlobalPin => PinUsagePolicy::load(store)?.global_pin(),
        Reference::Puk => false,
        Reference::PrimaryFinger | Reference::SecondaryFinger => {
            PinUsagePolicy::load(store)?.on_card_comparison()
        }
    };
    if !enabled || !reference::exists(store, reference)? {
        return Err(rules::REFERENCE_NOT_FOUND.refuse());
    }
    check_channel(context, reference)?;
    Ok(reference)
}

/// Through the antenna, a PIN is presented over the virtual contact interface only, a finger under secure messaging, and
/// the PUK not at all (part 1, table 4).
pub(super) fn check_channel<P: Platform>(
    context: &Context<'_, P>,
    reference: Reference,
) -> Result<(), Refusal> {
    let channel = context.security.channel();
    let contactless = match reference {
        Reference::GlobalPin | Reference::PivPin => channel.virtual_contact,
        Reference::PrimaryFinger | Reference::SecondaryFinger => channel.protected,
        Reference::Puk => false,
    };
    if contactless || context.security.interface() == Interface::Contact {
        Ok(())
    } else {
        Err(rules::VERIFY_CHANNEL.refuse())
    }
}

/// Tries that are left for the interface in use: some are kept for the contacts.
pub(super) fn tries_left_here<P: Platform>(
    context: &Context<'_, P>,
    reference: Reference,
) -> Result<u8, Refusal> {
    let left = reference::tries_left(&context.platform.store, reference)?;
    let kept = match context.security.interface() {
        Interface::Contact => 0,
        Interface::Contactless => context.profile.tries_kept_for_contact,
    };
    Ok(if left <= kept { 0 } else { left })
}

fn status<P: Platform>(context: &mut Context<'_, P>, reference: Reference) -> Result<(), Refusal> {
    let tells = context.profile.dialect().is_none_or(|yubico| yubico.has(Feature::VerifyStatus));
    if tells && context.security.verified(reference) {
        return Ok(());
    }
    match tries_left_here(context, reference)? {
        0 => Err(rules::BLOCKED.refuse_with(context.profile.choices.blocked_status)),
        left => Err(rules::TRIES_LEFT.refuse_with(context.profile.tries_left(left))),
    }
}

fn compare<P: Platform>(
    context: &mut Context<'_, P>,
    reference: Reference,
    candidate: &[u8],
) -> Result<(), Refusal> {
    if tries_left_here(context, reference)? == 0 {
        return Err(rules::BLOCKED.refuse());
    }
    if !context.profile.is_well_formed(reference, candidate) {
        if reference.is_finger() {
            return Err(rules::FINGER_FORM.refuse());
        }
        if context.profile.choices.malformed_reference == MalformedReference::Refused {
            return Err(rules::REFERENCE_FORM.refuse());
        }
    }
    context.security.set_verified(reference, false);
    let store = &mut context.platform.store;
    match reference::spend_and_compare(store, reference, candidate)? {
        Comparison::Equal { tries } => {
            store.commit(&[Update::Write(Record::RetryCounter(reference), &[tries])])?;
            #[cfg(feature = "yubico")]
            super::yubico::pin_was_right(context, reference)?;
            context.security.set_verified(reference, true);
            Ok(())
        }
        Comparison::Different { left } => {
            #[cfg(feature = "yubico")]
            super::yubico::pin_was_wrong(context, reference);
            Err(rules::TRIES_LEFT.refuse_with(context.profile.tries_left(left)))
        }
    }
}
