//! `vreader card clone`: what a look-alike has of the card that it is like, and what it has not.

use std::{path::Path, process::Command};

use card_sim::{cac::ObjectId, key::AsymmetricAlgorithm, profile::Profile, sm::CipherSuite};
use der::Decode;
use spki::SubjectPublicKeyInfoOwned;
use vreader::{
    check::{self, Found, Options, Outcome},
    clone::{self, CloneError, LookAlike, Original, Secrets},
    crypto::DefaultCrypto,
    emulated::{EmulatedCard, Personal},
    image::FlashSize,
    inspect::{self, PivAuthentication},
    issue::{
        self, Authority, DEFAULT_MANAGEMENT_KEY, Features, GlobalPin, IssuedCard, OnCardComparison, Request,
        SecureMessaging, VirtualContact, yubikey::FreshYubiKey,
    },
    reader::{InsertedCard, Interface},
    sm::Local,
    stock::Description,
};
use x509_cert::Certificate;
use zeroize::Zeroizing;

fn issue_card(request: &Request) -> IssuedCard {
    issue::issue(request, &mut DefaultCrypto::default(), &mut |_| {}).unwrap()
}

fn on<'a>(profile: &'static Profile, personal: impl Into<Personal<'a>>) -> EmulatedCard {
    EmulatedCard::in_memory(profile, profile.default_tries, personal).unwrap()
}

fn stock(name: &str) -> &'static Profile {
    Profile::find(name).unwrap()
}

/// Reads a card as `card clone` does.
fn read(card: &mut EmulatedCard, interface: Interface) -> Original {
    card.power_on(interface);
    let atr = InsertedCard::atr(card).to_vec();
    Original::read(&mut Local(card), &atr).unwrap()
}

fn secrets(seed: u64) -> Secrets {
    let key =
        card_sim::key::SymmetricKey::new(card_sim::key::SymmetricAlgorithm::Aes192, &DEFAULT_MANAGEMENT_KEY);
    Secrets::new(Some(seed), "123456", "12345678", key.unwrap()).unwrap()
}

fn look_alike(original: &Original) -> LookAlike {
    clone::look_alike(original, secrets(9), &mut DefaultCrypto::default(), &mut |_| {}).unwrap()
}

/// The certificate in a PIV container of a card that was read.
fn certificate(original: &Original, tag: u32) -> Certificate {
    let Some(Found::Object(object)) = original.objects.get(&tag) else { panic!("no certificate {tag:06X}") };
    let contents = apdu::tlv_ber::Reader::new(object).expect(apdu::Tag::new(0x53)).unwrap();
    let stored =
        apdu::tlv_ber::Reader::single_byte_tags(contents).find(apdu::Tag::new(0x70)).unwrap().unwrap();
    Certificate::from_der(stored).unwrap()
}

/// What two certificates must share, and what must differ.
fn assert_alike(original: &Certificate, copy: &Certificate) {
    let (original, copy) = (original.tbs_certificate(), copy.tbs_certificate());
    assert_eq!(original.subject(), copy.subject());
    assert_eq!(original.issuer(), copy.issuer());
    assert_eq!(original.validity(), copy.validity());
    let identifiers = ["2.5.29.14", "2.5.29.35"];
    let rest = |tbs: &x509_cert::certificate::TbsCertificate| -> Vec<_> {
        let all = tbs.extensions().into_iter().flatten();
        all.map(|one| {
            let name = one.extn_id.to_string();
            let value = (!identifiers.contains(&name.as_str())).then(|| one.extn_value.clone());
            (name, one.critical, value)
        })
        .collect()
    };
    assert_eq!(rest(original), rest(copy));
    assert_ne!(original.serial_number(), copy.serial_number());
    assert_ne!(original.subject_public_key_info(), copy.subject_public_key_info());
    assert_eq!(
        original.subject_public_key_info().algorithm,
        copy.subject_public_key_info().algorithm,
        "the same kind of key"
    );
}

/// What the reports of both cards must share: everything that is public.
fn same_answers(original: &Original, copy: &Original, but: &[u32]) {
    assert_eq!(original.atr, copy.atr);
    assert_eq!(original.selected, copy.selected);
    assert_eq!(original.pin_tries, copy.pin_tries);
    for (tag, found) in &original.objects {
        let other = &copy.objects[tag];
        match (found, other) {
            _ if but.contains(tag) => {
                assert_eq!(matches!(found, Found::Object(_)), matches!(other, Found::Object(_)), "{tag:06X}");
            }
            _ => assert_eq!(found, other, "{tag:06X}"),
        }
    }
}

