//! Choices of a new card: compressed certificates, and certificates of retired keys that are not on the card.

use std::{collections::BTreeMap, io::Read};

use apdu::tlv_ber::Reader;
use card_sim::{
    crypto::Crypto,
    key::{AsymmetricAlgorithm, KeyReference},
    profile,
    sm::CipherSuite,
};
use der::{Decode, Encode, asn1::OctetString};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use vreader::{
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    inspect::{self, KeyMatch, Report},
    issue::{self, Features, IssueError, IssuedCard, Request, SecureMessaging},
};
use x509_cert::Certificate;

fn issue(features: Features) -> Result<IssuedCard, IssueError> {
    let request = Request { seed: Some(1), features, ..Request::default() };
    issue::issue(&request, &mut DefaultCrypto::new(), &mut |_| {})
}

fn objects(card: &IssuedCard) -> BTreeMap<u32, &[u8]> {
    card.objects.iter().map(|(tag, object)| (tag.get(), object.as_slice())).collect()
}

/// The elements in an object that is wrapped in `53`.
fn elements(object: &[u8]) -> Vec<(u32, &[u8])> {
    let contents = Reader::new(object).expect(0x53_u8.into()).unwrap();
    let elements = Reader::single_byte_tags(contents).into_iter();
    elements.map(|element| element.map(|tlv| (tlv.tag.number(), tlv.value)).unwrap()).collect()
}

fn shown(card: &IssuedCard) -> Report {
    let mut card = EmulatedCard::in_memory(&profile::PIV, 3, card).unwrap();
    inspect::inspect(&card.contents().unwrap())
}

#[test]
fn compression_changes_the_certificate_containers_and_nothing_else() {
    let plain = issue(Features { retired_keys: 1, ..Features::default() }).unwrap();
    let compressed = Features { retired_keys: 1, compressed_certificates: true, ..Features::default() };
    let compressed = issue(compressed).unwrap();
    let (before, after) = (objects(&plain), objects(&compressed));
    assert!(before.keys().eq(after.keys()));
    let mut changed = Vec::new();
    for (tag, object) in &before {
        if object == &after[tag] {
            continue;
        }
        changed.push(*tag);
        let [(0x70, der), (0x71, [0x00]), (0xFE, [])] = elements(object)[..] else { panic!("{tag:X}") };
        let [(0x70, file), (0x71, [0x01]), (0xFE, [])] = elements(after[tag])[..] else { panic!("{tag:X}") };
        let mut unpacked = Vec::new();
        GzDecoder::new(file).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, der);
        assert!(file.len() < der.len());
    }
    assert_eq!(changed, [0x5F_C101, 0x5F_C105, 0x5F_C10A, 0x5F_C10B, 0x5F_C10D]);
    let report = shown(&compressed);
    assert_eq!(report.problems, []);
    assert_eq!(report.certificates.len(), 5);
    assert!(report.certificates.iter().all(|entry| entry.compressed && entry.key_match == KeyMatch::Matches));
}

#[test]
fn the_signer_of_secure_messaging_is_compressed_on_request() {
    for intermediate in [false, true] {
        let secure_messaging = Some(SecureMessaging { suite: CipherSuite::Cs2, intermediate });
        let card = |compressed_certificates, compressed_signer| {
            let features = Features {
                secure_messaging,
                compressed_certificates,
                compressed_signer,
                ..Features::default()
            };
            issue(features).unwrap()
        };
        for (certificates, signer) in [(true, false), (false, true), (true, true)] {
            let report = shown(&card(certificates, signer));
            assert_eq!(report.problems, []);
            for entry in report.certificates {
                let expected = if entry.tag.0 == 0x5F_C122 { signer } else { certificates };
                assert_eq!(entry.compressed, expected, "{}", entry.container);
            }
        }
    }
}

/// An entry of the file with off-card certificates (SP 800-73-5 part 1, 3.3.3).
#[derive(der::Sequence)]
struct Entry {
    reference: OctetString,
    certificate: Certificate,
}

#[test]
fn certificates_elsewhere_are_in_a_file_named_by_its_hash() {
    let card = issue(Features { retired_keys: 2, retired_off_card: 3, ..Features::default() }).unwrap();
    let off_card = card.off_card_certificates.as_ref().unwrap();
    assert_eq!(off_card.name, hex::encode(Sha256::digest(&off_card.file)));
    let objects = objects(&card);
    let history = elements(objects[&0x5F_C10C]);
    let url = format!("http://pki.example.com/{}", off_card.name);
    assert_eq!(history, [(0xC1, &[2][..]), (0xC2, &[3]), (0xF3, url.as_bytes()), (0xFE, &[])]);

    let entries = Vec::<Entry>::from_der(&off_card.file).unwrap();
    let references: Vec<_> = entries.iter().map(|entry| entry.reference.as_bytes()).collect();
    assert_eq!(references, [[0x95], [0x94], [0x93]]);
    let mut crypto = DefaultCrypto::new();
    for entry in &entries {
        let reference = KeyReference::from_byte(entry.reference.as_bytes()[0]).unwrap();
        let (_, key, _) = card.keys.iter().find(|(found, _, _)| *found == reference).unwrap();
        let card_sim::key::PublicKey::Ecc { point } = crypto.public_key(key).unwrap() else {
            panic!("P-256")
        };
        let info = entry.certificate.tbs_certificate().subject_public_key_info().to_der().unwrap();
        assert!(info.ends_with(&point));
    }
    for (tag, there) in [(0x5F_C10D, true), (0x5F_C10E, true), (0x5F_C10F, false), (0x5F_C120, false)] {
        assert_eq!(objects.contains_key(&tag), there, "{tag:X}");
    }
    assert_eq!(shown(&card).problems, []);

    let without = issue(Features { retired_keys: 2, ..Features::default() }).unwrap();
    assert_eq!(without.off_card_certificates, None);
    let all = issue(Features { retired_off_card: 20, ..Features::default() }).unwrap();
    assert_eq!(all.keys.len(), 24);
    assert_eq!(all.keys[0].1.algorithm(), AsymmetricAlgorithm::EccP256);
}

#[test]
fn more_keys_than_places_are_refused() {
    let refused = issue(Features { retired_keys: 1, retired_off_card: 20, ..Features::default() });
    assert!(matches!(refused, Err(IssueError::RetiredKeys(21))));
}
