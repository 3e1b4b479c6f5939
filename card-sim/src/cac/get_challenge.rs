//! GET CHALLENGE (GSC-IS 2.1, 5.3.3): eight random bytes.
//!
//! Clients take them for their own random generators; the card compares nothing with them.

use rand_core::Rng;

use crate::{
    piv::Context,
    platform::Platform,
    refusal::{Refusal, rules},
};

/// Answers with a challenge.
pub(super) fn run<P: Platform>(
    context: &mut Context<'_, P>,
    command: &apdu::Command<'_>,
) -> Result<(), Refusal> {
    if (command.p1, command.p2) != (0x00, 0x00) {
        return Err(rules::CAC_P1P2.refuse());
    }
    let mut challenge = [0; 8];
    context.platform.rng.fill_bytes(&mut challenge);
    context.response.extend_from_slice(&challenge)?;
    Ok(())
}