fn key_of(authority: &Authority) -> SubjectPublicKeyInfoOwned {
    let certificate = Certificate::from_der(authority.certificate_der()).unwrap();
    certificate.tbs_certificate().subject_public_key_info().clone()
}

/// `card check` of the look-alike in a file, trusting its own authorities: the rows that failed.
fn failed_rows(card: &LookAlike, folder: &Path) -> Vec<String> {
    let file = folder.join("copy.card");
    EmulatedCard::create(&file, FlashSize::DEFAULT, card.profile, 3, card).unwrap();
    let authorities = card.authorities.iter().map(key_of).collect();
    let options = Options { authorities, ..Options::on("2026-11-23".parse().unwrap()) };
    let report = check::check_file(&file, &options).unwrap();
    let failed = report.rows.iter().filter(|row| matches!(row.outcome, Outcome::Failed { .. }));
    failed.map(|row| format!("{} {:?}", row.id, row.outcome)).collect()
}

/// Signed or about keys: the same on no two cards.
const FRESH: [u32; 8] =
    [0x5F_C101, 0x5F_C102, 0x5F_C105, 0x5F_C106, 0x5F_C10A, 0x5F_C10B, 0x5F_C10D, 0x5F_C122];

#[test]
fn a_piv_card_with_everything_has_a_look_alike_that_conforms() {
    let profile = stock("nist-sd33");
    for (suite, algorithm) in
        [(CipherSuite::Cs2, AsymmetricAlgorithm::EccP256), (CipherSuite::Cs7, AsymmetricAlgorithm::EccP384)]
    {
        let features = Features {
            secure_messaging: Some(SecureMessaging { suite, intermediate: false }),
            virtual_contact: Some(VirtualContact::Pairing),
            global_pin: Some(GlobalPin { pin: Zeroizing::new("777777".into()), primary: false }),
            on_card_comparison: Some(OnCardComparison::default()),
            retired_keys: 1,
            compressed_certificates: false,
            ..Features::default()
        };
        let request = Request {
            seed: Some(1),
            holder: Some("Robin Specimen".into()),
            algorithm,
            features,
            ..Request::default()
        };
        let issued = issue_card(&request);
        let original = read(&mut on(profile, &issued), Interface::Contact);
        let card = look_alike(&original);
        assert_eq!(card.profile.name, "nist-sd33");
        assert_eq!(card.issued.person.name, "Robin Specimen");
        assert_eq!((card.issued.issued, card.issued.expires), (issued.issued, issued.expires));
        assert_eq!(card.issued.numbers.guid, issued.numbers.guid);
        let copy = read(&mut on(profile, &card), Interface::Contact);
        same_answers(&original, &copy, &FRESH);
        for tag in [0x5F_C101, 0x5F_C105, 0x5F_C10A, 0x5F_C10B, 0x5F_C10D] {
            assert_alike(&certificate(&original, tag), &certificate(&copy, tag));
        }
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(failed_rows(&card, folder.path()), Vec::<String>::new());
        for made_up in ["Fingerprints needs the PIN", "Printed Information are a sample's"] {
            assert!(card.notes.iter().any(|note| note.contains(made_up)), "{:?}", card.notes);
        }
    }
}

#[test]
fn compressed_certificates_and_rsa_stay_what_they_are() {
    let features = Features { compressed_certificates: true, ..Features::default() };
    let request =
        Request { seed: Some(2), algorithm: AsymmetricAlgorithm::Rsa2048, features, ..Request::default() };
    let original = read(&mut on(stock("piv"), &issue_card(&request)), Interface::Contact);
    let card = look_alike(&original);
    let report = inspect::inspect(&on(card.profile, &card).contents().unwrap());
    assert_eq!(report.certificates.len(), 4);
    for entry in &report.certificates {
        assert!(entry.compressed && entry.algorithm == "RSA-2048", "{entry:?}");
        assert_eq!(entry.key_match, inspect::KeyMatch::Matches);
    }
    assert_eq!(report.problems, []);
    assert!(card.stock.is_none(), "a built-in stock needs no description: {:?}", card.stock);
}

