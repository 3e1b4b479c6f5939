//! Elliptic curves P-256 and P-384 (feature `p384`) on the RustCrypto crates, and the DER form of a signature.
//!
//! Follows FIPS 186-5 (ECDSA, key generation by testing candidates: A.2.2), RFC 6979 (nonce) and SP 800-56A 5.7.1.2
//! (ECC CDH: the shared x-coordinate). Points are uncompressed (SEC 1, 2.3.3) and checked to lie on the curve.
//! Nothing here allocates, keeps state or takes a time that depends on a secret.

use ecdsa::{EcdsaCurve, hazmat::sign_prehashed_rfc6979};
use heapless::{Vec, VecView};
use p256::{
    NistP256,
    elliptic_curve::{
        self, AffinePoint, CurveArithmetic, FieldBytesSize, SecretKey,
        sec1::{FromSec1Point, ModulusSize, ToSec1Point},
    },
};
#[cfg(feature = "p384")]
use p384::NistP384;
use rand_core::CryptoRng;
use sha2::Sha256;
#[cfg(feature = "p384")]
use sha2::Sha384;
use zeroize::Zeroizing;

use super::CryptoError;
use crate::key::{AsymmetricAlgorithm, PrivateKey, PrivateParts, PublicKey};

/// First byte of an uncompressed point (SEC 1, 2.3.3).
const UNCOMPRESSED: u8 = 0x04;

/// Candidates for a secret scalar before the generator is called broken. A good one misses with probability 2^-32.
const CANDIDATES: usize = 32;

/// A new key: the first candidate from `rng` that is a valid scalar. A candidate is as long as the curve's order.
pub(super) fn generate(
    algorithm: AsymmetricAlgorithm,
    rng: &mut dyn CryptoRng,
) -> Result<PrivateKey, CryptoError> {
    let mut candidate = Zeroizing::new([0; 48]);
    let candidate = candidate.get_mut(..algorithm.size()).ok_or(CryptoError::Unsupported)?;
    for _ in 0..CANDIDATES {
        rng.fill_bytes(candidate);
        let valid = match algorithm {
            AsymmetricAlgorithm::EccP256 => secret::<NistP256>(candidate).is_ok(),
            #[cfg(feature = "p384")]
            AsymmetricAlgorithm::EccP384 => secret::<NistP384>(candidate).is_ok(),
            _ => return Err(CryptoError::Unsupported),
        };
        if valid {
            return PrivateKey::ecc(algorithm, candidate).ok_or(CryptoError::Failed);
        }
    }
    Err(CryptoError::Failed)
}

pub(super) fn public_key(key: &PrivateKey) -> Result<PublicKey, CryptoError> {
    match key.algorithm() {
        AsymmetricAlgorithm::EccP256 => public_point::<NistP256>(scalar(key)?),
        #[cfg(feature = "p384")]
        AsymmetricAlgorithm::EccP384 => public_point::<NistP384>(scalar(key)?),
        _ => Err(CryptoError::Unsupported),
    }
}

pub(super) fn sign(key: &PrivateKey, digest: &[u8], signature: &mut [u8]) -> Result<(), CryptoError> {
    let size = key.algorithm().size();
    if !matches!(key.algorithm(), AsymmetricAlgorithm::EccP256 | AsymmetricAlgorithm::EccP384) {
        return Err(CryptoError::Unsupported);
    }
    if digest.len() != size {
        return Err(CryptoError::InvalidInput);
    }
    let (r, s) = signature.split_at_mut_checked(size).ok_or(CryptoError::InvalidInput)?;
    if s.len() != size {
        return Err(CryptoError::InvalidInput);
    }
    match key.algorithm() {
        AsymmetricAlgorithm::EccP256 => {
            let secret = Zeroizing::new(secret::<NistP256>(scalar(key)?)?.to_nonzero_scalar());
            let (halves, _) = sign_prehashed_rfc6979::<NistP256, Sha256>(&secret, digest, &[]);
            copy_halves(&halves, r, s);
        }
        #[cfg(feature = "p384")]
        AsymmetricAlgorithm::EccP384 => {
            let secret = Zeroizing::new(secret::<NistP384>(scalar(key)?)?.to_nonzero_scalar());
            let (halves, _) = sign_prehashed_rfc6979::<NistP384, Sha384>(&secret, digest, &[]);
            copy_halves(&halves, r, s);
        }
        _ => return Err(CryptoError::Unsupported),
    }
    Ok(())
}

/// `point` and `shared` have passed [`check_ecdh_lengths`].
pub(super) fn ecdh(key: &PrivateKey, point: &[u8], shared: &mut [u8]) -> Result<(), CryptoError> {
    match key.algorithm() {
        AsymmetricAlgorithm::EccP256 => agree::<NistP256>(scalar(key)?, point, shared),
        #[cfg(feature = "p384")]
        AsymmetricAlgorithm::EccP384 => agree::<NistP384>(scalar(key)?, point, shared),
        _ => Err(CryptoError::Unsupported),
    }
}

