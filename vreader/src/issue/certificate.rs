//! Certificates: one encoder, and the profiles of a card's four certificates.
//!
//! The structure is RFC 5280's. The profiles are those of the Common Policy that SP 800-85B, section 11, tests. Only
//! the policies differ: they are test policies ([`oid`]), so that no certificate made here claims to be a real one.
//!
//! `x509-cert` gives the types. Its builder wants to own a signer; here the signature comes from [`Crypto`].

use card_sim::{
    crypto::Crypto,
    key::{AsymmetricAlgorithm, KeyReference, PrivateKey},
};
use der::{
    Encode, Sequence,
    asn1::{BitString, ObjectIdentifier},
    flagset::FlagSet,
};
use rand_core::CryptoRng;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::{
    ext::{
        Extension, Extensions,
        pkix::{KeyUsages, name::GeneralName},
    },
    name::Name,
    serial_number::SerialNumber,
    time::Validity,
};

use super::{
    date::{Date, Moment},
    error::{IssueError, encoding},
    extension,
    like::Shape,
    name, oid,
    person::{CardNumbers, Person},
    signature,
};

/// What stands in a certificate beside its issuer.
pub(crate) struct Template<'a> {
    pub(crate) issuer: &'a Name,
    pub(crate) subject: &'a Name,
    pub(crate) validity: Validity,
    pub(crate) public_key: &'a SubjectPublicKeyInfoOwned,
    pub(crate) extensions: Extensions,
}

/// From the beginning of the first day to the end of the last.
pub(crate) fn days((from, until): (Date, Date)) -> Result<Validity, der::Error> {
    Ok(Validity::new(from.certificate_time(Moment::Start)?, until.certificate_time(Moment::End)?))
}

impl Template<'_> {
    /// The certificate, signed with the issuer's key. The serial number comes from `rng`.
    pub(crate) fn sign(
        self,
        issuer_key: &PrivateKey,
        rng: &mut dyn CryptoRng,
        crypto: &mut dyn Crypto,
    ) -> Result<Vec<u8>, IssueError> {
        let failed = || encoding("certificate");
        let algorithm = signature::certificate_signature(issuer_key.algorithm());
        let to_be_signed = self.into_to_be_signed(algorithm.clone(), serial_number(rng)).map_err(failed())?;
        let signature = signature::sign(crypto, issuer_key, &to_be_signed.to_der().map_err(failed())?)?;
        let signature = BitString::from_bytes(&signature).map_err(failed())?;
        Certificate { tbs: to_be_signed, algorithm, signature }.to_der().map_err(failed())
    }

    fn into_to_be_signed(
        self,
        signature: AlgorithmIdentifierOwned,
        serial_number: [u8; 16],
    ) -> Result<ToBeSigned, der::Error> {
        Ok(ToBeSigned {
            version: 2,
            serial_number: SerialNumber::new(&serial_number)?,
            signature,
            issuer: self.issuer.clone(),
            validity: self.validity,
            subject: self.subject.clone(),
            public_key: self.public_key.clone(),
            extensions: self.extensions,
        })
    }
}

/// TBSCertificate, version 3, with extensions and without the unique identifiers that RFC 5280 forbids.
#[derive(Sequence)]
struct ToBeSigned {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial_number: SerialNumber,
    signature: AlgorithmIdentifierOwned,
    issuer: Name,
    validity: Validity,
    subject: Name,
    public_key: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Extensions,
}

