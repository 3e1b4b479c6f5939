//! Ed25519 (RFC 8032, 5.1) and X25519 (RFC 7748, 5) on the dalek crates.
//!
//! A private key is any 32 bytes, so that nothing here calls one invalid. A shared secret of zeros is refused, as RFC 7748, 6.1
//! allows: the peer's point then has a small order, and everybody knows the secret. Nothing here allocates, keeps
//! state or takes a time that depends on a secret.

use curve25519_dalek::MontgomeryPoint;
use ed25519_dalek::{Signer, SigningKey};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::CryptoError;
use crate::key::{AsymmetricAlgorithm, PrivateKey, PublicKey};

pub(super) fn generate(
    algorithm: AsymmetricAlgorithm,
    rng: &mut dyn CryptoRng,
) -> Result<PrivateKey, CryptoError> {
    let mut bytes = Zeroizing::new([0; 32]);
    rng.fill_bytes(&mut *bytes);
    PrivateKey::ecc(algorithm, &*bytes).ok_or(CryptoError::Unsupported)
}

pub(super) fn public_key(key: &PrivateKey) -> Result<PublicKey, CryptoError> {
    let secret = secret(key)?;
    Ok(match key.algorithm() {
        AsymmetricAlgorithm::Ed25519 => {
            PublicKey::Ed25519(SigningKey::from_bytes(&secret).verifying_key().to_bytes())
        }
        AsymmetricAlgorithm::X25519 => PublicKey::X25519(MontgomeryPoint::mul_base_clamped(*secret).0),
        _ => return Err(CryptoError::Unsupported),
    })
}

pub(super) fn sign(key: &PrivateKey, message: &[u8], signature: &mut [u8; 64]) -> Result<(), CryptoError> {
    if key.algorithm() != AsymmetricAlgorithm::Ed25519 {
        return Err(CryptoError::Unsupported);
    }
    let key = SigningKey::from_bytes(&*secret(key)?);
    *signature = key.try_sign(message).map_err(|_| CryptoError::Failed)?.to_bytes();
    Ok(())
}

/// `point` and `shared` have passed [`check_ecdh_lengths`](super::check_ecdh_lengths).
pub(super) fn agree(key: &PrivateKey, point: &[u8], shared: &mut [u8]) -> Result<(), CryptoError> {
    let point = MontgomeryPoint(point.try_into().map_err(|_| CryptoError::InvalidInput)?);
    let mut product = point.mul_clamped(*secret(key)?);
    if bool::from(product.0.ct_eq(&[0; 32])) {
        return Err(CryptoError::InvalidInput);
    }
    for (to, from) in shared.iter_mut().zip(product.0) {
        *to = from;
    }
    product.zeroize();
    Ok(())
}

fn secret(key: &PrivateKey) -> Result<Zeroizing<[u8; 32]>, CryptoError> {
    key.material().try_into().map(Zeroizing::new).map_err(|_| CryptoError::InvalidKey)
}
