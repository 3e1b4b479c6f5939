//! Private keys and certificates out of the files of a folder.
//!
//! A private key lies in a PKCS #12 file as PKCS #8 (RFC 5208), which holds RSA keys after RFC 8017 and elliptic ones after
//! RFC 5915.

use card_sim::key::{AsymmetricAlgorithm, PrivateKey};
use der::{Decode, asn1::UintRef, pem};
use pkcs8::PrivateKeyInfoRef;
use x509_cert::Certificate;
use zeroize::Zeroizing;

use super::pkcs12::{self, Archive, Pkcs12Error};
use crate::issue::oid;

const PEM_BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// What is in a PKCS #12 file.
#[derive(Default)]
pub(super) struct KeyFile {
    /// The first private key, if it is of a kind that cards hold.
    pub(super) key: Option<PrivateKey>,
    /// What kind it is if cards do not hold it.
    pub(super) unsupported: Option<String>,
    /// The certificate that is said to belong to the key, else the first.
    pub(super) certificate: Option<Vec<u8>>,
}

/// Opens a PKCS #12 file.
pub(super) fn open(bytes: &[u8], password: &str) -> Result<KeyFile, Pkcs12Error> {
    let Archive { keys, certificates } = pkcs12::open(bytes, password)?;
    let mut file = KeyFile::default();
    let first = keys.first();
    match first.map(|key| private_key(&key.contents)) {
        Some(Ok(key)) => file.key = Some(key),
        Some(Err(algorithm)) => file.unsupported = Some(algorithm),
        None => {}
    }
    let identifier = first.and_then(|key| key.identifier.as_ref());
    let of_key = certificates
        .iter()
        .find(|certificate| identifier.is_some() && certificate.identifier.as_ref() == identifier);
    file.certificate = of_key.or(certificates.first()).map(|certificate| certificate.contents.clone());
    Ok(file)
}

/// A private key in PKCS #8, or what it is instead of one that cards hold.
fn private_key(pkcs8: &[u8]) -> Result<PrivateKey, String> {
    let info = PrivateKeyInfoRef::from_der(pkcs8).map_err(|error| error.to_string())?;
    let key = info.private_key.as_bytes();
    match info.algorithm.oid {
        oid::RSA_ENCRYPTION => rsa(key),
        oid::EC_PUBLIC_KEY => {
            let curve = info.algorithm.parameters_oid().map_err(|error| error.to_string())?;
            let algorithm = match curve {
                oid::CURVE_P256 => AsymmetricAlgorithm::EccP256,
                oid::CURVE_P384 => AsymmetricAlgorithm::EccP384,
                other => return Err(format!("elliptic curve {other}")),
            };
            let key = sec1::EcPrivateKey::from_der(key).map_err(|error| error.to_string())?;
            PrivateKey::ecc(algorithm, key.private_key).ok_or_else(|| "a scalar of another length".to_owned())
        }
        other => Err(format!("algorithm {other}")),
    }
}

fn rsa(der: &[u8]) -> Result<PrivateKey, String> {
    let key = pkcs1::RsaPrivateKeyRef::from_der(der).map_err(|error| error.to_string())?;
    let length = key.modulus.as_bytes().len();
    let other = || format!("RSA with {} bits", length * 8);
    let algorithm = AsymmetricAlgorithm::OF_PIV
        .into_iter()
        .find(|algorithm| algorithm.is_rsa() && algorithm.size() == length)
        .ok_or_else(other)?;
    let exponent = key.public_exponent.as_bytes();
    let exponent =
        exponent.iter().try_fold(0_u32, |sum, byte| Some(sum.checked_mul(256)? | u32::from(*byte)));
    let exponent = exponent.ok_or("RSA with a public exponent of more than 32 bits")?;
    let half = |prime: UintRef<'_>| {
        let mut bytes = Zeroizing::new(vec![0; length / 2]);
        let start = bytes.len().checked_sub(prime.as_bytes().len())?;
        bytes.get_mut(start..)?.copy_from_slice(prime.as_bytes());
        Some(bytes)
    };
    half(key.prime1)
        .zip(half(key.prime2))
        .and_then(|(p, q)| PrivateKey::rsa(algorithm, exponent, &p, &q))
        .ok_or_else(|| format!("{} with primes of different lengths", other()))
}

/// The certificate in a file, which may be PEM with text before it, or DER.
pub(super) fn certificate(bytes: &[u8]) -> Option<Vec<u8>> {
    let begin = bytes.windows(PEM_BEGIN.len()).position(|window| window == PEM_BEGIN);
    let der = match begin {
        Some(begin) => pem::decode_vec(bytes.get(begin..)?).ok()?.1,
        None => bytes.to_vec(),
    };
    // That it is one is enough: what is wrong with it may be why it is here.
    Certificate::from_der(&der).is_ok().then_some(der)
}
