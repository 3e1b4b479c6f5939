//! Reports of cards that others have issued: NIST SD33 and GSA ICAM test cards.

use std::path::Path;

use serde_json::Value;

use super::tests::{contents, wrap};
use super::*;

/// The objects of a NIST SD33 card.
fn sd33(card: u8) -> Option<Contents> {
    let path = vectors::files::shared(&format!("nist_sd33_card{card}_objects.json")).unwrap()?;
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let objects = file["objects"].as_object().unwrap().iter().map(|(tag, object)| {
        (u32::from_str_radix(tag, 16).unwrap(), hex::decode(object.as_str().unwrap()).unwrap())
    });
    Some(contents(objects.collect()))
}

#[test]
fn sd33_cards() {
    // Certificates in slots and of the secure messaging signer; how many of them are compressed.
    let cases = [
        (2, "Test Cardholder Jr.", "Contractor", "3201-0295-034567-0-0-0000000000-0-0000-0", 6, 6),
        (3, "Test Cardholder III", "Employee", "3201-8575-714932-1-3-7163720148-1-3201-1", 9, 0),
        (4, "Test E. Cardholder IV", "Employee", "3201-3733-334894-1-4-1152472674-1-3201-1", 12, 0),
        (5, "Test E. Cardholder V", "Employee", "3201-1922-843790-2-4-4110207347-1-3201-1", 5, 0),
        (16, "Test Cardholder XVI", "Affiliate", "9999-9999-999999-1-2-6998931393-1-3201-6", 5, 0),
    ];
    for (card, name, affiliation, fascn, certificates, compressed) in cases {
        let Some(contents) = sd33(card) else { return };
        let report = inspect(&contents);
        assert_eq!(report.problems, [], "card {card}");
        let holder = report.holder.unwrap();
        assert_eq!((holder.name.as_str(), holder.affiliation.as_deref()), (name, Some(affiliation)));
        assert_eq!(report.identifiers.fascn_text.as_deref(), Some(fascn));
        assert_eq!(report.certificates.len(), certificates, "card {card}");
        assert_eq!(report.certificates.iter().filter(|entry| entry.compressed).count(), compressed);
        assert_eq!(report.issued.unwrap().date.to_string(), "2019-08-05");
        assert_eq!(report.expires.unwrap().date.to_string(), "2040-12-31");
        assert_eq!(report.objects.len(), 35);
    }
}

/// The objects of a GSA ICAM card. The discovery object is complete, the others stand there without their `53`.
fn icam(folder: &Path) -> Contents {
    const FILES: [(&str, u32); 6] = [
        ("2 - Security Object", 0x5F_C106),
        ("7 - CCC", 0x5F_C107),
        ("8 - CHUID Object", 0x5F_C102),
        ("9 - Fingerprints", 0x5F_C103),
        ("10 - Face Object", 0x5F_C108),
        ("11 - Printed Information", 0x5F_C109),
    ];
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let wrapped = FILES.iter().map(|(name, tag)| (*tag, wrap(&read(name))));
    contents(wrapped.chain([(0x7E, read("1 - Discovery Object"))]).collect())
}

#[test]
fn icam_cards() {
    let golden_number = "4700-0256-001337-1-1-1234567890-1-9999-1";
    let cases = [
        ("01_Golden_PIV", "Golden PIV", golden_number, ""),
        ("04_Tampered_CHUID", "Tampered CHUID", "", "FASC-N: symbol 3 has the wrong parity"),
        ("05_Tampered_Certificates", "Tampered Certificates", golden_number, ""),
        ("16_Card_Authentication_FASCN_mismatch", "Card Auth FASCN mismatch", golden_number, ""),
        ("23_Public_Private_Key_mismatch", "Public Private Key mismatch", golden_number, ""),
        (
            "25_Disco_Object_Not_Present",
            "ICAM Card 25 Discovery Object Not Present",
            "4700-0257-000025-1-1-0257400002-5-4700-1",
            "the application identifier 4F is missing",
        ),
        (
            "28_Disco_Object_Present_Global_PIN_Primary",
            "ICAM Card 28 Discovery Object Present, Global PIN Prim",
            "4700-0257-000028-1-1-0257400002-8-4700-1",
            "",
        ),
        (
            "38_Bad_Hash_in_Sec_Object",
            "ICAM Card 38 Bad Hash in Security Object",
            "4700-0257-000038-1-1-0257000038-1-9999-1",
            "",
        ),
        (
            "46_Golden_FIPS_201-2_PIV",
            "ICAM Card 46 Golden FIPS 201-2 PIV",
            "4700-0257-000046-1-1-0257000046-1-9999-1",
            "",
        ),
        (
            "53_FIPS_201-2_Large_Card_Auth_Cert",
            "ICAM Card 53 Golden FIPS 201-2 PIV Large Card Auth Cert",
            "4700-0257-000053-1-1-0257000053-1-9999-1",
            "",
        ),
    ];
    let Some(folder) = vectors::files::shared("icam").unwrap() else { return };
    for (card, name, fascn, problem) in cases {
        let report = inspect(&icam(&folder.join(card)));
        let problems: Vec<_> = report.problems.iter().map(|problem| problem.problem.as_str()).collect();
        assert_eq!(problems.join("\n"), problem, "{card}");
        assert_eq!(report.holder.unwrap().name, name);
        assert_eq!(report.identifiers.fascn_text.unwrap_or_default(), fascn);
        assert_eq!(report.expires.unwrap().date.to_string(), "2032-12-02");
    }
}

/// Every certificate file of the ICAM cards, each in the container of its slot.
#[test]
fn icam_certificates() {
    let Some(folder) = vectors::files::shared("icam").unwrap() else { return };
    let mut read = 0;
    for card in std::fs::read_dir(folder).unwrap() {
        for file in std::fs::read_dir(card.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let (tag, slot) = match name.split(" - ").next() {
                Some("3") => (0x5F_C105, "9A"),
                Some("4") => (0x5F_C10A, "9C"),
                Some("5") => (0x5F_C10B, "9D"),
                Some("6") => (0x5F_C101, "9E"),
                _ => continue,
            };
            if path.extension() != Some("crt".as_ref()) {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let pem = &text[text.find("-----BEGIN").unwrap()..];
            let (_, certificate) = der::Document::from_pem(pem).unwrap();
            let header =
                apdu::tlv_ber::Header::new(apdu::Tag::new(0x70), certificate.as_bytes().len()).unwrap();
            let object =
                wrap(&[header.as_slice(), certificate.as_bytes(), &[0x71, 0x01, 0x00, 0xFE, 0x00]].concat());
            let report = inspect(&contents(BTreeMap::from([(tag, object)])));
            assert_eq!(report.problems, [], "{}", path.display());
            let entry = &report.certificates[0];
            assert_eq!((entry.slot.as_deref(), entry.algorithm.as_str()), (Some(slot), "RSA-2048"));
            assert!(entry.issuer.contains("CN=ICAM Test Card Signing CA"), "{}", entry.issuer);
            read += 1;
        }
    }
    assert!(read >= 40, "only {read} certificates");
}
