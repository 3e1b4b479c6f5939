use card_sim::{
    crypto::{Crypto, RustCrypto},
    key::AsymmetricAlgorithm,
};
use serde_json::Value;

use super::*;
use crate::issue::{self, IssuedCard, Request};

/// A full retry counter.
const FRESH: Counter = Counter { tries_left: 3, tries_total: 3 };

pub(super) fn contents(objects: BTreeMap<u32, Vec<u8>>) -> Contents {
    let (profile, label) = ("piv".to_owned(), "test card".to_owned());
    Contents {
        profile,
        label,
        objects,
        slots: Vec::new(),
        pin: FRESH,
        puk: FRESH,
        global_pin: None,
        fingers: Vec::new(),
        cac: None,
    }
}

fn issued(algorithm: AsymmetricAlgorithm) -> (IssuedCard, Contents) {
    let mut crypto = RustCrypto::default();
    let request = Request { seed: Some(1), algorithm, ..Request::default() };
    let card = issue::issue(&request, &mut crypto, &mut |_| {}).unwrap();
    let mut contents =
        contents(card.objects.iter().map(|(tag, object)| (tag.get(), object.clone())).collect());
    contents.slots = card
        .keys
        .iter()
        .map(|(reference, key, origin)| Slot {
            reference: *reference,
            algorithm: key.algorithm(),
            public_key: Some(crypto.public_key(key).unwrap()),
            origin: *origin,
        })
        .collect();
    (card, contents)
}

pub(super) fn wrap(contents: &[u8]) -> Vec<u8> {
    let header = apdu::tlv_ber::Header::new(apdu::Tag::new(0x53), contents.len()).unwrap();
    [header.as_slice(), contents].concat()
}

#[test]
fn what_was_issued_is_read_back() {
    let (card, contents) = issued(AsymmetricAlgorithm::EccP256);
    let report = inspect(&contents);
    assert_eq!(report.problems, []);
    let holder = report.holder.unwrap();
    assert_eq!((holder.name, holder.source), (card.person.name.clone(), HolderSource::PrintedInformation));
    assert_eq!(report.identifiers.fascn, Some(card.numbers.fascn));
    assert_eq!(report.identifiers.card_uuid, Some(card.numbers.guid));
    assert_eq!(report.identifiers.cardholder_uuid, Some(card.person.uuid));
    let source = DateSource::EarliestCertificate("9A".to_owned());
    assert_eq!(report.issued, Some(Dated { date: card.issued, source }));
    assert_eq!(report.expires, Some(Dated { date: card.expires, source: DateSource::Chuid }));
    let slots: Vec<_> =
        report.slots.iter().map(|slot| (&*slot.reference, slot.origin, slot.algorithm)).collect();
    assert_eq!(
        slots,
        [
            ("9A", OriginName::Generated, "P-256"),
            ("9C", OriginName::Generated, "P-256"),
            ("9D", OriginName::Imported, "P-256"),
            ("9E", OriginName::Generated, "P-256"),
        ]
    );
    assert_eq!(report.certificates.len(), 4);
    for certificate in &report.certificates {
        assert_eq!(certificate.key_match, KeyMatch::Matches);
        assert_eq!(certificate.issuer, "CN=Sample Issuing CA,OU=Sample PKI,O=Sample Organization,C=US");
        assert_eq!(certificate.not_before, "2026-01-01T00:00:00Z");
        assert_eq!(certificate.not_after, "2031-12-31T23:59:59Z");
        assert_eq!(certificate.serial_number.len(), 32);
    }
    assert!(
        report.certificates[3].subject.starts_with("SERIALNUMBER=D"),
        "{}",
        report.certificates[3].subject
    );
}

#[test]
fn people_and_programs_get_the_same_facts() {
    let (card, contents) = issued(AsymmetricAlgorithm::EccP384);
    let report = inspect(&contents);
    let text = report.to_string();
    let json = serde_json::to_value(&report).unwrap();
    for (pointer, expected) in [
        ("/holder/name", card.person.name.as_str()),
        ("/holder/source", "printed_information"),
        ("/issued/date", "2026-01-01"),
        ("/issued/source/earliest_certificate", "9A"),
        ("/expires/date", "2031-12-31"),
        ("/identifiers/fascn_text", &card.numbers.fascn.to_string()),
        ("/identifiers/card_uuid", &card.numbers.guid.to_string()),
        ("/slots/2/reference", "9D"),
        ("/slots/2/origin", "imported"),
        ("/slots/2/algorithm", "P-384"),
        ("/certificates/0/tag", "5FC105"),
        ("/certificates/0/algorithm", "P-384"),
        ("/certificates/0/key_match", "matches"),
        ("/objects/0/tag", "7E"),
    ] {
        assert_eq!(json.pointer(pointer), Some(&Value::from(expected)), "{pointer}");
        if !pointer.contains("source") && !pointer.contains("key_match") {
            assert!(text.contains(expected), "{pointer}: {expected} is not in\n{text}");
        }
    }
    assert_eq!(json["pin"]["tries_left"], 3);
    assert!(text.contains("PIN              3 of 3 tries left"), "{text}");
    assert!(!text.contains("Problems"), "{text}");
}

