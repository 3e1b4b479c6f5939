//! `vreader card import`: what is in a folder is on the card, what is wrong with it is named.

use std::{fs, path::Path, process::Command};

use card_sim::{
    key::{AsymmetricAlgorithm, KeyReference, SymmetricAlgorithm, SymmetricKey},
    profile,
};
use tempfile::TempDir;
use vreader::{
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    import::{self, Finding, ImportError, ImportedCard, Secrets, layout},
    issue::{DEFAULT_GLOBAL_PIN, DEFAULT_MANAGEMENT_KEY, DEFAULT_PIN, DEFAULT_PUK},
    reader::{InsertedCard, Interface},
};

#[path = "support/card_folder.rs"]
mod card_folder;

use card_folder::{CardFolder, KEYS, MODERN, OBJECTS, RC2, TDEA, first_element, pem};

const P256: AsymmetricAlgorithm = AsymmetricAlgorithm::EccP256;
const SELECT: &str = "00A404000BA000000308000010000100";

fn secrets(password: &str) -> Secrets<'_> {
    let management_key = SymmetricKey::new(SymmetricAlgorithm::Aes192, &DEFAULT_MANAGEMENT_KEY).unwrap();
    Secrets { password, pin: DEFAULT_PIN, puk: DEFAULT_PUK, global_pin: DEFAULT_GLOBAL_PIN, management_key }
}

fn import(folder: &Path) -> Result<ImportedCard, ImportError> {
    import::import(folder, secrets(""), &mut DefaultCrypto::new())
}

/// Everything that is on the card, to be compared.
fn objects(card: &ImportedCard) -> Vec<(u32, &[u8])> {
    let mut objects: Vec<_> =
        card.objects.iter().map(|(tag, object)| (tag.get(), object.as_slice())).collect();
    objects.sort_unstable();
    objects
}

fn keys(card: &ImportedCard) -> Vec<(KeyReference, &[u8])> {
    card.keys.iter().map(|(reference, key, _)| (*reference, key.material())).collect()
}

fn vreader(place: &TempDir, words: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_vreader"))
        .current_dir(place.path())
        .args(words)
        .output()
        .expect("vreader starts")
}

/// The layout has no place for the Key History Object, which the Security Object of our cards covers.
fn no_key_history() -> Finding {
    Finding::HashOfNothing { container: "6060".to_owned() }
}

/// The findings of a folder, without the one that every folder made from a card of ours has.
fn findings(folder: &CardFolder) -> Vec<Finding> {
    let mut findings = import(folder.path()).unwrap().findings;
    findings.retain(|finding| *finding != no_key_history());
    findings
}

fn transmit(card: &mut EmulatedCard, command: &str) -> String {
    hex::encode_upper(card.transmit(&hex::decode(command).unwrap()))
}

/// The imported card, with power and the PIV application selected.
fn inserted(card: &ImportedCard) -> EmulatedCard {
    let mut card = EmulatedCard::in_memory(&profile::PIV, 3, card).unwrap();
    card.power_on(Interface::Contact);
    assert!(transmit(&mut card, SELECT).ends_with("9000"));
    card
}

#[test]
fn a_card_comes_back_as_it_was_issued() {
    for (algorithm, encryption) in [(P256, MODERN), (P256, RC2), (AsymmetricAlgorithm::Rsa2048, TDEA)] {
        let folder = CardFolder::new("01_Golden", 1, algorithm, encryption);
        let card = import(folder.path()).unwrap();
        assert_eq!(card.findings, [no_key_history()]);
        let mut issued: Vec<_> =
            folder.card.objects.iter().map(|(tag, object)| (tag.get(), object.as_slice())).collect();
        issued.retain(|(tag, _)| *tag != 0x5F_C10C);
        issued.sort_unstable();
        assert_eq!(objects(&card), issued);
        let issued: Vec<_> =
            folder.card.keys.iter().map(|(reference, key, _)| (*reference, key.material())).collect();
        assert_eq!(keys(&card), issued);
        assert!(!card.has_global_pin);
    }
}

#[test]
fn fewer_files_make_a_card_too() {
    let folder = CardFolder::empty("Somebody", 1, P256);
    folder.write("8 - CHUID", folder.raw(0x5F_C102));
    let card = import(folder.path()).unwrap();
    assert_eq!(objects(&card), [(0x5F_C102, folder.object(0x5F_C102))]);
    let missing = |finding: &Finding| {
        matches!(
            finding,
            Finding::MissingObject { .. } | Finding::MissingKey { .. } | Finding::MissingCertificate { .. }
        )
    };
    assert!(card.findings.iter().all(missing), "{:?}", card.findings);
    assert_eq!(card.findings.len(), OBJECTS.len() - 1 + 2 * KEYS.len());
    let mut card = inserted(&card);
    assert!(transmit(&mut card, "00CB3FFF055C035FC10200").starts_with("538"));
    assert_eq!(transmit(&mut card, "00CB3FFF055C035FC10500"), "6A82");
}

