//! IMPORT ASYMMETRIC KEY: a key that was made elsewhere. SP 800-73 has no such command; this is Yubico's, and other cards take
//! it here too, without policies, for the keys that may come from outside (FIPS 201-3, 4.2.2).
//!
//! Of RSA keys, the primes are kept and the rest follows from them: the public exponent is 65537, as on a genuine
//! `YubiKey`, whose programs refuse others. What Yubico does not document is the answer to a key that is none, such as
//! one with a composite number for a prime, or with a dP that is another key's: here it is refused, and the key that was
//! there stays.

use apdu::tlv_ber::{Reader, Tag};

use super::{
    Context,
    command::ImportAsymmetricKey,
    generate_asymmetric_key_pair::{policy_of_new_key, read_policy},
};
use crate::{
    crypto::{Crypto, CryptoError},
    key::{AsymmetricAlgorithm, DEFAULT_EXPONENT, KeyRecord, Origin, PrivateKey, policy::Policy},
    platform::Platform,
    refusal::{Refusal, rules},
    security::AccessRule,
    store::{Record, Store, Update},
};

mod tag {
    use super::Tag;

    pub(super) const P: Tag = Tag::new(0x01);
    pub(super) const Q: Tag = Tag::new(0x02);
    /// Two exponents and a coefficient.
    pub(super) const REST: [Tag; 3] = [Tag::new(0x03), Tag::new(0x04), Tag::new(0x05)];
    pub(super) const SCALAR: Tag = Tag::new(0x06);
    pub(super) const ED25519: Tag = Tag::new(0x07);
    pub(super) const X25519: Tag = Tag::new(0x08);
}

/// Puts the key in place of the one that is there. The certificate stays.
pub(super) fn import<P: Platform>(
    context: &mut Context<'_, P>,
    command: &ImportAsymmetricKey<'_>,
) -> Result<(), Refusal> {
    let ImportAsymmetricKey { algorithm, reference, data } = *command;
    if !context.security.permits(AccessRule::Administrator) {
        return Err(rules::ADMINISTRATOR.refuse());
    }
    let algorithm = AsymmetricAlgorithm::from_id(algorithm)
        .filter(|algorithm| context.profile.algorithms.contains(algorithm))
        .ok_or(rules::ALGORITHM_UNSUPPORTED.refuse())?;
    let mut reader = Reader::new(data);
    let malformed = rules::IMPORT_FORM.refuse();
    let (key, rsa_values) = parse(&mut reader, algorithm).ok_or(malformed)?;
    let has_policies = context.profile.yubico.is_some();
    let policy = if has_policies { read_policy(&mut reader)? } else { Policy::default() };
    reader.finish().map_err(|_| malformed)?;
    let policy = policy_of_new_key(context.profile, reference, policy)?;
    let crypto = &mut context.platform.crypto;
    let checked = match rsa_values {
        Some(values) => crypto.check_rsa_values(&key, values),
        // Only a valid key has a public one.
        None => crypto.public_key(&key).map(drop),
    };
    checked.map_err(|error| match error {
        CryptoError::InvalidKey | CryptoError::InvalidInput => malformed,
        other => other.into(),
    })?;
    let record = KeyRecord::asymmetric(&key, Origin::Imported).with_policy(policy);
    Ok(context.platform.store.commit(&[Update::Write(Record::Key(reference), record.bytes())])?)
}

/// The key, and of an RSA key the numbers that follow from it.
fn parse<'a>(
    reader: &mut Reader<'a>,
    algorithm: AsymmetricAlgorithm,
) -> Option<(PrivateKey, Option<[&'a [u8]; 3]>)> {
    let scalar = match algorithm {
        AsymmetricAlgorithm::Ed25519 => tag::ED25519,
        AsymmetricAlgorithm::X25519 => tag::X25519,
        _ => tag::SCALAR,
    };
    if !algorithm.is_rsa() {
        return Some((PrivateKey::ecc(algorithm, reader.expect(scalar).ok()?)?, None));
    }
    let (p, q) = (reader.expect(tag::P).ok()?, reader.expect(tag::Q).ok()?);
    let mut values = [&[][..]; 3];
    for (value, tag) in values.iter_mut().zip(tag::REST) {
        *value = reader.expect(tag).ok()?;
    }
    Some((PrivateKey::rsa(algorithm, DEFAULT_EXPONENT, p, q)?, Some(values)))
}