#[derive(Sequence)]
struct Certificate {
    tbs: ToBeSigned,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// 16 bytes, positive, the first neither 0 nor dropped in DER.
fn serial_number(rng: &mut dyn CryptoRng) -> [u8; 16] {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    bytes[0] = bytes[0] & 0x3F | 0x40;
    bytes
}

/// Which key usage a certificate asserts, and no other.
#[derive(Clone, Copy)]
enum Usage {
    Signature,
    SignatureAndNonRepudiation,
    /// keyEncipherment for RSA, keyAgreement for elliptic curves.
    KeyEstablishment,
}

/// Which names stand in subjectAltName.
#[derive(Clone, Copy)]
enum Names {
    /// FASC-N, Card UUID and the holder's principal name.
    CardAndPrincipal,
    /// FASC-N and Card UUID, and nothing else.
    Card,
    /// The holder's mail address.
    Mail,
}

/// One row of the table of profiles.
struct Profile {
    reference: KeyReference,
    usage: Usage,
    purposes: &'static [ObjectIdentifier],
    purposes_critical: bool,
    policy: ObjectIdentifier,
    names: Names,
    /// The subject is the card, not the holder.
    for_card: bool,
    interim_indicator: bool,
}

/// SP 800-85B, 11.1 to 11.4.
const PROFILES: [Profile; 4] = [
    Profile {
        reference: KeyReference::PivAuthentication,
        usage: Usage::Signature,
        purposes: &[oid::EKU_CLIENT_AUTH, oid::EKU_SMART_CARD_LOGON, oid::EKU_PKINIT_CLIENT],
        purposes_critical: false,
        policy: oid::POLICY_TEST_AUTHENTICATION,
        names: Names::CardAndPrincipal,
        for_card: false,
        interim_indicator: true,
    },
    Profile {
        reference: KeyReference::DigitalSignature,
        usage: Usage::SignatureAndNonRepudiation,
        purposes: &[oid::EKU_EMAIL_PROTECTION],
        purposes_critical: false,
        policy: oid::POLICY_TEST_HARDWARE,
        names: Names::Mail,
        for_card: false,
        interim_indicator: false,
    },
    Profile {
        reference: KeyReference::KeyManagement,
        usage: Usage::KeyEstablishment,
        purposes: &[oid::EKU_EMAIL_PROTECTION],
        purposes_critical: false,
        policy: oid::POLICY_TEST_HARDWARE,
        names: Names::Mail,
        for_card: false,
        interim_indicator: false,
    },
    Profile {
        reference: KeyReference::CardAuthentication,
        usage: Usage::Signature,
        purposes: &[oid::EKU_PIV_CARD_AUTH],
        purposes_critical: true,
        policy: oid::POLICY_TEST_CARD_AUTHENTICATION,
        names: Names::Card,
        for_card: true,
        interim_indicator: true,
    },
];

/// The subject of the certificate in the slot `reference`.
pub(crate) fn subject(
    reference: KeyReference,
    person: &Person,
    numbers: &CardNumbers,
) -> Result<Name, der::Error> {
    let for_card = profile(reference).is_some_and(|profile| profile.for_card);
    if for_card { name::card(&numbers.fascn_bytes) } else { name::holder(&person.name) }
}

/// The extensions that the slot `reference` calls for, without the key identifiers and addresses of the issuer.
pub(crate) fn profile_extensions(
    reference: KeyReference,
    algorithm: AsymmetricAlgorithm,
    shape: &Shape,
    person: &Person,
    numbers: &CardNumbers,
) -> Result<Vec<Extension>, der::Error> {
    let Some(profile) = profile(reference) else { return Ok(Vec::new()) };
    let mut extensions = vec![extension::key_usage(profile.usage.flags(algorithm))?];
    let purposes = purposes(reference, profile, shape);
    if !purposes.is_empty() {
        extensions.push(extension::extended_key_usage(&purposes, profile.purposes_critical)?);
    }
    extensions.extend([
        extension::certificate_policies(&[profile.policy])?,
        extension::subject_alt_name(profile.names.general_names(person, numbers)?)?,
    ]);
    if profile.interim_indicator {
        extensions.push(extension::piv_interim()?);
    }
    Ok(extensions)
}

fn purposes(reference: KeyReference, profile: &Profile, shape: &Shape) -> Vec<ObjectIdentifier> {
    let mut purposes = profile.purposes.to_vec();
    match reference {
        KeyReference::Retired(number) if number.get() <= shape.retired_without_purpose => purposes.clear(),
        KeyReference::DigitalSignature => purposes.extend(shape.signature_purposes),
        _ => {}
    }
    purposes
}

fn profile(reference: KeyReference) -> Option<&'static Profile> {
    // A retired key was a key-management key.
    let reference = match reference {
        KeyReference::Retired(_) => KeyReference::KeyManagement,
        other => other,
    };
    PROFILES.iter().find(|profile| profile.reference == reference)
}

impl Usage {
    fn flags(self, algorithm: AsymmetricAlgorithm) -> FlagSet<KeyUsages> {
        match self {
            Self::Signature => KeyUsages::DigitalSignature.into(),
            Self::SignatureAndNonRepudiation => KeyUsages::DigitalSignature | KeyUsages::NonRepudiation,
            Self::KeyEstablishment if algorithm.is_rsa() => KeyUsages::KeyEncipherment.into(),
            Self::KeyEstablishment => KeyUsages::KeyAgreement.into(),
        }
    }
}

impl Names {
    fn general_names(self, person: &Person, numbers: &CardNumbers) -> Result<Vec<GeneralName>, der::Error> {
        let fascn = || extension::piv_fascn(&numbers.fascn_bytes);
        let card_uuid = || extension::uri(&numbers.guid.urn());
        Ok(match self {
            Self::CardAndPrincipal => {
                vec![fascn()?, extension::principal_name(&person.principal_name)?, card_uuid()?]
            }
            Self::Card => vec![fascn()?, card_uuid()?],
            Self::Mail => vec![extension::mail(&person.email)?],
        })
    }
}
