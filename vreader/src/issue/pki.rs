//! The small test PKI behind a card: a root, an issuing authority and a content signer.
//!
//! | who | lives | signs |
//! |---|---|---|
//! | Sample Root CA | 30 years, from a year before | the issuing authority |
//! | Sample Issuing CA | 15 years, from a year before | the card's certificates and the content signer's |
//! | Sample PIV Content Signer | 9 years | CHUID, biometrics, Security Object |
//!
//! The content signer lives three years longer than a card can, because its certificate must not expire before the
//! card authentication certificate does (FIPS 201-3, 4.2.1): one PKI issues cards for three years.
//!
//! Its keys are on P-256, and on P-384 for P-384 cards (SP 800-78-5, table 3), also when the card's keys are RSA:
//! clients check such chains, and a card is issued without waiting for RSA keys that are not on it.
//! [`Request::pki_algorithm`](super::Request::pki_algorithm) changes that.

use card_sim::{
    crypto::Crypto,
    key::{AsymmetricAlgorithm, DEFAULT_EXPONENT, PrivateKey},
};
use der::{Decode, asn1::ObjectIdentifier};
use spki::SubjectPublicKeyInfoOwned;
use x509_cert::{
    Certificate,
    ext::{
        Extension,
        pkix::{KeyUsages, SubjectKeyIdentifier},
    },
    name::Name,
};

use super::{
    certificate::{Template, days},
    date::Date,
    error::{IssueError, crypto as crypto_failed, encoding},
    extension, name, oid,
    public_key::{key_identifier, subject_public_key_info},
    randomness::Randomness,
};

const ROOT_YEARS: u16 = 30;
const ISSUING_CA_YEARS: u16 = 15;
const CONTENT_SIGNER_YEARS: u16 = 9;

/// First and last day of attestations.
const ATTESTATION_LIFE: (Date, Date) = match (Date::new(2016, 3, 14), Date::new(2052, 4, 17)) {
    (Some(from), Some(until)) => (from, until),
    _ => panic!("both are in every calendar"),
};

/// Where the authorities would publish, if they did: RFC 2606 keeps `example.com` for examples.
const ROOT_CERTIFICATES: &str = "http://pki.example.com/sample-root-ca.p7c";
const ROOT_CRL: &str = "http://pki.example.com/sample-root-ca.crl";
/// The name of the issuing authority of every card.
const ISSUING_CA: &str = "Sample Issuing CA";

/// Every policy of the certificates on a card.
const CARD_POLICIES: [ObjectIdentifier; 4] = [
    oid::POLICY_TEST_HARDWARE,
    oid::POLICY_TEST_AUTHENTICATION,
    oid::POLICY_TEST_CARD_AUTHENTICATION,
    oid::POLICY_TEST_CONTENT_SIGNING,
];

/// The three that stand behind a card.
#[derive(Clone)]
pub struct Pki {
    /// Self-signed.
    pub root: Authority,
    /// Issued by the root.
    pub issuing_ca: Authority,
    /// Issued by the issuing authority.
    pub content_signer: Authority,
}

/// A certificate with its private key.
#[derive(Clone)]
pub struct Authority {
    certificate: Certificate,
    der: Vec<u8>,
    key: PrivateKey,
}

impl Pki {
    /// A new PKI whose content signer works from `from` on. With a seed, always the same one.
    pub fn create(
        seed: Option<u64>,
        algorithm: AsymmetricAlgorithm,
        from: Date,
        crypto: &mut dyn Crypto,
    ) -> Result<Self, IssueError> {
        Self::create_until(seed, algorithm, from, from, crypto)
    }

