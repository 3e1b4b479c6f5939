//! Signatures of the sample PKI, made through the same [`Crypto`] that the card uses.
//!
//! Hash and padding follow SP 800-78-5, table 3: ECDSA P-256 with SHA-256, ECDSA P-384 with SHA-384, RSA with
//! PKCS #1 v1.5 and SHA-256. Everything is deterministic (RFC 6979 and RFC 8017, 8.2), so that a seed repeats a card.

use card_sim::{
    crypto::Crypto,
    key::{AsymmetricAlgorithm, PrivateKey},
};
use der::{
    Any, Encode, Sequence,
    asn1::{OctetStringRef, UintRef},
};
use sha2::{Digest, Sha256, Sha384};
use spki::AlgorithmIdentifierOwned;

use super::{
    error::{IssueError, crypto as crypto_failed, encoding},
    oid,
};

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
}

impl Hash {
    /// The one that goes with signatures of `algorithm`.
    pub(crate) fn of(algorithm: AsymmetricAlgorithm) -> Self {
        match algorithm {
            AsymmetricAlgorithm::EccP384 => Self::Sha384,
            _ => Self::Sha256,
        }
    }

    /// The digest of `message`.
    pub(crate) fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
        }
    }

    /// Without parameters, as RFC 5754, 2, recommends.
    pub(crate) fn identifier(self) -> AlgorithmIdentifierOwned {
        let oid = match self {
            Self::Sha256 => oid::SHA_256,
            Self::Sha384 => oid::SHA_384,
        };
        AlgorithmIdentifierOwned { oid, parameters: None }
    }
}

/// The identifier of signatures in certificates.
pub(crate) fn certificate_signature(algorithm: AsymmetricAlgorithm) -> AlgorithmIdentifierOwned {
    match algorithm {
        AsymmetricAlgorithm::EccP256 => {
            AlgorithmIdentifierOwned { oid: oid::ECDSA_WITH_SHA_256, parameters: None }
        }
        AsymmetricAlgorithm::EccP384 => {
            AlgorithmIdentifierOwned { oid: oid::ECDSA_WITH_SHA_384, parameters: None }
        }
        _ => AlgorithmIdentifierOwned { oid: oid::SHA_256_WITH_RSA, parameters: Some(Any::null()) },
    }
}

/// The identifier of signatures in CMS: for RSA only rsaEncryption (SP 800-78-5, table 4, note).
pub(crate) fn cms_signature(algorithm: AsymmetricAlgorithm) -> AlgorithmIdentifierOwned {
    if algorithm.is_rsa() {
        AlgorithmIdentifierOwned { oid: oid::RSA_ENCRYPTION, parameters: Some(Any::null()) }
    } else {
        certificate_signature(algorithm)
    }
}

/// The signature over `message`, as certificates and CMS carry it.
pub(crate) fn sign(crypto: &mut dyn Crypto, key: &PrivateKey, message: &[u8]) -> Result<Vec<u8>, IssueError> {
    let algorithm = key.algorithm();
    let hash = Hash::of(algorithm);
    let digest = hash.digest(message);
    if algorithm.is_rsa() {
        let mut block = pkcs1_v15(hash, &digest, algorithm.size()).map_err(encoding("PKCS #1 digest"))?;
        crypto.rsa_private(key, &mut block).map_err(crypto_failed("sign with RSA"))?;
        return Ok(block);
    }
    let mut signature = vec![0; 2 * algorithm.size()];
    crypto.ecdsa_sign(key, &digest, &mut signature).map_err(crypto_failed("sign with ECDSA"))?;
    let (r, s) = signature.split_at(algorithm.size());
    ecdsa_der(r, s).map_err(encoding("ECDSA signature"))
}

/// `00 01 FF … FF 00 DigestInfo` (RFC 8017, 9.2).
pub(crate) fn pkcs1_v15(hash: Hash, digest: &[u8], length: usize) -> Result<Vec<u8>, der::Error> {
    #[derive(Sequence)]
    struct DigestInfo<'a> {
        algorithm: AlgorithmIdentifierOwned,
        digest: &'a OctetStringRef,
    }
    // Unlike CMS, this structure always has the NULL.
    let algorithm = AlgorithmIdentifierOwned { parameters: Some(Any::null()), ..hash.identifier() };
    let info = DigestInfo { algorithm, digest: OctetStringRef::new(digest)? }.to_der()?;
    let padding = length.saturating_sub(info.len() + 3);
    Ok([&[0x00, 0x01][..], &vec![0xFF; padding], &[0x00], &info].concat())
}

fn ecdsa_der(r: &[u8], s: &[u8]) -> Result<Vec<u8>, der::Error> {
    #[derive(Sequence)]
    struct EcdsaSignature<'a> {
        r: UintRef<'a>,
        s: UintRef<'a>,
    }
    EcdsaSignature { r: UintRef::new(r)?, s: UintRef::new(s)? }.to_der()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pkcs1_block_is_as_rfc_8017_prints_it() {
        let block = pkcs1_v15(Hash::Sha256, &[0xAB; 32], 256).unwrap();
        assert_eq!(block.len(), 256);
        assert_eq!(block[..2], [0x00, 0x01]);
        assert!(block[2..204].iter().all(|byte| *byte == 0xFF));
        // RFC 8017, 9.2, note 1: the DigestInfo of SHA-256.
        assert_eq!(hex::encode_upper(&block[204..224]), "003031300D060960864801650304020105000420");
        assert_eq!(block[224..], [0xAB; 32]);
    }

    #[test]
    fn ecdsa_integers_are_positive_and_short() {
        let signature = ecdsa_der(&[0x80, 1], &[0x00, 0x7F]).unwrap();
        assert_eq!(hex::encode_upper(signature), "3008020300800102017F");
    }
}
