//! `vreader card new --like nist-sd33-4`: the form of a genuine card, held against a description of it; and that
//! description against the genuine card, where its objects are at hand.

use std::{collections::BTreeMap, fmt::Write as _, process::Command};

use apdu::tlv_ber::Reader;
use card_sim::{object::CONTAINERS, profile::Profile};
use der::{Encode, asn1::ObjectIdentifier};
use vreader::{
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    issue::{self, Likeness, Request},
    reader::{InsertedCard, Interface},
};
use x509_cert::{
    Certificate,
    ext::pkix::{CertificatePolicies, ExtendedKeyUsage, KeyUsage},
};

/// The form of NIST test card 4: each object with its elements, each certificate with what it is for. Policies are written
/// without `2.16.840.1.101.3.2.1.`
const NIST_SD33_4: &str = "\
7E: 7E124F0BA0000003080000100001005F2F026810
7F61: 7F6103020100
5FC101: 70 71=00 FE; EC P-256, digitalSignature, 2.16.840.1.101.3.6.8, policy 3.17
5FC102: 30(25) 34(16) 35(8) 36(16) 3E FE
5FC103: BC FE
5FC105: 70 71=00 FE; EC P-256, digitalSignature, \
1.3.6.1.5.5.7.3.2 1.3.6.1.4.1.311.20.2.2 1.3.6.1.5.2.3.4, policy 3.13
5FC106: BA=01DB000460100630010760300B60500C6060 BB FE
5FC107: F0= F1= F2= F3= F4= F5=10 F6= F7= FA= FB= FC= FD= FE
5FC108: BC FE
5FC109: 01 02 04(9) 05(10) 06(15) FE
5FC10A: 70 71=00 FE; EC P-256, digitalSignature nonRepudiation, \
1.3.6.1.5.5.7.3.4 1.3.6.1.4.1.311.10.3.12, policy 3.7
5FC10B: 70 71=00 FE; EC P-256, keyAgreement, 1.3.6.1.5.5.7.3.4, policy 3.7
5FC10C: C1=07 C2=02 F3(87) FE
5FC10D: 70 71=00 FE; EC P-256, keyAgreement, no purpose, policy 3.7
5FC10E: 70 71=00 FE; EC P-256, keyAgreement, no purpose, policy 3.7
5FC10F: 70 71=00 FE; RSA, keyEncipherment, no purpose, policy 3.7
5FC110: 70 71=00 FE; EC P-256, keyAgreement, no purpose, policy 3.7
5FC111: 70 71=00 FE; EC P-256, keyAgreement, 1.3.6.1.5.5.7.3.4, policy 3.7
5FC112: 70 71=00 FE; EC P-256, keyAgreement, 1.3.6.1.5.5.7.3.4, policy 3.7
5FC113: 70 71=00 FE; EC P-256, keyAgreement, 1.3.6.1.5.5.7.3.4, policy 3.7
5FC122: 70 71=00 FE; EC P-256, digitalSignature, 2.16.840.1.101.3.6.7, policy 3.39
empty: 5FC114 5FC115 5FC116 5FC117 5FC118 5FC119 5FC11A 5FC11B 5FC11C 5FC11D 5FC11E 5FC11F 5FC120 5FC121
";

/// What a genuine card asserts, and what our test card asserts for it.
const POLICIES: [(&str, &str); 4] =
    [("3.7", "48.9"), ("3.13", "48.11"), ("3.17", "48.13"), ("3.39", "48.86")];

/// Elements of which the length is part of the form.
const LENGTHS: [(u32, u8); 8] = [
    (0x5F_C102, 0x30),
    (0x5F_C102, 0x34),
    (0x5F_C102, 0x35),
    (0x5F_C102, 0x36),
    (0x5F_C109, 0x04),
    (0x5F_C109, 0x05),
    (0x5F_C109, 0x06),
    (0x5F_C10C, 0xF3),
];

fn describe(objects: &BTreeMap<u32, Vec<u8>>) -> String {
    let mut text = String::new();
    let mut empty = String::new();
    for (tag, object) in objects {
        if *object == [0x53, 0x00] {
            write!(empty, " {tag:X}").unwrap();
            continue;
        }
        write!(text, "{tag:X}:").unwrap();
        if matches!(tag, 0x7E | 0x7F61) {
            writeln!(text, " {}", hex::encode_upper(object)).unwrap();
            continue;
        }
        let contents = Reader::new(object).expect(0x53_u8.into()).unwrap();
        let mut certificate = None;
        for element in Reader::single_byte_tags(contents) {
            let element = element.unwrap();
            let number = u8::try_from(element.tag.number()).unwrap();
            write!(text, " {number:02X}").unwrap();
            match (tag, number) {
                (_, 0x70) => certificate = Some(element.value),
                (_, 0x71) | (0x5F_C106, 0xBA) | (0x5F_C10C, 0xC1 | 0xC2) => {
                    write!(text, "={}", hex::encode_upper(element.value)).unwrap();
                }
                (0x5F_C107, 0xF0..=0xFD) => write!(text, "={}", hex::encode_upper(element.value)).unwrap(),
                _ if LENGTHS.contains(&(*tag, number)) => write!(text, "({})", element.value.len()).unwrap(),
                _ => {}
            }
        }
        if let Some(der) = certificate {
            text.push_str(&describe_certificate(der));
        }
        text.push('\n');
    }
    text + "empty:" + &empty + "\n"
}