#[test]
fn a_seed_makes_the_same_look_alike_and_none_has_a_key_of_the_originals() {
    let issued = issue_card(&Request { seed: Some(3), ..Request::default() });
    let original = read(&mut on(stock("piv"), &issued), Interface::Contact);
    let (one, two) = (look_alike(&original), look_alike(&original));
    assert_eq!(one.issued.objects, two.issued.objects);
    let other =
        clone::look_alike(&original, secrets(10), &mut DefaultCrypto::default(), &mut |_| {}).unwrap();
    for (tag, object) in &one.issued.objects {
        let kept = issued.objects.iter().any(|kept| kept == &(*tag, object.clone()));
        let fresh = FRESH.contains(&tag.get()) || [0x5F_C103, 0x5F_C108].contains(&tag.get());
        assert_ne!(kept, fresh, "{:06X}", tag.get());
    }
    assert_ne!(one.issued.objects, other.issued.objects);
}

#[test]
fn a_stock_that_is_not_built_in_is_described() {
    let text = "name = \"agency\"\nlike = \"piv\"\natr = \"3BDB960081B1FE451F0380F9A0000003080000100018\"\nlabel = \"Agency PIV\"\ndefault_tries = 7\n\
                stated_lengths = [1000, 2000]\nempty_container = \"not-found\"\n";
    let profile = Description::parse(text).unwrap().profile().unwrap();
    let issued = issue_card(&Request { seed: Some(4), ..Request::default() });
    let original = read(&mut on(profile, &issued), Interface::Contact);
    let card = look_alike(&original);
    let found = card.stock.clone().expect("a description");
    let named = Description { name: "agency".into(), ..found };
    assert_eq!(named, Description::parse(text).unwrap());
    let copy = read(&mut on(card.profile, &card), Interface::Contact);
    same_answers(&original, &copy, &FRESH);

    // The antenna has an answer to reset of its own, and shows less.
    let original = read(&mut on(stock("piv"), &issued), Interface::Contactless);
    let card = look_alike(&original);
    assert_eq!(card.profile.name, "piv");
    assert!(card.issued.objects.len() < issued.objects.len());
}

#[test]
fn a_yubikey_keeps_version_and_serial_number_but_not_its_secrets() {
    for name in [
        "yubikey4-fips",
        "yubikey5-fips",
        "yubikey-bio",
        "yubikey-neo",
        "yubikey4",
        "yubikey5-2",
        "yubikey5-4",
        "yubikey5",
    ] {
        let profile = stock(name);
        let mut issued = issue_card(&Request { seed: Some(5), ..Request::default() });
        let fresh =
            FreshYubiKey::new(profile.yubico.unwrap(), Some(5), &mut DefaultCrypto::default()).unwrap();
        let serial_number = fresh.add_to(&mut issued);
        let personal = Personal { serial_number: Some(serial_number), ..Personal::from(&issued) };
        let original = read(&mut on(profile, personal), Interface::Contact);
        let yubikey = original.yubikey.clone().expect("a YubiKey");
        assert_eq!(
            yubikey.serial_number,
            (!["yubikey4", "yubikey4-fips", "yubikey-neo"].contains(&name)).then_some(serial_number)
        );
        let card = look_alike(&original);
        assert_eq!((card.profile.name, card.stock.is_none()), (name, true), "{:?}", card.stock);
        let copy = read(&mut on(card.profile, &card), Interface::Contact);
        same_answers(&original, &copy, &[&FRESH[..], &[0x5F_FF01]].concat());
        assert_eq!(copy.yubikey, original.yubikey);
        assert_alike(&certificate(&original, 0x5F_C105), &certificate(&copy, 0x5F_C105));
        let attestation = (certificate(&original, 0x5F_FF01), certificate(&copy, 0x5F_FF01));
        assert_ne!(attestation.0, attestation.1);
    }
}

#[test]
fn firmware_that_is_not_built_in_is_like_the_one_before() {
    let text = "name = \"key\"\nlike = \"yubikey5-4\"\nfirmware = \"5.6.2\"\n";
    let profile = Description::parse(text).unwrap().profile().unwrap();
    let fresh = FreshYubiKey::new(profile.yubico.unwrap(), Some(6), &mut DefaultCrypto::default()).unwrap();
    let original = read(&mut on(profile, &fresh), Interface::Contact);
    let card = look_alike(&original);
    let found = card.stock.expect("a description");
    assert_eq!((found.like.as_str(), found.firmware.as_deref()), ("yubikey5-4", Some("5.6.2")));
    assert_eq!(card.serial_number, Some(fresh.serial_number));
}

