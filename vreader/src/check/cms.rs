//! Signed data of CHUID, biometrics and Security Object (SP 800-85B, section 10: CMS.1 to 30, 73-4.36 and 37).

use apdu::tlv_ber::Reader;
use cms::{
    cert::CertificateChoices,
    content_info::{CmsVersion, ContentInfo},
    signed_data::{SignedData, SignerIdentifier, SignerInfo},
};
use der::{Any, Decode, Encode, asn1::ObjectIdentifier, asn1::OctetString};
use spki::AlgorithmIdentifierOwned;
use x509_cert::{Certificate, ext::pkix::ExtendedKeyUsage, name::Name};

use super::{
    biometric::Biometric,
    container,
    evidence::{Found, Subject, is_empty},
    outcome::{Check, Seen, failed, hex, must, not_applicable},
    signature::{Scheme, hash_named},
};
use crate::issue::oid;

pub(super) const CHUID: u32 = 0x5F_C102;
pub(super) const SECURITY_OBJECT: u32 = 0x5F_C106;

/// Signed data and the bytes that it is about.
struct Signed {
    data: SignedData,
    /// The signed attributes as they stand there, with the tag of a SET: what the signature is over.
    attributes: Vec<u8>,
    /// The bytes that were signed, if they stand outside.
    outside: Option<Vec<u8>>,
}

impl Signed {
    /// The signed data of an object; the row fails if they cannot be read.
    fn read(tag: u32, subject: &Subject<'_>) -> Seen<Self> {
        let (bytes, outside) = match tag {
            CHUID => (subject.element(tag, 0x3E)?, Some(signed_part_of_chuid(subject)?)),
            SECURITY_OBJECT => (subject.element(tag, 0xBB)?, None),
            _ => {
                let biometric = Biometric::read(tag, subject)?;
                (biometric.signature()?, Some(biometric.signed()?.to_vec()))
            }
        };
        let unreadable =
            |error: &str| failed("signed data in DER (RFC 5652)", format!("{error}: {}", hex(bytes)));
        let content = match ContentInfo::from_der(bytes) {
            Ok(info) if info.content_type == oid::SIGNED_DATA => info.content,
            Ok(info) => return unreadable(&format!("content of type {}", info.content_type)),
            Err(error) => return unreadable(&error.to_string()),
        };
        match content.to_der().and_then(|der| SignedData::from_der(&der)) {
            Ok(data) => Ok(Self { data, attributes: raw_attributes(bytes).unwrap_or_default(), outside }),
            Err(error) => unreadable(&error.to_string()),
        }
    }

    fn signer(&self) -> Seen<&SignerInfo> {
        match self.data.signer_infos.0.as_slice() {
            [signer] => Ok(signer),
            others => not_applicable(format!("{} SignerInfos; row CMS.7 says it", others.len())),
        }
    }

    fn attribute(&self, kind: ObjectIdentifier) -> Seen<&Any> {
        let attributes = self.signer()?.signed_attrs.as_ref();
        let found = attributes.and_then(|list| list.iter().find(|attribute| attribute.oid == kind));
        match found.and_then(|attribute| attribute.values.get(0)) {
            Some(value) => Ok(value),
            None => failed(format!("the signed attribute {kind}"), "no such attribute"),
        }
    }

    /// The certificate inside, if there is one.
    fn certificate(&self) -> Option<Certificate> {
        let all = self.data.certificates.as_ref()?;
        all.0.iter().find_map(|choice| match choice {
            CertificateChoices::Certificate(certificate) => Some(certificate.clone()),
            CertificateChoices::Other(_) => None,
        })
    }

    fn content(&self) -> Option<Vec<u8>> {
        let inside = || {
            let content = self.data.encap_content_info.econtent.as_ref()?;
            Some(content.value().to_vec())
        };
        self.outside.clone().or_else(inside)
    }

    /// That the attribute messageDigest is the hash of the content.
    fn digest_fits(&self) -> Check {
        let Some(hash) = hash_named(self.signer()?.digest_alg.oid) else {
            return not_applicable("the hash is none of SP 800-78; row CMS.23 says it");
        };
        let Some(content) = self.content() else { return not_applicable("there is no content") };
        let (wanted, found) = (hash.digest(&content), self.attribute(oid::ATTRIBUTE_MESSAGE_DIGEST)?.value());
        must(found == wanted, &format!("the hash of the signed bytes, {}", hex(&wanted)), || hex(found))
    }

