//! VERIFY of a fingerprint, `96`, on a YubiKey Bio: by the sensor, or by a temporary PIN that stands for a finger seen before.
//!
//! Follows Yubico's documentation of the command. Its data field says what is wanted:
//!
//! | data | |
//! |---|---|
//! | none | how many tries are left, always as an error |
//! | `03 00` | the finger |
//! | `02 00` | the finger; the answer is a temporary PIN of 16 bytes |
//! | `01 10` and 16 bytes | the temporary PIN in place of the finger |
//!
//! Promises: a try is spent, in a transaction of its own, before the sensor tells whose finger it saw; the temporary PIN is
//! lost with the application's statuses, after another finger, after a wrong PIN, and after one wrong guess. The card comes with
//! its holder's finger enrolled: that is FIDO's work on a genuine key.

use apdu::tlv_ber::{Reader, Tag};
use heapless::Vec;
use rand_core::Rng;
use subtle::ConstantTimeEq;

use super::super::Context;
use crate::{
    holder::Holder,
    key::policy::TouchPolicy,
    platform::Platform,
    reference::Reference,
    refusal::{Refusal, rules},
    security::TemporaryPin,
    store::{Record, Store, Update},
};

/// Its key reference.
pub(super) const KEY_REFERENCE: u8 = Reference::PrimaryFinger.to_byte();

/// The counter of wrong fingers. Before the first of them there is no record.
const COUNTER: Record = Record::RetryCounter(Reference::PrimaryFinger);

mod tag {
    use super::Tag;

    pub(super) const TEMPORARY_PIN: Tag = Tag::new(0x01);
    pub(super) const FINGER_FOR_TEMPORARY_PIN: Tag = Tag::new(0x02);
    pub(super) const FINGER: Tag = Tag::new(0x03);
}

/// VERIFY in its four forms.
pub(super) fn verify<P: Platform>(context: &mut Context<'_, P>, data: &[u8]) -> Result<(), Refusal> {
    if data.is_empty() {
        return Err(match tries_left(context)? {
            0 => rules::FINGERPRINT_BLOCKED.refuse(),
            left => mismatch(context, left),
        });
    }
    let malformed = rules::FINGERPRINT_FORM.refuse();
    let mut reader = Reader::new(data);
    let mut element = |tag| reader.optional(tag).map_err(|_| malformed);
    let (pin, for_pin, finger) =
        (element(tag::TEMPORARY_PIN)?, element(tag::FINGER_FOR_TEMPORARY_PIN)?, element(tag::FINGER)?);
    reader.finish().map_err(|_| malformed)?;
    match (pin, for_pin, finger) {
        (Some(pin), None, None) => compare_temporary_pin(context, pin.try_into().map_err(|_| malformed)?),
        (None, None, Some([])) => look_at_finger(context),
        (None, Some([]), None) => {
            look_at_finger(context)?;
            give_temporary_pin(context)
        }
        _ => Err(malformed),
    }
}

/// Tries that are left.
pub(super) fn tries_left<P: Platform>(context: &Context<'_, P>) -> Result<u8, Refusal> {
    let mut counter = Vec::<u8, 1>::new();
    context.platform.store.read(COUNTER, &mut counter)?;
    Ok(counter.first().copied().unwrap_or(context.profile.default_tries))
}

fn mismatch<P: Platform>(context: &Context<'_, P>, left: u8) -> Refusal {
    rules::FINGERPRINT.refuse_with(context.profile.tries_left(left))
}

/// Waits for a finger, which costs nothing if none comes, and compares it.
fn look_at_finger<P: Platform>(context: &mut Context<'_, P>) -> Result<(), Refusal> {
    let left = tries_left(context)?.checked_sub(1).ok_or(rules::FINGERPRINT_BLOCKED.refuse())?;
    context.ask_for_touch(TouchPolicy::Always)?;
    context.security.set_fingerprint_verified(false);
    let platform = &mut *context.platform;
    platform.store.commit(&[Update::Write(COUNTER, &[left])])?;
    if !platform.holder.finger_is_enrolled() {
        context.security.set_temporary_pin(None);
        return Err(mismatch(context, left));
    }
    platform.store.commit(&[Update::Write(COUNTER, &[context.profile.default_tries])])?;
    context.security.set_fingerprint_verified(true);
    Ok(())
}

fn give_temporary_pin<P: Platform>(context: &mut Context<'_, P>) -> Result<(), Refusal> {
    let mut pin = TemporaryPin::default();
    context.platform.rng.fill_bytes(&mut *pin);
    context.response.extend_from_slice(&*pin)?;
    context.security.set_temporary_pin(Some(pin));
    Ok(())
}

fn compare_temporary_pin<P: Platform>(
    context: &mut Context<'_, P>,
    candidate: &[u8; 16],
) -> Result<(), Refusal> {
    let right = context.security.temporary_pin().is_some_and(|pin| bool::from(pin.ct_eq(candidate)));
    context.security.set_fingerprint_verified(right);
    if right {
        return Ok(());
    }
    context.security.set_temporary_pin(None);
    Err(rules::TEMPORARY_PIN.refuse())
}

/// The right PIN gives the sensor its tries back.
pub(in crate::piv) fn pin_was_right<P: Platform>(
    context: &mut Context<'_, P>,
    reference: Reference,
) -> Result<(), Refusal> {
    let tries = context.profile.default_tries;
    if reference == Reference::PivPin && has_sensor(context) && tries_left(context)? < tries {
        context.platform.store.commit(&[Update::Write(COUNTER, &[tries])])?;
    }
    Ok(())
}

/// A wrong PIN ends the temporary one.
pub(in crate::piv) fn pin_was_wrong<P: Platform>(context: &mut Context<'_, P>, reference: Reference) {
    if reference == Reference::PivPin {
        context.security.set_temporary_pin(None);
    }
}

fn has_sensor<P: Platform>(context: &Context<'_, P>) -> bool {
    context.profile.yubico.is_some_and(|yubico| yubico.fingerprint)
}
