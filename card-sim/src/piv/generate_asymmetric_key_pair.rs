//! GENERATE ASYMMETRIC KEY PAIR (SP 800-73-5 part 2, 3.3.2).

use apdu::tlv_ber::{Header, Reader, Tag};
use heapless::VecView;

use super::{Context, command::GenerateAsymmetricKeyPair};
use crate::{
    crypto::Crypto,
    key::{AsymmetricAlgorithm, DEFAULT_EXPONENT, KeyRecord, KeyReference, Origin, PublicKey},
    platform::Platform,
    refusal::{Refusal, rules},
    security::AccessRule,
    store::{Record, Store, Update},
};

const CONTROL_REFERENCE_TEMPLATE: Tag = Tag::new(0xAC);
const MECHANISM: Tag = Tag::new(0x80);
const EXPONENT: Tag = Tag::new(0x81);

/// Tags of the public key template (part 2, table 12).
const PUBLIC_KEY_TEMPLATE: Tag = Tag::new(0x7F49);
const MODULUS: Tag = Tag::new(0x81);
const PUBLIC_EXPONENT: Tag = Tag::new(0x82);
const POINT: Tag = Tag::new(0x86);

/// Makes a new key pair in place of the old one and answers with the public key. The certificate stays.
pub(super) fn generate<P: Platform>(
    context: &mut Context<'_, P>,
    command: &GenerateAsymmetricKeyPair<'_>,
) -> Result<(), Refusal> {
    let reference = KeyReference::from_byte(command.key_reference)
        .filter(|reference| KeyReference::ASYMMETRIC.contains(reference))
        .ok_or(rules::GENERATE_P1P2.refuse())?;
    if !context.security.permits(AccessRule::Administrator) {
        return Err(rules::ADMINISTRATOR.refuse());
    }
    let (algorithm, exponent) = parse(command.template)?;
    if !context.profile.algorithms.contains(&algorithm) {
        return Err(rules::ALGORITHM_UNSUPPORTED.refuse());
    }
    let platform = &mut *context.platform;
    let key =
        platform.crypto.generate(algorithm, exponent, &mut platform.rng).map_err(|error| match error {
            // The only input of a generation is its exponent.
            crate::crypto::CryptoError::InvalidInput => rules::ALGORITHM_UNSUPPORTED.refuse(),
            other => other.into(),
        })?;
    let public_key = platform.crypto.public_key(&key)?;
    append_public_key(&public_key, context.response)?;
    let record = KeyRecord::asymmetric(&key, Origin::Generated);
    context.platform.store.commit(&[Update::Write(Record::Key(reference), record.bytes())]).map_err(|error| {
        context.response.clear();
        error.into()
    })
}

/// Algorithm and RSA exponent that the control reference template asks for.
fn parse(template: &[u8]) -> Result<(AsymmetricAlgorithm, u32), Refusal> {
    let malformed = |_| rules::GENERATE_FORM.refuse();
    let mut outer = Reader::new(template);
    let mut control = Reader::new(outer.expect(CONTROL_REFERENCE_TEMPLATE).map_err(malformed)?);
    outer.finish().map_err(malformed)?;
    let mechanism = control.expect(MECHANISM).map_err(malformed)?;
    let exponent = control.optional(EXPONENT).map_err(malformed)?;
    control.finish().map_err(malformed)?;

    let &[mechanism] = mechanism else { return Err(rules::GENERATE_FORM.refuse()) };
    let algorithm = AsymmetricAlgorithm::from_id(mechanism).ok_or(rules::ALGORITHM_UNSUPPORTED.refuse())?;
    let exponent = match exponent {
        None => DEFAULT_EXPONENT,
        Some(bytes) => big_endian(bytes).ok_or(rules::ALGORITHM_UNSUPPORTED.refuse())?,
    };
    Ok((algorithm, exponent))
}

/// A number of at most 32 bits.
fn big_endian(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0_u32, |number, byte| number.checked_mul(0x100)?.checked_add(u32::from(*byte)))
}

/// Appends the public key template `7F49`.
fn append_public_key(key: &PublicKey, response: &mut VecView<u8>) -> Result<(), Refusal> {
    let full = rules::MEMORY_FULL.refuse();
    match key {
        PublicKey::Rsa { modulus, exponent } => {
            let exponent = exponent.to_be_bytes();
            let zeros = exponent.iter().take_while(|byte| **byte == 0).count();
            let exponent = exponent.get(zeros..).unwrap_or_default();
            let modulus_header = Header::new(MODULUS, modulus.len()).ok_or(full)?;
            let exponent_header = Header::new(PUBLIC_EXPONENT, exponent.len()).ok_or(full)?;
            let length = [modulus_header.len(), modulus.len(), exponent_header.len(), exponent.len()]
                .into_iter()
                .fold(0, usize::saturating_add);
            response.extend_from_slice(Header::new(PUBLIC_KEY_TEMPLATE, length).ok_or(full)?.as_slice())?;
            response.extend_from_slice(modulus_header.as_slice())?;
            response.extend_from_slice(modulus)?;
            response.extend_from_slice(exponent_header.as_slice())?;
            response.extend_from_slice(exponent)?;
        }
        PublicKey::Ecc { point } => {
            let header = Header::new(POINT, point.len()).ok_or(full)?;
            let length = header.len().saturating_add(point.len());
            response.extend_from_slice(Header::new(PUBLIC_KEY_TEMPLATE, length).ok_or(full)?.as_slice())?;
            response.extend_from_slice(header.as_slice())?;
            response.extend_from_slice(point)?;
        }
    }
    Ok(())
}
