//! The certificate of a delegated responder (RFC 6960, 4.2.2.2): the authority's permission to sign answers for it.
//!
//! It says id-pkix-ocsp-nocheck (4.2.2.2.1), for nobody could ask but the responder itself. So it should live shortly, and
//! a new one is made when it ends.

use card_sim::{crypto::Crypto, key::DEFAULT_EXPONENT};
use der::asn1::Null;
use rand_core::CryptoRng;
use x509_cert::ext::{Extension, pkix::KeyUsages};

use crate::issue::{
    Authority, Date, IssueError,
    certificate::{Template, days},
    error::{crypto as crypto_failed, encoding},
    extension, name, oid,
    public_key::{key_identifier, subject_public_key_info},
};

/// Its name, under every authority.
const NAME: &str = "Sample OCSP Responder";

/// A new responder that may sign for `issuer` from the first day to the last. Key and serial number come from `rng`; the
/// key is on the authority's algorithm.
pub fn delegate(
    issuer: &Authority,
    life: (Date, Date),
    rng: &mut dyn CryptoRng,
    crypto: &mut dyn Crypto,
) -> Result<Authority, IssueError> {
    let failed = || encoding("OCSP responder's certificate");
    let key = crypto
        .generate(issuer.key().algorithm(), DEFAULT_EXPONENT, &mut *rng)
        .map_err(crypto_failed("make an OCSP responder's key"))?;
    let public_key = crypto.public_key(&key).map_err(crypto_failed("compute a public key"))?;
    let public_key = subject_public_key_info(&public_key).map_err(failed())?;
    let template = Template {
        issuer: issuer.subject(),
        subject: &name::authority(NAME).map_err(failed())?,
        validity: days(life).map_err(failed())?,
        public_key: &public_key,
        extensions: extensions(issuer, &key_identifier(&public_key)).map_err(failed())?,
    };
    Authority::new(template.sign(issuer.key(), rng, crypto)?, key)
}

fn extensions(issuer: &Authority, key_identifier: &[u8]) -> Result<Vec<Extension>, der::Error> {
    Ok(vec![
        extension::subject_key_identifier(key_identifier)?,
        extension::authority_key_identifier(&issuer.key_identifier()?)?,
        extension::key_usage(KeyUsages::DigitalSignature)?,
        extension::extended_key_usage(&[oid::EKU_OCSP_SIGNING], true)?,
        extension::extension(oid::OCSP_NO_CHECK, false, &Null)?,
    ])
}
