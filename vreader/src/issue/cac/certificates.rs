//! The three certificates of the PKI applets, and who issues them.
//!
//! | certificate | issuer | key usage | for |
//! |---|---|---|---|
//! | ID | ID CA | signature, non-repudiation | signing in to web sites |
//! | Email Signature | EMAIL CA | signature, non-repudiation | mail, signing in to machines |
//! | Email Encryption | EMAIL CA | key encipherment | mail; it cannot sign in |

use card_sim::{crypto::Crypto, key::KeyReference};
use spki::SubjectPublicKeyInfoOwned;
use x509_cert::ext::{Extension, pkix::KeyUsages};

use super::Holder;
use crate::issue::{
    IssueError, Plan,
    certificate::{Template, days},
    error::encoding,
    extension, name, oid,
    person::Person,
    pki::{self, Authority, Pki},
};

/// Names as the DoD's authorities have them, with DEMO before.
const ID_CA: &str = "DEMO DOD ID CA-59";
const EMAIL_CA: &str = "DEMO DOD EMAIL CA-59";

/// Who issues the card's certificates.
pub(in crate::issue) struct Authorities {
    pub(in crate::issue) id_ca: Authority,
    pub(in crate::issue) email_ca: Authority,
}

impl Authorities {
    pub(in crate::issue) fn new(
        plan: &Plan,
        seed: Option<u64>,
        pki: &Pki,
        crypto: &mut dyn Crypto,
    ) -> Result<Self, IssueError> {
        let mut authority = |name| pki.further_issuing_ca(name, seed, plan.pki_from, crypto);
        Ok(Self { id_ca: authority(ID_CA)?, email_ca: authority(EMAIL_CA)? })
    }

    /// Who issues the certificate of this PIV key.
    pub(in crate::issue) fn issuer(&self, reference: KeyReference) -> &Authority {
        match reference {
            KeyReference::DigitalSignature | KeyReference::KeyManagement | KeyReference::Retired(_) => {
                &self.email_ca
            }
            _ => &self.id_ca,
        }
    }
}

/// The extensions of an e-mail certificate, without those of the issuer; nothing if the key has none.
pub(in crate::issue) fn profile_extensions(
    reference: KeyReference,
    holder: &Holder,
    person: &Person,
) -> Result<Option<Vec<Extension>>, der::Error> {
    let mail = extension::mail(&person.email)?;
    let policy = extension::certificate_policies(&[oid::POLICY_TEST_HARDWARE])?;
    Ok(match reference {
        KeyReference::DigitalSignature => Some(vec![
            extension::key_usage(KeyUsages::DigitalSignature | KeyUsages::NonRepudiation)?,
            extension::extended_key_usage(
                &[oid::EKU_CLIENT_AUTH, oid::EKU_EMAIL_PROTECTION, oid::EKU_SMART_CARD_LOGON],
                false,
            )?,
            policy,
            extension::subject_alt_name(vec![mail, extension::principal_name(&holder.principal_name())?])?,
        ]),
        KeyReference::KeyManagement => Some(vec![
            extension::key_usage(KeyUsages::KeyEncipherment)?,
            extension::extended_key_usage(&[oid::EKU_EMAIL_PROTECTION], false)?,
            policy,
            extension::subject_alt_name(vec![mail])?,
        ]),
        _ => None,
    })
}

impl Plan {
    /// The ID certificate, in DER.
    pub(super) fn identity_certificate(
        &self,
        public_key: &SubjectPublicKeyInfoOwned,
        issuer: &Authority,
        crypto: &mut dyn Crypto,
    ) -> Result<Vec<u8>, IssueError> {
        let template = || {
            let mut extensions = pki::issued_extensions(issuer, public_key)?;
            extensions.extend([
                extension::key_usage(KeyUsages::DigitalSignature | KeyUsages::NonRepudiation)?,
                extension::extended_key_usage(&[oid::EKU_CLIENT_AUTH], false)?,
                extension::certificate_policies(&[oid::POLICY_TEST_HARDWARE])?,
            ]);
            Ok((name::holder(&self.person.name)?, extensions))
        };
        let (subject, extensions) = template().map_err(encoding("certificate's extensions"))?;
        let validity = days((self.issued, self.expires)).map_err(encoding("certificate's validity"))?;
        let template =
            Template { issuer: issuer.subject(), subject: &subject, validity, public_key, extensions };
        template.sign(issuer.key(), &mut self.randomness.source("ID certificate")?, crypto)
    }
}
