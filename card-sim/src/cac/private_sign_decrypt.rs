//! PRIVATE SIGN/DECRYPT (GSC-IS 2.1, 5.3.3): the raw RSA operation with the selected applet's key.
//!
//! The block comes in pieces: P1 80 means that more follows, 00 that this is the last one. Clients send F0 or FA bytes at a time.

use super::{State, applet::AppletKey};
use crate::{
    crypto::Crypto,
    key,
    piv::Context,
    platform::Platform,
    refusal::{Refusal, rules},
    security::AccessRule,
};

/// Keeps a piece, and with the last one answers with the result.
pub(super) fn run<P: Platform>(
    context: &mut Context<'_, P>,
    state: &mut State,
    command: &apdu::Command<'_>,
) -> Result<(), Refusal> {
    let last = match (command.p1, command.p2) {
        (0x00, 0x00) => true,
        (0x80, 0x00) => false,
        _ => return Err(rules::CAC_P1P2.refuse()),
    };
    let applet_key = state.applet.key.ok_or(rules::CAC_INSTRUCTION.refuse())?;
    if !context.security.permits(AccessRule::Pin) {
        return Err(rules::CAC_KEY_USE.refuse());
    }
    state.block.extend_from_slice(command.data).map_err(|_| rules::CAC_BLOCK.refuse())?;
    if !last {
        return Ok(());
    }
    let result = operate(context, applet_key, &state.block);
    state.forget_block();
    result
}

fn operate<P: Platform>(
    context: &mut Context<'_, P>,
    applet_key: AppletKey,
    block: &[u8],
) -> Result<(), Refusal> {
    let store = &context.platform.store;
    let key = match applet_key {
        AppletKey::Identity => key::load_identity(store)?,
        AppletKey::Piv(reference) => key::load_private(store, reference)?.map(|(key, _)| key),
    };
    let key = key.filter(|key| key.algorithm().is_rsa()).ok_or(rules::CAC_KEY.refuse())?;
    if block.len() != key.algorithm().size() {
        return Err(rules::CAC_BLOCK.refuse());
    }
    context.response.extend_from_slice(block)?;
    context.platform.crypto.rsa_private(&key, context.response)?;
    Ok(())
}
