//! Certificate profiles (SP 800-85B, sections 11.1 to 11.4 and 11.7: 78.1 to 3, PKIX.1 to 31).

use der::{Decode, asn1::ObjectIdentifier, oid::AssociatedOid};
use rsa::{RsaPublicKey, pkcs1::DecodeRsaPublicKey, traits::PublicKeyParts};
use x509_cert::{
    Certificate,
    ext::pkix::{
        AuthorityInfoAccessSyntax, CertificatePolicies, CrlDistributionPoints, ExtendedKeyUsage, KeyUsage,
        KeyUsages, SubjectAltName,
        name::{DistributionPointName, GeneralName},
    },
};

use super::{
    cms::{CHUID, content_signer},
    evidence::{Proof, Subject},
    outcome::{Check, Seen, failed, hex, must, not_applicable},
    signature::Scheme,
};
use crate::issue::{Date, oid};

pub(super) const PIV_AUTHENTICATION: u32 = 0x5F_C105;
pub(super) const CARD_AUTHENTICATION: u32 = 0x5F_C101;
const DIGITAL_SIGNATURE: u32 = 0x5F_C10A;
const KEY_MANAGEMENT: u32 = 0x5F_C10B;

/// The containers of certificates and the key references of their keys.
pub(super) const SLOTS: [(u32, u8); 4] = [
    (PIV_AUTHENTICATION, 0x9A),
    (DIGITAL_SIGNATURE, 0x9C),
    (KEY_MANAGEMENT, 0x9D),
    (CARD_AUTHENTICATION, 0x9E),
];

/// Policies by container, after 2.16.840.1.101.3.2.1: the Common Policy's, those of PIV-I, and the test policies under 48
/// that NIST and GSA test cards assert.
fn policies(tag: u32) -> &'static [&'static str] {
    match tag {
        PIV_AUTHENTICATION => &["3.13", "3.18", "48.11", "48.71"],
        CARD_AUTHENTICATION => &["3.17", "3.19", "48.13", "48.72"],
        CHUID => &["3.39", "3.20", "48.86", "48.73"],
        // id-fpki-common-hardware and id-fpki-common-High; id-fpki-common-policy was allowed for key management.
        _ => &["3.7", "3.16", "3.6", "3.18", "48.9", "48.71"],
    }
}

/// The arc of the policies.
const POLICY_ARC: &str = "2.16.840.1.101.3.2.1.";

/// From this day on FIPS 201-2 was in force, which brought the Card UUID into certificates.
const CARD_UUIDS_SINCE: &str = "2014-09-05";

/// An extension of a certificate.
struct Profile<'a> {
    certificate: &'a Certificate,
}

impl Profile<'_> {
    /// The extension, if it is there and can be read.
    fn extension<T>(&self) -> Option<(bool, T)>
    where
        T: for<'a> Decode<'a> + AssociatedOid,
    {
        self.certificate.tbs_certificate().get_extension::<T>().ok().flatten()
    }

    fn required<T>(&self, name: &str) -> Seen<T>
    where
        T: for<'a> Decode<'a> + AssociatedOid,
    {
        match self.extension::<T>() {
            Some((_, extension)) => Ok(extension),
            None => not_applicable(format!("the certificate has no {name}; its own row says it")),
        }
    }

    fn is_rsa(&self) -> bool {
        self.certificate.tbs_certificate().subject_public_key_info().algorithm.oid == oid::RSA_ENCRYPTION
    }

    fn rsa_key(&self) -> Seen<RsaPublicKey> {
        if !self.is_rsa() {
            return not_applicable("the key is no RSA key");
        }
        let key = self.certificate.tbs_certificate().subject_public_key_info();
        RsaPublicKey::from_pkcs1_der(key.subject_public_key.raw_bytes())
            .or_else(|error| failed("an RSA public key", error.to_string()))
    }

    /// Addresses in authorityInfoAccess under one method.
    fn addresses(&self, method: ObjectIdentifier) -> Seen<Vec<GeneralName>> {
        let access = self.required::<AuthorityInfoAccessSyntax>("authorityInfoAccess")?;
        let found: Vec<_> = access
            .0
            .into_iter()
            .filter(|access| access.access_method == method)
            .map(|access| access.access_location)
            .collect();
        if found.is_empty() {
            return not_applicable(format!("authorityInfoAccess names no {method}; its own row says it"));
        }
        Ok(found)
    }

    /// Addresses in cRLDistributionPoints.
    fn revocation_lists(&self) -> Seen<Vec<GeneralName>> {
        let Some((_, points)) = self.extension::<CrlDistributionPoints>() else {
            return failed("cRLDistributionPoints", "no such extension");
        };
        Ok(points
            .0
            .into_iter()
            .filter_map(|point| match point.distribution_point {
                Some(DistributionPointName::FullName(names)) => Some(names),
                _ => None,
            })
            .flatten()
            .collect())
    }
}

