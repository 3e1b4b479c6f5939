//! Key references, algorithms and key material.
//!
//! The tables are those of SP 800-73-5 part 1, table 5 (key references), and SP 800-78-5, table 10 (algorithm
//! identifiers). Key material is wiped when dropped, has no `Debug` and is compared only by the cryptography.

pub mod policy;

use heapless::Vec;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    security::AccessRule,
    store::{Record, Store, StoreError},
};
use policy::{Policy, TouchPolicy};

/// RSA's usual public exponent, the only one that SP 800-78-5 section 3.1 makes cards use by default.
pub const DEFAULT_EXPONENT: u32 = 0x0001_0001;

/// A key reference: the P2 byte of GENERAL AUTHENTICATE (SP 800-73-5 part 1, table 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyReference {
    /// `04`: the card's half of secure messaging.
    SecureMessaging,
    /// `9A`: proves the holder to a system; needs the PIN.
    PivAuthentication,
    /// `9B`: the issuer's symmetric key, which opens PUT DATA and key generation.
    CardManagement,
    /// `9C`: signatures; needs the PIN immediately before each one.
    DigitalSignature,
    /// `9D`: decryption and key agreement; needs the PIN.
    KeyManagement,
    /// `9E`: proves the card; needs nothing.
    CardAuthentication,
    /// `F9`: says on a `YubiKey` that other keys were made there.
    Attestation,
    /// `82` to `95`: earlier key-management keys, numbered 1 to 20.
    Retired(RetiredNumber),
}

/// The number of a retired key-management key, 1 to 20.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RetiredNumber(u8);

impl RetiredNumber {
    /// `number` from 1 to 20.
    pub const fn new(number: u8) -> Option<Self> {
        match number {
            1..=20 => Some(Self(number)),
            _ => None,
        }
    }

    /// 1 to 20.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl KeyReference {
    /// The key references that hold asymmetric keys and are not retired, in the standard's order.
    pub const ASYMMETRIC: [Self; 4] =
        [Self::PivAuthentication, Self::DigitalSignature, Self::KeyManagement, Self::CardAuthentication];

    /// The key reference with this byte, if the PIV application has one.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0x04 => Self::SecureMessaging,
            0x9A => Self::PivAuthentication,
            0x9B => Self::CardManagement,
            0x9C => Self::DigitalSignature,
            0x9D => Self::KeyManagement,
            0x9E => Self::CardAuthentication,
            0xF9 => Self::Attestation,
            0x82..=0x95 => Self::Retired(RetiredNumber(byte.saturating_sub(0x81))),
            _ => return None,
        })
    }

    /// The byte that stands for this key in commands.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::SecureMessaging => 0x04,
            Self::PivAuthentication => 0x9A,
            Self::CardManagement => 0x9B,
            Self::DigitalSignature => 0x9C,
            Self::KeyManagement => 0x9D,
            Self::CardAuthentication => 0x9E,
            Self::Attestation => 0xF9,
            Self::Retired(number) => number.get().saturating_add(0x81),
        }
    }

    /// Whether its holder may have other copies of the key, so that what was encrypted for it is not lost with the card: only such
    /// keys may be made outside of it (FIPS 201-3, 4.2.2).
    #[cfg(feature = "key-import")]
    pub(crate) const fn is_for_key_management(self) -> bool {
        matches!(self, Self::KeyManagement | Self::Retired(_))
    }
}

/// What a key may do in GENERAL AUTHENTICATE (SP 800-73-5 part 2, 3.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The raw RSA private operation: signature, authentication or key transport, which look alike.
    RsaPrivate,
    /// ECDSA over a digest.
    Ecdsa,
    /// ECDH, on X25519 too.
    Ecdh,
    /// Ed25519 over a whole message.
    Ed25519,
}

/// One row of the key table: who may use the key, and for what.
#[derive(Clone, Copy, Debug)]
pub struct KeyUse {
    /// Who may use it through the contacts.
    pub contact: AccessRule,
    /// Who may use it through the contactless interface.
    pub contactless: AccessRule,
    /// What it may do; nothing asymmetric for the card management key.
    pub operations: &'static [Operation],
    /// Whether its use asks for a touch.
    pub touch: TouchPolicy,
}

