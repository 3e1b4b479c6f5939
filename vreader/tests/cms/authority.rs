//! Authorities that may not sign: revoked, without their key, or out of their days. Nothing is begun that they would have to sign.

use std::time::Duration;

use card_sim::key::KeyReference;
use der::Decode;
use vreader::{
    card_client::Line,
    clock::Time,
    cms::{
        Cms, CmsError, UpdateOptions, Wish,
        state::{Reason, RequestKind},
    },
    emulated::EmulatedCard,
    reader::InsertedCard,
};
use x509_cert::{Certificate, crl::CertificateList};

use crate::{
    support::{Office, PIN, access, assert_agree, assert_keys_fit, assigned, blank_card, issue, reinsert},
    untouched::{assert_logged, refused, update, wish},
};

const ROOT: &str = "Root";
const ISSUING: &str = "Issuing";
const SIGNER: &str = "Signer";

/// An office with an issued card, and an assigned one for which issuance is requested.
fn office() -> (Office, EmulatedCard, EmulatedCard) {
    let office = Office::new();
    let (mut first, mut second) = (blank_card(1), blank_card(2));
    let mut cms = office.cms();
    let id = issue(&mut cms, &mut first, "Dana Quincy Sample");
    wish(&mut cms, id, RequestKind::Renewal);
    let id = assigned(&mut cms, &mut second, "Robin Example Sample");
    wish(&mut cms, id, RequestKind::Issuance);
    (office, first, second)
}

#[test]
fn a_revoked_authority_and_those_below_it_sign_nothing() {
    for revoked in [ROOT, ISSUING, SIGNER] {
        let (office, mut issued, mut assigned) = office();
        office.cms().revoke_authority(revoked).unwrap();
        for card in [&mut issued, &mut assigned] {
            refused(&office, card, "was revoked; it signs nothing any more", update);
        }
    }
}

#[test]
fn an_authority_publishes_for_a_week_even_when_it_is_revoked() {
    let (office, mut card, _) = office();
    let mut cms = office.cms();
    let serial = |part: &str| {
        let row = office.cms().authority(part).unwrap();
        Certificate::from_der(&row.certificate).unwrap().tbs_certificate().serial_number().clone()
    };
    let list = |cms: &mut Cms, part: &str| {
        let list = cms.revocation_list(part).unwrap();
        CertificateList::from_der(list.der()).unwrap().tbs_cert_list
    };
    assert!(list(&mut cms, ROOT).revoked_certificates.is_none());
    cms.revoke_authority(ISSUING).unwrap();
    let of_root = list(&mut cms, ROOT);
    let revoked: Vec<_> =
        of_root.revoked_certificates.unwrap().into_iter().map(|entry| entry.serial_number).collect();
    assert_eq!(revoked, [serial(ISSUING)]);
    let seconds = |time: x509_cert::time::Time| time.to_unix_duration();
    let week = Duration::from_hours(7 * 24);
    assert_eq!(seconds(of_root.next_update.unwrap()), seconds(of_root.this_update) + week);
    list(&mut cms, ISSUING);
    cms.forget_authority_key(ISSUING).unwrap();
    refused(&office, &mut card, "is not here, or its private key is not", |cms, _| {
        cms.revocation_list(ISSUING).map(drop)
    });
}

#[test]
fn an_authority_without_its_key_signs_nothing() {
    for lost in [ISSUING, SIGNER] {
        let (office, mut issued, mut assigned) = office();
        office.cms().forget_authority_key(lost).unwrap();
        for card in [&mut issued, &mut assigned] {
            refused(&office, card, "is not here, or its private key is not", update);
        }
    }
}

#[test]
fn a_removal_needs_no_authority() {
    let office = Office::new();
    let mut card = blank_card(1);
    let mut cms = office.cms();
    let id = issue(&mut cms, &mut card, "Dana Quincy Sample");
    cms.revoke_authority(ISSUING).unwrap();
    let slots = vec![KeyReference::DigitalSignature];
    cms.request(&Wish { slots, ..Wish::new(id, RequestKind::Removal, Reason::None) }).unwrap();
    update(&mut cms, &mut card).unwrap();
    assert_agree(&mut cms, &mut card, Some(PIN), "after the removal");
}

#[test]
fn an_authority_signs_within_its_days() {
    let (mut office, _, mut assigned) = office();
    let last = |part: &str| {
        let row = office.cms().authority(part).unwrap();
        let certificate = Certificate::from_der(&row.certificate).unwrap();
        let end = certificate.tbs_certificate().validity().not_after.to_unix_duration();
        Time::from_seconds(end.as_secs())
    };
    let end = last(SIGNER);
    assert!(end < last(ISSUING), "the content signer is the first whose days are over");
    office.now = end.plus(Duration::from_secs(1));
    refused(
        &office,
        &mut assigned,
        "Content Signer,OU=Sample PKI,O=Sample Organization,C=US' is not valid on",
        update,
    );
    office.now = end;
    update(&mut office.cms(), &mut assigned).unwrap();
}

#[test]
fn an_authority_signs_nothing_before_its_first_day() {
    // The log begins on the day of the database, and the clock may not go behind it: an authority of later days is put in instead.
    let (office, mut issued, mut assigned) = office();
    let later = Office::of("2029-01-05T09:00:00Z", "2029-01-05T09:00:00Z");
    let connection = rusqlite::Connection::open(office.database()).unwrap();
    let path = later.database().display().to_string();
    connection.execute("ATTACH ?1 AS later", [path]).unwrap();
    let replaced = connection
        .execute(
            "UPDATE authority SET (certificate, private_key) = \
             (SELECT certificate, private_key FROM later.authority AS new WHERE new.role = authority.role)",
            [],
        )
        .unwrap();
    assert_eq!(replaced, 3);
    drop(connection);
    for card in [&mut issued, &mut assigned] {
        refused(&office, card, "is not valid on 2026-01-05", update);
    }
}

#[test]
fn an_authority_that_is_revoked_in_the_middle_signs_nothing_more() {
    let (office, mut card, _) = office();
    let mut other = office.cms();
    let mut keys = 0;
    let mut line = Line::new(|command| {
        keys += usize::from(command[1] == 0x47);
        if command[1] == 0x47 && keys == 2 {
            other.revoke_authority(ISSUING).unwrap();
        }
        Ok(card.transmit(command))
    });
    let mut cms = office.cms();
    let error = cms.update(&mut line, &access(Some(PIN), None), &UpdateOptions::default()).unwrap_err();
    drop(line);
    assert!(matches!(error, CmsError::RevokedAuthority(_)), "{error}");
    assert_logged(&cms, &error.to_string());
    reinsert(&mut card);
    assert_keys_fit(&mut card, "after the revocation");
    assert_eq!(cms.open_sessions().unwrap().len(), 1, "the card waits for an authority");
}
