//! Signature, internal authentication, key transport and key agreement with the holder's keys.

use heapless::Vec;
use zeroize::Zeroizing;

use super::{
    super::Context,
    template::{self, RESPONSE, Template},
};
use crate::{
    crypto::{Crypto, MAX_RESULT, ecdsa_der},
    key::{AsymmetricAlgorithm, KeyUse, Operation, PrivateKey},
    platform::Platform,
    refusal::{Refusal, rules},
};

/// Runs the private-key operation that the template asks for and answers with its result.
pub(super) fn run<P: Platform>(
    context: &mut Context<'_, P>,
    key: &PrivateKey,
    key_use: KeyUse,
    template: &Template<'_>,
) -> Result<(), Refusal> {
    let (operation, input) = operation(key, template)?;
    if !key_use.operations.contains(&operation) {
        return Err(rules::OPERATION.refuse());
    }
    let size = key.algorithm().size();
    let mut digest = [0; 48];
    let input = if operation == Operation::Ecdsa && context.profile.yubico.is_some() {
        fit_digest(input, digest.get_mut(..size).ok_or(rules::INPUT_LENGTH.refuse())?)
    } else {
        input
    };
    let expected = match operation {
        Operation::Ecdh if !key.algorithm().is_curve25519() => point_length(size),
        // The whole message.
        Operation::Ed25519 => input.len(),
        _ => size,
    };
    if input.len() != expected {
        return Err(rules::INPUT_LENGTH.refuse());
    }
    #[cfg(feature = "yubico")]
    context.ask_for_touch(key_use.touch)?;
    let crypto = &mut context.platform.crypto;
    let mut result = Zeroizing::new(Vec::<u8, MAX_RESULT>::new());
    match operation {
        Operation::RsaPrivate => {
            result.extend_from_slice(input)?;
            crypto.rsa_private(key, &mut result)?;
        }
        Operation::Ecdsa => {
            let mut signature = [0; 96];
            let length = size.saturating_mul(2);
            let signature = signature.get_mut(..length).ok_or(rules::INPUT_LENGTH.refuse())?;
            crypto.ecdsa_sign(key, input, signature)?;
            ecdsa_der(signature, &mut *result)?;
        }
        Operation::Ed25519 => {
            let mut signature = [0; 64];
            crypto.ed25519_sign(key, input, &mut signature)?;
            result.extend_from_slice(&signature)?;
        }
        Operation::Ecdh => {
            result.resize_default(size)?;
            crypto.ecdh(key, input, &mut result)?;
        }
    }
    template::append(RESPONSE, &result, context.response)
}

/// A digest of another length than the curve's, as YubiKeys take it: the left bytes of a longer one, zeros before a shorter
/// one. Both stand for the number that ECDSA makes of it.
fn fit_digest<'a>(input: &[u8], digest: &'a mut [u8]) -> &'a [u8] {
    let zeros = digest.len().saturating_sub(input.len());
    for (to, from) in digest.iter_mut().skip(zeros).zip(input) {
        *to = *from;
    }
    digest
}

/// Which operation a template asks for, and its input.
fn operation<'a>(key: &PrivateKey, template: &Template<'a>) -> Result<(Operation, &'a [u8]), Refusal> {
    match *template {
        Template { witness: None, challenge: Some(input), response: Some([]), exponentiation: None } => {
            let operation = match key.algorithm() {
                AsymmetricAlgorithm::Ed25519 => Operation::Ed25519,
                AsymmetricAlgorithm::X25519 => return Err(rules::TEMPLATE.refuse()),
                algorithm if algorithm.is_rsa() => Operation::RsaPrivate,
                _ => Operation::Ecdsa,
            };
            Ok((operation, input))
        }
        Template { witness: None, challenge: None, response: Some([]), exponentiation: Some(point) }
            if !key.algorithm().is_rsa() && key.algorithm() != AsymmetricAlgorithm::Ed25519 =>
        {
            Ok((Operation::Ecdh, point))
        }
        _ => Err(rules::TEMPLATE.refuse()),
    }
}

/// Length of an uncompressed point with coordinates of `size` bytes.
fn point_length(size: usize) -> usize {
    size.saturating_mul(2).saturating_add(1)
}
