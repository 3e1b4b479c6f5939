//! VERIFY and CHANGE REFERENCE DATA: the PIV application's PIN and counter under the name `00` (GSC-IS 2.1, 5.3.3).

use apdu::Command;

use crate::{
    piv::{self, Context},
    platform::Platform,
    reference::Reference,
    refusal::{Refusal, rules},
};

/// What this face calls the PIN.
const PIN: u8 = 0x00;

/// Checks the PIN, or without data says how many tries are left.
pub(super) fn verify<P: Platform>(
    context: &mut Context<'_, P>,
    command: &Command<'_>,
) -> Result<(), Refusal> {
    match (command.p1, command.p2) {
        (0x00, PIN) => as_piv(context, command),
        (0x00, _) => Err(rules::CAC_REFERENCE.refuse()),
        _ => Err(rules::CAC_P1P2.refuse()),
    }
}

/// Replaces the PIN by its holder, who proves the old one. Some clients send P1 01.
pub(super) fn change<P: Platform>(
    context: &mut Context<'_, P>,
    command: &Command<'_>,
) -> Result<(), Refusal> {
    match (command.p1, command.p2) {
        (0x00 | 0x01, PIN) => as_piv(context, command),
        (0x00 | 0x01, _) => Err(rules::CAC_REFERENCE.refuse()),
        _ => Err(rules::CAC_P1P2.refuse()),
    }
}

/// The same command as PIV has it, so that there is one PIN and one rule for it.
fn as_piv<P: Platform>(context: &mut Context<'_, P>, command: &Command<'_>) -> Result<(), Refusal> {
    let mut command = *command;
    (command.p1, command.p2) = (0x00, Reference::PivPin.to_byte());
    piv::run(context, &command)
}