    /// That the signature over the attributes is that of the certificate's key.
    fn signature_fits(&self, certificate: &Certificate) -> Check {
        let signer = self.signer()?;
        let Ok(scheme) = Scheme::read(&signer.signature_algorithm) else {
            return not_applicable("the signature algorithm is none of SP 800-78; row CMS.13 says it");
        };
        let Some(hash) = hash_named(signer.digest_alg.oid) else {
            return not_applicable("the hash is none of SP 800-78; row CMS.23 says it");
        };
        let key = certificate.tbs_certificate().subject_public_key_info();
        must(
            scheme.verifies(key, hash, &self.attributes, signer.signature.as_bytes()),
            "a signature that the content signer's certificate verifies",
            || "another signature".to_owned(),
        )
    }
}

/// The bytes of the signed attributes, `[0]` replaced by SET (RFC 5652, 5.4).
fn raw_attributes(content_info: &[u8]) -> Option<Vec<u8>> {
    let tag = apdu::Tag::new;
    let mut info = Reader::new(Reader::new(content_info).expect(tag(0x30)).ok()?);
    info.expect(tag(0x06)).ok()?;
    let data = Reader::new(info.expect(tag(0xA0)).ok()?).expect(tag(0x30)).ok()?;
    let signers = Reader::new(data).into_iter().filter_map(Result::ok).last()?;
    let mut signer = Reader::new(Reader::new(signers.value).expect(tag(0x30)).ok()?);
    signer.expect(tag(0x02)).ok()?;
    signer.next().ok()??;
    signer.expect(tag(0x30)).ok()?;
    let before = signer.remaining();
    signer.expect(tag(0xA0)).ok()?;
    let (_, rest) = before.get(..before.len() - signer.remaining().len())?.split_first()?;
    Some([&[0x31], rest].concat())
}

/// Every element of the CHUID but signature and buffer length, `FE 00` included.
fn signed_part_of_chuid(subject: &Subject<'_>) -> Seen<Vec<u8>> {
    let elements = subject.elements(CHUID)?;
    let signed = elements.list.iter().filter(|(tag, _)| !matches!(tag, 0x3E | 0xEE));
    Ok(signed.flat_map(|(tag, value)| crate::issue::tlv::element(tag.to_le_bytes()[0], value)).collect())
}

/// The content signer's certificate, from the CHUID.
pub(super) fn content_signer(subject: &Subject<'_>) -> Seen<Certificate> {
    let signed = Signed::read(CHUID, subject);
    match signed.ok().and_then(|signed| signed.certificate()) {
        Some(certificate) => Ok(certificate),
        None => not_applicable("the CHUID's signature holds no certificate"),
    }
}

/// The certificate that verifies an object: its own, or the CHUID's.
fn certificate_for(signed: &Signed, subject: &Subject<'_>) -> Seen<Certificate> {
    signed.certificate().map_or_else(|| content_signer(subject), Ok)
}

