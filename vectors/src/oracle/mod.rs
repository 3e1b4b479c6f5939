//! What a host computes to check a card: the other half of every operation that a card does with its keys.
//!
//! Written on the libraries directly, apart from the card's own cryptography. Everything returns `None` or `false` for
//! input of a wrong form. Algorithm identifiers are those of SP 800-78-5, table 10.

pub mod secure_messaging;

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::{BoxedUint, RsaPublicKey};

/// One block under a symmetric key (ECB).
pub fn encrypt(algorithm: &[u8], key: &[u8], block: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        [0x00 | 0x03] => encrypt_with::<des::TdesEde3>(key, block),
        [0x08] => encrypt_with::<aes::Aes128>(key, block),
        [0x0A] => encrypt_with::<aes::Aes192>(key, block),
        [0x0C] => encrypt_with::<aes::Aes256>(key, block),
        _ => None,
    }
}

/// The inverse of [`encrypt`].
pub fn decrypt(algorithm: &[u8], key: &[u8], block: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        [0x00 | 0x03] => decrypt_with::<des::TdesEde3>(key, block),
        [0x08] => decrypt_with::<aes::Aes128>(key, block),
        [0x0A] => decrypt_with::<aes::Aes192>(key, block),
        [0x0C] => decrypt_with::<aes::Aes256>(key, block),
        _ => None,
    }
}

fn encrypt_with<C: KeyInit + BlockCipherEncrypt>(key: &[u8], block: &[u8]) -> Option<Vec<u8>> {
    let mut block = block.try_into().ok()?;
    C::new_from_slice(key).ok()?.encrypt_block(&mut block);
    Some(block.to_vec())
}

fn decrypt_with<C: KeyInit + BlockCipherDecrypt>(key: &[u8], block: &[u8]) -> Option<Vec<u8>> {
    let mut block = block.try_into().ok()?;
    C::new_from_slice(key).ok()?.decrypt_block(&mut block);
    Some(block.to_vec())
}

/// Whether `signature`, in DER, is one over `digest` by the key with this uncompressed `point`.
///
/// The curve follows from the point's length; the digest must be as long as the curve's order.
pub fn ecdsa(point: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    match (point.len(), digest.len()) {
        (65, 32) => p256::ecdsa::VerifyingKey::from_sec1_bytes(point).is_ok_and(|key| {
            p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok())
        }),
        (97, 48) => p384::ecdsa::VerifyingKey::from_sec1_bytes(point).is_ok_and(|key| {
            p384::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok())
        }),
        _ => false,
    }
}

/// Whether `result` is the private operation of this RSA key on `block`: `result ^ exponent mod modulus = block`.
pub fn rsa(modulus: &[u8], exponent: &[u8], block: &[u8], result: &[u8]) -> bool {
    if block.len() != modulus.len() || result.len() != modulus.len() {
        return false;
    }
    let number = |bytes: &[u8]| BoxedUint::from_be_slice_vartime(bytes);
    let Ok(key) = RsaPublicKey::new_with_size_limits(number(modulus), number(exponent), 1024..=4096) else {
        return false;
    };
    rsa::hazmat::rsa_encrypt(&key, &number(result)).is_ok_and(|opened| opened == number(block))
}

/// The x-coordinate, leading zeros kept, of `scalar` times the uncompressed `point`.
pub fn ecdh(point: &[u8], scalar: &[u8]) -> Option<Vec<u8>> {
    match (point.len(), scalar.len()) {
        (65, 32) => {
            let secret = p256::SecretKey::from_slice(scalar).ok()?;
            let public = p256::PublicKey::from_sec1_bytes(point).ok()?;
            let shared = p256::ecdh::diffie_hellman(secret.to_nonzero_scalar(), public.as_affine());
            Some(shared.raw_secret_bytes().to_vec())
        }
        (97, 48) => {
            let secret = p384::SecretKey::from_slice(scalar).ok()?;
            let public = p384::PublicKey::from_sec1_bytes(point).ok()?;
            let shared = p384::ecdh::diffie_hellman(secret.to_nonzero_scalar(), public.as_affine());
            Some(shared.raw_secret_bytes().to_vec())
        }
        _ => None,
    }
}

/// Whether `point` is an uncompressed point of P-256 or P-384.
pub fn on_curve(point: &[u8]) -> bool {
    match (point.first(), point.len()) {
        (Some(0x04), 65) => p256::PublicKey::from_sec1_bytes(point).is_ok(),
        (Some(0x04), 97) => p384::PublicKey::from_sec1_bytes(point).is_ok(),
        _ => false,
    }
}
