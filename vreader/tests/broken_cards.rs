//! `vreader card new --broken`: a card with a fault has this fault and no other.
//!
//! [`faults`] looks at everything that software verifies on a card: presence, signatures, hashes, dates, numbers, keys. It
//! finds nothing on a good card, and on a broken one exactly what the fault's name says.

use std::{collections::BTreeMap, process::Command};

use card_sim::{
    crypto::Crypto,
    key::{KeyReference, PublicKey},
    object::{CONTAINERS, Container},
    sm::CipherSuite,
};
use der::Decode;
use sha2::{Digest, Sha256};
use vreader::{
    crypto::DefaultCrypto,
    issue::{
        self, Date, Fault, Features, GlobalPin, IssueError, IssuedCard, Likeness, Request, SEEDED_ISSUE_DATE,
        SecureMessaging, VirtualContact,
    },
    sm::cvc::{CardVerifiableCertificate, SignerContainer},
};
use x509_cert::{
    Certificate,
    ext::pkix::{ExtendedKeyUsage, SubjectAltName, name::GeneralName},
};

#[path = "support/bench.rs"]
#[expect(dead_code, reason = "another test program needs more of it")]
mod bench;

use bench::Bench;

const CHUID: u32 = 0x5F_C102;
const FINGERPRINTS: u32 = 0x5F_C103;
const SECURITY_OBJECT: u32 = 0x5F_C106;
const FACE: u32 = 0x5F_C108;
const SIGNER: u32 = 0x5F_C122;

/// What every card here has, and the Security Object covers.
const OBJECTS: [u32; 13] = [
    0x7E,
    CHUID,
    FINGERPRINTS,
    SECURITY_OBJECT,
    0x5F_C107,
    FACE,
    0x5F_C109,
    0x5F_C10C,
    0x5F_C105,
    0x5F_C10A,
    0x5F_C10B,
    0x5F_C101,
    SIGNER,
];
/// The containers of 9A, 9C, 9D and 9E.
const CERTIFICATES: [(&str, u32); 4] =
    [("9A", 0x5F_C105), ("9C", 0x5F_C10A), ("9D", 0x5F_C10B), ("9E", 0x5F_C101)];

/// Dates are looked at apart.
const AT_ANY_TIME: &[&str] = &["-no_check_time"];

const PIV_FASCN: &str = "2.16.840.1.101.3.6.6";
const CONTENT_SIGNING: &str = "2.16.840.1.101.3.6.7";

fn request(broken: Option<Fault>) -> Request {
    let secure_messaging = Some(SecureMessaging { suite: CipherSuite::Cs2, intermediate: false });
    Request {
        seed: Some(1),
        broken,
        features: Features { secure_messaging, ..Features::default() },
        ..Request::default()
    }
}

fn issue(request: &Request) -> Result<IssuedCard, IssueError> {
    issue::issue(request, &mut DefaultCrypto::new(), &mut |_| {})
}

/// What is wrong with a card on the first day of seeded cards.
fn faults(card: IssuedCard) -> Vec<String> {
    let bench = Bench::new(card);
    let mut faults = Vec::new();
    let mut check = |right: bool, what: String| {
        if !right {
            faults.push(what);
        }
    };
    for tag in OBJECTS {
        check(has(&bench, tag), format!("no {tag:X}"));
    }
    check_certificates(&bench, &mut check);
    check_signatures(&bench, &mut check);
    if has(&bench, SECURITY_OBJECT) {
        check_hashes(&bench, &mut check);
    }
    check_secure_messaging(&bench, &mut check);
    faults
}

fn has(bench: &Bench, tag: u32) -> bool {
    bench.card.objects.iter().any(|(found, _)| found.get() == tag)
}

fn date(time: x509_cert::time::Time) -> Date {
    let time = time.to_date_time();
    Date::new(time.year(), time.month(), time.day()).unwrap()
}

