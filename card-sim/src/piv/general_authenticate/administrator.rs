//! The card management key `9B`: internal, external and mutual authentication (SP 800-73-5 part 2, appendix A).

use heapless::Vec;
use rand_core::Rng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{
    super::Context,
    template::{self, CHALLENGE, RESPONSE, Template, WITNESS},
};
use crate::{
    crypto::Crypto,
    key::SymmetricKey,
    platform::Platform,
    refusal::{Refusal, rules},
    security::{Challenge, ChallengeKind},
};

/// A block of the longest cipher.
type Block = Zeroizing<Vec<u8, 16>>;

/// Runs the step that the template asks for.
pub(super) fn run<P: Platform>(
    context: &mut Context<'_, P>,
    key: &SymmetricKey,
    template: &Template<'_>,
) -> Result<(), Refusal> {
    if template.exponentiation.is_some() {
        return Err(rules::TEMPLATE.refuse());
    }
    // Clients leave out the empty response of the last case, or send it.
    match (template.witness, template.challenge, template.response) {
        (None, Some([]), None) => send_challenge(context, key),
        (None, None, Some(response)) if !response.is_empty() => external(context, key, response),
        (Some([]), None, None) => send_witness(context, key),
        (Some(witness), Some(challenge), None | Some([])) => mutual(context, key, witness, challenge),
        (None, Some(challenge), Some([])) => internal(context, key, challenge),
        _ => Err(rules::TEMPLATE.refuse()),
    }
}

/// External authentication, first step: a challenge in the clear.
fn send_challenge<P: Platform>(context: &mut Context<'_, P>, key: &SymmetricKey) -> Result<(), Refusal> {
    let challenge = random_block(context, key)?;
    template::append(CHALLENGE, &challenge, context.response)?;
    let expected = encrypted(context, key, &challenge)?;
    remember(context, key, ChallengeKind::External, &expected);
    Ok(())
}

/// External authentication, second step: the host has encrypted the challenge.
fn external<P: Platform>(
    context: &mut Context<'_, P>,
    key: &SymmetricKey,
    response: &[u8],
) -> Result<(), Refusal> {
    let proved = is_proved(context, key, ChallengeKind::External, response);
    context.security.set_administrator(false);
    if !proved {
        return Err(wrong_proof(context));
    }
    #[cfg(feature = "yubico")]
    ask_for_touch(context)?;
    context.security.set_administrator(true);
    Ok(())
}

/// Mutual authentication, first step: a random witness, encrypted.
fn send_witness<P: Platform>(context: &mut Context<'_, P>, key: &SymmetricKey) -> Result<(), Refusal> {
    let witness = random_block(context, key)?;
    let encrypted = encrypted(context, key, &witness)?;
    template::append(WITNESS, &encrypted, context.response)?;
    remember(context, key, ChallengeKind::Mutual, &witness);
    Ok(())
}

/// Mutual authentication, second step: the host has decrypted the witness and sends a challenge of its own.
fn mutual<P: Platform>(
    context: &mut Context<'_, P>,
    key: &SymmetricKey,
    witness: &[u8],
    challenge: &[u8],
) -> Result<(), Refusal> {
    let proved = is_proved(context, key, ChallengeKind::Mutual, witness);
    context.security.set_administrator(false);
    if !proved {
        return Err(wrong_proof(context));
    }
    internal(context, key, challenge)?;
    context.security.set_administrator(true);
    Ok(())
}

/// Internal authentication: the card encrypts the host's challenge.
fn internal<P: Platform>(
    context: &mut Context<'_, P>,
    key: &SymmetricKey,
    challenge: &[u8],
) -> Result<(), Refusal> {
    if challenge.len() != key.algorithm().block_length() {
        return Err(rules::INPUT_LENGTH.refuse());
    }
    #[cfg(feature = "yubico")]
    ask_for_touch(context)?;
    let response = encrypted(context, key, challenge)?;
    template::append(RESPONSE, &response, context.response)
}

/// Waits for a touch if the key's policy wants one. The steps that come before a proof ask for none, so that a wrong key is
/// refused at once.
#[cfg(feature = "yubico")]
fn ask_for_touch<P: Platform>(context: &mut Context<'_, P>) -> Result<(), Refusal> {
    use crate::key::{KeyReference, load_attributes, policy::TouchPolicy};
    let attributes = load_attributes(&context.platform.store, KeyReference::CardManagement)?;
    context.ask_for_touch(attributes.map_or(TouchPolicy::Never, |attributes| attributes.policy.touch))
}

fn random_block<P: Platform>(context: &mut Context<'_, P>, key: &SymmetricKey) -> Result<Block, Refusal> {
    let mut block = Block::default();
    block.resize_default(key.algorithm().block_length())?;
    context.platform.rng.fill_bytes(&mut block);
    Ok(block)
}

fn encrypted<P: Platform>(
    context: &mut Context<'_, P>,
    key: &SymmetricKey,
    block: &[u8],
) -> Result<Block, Refusal> {
    let mut block = Zeroizing::new(Vec::from_slice(block)?);
    context.platform.crypto.encrypt_block(key, &mut block)?;
    Ok(block)
}

fn remember<P: Platform>(
    context: &mut Context<'_, P>,
    key: &SymmetricKey,
    kind: ChallengeKind,
    expected: &Block,
) {
    let expected = Vec::clone(expected);
    context.security.challenge(Challenge { algorithm: key.algorithm(), kind, expected });
}

/// Whether `answer` is what the challenge of the command before this one asks for. The challenge is spent.
fn is_proved<P: Platform>(
    context: &mut Context<'_, P>,
    key: &SymmetricKey,
    kind: ChallengeKind,
    answer: &[u8],
) -> bool {
    let challenge = context.security.take_challenge();
    challenge.is_some_and(|challenge| {
        challenge.kind == kind
            && challenge.algorithm == key.algorithm()
            && bool::from(challenge.expected.ct_eq(answer))
    })
}

fn wrong_proof<P: Platform>(context: &Context<'_, P>) -> Refusal {
    rules::ADMINISTRATOR_PROOF.refuse_with(context.profile.choices.wrong_administrator_proof)
}
