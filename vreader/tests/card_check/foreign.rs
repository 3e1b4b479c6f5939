//! Cards that others have issued: NIST SD33, and GSA ICAM test cards, good and bad.

use vreader::check::{Options, Outcome, Report, check_evidence};

use crate::support::{assert_clean, failed, icam, outcome, sd33, today};

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