impl KeyReference {
    /// The key's row in SP 800-73-5 part 1, table 5; nothing for a key that is not there.
    pub const fn key_use(self) -> KeyUse {
        use AccessRule::{Always, Never, PinOrOcc, PinOrOccAlways, VciAndPinOrOcc, VciAndPinOrOccAlways};
        use Operation::{Ecdh, Ecdsa, RsaPrivate};
        match self {
            Self::SecureMessaging => row(Always, Always, &[]),
            Self::PivAuthentication => row(PinOrOcc, VciAndPinOrOcc, &[RsaPrivate, Ecdsa]),
            Self::CardManagement => row(Always, Never, &[]),
            Self::DigitalSignature => row(PinOrOccAlways, VciAndPinOrOccAlways, &[RsaPrivate, Ecdsa]),
            Self::Attestation => row(Never, Never, &[]),
            Self::KeyManagement | Self::Retired(_) => row(PinOrOcc, VciAndPinOrOcc, &[RsaPrivate, Ecdh]),
            Self::CardAuthentication => row(Always, Always, &[RsaPrivate, Ecdsa]),
        }
    }
}

const fn row(contact: AccessRule, contactless: AccessRule, operations: &'static [Operation]) -> KeyUse {
    KeyUse { contact, contactless, operations, touch: TouchPolicy::Never }
}

/// An asymmetric algorithm with its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AsymmetricAlgorithm {
    /// `06`: of YubiKeys (feature `yubico`). SP 800-78-5 has it for retired keys only.
    Rsa1024,
    /// `07`
    Rsa2048,
    /// `05`
    Rsa3072,
    /// `16`: not in SP 800-78-5 for the holder's keys; cards and clients of 2024 and later have it.
    Rsa4096,
    /// `11`
    EccP256,
    /// `14`
    EccP384,
    /// `E0`: of YubiKeys (feature `yubico`).
    Ed25519,
    /// `E1`: of YubiKeys (feature `yubico`).
    X25519,
}

impl AsymmetricAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 8] = [
        Self::Rsa1024,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::EccP256,
        Self::EccP384,
        Self::Ed25519,
        Self::X25519,
    ];

    /// Those of PIV cards, in the order of their identifiers' first appearance in SP 800-78.
    pub const OF_PIV: [Self; 5] = [Self::Rsa2048, Self::Rsa3072, Self::Rsa4096, Self::EccP256, Self::EccP384];

    /// The algorithm with this identifier.
    pub const fn from_id(id: u8) -> Option<Self> {
        Some(match id {
            0x05 => Self::Rsa3072,
            0x06 => Self::Rsa1024,
            0x07 => Self::Rsa2048,
            0x11 => Self::EccP256,
            0x14 => Self::EccP384,
            0x16 => Self::Rsa4096,
            0xE0 => Self::Ed25519,
            0xE1 => Self::X25519,
            _ => return None,
        })
    }

    /// The identifier: P1 of GENERAL AUTHENTICATE, mechanism of GENERATE ASYMMETRIC KEY PAIR.
    pub const fn id(self) -> u8 {
        match self {
            Self::Rsa3072 => 0x05,
            Self::Rsa1024 => 0x06,
            Self::Rsa2048 => 0x07,
            Self::EccP256 => 0x11,
            Self::EccP384 => 0x14,
            Self::Rsa4096 => 0x16,
            Self::Ed25519 => 0xE0,
            Self::X25519 => 0xE1,
        }
    }

    /// Length in bytes of the modulus, or of a coordinate.
    pub const fn size(self) -> usize {
        match self {
            Self::Rsa1024 => 128,
            Self::Rsa2048 => 256,
            Self::Rsa3072 => 384,
            Self::Rsa4096 => 512,
            Self::EccP256 | Self::Ed25519 | Self::X25519 => 32,
            Self::EccP384 => 48,
        }
    }

    /// Whether this is Ed25519 or X25519.
    pub const fn is_curve25519(self) -> bool {
        matches!(self, Self::Ed25519 | Self::X25519)
    }

    /// Whether this is RSA; otherwise it is an elliptic curve.
    pub const fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa1024 | Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }
}