/// What every backend asks of ECDH's arguments before any arithmetic: the algorithm, the form and length of the peer's
/// `point`, the length of `shared`.
pub fn check_ecdh_lengths(
    algorithm: AsymmetricAlgorithm,
    point: &[u8],
    shared: &[u8],
) -> Result<(), CryptoError> {
    let size = algorithm.size();
    let form = match algorithm {
        AsymmetricAlgorithm::EccP256 | AsymmetricAlgorithm::EccP384 => {
            point.first() == Some(&UNCOMPRESSED) && point.len().checked_sub(size) == size.checked_add(1)
        }
        AsymmetricAlgorithm::X25519 => point.len() == size,
        _ => return Err(CryptoError::Unsupported),
    };
    if form && shared.len() == size { Ok(()) } else { Err(CryptoError::InvalidInput) }
}

/// Appends the DER form of `signature` (`r || s`, 64 or 96 bytes) to `out`: `SEQUENCE { INTEGER r, INTEGER s }`
/// (SEC 1, C.5), as GENERAL AUTHENTICATE returns it (SP 800-73-5 part 2, 3.2.4).
///
/// # Errors
/// [`CryptoError::InvalidInput`] when `signature` has another length or `out` has no room; `out` is then unchanged.
pub fn ecdsa_der(signature: &[u8], out: &mut VecView<u8>) -> Result<(), CryptoError> {
    let size = match signature.len() {
        64 => 32,
        96 => 48,
        _ => return Err(CryptoError::InvalidInput),
    };
    let (r, s) = signature.split_at_checked(size).ok_or(CryptoError::InvalidInput)?;
    let mut integers: Vec<u8, 102> = Vec::new();
    push_integer(r, &mut integers)?;
    push_integer(s, &mut integers)?;
    let mut sequence: Vec<u8, 104> = Vec::new();
    push_object(0x30, &[&integers], &mut sequence)?;
    out.extend_from_slice(&sequence).map_err(|_| CryptoError::InvalidInput)
}

/// Appends a DER INTEGER: no more leading zeros than the sign needs (X.690, 8.3).
fn push_integer(number: &[u8], out: &mut VecView<u8>) -> Result<(), CryptoError> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    // Zero and numbers with the top bit set keep one zero byte in front.
    let sign: &[u8] = if digits.first().is_none_or(|first| *first >= 0x80) { &[0x00] } else { &[] };
    push_object(0x02, &[sign, digits], out)
}

/// Appends a DER object of less than 128 bytes.
fn push_object(tag: u8, parts: &[&[u8]], out: &mut VecView<u8>) -> Result<(), CryptoError> {
    let length = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
    let length = u8::try_from(length).ok().filter(|l| *l < 0x80).ok_or(CryptoError::InvalidInput)?;
    for part in [&[tag, length]].into_iter().map(<[u8; 2]>::as_slice).chain(parts.iter().copied()) {
        out.extend_from_slice(part).map_err(|_| CryptoError::InvalidInput)?;
    }
    Ok(())
}

fn scalar(key: &PrivateKey) -> Result<&[u8], CryptoError> {
    match key.parts() {
        PrivateParts::Ecc { scalar } => Ok(scalar),
        PrivateParts::Rsa { .. } => Err(CryptoError::InvalidKey),
    }
}

/// The scalar as a number from 1 to the order minus 1, or an error.
fn secret<C: CurveArithmetic>(scalar: &[u8]) -> Result<SecretKey<C>, CryptoError> {
    SecretKey::from_slice(scalar).map_err(|_| CryptoError::InvalidKey)
}

fn public_point<C>(scalar: &[u8]) -> Result<PublicKey, CryptoError>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let point = secret::<C>(scalar)?.public_key().to_sec1_point(false);
    Ok(PublicKey::Ecc { point: Vec::from_slice(point.as_bytes()).map_err(|_| CryptoError::Failed)? })
}

fn agree<C>(scalar: &[u8], point: &[u8], shared: &mut [u8]) -> Result<(), CryptoError>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let secret = secret::<C>(scalar)?;
    let peer =
        elliptic_curve::PublicKey::<C>::from_sec1_bytes(point).map_err(|_| CryptoError::InvalidInput)?;
    let secret = secret.diffie_hellman(&peer);
    for (to, from) in shared.iter_mut().zip(secret.raw_secret_bytes()) {
        *to = *from;
    }
    Ok(())
}

fn copy_halves<C: EcdsaCurve>(signature: &ecdsa::Signature<C>, r: &mut [u8], s: &mut [u8]) {
    let halves = signature.split_bytes();
    for (to, from) in r.iter_mut().zip(halves.0.iter()).chain(s.iter_mut().zip(halves.1.iter())) {
        *to = *from;
    }
}