/// Rows CMS.1 to CMS.30.
pub(super) fn row(atom: &str, id: &str, tag: u32, subject: &Subject<'_>) -> Check {
    let read = Signed::read(tag, subject);
    if matches!(atom, "CMS.1" | "CMS.10") {
        return read.map(|_| ());
    }
    let signed = read.or_else(|miss| match miss {
        super::outcome::Miss::Failed { .. } => {
            not_applicable("the signed data cannot be read; the section's first row says why")
        }
        other @ super::outcome::Miss::NotApplicable(_) => Err(other),
    })?;
    match atom {
        "CMS.2" => version(&signed, &[CmsVersion::V3]),
        // SP 800-85B asks for 1, RFC 5652 and every genuine card for 3.
        "CMS.18" => version(&signed, &[CmsVersion::V1, CmsVersion::V3]),
        "CMS.3" | "CMS.4" => signed.data.digest_algorithms.iter().try_for_each(known_hash),
        "CMS.5" => external_content(&signed, tag),
        "CMS.6" => must(signed.data.crls.is_none(), "no crls", || "crls".to_owned()),
        "CMS.7" => {
            let count = signed.data.signer_infos.0.len();
            must(count == 1, "one SignerInfo", || count.to_string())
        }
        "CMS.8" if id == "10.1.1.7" => named_signer(&signed, subject),
        "CMS.8" => must(
            matches!(signed.signer()?.sid, SignerIdentifier::IssuerAndSerialNumber(_)),
            "issuerAndSerialNumber",
            || "another identifier".to_owned(),
        ),
        "CMS.9" => named_signer(&signed, subject),
        "CMS.11" => signed.digest_fits(),
        "CMS.12" => signer_name(&signed, subject),
        "CMS.13" => match Scheme::read(&signed.signer()?.signature_algorithm) {
            Ok(Scheme::Pkcs1(Some(_))) => failed("rsaEncryption for PKCS #1 v1.5", "a hash with it"),
            Ok(_) => Ok(()),
            Err(found) => failed("rsaEncryption, RSASSA-PSS, or ECDSA with SHA-256 or SHA-384", found),
        },
        "CMS.14" => {
            signed.signature_fits(&certificate_for(&signed, subject)?)?;
            // No row of its own says this of the Security Object.
            if tag == SECURITY_OBJECT { signed.digest_fits() } else { Ok(()) }
        }
        "CMS.15" => signing_purpose(&certificate_for(&signed, subject)?),
        "CMS.19" => lds_security_object(&signed).map(|_| ()),
        "CMS.20" => {
            lds_security_object(&signed)?;
            content_type(&signed, oid::CONTENT_LDS_SECURITY_OBJECT)
        }
        "CMS.21" => must(signed.data.certificates.is_none(), "no certificates", || "certificates".to_owned()),
        "CMS.23" => known_hash(&signed.signer()?.digest_alg),
        "CMS.25" => {
            let hash = signed.signer()?.digest_alg.oid;
            let named = signed.data.digest_algorithms.iter().any(|algorithm| algorithm.oid == hash);
            must(named, &format!("{hash} among the digestAlgorithms"), || "others".to_owned())
        }
        "CMS.29" => {
            if subject.is_piv_interoperable() && signed.attribute(oid::PIV_FASCN).is_err() {
                return not_applicable(super::PIV_INTEROPERABLE);
            }
            attribute_is(&signed, oid::PIV_FASCN, subject.fascn()?)
        }
        "CMS.30" => attribute_is(&signed, oid::ATTRIBUTE_ENTRY_UUID, subject.card_uuid()?),
        _ => not_applicable(format!("nothing is known of the assertion {atom}")),
    }
}

fn version(signed: &Signed, wanted: &[CmsVersion]) -> Check {
    must(wanted.contains(&signed.data.version), &format!("version {wanted:?}"), || {
        format!("{:?}", signed.data.version)
    })
}

fn known_hash(algorithm: &AlgorithmIdentifierOwned) -> Check {
    must(hash_named(algorithm.oid).is_some(), "SHA-256 or SHA-384", || algorithm.oid.to_string())
}

fn content_type(signed: &Signed, wanted: ObjectIdentifier) -> Check {
    let found = signed.data.encap_content_info.econtent_type;
    must(found == wanted, &format!("content of type {wanted}"), || found.to_string())
}

fn external_content(signed: &Signed, tag: u32) -> Check {
    must(signed.data.encap_content_info.econtent.is_none(), "no content inside", || "content".to_owned())?;
    content_type(signed, if tag == CHUID { oid::CONTENT_CHUID } else { oid::CONTENT_BIOMETRIC })
}

/// CMS.9: the names of issuer and serial number are those of the certificate.
fn named_signer(signed: &Signed, subject: &Subject<'_>) -> Check {
    let SignerIdentifier::IssuerAndSerialNumber(named) = &signed.signer()?.sid else {
        return failed("issuerAndSerialNumber", "another identifier");
    };
    let certificate = certificate_for(signed, subject)?;
    let tbs = certificate.tbs_certificate();
    must(
        named.issuer == *tbs.issuer() && named.serial_number == *tbs.serial_number(),
        &format!("issuer and serial number of the certificate, {} of {}", tbs.serial_number(), tbs.issuer()),
        || format!("{} of {}", named.serial_number, named.issuer),
    )
}

/// CMS.12: pivSigner-DN.
fn signer_name(signed: &Signed, subject: &Subject<'_>) -> Check {
    let value = signed.attribute(oid::ATTRIBUTE_PIV_SIGNER_DN)?.to_der().unwrap_or_default();
    let certificate = certificate_for(signed, subject)?;
    let wanted = certificate.tbs_certificate().subject();
    match Name::from_der(&value) {
        Ok(found) => must(found == *wanted, &wanted.to_string(), || found.to_string()),
        Err(error) => failed(wanted.to_string(), error.to_string()),
    }
}