    /// The same for certificates that are valid until this day, if that is longer than usual.
    pub(super) fn create_until(
        seed: Option<u64>,
        algorithm: AsymmetricAlgorithm,
        from: Date,
        until: Date,
        crypto: &mut dyn Crypto,
    ) -> Result<Self, IssueError> {
        let mut maker = Maker { randomness: Randomness::new(seed), algorithm, until: Some(until), crypto };
        let year_before = Date::new(from.year() - 1, 1, 1).unwrap_or(from);
        let root = maker.root(year_before)?;
        let issuing_ca = maker.issuing_ca(
            &root,
            year_before,
            "issuing authority",
            (ISSUING_CA, &named(ISSUING_CA)?),
            &CARD_POLICIES,
        )?;
        let content_signer = maker.content_signer(
            "Sample PIV Content Signer",
            &issuing_ca,
            from,
            &[oid::EKU_PIV_CONTENT_SIGNING],
        )?;
        Ok(Self { root, issuing_ca, content_signer })
    }

    /// A further issuing authority of this name, under the same root.
    pub(crate) fn further_issuing_ca(
        &self,
        common_name: &str,
        seed: Option<u64>,
        from: Date,
        crypto: &mut dyn Crypto,
    ) -> Result<Authority, IssueError> {
        let algorithm = self.issuing_ca.key().algorithm();
        let year_before = Date::new(from.year() - 1, 1, 1).unwrap_or(from);
        let mut maker = Maker { randomness: Randomness::new(seed), algorithm, until: None, crypto };
        let subject = named(common_name)?;
        maker.issuing_ca(&self.root, year_before, common_name, (common_name, &subject), &CARD_POLICIES)
    }

    /// An authority of any name, for any policy, under the same root.
    pub(super) fn issuing_ca_named(
        &self,
        subject: &Name,
        randomness: Randomness,
        (from, until): (Date, Date),
        crypto: &mut dyn Crypto,
    ) -> Result<Authority, IssueError> {
        let algorithm = self.issuing_ca.key().algorithm();
        let year_before = Date::new(from.year() - 1, 1, 1).unwrap_or(from);
        let label = subject.to_string();
        let mut maker = Maker { randomness, algorithm, until: Some(until), crypto };
        maker.issuing_ca(&self.root, year_before, &label, (&label, subject), &[oid::ANY_POLICY])
    }

    /// A second content signer, for the certificates of intermediate keys: an RSA one, as behind genuine cards.
    pub(crate) fn rsa_content_signer(
        &self,
        seed: Option<u64>,
        from: Date,
        crypto: &mut dyn Crypto,
    ) -> Result<Authority, IssueError> {
        let algorithm = AsymmetricAlgorithm::Rsa2048;
        let mut maker = Maker { randomness: Randomness::new(seed), algorithm, until: None, crypto };
        let purposes = [oid::EKU_PIV_CONTENT_SIGNING];
        maker.content_signer("Sample RSA PIV Content Signer", &self.issuing_ca, from, &purposes)
    }

    /// A signer whose certificate is for mail and not for content, for cards that are wrong on purpose.
    pub(crate) fn signer_without_purpose(
        &self,
        seed: Option<u64>,
        from: Date,
        crypto: &mut dyn Crypto,
    ) -> Result<Authority, IssueError> {
        let algorithm = self.content_signer.key().algorithm();
        let mut maker = Maker { randomness: Randomness::new(seed), algorithm, until: None, crypto };
        maker.content_signer("Sample Mail Signer", &self.issuing_ca, from, &[oid::EKU_EMAIL_PROTECTION])
    }

    /// That everybody here lives as long as a card from `issued` to `expires` needs.
    pub(crate) fn check_validity(&self, issued: Date, expires: Date) -> Result<(), IssueError> {
        for (authority, name) in [
            (&self.root, "root authority"),
            (&self.issuing_ca, "issuing authority"),
            (&self.content_signer, "content signer"),
        ] {
            let (from, until) = authority.validity();
            if issued < from || expires > until {
                return Err(IssueError::AuthorityValidity { authority: name, issued, expires, from, until });
            }
        }
        Ok(())
    }
}

impl Authority {
    /// An authority from its certificate in DER and the key that belongs to it.
    pub fn new(certificate: Vec<u8>, key: PrivateKey) -> Result<Self, IssueError> {
        let parsed = Certificate::from_der(&certificate).map_err(encoding("authority's certificate"))?;
        Ok(Self { certificate: parsed, der: certificate, key })
    }

