//! Whether the parts of a card fit together: keys and certificates, the Security Object's hashes, the numbers in the CHUID.
//!
//! This looks for what a person should know when a folder is loaded. It verifies no signatures.

use std::collections::BTreeMap;

use apdu::tlv_ber::Reader;
use card_sim::{
    crypto::Crypto,
    discovery::PinUsagePolicy,
    key::{KeyReference, Origin, PrivateKey},
    object::{CONTAINERS, ObjectTag},
};
use cms::{content_info::ContentInfo, signed_data::SignedData};
use der::{
    Decode, Encode,
    asn1::{ObjectIdentifier, OctetString},
};
use x509_cert::{
    Certificate,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

use super::Finding;
use crate::{
    inspect::{self, Contents, Counter, KeyMatch, Slot},
    issue::{
        certificate_tag, chuid, oid,
        security_object::{self, LdsSecurityObject},
        signature::Hash,
        tag,
    },
};

/// What does not fit together.
pub(super) fn findings(
    objects: &[(ObjectTag, Vec<u8>)],
    keys: &[(KeyReference, PrivateKey, Origin)],
    policy: PinUsagePolicy,
    crypto: &mut dyn Crypto,
) -> Vec<Finding> {
    let objects: BTreeMap<u32, Vec<u8>> =
        objects.iter().map(|(tag, object)| (tag.get(), object.clone())).collect();
    let mut findings = as_inspected(&objects, keys, crypto);
    findings.extend(hashes(&objects).unwrap_or_default());
    if chuid_digest(&objects) == Some(false) {
        findings.push(Finding::ChuidChanged);
    }
    findings.extend(other_numbers(&objects));
    for (promised, what) in [
        (policy.virtual_contact_interface(), "a virtual contact interface"),
        (policy.on_card_comparison(), "on-card biometric comparison"),
    ] {
        findings.extend(promised.then_some(Finding::Promised { what }));
    }
    findings
}

/// What `card show` says of such a card.
fn as_inspected(
    objects: &BTreeMap<u32, Vec<u8>>,
    keys: &[(KeyReference, PrivateKey, Origin)],
    crypto: &mut dyn Crypto,
) -> Vec<Finding> {
    let full = Counter { tries_left: 1, tries_total: 1 };
    let slot = |(reference, key, origin): &(KeyReference, PrivateKey, Origin)| Slot {
        reference: *reference,
        algorithm: key.algorithm(),
        public_key: crypto.public_key(key).ok(),
        origin: *origin,
    };
    let report = inspect::inspect(&Contents {
        profile: String::new(),
        label: String::new(),
        objects: objects.clone(),
        slots: keys.iter().map(slot).collect(),
        pin: full,
        puk: full,
        global_pin: None,
        fingers: Vec::new(),
        cac: None,
    });
    let differs: Vec<_> =
        report.certificates.iter().filter(|entry| entry.key_match == KeyMatch::Differs).collect();
    let mismatches = differs.iter().filter_map(|entry| entry.slot.clone());
    let mismatches = mismatches.map(|key| Finding::KeyMismatch { key });
    // What is a finding of its own is not said twice.
    let problems = report.problems.into_iter();
    let problems = problems.filter(|problem| !differs.iter().any(|entry| entry.tag == problem.tag));
    mismatches.chain(problems.map(Finding::Object)).collect()
}

/// The hashes of the Security Object, held against the objects. `None` if it cannot be read, which others tell.
fn hashes(objects: &BTreeMap<u32, Vec<u8>>) -> Option<Vec<Finding>> {
    let contents = contents(objects, tag::SECURITY_OBJECT)?;
    let mapping = Reader::single_byte_tags(contents).find(security_object::tag::MAPPING.into()).ok()??;
    let signed =
        Reader::single_byte_tags(contents).find(security_object::tag::SIGNED_HASHES.into()).ok()??;
    let content = signed_data(signed)?.encap_content_info.econtent?;
    let lds =
        LdsSecurityObject::from_der(OctetString::from_der(&content.to_der().ok()?).ok()?.as_bytes()).ok()?;
    let hash = hash(lds.hash_algorithm.oid)?;
    let mut findings = Vec::new();
    for triple in mapping.chunks_exact(3) {
        let &[number, high, low] = triple else { continue };
        let id = u16::from_be_bytes([high, low]);
        let expected = lds.hashes.iter().find(|group| group.number == number);
        let row = CONTAINERS.iter().find(|container| container.id == id);
        let found = row.and_then(|row| Some((row, self::contents(objects, row.tag.get())?)));
        match (found, expected) {
            (None, _) => findings.push(Finding::HashOfNothing { container: format!("{id:04X}") }),
            (Some((row, contents)), expected) => {
                if expected.is_none_or(|group| group.hash.as_bytes() != hash.digest(contents)) {
                    findings.push(Finding::WrongHash { object: row.name });
                }
            }
        }
    }
    Some(findings)
}

/// Whether the digest in the CHUID's signature is that of the CHUID: of all elements but the signature.
fn chuid_digest(objects: &BTreeMap<u32, Vec<u8>>) -> Option<bool> {
    let contents = contents(objects, tag::CHUID)?;
    let mut signed = Vec::new();
    let mut signature = None;
    for element in Reader::single_byte_tags(contents) {
        let element = element.ok()?;
        match u8::try_from(element.tag.number()).ok()? {
            chuid::tag::SIGNATURE => signature = Some(element.value),
            BUFFER_LENGTH => {}
            tag => signed.extend(crate::issue::tlv::element(tag, element.value)),
        }
    }
    let signed_data = signed_data(signature?)?;
    let signer = signed_data.signer_infos.0.iter().next()?;
    let attribute = signer
        .signed_attrs
        .as_ref()?
        .iter()
        .find(|attribute| attribute.oid == oid::ATTRIBUTE_MESSAGE_DIGEST)?;
    let digest = attribute.values.iter().next()?.value();
    Some(hash(signer.digest_alg.oid)?.digest(&signed) == digest)
}

/// Buffer length: an element that revision 4 dropped, and that is not signed.
const BUFFER_LENGTH: u8 = 0xEE;

/// Certificates of which the FASC-N is not the CHUID's.
fn other_numbers(objects: &BTreeMap<u32, Vec<u8>>) -> Vec<Finding> {
    let fascn = contents(objects, tag::CHUID)
        .and_then(|chuid| Reader::single_byte_tags(chuid).find(chuid::tag::FASCN.into()).ok().flatten());
    let Some(fascn) = fascn else { return Vec::new() };
    let differs = |reference: &KeyReference| {
        let of_certificate = certificate_tag(*reference).and_then(|tag| certificate_fascn(objects, tag));
        of_certificate.is_some_and(|found| found != fascn)
    };
    KeyReference::ASYMMETRIC
        .into_iter()
        .filter(differs)
        .map(|reference| Finding::OtherFascn { key: format!("{:02X}", reference.to_byte()) })
        .collect()
}

fn certificate_fascn(objects: &BTreeMap<u32, Vec<u8>>, tag: u32) -> Option<Vec<u8>> {
    let der = Reader::single_byte_tags(contents(objects, tag)?).find(0x70_u8.into()).ok()??;
    let certificate = Certificate::from_der(der).ok()?;
    let (_, names) = certificate.tbs_certificate().get_extension::<SubjectAltName>().ok()??;
    names.0.iter().find_map(|name| match name {
        GeneralName::OtherName(name) if name.type_id == oid::PIV_FASCN => Some(name.value.value().to_vec()),
        _ => None,
    })
}

/// What is in an object, without the tag and length around it.
fn contents(objects: &BTreeMap<u32, Vec<u8>>, tag: u32) -> Option<&[u8]> {
    let mut reader = Reader::new(objects.get(&tag)?);
    reader.next().ok()?.map(|element| element.value)
}

fn signed_data(der: &[u8]) -> Option<SignedData> {
    ContentInfo::from_der(der).ok()?.content.decode_as().ok()
}

fn hash(identifier: ObjectIdentifier) -> Option<Hash> {
    [Hash::Sha256, Hash::Sha384].into_iter().find(|hash| hash.identifier().oid == identifier)
}