/// A block cipher with its key size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SymmetricAlgorithm {
    /// `03`, also `00`: three-key TDEA
    TripleDes,
    /// `08`
    Aes128,
    /// `0A`
    Aes192,
    /// `0C`
    Aes256,
}

impl SymmetricAlgorithm {
    /// The algorithm with this identifier.
    pub const fn from_id(id: u8) -> Option<Self> {
        Some(match id {
            0x00 | 0x03 => Self::TripleDes,
            0x08 => Self::Aes128,
            0x0A => Self::Aes192,
            0x0C => Self::Aes256,
            _ => return None,
        })
    }

    /// The identifier: P1 of GENERAL AUTHENTICATE.
    pub const fn id(self) -> u8 {
        match self {
            Self::TripleDes => 0x03,
            Self::Aes128 => 0x08,
            Self::Aes192 => 0x0A,
            Self::Aes256 => 0x0C,
        }
    }

    /// Length of a key in bytes.
    pub const fn key_length(self) -> usize {
        match self {
            Self::TripleDes | Self::Aes192 => 24,
            Self::Aes128 => 16,
            Self::Aes256 => 32,
        }
    }

    /// Length of a block in bytes.
    pub const fn block_length(self) -> usize {
        match self {
            Self::TripleDes => 8,
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
        }
    }
}

/// Longest private material in bytes: exponent and two primes of RSA-4096.
pub const MAX_PRIVATE_MATERIAL: usize = 4 + 512;

/// A private key in the form in which the card stores it.
///
/// RSA keys are kept as exponent and primes, from which everything else follows, so that no stored key can
/// contradict itself.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PrivateKey {
    #[zeroize(skip)]
    algorithm: AsymmetricAlgorithm,
    material: Vec<u8, MAX_PRIVATE_MATERIAL>,
}

/// The parts of a private key.
pub enum PrivateParts<'a> {
    /// Public exponent and the two primes, big-endian, each half as long as the modulus.
    Rsa {
        /// Public exponent.
        exponent: u32,
        /// First prime.
        p: &'a [u8],
        /// Second prime.
        q: &'a [u8],
    },
    /// As long as a coordinate.
    Ecc {
        /// Secret scalar, big-endian; of Ed25519 and X25519 the 32 bytes that RFC 8032, 5.1.5 and RFC 7748, 5 call the
        /// private or secret key.
        scalar: &'a [u8],
    },
}

impl PrivateKey {
    /// An RSA key of `algorithm` from its parts, or `None` if a length does not fit.
    pub fn rsa(algorithm: AsymmetricAlgorithm, exponent: u32, p: &[u8], q: &[u8]) -> Option<Self> {
        let half = algorithm.size() / 2;
        if !algorithm.is_rsa() || p.len() != half || q.len() != half {
            return None;
        }
        let mut material = Vec::new();
        material.extend_from_slice(&exponent.to_be_bytes()).ok()?;
        material.extend_from_slice(p).ok()?;
        material.extend_from_slice(q).ok()?;
        Some(Self { algorithm, material })
    }

    /// An elliptic-curve key of `algorithm` from its scalar, or `None` if the length does not fit.
    pub fn ecc(algorithm: AsymmetricAlgorithm, scalar: &[u8]) -> Option<Self> {
        if algorithm.is_rsa() || scalar.len() != algorithm.size() {
            return None;
        }
        Some(Self { algorithm, material: Vec::from_slice(scalar).ok()? })
    }

    /// A key from the bytes that [`material`](Self::material) gave.
    pub fn from_material(algorithm: AsymmetricAlgorithm, material: &[u8]) -> Option<Self> {
        if !algorithm.is_rsa() {
            return Self::ecc(algorithm, material);
        }
        let (exponent, primes) = material.split_first_chunk::<4>()?;
        let (p, q) = primes.split_at_checked(algorithm.size() / 2)?;
        Self::rsa(algorithm, u32::from_be_bytes(*exponent), p, q)
    }

