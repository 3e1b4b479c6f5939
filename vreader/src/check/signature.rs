//! Whose signature it is: RSA with PKCS #1 v1.5 and PSS, ECDSA; SHA-256 and SHA-384 (SP 800-78-5, table 3).

use der::{Decode, Encode, asn1::ObjectIdentifier};
use rsa::{Pkcs1v15Sign, Pss, RsaPublicKey, pkcs1::DecodeRsaPublicKey};
use sha2::{Digest, Sha256, Sha384};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::Certificate;

pub(super) use crate::issue::signature::Hash;
use crate::{issue::oid, sm::verify::SignerKey};

/// The hash function of an algorithm identifier, if it is one of table 3.
pub(super) fn hash_named(algorithm: ObjectIdentifier) -> Option<Hash> {
    match algorithm {
        oid::SHA_256 => Some(Hash::Sha256),
        oid::SHA_384 => Some(Hash::Sha384),
        _ => None,
    }
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// PKCS #1 v1.5. The hash may stand elsewhere.
    Pkcs1(Option<Hash>),
    Pss(Hash),
    Ecdsa(Hash),
}

/// Parameters of RSASSA-PSS, of which only the hash matters here (RFC 4055, 3.1).
#[derive(der::Sequence)]
struct PssParameters {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt_length: Option<u32>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    trailer: Option<u32>,
}

impl Scheme {
    /// The scheme of an algorithm identifier, if it is written as table 3 wants it.
    pub(super) fn read(algorithm: &AlgorithmIdentifierOwned) -> Result<Self, String> {
        let absent = algorithm.parameters.is_none();
        let null = algorithm.parameters.as_ref().is_some_and(der::Any::is_null);
        match algorithm.oid {
            // RFC 3370 wants NULL here; the golden ICAM cards leave it out, and RFC 4055, 2.1, has both accepted.
            oid::RSA_ENCRYPTION if null || absent => Ok(Self::Pkcs1(None)),
            oid::SHA_256_WITH_RSA if null => Ok(Self::Pkcs1(Some(Hash::Sha256))),
            oid::SHA_384_WITH_RSA if null => Ok(Self::Pkcs1(Some(Hash::Sha384))),
            oid::ECDSA_WITH_SHA_256 if absent => Ok(Self::Ecdsa(Hash::Sha256)),
            oid::ECDSA_WITH_SHA_384 if absent => Ok(Self::Ecdsa(Hash::Sha384)),
            oid::RSA_PSS => {
                let parameters = algorithm.parameters.as_ref().and_then(|any| any.to_der().ok());
                let parameters = parameters.and_then(|der| PssParameters::from_der(&der).ok());
                let hash = parameters.and_then(|parameters| hash_named(parameters.hash?.oid));
                hash.map(Self::Pss).ok_or_else(|| "RSASSA-PSS without SHA-256 in its parameters".to_owned())
            }
            oid::RSA_ENCRYPTION | oid::SHA_256_WITH_RSA | oid::SHA_384_WITH_RSA => {
                Err(format!("{} without NULL as its parameters", algorithm.oid))
            }
            oid::ECDSA_WITH_SHA_256 | oid::ECDSA_WITH_SHA_384 => {
                Err(format!("{} with parameters", algorithm.oid))
            }
            other => Err(other.to_string()),
        }
    }

    /// Whether it is the key's signature over `message`. `hash` is for schemes that do not name one.
    pub(super) fn verifies(
        self,
        key: &SubjectPublicKeyInfoOwned,
        hash: Hash,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let rsa = || RsaPublicKey::from_pkcs1_der(key.subject_public_key.raw_bytes());
        match self {
            Self::Pkcs1(named) => rsa().is_ok_and(|key| {
                match named.unwrap_or(hash) {
                    Hash::Sha256 => {
                        key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message), signature)
                    }
                    Hash::Sha384 => {
                        key.verify(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(message), signature)
                    }
                }
                .is_ok()
            }),
            Self::Pss(hash) => rsa().is_ok_and(|key| {
                match hash {
                    Hash::Sha256 => key.verify(Pss::<Sha256>::new(), &Sha256::digest(message), signature),
                    Hash::Sha384 => key.verify(Pss::<Sha384>::new(), &Sha384::digest(message), signature),
                }
                .is_ok()
            }),
            Self::Ecdsa(hash) => {
                let algorithm = match hash {
                    Hash::Sha256 => oid::ECDSA_WITH_SHA_256,
                    Hash::Sha384 => oid::ECDSA_WITH_SHA_384,
                };
                SignerKey::Certificate(key.clone()).signed(message, algorithm, signature)
            }
        }
    }
}

/// Whether the authority's key signed the certificate, whose DER is given too: what is signed are its bytes.
pub(super) fn issued_by(
    der: &[u8],
    certificate: &Certificate,
    authority: &SubjectPublicKeyInfoOwned,
) -> bool {
    let Ok(scheme) = Scheme::read(certificate.signature_algorithm()) else { return false };
    let Some(signed) = first_in_sequence(der) else { return false };
    let signature = certificate.signature().raw_bytes();
    scheme.verifies(authority, Hash::Sha256, signed, signature)
}

/// The first element in a SEQUENCE, as it stands there.
fn first_in_sequence(der: &[u8]) -> Option<&[u8]> {
    let contents = apdu::tlv_ber::Reader::new(der).expect(apdu::Tag::new(0x30)).ok()?;
    let mut reader = apdu::tlv_ber::Reader::new(contents);
    reader.next().ok()??;
    contents.get(..contents.len() - reader.remaining().len())
}
