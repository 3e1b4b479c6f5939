//! Revocation lists: `openssl crl` reads and verifies them, `openssl verify` refuses what stands in them.

use card_sim::key::AsymmetricAlgorithm;
use vreader::{
    crypto::DefaultCrypto,
    issue::{Date, Pki},
    revocation::{Reason, Revocation, SerialNumber, crl::RevocationList},
};

use crate::{
    bench::{DURING_LIFE, openssl, text, try_openssl},
    card_folder::pem,
    office::{
        ALSO_GOOD, GOOD, ISSUING, ON_HOLD, Office, REVOKED_ONLY, ROOT, STOLEN, STRANGE, SUPERSEDED, Slot, run,
    },
};

/// 2029-01-04, when the list has ended.
const AFTER_THE_LIST: &[&str] = &["-attime", "1862179201"];

/// `openssl verify` of a certificate against the authority's list.
fn verify(office: &Office, slot: Slot, time: &[&str]) -> Result<String, String> {
    let list = office.list(ISSUING);
    let (root, ca, leaf) = (office.path("root.pem"), office.path("ca.pem"), office.certificate(slot));
    let files = ["-CRLfile", text(&list), "-CAfile", text(&root), "-untrusted", text(&ca), text(&leaf)];
    try_openssl(&[&["verify", "-x509_strict", "-crl_check"], time, &files].concat())
}

#[test]
fn what_is_revoked_is_refused() {
    let office = Office::open();
    for slot in [GOOD, ALSO_GOOD, STRANGE] {
        let accepted = verify(&office, slot, DURING_LIFE).unwrap_or_else(|error| panic!("{slot:?}: {error}"));
        assert!(accepted.ends_with(": OK\n"), "{accepted}");
    }
    for slot in [STOLEN, SUPERSEDED, ON_HOLD, REVOKED_ONLY] {
        let refused = verify(&office, slot, DURING_LIFE).unwrap_err();
        assert!(refused.contains("error 23 at 0 depth lookup: certificate revoked"), "{slot:?}: {refused}");
    }
}

#[test]
fn a_list_that_has_ended_is_not_believed() {
    let office = Office::open();
    let refused = verify(&office, GOOD, AFTER_THE_LIST).unwrap_err();
    assert!(refused.contains("CRL has expired"), "{refused}");
}

/// The root's list is empty, and counts all the same.
#[test]
fn the_whole_chain_can_be_checked() {
    let office = Office::open();
    let lists: String =
        [ISSUING, ROOT].map(|name| std::fs::read_to_string(office.list(name)).unwrap()).concat();
    let lists = office.write("lists.pem", lists.as_bytes());
    let (root, ca, leaf) = (office.path("root.pem"), office.path("ca.pem"), office.certificate(GOOD));
    let files = ["-CRLfile", text(&lists), "-CAfile", text(&root), "-untrusted", text(&ca), text(&leaf)];
    openssl(&[&["verify", "-x509_strict", "-crl_check_all"], DURING_LIFE, &files].concat());
    let empty = openssl(&["crl", "-in", text(&office.list(ROOT)), "-noout", "-text"]);
    assert!(empty.contains("No Revoked Certificates."), "{empty}");
}

#[test]
fn a_list_reads_as_it_should() {
    let office = Office::open();
    let printed = openssl(&["crl", "-in", text(&office.list(ISSUING)), "-noout", "-text"]);
    let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    let entry = |slot, reason: &str| {
        let serial = office.serial(slot);
        format!("Serial Number: {serial} Revocation Date: Feb 3 04:05:06 2026 GMT{reason}")
    };
    let with = |reason: &str| format!(" CRL entry extensions: X509v3 CRL Reason Code: {reason}");
    let no_reason = entry(REVOKED_ONLY, " ");
    for line in [
        "Version 2 (0x1)",
        "Signature Algorithm: ecdsa-with-SHA256",
        "Issuer: C = US, O = Sample Organization, OU = Sample PKI, CN = Sample Issuing CA",
        "Last Update: Dec 28 00:00:00 2028 GMT Next Update: Jan 4 00:00:00 2029 GMT",
        "X509v3 Authority Key Identifier: ",
        "X509v3 CRL Number: 7 Revoked",
        &entry(STOLEN, &with("Key Compromise")),
        &entry(SUPERSEDED, &with("Superseded")),
        &entry(ON_HOLD, &with("Certificate Hold")),
        &no_reason,
    ] {
        assert!(printed.contains(line), "'{line}' is not in:\n{printed}");
    }
    assert!(!printed.contains(&format!("{no_reason}CRL entry")), "{printed}");
    assert!(!printed.contains(&office.serial(GOOD)), "{printed}");
}

/// A list of every kind of authority is verified with its certificate, and with no other.
#[test]
fn lists_are_signed_by_their_authority() {
    use AsymmetricAlgorithm::{EccP256, EccP384, Rsa2048};
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    for (algorithm, name) in
        [(EccP256, "ecdsa-with-SHA256"), (EccP384, "ecdsa-with-SHA384"), (Rsa2048, "sha256WithRSAEncryption")]
    {
        let mut crypto = DefaultCrypto::new();
        let pki = Pki::create(Some(1), algorithm, Date::new(2026, 1, 1).unwrap(), &mut crypto).unwrap();
        let time = "2060-01-01T12:00:00Z".parse().unwrap();
        let list = RevocationList {
            number: u64::MAX,
            this_update: time,
            next_update: "2060-01-02".parse().unwrap(),
            entries: vec![(
                SerialNumber::from(1_u8),
                Revocation { time, reason: Reason::AffiliationChanged },
            )],
        };
        let list =
            write("list.pem", list.sign(&pki.issuing_ca, &mut crypto).unwrap().pem().unwrap().as_bytes());
        let verify = |authority: &[u8]| {
            let file = write("authority.pem", pem("CERTIFICATE", authority).as_bytes());
            let words = ["crl", "-in", text(&list), "-verify", "-CAfile", text(&file), "-noout", "-text"];
            let output = run("openssl", &words);
            String::from_utf8([output.stderr, output.stdout].concat()).unwrap()
        };
        let verified = verify(pki.issuing_ca.certificate_der());
        for line in [
            "verify OK",
            name,
            "Last Update: Jan  1 12:00:00 2060 GMT",
            "Affiliation Changed",
            "18446744073709551615",
        ] {
            assert!(verified.contains(line), "'{line}' is not in:\n{verified}");
        }
        let other = verify(pki.root.certificate_der());
        assert!(!other.contains("verify OK"), "{other}");
    }
}