    /// The certificate in DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.der
    }

    /// The private key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// The parsed certificate.
    pub(crate) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(crate) fn subject(&self) -> &Name {
        self.certificate.tbs_certificate().subject()
    }

    /// First and last day.
    pub(crate) fn validity(&self) -> (Date, Date) {
        let validity = self.certificate.tbs_certificate().validity();
        (validity.not_before.to_date_time().into(), validity.not_after.to_date_time().into())
    }

    /// The key identifier that the authority's own certificate states.
    pub(crate) fn key_identifier(&self) -> Result<Vec<u8>, der::Error> {
        let tbs = self.certificate.tbs_certificate();
        match tbs.get_extension::<SubjectKeyIdentifier>()? {
            Some((_, identifier)) => Ok(identifier.0.as_bytes().to_vec()),
            None => Ok(key_identifier(tbs.subject_public_key_info()).to_vec()),
        }
    }
}

/// Key identifiers, and where the issuing authority publishes: what all certificates issued by it share.
pub(crate) fn issued_extensions(
    issuing_ca: &Authority,
    public_key: &SubjectPublicKeyInfoOwned,
) -> Result<Vec<Extension>, der::Error> {
    let name = issuing_ca.subject().common_name()?;
    let page = name.map(|name| name.value().to_ascii_lowercase().replace(' ', "-")).unwrap_or_default();
    let certificates = format!("http://pki.example.com/{page}.p7c");
    let ocsp = format!("http://ocsp.example.com/{page}");
    Ok(vec![
        extension::subject_key_identifier(&key_identifier(public_key))?,
        extension::authority_key_identifier(&issuing_ca.key_identifier()?)?,
        extension::authority_info_access(&certificates, Some(&ocsp))?,
        extension::crl_distribution_point(&format!("http://pki.example.com/{page}.crl"))?,
    ])
}

/// The two behind the attestations of a YubiKey: its root, and the attestation key that the root certifies. They are
/// valid as long as Yubico's own.
pub(crate) fn attestation(
    seed: Option<u64>,
    crypto: &mut dyn Crypto,
) -> Result<(Authority, Authority), IssueError> {
    let algorithm = AsymmetricAlgorithm::EccP256;
    let mut maker = Maker { randomness: Randomness::new(seed), algorithm, until: None, crypto };
    let root = maker.attestation("Sample YubiKey Attestation Root CA", "attestation root", None)?;
    let key = maker.attestation("Sample YubiKey PIV Attestation", "attestation key", Some(&root))?;
    Ok((root, key))
}

/// The name of an authority of the sample PKI.
fn named(common_name: &str) -> Result<Name, IssueError> {
    name::authority(common_name).map_err(encoding("authority's name"))
}

/// What is needed to make authorities.
struct Maker<'a> {
    randomness: Randomness,
    algorithm: AsymmetricAlgorithm,
    /// A day that everybody must live to.
    until: Option<Date>,
    crypto: &'a mut dyn Crypto,
}

