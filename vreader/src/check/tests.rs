//! Every row that our cards pass can fail: somewhere among all the ways to spoil an object is one that fails it.

use std::collections::BTreeSet;

use card_sim::{key::AsymmetricAlgorithm, sm::CipherSuite};

use super::{
    evidence::{Elements, outer_tag},
    *,
};
use crate::{
    crypto::DefaultCrypto,
    issue::{Features, IssuedCard, Request, SecureMessaging, VirtualContact, issue, tlv},
};

/// Rows that nothing on a card can fail, and why.
const CANNOT_FAIL: &[(&str, &str)] =
    &[("8.1.2", "an object that is there was fetched with its tag; row 8.1.0.3 fails if there is none")];

fn card(algorithm: AsymmetricAlgorithm, intermediate: bool) -> IssuedCard {
    let features = Features {
        secure_messaging: Some(SecureMessaging { suite: CipherSuite::Cs2, intermediate }),
        virtual_contact: Some(VirtualContact::Pairing),
        global_pin: None,
        retired_keys: 2,
        ..Features::default()
    };
    let pki_algorithm = Some(algorithm);
    let request = Request { seed: Some(8), algorithm, pki_algorithm, features, ..Request::default() };
    issue(&request, &mut DefaultCrypto::default(), &mut |_| {}).unwrap()
}

fn evidence(card: &IssuedCard) -> Evidence {
    let objects = card.objects.iter().map(|(tag, object)| (tag.get(), object.clone()));
    let mut evidence = Evidence::from_objects(objects);
    evidence.card_verifiable_certificate.clone_from(&card.card_verifiable_certificate);
    evidence.proofs = [0x9A, 0x9C, 0x9D, 0x9E].map(|reference| (reference, Proof::Proved)).into();
    evidence
}

/// The rows that look at an object: those of its container, and those that the table leaves open.
fn rows_about(tag: u32) -> Vec<Row> {
    rows::rows()
        .filter(|row| {
            let open: &[u32] = match row.id {
                "8.13" | "8.13.1" => &[0x5F_C10D],
                "8.13.2" => &[0x5F_C10E],
                "8.14" => &[0x5F_C10C],
                "8.16" | "11.5.3" | "11.6.1" | "11.6.2" => &[0x5F_C122],
                "8.17" => &[0x5F_C123],
                // The content signer's certificate is in the CHUID.
                "10.2.1.13" | "10.3.1.13" => &[0x5F_C102],
                _ => &[],
            };
            row.container == Some(tag) || open.contains(&tag)
        })
        .collect()
}

fn outcome(row: Row, evidence: &Evidence) -> Outcome {
    judge(row, &Subject { evidence, now: "2026-11-23".parse().unwrap() }).into()
}

fn passes(row: Row, evidence: &Evidence) -> bool {
    outcome(row, evidence) == Outcome::Passed
}

fn fails(row: Row, evidence: &Evidence) -> bool {
    matches!(outcome(row, evidence), Outcome::Failed { .. })
}

/// All ways to spoil an object that are tried.
fn spoilt(tag: u32, object: &[u8]) -> Vec<Found> {
    let contents = &object[object.len() - contents_length(tag, object)..];
    let wrapped = |contents: &[u8]| element(outer_tag(tag), contents);
    let mut all = spoilt_elements(tag, object);
    all.push([object, &[0x00]].concat());
    // Lengths in more bytes than they need.
    all.push(wrapped(&[&contents[..contents.len() - 1], &[0x81, 0x00]].concat()));
    all.push(wrapped(&[contents, &[0x41, 0x81, 0x00]].concat()));
    for (place, bytes) in spoilt_fields(object) {
        let mut object = object.to_vec();
        object[place..place + bytes.len()].copy_from_slice(&bytes);
        all.push(object);
    }
    all.extend(spoilt_signed_data(tag, object));
    // Single bits, of long objects those at begin and end: between them is a picture.
    for place in (0..object.len()).filter(|place| *place < 1500 || place + 1000 > object.len()) {
        for flip in [0x01, 0x02, 0x80] {
            let mut object = object.to_vec();
            object[place] ^= flip;
            all.push(object);
        }
    }
    let refused = [0x6A82, 0x6F00].map(Found::Refused);
    refused.into_iter().chain(all.into_iter().map(Found::Object)).collect()
}

