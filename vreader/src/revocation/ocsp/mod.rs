//! An OCSP responder (RFC 6960; the lightweight profile of RFC 5019 is its narrow case).
//!
//! It answers for the certificates of the authorities that it is given, and signs with the key that the authority named: a
//! delegated responder's, or its own (RFC 6960, 4.2.2.2). Whatever the bytes of a request are, there is an answer:
//!
//! | the request | the answer |
//! |---|---|
//! | is none, has a critical extension that is unknown, a nonce of a wrong length (RFC 9654, 2.1) | malformedRequest |
//! | asks about an authority that is not served here, or about several at once, for an answer has one signer | unauthorized |
//! | comes while the authority is busy, or broken | tryLater, internalError |
//! | anything else | good, revoked or unknown for each certificate, in the order of the questions |
//!
//! An answer repeats the CertIDs as they came, and the nonce if there is one. thisUpdate is the moment of the answer, for
//! it is made when it is asked for.

mod delegate;
mod message;
#[cfg(test)]
mod tests;

use std::time::Duration;

use card_sim::crypto::Crypto;
use der::{
    Any, Decode, Encode,
    asn1::{BitString, GeneralizedTime, Null, OctetString, OctetStringRef},
};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use x509_cert::ext::{Extension, Extensions};

use self::message::{
    BasicResponse, CertId, CertStatus, Fault, OcspRequest, OcspResponse, ResponseData, ResponseStatus,
    RevokedInfo, SingleResponse, TbsRequest,
};
use super::{Status, StatusSource, Unavailable};
use crate::{
    clock::Time,
    issue::{Authority, IssueError, error::encoding, oid, signature},
};

pub use self::delegate::delegate;

/// Longest nonce in bytes (RFC 9654, 2.1).
const MAX_NONCE: usize = 128;

/// Answers for one or more authorities.
pub struct Responder {
    issuers: Vec<Issuer>,
    lifetime: Duration,
}

/// An authority whose certificates may be asked about, and who signs the answers.
pub struct Issuer {
    name: String,
    /// Name and key, by each hash function that a CertID may use.
    sha_1: [Vec<u8>; 2],
    sha_256: [Vec<u8>; 2],
    signer: Authority,
    /// Whether an answer has the signer's certificate with it. Who asks has the authority's own.
    delegated: bool,
}

impl Issuer {
    /// An authority that signs its answers itself. By `name` the [`StatusSource`] knows it.
    pub fn signing(name: &str, authority: Authority) -> Result<Self, IssueError> {
        Self::new(name, &authority.clone(), authority, false)
    }

    /// An authority that lets this [`delegate`] of its sign.
    pub fn delegating(name: &str, authority: &Authority, delegate: Authority) -> Result<Self, IssueError> {
        Self::new(name, authority, delegate, true)
    }

    fn new(
        name: &str,
        authority: &Authority,
        signer: Authority,
        delegated: bool,
    ) -> Result<Self, IssueError> {
        let subject = authority.subject().to_der().map_err(encoding("authority's name"))?;
        let key = key_bits(authority);
        Ok(Self {
            name: name.to_owned(),
            sha_1: [Sha1::digest(&subject).to_vec(), Sha1::digest(key).to_vec()],
            sha_256: [Sha256::digest(&subject).to_vec(), Sha256::digest(key).to_vec()],
            signer,
            delegated,
        })
    }

    /// Whether it issued the certificate of this identifier.
    fn issued(&self, certificate: &CertId) -> bool {
        let [name, key] = match certificate.hash.oid {
            oid::SHA_1 => &self.sha_1,
            oid::SHA_256 => &self.sha_256,
            _ => return false,
        };
        certificate.issuer_name.as_bytes() == name && certificate.issuer_key.as_bytes() == key
    }

    fn sign(&self, data: ResponseData, crypto: &mut dyn Crypto) -> Result<Vec<u8>, IssueError> {
        let failed = || encoding("OCSP response");
        let key = self.signer.key();
        let signature = signature::sign(crypto, key, &data.to_der().map_err(failed())?)?;
        let certificate = self.delegated.then(|| Any::from_der(self.signer.certificate_der())).transpose();
        let response = BasicResponse {
            data,
            algorithm: signature::certificate_signature(key.algorithm()),
            signature: BitString::from_bytes(&signature).map_err(failed())?,
            certificates: certificate.map_err(failed())?.map(|certificate| vec![certificate]),
        };
        OcspResponse::successful(&response).map_err(failed())
    }
}

/// The content of the BIT STRING in an authority's public key, of which CertIDs and responders' names are hashes.
fn key_bits(authority: &Authority) -> &[u8] {
    let info = authority.certificate().tbs_certificate().subject_public_key_info();
    info.subject_public_key.raw_bytes()
}

