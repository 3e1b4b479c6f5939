//! Certificate extensions (RFC 5280, 4.2), each as one function.

use der::{
    Any, Encode, FixedTag, Tag,
    asn1::{Ia5String, ObjectIdentifier, OctetString, OctetStringRef, Utf8StringRef},
    flagset::FlagSet,
};
use x509_cert::ext::{
    Extension,
    pkix::{
        AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints,
        CertificatePolicies, CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
        SubjectKeyIdentifier,
        certpolicy::PolicyInformation,
        crl::dp::DistributionPoint,
        name::{DistributionPointName, GeneralName, OtherName},
    },
};

use super::oid;

type Result<T> = std::result::Result<T, der::Error>;

/// An extension of any kind.
pub(crate) fn extension(oid: ObjectIdentifier, critical: bool, value: &impl Encode) -> Result<Extension> {
    Ok(Extension { extn_id: oid, critical, extn_value: OctetString::new(value.to_der()?)? })
}

pub(crate) fn subject_key_identifier(identifier: &[u8]) -> Result<Extension> {
    let value = SubjectKeyIdentifier(OctetString::new(identifier)?);
    extension(oid::SUBJECT_KEY_IDENTIFIER, false, &value)
}

pub(crate) fn authority_key_identifier(identifier: &[u8]) -> Result<Extension> {
    let key_identifier = Some(OctetString::new(identifier)?);
    let value = AuthorityKeyIdentifier {
        key_identifier,
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    extension(oid::AUTHORITY_KEY_IDENTIFIER, false, &value)
}

pub(crate) fn basic_constraints(path_length: Option<u8>) -> Result<Extension> {
    let value = BasicConstraints { ca: true, path_len_constraint: path_length };
    extension(oid::BASIC_CONSTRAINTS, true, &value)
}

pub(crate) fn key_usage(usages: impl Into<FlagSet<KeyUsages>>) -> Result<Extension> {
    extension(oid::KEY_USAGE, true, &KeyUsage(usages.into()))
}

pub(crate) fn extended_key_usage(purposes: &[ObjectIdentifier], critical: bool) -> Result<Extension> {
    extension(oid::EXTENDED_KEY_USAGE, critical, &ExtendedKeyUsage(purposes.to_vec()))
}

pub(crate) fn certificate_policies(policies: &[ObjectIdentifier]) -> Result<Extension> {
    let information =
        |policy: &ObjectIdentifier| PolicyInformation { policy_identifier: *policy, policy_qualifiers: None };
    let value = CertificatePolicies(policies.iter().map(information).collect());
    extension(oid::CERTIFICATE_POLICIES, false, &value)
}

/// Where the issuer's certificates are, and where its OCSP responder is if it has one.
pub(crate) fn authority_info_access(issuers: &str, ocsp: Option<&str>) -> Result<Extension> {
    let mut locations = vec![access(oid::ACCESS_CA_ISSUERS, issuers)?];
    if let Some(ocsp) = ocsp {
        locations.push(access(oid::ACCESS_OCSP, ocsp)?);
    }
    extension(oid::AUTHORITY_INFO_ACCESS, false, &AuthorityInfoAccessSyntax(locations))
}

pub(crate) fn crl_distribution_point(location: &str) -> Result<Extension> {
    let point = DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![uri(location)?])),
        reasons: None,
        crl_issuer: None,
    };
    extension(oid::CRL_DISTRIBUTION_POINTS, false, &CrlDistributionPoints(vec![point]))
}

pub(crate) fn subject_alt_name(names: Vec<GeneralName>) -> Result<Extension> {
    extension(oid::SUBJECT_ALT_NAME, false, &SubjectAltName(names))
}

/// The background check is complete: the indicator is false.
pub(crate) fn piv_interim() -> Result<Extension> {
    extension(oid::PIV_INTERIM, false, &false)
}

pub(crate) fn uri(location: &str) -> Result<GeneralName> {
    Ia5String::new(location).map(GeneralName::UniformResourceIdentifier)
}

pub(crate) fn mail(address: &str) -> Result<GeneralName> {
    Ia5String::new(address).map(GeneralName::Rfc822Name)
}

pub(crate) fn piv_fascn(fascn: &[u8]) -> Result<GeneralName> {
    other_name(oid::PIV_FASCN, OctetStringRef::TAG, fascn)
}

pub(crate) fn principal_name(name: &str) -> Result<GeneralName> {
    other_name(oid::USER_PRINCIPAL_NAME, Utf8StringRef::TAG, name.as_bytes())
}

fn other_name(type_id: ObjectIdentifier, tag: Tag, value: &[u8]) -> Result<GeneralName> {
    Ok(GeneralName::OtherName(OtherName { type_id, value: Any::new(tag, value)? }))
}

fn access(method: ObjectIdentifier, location: &str) -> Result<AccessDescription> {
    Ok(AccessDescription { access_method: method, access_location: uri(location)? })
}
