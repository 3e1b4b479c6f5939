//! Looking at a card at hand: reads its objects and lets it show its keys. What this finds is [`Evidence`].

use card_sim::{
    crypto::Crypto,
    key::{AsymmetricAlgorithm, DEFAULT_EXPONENT, PublicKey},
    object::CONTAINERS,
    reference,
};
use rand_core::CryptoRng;
use spki::SubjectPublicKeyInfoOwned;
use zeroize::Zeroizing;

use super::{
    certificate::SLOTS,
    evidence::{Evidence, Found, Proof, Subject},
    hand::{CheckError, Hand, command},
    signature::{Hash, Scheme},
};
use crate::{
    crypto::{DefaultCrypto, verify},
    issue::{Date, oid, signature::pkcs1_v15, tlv::elements},
    sm::{
        channel::{Proof as Establishment, request, suite_of},
        transport::{Transport, whole_answer},
    },
};

pub(super) const PIV: [u8; 11] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];

/// VERIFY for the PIV PIN.
pub(super) const VERIFY_PIN: [u8; 4] = [0x00, 0x20, 0x00, 0x80];

/// Reads and tries everything that changes nothing.
pub(super) fn look(
    card: &mut Hand<'_>,
    pin: Option<&[u8]>,
    rng: &mut dyn CryptoRng,
) -> Result<Evidence, CheckError> {
    let mut evidence = Evidence { at_hand: true, ..Evidence::default() };
    let selected = card.send([0x00, 0xA4, 0x04, 0x00], &PIV)?;
    if !selected.is_success() {
        return Err(CheckError::NotPiv(selected.status));
    }
    if let Some(pin) = pin {
        let status = card.send(VERIFY_PIN, pin)?.status;
        if status != 0x9000 {
            return Err(CheckError::Pin { status });
        }
    }
    for container in &CONTAINERS {
        let found = read(card, container.tag.get())?;
        evidence.objects.insert(container.tag.get(), found);
    }
    evidence.global_pin = Some(card.send([0x00, 0x20, 0x00, 0x00], &[])?.status);
    for (tag, reference) in SLOTS {
        let proof = prove(card, tag, reference, pin, &evidence, rng)?;
        evidence.proofs.insert(reference, proof);
    }
    evidence.card_verifiable_certificate = card_verifiable_certificate(card, &selected.data, rng)?;
    Ok(evidence)
}

/// GET DATA.
pub(crate) fn read<T: Transport>(card: &mut T, tag: u32) -> Result<Found, T::Error> {
    let bytes = tag.to_be_bytes();
    let name = bytes.get(bytes.iter().take_while(|byte| **byte == 0).count()..).unwrap_or_default();
    let answer = whole_answer(card, &command([0x00, 0xCB, 0x3F, 0xFF], &elements([(0x5C, name)])))?;
    Ok(if answer.is_success() { Found::Object(answer.data.to_vec()) } else { Found::Refused(answer.status) })
}

/// Lets the card use a private key, and tells whether it is that of the certificate.
fn prove(
    card: &mut Hand<'_>,
    tag: u32,
    reference: u8,
    pin: Option<&[u8]>,
    evidence: &Evidence,
    rng: &mut dyn CryptoRng,
) -> Result<Proof, CheckError> {
    let subject = Subject { evidence, now: Date::today() };
    let Ok((certificate, _)) = subject.certificate(tag) else {
        return Ok(Proof::NotTried(format!("there is no certificate for the key {reference:02X}")));
    };
    // 9E needs no PIN; 9C needs it directly before.
    match pin {
        Some(pin) => {
            card.send(VERIFY_PIN, pin)?;
        }
        None if reference != 0x9E => {
            let reason = format!("the key {reference:02X} needs the PIN; give it with --pin");
            return Ok(Proof::NotTried(reason));
        }
        None => {}
    }
    let key = certificate.tbs_certificate().subject_public_key_info();
    let Some(challenge) = Challenge::new(key, reference, rng) else {
        return Ok(Proof::NotTried("the certificate's key is of a kind that no PIV card has".to_owned()));
    };
    let answer = card.send([0x00, 0x87, challenge.algorithm, reference], &challenge.template)?;
    if !answer.is_success() {
        return Ok(Proof::Refuted(format!("GENERAL AUTHENTICATE was answered with {:04X}", answer.status)));
    }
    let response = template_value(&answer.data, 0x82).unwrap_or_default();
    Ok(if challenge.is_met(key, response) {
        Proof::Proved
    } else {
        Proof::Refuted("an answer that the certificate's public key does not confirm".to_owned())
    })
}

/// Something that only the private key can do.
pub(crate) struct Challenge {
    pub(crate) algorithm: u8,
    /// The dynamic authentication template.
    pub(crate) template: Vec<u8>,
    met_by: MetBy,
}

enum MetBy {
    /// A signature over this message.
    Signature { scheme: Scheme, hash: Hash, message: Vec<u8> },
    /// These bytes: what was encrypted, or a shared secret.
    Secret(Zeroizing<Vec<u8>>),
}