    /// The key's algorithm.
    pub fn algorithm(&self) -> AsymmetricAlgorithm {
        self.algorithm
    }

    /// The secret bytes, as stored. They must not leave the card and its store.
    pub fn material(&self) -> &[u8] {
        &self.material
    }

    /// The key's parts.
    pub fn parts(&self) -> PrivateParts<'_> {
        if let (true, Some((exponent, primes))) =
            (self.algorithm.is_rsa(), self.material.split_first_chunk::<4>())
        {
            let (p, q) = primes.split_at(primes.len() / 2);
            return PrivateParts::Rsa { exponent: u32::from_be_bytes(*exponent), p, q };
        }
        PrivateParts::Ecc { scalar: &self.material }
    }
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is no allocator to put the larger one in a box")]
pub enum PublicKey {
    /// RSA.
    Rsa {
        /// Modulus, big-endian, without leading zeros.
        modulus: Vec<u8, 512>,
        /// Public exponent.
        exponent: u32,
    },
    /// An uncompressed point, `04 || X || Y`.
    Ecc {
        /// The point.
        point: Vec<u8, 97>,
    },
    /// Ed25519, as RFC 8032, 5.1.2 encodes a point.
    Ed25519([u8; 32]),
    /// X25519, a coordinate as RFC 7748, 5 encodes it.
    X25519([u8; 32]),
}

/// A symmetric key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SymmetricKey {
    #[zeroize(skip)]
    algorithm: SymmetricAlgorithm,
    material: Vec<u8, 32>,
}

impl SymmetricKey {
    /// A key of `algorithm`, or `None` if the length does not fit.
    pub fn new(algorithm: SymmetricAlgorithm, material: &[u8]) -> Option<Self> {
        if material.len() != algorithm.key_length() {
            return None;
        }
        Some(Self { algorithm, material: Vec::from_slice(material).ok()? })
    }

    /// The key's algorithm.
    pub fn algorithm(&self) -> SymmetricAlgorithm {
        self.algorithm
    }

    /// The secret bytes. They must not leave the card and its store.
    pub fn material(&self) -> &[u8] {
        &self.material
    }
}

/// Where a key was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On the card, which never lets it out.
    Generated,
    /// Elsewhere, and then put on the card.
    Imported,
}

/// The bits of a record's second byte that tell the origin.
const ORIGIN_BITS: u8 = 0x03;

impl Origin {
    /// The byte that stands for it in records, and in the metadata of a `YubiKey`.
    pub(crate) const fn to_byte(self) -> u8 {
        match self {
            Self::Generated => 1,
            Self::Imported => 2,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Generated),
            2 => Some(Self::Imported),
            _ => None,
        }
    }
}

/// A key in the form of its record: algorithm identifier, origin (two bits) and policy (six), material.
pub(crate) struct KeyRecord(Zeroizing<Vec<u8, { MAX_PRIVATE_MATERIAL + 2 }>>);

impl KeyRecord {
    pub(crate) fn asymmetric(key: &PrivateKey, origin: Origin) -> Self {
        Self::new(key.algorithm().id(), origin, key.material())
    }

    pub(crate) fn symmetric(key: &SymmetricKey, origin: Origin) -> Self {
        Self::new(key.algorithm().id(), origin, key.material())
    }

    fn new(algorithm: u8, origin: Origin, material: &[u8]) -> Self {
        let mut bytes = Zeroizing::new(Vec::new());
        // The capacity is that of the longest material and the two bytes before it.
        let _ = bytes.extend_from_slice(&[algorithm, origin.to_byte()]);
        let _ = bytes.extend_from_slice(material);
        Self(bytes)
    }

