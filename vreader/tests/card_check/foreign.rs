//! Cards that others have issued: NIST SD33, and GSA ICAM test cards, good and bad.

use der::DecodePem;
use spki::SubjectPublicKeyInfoOwned;
use vreader::check::{Options, Outcome, Report, check_evidence};

use crate::support::{assert_clean, check_card, failed, icam, icam_card, outcome, sd33, today};

fn report(card: &str) -> Option<Report> {
    Some(check_evidence(&icam(card)?, &Options::on(today())))
}

#[test]
fn genuine_nist_cards_pass() {
    for card in [2, 3, 4, 5, 16] {
        let Some(evidence) = sd33(card) else { return };
        let report = check_evidence(&evidence, &Options::on(today()));
        assert_clean(&report, &format!("NIST card {card}"));
        assert!(report.counts.passed > 250, "{:?}", report.counts);
    }
}

#[test]
fn golden_icam_cards_pass() {
    for card in ["01_Golden_PIV", "46_Golden_FIPS_201-2_PIV", "53_FIPS_201-2_Large_Card_Auth_Cert"] {
        let Some(report) = report(card) else { return };
        assert_clean(&report, card);
        assert!(report.counts.passed > 250, "{:?}", report.counts);
    }
}

#[test]
fn wrong_icam_cards_fail_what_their_names_say() {
    let cases: [(&str, &[&str]); 5] = [
        (
            "04_Tampered_CHUID",
            // The FASC-N is malformed, and another than that of biometrics and certificates; signature and hash differ.
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
        ("16_Card_Authentication_FASCN_mismatch", &["11.4.2.7.1"]),
        // Without a Discovery Object a card is as legal as with one; its rows do not apply.
        ("25_Disco_Object_Not_Present", &[]),
        // A legal policy. Whether the card has the Global PIN that it promises, only the card can show.
        ("28_Disco_Object_Present_Global_PIN_Primary", &[]),
        ("38_Bad_Hash_in_Sec_Object", &["10.4.1.1"]),
    ];
    for (card, rows) in cases {
        let Some(report) = report(card) else { return };
        assert_eq!(failed(&report), rows, "{card}:\n{report}");
    }
}

#[test]
fn a_card_without_discovery_object_is_told() {
    let Some(report) = report("25_Disco_Object_Not_Present") else { return };
    let reason = "the container of Discovery Object is empty".to_owned();
    assert_eq!(*outcome(&report, "8.11.1.1"), Outcome::NotApplicable { reason });
}

/// The public key of "ICAM Test Card Signing CA" before 2018. It is on no card: it was computed from two of its
/// signatures, and its SHA-1 is the authority key identifier of the certificates.
const ICAM_SIGNING_CA: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIIBojANBgkqhkiG9w0BAQEFAAOCAY8AMIIBigKCAYEA+hfc4g/pHHnfGq6NOGeI\n\
7JjdTKge2Fm2GV4cL6Vk3QHkhV7D00Pwa4jSWrE2oB5RSSvuBsn7DHAUmzppXVax\n\
AkwlPvnj/grZuTpkGbX8b8ICzl+T2waQeZWbaWTMkrJPMClT54SB3rSbXHlNK/T5\n\
QspWnAqDHvAgqUtCCR7w/kHZTYxFSCCROhsG3ltriWbC8aBG+XI5sl3B8oJ5Aioe\n\
SOTZSq78//m7CY4qxAfaiaSjWipl2LyYUH5FV1qX/E8Yb6YYRVe5BnVz8Oj6wNmH\n\
WaGbggOBvAS4OhHEzW1zpdNi6mdYJ7tvAYVh0QPv2cBAY/DQZGbgafJa9p/PREuM\n\
Sd3rcpk7DwSJisKQC9IVw6H/D43OW4LGVsBF2Cwg4u0YjRO9Q6l17e8yf5Hr37LV\n\
a4rzc7w8yUavGrCTZR0VNY+UNXubqMgVqnt9bdnqutfpPBdmhe5TTz+jwAtj5LXz\n\
+TX6HCo/R4zpJNoI9LfdpLkwx/vLaWLoH+I95oJEgGU5AgMBAAE=\n\
-----END PUBLIC KEY-----";

#[test]
fn the_authority_tells_which_certificates_were_tampered_with() {
    let authorities = vec![SubjectPublicKeyInfoOwned::from_pem(ICAM_SIGNING_CA).unwrap()];
    let options = Options { authorities, ..Options::on(today()) };
    let Some(golden) = icam("01_Golden_PIV") else { return };
    assert_clean(&check_evidence(&golden, &options), "01_Golden_PIV under its authority");
    let Some(tampered) = icam("05_Tampered_Certificates") else { return };
    assert_eq!(failed(&check_evidence(&tampered, &options)), ["9A.2", "9E.2"]);
    // Without the authority nothing on the card shows it.
    assert_eq!(failed(&check_evidence(&tampered, &Options::on(today()))), [""; 0]);
}

/// The card-verifiable certificates that genuine cards showed, under the signers in their containers.
#[test]
fn genuine_card_verifiable_certificates_pass() {
    for (card, recording) in [
        (3, "real_sd33_card3_contact_CS2_intermediateCVC.json"),
        (4, "real_sd33_card4_contact_CS2.json"),
        (5, "real_sd33_card5_contactless_CS7.json"),
    ] {
        let (Some(mut evidence), Some(path)) = (sd33(card), vectors::files::shared(recording).unwrap())
        else {
            return;
        };
        let file: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let certificate = hex::decode(file["opacity"]["cvc_raw"].as_str().unwrap()).unwrap();
        evidence.card_verifiable_certificate = Some(certificate.clone());
        let report = check_evidence(&evidence, &Options::on(today()));
        assert_clean(&report, recording);
        for id in ["11.5.1", "11.5.2", "11.5.3"] {
            assert_eq!(*outcome(&report, id), Outcome::Passed, "{recording}, {id}");
        }
        let intermediate = ["11.6.1", "11.6.2"].map(|id| *outcome(&report, id) == Outcome::Passed);
        assert_eq!(intermediate, [card == 3; 2]);
        // Another card's certificate has another Card UUID.
        let Some(mut other) = sd33(if card == 5 { 2 } else { 5 }) else { return };
        other.card_verifiable_certificate = Some(certificate);
        assert_eq!(failed(&check_evidence(&other, &Options::on(today()))), ["11.5.3"], "{recording}");
    }
}

/// An ICAM card with its keys, in a card file, checked with all its commands.
fn check_with_keys(card: &str) -> Option<Report> {
    let folder = vectors::files::shared("icam").unwrap()?.join(card);
    let issued = icam_card(card, &folder)?;
    Some(check_card(&issued, &Options::on(today())))
}

#[test]
fn a_golden_card_with_its_keys_passes() {
    let Some(report) = check_with_keys("46_Golden_FIPS_201-2_PIV") else { return };
    assert_clean(&report, "46_Golden_FIPS_201-2_PIV with its keys");
    for id in ["11.1.2.5", "11.2.2.2", "11.3.2.2", "11.4.2.6"] {
        assert_eq!(*outcome(&report, id), Outcome::Passed, "{id}");
    }
}

#[test]
fn keys_that_are_not_those_of_the_certificates_are_told() {
    let Some(report) = check_with_keys("23_Public_Private_Key_mismatch") else { return };
    // 9A and 9E are other keys: row "private key corresponds", and their use.
    assert_eq!(failed(&report), ["11.1.2.5", "11.4.2.6", "05.34a", "05.34b"], "{report}");
}

/// The card file has no Global PIN, which the card's Discovery Object promises.
#[test]
fn a_global_pin_that_is_promised_must_be_there() {
    let Some(report) = check_with_keys("28_Disco_Object_Present_Global_PIN_Primary") else { return };
    assert_eq!(failed(&report), ["8.11.1.5", "05.13"], "{report}");
}
