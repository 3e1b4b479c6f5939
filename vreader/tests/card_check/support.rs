//! Cards of others, and what the tests look at in a report.

use std::{path::Path, process::Command};

use apdu::tlv_ber::{Header, Tag};
use card_sim::{
    key::{AsymmetricAlgorithm, KeyReference, Origin, PrivateKey},
    object::ObjectTag,
    profile,
    sm::CipherSuite,
};
use rsa::{pkcs8::DecodePrivateKey, traits::PrivateKeyParts};
use serde_json::Value;
use vreader::{
    check::{self, Evidence, Found, Options, Outcome, Report},
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    image::FlashSize,
    issue::{self, Date, Features, IssuedCard, Request, SecureMessaging, VirtualContact},
};

/// The day of the checks: every golden card and certificate is valid on it.
pub(crate) fn today() -> Date {
    "2026-11-23".parse().unwrap()
}

/// An element.
pub(crate) fn element(tag: u32, value: &[u8]) -> Vec<u8> {
    [Header::new(Tag::new(tag), value.len()).unwrap().as_slice(), value].concat()
}

/// The objects of a NIST SD33 card, if the shared files are there.
pub(crate) fn sd33(card: u8) -> Option<Evidence> {
    let path = vectors::files::shared(&format!("nist_sd33_card{card}_objects.json")).unwrap()?;
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let objects = file["objects"].as_object().unwrap().iter().map(|(tag, object)| {
        (u32::from_str_radix(tag, 16).unwrap(), hex::decode(object.as_str().unwrap()).unwrap())
    });
    Some(Evidence::from_objects(objects))
}

/// The objects of a GSA ICAM card, if the shared files are there.
pub(crate) fn icam(card: &str) -> Option<Evidence> {
    const FILES: [(&str, u32); 6] = [
        ("2 - Security Object", 0x5F_C106),
        ("7 - CCC", 0x5F_C107),
        ("8 - CHUID Object", 0x5F_C102),
        ("9 - Fingerprints", 0x5F_C103),
        ("10 - Face Object", 0x5F_C108),
        ("11 - Printed Information", 0x5F_C109),
    ];
    const CERTIFICATES: [(&str, u32); 4] = [
        ("3 - ICAM_PIV_Auth_SP_800-73-4.crt", 0x5F_C105),
        ("4 - ICAM_PIV_Dig_Sig_SP_800-73-4.crt", 0x5F_C10A),
        ("5 - ICAM_PIV_Key_Mgmt_SP_800-73-4.crt", 0x5F_C10B),
        ("6 - ICAM_PIV_Card_Auth_SP_800-73-4.crt", 0x5F_C101),
    ];
    let folder = vectors::files::shared("icam").unwrap()?.join(card);
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let wrapped = FILES.iter().map(|(name, tag)| (*tag, element(0x53, &read(name))));
    let certificates = CERTIFICATES.iter().map(|(name, tag)| {
        let parts = [element(0x70, &certificate(&folder.join(name))), vec![0x71, 0x01, 0x00, 0xFE, 0x00]];
        (*tag, element(0x53, &parts.concat()))
    });
    let discovery = (0x7E, read("1 - Discovery Object"));
    Some(Evidence::from_objects(wrapped.chain(certificates).chain([discovery])))
}

/// The certificate in a file with text before its PEM.
fn certificate(path: &Path) -> Vec<u8> {
    let text = std::fs::read_to_string(path).unwrap();
    let pem = &text[text.find("-----BEGIN").unwrap()..];
    der::Document::from_pem(pem).unwrap().1.as_bytes().to_vec()
}

/// An ICAM card with the keys in its `.p12` files, on the stock of an issued card.
pub(crate) fn icam_card(card: &str, folder: &Path) -> Option<IssuedCard> {
    const KEYS: [(&str, KeyReference); 4] = [
        ("3 - ICAM_PIV_Auth_SP_800-73-4.p12", KeyReference::PivAuthentication),
        ("4 - ICAM_PIV_Dig_Sig_SP_800-73-4.p12", KeyReference::DigitalSignature),
        ("5 - ICAM_PIV_Key_Mgmt_SP_800-73-4.p12", KeyReference::KeyManagement),
        ("6 - ICAM_PIV_Card_Auth_SP_800-73-4.p12", KeyReference::CardAuthentication),
    ];
    let objects = icam(card)?.objects.into_iter().filter_map(|(tag, found)| match found {
        Found::Object(object) => Some((ObjectTag::new(tag).unwrap(), object)),
        Found::Refused(_) => None,
    });
    let keys = KEYS.map(|(name, reference)| (reference, private_key(&folder.join(name)), Origin::Imported));
    let stock = issue_card(&Request { seed: Some(2), ..Request::default() });
    Some(IssuedCard { objects: objects.collect(), keys: keys.into(), ..stock })
}

/// The RSA key in a PKCS #12 file with an empty password.
fn private_key(path: &Path) -> PrivateKey {
    let output = Command::new("openssl")
        .args(["pkcs12", "-legacy", "-passin", "pass:", "-nocerts", "-nodes", "-in"])
        .arg(path)
        .output()
        .expect("openssl runs; `apt-get install openssl` installs it");
    let text = String::from_utf8(output.stdout).unwrap();
    let pem = &text[text.find("-----BEGIN").expect("a private key")..];
    let key = rsa::RsaPrivateKey::from_pkcs8_pem(pem).unwrap();
    let [p, q] = [0, 1].map(|prime| key.primes()[prime].to_be_bytes());
    PrivateKey::rsa(AsymmetricAlgorithm::Rsa2048, 65537, &p, &q).unwrap()
}

/// The numbers of the rows that failed.
pub(crate) fn failed(report: &Report) -> Vec<&str> {
    report.failures().map(|row| row.id.as_str()).collect()
}

/// What came of a row.
pub(crate) fn outcome<'a>(report: &'a Report, id: &str) -> &'a Outcome {
    &report.rows.iter().find(|row| row.id == id).unwrap().outcome
}

/// That no row failed; says which did.
pub(crate) fn assert_clean(report: &Report, card: &str) {
    assert_eq!(failed(report), [""; 0], "{card}:\n{report}");
}

/// An issued card.
pub(crate) fn issue_card(request: &Request) -> IssuedCard {
    issue::issue(request, &mut DefaultCrypto::default(), &mut |_| {}).unwrap()
}

/// A card with secure messaging and all that goes with it, the same every time.
pub(crate) fn full_card() -> IssuedCard {
    let features = Features {
        secure_messaging: Some(SecureMessaging { suite: CipherSuite::Cs2, intermediate: false }),
        virtual_contact: Some(VirtualContact::Pairing),
        retired_keys: 2,
        ..Features::default()
    };
    issue_card(&Request { seed: Some(8), features, ..Request::default() })
}

/// Checks a card in a card file.
pub(crate) fn check_card(card: &IssuedCard, options: &Options) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checked.card");
    drop(EmulatedCard::create(&path, FlashSize::DEFAULT, &profile::PIV, 3, card).unwrap());
    check::check_file(&path, options).unwrap()
}

/// The day of the checks, and nothing else.
pub(crate) fn options() -> Options {
    Options::on(today())
}
