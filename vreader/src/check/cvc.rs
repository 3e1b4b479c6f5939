//! Card-verifiable certificates: rows 11.5 and 11.6, which the GSA's tool names and never checked.
//!
//! | row | what is asked (SP 800-73-5 part 2, tables 15 and 16) |
//! |---|---|
//! | 11.5.1 | the certificate of the key `04` is made as table 15 says |
//! | 11.5.2 | its curve, hash and signature are those of a cipher suite |
//! | 11.5.3 | its subject is the Card UUID, and its chain holds, up to the content signer in `5FC122` |
//! | 11.6.1 | an intermediate certificate is made as table 16 says, and named after its key |
//! | 11.6.2 | the RSA content signer signed it with SHA-256 |

use card_sim::sm::CipherSuite;
use sha1::{Digest, Sha1};

use super::{
    evidence::Subject,
    outcome::{Check, Seen, failed, hex, must, not_applicable},
};
use crate::{
    issue::{oid, tlv},
    sm::cvc::{CardVerifiableCertificate, CvcError, SignerContainer},
};

const SIGNER: u32 = 0x5F_C122;

/// Rows of 11.5 and 11.6.
pub(super) fn row(id: &str, subject: &Subject<'_>) -> Check {
    match id {
        "11.5.1" => {
            let certificate = read(bytes(subject)?)?;
            must(certificate.role == 0x00, "role 00: the key of a card", || {
                format!("{:02X}", certificate.role)
            })
        }
        "11.5.2" => {
            let certificate = card_certificate(subject)?;
            // A card's certificate is signed on the curve of its key, by signer or intermediate key.
            let wanted = match certificate.suite {
                CipherSuite::Cs2 => oid::ECDSA_WITH_SHA_256,
                CipherSuite::Cs7 => oid::ECDSA_WITH_SHA_384,
            };
            let found = certificate.algorithm();
            must(found == wanted, &format!("a signature with {wanted}"), || found.to_string())
        }
        "11.5.3" => {
            let certificate = card_certificate(subject)?;
            let signer = signer(subject)?;
            if let Ok(uuid) = subject.card_uuid() {
                must(
                    certificate.subject == uuid,
                    &format!("the Card UUID {} as the subject", hex(uuid)),
                    || hex(&certificate.subject),
                )?;
            }
            chain(signer.check(&certificate, &[]))
        }
        "11.6.1" => {
            let intermediate = intermediate(subject)?;
            must(intermediate.role == 0x12, "role 12: a key that signs certificates", || {
                format!("{:02X}", intermediate.role)
            })?;
            let name = Sha1::digest(tlv::element(0x86, &intermediate.point));
            let wanted = name.get(..8).unwrap_or_default();
            must(
                intermediate.subject == wanted,
                &format!("the hash of its key, {}, as its name", hex(wanted)),
                || hex(&intermediate.subject),
            )
        }
        _ => {
            let intermediate = intermediate(subject)?;
            let found = intermediate.algorithm();
            must(found == oid::SHA_256_WITH_RSA, "a signature with RSA and SHA-256", || found.to_string())?;
            chain(signer(subject)?.check_intermediate())
        }
    }
}

fn bytes<'a>(subject: &Subject<'a>) -> Seen<&'a [u8]> {
    match &subject.evidence.card_verifiable_certificate {
        Some(bytes) => Ok(bytes),
        None if subject.evidence.at_hand => not_applicable("the card has no secure messaging"),
        None => not_applicable("only a card at hand can show its card-verifiable certificate"),
    }
}

fn read(bytes: &[u8]) -> Seen<CardVerifiableCertificate> {
    CardVerifiableCertificate::parse(bytes)
        .or_else(|error| failed("a certificate of table 15", format!("{error}: {}", hex(bytes))))
}

fn card_certificate(subject: &Subject<'_>) -> Seen<CardVerifiableCertificate> {
    read(bytes(subject)?).or_else(|_| not_applicable("the certificate cannot be read; row 11.5.1 says why"))
}

fn signer(subject: &Subject<'_>) -> Seen<SignerContainer> {
    SignerContainer::parse(subject.object(SIGNER)?)
        .or_else(|error| failed("a content signer in 5FC122", error.to_string()))
}

fn intermediate(subject: &Subject<'_>) -> Seen<CardVerifiableCertificate> {
    match signer(subject)?.intermediate {
        Some(intermediate) => Ok(intermediate),
        None => not_applicable("the card's certificate is signed by the content signer itself"),
    }
}

fn chain(checked: Result<(), CvcError>) -> Check {
    checked.or_else(|error| failed("a chain to the content signer in 5FC122", error.to_string()))
}