fn check_certificates(bench: &Bench, check: &mut impl FnMut(bool, String)) {
    let mut crypto = DefaultCrypto::new();
    let today = SEEDED_ISSUE_DATE;
    let names =
        [("FASC-N", bench.element(CHUID, 0x30).to_vec()), ("UUID", bench.element(CHUID, 0x34).to_vec())];
    for (key, tag) in CERTIFICATES {
        let der = bench.element(tag, 0x70);
        check(bench.try_verify_chain(der, AT_ANY_TIME).is_ok(), format!("signature of {key}"));
        let certificate = Certificate::from_der(der).unwrap();
        let tbs = certificate.tbs_certificate();
        let validity = tbs.validity();
        check(date(validity.not_before) <= today, format!("{key} is not yet valid"));
        check(date(validity.not_after) >= today, format!("{key} has expired"));

        let (_, private, _) = bench
            .card
            .keys
            .iter()
            .find(|(reference, _, _)| format!("{:02X}", reference.to_byte()) == key)
            .unwrap();
        let PublicKey::Ecc { point } = crypto.public_key(private).unwrap() else { panic!("a curve") };
        let in_certificate = tbs.subject_public_key_info().subject_public_key.raw_bytes();
        check(in_certificate == point.as_slice(), format!("key of {key}"));

        let named = numbers(&certificate);
        for (name, value) in &names {
            check(named.get(name).is_none_or(|found| found == value), format!("{name} of {key}"));
        }
        if matches!(key, "9A" | "9E") {
            assert_eq!(named.len(), 2, "{key}");
        }
    }
    let expires = Date::from_compact(bench.element(CHUID, 0x35)).unwrap();
    check(expires >= today, "the card has expired".to_owned());
    // The card says when it ends, and its certificates when it begins.
    let signer = Certificate::from_der(bench.card.pki.content_signer.certificate_der()).unwrap();
    let validity = signer.tbs_certificate().validity();
    let valid = date(validity.not_before) <= today && date(validity.not_after) >= today;
    check(valid, "dates of the signer".to_owned());
    let (_, purposes) = signer.tbs_certificate().get_extension::<ExtendedKeyUsage>().unwrap().unwrap();
    check(
        purposes.0.iter().any(|oid| oid.to_string() == CONTENT_SIGNING),
        "purpose of the signer".to_owned(),
    );
    let chain = bench.try_verify_chain(bench.card.pki.content_signer.certificate_der(), AT_ANY_TIME);
    check(chain.is_ok(), "signature of the signer".to_owned());
}

/// FASC-N and Card UUID in a certificate.
fn numbers(certificate: &Certificate) -> BTreeMap<&'static str, Vec<u8>> {
    let (_, names) = certificate.tbs_certificate().get_extension::<SubjectAltName>().unwrap().unwrap();
    let mut numbers = BTreeMap::new();
    for name in names.0 {
        match name {
            GeneralName::OtherName(name) if name.type_id.to_string() == PIV_FASCN => {
                numbers.insert("FASC-N", name.value.value().to_vec());
            }
            GeneralName::UniformResourceIdentifier(urn) => {
                let uuid = urn.as_str().strip_prefix("urn:uuid:").unwrap().replace('-', "");
                numbers.insert("UUID", hex::decode(uuid).unwrap());
            }
            _ => {}
        }
    }
    numbers
}

fn check_signatures(bench: &Bench, check: &mut impl FnMut(bool, String)) {
    let verify = |signature: &[u8], content| bench.verify_signed_at(signature, content, AT_ANY_TIME).is_ok();
    let contents = bench.contents(CHUID);
    let signature = bench.element(CHUID, 0x3E);
    let before = contents.len() - signature.len() - 4 - 2;
    let signed = [&contents[..before], &[0xFE, 0x00]].concat();
    check(verify(signature, Some(&signed)), "signature of the CHUID".to_owned());
    for (tag, name) in [(FINGERPRINTS, "fingerprints"), (FACE, "face")] {
        let biometric = bench.element(tag, 0xBC);
        let length = u32::from_be_bytes(biometric[2..6].try_into().unwrap());
        let (signed, signature) = biometric.split_at(88 + usize::try_from(length).unwrap());
        check(verify(signature, Some(signed)), format!("signature of the {name}"));
        check(signed[59..84] == *bench.element(CHUID, 0x30), format!("FASC-N of the {name}"));
    }
    if has(bench, SECURITY_OBJECT) {
        check(verify(bench.element(SECURITY_OBJECT, 0xBB), None), "signature of the hashes".to_owned());
    }
}