impl Maker<'_> {
    fn root(&mut self, from: Date) -> Result<Authority, IssueError> {
        let (key, public_key) = self.key("root authority")?;
        let extensions = || {
            Ok(vec![
                extension::subject_key_identifier(&key_identifier(&public_key))?,
                extension::basic_constraints(None)?,
                extension::key_usage(KeyUsages::KeyCertSign | KeyUsages::CRLSign)?,
            ])
        };
        let extensions = extensions().map_err(encoding("root authority's certificate"))?;
        let until = self.end(from, ROOT_YEARS);
        self.certify(
            ("Sample Root CA", &named("Sample Root CA")?),
            None,
            (from, until),
            key,
            &public_key,
            extensions,
        )
    }

    fn issuing_ca(
        &mut self,
        root: &Authority,
        from: Date,
        owner: &str,
        (label, subject): (&str, &Name),
        policies: &[ObjectIdentifier],
    ) -> Result<Authority, IssueError> {
        let (key, public_key) = self.key(owner)?;
        let extensions = || {
            Ok(vec![
                extension::subject_key_identifier(&key_identifier(&public_key))?,
                extension::authority_key_identifier(&root.key_identifier()?)?,
                extension::basic_constraints(Some(0))?,
                extension::key_usage(KeyUsages::KeyCertSign | KeyUsages::CRLSign)?,
                extension::certificate_policies(policies)?,
                extension::authority_info_access(ROOT_CERTIFICATES, None)?,
                extension::crl_distribution_point(ROOT_CRL)?,
            ])
        };
        let extensions = extensions().map_err(encoding("issuing authority's certificate"))?;
        let until = self.end(from, ISSUING_CA_YEARS);
        self.certify((label, subject), Some(root), (from, until), key, &public_key, extensions)
    }

    fn content_signer(
        &mut self,
        name: &'static str,
        issuing_ca: &Authority,
        from: Date,
        purposes: &[ObjectIdentifier],
    ) -> Result<Authority, IssueError> {
        let owner = if self.algorithm.is_rsa() { "RSA content signer" } else { "content signer" };
        let (key, public_key) = self.key(owner)?;
        let extensions = || {
            let mut extensions = issued_extensions(issuing_ca, &public_key)?;
            extensions.extend([
                extension::key_usage(KeyUsages::DigitalSignature)?,
                extension::extended_key_usage(purposes, true)?,
                extension::certificate_policies(&[oid::POLICY_TEST_CONTENT_SIGNING])?,
            ]);
            Ok(extensions)
        };
        let extensions = extensions().map_err(encoding("content signer's certificate"))?;
        let until = self.end(from, CONTENT_SIGNER_YEARS);
        self.certify((name, &named(name)?), Some(issuing_ca), (from, until), key, &public_key, extensions)
    }

    fn attestation(
        &mut self,
        name: &'static str,
        owner: &'static str,
        issuer: Option<&Authority>,
    ) -> Result<Authority, IssueError> {
        let (key, public_key) = self.key(owner)?;
        let extensions = || {
            Ok(vec![
                extension::subject_key_identifier(&key_identifier(&public_key))?,
                extension::basic_constraints(issuer.map(|_| 0))?,
                extension::key_usage(KeyUsages::KeyCertSign | KeyUsages::CRLSign)?,
            ])
        };
        let extensions = extensions().map_err(encoding("attestation certificate"))?;
        self.certify((name, &named(name)?), issuer, ATTESTATION_LIFE, key, &public_key, extensions)
    }

    /// The last day of somebody who lives so many years.
    fn end(&self, from: Date, years: u16) -> Date {
        let usual = from.last_day_of(years);
        self.until.map_or(usual, |until| until.max(usual))
    }

    fn key(&mut self, owner: &str) -> Result<(PrivateKey, SubjectPublicKeyInfoOwned), IssueError> {
        let mut rng = self.randomness.source(&format!("key of the {owner}"))?;
        let key = self
            .crypto
            .generate(self.algorithm, DEFAULT_EXPONENT, &mut rng)
            .map_err(crypto_failed("make a key of the sample PKI"))?;
        let public = self.crypto.public_key(&key).map_err(crypto_failed("compute a public key"))?;
        Ok((key, subject_public_key_info(&public).map_err(encoding("public key"))?))
    }

    fn certify(
        &mut self,
        (label, subject): (&str, &Name),
        issuer: Option<&Authority>,
        validity: (Date, Date),
        key: PrivateKey,
        public_key: &SubjectPublicKeyInfoOwned,
        extensions: Vec<Extension>,
    ) -> Result<Authority, IssueError> {
        let template = Template {
            issuer: issuer.map_or(subject, Authority::subject),
            subject,
            validity: days(validity).map_err(encoding("authority's validity"))?,
            public_key,
            extensions,
        };
        let mut rng = self.randomness.source(&format!("certificate of {label}"))?;
        let issuer_key = issuer.map_or(&key, Authority::key);
        let certificate = template.sign(issuer_key, &mut rng, self.crypto)?;
        Authority::new(certificate, key)
    }
}
