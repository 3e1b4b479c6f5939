//! Requests of every kind, right and wrong. That others understand the answers is tested with `openssl ocsp`.

use std::{sync::LazyLock, time::Duration};

use card_sim::key::AsymmetricAlgorithm::EccP256;
use der::{Any, Decode, Encode, asn1::ObjectIdentifier, asn1::OctetString};
use proptest::prelude::*;
use spki::AlgorithmIdentifierOwned;

use super::{message::Request, *};
use crate::{
    crypto::{DefaultCrypto, verify::verify_ecdsa},
    issue::{Date, Pki},
    random,
    revocation::{Reason, Revocation, SerialNumber},
};

static PKI: LazyLock<Pki> = LazyLock::new(|| {
    Pki::create(Some(1), EccP256, Date::new(2026, 1, 1).unwrap(), &mut DefaultCrypto::new()).unwrap()
});

const NOW: Time = Time::from_seconds(1_800_000_000);
const REVOKED: Revocation =
    Revocation { time: Time::from_seconds(1_700_000_000), reason: Reason::Superseded };

/// An odd number is good, an even one revoked, and there are some with a temper.
struct Numbers;

impl StatusSource for Numbers {
    fn status(&self, issuer: &str, serial: &SerialNumber) -> Result<Status, Unavailable> {
        match (issuer, serial.as_bytes()) {
            ("issuing", [0]) => Ok(Status::Unknown),
            ("issuing", [0x66]) => Err(Unavailable::TryLater),
            ("issuing", [0x67]) => Err(Unavailable::Fault),
            ("issuing", [.., last]) if last % 2 == 1 => Ok(Status::Good),
            ("issuing", _) => Ok(Status::Revoked(REVOKED)),
            // The root has issued one certificate.
            _ => Ok(Status::Good),
        }
    }
}

fn responder() -> Responder {
    let life = (Date::new(2026, 1, 1).unwrap(), Date::new(2026, 12, 31).unwrap());
    let mut rng = random::from_seed("OCSP responder", 1);
    let delegate = delegate(&PKI.issuing_ca, life, &mut rng, &mut DefaultCrypto::new()).unwrap();
    let issuers = vec![
        Issuer::signing("root", PKI.root.clone()).unwrap(),
        Issuer::delegating("issuing", &PKI.issuing_ca, delegate).unwrap(),
    ];
    Responder::new(issuers, Duration::from_hours(1))
}

fn respond(request: &[u8]) -> OcspResponse {
    let response = responder().respond(request, NOW, &Numbers, &mut DefaultCrypto::new());
    OcspResponse::from_der(&response).unwrap()
}

fn data(response: &OcspResponse) -> ResponseData {
    assert_eq!(response.status, ResponseStatus::Successful);
    let bytes = response.bytes.as_ref().unwrap();
    assert_eq!(bytes.kind, oid::OCSP_BASIC);
    BasicResponse::from_der(bytes.response.as_bytes()).unwrap().data
}

fn certificate(issuer: &Authority, hash: ObjectIdentifier, serial: u64) -> CertId {
    let name = issuer.subject().to_der().unwrap();
    let digest = |bytes: &[u8]| match hash {
        oid::SHA_1 => OctetString::new(Sha1::digest(bytes).as_slice()).unwrap(),
        _ => OctetString::new(Sha256::digest(bytes).as_slice()).unwrap(),
    };
    CertId {
        hash: AlgorithmIdentifierOwned { oid: hash, parameters: Some(Any::null()) },
        issuer_name: digest(&name),
        issuer_key: digest(key_bits(issuer)),
        serial: SerialNumber::from(serial),
    }
}

fn request(certificates: Vec<CertId>) -> OcspRequest {
    let requests =
        certificates.into_iter().map(|certificate| Request { certificate, extensions: None }).collect();
    let tbs_request = TbsRequest { version: 0, requestor: None, requests, extensions: None };
    OcspRequest { tbs_request, signature: None }
}

fn request_for(serial: u64) -> OcspRequest {
    request(vec![certificate(&PKI.issuing_ca, oid::SHA_1, serial)])
}

fn extension(id: ObjectIdentifier, critical: bool, value: &[u8]) -> Extension {
    Extension { extn_id: id, critical, extn_value: OctetString::new(value).unwrap() }
}

fn nonce(length: usize) -> Extension {
    let value = OctetString::new(vec![0xA5; length]).unwrap().to_der().unwrap();
    extension(oid::OCSP_NONCE, false, &value)
}

fn with_extensions(extensions: Vec<Extension>) -> OcspRequest {
    let mut request = request_for(1);
    request.tbs_request.extensions = Some(extensions);
    request
}