#[test]
fn a_certificate_may_lie_beside_its_key() {
    let (key_file, tag) = KEYS[0];
    let certificate_file = format!("{key_file}.crt");
    let key_file = format!("{key_file}.p12");
    let folder = CardFolder::new("Somebody", 1, P256, MODERN);
    let key = folder.card.keys[0].1.clone();
    folder.write_key(&key_file, &key, None, MODERN);
    let without = Finding::MissingCertificate { number: 3, key: "9A".to_owned() };
    assert!(findings(&folder).contains(&without));

    let pem = pem("CERTIFICATE", folder.certificate(tag));
    for text in [
        format!("Bag Attributes\n  subject=CN = Somebody\n{pem}").into_bytes(),
        folder.certificate(tag).to_vec(),
    ] {
        folder.write(&certificate_file, text);
        let card = import(folder.path()).unwrap();
        assert_eq!(card.findings, [no_key_history()]);
        assert!(objects(&card).contains(&(tag, folder.object(tag))));
    }

    // The certificate in the .p12 goes before the one beside it.
    folder.write_key(&key_file, &key, Some(folder.certificate(tag)), MODERN);
    folder.write(&certificate_file, folder.certificate(KEYS[1].1));
    let other = Finding::TwoCertificates { key: "9A".to_owned(), file: certificate_file };
    assert_eq!(findings(&folder), [other]);
    assert!(objects(&import(folder.path()).unwrap()).contains(&(tag, folder.object(tag))));
}

#[test]
fn the_generation_that_is_most_like_the_folder_is_the_cards() {
    let folder = CardFolder::new("23_Key_mismatch", 1, P256, MODERN);
    let wrong = &folder.card.keys[1].1;
    let taken = "3 - Sample_Key_mismatch.p12".to_owned();
    folder.write_key(&taken, wrong, None, TDEA);
    folder.write("3 - Sample.crt", folder.certificate(KEYS[0].1));
    let left = vec![format!("{}.p12", KEYS[0].0)];
    let mismatch = Finding::KeyMismatch { key: "9A".to_owned() };
    assert_eq!(findings(&folder), [Finding::Generations { taken, left }, mismatch]);
    let card = import(folder.path()).unwrap();
    assert_eq!(keys(&card)[0], (KeyReference::PivAuthentication, wrong.material()));
    folder.write("12 - Iris", [1, 2, 3]);
    assert!(findings(&folder).contains(&Finding::NotUsed { file: "12 - Iris".to_owned() }));
}

#[test]
fn faults_on_purpose_are_named_and_loaded() {
    let other = CardFolder::new("other", 2, P256, MODERN);
    let golden = CardFolder::new("golden", 1, P256, MODERN);
    let with = |file: &str, bytes: &[u8]| {
        let before = golden.read(file);
        golden.write(file, bytes);
        let found = findings(&golden);
        let card = import(golden.path()).unwrap();
        golden.write(file, before);
        (found, card)
    };
    let wrong_hash = |object| Finding::WrongHash { object };
    let name = |key: &str| Finding::OtherFascn { key: key.to_owned() };

    // Another number in the CHUID: bytes 2 to 26 are the FASC-N.
    let mut chuid = golden.raw(0x5F_C102).to_vec();
    chuid[2..27].copy_from_slice(&other.card.numbers.fascn_bytes);
    let (found, card) = with("8 - CHUID Object", &chuid);
    assert_eq!(
        found,
        [wrong_hash("Card Holder Unique Identifier"), Finding::ChuidChanged, name("9A"), name("9E")]
    );
    assert!(objects(&card).iter().any(|(tag, object)| *tag == 0x5F_C102 && first_element(object).0 == chuid));

    let certificate_file = format!("{}.p12", KEYS[3].0);
    let (found, _) = with(&certificate_file, &other.read(&certificate_file));
    assert_eq!(found, [name("9E")]);

    let (found, _) = with("11 - Printed Information", b"\x01\x03abc\xFE\x00");
    assert_eq!(found, [wrong_hash("Printed Information")]);

    // Cut short: no TLV any more, and on the card as it is.
    let cut = &golden.raw(0x5F_C107)[..10];
    let (found, card) = with("7 - CCC", cut);
    assert!(
        matches!(&found[..], [Finding::Object(problem), Finding::WrongHash { .. }] if problem.tag.0 == 0x5F_C107)
    );
    let mut card = inserted(&card);
    assert_eq!(transmit(&mut card, "00CB3FFF055C035FC10700"), format!("530A{}9000", hex::encode_upper(cut)));
}

