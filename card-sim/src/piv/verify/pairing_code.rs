//! The pairing code, `98`: opens the virtual contact interface of a session (SP 800-73-5 part 1, 5.1.3; part 2, 3.2.1).
//!
//! It has no counter and cannot be blocked. What it is compared with is a data object, which the holder may read.

use apdu::tlv_ber::{Reader, Tag};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    discovery::PinUsagePolicy,
    interface::Interface,
    object::ObjectTag,
    piv::{Context, command::Verify},
    platform::Platform,
    refusal::{Refusal, rules},
    store::{Record, Store, StoreError},
};

/// Its key reference.
pub(super) const KEY_REFERENCE: u8 = 0x98;

/// Eight digits.
const LENGTH: usize = 8;

/// VERIFY of the pairing code in its three forms.
pub(super) fn verify<P: Platform>(context: &mut Context<'_, P>, command: &Verify<'_>) -> Result<(), Refusal> {
    if !PinUsagePolicy::load(&context.platform.store)?.virtual_contact_interface() {
        return Err(rules::REFERENCE_NOT_FOUND.refuse());
    }
    let antenna = context.security.interface() == Interface::Contactless;
    if antenna && !context.security.channel().protected {
        return Err(rules::VERIFY_CHANNEL.refuse());
    }
    match *command {
        Verify::Status { .. } if context.security.paired() => Ok(()),
        Verify::Status { .. } => Err(rules::PAIRING_CODE.refuse()),
        Verify::Reset { .. } => {
            context.security.set_paired(false);
            Ok(())
        }
        Verify::Compare { candidate, .. } => compare(context, candidate),
    }
}

fn compare<P: Platform>(context: &mut Context<'_, P>, candidate: &[u8]) -> Result<(), Refusal> {
    if candidate.len() != LENGTH || !candidate.iter().all(u8::is_ascii_digit) {
        return Err(rules::PAIRING_CODE_FORM.refuse());
    }
    let mut object = Zeroizing::new(heapless::Vec::<u8, 32>::new());
    match context.platform.store.read(Record::Object(ObjectTag::PAIRING_CODE), &mut *object) {
        // Twice as long as part 1, table 44, makes it: it holds no code.
        Err(StoreError::BufferTooSmall) => return Err(rules::REFERENCE_NOT_FOUND.refuse()),
        read => read?,
    };
    let code = Reader::new(&object)
        .expect(Tag::new(0x53))
        .and_then(|contents| Reader::new(contents).expect(Tag::new(0x99)))
        .map_err(|_| rules::REFERENCE_NOT_FOUND.refuse())?;
    let right = bool::from(code.ct_eq(candidate));
    context.security.set_paired(right);
    if right { Ok(()) } else { Err(rules::PAIRING_CODE.refuse()) }
}
