//! Cards of ours with one thing wrong: exactly the rows fail that speak of it.

use apdu::tlv_ber::{Reader, Tag};
use card_sim::{
    key::{AsymmetricAlgorithm, KeyReference, PrivateKey},
    object::ObjectTag,
};
use der::Decode;
use vreader::{
    check::Options,
    issue::{IssuedCard, Request},
};
use x509_cert::Certificate;

use crate::support::{check_card, element, failed, full_card, issue_card, options};

const CCC: u32 = 0x5F_C107;
const CHUID: u32 = 0x5F_C102;
const FINGERPRINTS: u32 = 0x5F_C103;
const SECURITY_OBJECT: u32 = 0x5F_C106;
const FACE: u32 = 0x5F_C108;
const PRINTED: u32 = 0x5F_C109;
const KEY_HISTORY: u32 = 0x5F_C10C;
const PAIRING_CODE: u32 = 0x5F_C123;
const PIV_AUTHENTICATION: u32 = 0x5F_C105;
const DISCOVERY: u32 = 0x7E;

/// A mistake of an issuer.
type Mistake = fn(&mut IssuedCard);

fn object(card: &mut IssuedCard, tag: u32) -> &mut Vec<u8> {
    &mut card.objects.iter_mut().find(|(found, _)| found.get() == tag).unwrap().1
}

/// Changes the elements of an object.
fn edit(card: &mut IssuedCard, tag: u32, change: impl FnOnce(&mut Vec<(u32, Vec<u8>)>)) {
    let object = object(card, tag);
    let outer = if tag == DISCOVERY { 0x7E } else { 0x53 };
    let contents = Reader::new(object).expect(Tag::new(outer)).unwrap();
    let reader = match tag {
        DISCOVERY => Reader::new(contents),
        _ => Reader::single_byte_tags(contents),
    };
    let mut elements: Vec<_> = reader
        .into_iter()
        .map(|read| read.unwrap())
        .map(|read| (read.tag.number(), read.value.to_vec()))
        .collect();
    change(&mut elements);
    let contents: Vec<u8> = elements.iter().flat_map(|(tag, value)| element(*tag, value)).collect();
    *object = element(outer, &contents);
}

/// Changes the value of one element.
fn edit_value(card: &mut IssuedCard, tag: u32, wanted: u32, change: impl FnOnce(&mut Vec<u8>)) {
    edit(card, tag, |elements| {
        change(&mut elements.iter_mut().find(|(tag, _)| *tag == wanted).unwrap().1);
    });
}

fn remove(card: &mut IssuedCard, tag: u32) {
    card.objects.retain(|(found, _)| *found != ObjectTag::new(tag).unwrap());
}

fn flip_last(bytes: &mut [u8]) {
    *bytes.last_mut().unwrap() ^= 0x01;
}

fn swap_key(card: &mut IssuedCard, reference: KeyReference) {
    let other = PrivateKey::ecc(AsymmetricAlgorithm::EccP256, &[0x21; 32]).unwrap();
    card.keys.iter_mut().find(|(found, ..)| *found == reference).unwrap().1 = other;
}