/// Elements that are missing, too many, too long or elsewhere.
fn spoilt_elements(tag: u32, object: &[u8]) -> Vec<Vec<u8>> {
    let elements = Elements::parse(tag, object).unwrap().list;
    let list: Vec<_> = elements.iter().map(|(tag, value)| (*tag, value.to_vec())).collect();
    let mut all = Vec::new();
    let mut put = |list: &[(u32, Vec<u8>)]| {
        let contents: Vec<u8> = list.iter().flat_map(|(tag, value)| element(*tag, value)).collect();
        all.push(element(outer_tag(tag), &contents));
    };
    for index in 0..list.len() {
        let mut without = list.clone();
        let moved = without.remove(index);
        put(&without);
        without.push(moved);
        put(&without);
        let mut longer = list.clone();
        longer[index].1.push(0x00);
        put(&longer);
        let mut swapped = list.clone();
        swapped.swap(0, index);
        put(&swapped);
        for other in [0x3D, 0xE3, 0xEE, 0x32] {
            let mut more = list.clone();
            more.insert(index, (other, vec![0x00]));
            put(&more);
        }
    }
    all
}

/// Fields of several bytes: lengths and product identifiers in biometric headers, keyUsage in certificates.
fn spoilt_fields(object: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut all = Vec::new();
    if let Some(header) = object.windows(2).position(|bytes| bytes == [0x03, 0x0D]) {
        for (start, length) in [(2, 4), (6, 2), (88 + 10, 2), (88 + 12, 2)] {
            all.push((header + start, vec![0; length]));
        }
    }
    // The extension: its identifier, critical, and a BIT STRING in an OCTET STRING.
    if let Some(usage) = object.windows(6).position(|bytes| bytes == [0x55, 0x1D, 0x0F, 0x01, 0x01, 0xFF]) {
        for bits in [[0x00, 0xFF], [0x01, 0x02]] {
            all.push((usage + 10, bits.to_vec()));
        }
    }
    all
}

/// Signed data that are whole, and not those of a card.
fn spoilt_signed_data(tag: u32, object: &[u8]) -> Vec<Vec<u8>> {
    use ::cms::{
        content_info::ContentInfo,
        revocation::RevocationInfoChoices,
        signed_data::{CertificateSet, SignedData, SignerIdentifier, SignerInfos},
    };
    use der::{Any, Decode, Encode, asn1::OctetString, asn1::SetOfVec};

    let list = Elements::parse(tag, object).unwrap().list;
    let in_element = |bytes: &[u8]| {
        let start = bytes.windows(11).position(|bytes| bytes == SIGNED_DATA)?;
        // Tag, and a length of three bytes before the identifier.
        start.checked_sub(4)
    };
    let Some((index, start)) =
        list.iter().enumerate().find_map(|(index, (_, value))| Some((index, in_element(value)?)))
    else {
        return Vec::new();
    };
    let (before, signed) = list[index].1.split_at(start);
    let info = ContentInfo::from_der(signed).unwrap();
    let data = SignedData::from_der(&info.content.to_der().unwrap()).unwrap();
    let put = |data: SignedData| {
        let info = ContentInfo { content: Any::encode_from(&data).unwrap(), ..info.clone() };
        let value = [before, &info.to_der().unwrap()].concat();
        let contents: Vec<u8> = list
            .iter()
            .enumerate()
            .flat_map(|(at, (tag, old))| element(*tag, if at == index { &value } else { old }))
            .collect();
        element(outer_tag(tag), &contents)
    };
    let signer = data.signer_infos.0.as_slice()[0].clone();
    let mut named = signer.clone();
    let identifier = OctetString::new([7; 20]).unwrap();
    named.sid = SignerIdentifier::SubjectKeyIdentifier(identifier.into());
    let signers = |list| SignerInfos(SetOfVec::from_iter(list).unwrap());
    let with_revocation = SignedData { crls: Some(RevocationInfoChoices(SetOfVec::new())), ..data.clone() };
    let with_certificates =
        SignedData { certificates: Some(CertificateSet(SetOfVec::new())), ..data.clone() };
    let two = SignedData { signer_infos: signers(vec![signer, named.clone()]), ..data.clone() };
    let other = SignedData { signer_infos: signers(vec![named]), ..data };
    [with_revocation, with_certificates, two, other].map(put).into()
}

