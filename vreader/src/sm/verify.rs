//! Whether a signature is one of a public key: ECDSA on P-256 and P-384, RSA with PKCS #1 v1.5 (SP 800-78-5, table 3).

use der::{Encode, asn1::ObjectIdentifier};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::{Pkcs1v15Sign, RsaPublicKey, pkcs1::DecodeRsaPublicKey};
use sha2::{Digest, Sha256, Sha384};
use spki::SubjectPublicKeyInfoOwned;
use x509_cert::Certificate;

use crate::issue::oid;

/// A key that signs certificates.
pub(crate) enum SignerKey {
    /// The key of an X.509 certificate.
    Certificate(SubjectPublicKeyInfoOwned),
    /// A point, as card-verifiable certificates name keys.
    Point(Vec<u8>),
}

impl SignerKey {
    /// Whether this is the key's signature over `message`, with the algorithm that the identifier names.
    pub(crate) fn signed(&self, message: &[u8], algorithm: ObjectIdentifier, signature: &[u8]) -> bool {
        let point = match self {
            Self::Point(point) => point.as_slice(),
            Self::Certificate(key) => key.subject_public_key.raw_bytes(),
        };
        match algorithm {
            oid::ECDSA_WITH_SHA_256 => {
                let digest = Sha256::digest(message);
                p256::ecdsa::VerifyingKey::from_sec1_bytes(point).is_ok_and(|key| {
                    p256::ecdsa::Signature::from_der(signature)
                        .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok())
                })
            }
            oid::ECDSA_WITH_SHA_384 => {
                let digest = Sha384::digest(message);
                p384::ecdsa::VerifyingKey::from_sec1_bytes(point).is_ok_and(|key| {
                    p384::ecdsa::Signature::from_der(signature)
                        .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok())
                })
            }
            oid::SHA_256_WITH_RSA => RsaPublicKey::from_pkcs1_der(point).is_ok_and(|key| {
                key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message), signature).is_ok()
            }),
            _ => false,
        }
    }
}

/// Whether one of the authorities signed the certificate.
pub(super) fn signed_by_one_of(certificate: &Certificate, authorities: &[Certificate]) -> bool {
    let tbs = certificate.tbs_certificate();
    let Ok(message) = tbs.to_der() else { return false };
    authorities.iter().any(|authority| {
        let authority = authority.tbs_certificate();
        let key = SignerKey::Certificate(authority.subject_public_key_info().clone());
        authority.subject() == tbs.issuer()
            && key.signed(
                &message,
                certificate.signature_algorithm().oid,
                certificate.signature().raw_bytes(),
            )
    })
}