/// Every mistake with the rows that it fails.
const MISTAKES: &[(&str, Mistake, &[&str])] = &[
    (
        "another expiration date in the CHUID",
        |card| edit_value(card, CHUID, 0x35, |date| date.copy_from_slice(b"20401231")),
        &["10.1.1.9", "10.4.1.1"],
    ),
    (
        "an expiration date that is no date",
        |card| {
            edit_value(card, CHUID, 0x35, |date| date.copy_from_slice(b"20311331"));
        },
        &["8.2.3", "10.1.1.9", "10.4.1.1"],
    ),
    (
        "a FASC-N of another card",
        |card| {
            let other = issue_card(&Request { seed: Some(99), ..Request::default() });
            edit_value(card, CHUID, 0x30, |fascn| fascn.copy_from_slice(&other.numbers.fascn_bytes));
        },
        &[
            "9.1.2.11",
            "9.2.2.11",
            "10.1.1.9",
            "10.2.1.14",
            "10.3.1.14",
            "10.4.1.1",
            "11.1.2.6.1",
            "11.4.2.7.1",
        ],
    ),
    (
        "a FASC-N with a wrong parity bit",
        |card| edit_value(card, CHUID, 0x30, |fascn| fascn[8] ^= 0x10),
        &[
            "8.2.2.16",
            "9.1.2.11",
            "9.2.2.11",
            "10.1.1.9",
            "10.2.1.14",
            "10.3.1.14",
            "10.4.1.1",
            "11.1.2.6.1",
            "11.4.2.7.1",
        ],
    ),
    (
        "another Card UUID",
        |card| edit_value(card, CHUID, 0x34, |uuid| uuid[15] ^= 0x01),
        &["10.1.1.9", "10.2.1.15", "10.3.1.15", "10.4.1.1", "11.1.2.6.2", "11.4.2.7.2", "11.5.3"],
    ),
    (
        "a Cardholder UUID of no version",
        |card| edit_value(card, CHUID, 0x36, |uuid| uuid[6] = 0x00),
        &["8.2.5", "10.1.1.9", "10.4.1.1"],
    ),
    (
        "a bit of the CHUID's signature",
        |card| edit_value(card, CHUID, 0x3E, |cms| flip_last(cms)),
        &["10.1.1.13", "10.4.1.1"],
    ),
    (
        "a CHUID whose signature is no CMS",
        |card| edit_value(card, CHUID, 0x3E, |cms| cms[0] = 0x31),
        &["10.1.1.1", "10.4.1.1"],
    ),
    (
        "an authentication key map",
        |card| {
            edit(card, CHUID, |elements| {
                let place = elements.len() - 2;
                elements.insert(place, (0x3D, vec![0x00]));
            });
        },
        &["8.2.1", "8.2.2.11", "8.2.2.15", "8.2.6", "10.1.1.9", "10.4.1.1"],
    ),
    (
        "CHUID elements in another order",
        |card| edit(card, CHUID, |elements| elements.swap(0, 1)),
        &["8.2.1", "8.2.2.2", "8.2.2.5", "8.2.2.7", "10.1.1.9", "10.4.1.1"],
    ),
    (
        "no data model in the CCC",
        |card| edit_value(card, CCC, 0xF5, |value| value[0] = 0x02),
        &["8.1.1", "10.4.1.1"],
    ),
    (
        "a CCC without its end",
        |card| {
            edit(card, CCC, |elements| {
                elements.pop();
            });
        },
        &["8.1.9", "8.1.11", "10.4.1.1"],
    ),
    (
        "a length in more bytes than it needs",
        |card| {
            let ccc = object(card, CCC);
            let end = ccc.len() - 1;
            *ccc = [&[0x53, ccc[1] + 1][..], &ccc[2..end], &[0x81, 0x00]].concat();
        },
        &["8.1.0.1", "8.1.0.4", "10.4.1.1"],
    ),
    (
        "a container that ends too early",
        |card| {
            let printed = object(card, PRINTED);
            printed[3] = 0x7F;
        },
        &["8.5.0.1", "10.4.1.1"],
    ),
    ("a printed name", |card| edit_value(card, PRINTED, 0x01, |name| flip_last(name)), &["10.4.1.1"]),
    (
        "an unknown element in Printed Information",
        |card| {
            edit(card, PRINTED, |elements| elements.insert(2, (0x03, Vec::new())));
        },
        &["8.5.1.1", "8.5.1.7", "10.4.1.1"],
    ),
    (
        "a hash in the Security Object",
        |card| {
            edit_value(card, SECURITY_OBJECT, 0xBB, |cms| {
                // In the LDS security object, before the signed attributes: its first hash.
                let place = cms.windows(3).position(|bytes| bytes == [0x02, 0x01, 0x01]).unwrap();
                cms[place + 6] ^= 0x01;
            });
        },
        &["10.4.1.1", "10.4.2.8"],
    ),
    (
        "a bit of the Security Object's signature",
        |card| edit_value(card, SECURITY_OBJECT, 0xBB, |cms| flip_last(cms)),
        &["10.4.2.8"],
    ),
    (
        "a container in BA that is none",
        |card| edit_value(card, SECURITY_OBJECT, 0xBA, |mapping| mapping[1] = 0x77),
        &["8.10.2"],
    ),
    (
        "a minutia",
        |card| edit_value(card, FINGERPRINTS, 0xBC, |value| value[88 + 26 + 4 + 5] = 1),
        &["10.2.1.9", "10.4.1.1"],
    ),
    (
        "a minutia with an angle of 400 degrees",
        |card| edit_value(card, FINGERPRINTS, 0xBC, |value| value[88 + 26 + 4 + 4] = 200),
        &["9.4.2.7", "10.2.1.9", "10.4.1.1"],
    ),
    (
        "a face of another format",
        |card| edit_value(card, FACE, 0xBC, |value| value[11] = 0x02),
        &["9.2.2.4", "10.3.1.9", "10.4.1.1"],
    ),
    (
        "a biometric signature that is cut",
        |card| {
            edit_value(card, FACE, 0xBC, |value| {
                value.pop();
            });
        },
        &["9.2.1.1", "9.2.1.3", "9.2.2.1", "10.3.1.1", "10.4.1.1"],
    ),
    ("no face", |card| remove(card, FACE), &["8.6.0.3", "8.10.2", "05.12Ab"]),
    ("no digital signature certificate", |card| remove(card, 0x5F_C10A), &[]),
    ("another key in 9A", |card| swap_key(card, KeyReference::PivAuthentication), &["11.1.2.5", "05.34b"]),
    ("another key in 9D", |card| swap_key(card, KeyReference::KeyManagement), &["11.3.2.2", "05.34d"]),
    ("another key in 9E", |card| swap_key(card, KeyReference::CardAuthentication), &["11.4.2.6", "05.34a"]),
    (
        "another secure messaging key",
        |card| swap_key(card, KeyReference::SecureMessaging),
        &["05.41-R4a", "05.41-R4b", "05.41-R4c", "05.18b", "05.18A-R4"],
    ),
    (
        "a certificate that says it is packed",
        |card| edit_value(card, PIV_AUTHENTICATION, 0x71, |info| info[0] = 0x01),
        &["11.1.1.1"],
    ),
    (
        "an unknown CertInfo of a retired certificate",
        |card| edit_value(card, 0x5F_C10D, 0x71, |info| info[0] = 0x80),
        &["8.13", "8.13.1"],
    ),
    (
        "a bit of a certificate's signature",
        |card| edit_value(card, PIV_AUTHENTICATION, 0x70, |der| flip_last(der)),
        &[],
    ),
    (
        "a bit of the CVC's signature",
        |card| flip_last(card.card_verifiable_certificate.as_mut().unwrap()),
        &["11.5.3", "05.41-R4a", "05.41-R4b", "05.41-R4c", "05.18b", "05.18A-R4"],
    ),
    (
        "a Discovery Object that promises a Global PIN",
        |card| {
            edit_value(card, DISCOVERY, 0x5F2F, |policy| {
                policy[0] |= 0x20;
                policy[1] = 0x10;
            });
        },
        &["8.11.1.5", "10.4.1.1", "05.13"],
    ),
    (
        "a PIN usage policy that is none",
        |card| edit_value(card, DISCOVERY, 0x5F2F, |policy| policy[1] = 0x10),
        &["8.11.1.5", "10.4.1.1"],
    ),
    (
        "a pairing code with a letter",
        |card| edit_value(card, PAIRING_CODE, 0x99, |code| code[0] = b'A'),
        &["8.17", "05.16A-R4", "01.17", "05.18b", "05.18A-R4"],
    ),
    (
        "a Key History that counts too many",
        |card| edit_value(card, KEY_HISTORY, 0xC1, |count| count[0] = 5),
        &["8.14", "10.4.1.1"],
    ),
];

