//! Card-verifiable certificates, read and checked (SP 800-73-5 part 2, tables 15 and 16).

use apdu::tlv_ber::{Reader, Tag};
use card_sim::sm::CipherSuite;
use der::{Decode, asn1::ObjectIdentifier};
use sha1::{Digest, Sha1};
use spki::AlgorithmIdentifierOwned;
use x509_cert::{Certificate, ext::pkix::SubjectKeyIdentifier};

use super::verify::{SignerKey, signed_by_one_of};
use crate::{inspect::certificate::unpack, issue::oid};

/// What is wrong with a card's certificate, or with the container of its signer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CvcError {
    /// It is not made as table 15 says.
    #[error("the card-verifiable certificate is not made as SP 800-73-5 part 2, table 15, says")]
    Malformed,
    /// The container of the signer is not made as its table says.
    #[error("the container 5FC122 holds no content signer")]
    NoSigner,
    /// The issuer named is another.
    #[error("the certificate names another issuer than the signer in the container 5FC122")]
    Issuer,
    /// A signature is wrong.
    #[error("the signature of the certificate is not the signer's")]
    Signature,
    /// An intermediate certificate is none, or a card's certificate is one.
    #[error("the certificate has the role of another kind of key")]
    Role,
    /// The intermediate certificate's name is not that of its key.
    #[error("the intermediate certificate's name is not the hash of its key")]
    Subject,
    /// The content signer is nobody's.
    #[error("none of the trusted authorities issued the content signer's certificate")]
    Untrusted,
}

/// A card-verifiable certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardVerifiableCertificate {
    /// First bytes of the signer's key identifier, or the intermediate certificate's subject.
    pub issuer: [u8; 8],
    /// The card's GUID, or eight bytes of the hash of an intermediate key.
    pub subject: Vec<u8>,
    /// The suite whose curve the key is on.
    pub suite: CipherSuite,
    /// The key, an uncompressed point.
    pub point: Vec<u8>,
    /// `00` for a card, `12` for an intermediate key.
    pub role: u8,
    signed: Vec<u8>,
    algorithm: ObjectIdentifier,
    signature: Vec<u8>,
}

impl CardVerifiableCertificate {
    /// Reads a certificate with its tag `7F21`.
    pub fn parse(bytes: &[u8]) -> Result<Self, CvcError> {
        Self::read(bytes).ok_or(CvcError::Malformed)
    }

    /// The algorithm of its signature.
    pub(crate) fn algorithm(&self) -> ObjectIdentifier {
        self.algorithm
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut outer = Reader::new(bytes);
        let contents = outer.expect(Tag::new(0x7F21)).ok()?;
        outer.finish().ok()?;
        let mut reader = Reader::new(contents);
        (reader.expect(Tag::new(0x5F29)).ok()? == [0x80]).then_some(())?;
        let issuer = reader.expect(Tag::new(0x42)).ok()?.try_into().ok()?;
        let subject = reader.expect(Tag::new(0x5F20)).ok()?.to_vec();
        let mut key = Reader::new(reader.expect(Tag::new(0x7F49)).ok()?);
        let curve = key.expect(Tag::new(0x06)).ok()?;
        let point = key.expect(Tag::new(0x86)).ok()?.to_vec();
        key.finish().ok()?;
        let &[role] = reader.expect(Tag::new(0x5F4C)).ok()? else { return None };
        let signed = contents.get(..contents.len() - reader.remaining().len())?.to_vec();
        let signature = reader.expect(Tag::new(0x5F37)).ok()?;
        reader.finish().ok()?;
        let suite = match ObjectIdentifier::from_bytes(curve).ok()? {
            oid::CURVE_P256 => CipherSuite::Cs2,
            oid::CURVE_P384 => CipherSuite::Cs7,
            _ => return None,
        };
        (point.len() == suite.point_length()).then_some(())?;
        let (algorithm, signature) = signature_parts(signature)?;
        Some(Self { issuer, subject, suite, point, role, signed, algorithm, signature })
    }
}