fn signing_purpose(certificate: &Certificate) -> Check {
    let purposes = certificate.tbs_certificate().get_extension::<ExtendedKeyUsage>();
    let found = purposes.ok().flatten().map(|(_, purposes)| purposes.0).unwrap_or_default();
    must(
        found.contains(&oid::EKU_PIV_CONTENT_SIGNING) || found.contains(&oid::EKU_PIV_I_CONTENT_SIGNING),
        "the extended key usage id-PIV-content-signing, or id-fpki-pivi-content-signing",
        || format!("{found:?}"),
    )
}

fn attribute_is(signed: &Signed, kind: ObjectIdentifier, wanted: &[u8]) -> Check {
    let found = signed.attribute(kind)?.value();
    must(found == wanted, &format!("that of the CHUID, {}", hex(wanted)), || hex(found))
}

/// LDSSecurityObject (ICAO 9303 part 10).
#[derive(der::Sequence)]
struct LdsSecurityObject {
    version: u8,
    hash_algorithm: AlgorithmIdentifierOwned,
    hashes: Vec<DataGroupHash>,
}

#[derive(der::Sequence)]
struct DataGroupHash {
    number: u8,
    hash: OctetString,
}

fn lds_security_object(signed: &Signed) -> Seen<LdsSecurityObject> {
    let Some(content) = signed.content() else {
        return failed("an LDS security object as the content", "no content");
    };
    LdsSecurityObject::from_der(&content)
        .or_else(|error| failed("an LDS security object as the content", error.to_string()))
}

/// What `BA` says: data group and container.
fn mapping(subject: &Subject<'_>) -> Seen<Vec<(u8, Option<u32>)>> {
    let mapping = subject.element(SECURITY_OBJECT, 0xBA)?;
    must(mapping.len() % 3 == 0 && !mapping.is_empty(), "triples of data group and container in BA", || {
        hex(mapping)
    })?;
    Ok(mapping
        .chunks_exact(3)
        .map(|triple| {
            let id = triple.iter().skip(1).fold(0_u16, |id, byte| id << 8 | u16::from(*byte));
            let found = card_sim::object::CONTAINERS.iter().find(|container| container.id == id);
            (triple.first().copied().unwrap_or_default(), found.map(|container| container.tag.get()))
        })
        .collect())
}

/// 73-4.36: every container that the Security Object covers is there.
pub(super) fn covered_containers(subject: &Subject<'_>) -> Check {
    for (group, tag) in mapping(subject)? {
        let Some(tag) = tag else {
            return failed("containers of the data model in BA", format!("another for data group {group}"));
        };
        if let Some(Found::Refused(status)) = subject.evidence.objects.get(&tag)
            && *status != 0x6982
        {
            return failed(format!("the covered object {tag:02X}"), format!("{status:04X}"));
        }
    }
    Ok(())
}

/// 73-4.37: the hashes are those of the containers.
pub(super) fn hashes(subject: &Subject<'_>) -> Check {
    let Ok(lds) = Signed::read(SECURITY_OBJECT, subject).and_then(|signed| lds_security_object(&signed))
    else {
        subject.object(SECURITY_OBJECT)?;
        return not_applicable(
            "the Security Object's content cannot be read; rows CMS.10 and CMS.19 say why",
        );
    };
    let Some(hash) = hash_named(lds.hash_algorithm.oid) else {
        return failed("SHA-256 or SHA-384 for the data groups", lds.hash_algorithm.oid.to_string());
    };
    let mapping = mapping(subject)?;
    let mut unread = Vec::new();
    for (group, tag) in &mapping {
        let Some(stored) = lds.hashes.iter().find(|stored| stored.number == *group) else {
            return failed(format!("a hash for data group {group}, which BA names"), "none");
        };
        let Some(tag) = tag else { continue };
        let contents = match subject.evidence.objects.get(tag) {
            Some(Found::Object(object)) if is_empty(object) => &[],
            Some(Found::Object(_)) => container::contents(*tag, subject)?,
            _ => {
                unread.push(format!("{tag:02X}"));
                continue;
            }
        };
        let wanted = hash.digest(contents);
        must(
            stored.hash.as_bytes() == wanted,
            &format!("{} as the hash of object {tag:02X}, data group {group}", hex(&wanted)),
            || hex(stored.hash.as_bytes()),
        )?;
    }
    let uncovered =
        lds.hashes.iter().find(|stored| !mapping.iter().any(|(group, _)| *group == stored.number));
    must(uncovered.is_none(), "BA to name every data group that has a hash", || {
        format!("{:?}", uncovered.map(|stored| stored.number))
    })?;
    if unread.len() == mapping.len() {
        return not_applicable("none of the covered objects could be read");
    }
    Ok(())
}