#[test]
fn each_mistake_fails_its_rows_and_no_others() {
    let mut wrong = Vec::new();
    for (name, mistake, rows) in MISTAKES {
        let mut card = full_card();
        mistake(&mut card);
        let report = check_card(&card, &options());
        let found = failed(&report);
        if found != *rows {
            wrong.push(format!("{name}: {found:?}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn an_expired_card_is_told() {
    let card = full_card();
    let on = |day: &str| check_card(&card, &Options::on(day.parse().unwrap()));
    assert_eq!(card.expires.to_string(), "2031-12-31");
    let last_day = on("2031-12-31");
    assert_eq!(failed(&last_day), [""; 0], "{last_day}");
    let afterwards = on("2032-01-01");
    assert_eq!(failed(&afterwards), ["8.2.4", "9A.1", "9C.1", "9D.1", "9E.1"], "{afterwards}");
    // The content signer lives three years longer.
    let later = on("2040-01-01");
    assert_eq!(failed(&later), ["8.2.4", "11.7.2.2", "9A.1", "9C.1", "9D.1", "9E.1"], "{later}");
    let before = on("2025-12-31");
    assert_eq!(failed(&before), ["9A.1", "9C.1", "9D.1", "9E.1"], "{before}");
}

#[test]
fn only_an_authority_can_tell_a_certificate_that_was_tampered_with() {
    let mut card = full_card();
    edit_value(&mut card, PIV_AUTHENTICATION, 0x70, |der| flip_last(der));
    let trusting = |der: &[u8]| {
        let certificate = Certificate::from_der(der).unwrap();
        let key = certificate.tbs_certificate().subject_public_key_info().clone();
        Options { authorities: vec![key], ..options() }
    };
    let issuing = trusting(card.pki.issuing_ca.certificate_der());
    assert_eq!(failed(&check_card(&card, &issuing)), ["9A.2"]);
    assert_eq!(failed(&check_card(&full_card(), &issuing)), [""; 0]);
    let root = trusting(card.pki.root.certificate_der());
    assert_eq!(failed(&check_card(&full_card(), &root)), ["9A.2", "9C.2", "9D.2", "9E.2"]);
}