#[test]
fn the_discovery_object_decides_on_pins() {
    let folder = CardFolder::new("Somebody", 1, P256, MODERN);
    let discovery = "1 - Discovery Object";
    let policy = |policy: [u8; 2]| {
        let object = folder.raw(0x7E);
        folder.write(discovery, [&object[..object.len() - 2], &policy[..]].concat());
        import(folder.path()).unwrap()
    };
    let verify_global = "0020000008373737373737FFFF";

    let mut card = inserted(&policy([0x60, 0x20]));
    assert_eq!(transmit(&mut card, verify_global), "9000");
    assert!(transmit(&mut card, "00CB3FFF055C035FC10900").starts_with("53"));
    let mut card = inserted(&policy([0x40, 0x00]));
    assert_ne!(transmit(&mut card, verify_global), "9000");
    let card = policy([0x78, 0x10]);
    for what in ["a virtual contact interface", "on-card biometric comparison"] {
        assert!(card.findings.contains(&Finding::Promised { what }), "{:?}", card.findings);
    }

    // As in card 25 of the set.
    for stub in [&[0x7E, 0x00][..], &[]] {
        folder.write(discovery, stub);
        assert!(findings(&folder).contains(&Finding::EmptyDiscovery { file: discovery.to_owned() }));
        assert_eq!(transmit(&mut inserted(&import(folder.path()).unwrap()), "00CB3FFF035C017E00"), "6A82");
    }
}