#[test]
fn a_common_access_card_keeps_its_holder_its_certificates_and_what_it_hides() {
    for (name, issue_date, piv) in [
        ("cac-gemalto-gx4-144", "2017-06-01", Some(PivAuthentication::Hidden)),
        ("cac-oberthur-v55", "2024-06-01", Some(PivAuthentication::Active)),
        ("cac-only", "2024-06-01", None),
        ("cac-token-idemia-v8", "2024-06-01", None),
    ] {
        let profile = stock(name);
        let request = Request {
            seed: Some(7),
            holder: Some("Dana Q Sample".into()),
            issued: Some(issue_date.parse().unwrap()),
            ..Request::for_profile(profile)
        };
        let issued = issue_card(&request);
        let original = read(&mut on(profile, &issued), Interface::Contact);
        assert!(original.has_common_access());
        let card = look_alike(&original);
        assert_eq!((card.profile.name, card.stock.is_none()), (name, true), "{:?}", card.stock);
        assert_eq!(card.issued.person.name, issued.person.name);
        let mut copy_card = on(card.profile, &card);
        let copy = read(&mut copy_card, Interface::Contact);
        same_answers(&original, &copy, &FRESH);
        let mut contents = copy_card.contents().unwrap();
        contents.cac.as_mut().unwrap().pin_verified = true;
        let report = inspect::inspect(&contents);
        assert_eq!(report.problems, []);
        let side = report.common_access.expect("a CAC side");
        // A token has its certificates and nothing else.
        let is_token = name.starts_with("cac-token");
        let edipi = format!("{:010}", issued.numbers.fascn.person_identifier);
        assert_eq!(side.edipi, (!is_token).then_some(edipi));
        assert_eq!(side.issued.map(|date| date.to_string()).as_deref(), (!is_token).then_some(issue_date));
        assert_eq!(side.piv_authentication, piv);
        let of = |original: &Original, wanted| {
            let (_, container) =
                original.containers.iter().find(|(id, _)| *id == wanted).expect("a container");
            container.clone()
        };
        if !is_token {
            assert_eq!(of(&original, ObjectId::CCC), of(&copy, ObjectId::CCC));
        }
        for id in [ObjectId::IDENTITY, ObjectId::SIGNATURE, ObjectId::ENCRYPTION] {
            assert_ne!(of(&original, id), of(&copy, id));
        }
        // The same containers, and both faces show the same certificates still.
        let names = |original: &Original| original.containers.iter().map(|(id, _)| *id).collect::<Vec<_>>();
        assert_eq!(names(&original), names(&copy));
        let mut issuers: Vec<_> = card.authorities.iter().map(common_name).collect();
        issuers.sort();
        assert_eq!(issuers, ["DEMO DOD EMAIL CA-59", "DEMO DOD ID CA-59"]);
    }
}

fn common_name(authority: &Authority) -> String {
    let certificate = Certificate::from_der(authority.certificate_der()).unwrap();
    certificate.tbs_certificate().subject().common_name().unwrap().unwrap().value().into_owned()
}

/// A card that answers every command with the same status word.
struct Deaf(u16);

impl InsertedCard for Deaf {
    fn atr(&self) -> &[u8] {
        &[0x3B, 0x80, 0x80, 0x01, 0x01]
    }
    fn power_on(&mut self, _: Interface) {}
    fn power_off(&mut self) {}
    fn reset(&mut self) {}
    fn transmit(&mut self, _: &[u8]) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }
}

#[test]
fn cards_that_have_nothing_or_answer_nonsense_are_told() {
    for status in [0x6A82, 0x6D00, 0x6F00] {
        let original = Original::read(&mut Local(&mut Deaf(status)), &[0x3B, 0x80]).unwrap();
        let error = clone::look_alike(&original, secrets(1), &mut DefaultCrypto::default(), &mut |_| {});
        assert!(matches!(error.err(), Some(CloneError::NoApplication)), "{status:04X}");
    }
    // Yes to everything, and nothing behind it.
    let original = Original::read(&mut Local(&mut Deaf(0x9000)), &[0x3B, 0x80, 0x80, 0x01, 0x01]).unwrap();
    assert!(!original.has_common_access() && original.yubikey.is_none());
    let card = look_alike(&original);
    assert!(card.issued.keys.is_empty() && card.issued.objects.is_empty());
    // An answer to reset that no reader accepts cannot be a stock's.
    let mut original = original;
    original.atr = vec![0x3B, 0x80];
    let error = clone::look_alike(&original, secrets(1), &mut DefaultCrypto::default(), &mut |_| {});
    assert!(matches!(error.err(), Some(CloneError::Stock(_))));
}

