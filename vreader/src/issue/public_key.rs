//! Public keys as certificates carry them (RFC 3279, 2.3.1; RFC 5480, 2; RFC 8410, 3).

use card_sim::key::PublicKey;
use der::{
    Any, Encode, Sequence,
    asn1::{BitString, UintRef},
};
use sha1::{Digest, Sha1};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::oid;

/// Length of an uncompressed point on P-256.
const P256_POINT: usize = 65;

/// The SubjectPublicKeyInfo of `key`.
pub(crate) fn subject_public_key_info(key: &PublicKey) -> Result<SubjectPublicKeyInfoOwned, der::Error> {
    let (oid, parameters) = match key {
        PublicKey::Rsa { .. } => (oid::RSA_ENCRYPTION, Some(Any::null())),
        PublicKey::Ecc { point } if point.len() == P256_POINT => {
            (oid::EC_PUBLIC_KEY, Some(Any::encode_from(&oid::CURVE_P256)?))
        }
        PublicKey::Ecc { .. } => (oid::EC_PUBLIC_KEY, Some(Any::encode_from(&oid::CURVE_P384)?)),
        PublicKey::Ed25519(_) => (oid::ED25519, None),
        PublicKey::X25519(_) => (oid::X25519, None),
    };
    Ok(SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned { oid, parameters },
        subject_public_key: BitString::from_bytes(&key_bits(key)?)?,
    })
}

/// The content of the BIT STRING: an RSAPublicKey, the point, or the 32 bytes.
pub(crate) fn key_bits(key: &PublicKey) -> Result<Vec<u8>, der::Error> {
    #[derive(Sequence)]
    struct RsaPublicKey<'a> {
        modulus: UintRef<'a>,
        exponent: u32,
    }
    match key {
        PublicKey::Rsa { modulus, exponent } => {
            RsaPublicKey { modulus: UintRef::new(modulus)?, exponent: *exponent }.to_der()
        }
        PublicKey::Ecc { point } => Ok(point.to_vec()),
        PublicKey::Ed25519(key) | PublicKey::X25519(key) => Ok(key.to_vec()),
    }
}

/// The key identifier: SHA-1 of the BIT STRING's content (RFC 5280, 4.2.1.2, method 1).
pub(crate) fn key_identifier(info: &SubjectPublicKeyInfoOwned) -> [u8; 20] {
    Sha1::digest(info.subject_public_key.raw_bytes()).into()
}
