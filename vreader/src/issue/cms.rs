//! Signed data as the objects of a PIV card carry it (RFC 5652; SP 800-85B, 10.1 to 10.4).
//!
//! Version 3, one SignerInfo named by issuer and serial number, no CRLs, always signed attributes. The content is
//! either outside (CHUID, biometrics) or inside (Security Object); the signer's certificate is only in the CHUID.

use card_sim::crypto::Crypto;
use cms::{
    cert::{CertificateChoices, IssuerAndSerialNumber},
    content_info::{CmsVersion, ContentInfo},
    signed_data::{
        CertificateSet, EncapsulatedContentInfo, SignedAttributes, SignedData, SignerIdentifier, SignerInfo,
        SignerInfos,
    },
};
use der::{
    Any, Encode, Tag,
    asn1::{ObjectIdentifier, OctetString, SetOfVec},
};
use x509_cert::attr::Attribute;

use super::{
    error::{IssueError, encoding},
    oid,
    person::CardNumbers,
    pki::Authority,
    signature::{self, Hash},
};

/// What is signed, and what goes along.
pub(crate) struct Content<'a> {
    /// Type of the content.
    pub(crate) kind: ObjectIdentifier,
    /// The bytes that are signed.
    pub(crate) bytes: &'a [u8],
    /// Whether these bytes are inside the structure.
    pub(crate) embedded: bool,
    /// Whether the signer's certificate is inside the structure.
    pub(crate) with_certificate: bool,
    /// Attributes beside contentType and messageDigest.
    pub(crate) attributes: Vec<Attribute>,
}

/// The attribute pivSigner-DN: the signer's name.
pub(crate) fn signer_name(signer: &Authority) -> Result<Attribute, der::Error> {
    attribute(oid::ATTRIBUTE_PIV_SIGNER_DN, Any::encode_from(signer.subject())?)
}

/// The attributes pivFASC-N and entryUUID, which bind biometrics to a card.
pub(crate) fn card_numbers(numbers: &CardNumbers) -> Result<[Attribute; 2], der::Error> {
    Ok([
        attribute(oid::PIV_FASCN, Any::new(Tag::OctetString, numbers.fascn_bytes)?)?,
        attribute(oid::ATTRIBUTE_ENTRY_UUID, Any::new(Tag::OctetString, numbers.guid.0)?)?,
    ])
}

/// The ContentInfo with the signed data, in DER.
pub(crate) fn sign(
    content: &Content<'_>,
    signer: &Authority,
    crypto: &mut dyn Crypto,
) -> Result<Vec<u8>, IssueError> {
    let failed = || encoding("signed data");
    let key = signer.key();
    let hash = Hash::of(key.algorithm());
    let attributes = signed_attributes(content, hash).map_err(failed())?;
    // The signature is over the attributes as a SET OF (RFC 5652, 5.4), not as the [0] that is stored.
    let signature = signature::sign(crypto, key, &attributes.to_der().map_err(failed())?)?;
    let signer_info = SignerInfo {
        version: CmsVersion::V1,
        sid: issuer_and_serial_number(signer),
        digest_alg: hash.identifier(),
        signed_attrs: Some(attributes),
        signature_algorithm: signature::cms_signature(key.algorithm()),
        signature: OctetString::new(signature).map_err(failed())?,
        unsigned_attrs: None,
    };
    encode(content, hash, signer, signer_info).map_err(failed())
}

fn encode(
    content: &Content<'_>,
    hash: Hash,
    signer: &Authority,
    signer_info: SignerInfo,
) -> Result<Vec<u8>, der::Error> {
    let econtent = content.embedded.then(|| Any::new(Tag::OctetString, content.bytes)).transpose()?;
    let certificate =
        content.with_certificate.then(|| CertificateChoices::Certificate(signer.certificate().clone()));
    let signed_data = SignedData {
        version: CmsVersion::V3,
        digest_algorithms: SetOfVec::from_iter([hash.identifier()])?,
        encap_content_info: EncapsulatedContentInfo { econtent_type: content.kind, econtent },
        certificates: certificate.map(|one| CertificateSet::try_from(vec![one])).transpose()?,
        crls: None,
        signer_infos: SignerInfos::try_from(vec![signer_info])?,
    };
    ContentInfo { content_type: oid::SIGNED_DATA, content: Any::encode_from(&signed_data)? }.to_der()
}

fn signed_attributes(content: &Content<'_>, hash: Hash) -> Result<SignedAttributes, der::Error> {
    let digest = hash.digest(content.bytes);
    let mut attributes = vec![
        attribute(oid::ATTRIBUTE_CONTENT_TYPE, Any::encode_from(&content.kind)?)?,
        attribute(oid::ATTRIBUTE_MESSAGE_DIGEST, Any::new(Tag::OctetString, digest)?)?,
    ];
    attributes.extend(content.attributes.iter().cloned());
    SetOfVec::try_from(attributes)
}

fn attribute(oid: ObjectIdentifier, value: Any) -> Result<Attribute, der::Error> {
    Ok(Attribute { oid, values: SetOfVec::from_iter([value])? })
}

fn issuer_and_serial_number(signer: &Authority) -> SignerIdentifier {
    let tbs = signer.certificate().tbs_certificate();
    SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
        issuer: tbs.issuer().clone(),
        serial_number: tbs.serial_number().clone(),
    })
}
