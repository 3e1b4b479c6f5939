//! VERIFY (SP 800-73-5 part 2, 3.2.1).

use apdu::{
    Status,
    tlv_ber::{Reader, Tag},
};

use super::{Context, command::Verify};
use crate::{
    object::ObjectTag,
    platform::Platform,
    profile::MalformedReference,
    reference::{self, Comparison, Reference},
    refusal::{Refusal, rules},
    store::{Record, Store, StoreError, Update},
};

/// Bit 6 of the PIN usage policy's first byte: the Global PIN satisfies the access rules (part 1, table 1).
const GLOBAL_PIN_ENABLED: u8 = 0x20;

/// Checks reference data, tells its status, or resets the status.
pub(super) fn verify<P: Platform>(context: &mut Context<'_, P>, command: &Verify<'_>) -> Result<(), Refusal> {
    match *command {
        Verify::Status { key_reference } => {
            let reference = verifiable(context, key_reference)?;
            status(context, reference)
        }
        Verify::Reset { key_reference } => {
            let reference = verifiable(context, key_reference)?;
            set_verified(context, reference, false);
            Ok(())
        }
        Verify::Compare { key_reference, candidate } => {
            let reference = verifiable(context, key_reference)?;
            compare(context, reference, candidate)
        }
    }
}

/// The reference, if it is one that VERIFY checks on this card: the PIV PIN, and the Global PIN where the Discovery
/// Object enables it.
fn verifiable<P: Platform>(context: &Context<'_, P>, key_reference: u8) -> Result<Reference, Refusal> {
    let store = &context.platform.store;
    let reference = Reference::from_byte(key_reference).ok_or(rules::REFERENCE_NOT_FOUND.refuse())?;
    let enabled = match reference {
        Reference::PivPin => true,
        Reference::GlobalPin => global_pin_enabled(store)?,
        Reference::Puk => false,
    };
    if enabled && reference::exists(store, reference)? {
        Ok(reference)
    } else {
        Err(rules::REFERENCE_NOT_FOUND.refuse())
    }
}

/// What the Discovery Object says of the Global PIN; no Discovery Object means no.
pub(super) fn global_pin_enabled(store: &impl Store) -> Result<bool, Refusal> {
    const TEMPLATE: Tag = Tag::new(0x7E);
    const PIN_USAGE_POLICY: Tag = Tag::new(0x5F2F);
    let mut discovery = heapless::Vec::<u8, 64>::new();
    match store.read(Record::Object(ObjectTag::DISCOVERY), &mut discovery) {
        // Three times as long as part 1, 3.3.2, makes it: it says nothing.
        Err(StoreError::BufferTooSmall) => return Ok(false),
        read => read?,
    };
    let policy = Reader::new(&discovery)
        .expect(TEMPLATE)
        .and_then(|template| Reader::new(template).find(PIN_USAGE_POLICY))
        .ok()
        .flatten()
        .and_then(|policy| policy.first());
    Ok(policy.is_some_and(|first| first & GLOBAL_PIN_ENABLED != 0))
}

fn status<P: Platform>(context: &mut Context<'_, P>, reference: Reference) -> Result<(), Refusal> {
    let verified = match reference {
        Reference::GlobalPin => context.security.global_pin(),
        Reference::PivPin | Reference::Puk => context.security.pin(),
    };
    if verified {
        return Ok(());
    }
    match reference::tries_left(&context.platform.store, reference)? {
        0 => Err(rules::BLOCKED.refuse_with(context.profile.choices.blocked_status)),
        left => Err(rules::TRIES_LEFT.refuse_with(Status::TriesLeft(left))),
    }
}

fn compare<P: Platform>(
    context: &mut Context<'_, P>,
    reference: Reference,
    candidate: &[u8],
) -> Result<(), Refusal> {
    if reference::tries_left(&context.platform.store, reference)? == 0 {
        return Err(rules::BLOCKED.refuse());
    }
    let refused = context.profile.choices.malformed_reference == MalformedReference::Refused;
    if refused && !reference.is_well_formed(candidate) {
        return Err(rules::REFERENCE_FORM.refuse());
    }
    set_verified(context, reference, false);
    let store = &mut context.platform.store;
    match reference::spend_and_compare(store, reference, candidate)? {
        Comparison::Equal { tries } => {
            store.commit(&[Update::Write(Record::RetryCounter(reference), &[tries])])?;
            set_verified(context, reference, true);
            Ok(())
        }
        Comparison::Different { left } => Err(rules::TRIES_LEFT.refuse_with(Status::TriesLeft(left))),
    }
}

/// Sets the security status of a PIN.
pub(super) fn set_verified<P: Platform>(context: &mut Context<'_, P>, reference: Reference, verified: bool) {
    match reference {
        Reference::GlobalPin => context.security.set_global_pin(verified),
        Reference::PivPin => context.security.set_pin(verified),
        // The PUK has no status: it opens nothing but the command that presents it.
        Reference::Puk => {}
    }
}