/// The certificate that a row of section 11 is about: in its container, or the content signer's in the CHUID.
fn subject_certificate(tag: u32, first: bool, subject: &Subject<'_>) -> Seen<Certificate> {
    match (tag, first) {
        (CHUID, _) => content_signer(subject),
        (_, true) => Ok(subject.certificate_or_failure(tag)?.0),
        (_, false) => Ok(subject.certificate(tag)?.0),
    }
}

/// Rows of 11.1 to 11.4 and 11.7.
pub(super) fn row(atom: &str, id: &str, tag: u32, subject: &Subject<'_>) -> Check {
    let certificate = subject_certificate(tag, atom == "78.3", subject)?;
    let profile = Profile { certificate: &certificate };
    match atom {
        "78.3" => match Scheme::read(certificate.signature_algorithm()) {
            Ok(Scheme::Pkcs1(None)) => failed("a signature algorithm with its hash", "rsaEncryption"),
            Ok(_) => Ok(()),
            Err(found) => failed(
                "RSA with SHA-256 or SHA-384 and NULL, RSASSA-PSS with SHA-256, or ECDSA without parameters",
                found,
            ),
        },
        // The same assertion stands for the kind of key and for its size.
        "78.1" if id.ends_with(".3") => key_size(&profile, tag),
        "78.1" => key_kind(&certificate),
        "PKIX.2" => present::<KeyUsage>(&profile, "keyUsage"),
        "PKIX.4" => key_usage(&profile, id, tag),
        "PKIX.5" => present::<CertificatePolicies>(&profile, "certificatePolicies"),
        "PKIX.6" => {
            let found = profile.required::<CertificatePolicies>("certificatePolicies")?.0;
            let found: Vec<_> = found.iter().map(|policy| policy.policy_identifier.to_string()).collect();
            let wanted = policies(tag);
            must(
                found.iter().any(|policy| {
                    policy.strip_prefix(POLICY_ARC).is_some_and(|policy| wanted.contains(&policy))
                }),
                &format!("one of the policies {POLICY_ARC}x, x being {}", wanted.join(", ")),
                || found.join(", "),
            )
        }
        "PKIX.7" => present::<AuthorityInfoAccessSyntax>(&profile, "authorityInfoAccess"),
        "PKIX.8" => method_present(&profile, oid::ACCESS_OCSP),
        "PKIX.22" => method_present(&profile, oid::ACCESS_CA_ISSUERS),
        "PKIX.9" => are_addresses(&profile.addresses(oid::ACCESS_OCSP)?),
        "PKIX.29" => are_addresses(&profile.addresses(oid::ACCESS_CA_ISSUERS)?),
        "PKIX.23" => are_http(&profile.addresses(oid::ACCESS_OCSP)?),
        "PKIX.30" => are_http(&profile.addresses(oid::ACCESS_CA_ISSUERS)?),
        "PKIX.31" => are_http(&profile.revocation_lists()?),
        "PKIX.25" => end_with(".p7c", &profile.addresses(oid::ACCESS_CA_ISSUERS)?),
        "PKIX.24" => match profile.revocation_lists() {
            Ok(lists) => end_with(".crl", &lists),
            Err(_) => not_applicable("the certificate has no cRLDistributionPoints; its own row says it"),
        },
        "PKIX.10" => interim(&certificate, subject),
        "PKIX.11" => proof(tag, subject),
        "PKIX.12" => fascn(&profile, subject),
        "PKIX.27" => card_uuid(&profile, subject),
        "PKIX.28" => only_card_names(&profile),
        "PKIX.13" => {
            let (last, card) = (last_day(&certificate), subject.expiration()?);
            must(last <= card, &format!("an end not behind the card's, {card}"), || last.to_string())
        }
        "PKIX.14" => {
            let found = profile.rsa_key()?.e().to_be_bytes();
            let start = found.iter().position(|byte| *byte != 0).unwrap_or_default();
            let found = found.get(start..).unwrap_or_default();
            must(found == [0x01, 0x00, 0x01], "the public exponent 65537, 010001", || hex(found))
        }
        "PKIX.19" => match profile.extension::<ExtendedKeyUsage>() {
            Some((critical, _)) => {
                must(critical, "a critical extension extKeyUsage", || "not critical".to_owned())
            }
            None => failed("the extension extKeyUsage", "no such extension"),
        },
        "PKIX.20" => purposes(&profile, id, tag),
        "PKIX.26" => {
            let last = last_day(&certificate);
            must(subject.now <= last, &format!("an end not before {}", subject.now), || last.to_string())
        }
        _ => not_applicable(format!("nothing is known of the assertion {atom}")),
    }
}

