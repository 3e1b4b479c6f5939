//! The structures of OCSP (RFC 6960, 4.1.1 and 4.2.1), as far as a responder writes and has to read them.
//!
//! No release of a crate for them goes with this `der`. What a request may have and a responder here does not look into
//! (the requestor's name and signature) is taken as it is.

#![expect(clippy::unnested_or_patterns, reason = "the derive macro of a CHOICE writes them")]

use der::{
    Any, Choice, Decode, Encode, Enumerated, Sequence,
    asn1::{BitString, GeneralizedTime, Null, ObjectIdentifier, OctetString},
};
use spki::AlgorithmIdentifierOwned;
use x509_cert::{
    ext::{Extensions, pkix::CrlReason},
    serial_number::SerialNumber,
};

use crate::issue::oid;

/// The only version there is.
const VERSION_1: u8 = 0;

/// A request, signed or not.
#[derive(Sequence)]
pub(super) struct OcspRequest {
    pub(super) tbs_request: TbsRequest,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) signature: Option<Any>,
}

#[derive(Sequence)]
pub(super) struct TbsRequest {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", default = "version_1")]
    pub(super) version: u8,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) requestor: Option<Any>,
    pub(super) requests: Vec<Request>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) extensions: Option<Extensions>,
}

/// A question about one certificate.
#[derive(Sequence)]
pub(super) struct Request {
    pub(super) certificate: CertId,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) extensions: Option<Extensions>,
}

/// Which certificate: hashes of the issuer's name and key, and the serial number.
#[derive(Clone, Sequence)]
pub(super) struct CertId {
    pub(super) hash: AlgorithmIdentifierOwned,
    pub(super) issuer_name: OctetString,
    pub(super) issuer_key: OctetString,
    pub(super) serial: SerialNumber,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumerated)]
#[repr(u8)]
pub(super) enum ResponseStatus {
    Successful = 0,
    MalformedRequest = 1,
    InternalError = 2,
    TryLater = 3,
    Unauthorized = 6,
}

#[derive(Sequence)]
pub(super) struct OcspResponse {
    pub(super) status: ResponseStatus,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) bytes: Option<ResponseBytes>,
}

#[derive(Sequence)]
pub(super) struct ResponseBytes {
    pub(super) kind: ObjectIdentifier,
    pub(super) response: OctetString,
}

#[derive(Sequence)]
pub(super) struct BasicResponse {
    pub(super) data: ResponseData,
    pub(super) algorithm: AlgorithmIdentifierOwned,
    pub(super) signature: BitString,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) certificates: Option<Vec<Any>>,
}

/// What is signed. Its version is the default one, and stands nowhere.
#[derive(Sequence)]
pub(super) struct ResponseData {
    /// byKey, the shorter of two names.
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    pub(super) responder_key: OctetString,
    pub(super) produced_at: GeneralizedTime,
    pub(super) responses: Vec<SingleResponse>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) extensions: Option<Extensions>,
}

#[derive(Sequence)]
pub(super) struct SingleResponse {
    pub(super) certificate: CertId,
    pub(super) status: CertStatus,
    pub(super) this_update: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) next_update: Option<GeneralizedTime>,
}

#[derive(Debug, PartialEq, Eq, Choice)]
pub(super) enum CertStatus {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    Good(Null),
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true")]
    Revoked(RevokedInfo),
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT")]
    Unknown(Null),
}

#[derive(Debug, PartialEq, Eq, Sequence)]
pub(super) struct RevokedInfo {
    pub(super) time: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) reason: Option<CrlReason>,
}

const fn version_1() -> u8 {
    VERSION_1
}

impl OcspRequest {
    /// The request in these bytes, if it is one of version 1 with at least one question.
    pub(super) fn parse(bytes: &[u8]) -> Result<TbsRequest, Fault> {
        let request = Self::from_der(bytes)?.tbs_request;
        if request.version != VERSION_1 {
            return Err(Fault::Version(request.version));
        }
        if request.requests.is_empty() {
            return Err(Fault::Empty);
        }
        Ok(request)
    }
}

impl OcspResponse {
    /// The answer that has nothing to say but this.
    pub(super) fn refusal(status: ResponseStatus) -> [u8; 5] {
        // SEQUENCE { ENUMERATED }
        [0x30, 0x03, 0x0A, 0x01, status as u8]
    }

    pub(super) fn successful(response: &BasicResponse) -> Result<Vec<u8>, der::Error> {
        let bytes = ResponseBytes { kind: oid::OCSP_BASIC, response: OctetString::new(response.to_der()?)? };
        Self { status: ResponseStatus::Successful, bytes: Some(bytes) }.to_der()
    }
}

/// What is wrong with a request.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("it is not a request in DER: {0}")]
    Der(#[from] der::Error),
    #[error("its version is {0}, not 0 (v1)")]
    Version(u8),
    #[error("it asks about no certificate")]
    Empty,
    #[error("its extension {0} is critical and unknown here")]
    Critical(ObjectIdentifier),
    #[error("its nonce is not one OCTET STRING of 1 to 128 bytes (RFC 9654, 2.1)")]
    Nonce,
}