fn check_hashes(bench: &Bench, check: &mut impl FnMut(bool, String)) {
    let signed = bench.element(SECURITY_OBJECT, 0xBB);
    for mapping in bench.element(SECURITY_OBJECT, 0xBA).chunks(3) {
        let id = u16::from_be_bytes([mapping[1], mapping[2]]);
        let row: &Container = CONTAINERS.iter().find(|row| row.id == id).unwrap();
        let right = has(bench, row.tag.get()) && {
            let entry =
                [&[0x02, 0x01, mapping[0], 0x04, 32][..], &Sha256::digest(bench.contents(row.tag.get()))];
            let entry = entry.concat();
            signed.windows(entry.len()).any(|window| window == entry)
        };
        check(right, format!("hash of {}", row.name));
    }
}

fn check_secure_messaging(bench: &Bench, check: &mut impl FnMut(bool, String)) {
    let certificate = bench.card.card_verifiable_certificate.as_ref().unwrap();
    let certificate = CardVerifiableCertificate::parse(certificate).unwrap();
    let (_, signer) = bench.card.objects.iter().find(|(tag, _)| tag.get() == SIGNER).unwrap();
    check(
        SignerContainer::parse(signer).unwrap().check(&certificate, &[]).is_ok(),
        "signature of 04".to_owned(),
    );
    check(certificate.subject == bench.element(CHUID, 0x34), "UUID of 04".to_owned());
    let is_04 = |reference: &KeyReference| *reference == KeyReference::SecureMessaging;
    let (_, key, _) = bench.card.keys.iter().find(|(reference, _, _)| is_04(reference)).unwrap();
    let PublicKey::Ecc { point } = DefaultCrypto::new().public_key(key).unwrap() else { panic!("a curve") };
    check(certificate.point == point.as_slice(), "key of 04".to_owned());
}

fn expected(fault: Fault) -> Vec<&'static str> {
    match fault {
        Fault::TamperedChuid => vec!["signature of the CHUID"],
        Fault::FascnMismatch => vec!["FASC-N of 9E"],
        Fault::UuidMismatch => vec!["UUID of 9E"],
        Fault::Expired => {
            vec![
                "9A has expired",
                "9C has expired",
                "9D has expired",
                "9E has expired",
                "the card has expired",
            ]
        }
        Fault::NotYetValid => {
            vec!["9A is not yet valid", "9C is not yet valid", "9D is not yet valid", "9E is not yet valid"]
        }
        Fault::WrongHash => vec!["hash of Printed Information"],
        Fault::WrongKey => vec!["key of 9A"],
        Fault::TamperedCertificate => vec!["signature of 9A"],
        Fault::TamperedFingerprints => vec!["signature of the fingerprints"],
        Fault::TamperedFace => vec!["signature of the face"],
        Fault::NoDiscovery => vec!["no 7E"],
        Fault::NoSecurityObject => vec!["no 5FC106"],
        Fault::WrongSigner => vec!["purpose of the signer"],
        Fault::CvcMismatch => vec!["key of 04"],
        other => panic!("{other:?} has no test"),
    }
}

#[test]
fn a_good_card_has_no_fault() {
    assert_eq!(faults(issue(&request(None)).unwrap()), [] as [&str; 0]);
}

#[test]
fn every_fault_is_the_only_one() {
    for (fault, name, _) in Fault::ALL {
        let card = issue(&request(Some(fault))).unwrap();
        assert_eq!(faults(card), expected(fault), "{name}");
    }
}

