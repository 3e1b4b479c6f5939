//! READ BUFFER (GSC-IS 2.1, 5.3.3): a part of the selected object's T or V buffer.

use super::{
    State,
    container::{self, Buffer},
    pki_certificate,
};
use crate::{
    piv::Context,
    platform::Platform,
    refusal::{Refusal, rules},
    security::AccessRule,
};

/// Answers with as many bytes as the command counts, or as there are from its offset on.
///
/// The access rule comes before the question what is there, so that a reader without the right learns nothing but lengths, which
/// the T buffer says to everybody.
pub(super) fn run<P: Platform>(
    context: &mut Context<'_, P>,
    state: &State,
    command: &apdu::Command<'_>,
) -> Result<(), Refusal> {
    let (buffer, count) = match *command.data {
        [0x01, count] => (Buffer::Tags, count),
        [0x02, count] => (Buffer::Values, count),
        _ => return Err(rules::CAC_BUFFER_FORM.refuse()),
    };
    let object = state.object.ok_or(rules::CAC_OBJECT.refuse())?;
    let rule = if buffer == Buffer::Tags { AccessRule::Always } else { object.container().read };
    if !context.security.permits(rule) {
        return Err(rules::CAC_READ.refuse());
    }
    let store = &context.platform.store;
    // coolkey finds no certificate at all on a card of which one is empty, and does without one whose values are not there.
    if buffer == Buffer::Values && object.is_of_pki_applet() {
        container::read(store, object, Buffer::Tags, context.response)?;
        if !pki_certificate::is_in(context.response) {
            return Err(rules::CAC_CERTIFICATE.refuse());
        }
        context.response.clear();
    }
    container::read(store, object, buffer, context.response)?;
    let offset = usize::from(command.p1p2());
    if offset > context.response.len() {
        return Err(rules::CAC_OFFSET.refuse());
    }
    container::cut_front(context.response, offset);
    context.response.truncate(usize::from(count));
    Ok(())
}