    /// The same key under these policies.
    pub(crate) fn with_policy(mut self, policy: Policy) -> Self {
        if let Some(byte) = self.0.get_mut(1) {
            *byte = (*byte & ORIGIN_BITS) | policy.to_bits();
        }
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn load(store: &impl Store, record: Record) -> Result<Option<Self>, StoreError> {
        let mut bytes = Zeroizing::new(Vec::<u8, { MAX_PRIVATE_MATERIAL + 2 }>::new());
        Ok(store.read(record, &mut *bytes)?.then_some(Self(bytes)))
    }

    fn split(&self) -> Option<(u8, Origin, &[u8])> {
        let ([algorithm, origin], material) = self.0.split_first_chunk()?;
        Some((*algorithm, Origin::from_byte(*origin & ORIGIN_BITS)?, material))
    }
}

/// What a record says of its key besides the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Algorithm identifier.
    pub algorithm: u8,
    /// Where it was made.
    pub origin: Origin,
    /// What its use asks of the holder. All defaults where nothing was said.
    pub policy: Policy,
}

/// What is known of the key that `reference` names, if the card holds one.
pub fn load_attributes(
    store: &impl Store,
    reference: KeyReference,
) -> Result<Option<Attributes>, StoreError> {
    let Some(record) = KeyRecord::load(store, Record::Key(reference))? else { return Ok(None) };
    let attributes = record.split().and_then(|(algorithm, origin, _)| {
        let policy = Policy::from_bits(*record.bytes().get(1)?)?;
        Some(Attributes { algorithm, origin, policy })
    });
    attributes.map(Some).ok_or(StoreError::Medium)
}

/// The asymmetric key that `reference` names, if the card holds one.
pub fn load_private(
    store: &impl Store,
    reference: KeyReference,
) -> Result<Option<(PrivateKey, Origin)>, StoreError> {
    load_private_record(store, Record::Key(reference))
}

/// The key of the CAC ID certificate, if the card holds it.
#[cfg(feature = "cac")]
pub fn load_identity(store: &impl Store) -> Result<Option<PrivateKey>, StoreError> {
    Ok(load_private_record(store, Record::CacIdentityKey)?.map(|(key, _)| key))
}

fn load_private_record(
    store: &impl Store,
    record: Record,
) -> Result<Option<(PrivateKey, Origin)>, StoreError> {
    let Some(record) = KeyRecord::load(store, record)? else { return Ok(None) };
    let key = record.split().and_then(|(algorithm, origin, material)| {
        let algorithm = AsymmetricAlgorithm::from_id(algorithm)?;
        Some((PrivateKey::from_material(algorithm, material)?, origin))
    });
    key.map(Some).ok_or(StoreError::Medium)
}

/// The symmetric key that `reference` names, if the card holds one.
pub fn load_symmetric(
    store: &impl Store,
    reference: KeyReference,
) -> Result<Option<SymmetricKey>, StoreError> {
    let Some(record) = KeyRecord::load(store, Record::Key(reference))? else { return Ok(None) };
    let key = record.split().and_then(|(algorithm, _, material)| {
        SymmetricKey::new(SymmetricAlgorithm::from_id(algorithm)?, material)
    });
    key.map(Some).ok_or(StoreError::Medium)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_names_its_key() {
        for byte in 0..=u8::MAX {
            let expected = matches!(byte, 0x04 | 0x9A..=0x9E | 0x82..=0x95 | 0xF9);
            let reference = KeyReference::from_byte(byte);
            assert_eq!(reference.is_some(), expected, "{byte:02X}");
            assert!(reference.is_none_or(|reference| reference.to_byte() == byte));
        }
    }

    #[test]
    fn algorithm_identifiers_round_trip() {
        for algorithm in AsymmetricAlgorithm::ALL {
            assert_eq!(AsymmetricAlgorithm::from_id(algorithm.id()), Some(algorithm));
        }
        for id in [0x03, 0x08, 0x0A, 0x0C] {
            assert_eq!(SymmetricAlgorithm::from_id(id).map(SymmetricAlgorithm::id), Some(id));
        }
        assert_eq!(SymmetricAlgorithm::from_id(0x00), Some(SymmetricAlgorithm::TripleDes));
    }
}