#[test]
fn damaged_files_are_refused_and_leave_no_card() {
    let place = tempfile::tempdir().unwrap();
    let key_file = format!("{}.p12", KEYS[1].0);
    let golden = CardFolder::new("golden", 1, P256, TDEA);
    let folder = golden.path().to_str().unwrap();
    let good_key = golden.read(&key_file);
    let mut changed = good_key.clone();
    // In the middle of what is encrypted.
    changed[good_key.len() / 2] ^= 1;
    let cases: [(&str, Vec<u8>, &str); 9] = [
        (&key_file, b"%PDF-1.7".to_vec(), "no PKCS #12 file"),
        (&key_file, good_key[..good_key.len() - 1].to_vec(), "no PKCS #12 file"),
        (&key_file, Vec::new(), "no PKCS #12 file"),
        (&key_file, changed, "the password does not open"),
        (&key_file, vec![0x30; 5_000_000], "more than the 16380 bytes"),
        ("8 - CHUID Object", vec![0; 5_000_000], "more than the 16380 bytes"),
        ("1 - Discovery Object", golden.raw(0x7E)[..19].to_vec(), "no Discovery Object"),
        ("1 - Discovery Object", golden.raw(0x5F_C102).to_vec(), "no Discovery Object"),
        ("3 - x.crt", b"no certificate".to_vec(), "no certificate in PEM or DER"),
    ];
    let refused = |words: &[&str], sentence: &str| {
        let output = vreader(&place, &[&["card", "import", folder, "a.card"], words].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(sentence) && said.lines().count() == 1, "{sentence}: {said}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "{said}");
    };
    for (file, bytes, sentence) in cases {
        let before = fs::read(golden.path().join(file)).ok();
        golden.write(file, bytes);
        refused(&[], sentence);
        match before {
            Some(before) => golden.write(file, before),
            None => golden.remove(file),
        }
    }
    refused(&["--password", "other"], "the password does not open");
    refused(&["--pin", "12"], "6 to 8 decimal digits");
    refused(&["--flash-size", "12"], "choose a larger --flash-size");
    for (file, _) in OBJECTS {
        golden.remove(file);
    }
    for (file, _) in KEYS {
        golden.remove(&format!("{file}.p12"));
    }
    refused(&[], "holds no file of a card");
    fs::remove_dir(golden.path()).unwrap();
    refused(&[], "cannot read");
}

#[test]
fn no_change_of_a_key_file_gives_another_key() {
    for encryption in [MODERN, RC2] {
        let folder = CardFolder::empty("changed", 1, P256);
        let file = "3 - key.p12";
        let key = &folder.card.keys[0].1;
        // One iteration of each derivation, for there are thousands of files.
        let options = [encryption, &["-noiter", "-nomaciter"]].concat();
        folder.write_key(file, key, Some(folder.certificate(KEYS[0].1)), &options);
        let good = folder.read(file);
        let (mut refused, mut unharmed) = (0, 0);
        for position in 0..good.len() {
            let mut changed = good.clone();
            changed[position] ^= 1 << (position % 8);
            folder.write(file, changed);
            match import(folder.path()) {
                Err(ImportError::Password { .. } | ImportError::KeyFile { .. }) => refused += 1,
                Err(error) => panic!("byte {position}: {error}"),
                Ok(card) => {
                    assert_eq!(
                        keys(&card),
                        [(KeyReference::PivAuthentication, key.material())],
                        "byte {position}"
                    );
                    unharmed += 1;
                }
            }
            folder.write(file, &good[..position]);
            assert!(import(folder.path()).is_err(), "cut at {position}");
        }
        println!("{refused} refused, {unharmed} unharmed");
        assert!(refused > good.len() * 9 / 10);
    }
}

#[test]
fn another_password_opens_what_it_protects() {
    let folder = CardFolder::new("Somebody", 1, P256, MODERN);
    for ((file, tag), (_, key, _)) in KEYS.iter().zip(&folder.card.keys) {
        let certificate = folder.certificate(*tag);
        folder.write_key(&format!("{file}.p12"), key, Some(certificate), &["-passout", "pass:Grüße"]);
    }
    assert!(matches!(import(folder.path()), Err(ImportError::Password { .. })));
    import::import(folder.path(), secrets("Grüße"), &mut DefaultCrypto::new()).unwrap();
}

#[test]
fn the_program_tells_what_it_made() {
    let place = tempfile::tempdir().unwrap();
    let folder = CardFolder::new("golden", 1, P256, MODERN);
    folder.remove("7 - CCC");
    let path = folder.path().to_str().unwrap();
    let output = vreader(&place, &["card", "import", path, "a.card", "--json"]);
    let made: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(made["keys"], serde_json::json!(["9A", "9C", "9D", "9E"]));
    assert_eq!(made["findings"][0]["kind"], "missing_object");
    assert_eq!(made["findings"][0]["number"], 7);
    assert!(made["findings"][0]["text"].as_str().unwrap().contains("Card Capability Container"));
    let output = vreader(&place, &["card", "import", path, "b.card", "--pin", "654321"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("PIN as given") && said.contains("no file `7 - …`"), "{said}");
    let shown = vreader(&place, &["card", "show", "b.card"]);
    assert!(String::from_utf8(shown.stdout).unwrap().contains(&folder.card.person.name));
    let output = vreader(&place, &["card", "import", path, "a.card"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("exists already"));
}

/// What is wrong with the cards of the official set, as far as importing looks.
fn expected_findings(card: &str) -> Vec<Finding> {
    let key = |key: &str| key.to_owned();
    match card {
        "04_Tampered_CHUID" => {
            ["9A", "9C", "9D", "9E"].map(|name| Finding::OtherFascn { key: key(name) }).to_vec()
        }
        "16_Card_Authentication_FASCN_mismatch" => vec![Finding::OtherFascn { key: key("9E") }],
        "23_Public_Private_Key_mismatch" => {
            vec![Finding::KeyMismatch { key: key("9A") }, Finding::KeyMismatch { key: key("9E") }]
        }
        "25_Disco_Object_Not_Present" => vec![Finding::EmptyDiscovery { file: key("1 - Discovery Object") }],
        "38_Bad_Hash_in_Sec_Object" => vec![Finding::WrongHash { object: "Printed Information" }],
        _ => Vec::new(),
    }
}

#[test]
fn the_official_cards_are_loaded_byte_for_byte() {
    let Some(folder) = vectors::files::shared("icam").unwrap() else { return };
    let mut cards = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let card = import(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(card.keys.len(), 4, "{name}");
        let mut found = card.findings.clone();
        if name.starts_with("04_") {
            // The FASC-N itself is changed as well: parity, hash and digest do not fit either.
            let changed =
                [Finding::ChuidChanged, Finding::WrongHash { object: "Card Holder Unique Identifier" }];
            assert!(changed.iter().all(|finding| found.contains(finding)), "{found:?}");
            found.retain(|finding| matches!(finding, Finding::OtherFascn { .. }));
        }
        assert_eq!(found, expected_findings(name), "{name}");
        assert_eq!(card.has_global_pin, name.contains("Global_PIN"), "{name}");
        for object in &layout::OBJECTS {
            let (file, _) = OBJECTS.iter().find(|(_, tag)| *tag == object.tag).unwrap();
            let raw = fs::read(path.join(file)).unwrap();
            let loaded =
                card.objects.iter().find(|(tag, _)| tag.get() == object.tag).map(|(_, object)| object);
            match (object.tag, loaded) {
                (0x7E, None) => assert_eq!(raw, [0x7E, 0x00]),
                (0x7E, Some(loaded)) => assert_eq!(*loaded, raw),
                (_, loaded) => assert_eq!(first_element(loaded.unwrap()).0, raw, "{name}: {file}"),
            }
        }
        cards += 1;
    }
    assert_eq!(cards, 10);
}