#[test]
fn a_fault_changes_no_keys_and_numbers_of_the_card() {
    let good = issue(&request(None)).unwrap();
    for (fault, name, _) in Fault::ALL {
        let card = issue(&request(Some(fault))).unwrap();
        assert_eq!((&card.numbers, &card.person), (&good.numbers, &good.person), "{name}");
        for ((reference, key, _), (_, expected, _)) in card.keys.iter().zip(&good.keys) {
            let changed = fault == Fault::WrongKey && *reference == KeyReference::PivAuthentication;
            assert_eq!(key.material() == expected.material(), !changed, "{name}: {reference:?}");
        }
    }
}

/// Offsets from the beginning of an object: `53 82 XX XX`, `BC 82 XX XX`, 88 bytes of CBEFF header, and then as the records
/// are made (INCITS 378 and 385).
#[test]
fn tampering_changes_one_bit_that_means_something() {
    let objects = |broken| {
        let card = issue(&request(broken)).unwrap();
        card.objects.into_iter().map(|(tag, object)| (tag.get(), object)).collect::<BTreeMap<_, _>>()
    };
    let good = objects(None);
    for (fault, tag, position) in [
        (Fault::TamperedFingerprints, FINGERPRINTS, 96 + 26 + 4 + 5),
        (Fault::TamperedFace, FACE, 96 + 14 + 4 + 2 + 1),
        // FASC-N, GUID, date, and the UUID with its tag and length.
        (Fault::TamperedChuid, CHUID, 4 + 27 + 18 + 10 + 18 - 1),
    ] {
        let broken = objects(Some(fault));
        for (found, object) in &good {
            let bytes = object.iter().zip(&broken[found]).enumerate();
            let changed: Vec<_> = bytes.filter(|(_, (one, other))| one != other).map(|(at, _)| at).collect();
            match *found {
                found if found == tag => assert_eq!(changed, [position], "{fault:?}"),
                SECURITY_OBJECT => assert!(!changed.is_empty(), "{fault:?}"),
                found => assert!(changed.is_empty(), "{fault:?}: {found:X}"),
            }
        }
    }
}

#[test]
fn faults_go_with_likenesses_and_not_with_what_contradicts_them() {
    let like = |broken| Request { seed: Some(1), broken, ..Likeness::find("nist-sd33-4").unwrap().request() };
    assert!(issue(&like(Some(Fault::CvcMismatch))).is_ok());
    assert!(matches!(
        issue(&like(Some(Fault::NoDiscovery))),
        Err(IssueError::Fault { fault: "no-discovery", .. })
    ));
    let mut features = request(None).features;
    features.virtual_contact = Some(VirtualContact::Open);
    features.global_pin = Some(GlobalPin { pin: "777777".to_owned().into(), primary: true });
    let refused = issue(&Request { features, ..request(Some(Fault::NoDiscovery)) });
    assert!(matches!(refused, Err(IssueError::Fault { .. })));
}

#[test]
fn the_program_makes_them_and_explains_them() {
    let place = tempfile::tempdir().unwrap();
    let vreader = |words: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_vreader"))
            .current_dir(place.path())
            .args(["card", "new"])
            .args(words)
            .output()
            .expect("vreader starts")
    };
    let help = String::from_utf8(vreader(&["--help"]).stdout).unwrap();
    for (_, name, sentence) in Fault::ALL {
        assert!(help.contains(name) && help.contains(sentence), "{name}");
    }
    let made = vreader(&["a.card", "--seed", "1", "--broken", "wrong-key"]);
    assert!(String::from_utf8(made.stdout).unwrap().contains("with a fault: wrong-key"));
    let refused = vreader(&["b.card", "--broken", "cvc-mismatch"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("needs secure messaging"));
    assert_eq!(vreader(&["b.card", "--broken", "everything"]).status.code(), Some(2));
    assert!(!place.path().join("b.card").exists());
}
