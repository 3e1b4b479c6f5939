//! Card-verifiable certificates (SP 800-73-5 part 2, tables 15 and 16), and the container that names their signer.
//!
//! The key for secure messaging has no X.509 certificate but a small one that a reader can check. It is signed by a
//! content signer on the same curve, or by an intermediate key that an RSA content signer vouches for.

use card_sim::{
    crypto::Crypto,
    key::{AsymmetricAlgorithm, PrivateKey},
    sm::CipherSuite,
};
use der::{
    Encode, Sequence,
    asn1::{BitString, ObjectIdentifier},
};
use sha1::{Digest, Sha1};
use spki::AlgorithmIdentifierOwned;

use super::{
    error::{IssueError, crypto as crypto_failed, encoding},
    oid,
    pki::Authority,
    signature::{certificate_signature, sign},
    stored_certificate::stored_certificate,
    tlv::{element, long_element},
};

/// Tags of two bytes.
const CERTIFICATE: u16 = 0x7F21;
const PROFILE: u16 = 0x5F29;
const SUBJECT: u16 = 0x5F20;
const PUBLIC_KEY: u16 = 0x7F49;
const ROLE: u16 = 0x5F4C;
const SIGNATURE: u16 = 0x5F37;

/// Tags of one byte.
const ISSUER: u8 = 0x42;
const OBJECT_IDENTIFIER: u8 = 0x06;
const POINT: u8 = 0x86;

/// Version of the certificates' form.
const VERSION: u8 = 0x80;

/// Whose key is certified.
#[derive(Clone, Copy)]
enum Role {
    /// A card's.
    Card = 0x00,
    /// One that signs cards' certificates.
    Intermediate = 0x12,
}

/// What a card with secure messaging holds of it.
pub(crate) struct Certified {
    /// The certificate of key `04`, with its tag.
    pub(crate) certificate: Vec<u8>,
    /// Contents of the container `5FC122`.
    pub(crate) signer: Vec<u8>,
}

/// The certificate of a card's key, signed by the content signer.
pub(crate) fn by_content_signer(
    guid: &[u8],
    key: &PrivateKey,
    signer: &Authority,
    compressed: bool,
    crypto: &mut dyn Crypto,
) -> Result<Certified, IssueError> {
    let issuer = short_identifier(signer)?;
    let certificate = certify(&issuer, guid, Role::Card, key, signer.key(), crypto)?;
    let before = stored_certificate(signer.certificate_der(), compressed);
    Ok(Certified { certificate, signer: [before, element(0xFE, &[])].concat() })
}

/// The same through an intermediate key.
pub(crate) fn by_intermediate(
    guid: &[u8],
    key: &PrivateKey,
    intermediate: &PrivateKey,
    signer: &Authority,
    compressed: bool,
    crypto: &mut dyn Crypto,
) -> Result<Certified, IssueError> {
    let point = point(intermediate, crypto)?;
    // The whole object with tag and length is hashed, as genuine cards have it.
    let digest = Sha1::digest(element(POINT, &point));
    let name = &digest[..8];
    let issuer = short_identifier(signer)?;
    let of_intermediate = certify(&issuer, name, Role::Intermediate, intermediate, signer.key(), crypto)?;
    let certificate = certify(name, guid, Role::Card, key, intermediate, crypto)?;
    let before = stored_certificate(signer.certificate_der(), compressed);
    Ok(Certified { certificate, signer: [before, of_intermediate, element(0xFE, &[])].concat() })
}

/// The first bytes of the content signer's key identifier.
fn short_identifier(signer: &Authority) -> Result<Vec<u8>, IssueError> {
    let mut identifier = signer.key_identifier().map_err(encoding("content signer's certificate"))?;
    identifier.truncate(8);
    Ok(identifier)
}

#[derive(Sequence)]
struct Signature {
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

fn certify(
    issuer: &[u8],
    subject: &[u8],
    role: Role,
    key: &PrivateKey,
    signer: &PrivateKey,
    crypto: &mut dyn Crypto,
) -> Result<Vec<u8>, IssueError> {
    let failed = || encoding("card-verifiable certificate");
    let curve: ObjectIdentifier = match key.algorithm() {
        AsymmetricAlgorithm::EccP384 => oid::CURVE_P384,
        _ => oid::CURVE_P256,
    };
    let public_key =
        [element(OBJECT_IDENTIFIER, curve.as_bytes()), element(POINT, &point(key, crypto)?)].concat();
    let signed = [
        long_element(PROFILE, &[VERSION]),
        element(ISSUER, issuer),
        long_element(SUBJECT, subject),
        long_element(PUBLIC_KEY, &public_key),
        long_element(ROLE, &[role as u8]),
    ]
    .concat();
    let signature = Signature {
        algorithm: certificate_signature(signer.algorithm()),
        signature: BitString::from_bytes(&sign(crypto, signer, &signed)?).map_err(failed())?,
    };
    let signature = signature.to_der().map_err(failed())?;
    Ok(long_element(CERTIFICATE, &[signed, long_element(SIGNATURE, &signature)].concat()))
}

fn point(key: &PrivateKey, crypto: &mut dyn Crypto) -> Result<Vec<u8>, IssueError> {
    match crypto.public_key(key).map_err(crypto_failed("compute a public key"))? {
        card_sim::key::PublicKey::Ecc { point } => Ok(point.to_vec()),
        _ => Err(IssueError::Suite),
    }
}

/// Whether a content signer can sign for cards of this suite without an intermediate key.
pub(crate) fn fits(suite: CipherSuite, signer: &Authority) -> bool {
    signer.key().algorithm() == suite.curve()
}
