//! Certificate containers: unwrapping, decompression, and what a certificate says.

use std::io::Read;

use card_sim::key::{KeyReference, PublicKey};
use der::{Decode, Sequence, asn1::UintRef};
use flate2::read::GzDecoder;
use spki::SubjectPublicKeyInfoOwned;
use x509_cert::{Certificate, time::Time};

use super::{
    Contents, key_name,
    object::{Elements, SECURE_MESSAGING_SIGNER, without_controls},
    object_name, references_with_certificates,
    report::{CertificateEntry, Date, DateSource, Dated, Holder, HolderSource, KeyMatch, Problem, Tag},
};
use crate::issue::{certificate_tag, oid, public_key::key_bits};

/// Bit of CertInfo: the certificate is a gzip file (SP 800-73-5 part 1, appendix A).
const COMPRESSED: u8 = 0x01;
/// How a gzip file begins (RFC 1952), also where CertInfo forgets to say it.
const GZIP: [u8; 2] = [0x1F, 0x8B];
/// Largest certificate that is unpacked, in bytes. A card holds a few thousand.
pub(crate) const MAX_UNPACKED: u64 = 0x1_0000;

/// The certificates of a card.
pub(super) struct Certificates {
    pub(super) entries: Vec<CertificateEntry>,
    /// Begin of validity of those that are issued with a card.
    beginnings: Vec<(KeyReference, Date)>,
    /// Common name of the first subject that has one.
    common_name: Option<String>,
}

impl Certificates {
    /// Reads the containers of all slots, in the standard's order, and that of the secure messaging signer.
    pub(super) fn read(contents: &Contents, problems: &mut Vec<Problem>) -> Self {
        let mut result = Self { entries: Vec::new(), beginnings: Vec::new(), common_name: None };
        for reference in references_with_certificates() {
            let Some(tag) = certificate_tag(reference) else { continue };
            let Some((certificate, compressed)) = load(contents, tag, problems) else { continue };
            let slot = contents.slots.iter().find(|slot| slot.reference == reference);
            let key = slot.and_then(|slot| slot.public_key.as_ref());
            let key_match = compare(certificate.tbs_certificate().subject_public_key_info(), key);
            if key_match == KeyMatch::Differs {
                let text = format!("the certificate's key is not the key in slot {}", key_name(reference));
                problems.push(Problem::new(tag, text));
            }
            result.note(reference, &certificate);
            result.entries.push(entry(tag, Some(key_name(reference)), compressed, &certificate, key_match));
        }
        if let Some((certificate, compressed)) = load(contents, SECURE_MESSAGING_SIGNER, problems) {
            result.entries.push(entry(
                SECURE_MESSAGING_SIGNER,
                None,
                compressed,
                &certificate,
                KeyMatch::NoKey,
            ));
        }
        result
    }

    /// The earliest begin of validity. Retired certificates are older than the card and do not count.
    pub(super) fn issue_date(&self) -> Option<Dated> {
        let (reference, date) = self.beginnings.iter().min_by_key(|(_, date)| *date)?;
        Some(Dated { date: *date, source: DateSource::EarliestCertificate(key_name(*reference)) })
    }

    /// The holder as certificates name him.
    pub(super) fn holder(&self) -> Option<Holder> {
        Some(Holder {
            name: self.common_name.clone()?,
            source: HolderSource::Certificate,
            affiliation: None,
            organization: Vec::new(),
        })
    }

    fn note(&mut self, reference: KeyReference, certificate: &Certificate) {
        let tbs = certificate.tbs_certificate();
        if !matches!(reference, KeyReference::Retired(_)) {
            self.beginnings.push((reference, tbs.validity().not_before.to_date_time().into()));
        }
        if self.common_name.is_none()
            && let Ok(Some(name)) = tbs.subject().common_name()
        {
            self.common_name = Some(without_controls(&name.value()));
        }
    }
}