#[test]
fn each_question_has_its_answer_in_order() {
    let questions: Vec<CertId> = [(oid::SHA_1, 1), (oid::SHA_256, 2), (oid::SHA_1, 0), (oid::SHA_256, 3)]
        .map(|(hash, serial)| certificate(&PKI.issuing_ca, hash, serial))
        .into();
    let data = data(&respond(&request(questions.clone()).to_der().unwrap()));
    assert_eq!(data.produced_at, generalized(NOW));
    assert!(data.extensions.is_none());
    let revoked = RevokedInfo {
        time: generalized(REVOKED.time),
        reason: Some(x509_cert::ext::pkix::CrlReason::Superseded),
    };
    let expected = [
        CertStatus::Good(Null),
        CertStatus::Revoked(revoked),
        CertStatus::Unknown(Null),
        CertStatus::Good(Null),
    ];
    assert_eq!(data.responses.len(), expected.len());
    for ((response, question), status) in data.responses.iter().zip(&questions).zip(expected) {
        assert_eq!(response.certificate.to_der(), question.to_der());
        assert_eq!(response.status, status);
        assert_eq!(response.this_update, generalized(NOW));
        assert_eq!(response.next_update, Some(generalized(NOW.plus(Duration::from_hours(1)))));
    }
}

#[test]
fn the_signer_is_the_authority_s_choice() {
    let responder = responder();
    for (issuer, delegated) in [(&responder.issuers[0], false), (&responder.issuers[1], true)] {
        let asked = if delegated { &PKI.issuing_ca } else { &PKI.root };
        let response = respond(&request(vec![certificate(asked, oid::SHA_1, 1)]).to_der().unwrap());
        let basic = BasicResponse::from_der(response.bytes.unwrap().response.as_bytes()).unwrap();
        let digest = Sha256::digest(basic.data.to_der().unwrap());
        verify_ecdsa(key_bits(&issuer.signer), &digest, basic.signature.raw_bytes()).unwrap();
        assert_eq!(basic.data.responder_key.as_bytes(), Sha1::digest(key_bits(&issuer.signer)).as_slice());
        let certificates = basic.certificates.unwrap_or_default();
        assert_eq!(certificates.len(), usize::from(delegated));
        for certificate in certificates {
            assert_eq!(certificate.to_der().unwrap(), issuer.signer.certificate_der());
        }
    }
}

#[test]
fn a_nonce_comes_back() {
    for length in [1, 16, 32, MAX_NONCE] {
        let nonce = nonce(length);
        let data = data(&respond(&with_extensions(vec![nonce.clone()]).to_der().unwrap()));
        assert_eq!(data.extensions, Some(vec![nonce]), "{length} bytes");
    }
    // Also when it is called critical, which an answer's must not be.
    let critical = Extension { critical: true, ..nonce(16) };
    let data = data(&respond(&with_extensions(vec![critical]).to_der().unwrap()));
    assert_eq!(data.extensions, Some(vec![nonce(16)]));
}