impl Challenge {
    /// A challenge for a key: to sign, or for `9D` and retired keys to decrypt or agree.
    pub(crate) fn new(
        key: &SubjectPublicKeyInfoOwned,
        reference: u8,
        rng: &mut dyn CryptoRng,
    ) -> Option<Self> {
        let bits = key.subject_public_key.raw_bytes();
        let mut message = vec![0; 32];
        rng.fill_bytes(&mut message);
        if key.algorithm.oid == oid::RSA_ENCRYPTION {
            return Self::rsa(bits, reference, message);
        }
        let (curve, hash) = match bits.len() {
            65 => (AsymmetricAlgorithm::EccP256, Hash::Sha256),
            97 => (AsymmetricAlgorithm::EccP384, Hash::Sha384),
            _ => return None,
        };
        if establishes(reference) {
            return Self::agreement(curve, bits, rng);
        }
        let digest = hash.digest(&message);
        Some(Self {
            algorithm: curve.id(),
            template: template([(0x82, &[]), (0x81, &digest)]),
            met_by: MetBy::Signature { scheme: Scheme::Ecdsa(hash), hash, message },
        })
    }

    fn rsa(bits: &[u8], reference: u8, message: Vec<u8>) -> Option<Self> {
        use rsa::{RsaPublicKey, pkcs1::DecodeRsaPublicKey, traits::PublicKeyParts};
        let key = RsaPublicKey::from_pkcs1_der(bits).ok()?;
        let modulus = key.n_bytes();
        let algorithm = match modulus.len() {
            128 => 0x06,
            256 => 0x07,
            384 => 0x05,
            512 => 0x16,
            _ => return None,
        };
        let block = pkcs1_v15(Hash::Sha256, &Hash::Sha256.digest(&message), modulus.len()).ok()?;
        let (sent, met_by) = if establishes(reference) {
            let exponent = exponent(&key.e_bytes())?;
            let encrypted = verify::rsa_public(&modulus, exponent, &block).ok()?;
            (encrypted, MetBy::Secret(Zeroizing::new(block)))
        } else {
            let scheme = Scheme::Pkcs1(Some(Hash::Sha256));
            (block, MetBy::Signature { scheme, hash: Hash::Sha256, message })
        };
        Some(Self { algorithm, template: template([(0x82, &[]), (0x81, &sent)]), met_by })
    }

    fn agreement(curve: AsymmetricAlgorithm, point: &[u8], rng: &mut dyn CryptoRng) -> Option<Self> {
        let mut crypto = DefaultCrypto::default();
        let key = crypto.generate(curve, DEFAULT_EXPONENT, rng).ok()?;
        let PublicKey::Ecc { point: own } = crypto.public_key(&key).ok()? else { return None };
        let mut secret = Zeroizing::new(vec![0; curve.size()]);
        crypto.ecdh(&key, point, &mut secret).ok()?;
        Some(Self {
            algorithm: curve.id(),
            template: template([(0x82, &[]), (0x85, &own)]),
            met_by: MetBy::Secret(secret),
        })
    }

    /// Whether the answer is one that only the private key can give.
    pub(crate) fn is_met(&self, key: &SubjectPublicKeyInfoOwned, response: &[u8]) -> bool {
        match &self.met_by {
            MetBy::Signature { scheme, hash, message } => scheme.verifies(key, *hash, message, response),
            MetBy::Secret(secret) => response == secret.as_slice(),
        }
    }
}

/// Whether the key decrypts or agrees: key management, and what was it before.
fn establishes(reference: u8) -> bool {
    matches!(reference, 0x9D | 0x82..=0x95)
}

/// A public exponent of at most four bytes.
fn exponent(bytes: &[u8]) -> Option<u32> {
    let start = bytes.len().saturating_sub(4);
    let (high, low) = bytes.split_at_checked(start)?;
    let number = low.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
    high.iter().all(|byte| *byte == 0).then_some(number)
}

/// `7C { … }`.
pub(super) fn template<const N: usize>(parts: [(u8, &[u8]); N]) -> Vec<u8> {
    elements([(0x7C, &elements(parts))])
}

/// One value of a dynamic authentication template.
pub(super) fn template_value(template: &[u8], tag: u8) -> Option<&[u8]> {
    let contents = apdu::tlv_ber::Reader::new(template).expect(apdu::Tag::new(0x7C)).ok()?;
    apdu::tlv_ber::Reader::new(contents).find(apdu::Tag::from(tag)).ok()?
}

/// The certificate that the key `04` shows in key establishment, if SELECT names a suite.
fn card_verifiable_certificate(
    card: &mut Hand<'_>,
    selected: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<Option<Vec<u8>>, CheckError> {
    let Some(suite) = suite_of(selected) else { return Ok(None) };
    let mut crypto = DefaultCrypto::default();
    let key = crypto.generate(suite.curve(), DEFAULT_EXPONENT, rng);
    let Ok(PublicKey::Ecc { point }) = key.and_then(|key| crypto.public_key(&key)) else {
        return Ok(None);
    };
    let answer = whole_answer(card, &request(suite, &[0; 8], &point))?;
    let proof = Establishment::parse(&answer.data, suite);
    Ok(Some(proof.map(|proof| proof.certificate.to_vec()).unwrap_or_default()))
}

/// A PIN of 6 to 8 digits, padded.
pub(super) fn padded(pin: &str) -> Result<Zeroizing<[u8; 8]>, CheckError> {
    reference::pad_pin(pin).ok_or(CheckError::Malformed("the PIN"))
}