/// The identifier of signed data, with its tag.
const SIGNED_DATA: [u8; 11] = [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02];

fn contents_length(tag: u32, object: &[u8]) -> usize {
    apdu::tlv_ber::Reader::new(object).expect(apdu::Tag::new(outer_tag(tag))).unwrap().len()
}

fn element(tag: u32, value: &[u8]) -> Vec<u8> {
    match u8::try_from(tag) {
        Ok(tag) => tlv::element(tag, value),
        Err(_) => tlv::long_element(u16::try_from(tag).unwrap(), value),
    }
}

/// Notes the rows that pass, and those of them that a spoilt object fails.
fn try_all(card: &IssuedCard, passed: &mut BTreeSet<&'static str>, failed: &mut BTreeSet<&'static str>) {
    let mut evidence = evidence(card);
    let tags: Vec<u32> = evidence.objects.keys().copied().collect();
    for tag in tags {
        let Some(Found::Object(object)) = evidence.objects.get(&tag).cloned() else { continue };
        let mut left = rows_about(tag);
        left.retain(|row| passes(*row, &evidence));
        passed.extend(left.iter().map(|row| row.id));
        // One spoilt object is enough.
        left.retain(|row| !failed.contains(row.id) && !CANNOT_FAIL.iter().any(|(id, _)| *id == row.id));
        for spoilt in spoilt(tag, &object) {
            if left.is_empty() {
                break;
            }
            evidence.objects.insert(tag, spoilt);
            let (fail, pass) = left.into_iter().partition(|row| fails(*row, &evidence));
            let fail: Vec<Row> = fail;
            failed.extend(fail.iter().map(|row| row.id));
            left = pass;
        }
        evidence.objects.insert(tag, Found::Object(object));
    }
    for (reference, row) in [(0x9A, "11.1.2.5"), (0x9C, "11.2.2.2"), (0x9D, "11.3.2.2"), (0x9E, "11.4.2.6")] {
        evidence.proofs.insert(reference, Proof::Refuted("another key".to_owned()));
        let row = rows::rows().find(|found| found.id == row).unwrap();
        assert!(fails(row, &evidence));
        failed.insert(row.id);
    }
}