#[test]
fn what_a_responder_need_not_know_is_ignored() {
    // id-pkix-ocsp-response: which kinds of answer are acceptable.
    let other = || extension(ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.4"), false, &[0x30, 0x00]);
    let mut request = with_extensions(vec![other()]);
    request.tbs_request.requests[0].extensions = Some(vec![other()]);
    // A signed request: directoryName as requestor, any signature.
    let name = Any::from_der(&[0xA4, 0x02, 0x30, 0x00]).unwrap();
    request.tbs_request.requestor = Some(name);
    request.signature = Some(Any::from_der(&[0x30, 0x00]).unwrap());
    let data = data(&respond(&request.to_der().unwrap()));
    assert_eq!(data.responses.len(), 1);
    assert!(data.extensions.is_none());
}

#[test]
fn malformed_requests_are_called_so() {
    let unknown = ObjectIdentifier::new_unwrap("1.2.3.4");
    let whole = request_for(1).to_der().unwrap();
    let mut newer = request_for(1);
    newer.tbs_request.version = 1;
    let mut critical = request_for(1);
    critical.tbs_request.requests[0].extensions = Some(vec![extension(unknown, true, &[])]);
    let mut long_serial = whole.clone();
    // INTEGER of 1 byte, the last; in an outer length of 0x7F at most nothing else moves.
    assert_eq!(long_serial[long_serial.len() - 3..], [0x02, 0x01, 0x01]);
    long_serial.truncate(long_serial.len() - 2);
    long_serial.push(0x16);
    long_serial.extend([0x01; 0x16]);
    for depth in [1, 3, 5, 7] {
        long_serial[depth] += 0x15;
    }
    let table: &[(&str, Vec<u8>)] = &[
        ("nothing", vec![]),
        ("no DER", b"GET / HTTP/1.0".to_vec()),
        ("an empty sequence", vec![0x30, 0x00]),
        ("an indefinite length", vec![0x30, 0x80, 0x00, 0x00]),
        ("a length beyond the end", vec![0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0x00]),
        ("a certificate", PKI.root.certificate_der().to_vec()),
        ("a cut request", whole[..whole.len() - 1].to_vec()),
        ("a request and more", [&whole[..], &[0x00]].concat()),
        ("no question", request(vec![]).to_der().unwrap()),
        ("a newer version", newer.to_der().unwrap()),
        (
            "an unknown critical extension",
            with_extensions(vec![extension(unknown, true, &[])]).to_der().unwrap(),
        ),
        ("a question with one", critical.to_der().unwrap()),
        ("an empty nonce", with_extensions(vec![nonce(0)]).to_der().unwrap()),
        ("a long nonce", with_extensions(vec![nonce(MAX_NONCE + 1)]).to_der().unwrap()),
        ("two nonces", with_extensions(vec![nonce(16), nonce(16)]).to_der().unwrap()),
        (
            "a bare nonce",
            with_extensions(vec![extension(oid::OCSP_NONCE, false, &[0xA5; 16])]).to_der().unwrap(),
        ),
        ("a serial number of 22 bytes", long_serial),
    ];
    for (what, bytes) in table {
        let response = respond(bytes);
        assert_eq!(response.status, ResponseStatus::MalformedRequest, "{what}");
        assert!(response.bytes.is_none());
    }
}

#[test]
fn other_authorities_are_not_answered_for() {
    let stranger = &PKI.content_signer;
    let mut other_key = certificate(&PKI.issuing_ca, oid::SHA_1, 1);
    other_key.issuer_key = certificate(&PKI.root, oid::SHA_1, 1).issuer_key;
    let mut other_hash = certificate(&PKI.issuing_ca, oid::SHA_1, 1);
    other_hash.hash.oid = oid::SHA_384;
    for (what, certificates) in [
        ("another authority", vec![certificate(stranger, oid::SHA_1, 1)]),
        ("the name of one and the key of another", vec![other_key]),
        ("a hash that nobody uses", vec![other_hash]),
        (
            "two authorities",
            vec![certificate(&PKI.issuing_ca, oid::SHA_1, 1), certificate(&PKI.root, oid::SHA_1, 1)],
        ),
    ] {
        assert_eq!(
            respond(&request(certificates).to_der().unwrap()).status,
            ResponseStatus::Unauthorized,
            "{what}"
        );
    }
}

#[test]
fn an_authority_in_trouble_says_so() {
    for (serial, status, why) in [
        (0x66, ResponseStatus::TryLater, Unavailable::TryLater),
        (0x67, ResponseStatus::InternalError, Unavailable::Fault),
    ] {
        let response = respond(&request_for(serial).to_der().unwrap());
        assert_eq!(response.status, status);
        assert!(response.bytes.is_none());
        assert_eq!(Responder::unavailable(why), response.to_der().unwrap());
    }
}

#[test]
fn a_negative_serial_number_is_not_a_positive_one() {
    let serial = |bytes: &[u8]| SerialNumber::<x509_cert::certificate::Rfc5280>::from_der(bytes).unwrap();
    assert_ne!(serial(&[0x02, 0x01, 0x81]), SerialNumber::from(0x81_u64));
    assert_ne!(serial(&[0x02, 0x01, 0x81]).as_bytes(), SerialNumber::from(0x81_u64).as_bytes());
}

#[test]
fn the_same_question_has_the_same_answer() {
    let request = with_extensions(vec![nonce(16)]).to_der().unwrap();
    let answer = || responder().respond(&request, NOW, &Numbers, &mut DefaultCrypto::new());
    assert_eq!(answer(), answer());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let response = RESPONDER.respond(&bytes, NOW, &Numbers, &mut DefaultCrypto::new());
        prop_assert!(OcspResponse::from_der(&response).is_ok());
    }

    /// A request with some bytes changed, and an end put elsewhere.
    #[test]
    fn no_change_is_too_much(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = with_extensions(vec![nonce(16)]).to_der().unwrap();
        for (place, value) in changes {
            *place.get_mut(&mut bytes) = value;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        let response = RESPONDER.respond(&bytes, NOW, &Numbers, &mut DefaultCrypto::new());
        let response = OcspResponse::from_der(&response).unwrap();
        prop_assert_eq!(response.status == ResponseStatus::Successful, response.bytes.is_some());
    }
}

static RESPONDER: LazyLock<Responder> = LazyLock::new(responder);
