//! GENERATE ASYMMETRIC KEY PAIR (SP 800-73-5 part 2, 3.3.2).

use apdu::tlv_ber::{Header, Reader, Tag};
use heapless::VecView;

use super::{Context, command::GenerateAsymmetricKeyPair};
use crate::{
    crypto::Crypto,
    key::{
        AsymmetricAlgorithm, DEFAULT_EXPONENT, KeyRecord, KeyReference, Origin, PublicKey,
        policy::{PinPolicy, Policy, TouchPolicy},
    },
    platform::Platform,
    profile::{Profile, yubico::Feature},
    refusal::{Refusal, rules},
    security::AccessRule,
    store::{Record, Store, Update},
};

const CONTROL_REFERENCE_TEMPLATE: Tag = Tag::new(0xAC);
const MECHANISM: Tag = Tag::new(0x80);
const EXPONENT: Tag = Tag::new(0x81);

/// Yubico's tags for the policies of a key.
const PIN_POLICY: Tag = Tag::new(0xAA);
const TOUCH_POLICY: Tag = Tag::new(0xAB);

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
    let yubico = context.profile.yubico.is_some();
    let retired = context.profile.dialect().is_some_and(|yubico| yubico.has(Feature::RetiredKeys));
    let reference = KeyReference::from_byte(command.key_reference)
        .filter(|reference| {
            KeyReference::ASYMMETRIC.contains(reference)
                || (retired && matches!(reference, KeyReference::Retired(_)))
        })
        .ok_or(rules::GENERATE_P1P2.refuse())?;
    if !context.security.permits(AccessRule::Administrator) {
        return Err(rules::ADMINISTRATOR.refuse());
    }
    let Parameters { algorithm, exponent, policy } = parse(command.template, yubico)?;
    if !context.profile.algorithms.contains(&algorithm) {
        return Err(rules::ALGORITHM_UNSUPPORTED.refuse());
    }
    let policy = policy_of_new_key(context.profile, reference, policy)?;
    let platform = &mut *context.platform;
    let key =
        platform.crypto.generate(algorithm, exponent, &mut platform.rng).map_err(|error| match error {
            // The only input of a generation is its exponent.
            crate::crypto::CryptoError::InvalidInput => rules::ALGORITHM_UNSUPPORTED.refuse(),
            other => other.into(),
        })?;
    let public_key = platform.crypto.public_key(&key)?;
    append_public_key(PUBLIC_KEY_TEMPLATE, &public_key, context.response)?;
    let mut record = KeyRecord::asymmetric(&key, Origin::Generated);
    if yubico {
        record = record.with_policy(policy);
    }
    context.platform.store.commit(&[Update::Write(Record::Key(reference), record.bytes())]).map_err(|error| {
        context.response.clear();
        error.into()
    })
}

/// What the control reference template asks for.
struct Parameters {
    algorithm: AsymmetricAlgorithm,
    /// RSA's public exponent.
    exponent: u32,
    /// Of the key's use; for YubiKeys only.
    policy: Policy,
}

fn parse(template: &[u8], yubico: bool) -> Result<Parameters, Refusal> {
    let malformed = |_| rules::GENERATE_FORM.refuse();
    let mut outer = Reader::new(template);
    let mut control = Reader::new(outer.expect(CONTROL_REFERENCE_TEMPLATE).map_err(malformed)?);
    outer.finish().map_err(malformed)?;
    let mechanism = control.expect(MECHANISM).map_err(malformed)?;
    let exponent = control.optional(EXPONENT).map_err(malformed)?;
    let policy = if yubico { read_policy(&mut control)? } else { Policy::default() };
    control.finish().map_err(malformed)?;

    let &[mechanism] = mechanism else { return Err(rules::GENERATE_FORM.refuse()) };
    let algorithm = AsymmetricAlgorithm::from_id(mechanism).ok_or(rules::ALGORITHM_UNSUPPORTED.refuse())?;
    let exponent = match exponent {
        None => DEFAULT_EXPONENT,
        Some(bytes) => big_endian(bytes).ok_or(rules::ALGORITHM_UNSUPPORTED.refuse())?,
    };
    Ok(Parameters { algorithm, exponent, policy })
}

/// The policies that end a template, `AA` for the PIN and `AB` for touch, each if it is there.
pub(super) fn read_policy(reader: &mut Reader<'_>) -> Result<Policy, Refusal> {
    let mut byte = |tag| match reader.optional(tag).map_err(|_| rules::KEY_POLICY.refuse())? {
        None => Ok(0),
        Some(&[byte]) => Ok(byte),
        Some(_) => Err(rules::KEY_POLICY.refuse()),
    };
    let (pin, touch) = (byte(PIN_POLICY)?, byte(TOUCH_POLICY)?);
    let unknown = rules::KEY_POLICY.refuse();
    Ok(Policy {
        pin: PinPolicy::from_byte(pin).ok_or(unknown)?,
        touch: TouchPolicy::from_byte(touch).ok_or(unknown)?,
    })
}

/// What becomes of the policies that are asked for, on a card of this stock.
pub(super) fn policy_of_new_key(
    profile: &Profile,
    reference: KeyReference,
    asked: Policy,
) -> Result<Policy, Refusal> {
    match profile.dialect() {
        Some(yubico) => yubico.policy_of_new_key(reference, asked).ok_or(rules::KEY_POLICY_TAKEN.refuse()),
        None => Ok(asked),
    }
}

/// A number of at most 32 bits.
fn big_endian(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0_u32, |number, byte| number.checked_mul(0x100)?.checked_add(u32::from(*byte)))
}

/// Appends the public key, in the template with this tag: `7F49` here.
pub(super) fn append_public_key(
    template: Tag,
    key: &PublicKey,
    response: &mut VecView<u8>,
) -> Result<(), Refusal> {
    let full = rules::MEMORY_FULL.refuse();
    let bytes;
    let elements: &[(Tag, &[u8])] = match key {
        PublicKey::Rsa { modulus, exponent } => {
            bytes = exponent.to_be_bytes();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            &[(MODULUS, modulus), (PUBLIC_EXPONENT, bytes.get(zeros..).unwrap_or_default())]
        }
        PublicKey::Ecc { point } => &[(POINT, point)],
        PublicKey::Ed25519(key) | PublicKey::X25519(key) => &[(POINT, key)],
    };
    let mut length = 0_usize;
    for (tag, value) in elements {
        let header = Header::new(*tag, value.len()).ok_or(full)?;
        length = length.saturating_add(header.len()).saturating_add(value.len());
    }
    response.extend_from_slice(Header::new(template, length).ok_or(full)?.as_slice())?;
    for (tag, value) in elements {
        response.extend_from_slice(Header::new(*tag, value.len()).ok_or(full)?.as_slice())?;
        response.extend_from_slice(value)?;
    }
    Ok(())
}