/// `SEQUENCE { algorithm, BIT STRING }`.
fn signature_parts(der: &[u8]) -> Option<(ObjectIdentifier, Vec<u8>)> {
    #[derive(der::Sequence)]
    struct Signature {
        algorithm: AlgorithmIdentifierOwned,
        signature: der::asn1::BitString,
    }
    let Signature { algorithm, signature } = Signature::from_der(der).ok()?;
    Some((algorithm.oid, signature.as_bytes()?.to_vec()))
}

/// Who signed a card's certificate: the contents of the container `5FC122`.
pub struct SignerContainer {
    /// The content signer's certificate.
    pub content_signer: Certificate,
    /// The intermediate certificate, if there is one.
    pub intermediate: Option<CardVerifiableCertificate>,
}

impl SignerContainer {
    /// Reads the container as GET DATA answers it.
    pub fn parse(object: &[u8]) -> Result<Self, CvcError> {
        let contents = Reader::new(object).expect(Tag::new(0x53)).map_err(|_| CvcError::NoSigner)?;
        let find = |tag| Reader::new(contents).find(Tag::new(tag)).ok().flatten();
        let certificate = find(0x70).ok_or(CvcError::NoSigner)?;
        let compressed = find(0x71).is_some_and(|info| info.first().is_some_and(|info| info & 0x01 != 0));
        let certificate = if compressed {
            unpack(certificate).map_err(|_| CvcError::NoSigner)?
        } else {
            certificate.to_vec()
        };
        let content_signer = Certificate::from_der(&certificate).map_err(|_| CvcError::NoSigner)?;
        let intermediate = find(0x7F21).map(|value| {
            let bytes = crate::issue::tlv::long_element(0x7F21, value);
            CardVerifiableCertificate::parse(&bytes)
        });
        Ok(Self { content_signer, intermediate: intermediate.transpose()? })
    }

    /// That the chain from the card's certificate to the content signer holds, and to one of the authorities if there are
    /// any.
    pub fn check(
        &self,
        certificate: &CardVerifiableCertificate,
        authorities: &[Certificate],
    ) -> Result<(), CvcError> {
        if certificate.role != 0x00 {
            return Err(CvcError::Role);
        }
        match &self.intermediate {
            None => self.check_signed(certificate)?,
            Some(intermediate) => {
                if intermediate.role != 0x12 {
                    return Err(CvcError::Role);
                }
                let point = crate::issue::tlv::element(0x86, &intermediate.point);
                if intermediate.subject != Sha1::digest(point)[..8] {
                    return Err(CvcError::Subject);
                }
                self.check_signed(intermediate)?;
                let name = intermediate.subject.as_slice();
                check(certificate, name, &SignerKey::Point(intermediate.point.clone()))?;
            }
        }
        if authorities.is_empty() || signed_by_one_of(&self.content_signer, authorities) {
            Ok(())
        } else {
            Err(CvcError::Untrusted)
        }
    }

    /// That the content signer signed the intermediate certificate, if there is one.
    pub(crate) fn check_intermediate(&self) -> Result<(), CvcError> {
        self.intermediate.as_ref().map_or(Ok(()), |intermediate| self.check_signed(intermediate))
    }

    fn check_signed(&self, certificate: &CardVerifiableCertificate) -> Result<(), CvcError> {
        let tbs = self.content_signer.tbs_certificate();
        let identifier = tbs.get_extension::<SubjectKeyIdentifier>().ok().flatten();
        let identifier = identifier.ok_or(CvcError::NoSigner)?.1;
        let name = identifier.0.as_bytes().get(..8).ok_or(CvcError::Issuer)?;
        check(certificate, name, &SignerKey::Certificate(tbs.subject_public_key_info().clone()))
    }
}

fn check(certificate: &CardVerifiableCertificate, issuer: &[u8], key: &SignerKey) -> Result<(), CvcError> {
    if certificate.issuer != issuer {
        return Err(CvcError::Issuer);
    }
    if key.signed(&certificate.signed, certificate.algorithm, &certificate.signature) {
        Ok(())
    } else {
        Err(CvcError::Signature)
    }
}