#[test]
fn every_row_that_passes_can_fail() {
    let (mut passed, mut failed) = (BTreeSet::new(), BTreeSet::new());
    for (algorithm, intermediate) in
        [(AsymmetricAlgorithm::EccP256, false), (AsymmetricAlgorithm::Rsa2048, true)]
    {
        try_all(&card(algorithm, intermediate), &mut passed, &mut failed);
    }
    let never: Vec<_> = passed.difference(&failed).copied().collect();
    assert_eq!(never, CANNOT_FAIL.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    assert!(passed.len() > 300, "{}", passed.len());
}

/// The iris container of a card whose face is its iris too: the header is made over, the record and signature stay.
fn iris(card: &IssuedCard) -> Vec<u8> {
    let face = card.objects.iter().find(|(tag, _)| tag.get() == 0x5F_C108).unwrap().1.clone();
    let mut value = Elements::parse(0x5F_C108, &face).unwrap().list[0].1.to_vec();
    value[8..12].copy_from_slice(&[0x01, 0x01, 0x00, 0x09]);
    value[36..40].copy_from_slice(&[0x00, 0x00, 0x10, 0x40]);
    let length = u32::from_be_bytes(value[2..6].try_into().unwrap());
    value[88..100].copy_from_slice(&[b"IIR\x000020".as_slice(), &length.to_be_bytes()].concat());
    element(0x53, &[element(0xBC, &value), vec![0xFE, 0x00]].concat())
}

#[test]
fn an_iris_is_judged_by_its_own_header_and_record() {
    let card = card(AsymmetricAlgorithm::EccP256, false);
    let mut evidence = evidence(&card);
    evidence.objects.insert(0x5F_C121, Found::Object(iris(&card)));
    let options = Options::on("2026-11-23".parse().unwrap());
    let failed = |evidence: &Evidence| {
        check_evidence(evidence, &options).failures().map(|row| row.id.clone()).collect::<Vec<_>>()
    };
    // The signature is over the face.
    assert_eq!(failed(&evidence), ["10.5.1.8"]);
    let passed = check_evidence(&evidence, &options);
    let passed = passed.rows.iter().filter(|row| row.outcome == Outcome::Passed);
    let about = passed
        .filter(|row| row.id == "8.12" || row.id.starts_with("9.3.") || row.id.starts_with("9.7."))
        .count();
    assert_eq!(about, 1 + 16 + 2);
    // A face in the iris container.
    let face = evidence.objects[&0x5F_C108].clone();
    evidence.objects.insert(0x5F_C121, face);
    assert_eq!(failed(&evidence), ["9.3.2.3", "9.3.2.4", "9.3.2.7", "9.3.2.8", "9.7.1"]);
}

#[test]
fn on_card_comparison_needs_its_templates() {
    let card = card(AsymmetricAlgorithm::EccP256, false);
    let mut evidence = evidence(&card);
    let about =
        |evidence: &Evidence, id: &str| outcome(rows::rows().find(|row| row.id == id).unwrap(), evidence);
    let template = |reference: u8| element(0x7F60, &element(0x83, &[reference]));
    let group = |count: u8, templates: &[Vec<u8>]| {
        Found::Object(element(0x7F61, &[element(0x02, &[count]), templates.concat()].concat()))
    };
    // The policy with OCC: 5 in its high half.
    let discovery = "7E124F0BA0000003080000100001005F2F025800";
    evidence.objects.insert(0x7E, Found::Object(hex::decode(discovery).unwrap()));
    let cases = [
        (group(0, &[]), true, false),
        (group(1, &[template(0x96)]), true, true),
        (group(2, &[template(0x96), template(0x97)]), true, true),
        (group(2, &[template(0x96)]), false, false),
        (group(1, &[template(0x80)]), false, false),
        (group(3, &[template(0x96), template(0x97), template(0x96)]), false, false),
        (group(1, &[element(0x7F60, &[0; 29])]), false, false),
    ];
    for (found, well_formed, enough) in cases {
        evidence.objects.insert(0x7F61, found.clone());
        let passed = |id| about(&evidence, id) == Outcome::Passed;
        assert_eq!((passed("8.15"), passed("9.5.1")), (well_formed, well_formed), "{found:X?}");
        assert_eq!(passed("8.11.1.5"), enough, "{found:X?}");
    }
}

#[test]
fn pin_usage_policies_are_those_of_the_standard() {
    let card = card(AsymmetricAlgorithm::EccP256, false);
    let mut evidence = evidence(&card);
    let row = rows::rows().find(|row| row.id == "8.11.1.5").unwrap();
    let one_finger =
        element(0x7F61, &[element(0x02, &[1]), element(0x7F60, &element(0x83, &[0x96]))].concat());
    evidence.objects.insert(0x7F61, Found::Object(one_finger));
    let mut legal = Vec::new();
    for first in 0..=0xFF {
        for second in [0x00, 0x10, 0x20, 0x30] {
            let policy = [element(0x4F, &PIV), element(0x5F2F, &[first, second])].concat();
            evidence.objects.insert(0x7E, Found::Object(element(0x7E, &policy)));
            if passes(row, &evidence) {
                legal.push((first, second));
            }
        }
    }
    let without = [0x40, 0x48, 0x4C, 0x50, 0x58, 0x5C].map(|first| (first, 0x00));
    let with =
        [0x60, 0x68, 0x6C, 0x70, 0x78, 0x7C].into_iter().flat_map(|first| [(first, 0x10), (first, 0x20)]);
    assert_eq!(legal, without.into_iter().chain(with).collect::<Vec<_>>());
}