/// The certificate in the container `tag`, and whether it is compressed. `None` if there is none or it is broken.
fn load(contents: &Contents, tag: u32, problems: &mut Vec<Problem>) -> Option<(Certificate, bool)> {
    let elements = Elements::read(tag, contents.objects.get(&tag)?, problems);
    let Some(stored) = elements.get(0x70) else {
        if !elements.is_empty() {
            elements.problem(problems, "the certificate, tag 70, is missing");
        }
        return None;
    };
    let info = elements.get(0x71).and_then(|info| info.first()).copied().unwrap_or_default();
    let compressed = info & COMPRESSED != 0 || stored.starts_with(&GZIP);
    let der = if compressed { unpack(stored) } else { Ok(stored.to_vec()) };
    let certificate = der.and_then(|der| {
        Certificate::from_der(&der).map_err(|error| format!("the certificate cannot be read: {error}"))
    });
    match certificate {
        Ok(certificate) => Some((certificate, compressed)),
        Err(problem) => {
            elements.problem(problems, problem);
            None
        }
    }
}

pub(crate) fn unpack(stored: &[u8]) -> Result<Vec<u8>, String> {
    let mut unpacked = Vec::new();
    GzDecoder::new(stored)
        .take(MAX_UNPACKED + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| format!("the compressed certificate cannot be unpacked: {error}"))?;
    if unpacked.len() as u64 > MAX_UNPACKED {
        return Err(format!("the compressed certificate is larger than {MAX_UNPACKED} bytes"));
    }
    Ok(unpacked)
}

fn entry(
    tag: u32,
    slot: Option<String>,
    compressed: bool,
    certificate: &Certificate,
    key_match: KeyMatch,
) -> CertificateEntry {
    let tbs = certificate.tbs_certificate();
    CertificateEntry {
        tag: Tag(tag),
        container: object_name(tag),
        slot,
        compressed,
        subject: without_controls(&tbs.subject().to_string()),
        issuer: without_controls(&tbs.issuer().to_string()),
        serial_number: serial_number(tbs.serial_number().as_bytes()),
        not_before: moment(tbs.validity().not_before),
        not_after: moment(tbs.validity().not_after),
        algorithm: algorithm(tbs.subject_public_key_info()),
        key_match,
    }
}

/// In hex, without the zero byte that keeps a DER integer positive.
pub(crate) fn serial_number(bytes: &[u8]) -> String {
    match bytes {
        [0x00, rest @ ..] if !rest.is_empty() => hex::encode_upper(rest),
        _ => hex::encode_upper(bytes),
    }
}

fn moment(time: Time) -> String {
    time.to_date_time().to_string()
}

fn compare(info: &SubjectPublicKeyInfoOwned, key: Option<&PublicKey>) -> KeyMatch {
    let Some(key) = key else { return KeyMatch::NoKey };
    match key_bits(key) {
        Ok(bits) if info.subject_public_key.as_bytes() == Some(&bits) => KeyMatch::Matches,
        _ => KeyMatch::Differs,
    }
}

/// Algorithm and size of a public key, or its object identifier.
pub(crate) fn algorithm(info: &SubjectPublicKeyInfoOwned) -> String {
    let key = info.subject_public_key.raw_bytes();
    match info.algorithm.oid {
        oid::RSA_ENCRYPTION => rsa_bits(key).map_or_else(|| "RSA".to_owned(), |bits| format!("RSA-{bits}")),
        oid::EC_PUBLIC_KEY if key.len() == 65 => "P-256".to_owned(),
        oid::ED25519 => "Ed25519".to_owned(),
        oid::X25519 => "X25519".to_owned(),
        oid::EC_PUBLIC_KEY if key.len() == 97 => "P-384".to_owned(),
        other => other.to_string(),
    }
}

/// How many bits the modulus of an RSAPublicKey has.
fn rsa_bits(key: &[u8]) -> Option<usize> {
    #[derive(Sequence)]
    struct RsaPublicKey<'a> {
        modulus: UintRef<'a>,
        exponent: UintRef<'a>,
    }
    let key = RsaPublicKey::from_der(key).ok()?;
    let modulus = key.modulus.as_bytes();
    let unused = modulus.first()?.leading_zeros() as usize;
    Some(modulus.len() * 8 - unused)
}