fn present<T>(profile: &Profile<'_>, name: &str) -> Check
where
    T: for<'a> Decode<'a> + AssociatedOid,
{
    must(profile.extension::<T>().is_some(), &format!("the extension {name}"), || {
        "no such extension that can be read".to_owned()
    })
}

pub(super) fn last_day(certificate: &Certificate) -> Date {
    certificate.tbs_certificate().validity().not_after.to_date_time().into()
}

fn first_day(certificate: &Certificate) -> Date {
    certificate.tbs_certificate().validity().not_before.to_date_time().into()
}

/// Whether a certificate is valid on a day.
pub(super) fn valid_on(certificate: &Certificate, day: Date) -> Check {
    let (first, last) = (first_day(certificate), last_day(certificate));
    must((first..=last).contains(&day), &format!("a certificate that is valid on {day}"), || {
        format!("one from {first} to {last}")
    })
}

fn key_kind(certificate: &Certificate) -> Check {
    let info = certificate.tbs_certificate().subject_public_key_info();
    let curve = info.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
    let allowed = match info.algorithm.oid {
        oid::RSA_ENCRYPTION => true,
        oid::EC_PUBLIC_KEY => matches!(curve, Some(oid::CURVE_P256 | oid::CURVE_P384)),
        _ => false,
    };
    must(allowed, "RSA, or a point on P-256 or P-384", || match curve {
        Some(curve) => format!("{} on {curve}", info.algorithm.oid),
        None => info.algorithm.oid.to_string(),
    })
}

/// RSA keys of a card have 2048 or 3072 bits, those that sign its objects 4096 too (SP 800-78-5, tables 1 and 3).
fn key_size(profile: &Profile<'_>, tag: u32) -> Check {
    if profile.is_rsa() {
        let bits = profile.rsa_key()?.n().bits();
        let allowed: &[u32] = if tag == CHUID { &[2048, 3072, 4096] } else { &[2048, 3072] };
        must(allowed.contains(&bits), &format!("an RSA key of {allowed:?} bits"), || bits.to_string())
    } else {
        let key = profile.certificate.tbs_certificate().subject_public_key_info();
        let point = key.subject_public_key.raw_bytes();
        must(matches!(point.len(), 65 | 97), "an uncompressed point on P-256 or P-384", || hex(point))
    }
}

/// PKIX.4: which bits, and that there are no others.
fn key_usage(profile: &Profile<'_>, id: &str, tag: u32) -> Check {
    let found = profile.required::<KeyUsage>("keyUsage")?.0;
    let rsa = profile.is_rsa();
    let required = match tag {
        DIGITAL_SIGNATURE => KeyUsages::DigitalSignature | KeyUsages::NonRepudiation,
        KEY_MANAGEMENT if rsa => KeyUsages::KeyEncipherment.into(),
        KEY_MANAGEMENT => KeyUsages::KeyAgreement.into(),
        // nonRepudiation, which the row asks for, is on no genuine content signer.
        _ => KeyUsages::DigitalSignature.into(),
    };
    let allowed = if tag == CHUID { required | KeyUsages::NonRepudiation } else { required };
    let words = || format!("{:?}", found.into_iter().collect::<Vec<_>>());
    match id {
        "11.3.2.1.1.1" if !rsa => not_applicable("the key is no RSA key"),
        "11.3.2.1.1.2" if rsa => not_applicable("the key is no key on a curve"),
        "11.1.2.1.3" | "11.2.2.1.3" | "11.3.2.1.1.3" | "11.4.2.1.3" | "11.7.2.1.3" => must(
            allowed.contains(found),
            &format!("no other key usage than {:?}", allowed.into_iter().collect::<Vec<_>>()),
            words,
        ),
        _ => must(
            found.contains(required),
            &format!("the key usage {:?}", required.into_iter().collect::<Vec<_>>()),
            words,
        ),
    }
}

fn purposes(profile: &Profile<'_>, id: &str, tag: u32) -> Check {
    let found = profile.required::<ExtendedKeyUsage>("extKeyUsage")?.0;
    let wanted = match tag {
        CHUID if found.contains(&oid::EKU_PIV_I_CONTENT_SIGNING) => oid::EKU_PIV_I_CONTENT_SIGNING,
        CHUID => oid::EKU_PIV_CONTENT_SIGNING,
        _ => oid::EKU_PIV_CARD_AUTH,
    };
    let words = || found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if id == "11.4.2.3.3" {
        must(
            found.iter().all(|purpose| *purpose == wanted),
            &format!("no other purpose than {wanted}"),
            words,
        )
    } else {
        must(found.contains(&wanted), &format!("the purpose {wanted}"), words)
    }
}

fn method_present(profile: &Profile<'_>, method: ObjectIdentifier) -> Check {
    let access = profile.required::<AuthorityInfoAccessSyntax>("authorityInfoAccess")?.0;
    must(
        access.iter().any(|access| access.access_method == method),
        &format!("the access method {method}"),
        || access.iter().map(|access| access.access_method.to_string()).collect::<Vec<_>>().join(", "),
    )
}

fn are_addresses(names: &[GeneralName]) -> Check {
    let other = names.iter().find(|name| !matches!(name, GeneralName::UniformResourceIdentifier(_)));
    must(other.is_none(), "a uniformResourceIdentifier", || format!("{other:?}"))
}

/// Addresses by their schemes. LDAP beside HTTP was the Common Policy's wish once, and is on genuine cards.
fn http(names: &[GeneralName]) -> (Vec<&str>, Vec<&str>) {
    let addresses = names.iter().filter_map(|name| match name {
        GeneralName::UniformResourceIdentifier(address) => Some(address.as_str()),
        _ => None,
    });
    let others = addresses.filter(|address| !address.starts_with("ldap://"));
    others.partition(|address| address.starts_with("http://"))
}

fn are_http(names: &[GeneralName]) -> Check {
    let (http, others) = http(names);
    must(!http.is_empty() && others.is_empty(), "an address with the scheme http", || {
        if others.is_empty() { "none".to_owned() } else { others.join(", ") }
    })
}

fn end_with(ending: &str, names: &[GeneralName]) -> Check {
    let (http, _) = http(names);
    if http.is_empty() {
        return not_applicable("there is no address with the scheme http");
    }
    let other = http.iter().find(|address| !address.ends_with(ending));
    must(other.is_none(), &format!("files that end with {ending}"), || format!("{other:?}"))
}

/// PKIX.10: FIPS 201-3 deprecates the indicator, SP 800-85B asks for it.
fn interim(certificate: &Certificate, subject: &Subject<'_>) -> Check {
    let extensions = certificate.tbs_certificate().extensions();
    let found =
        extensions.and_then(|list| list.iter().find(|extension| extension.extn_id == oid::PIV_INTERIM));
    match found {
        None if subject.is_piv_interoperable() => not_applicable(super::PIV_INTEROPERABLE),
        None => failed(format!("the extension {}", oid::PIV_INTERIM), "no such extension"),
        Some(extension) => match bool::from_der(extension.extn_value.as_bytes()) {
            Ok(_) => Ok(()),
            Err(_) => failed("a BOOLEAN", hex(extension.extn_value.as_bytes())),
        },
    }
}

/// PKIX.11: what the card showed.
fn proof(tag: u32, subject: &Subject<'_>) -> Check {
    let reference = SLOTS.iter().find(|(slot, _)| *slot == tag).map(|(_, reference)| *reference);
    match reference.and_then(|reference| subject.evidence.proofs.get(&reference)) {
        Some(Proof::Proved) => Ok(()),
        Some(Proof::Refuted(found)) => failed("a private key that belongs to the certificate", found),
        Some(Proof::NotTried(reason)) => not_applicable(reason),
        None => not_applicable("only a card at hand can show that it has the private key"),
    }
}

/// The names in subjectAltName.
fn names(profile: &Profile<'_>) -> Vec<GeneralName> {
    profile.extension::<SubjectAltName>().map(|(_, names)| names.0).unwrap_or_default()
}

fn fascn(profile: &Profile<'_>, subject: &Subject<'_>) -> Check {
    let wanted = subject.fascn()?;
    let names = names(profile);
    let found = names.iter().find_map(|name| match name {
        GeneralName::OtherName(other) if other.type_id == oid::PIV_FASCN => Some(other.value.value()),
        _ => None,
    });
    if found.is_none() && subject.is_piv_interoperable() {
        return not_applicable(super::PIV_INTEROPERABLE);
    }
    let expected = format!("the CHUID's FASC-N in subjectAltName, {}", hex(wanted));
    must(found == Some(wanted), &expected, || found.map_or_else(|| "none".to_owned(), hex))
}

/// The Card UUID in subjectAltName, as text.
fn uuid_of(names: &[GeneralName]) -> Option<&str> {
    names.iter().find_map(|name| match name {
        GeneralName::UniformResourceIdentifier(address) => address.as_str().strip_prefix("urn:uuid:"),
        _ => None,
    })
}

fn card_uuid(profile: &Profile<'_>, subject: &Subject<'_>) -> Check {
    let wanted = hex::encode(subject.card_uuid()?);
    let names = names(profile);
    let found = uuid_of(&names);
    let first = first_day(profile.certificate);
    if found.is_none() && first.to_string().as_str() < CARD_UUIDS_SINCE {
        return not_applicable(format!(
            "the certificate is from {first}; FIPS 201-2, in force since {CARD_UUIDS_SINCE}, brought the Card UUID"
        ));
    }
    let plain = found.map(|uuid| uuid.replace('-', "").to_ascii_lowercase());
    must(
        plain.as_deref() == Some(wanted.as_str()),
        &format!("the CHUID's Card UUID in subjectAltName, {wanted}"),
        || found.unwrap_or("none").to_owned(),
    )
}

fn only_card_names(profile: &Profile<'_>) -> Check {
    let other = names(profile).into_iter().find(|name| match name {
        GeneralName::OtherName(other) => other.type_id != oid::PIV_FASCN,
        GeneralName::UniformResourceIdentifier(address) => !address.as_str().starts_with("urn:uuid:"),
        _ => true,
    });
    // The certificate of golden ICAM card 53, which is large to try readers with.
    let issuer = profile.certificate.tbs_certificate().issuer().to_string();
    if matches!(other, Some(GeneralName::Rfc822Name(_))) && issuer.contains("OU=ICAM Test Cards") {
        return not_applicable("GSA put a mail address into this test certificate");
    }
    must(other.is_none(), "no other names than FASC-N and Card UUID", || format!("{other:?}"))
}