fn describe_certificate(der: &[u8]) -> String {
    let certificate: Certificate = der::Decode::from_der(der).unwrap();
    let tbs = certificate.tbs_certificate();
    let info = tbs.subject_public_key_info();
    let algorithm = match info.algorithm.parameters.as_ref().map(|any| any.to_der().unwrap()) {
        Some(curve) if curve.ends_with(&[0xCE, 0x3D, 0x03, 0x01, 0x07]) => "EC P-256",
        _ if info.algorithm.oid == ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1") => "RSA",
        _ => "another algorithm",
    };
    let (_, usage) = tbs.get_extension::<KeyUsage>().unwrap().unwrap();
    let names = [
        (usage.digital_signature(), "digitalSignature"),
        (usage.non_repudiation(), "nonRepudiation"),
        (usage.key_encipherment(), "keyEncipherment"),
        (usage.key_agreement(), "keyAgreement"),
    ];
    let usage: Vec<_> = names.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
    let purposes = tbs.get_extension::<ExtendedKeyUsage>().unwrap();
    let purposes =
        purposes.map(|(_, purposes)| purposes.0.iter().map(ToString::to_string).collect::<Vec<_>>());
    let (_, policies) = tbs.get_extension::<CertificatePolicies>().unwrap().unwrap();
    let policies: Vec<_> = policies.0.iter().map(|policy| policy.policy_identifier.to_string()).collect();
    let policies = policies.join(" ").replace("2.16.840.1.101.3.2.1.", "");
    let genuine =
        POLICIES.iter().find(|(_, test)| *test == policies).map_or(policies.as_str(), |(genuine, _)| genuine);
    let purposes = purposes.map_or("no purpose".to_owned(), |purposes| purposes.join(" "));
    format!("; {algorithm}, {}, {purposes}, policy {genuine}", usage.join(" "))
}

/// What GET DATA would answer to somebody who may read everything.
fn objects(card: &mut EmulatedCard) -> BTreeMap<u32, Vec<u8>> {
    card.contents().unwrap().objects
}

fn transmit(card: &mut EmulatedCard, command: &str) -> String {
    hex::encode_upper(card.transmit(&hex::decode(command).unwrap()))
}

fn like() -> EmulatedCard {
    let likeness = Likeness::find("nist-sd33-4").unwrap();
    let request = Request { seed: Some(1), ..likeness.request() };
    let issued = issue::issue(&request, &mut DefaultCrypto::new(), &mut |_| {}).unwrap();
    EmulatedCard::in_memory(likeness.profile, 3, &issued).unwrap()
}

#[test]
fn the_card_has_the_form_of_the_genuine_one() {
    let mut objects = objects(&mut like());
    // Not among what could be read of the genuine card.
    let pairing_code = objects.remove(&0x5F_C123).unwrap();
    assert_eq!((pairing_code.len(), &pairing_code[..4]), (14, &[0x53, 0x0C, 0x99, 0x08][..]));
    assert_eq!(describe(&objects), NIST_SD33_4);
}

#[test]
fn the_card_answers_as_the_genuine_one() {
    let mut card = like();
    card.power_on(Interface::Contact);
    // As recorded.
    assert_eq!(hex::encode_upper(card.atr()), "3BD6970081B1FE451F878031C152411A2B");
    assert_eq!(
        hex::encode_upper(Profile::find("nist-sd33").unwrap().contactless_atr),
        "3B8680018031C152411A7E"
    );
    assert_eq!(
        transmit(&mut card, "00A404000BA000000308000010000100"),
        "612A4F0BA00000030800001000010079074F05A000000308500A49442D4F6E6520504956AC068001270601007F6608020203F802027FFF9000"
    );
    assert_eq!(transmit(&mut card, "00CB3FFF055C035FC12000"), "53009000");
    assert_eq!(transmit(&mut card, "00CB3FFF045C027F6100"), "7F61030201009000");
    // The Global PIN opens what the PIV PIN opens.
    assert_eq!(transmit(&mut card, "0020000008373737373737FFFF"), "9000");
    assert!(transmit(&mut card, "00CB3FFF055C035FC10900").starts_with("53"));
}

#[test]
fn the_description_is_that_of_the_genuine_card() {
    let Some(path) = vectors::files::shared("nist_sd33_card4_objects.json").unwrap() else { return };
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let objects = file["objects"].as_object().unwrap().iter().map(|(tag, object)| {
        (u32::from_str_radix(tag, 16).unwrap(), hex::decode(object.as_str().unwrap()).unwrap())
    });
    let objects: BTreeMap<u32, Vec<u8>> = objects.collect();
    assert!(objects.keys().all(|tag| CONTAINERS.iter().any(|container| container.tag.get() == *tag)));
    assert_eq!(describe(&objects), NIST_SD33_4);
}

#[test]
fn a_likeness_says_all_of_the_form() {
    let place = tempfile::tempdir().unwrap();
    let vreader = |options: &[&str]| {
        let words = ["card", "new", "a.card", "--seed", "1", "--like", "nist-sd33-4"];
        Command::new(env!("CARGO_BIN_EXE_vreader"))
            .current_dir(place.path())
            .args(words)
            .args(options)
            .output()
            .expect("vreader starts")
    };
    for options in [
        &["--profile", "piv"][..],
        &["--algorithm", "p256"],
        &["--sm", "cs7"],
        &["--sm", "cs2", "--vci", "open"],
        &["--global-pin", "primary"],
        &["--retired", "1"],
        &["--retired-off-card", "1"],
        &["--compress-certificates"],
    ] {
        let output = vreader(options);
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be used with"), "{options:?}");
    }
    let output =
        vreader(&["--holder", "Sam Sample", "--pin", "654321", "--export-off-card", "files", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((made["profile"].as_str(), made["holder"].as_str()), (Some("nist-sd33"), Some("Sam Sample")));
    assert_eq!(std::fs::read_dir(place.path().join("files")).unwrap().count(), 1);
}