#[test]
fn a_foreign_key_and_a_blocked_pin_are_seen() {
    let (_, mut contents) = issued(AsymmetricAlgorithm::EccP256);
    contents.pin = Counter { tries_left: 0, tries_total: 3 };
    let other = contents.slots[1].public_key.clone();
    contents.slots[0].public_key = other;
    contents.slots.remove(2);
    let report = inspect(&contents);
    let matches: Vec<_> = report.certificates.iter().map(|entry| entry.key_match).collect();
    assert_eq!(matches, [KeyMatch::Differs, KeyMatch::Matches, KeyMatch::NoKey, KeyMatch::Matches]);
    assert_eq!(report.problems.len(), 1);
    let text = report.to_string();
    assert!(text.contains("blocked, 0 of 3"), "{text}");
    assert!(text.contains("DIFFERS"), "{text}");
}

#[test]
fn an_empty_card_has_an_empty_report() {
    let report = inspect(&contents(BTreeMap::from([(0x5F_C102, vec![0x53, 0]), (0x5F_C10D, vec![0x53, 0])])));
    assert_eq!(report.problems, []);
    assert_eq!((report.holder, report.issued, report.expires), (None, None, None));
}

#[test]
fn without_printed_information_certificates_name_the_holder() {
    let (card, mut contents) = issued(AsymmetricAlgorithm::EccP256);
    contents.objects.remove(&0x5F_C109);
    let holder = inspect(&contents).holder.unwrap();
    assert_eq!((holder.name, holder.source), (card.person.name, HolderSource::Certificate));
}

#[test]
fn each_kind_of_damage_is_named() {
    let fascn = "3019D4E739DA739CED39CE739D836858210842108421C84210C3EB";
    let trap = "3019D4E739DA739CED39CE739D836858210842108421384210C3F5";
    let guid = "341078787878787878787878787878787878";
    let expiration = "35083230333030313031";
    let rest = "3E00FE00";
    for (tag, object, problem) in [
        (0x5F_C102, format!("{fascn}{guid}{expiration}{rest}"), ""),
        (0x5F_C102, format!("{trap}{guid}{expiration}{rest}"), "FASC-N: symbol 33 is 12"),
        (0x5F_C102, format!("{guid}{expiration}{rest}"), "the FASC-N, tag 30, is missing"),
        (0x5F_C102, format!("{fascn}34021234{expiration}{rest}"), "the GUID has 2 bytes instead of 16"),
        (0x5F_C102, format!("{fascn}{guid}35083230333031333031{rest}"), "'20301301' is not a date YYYYMMDD"),
        (0x5F_C102, format!("{fascn}{guid}{expiration}3E05AB"), "after 3 readable elements"),
        (0x5F_C109, "0200FE00".to_owned(), "the name, tag 01, is missing"),
        (0x5F_C109, "0101410409323033304445433332FE00".to_owned(), "'2030DEC32' is not a date YYYYMMMDD"),
        (0x5F_C105, "710100FE00".to_owned(), "the certificate, tag 70, is missing"),
        (0x5F_C105, "70023000710100FE00".to_owned(), "the certificate cannot be read"),
        (0x5F_C105, "70041F8B0800710101FE00".to_owned(), "the compressed certificate cannot be unpacked"),
    ] {
        let object = wrap(&hex::decode(object).unwrap());
        let report = inspect(&contents(BTreeMap::from([(tag, object)])));
        match (problem, report.problems.as_slice()) {
            ("", []) => {}
            (_, [found]) if found.tag == Tag(tag) && found.problem.contains(problem) => {}
            (_, found) => panic!("'{problem}' expected, found {found:?}"),
        }
    }
    for broken in [&b""[..], &[0x53], &[0x53, 0x05, 0x30], &[0x70, 0x00]] {
        let report = inspect(&contents(BTreeMap::from([(0x5F_C102, broken.to_vec())])));
        assert!(
            report.problems[0].problem.starts_with("the object cannot be unwrapped"),
            "{:?}",
            report.problems
        );
    }
}

#[test]
fn a_card_cannot_write_control_characters_to_the_terminal() {
    let object = wrap(b"\x01\x08\x1B[2Jevil\xFE\x00");
    let report = inspect(&contents(BTreeMap::from([(0x5F_C109, object)])));
    assert_eq!(report.holder.as_ref().unwrap().name, "\u{FFFD}[2Jevil");
    assert!(!report.to_string().contains('\x1B'));
}

#[test]
fn a_compressed_bomb_is_not_unpacked() {
    use std::io::Write;
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![0; 20_000_000]).unwrap();
    let bomb = bomb.finish().unwrap();
    let header = apdu::tlv_ber::Header::new(apdu::Tag::new(0x70), bomb.len()).unwrap();
    let object = wrap(&[header.as_slice(), &bomb, &[0x71, 0x01, 0x01, 0xFE, 0x00]].concat());
    let report = inspect(&contents(BTreeMap::from([(0x5F_C105, object)])));
    assert_eq!(report.problems[0].problem, "the compressed certificate is larger than 65536 bytes");
}

/// Whatever bytes a card holds, there is a report: every object cut at every length, and with every byte changed once.
#[test]
fn damage_never_stops_the_report() {
    let (_, whole) = issued(AsymmetricAlgorithm::EccP256);
    for (tag, object) in &whole.objects {
        // Only the header of a picture is read.
        let step = if object.len() > 2000 { 97 } else { 7 };
        for at in (0..object.len()).step_by(step) {
            let mut flipped = object.clone();
            flipped[at] ^= 0xFF;
            for damaged in [object[..at].to_vec(), flipped] {
                let report = inspect(&contents(BTreeMap::from([(*tag, damaged)])));
                assert_eq!(report.objects.len(), 1);
            }
        }
    }
}