/// Why a request gets no status.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the request is malformed: {0}")]
    Malformed(#[from] Fault),
    #[error("the request is not about certificates of one authority that is served here")]
    Unauthorized,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error("no answer can be signed: {0}")]
    Signature(#[from] IssueError),
}

impl Refusal {
    fn status(&self) -> ResponseStatus {
        match self {
            Self::Malformed(_) => ResponseStatus::MalformedRequest,
            Self::Unauthorized => ResponseStatus::Unauthorized,
            Self::Unavailable(Unavailable::TryLater) => ResponseStatus::TryLater,
            Self::Unavailable(Unavailable::Fault) | Self::Signature(_) => ResponseStatus::InternalError,
        }
    }
}

impl Responder {
    /// A responder for these authorities. A good answer may be believed for `lifetime` (nextUpdate).
    pub fn new(issuers: Vec<Issuer>, lifetime: Duration) -> Self {
        Self { issuers, lifetime }
    }

    /// The answer to a request, both in DER.
    pub fn respond(
        &self,
        request: &[u8],
        now: Time,
        source: &dyn StatusSource,
        crypto: &mut dyn Crypto,
    ) -> Vec<u8> {
        self.answer(request, now, source, crypto).unwrap_or_else(|refusal| {
            let status = refusal.status();
            // Requests of every kind are usual; an authority that cannot answer is not.
            if status == ResponseStatus::InternalError {
                tracing::warn!("OCSP: {refusal}");
            } else {
                tracing::debug!("OCSP: {refusal}");
            }
            OcspResponse::refusal(status).to_vec()
        })
    }

    /// The answer that says only that there will be one later, or that something is broken: for whoever cannot even ask.
    pub fn unavailable(why: Unavailable) -> Vec<u8> {
        OcspResponse::refusal(Refusal::from(why).status()).to_vec()
    }

    fn answer(
        &self,
        request: &[u8],
        now: Time,
        source: &dyn StatusSource,
        crypto: &mut dyn Crypto,
    ) -> Result<Vec<u8>, Refusal> {
        let request = OcspRequest::parse(request)?;
        let extensions = answered_extensions(&request)?;
        let issuer = self.issuer(&request)?;
        let mut responses = Vec::with_capacity(request.requests.len());
        for question in request.requests {
            let status = source.status(&issuer.name, &question.certificate.serial)?;
            responses.push(self.single_response(question.certificate, status, now));
        }
        let responder_key = OctetString::new(Sha1::digest(key_bits(&issuer.signer)).as_slice())
            .map_err(encoding("OCSP responder's name"))?;
        let produced_at = generalized(now);
        Ok(issuer.sign(ResponseData { responder_key, produced_at, responses, extensions }, crypto)?)
    }

    /// The one authority that the request is about.
    fn issuer(&self, request: &TbsRequest) -> Result<&Issuer, Refusal> {
        let issued_all =
            |issuer: &&Issuer| request.requests.iter().all(|question| issuer.issued(&question.certificate));
        self.issuers.iter().find(issued_all).ok_or(Refusal::Unauthorized)
    }

    fn single_response(&self, certificate: CertId, status: Status, now: Time) -> SingleResponse {
        SingleResponse {
            certificate,
            status: status.into(),
            this_update: generalized(now),
            next_update: Some(generalized(now.plus(self.lifetime))),
        }
    }
}

impl From<Status> for CertStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Good => Self::Good(Null),
            Status::Unknown => Self::Unknown(Null),
            Status::Revoked(revocation) => Self::Revoked(RevokedInfo {
                time: generalized(revocation.time),
                reason: revocation.reason.code(),
            }),
        }
    }
}

/// The extensions of the answer: the request's nonce, if it has one. All others are unknown, and ignored unless they are
/// critical.
fn answered_extensions(request: &TbsRequest) -> Result<Option<Extensions>, Fault> {
    let single = request.requests.iter().filter_map(|question| question.extensions.as_ref()).flatten();
    let (nonces, others): (Vec<&Extension>, Vec<&Extension>) =
        request.extensions.iter().flatten().partition(|extension| extension.extn_id == oid::OCSP_NONCE);
    if let Some(critical) = others.into_iter().chain(single).find(|extension| extension.critical) {
        return Err(Fault::Critical(critical.extn_id));
    }
    match nonces[..] {
        [] => Ok(None),
        [nonce] if is_nonce(nonce.extn_value.as_bytes()) => {
            Ok(Some(vec![Extension { critical: false, ..nonce.clone() }]))
        }
        _ => Err(Fault::Nonce),
    }
}

fn generalized(time: Time) -> GeneralizedTime {
    GeneralizedTime::from_date_time(time.date_time())
}

fn is_nonce(value: &[u8]) -> bool {
    <&OctetStringRef>::from_der(value).is_ok_and(|nonce| (1..=MAX_NONCE).contains(&nonce.as_bytes().len()))
}
