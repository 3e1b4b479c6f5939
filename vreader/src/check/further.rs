//! What SP 800-85B does not ask and FIPS 201-3 does: certificates that are valid now, and an authority's.

use spki::SubjectPublicKeyInfoOwned;
use x509_cert::Certificate;

use super::{
    certificate::{self, SLOTS},
    cms,
    evidence::Subject,
    outcome::{Check, must, not_applicable},
    report::{Part, RowReport},
    rows::container_name,
    signature::issued_by,
};

/// All rows of this list.
pub(super) fn rows(subject: &Subject<'_>, authorities: &[SubjectPublicKeyInfoOwned]) -> Vec<RowReport> {
    let mut rows = Vec::new();
    let mut row = |id: String, about: &str, text: &str, check: Check| {
        let (about, text) = (about.to_owned(), text.to_owned());
        rows.push(RowReport { part: Part::Further, id, about, text, outcome: check.into() });
    };
    for (tag, reference) in SLOTS {
        let read = || subject.certificate(tag);
        row(
            format!("{reference:02X}.1"),
            container_name(tag),
            "The certificate is valid on the day of the check (FIPS 201-3, 6.2)",
            read().and_then(|(certificate, _)| certificate::valid_on(&certificate, subject.now)),
        );
        row(
            format!("{reference:02X}.2"),
            container_name(tag),
            "One of the given authorities signed the certificate (FIPS 201-3, 6.2)",
            read().and_then(|(certificate, der)| authority(&der, &certificate, authorities)),
        );
    }
    row(
        "signer.1".to_owned(),
        "Card Holder Unique Identifier",
        "The content signer's certificate does not end before that of card authentication (FIPS 201-3, 4.2.1)",
        outlives(subject),
    );
    rows
}

fn authority(der: &[u8], certificate: &Certificate, authorities: &[SubjectPublicKeyInfoOwned]) -> Check {
    if authorities.is_empty() {
        return not_applicable("no authority was given; name one with --authority");
    }
    must(
        authorities.iter().any(|key| issued_by(der, certificate, key)),
        "the signature of an authority that was given",
        || format!("another signature, said to be that of {}", certificate.tbs_certificate().issuer()),
    )
}

/// The content signer's certificate must not end before that of card authentication.
fn outlives(subject: &Subject<'_>) -> Check {
    let signer = cms::content_signer(subject)?;
    let (card, _) = subject.certificate(certificate::CARD_AUTHENTICATION)?;
    let (signer, card) = (certificate::last_day(&signer), certificate::last_day(&card));
    must(
        signer >= card,
        &format!("an end not before that of the card authentication certificate, {card}"),
        || signer.to_string(),
    )
}