#[test]
fn broken_objects_are_left_out_and_told() {
    let issued = issue_card(&Request { seed: Some(8), ..Request::default() });
    let whole = read(&mut on(stock("piv"), &issued), Interface::Contact);
    // Every object cut in three places, one after the other.
    for (tag, found) in &whole.objects {
        let Found::Object(object) = found else { continue };
        for length in (0..object.len()).step_by(object.len().div_ceil(3).max(1)) {
            let mut original = whole.clone();
            original.objects.insert(*tag, Found::Object(object[..length].to_vec()));
            let made = clone::look_alike(&original, secrets(9), &mut DefaultCrypto::default(), &mut |_| {});
            let card = made.unwrap_or_else(|error| panic!("{tag:06X} cut at {length}: {error}"));
            let is_certificate =
                matches!(tag, 0x5F_C101 | 0x5F_C105 | 0x5F_C10A | 0x5F_C10B | 0x5F_C10D..=0x5F_C120);
            let nothing_left = matches!(object[..length], [] | [_, 0x00]);
            let told = card.notes.iter().any(|note| note.contains("cannot be read, and was left out"));
            assert_eq!(told, is_certificate && !nothing_left, "{tag:06X} cut at {length}: {:?}", card.notes);
        }
    }
}

/// NIST test card 4, as it was recorded.
#[test]
fn a_genuine_card_has_a_look_alike_that_conforms() {
    let Some(path) = vectors::files::shared("nist_sd33_card4_objects.json").unwrap() else { return };
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    // It answers SELECT as ours does.
    let secure_messaging = Some(SecureMessaging { suite: CipherSuite::Cs2, intermediate: false });
    let with_suite =
        Request { features: Features { secure_messaging, ..Features::default() }, ..Request::default() };
    let mut original = Original {
        atr: stock("nist-sd33").atr.to_vec(),
        selected: read(&mut on(stock("nist-sd33"), &issue_card(&with_suite)), Interface::Contact).selected,
        pin_tries: Some(3),
        ..Original::default()
    };
    for container in card_sim::object::CONTAINERS {
        original.objects.insert(container.tag.get(), Found::Refused(0x6A82));
    }
    for (tag, object) in file["objects"].as_object().unwrap() {
        let tag = u32::from_str_radix(tag, 16).unwrap();
        let found = match tag {
            0x5F_C103 | 0x5F_C108 | 0x5F_C109 => Found::Refused(0x6982),
            _ => Found::Object(hex::decode(object.as_str().unwrap()).unwrap()),
        };
        original.objects.insert(tag, found);
    }
    let card = look_alike(&original);
    let folder = tempfile::tempdir().unwrap();
    let failed = failed_rows(&card, folder.path());
    println!("{failed:#?}\n{:#?}", card.notes);
    assert_eq!(failed, Vec::<String>::new());
}

/// The certificates are what another program takes for certificates by their issuers.
#[test]
fn openssl_verifies_the_chain_to_the_sample_root() {
    let issued = issue_card(&Request { seed: Some(11), ..Request::default() });
    let card = look_alike(&read(&mut on(stock("piv"), &issued), Interface::Contact));
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, der: &[u8]| {
        let pem = der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, der).unwrap();
        std::fs::write(folder.path().join(name), pem).unwrap();
    };
    write("root.pem", card.issued.pki.root.certificate_der());
    write("issuer.pem", card.authorities[0].certificate_der());
    let copy = read(&mut on(card.profile, &card), Interface::Contact);
    let leaf = der::Encode::to_der(&certificate(&copy, 0x5F_C105)).unwrap();
    write("leaf.pem", &leaf);
    let output = Command::new("openssl")
        .current_dir(folder.path())
        .args([
            "verify",
            "-CAfile",
            "root.pem",
            "-untrusted",
            "issuer.pem",
            "-attime",
            "1780000000",
            "leaf.pem",
        ])
        .output()
        .expect("openssl is installed: run tools/install-clients");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
