//! The broken cards that `vreader card new --broken` makes: exactly the rows fail that speak of the fault.

use card_sim::sm::CipherSuite;
use der::Decode;
use vreader::{
    check::Options,
    issue::{Fault, Features, Request, SecureMessaging},
};
use x509_cert::Certificate;

use crate::support::{check_card, failed, issue_card, options, today};

/// Each fault with the rows that find it.
const FOUND: [(&str, &[&str]); 14] = [
    ("tampered-chuid", &["10.1.1.9"]),
    ("fascn-mismatch", &["11.4.2.7.1"]),
    ("uuid-mismatch", &["11.4.2.7.2"]),
    ("expired", &["8.2.4", "9A.1", "9C.1", "9D.1", "9E.1"]),
    ("not-yet-valid", &["9A.1", "9C.1", "9D.1", "9E.1"]),
    ("wrong-hash", &["10.4.1.1"]),
    ("wrong-key", &["05.34b", "11.1.2.5"]),
    ("tampered-certificate", &["9A.2"]),
    ("tampered-fingerprints", &["10.2.1.9"]),
    ("tampered-face", &["10.3.1.9"]),
    // The Discovery Object is optional on a card that has only a PIV PIN.
    ("no-discovery", &[]),
    ("no-security-object", &["02.03a", "8.10.0.3"]),
    ("wrong-signer", &["10.2.1.13", "10.3.1.13", "11.7.2.4.2"]),
    ("cvc-mismatch", &["05.41-R4a", "05.41-R4b", "05.41-R4c"]),
];

#[test]
fn each_fault_fails_the_rows_that_speak_of_it() {
    assert_eq!(FOUND.map(|(name, _)| name), Fault::ALL.map(|(fault, ..)| fault.name()));
    for (name, rows) in FOUND {
        let fault = Fault::find(name).unwrap();
        let secure_messaging = (name == "cvc-mismatch")
            .then_some(SecureMessaging { suite: CipherSuite::Cs2, intermediate: false });
        let features = Features { secure_messaging, ..Features::default() };
        let issued = Some(today());
        let card = issue_card(&Request {
            seed: Some(4),
            issued,
            features,
            broken: Some(fault),
            ..Request::default()
        });
        let authority = Certificate::from_der(card.pki.issuing_ca.certificate_der()).unwrap();
        let authorities = vec![authority.tbs_certificate().subject_public_key_info().clone()];
        let report = check_card(&card, &Options { authorities, ..options() });
        let mut found = failed(&report);
        found.sort_unstable();
        assert_eq!(found, rows, "{name}");
    }
}
