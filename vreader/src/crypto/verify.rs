//! What a relying party does with a card's public key: checks a signature, opens an RSA block.
//!
//! On the RustCrypto crates in every build, so that a card on AWS-LC is checked by another library than its own.
//! Public keys are no secret and nothing here hides them from a clock.

use card_sim::crypto::CryptoError;
use der::{Decode, Sequence, asn1::UintRef};
use ecdsa::{EcdsaCurve, Signature, hazmat::verify_prehashed};
use p256::{
    NistP256,
    elliptic_curve::{
        AffinePoint, CurveArithmetic, FieldBytes, FieldBytesSize, ProjectivePoint, PublicKey,
        sec1::{FromSec1Point, ModulusSize, ToSec1Point},
    },
};
use p384::NistP384;
use rsa::{BoxedUint, RsaPublicKey, hazmat::rsa_encrypt};

/// `Ecdsa-Sig-Value` of RFC 3279, 2.2.3.
#[derive(Sequence)]
struct EcdsaSignature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// Checks an ECDSA signature in DER over `digest` against the uncompressed `point` of P-256 or P-384.
///
/// # Errors
/// [`CryptoError::InvalidKey`] for a point that is on neither curve, [`CryptoError::InvalidInput`] for a signature
/// that is no DER or an empty digest, [`CryptoError::Failed`] for a signature that does not belong to digest and point.
pub fn verify_ecdsa(point: &[u8], digest: &[u8], der_signature: &[u8]) -> Result<(), CryptoError> {
    match point.len() {
        65 => verify_on::<NistP256>(point, digest, der_signature),
        97 => verify_on::<NistP384>(point, digest, der_signature),
        _ => Err(CryptoError::InvalidKey),
    }
}

fn verify_on<C>(point: &[u8], digest: &[u8], der_signature: &[u8]) -> Result<(), CryptoError>
where
    C: EcdsaCurve + CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let key = PublicKey::<C>::from_sec1_bytes(point).map_err(|_| CryptoError::InvalidKey)?;
    if digest.is_empty() {
        return Err(CryptoError::InvalidInput);
    }
    let parsed = EcdsaSignature::from_der(der_signature).map_err(|_| CryptoError::InvalidInput)?;
    let (r, s) = (field_bytes::<C>(parsed.r.as_bytes()), field_bytes::<C>(parsed.s.as_bytes()));
    let (Some(r), Some(s)) = (r, s) else { return Err(CryptoError::Failed) };
    let signature = Signature::<C>::from_scalars(r, s).map_err(|_| CryptoError::Failed)?;
    verify_prehashed::<C>(&ProjectivePoint::<C>::from(*key.as_affine()), digest, &signature)
        .map_err(|_| CryptoError::Failed)
}

/// `number` with leading zeros, unless it is longer than the curve's order.
fn field_bytes<C: CurveArithmetic>(number: &[u8]) -> Option<FieldBytes<C>> {
    let mut bytes = FieldBytes::<C>::default();
    let start = bytes.len().checked_sub(number.len())?;
    bytes.get_mut(start..)?.copy_from_slice(number);
    Some(bytes)
}

/// `block ^ exponent mod modulus` (RSAVP1 and RSAEP, RFC 8017), as long as the modulus. All big-endian.
///
/// # Errors
/// [`CryptoError::InvalidKey`] for a modulus or exponent that is no RSA key's, [`CryptoError::InvalidInput`] for a
/// block that is not as long as the modulus or not below it.
pub fn rsa_public(modulus: &[u8], exponent: u32, block: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let n = BoxedUint::from_be_slice_vartime(modulus);
    let key = RsaPublicKey::new(n, BoxedUint::from(exponent)).map_err(|_| CryptoError::InvalidKey)?;
    if block.len() != modulus.len() || block >= modulus {
        return Err(CryptoError::InvalidInput);
    }
    let block = BoxedUint::from_be_slice_vartime(block);
    let result = rsa_encrypt(&key, &block).map_err(|_| CryptoError::Failed)?.to_be_bytes();
    // The number's storage may be wider than the modulus, never narrower.
    let start = result.len().checked_sub(modulus.len()).ok_or(CryptoError::Failed)?;
    Ok(result.get(start..).unwrap_or_default().to_vec())
}
