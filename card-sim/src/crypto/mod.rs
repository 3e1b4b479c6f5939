//! What the card asks of a cryptographic library.
//!
//! The trait speaks in the raw forms that GENERAL AUTHENTICATE needs (SP 800-73-5 part 2, 3.2.4): RSA without
//! padding, ECDSA over a digest, ECDH that returns the x-coordinate, one block of a block cipher; and Ed25519 over a
//! message, for YubiKeys.
//!
//! Two implementations stand behind it: [`RustCrypto`], portable and `no_std`, and the host's own in `vreader`.
//! Promise: for the same key, input and seed all implementations give the same bytes. ECDSA therefore takes its
//! nonce from RFC 6979, and RSA key generation follows [`rsa_prime`] exactly.

#[cfg(feature = "rsa")]
mod cache;
#[cfg(feature = "yubico")]
mod curve25519;
mod ecc;
#[cfg(feature = "rsa")]
mod rsa_crt;
#[cfg(feature = "rsa")]
pub mod rsa_prime;
#[cfg(feature = "rsa")]
mod rsa_raw;
mod rustcrypto;
mod symmetric;
#[cfg(all(test, feature = "rsa", feature = "yubico"))]
mod tests;

#[cfg(feature = "rsa")]
pub use cache::KeyCache;
pub use ecc::{check_ecdh_lengths, ecdsa_der};
#[cfg(feature = "rsa")]
pub use rsa_raw::check_rsa_key;
pub use rustcrypto::{Join, OneAfterAnother, Portable, RustCrypto};

use rand_core::CryptoRng;

use crate::key::{AsymmetricAlgorithm, PrivateKey, PublicKey, SymmetricKey};

/// Longest result of a private-key operation: an RSA-4096 block, in bytes.
pub const MAX_RESULT: usize = 512;

/// Why a cryptographic operation did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CryptoError {
    /// This build has no implementation of the algorithm.
    Unsupported,
    /// The key's parts do not form a valid key.
    InvalidKey,
    /// The input cannot be processed: a block not below the modulus, a point not on the curve, a wrong length.
    InvalidInput,
    /// The library failed for a reason of its own, or its result did not check.
    Failed,
}

/// The cryptography that a card uses.
///
/// Methods take `&mut self` so that an implementation may keep keys in a prepared form between calls. Such a cache
/// is keyed by the key's own bytes and wiped when dropped; a caller never has to invalidate it.
pub trait Crypto {
    /// Makes a private key. `exponent` is RSA's public exponent and is ignored for elliptic curves.
    ///
    /// Takes exactly 64 bytes from `rng` for RSA (two seeds, see [`rsa_prime`]).
    fn generate(
        &mut self,
        algorithm: AsymmetricAlgorithm,
        exponent: u32,
        rng: &mut dyn CryptoRng,
    ) -> Result<PrivateKey, CryptoError>;

    /// The public half of `key`.
    fn public_key(&mut self, key: &PrivateKey) -> Result<PublicKey, CryptoError>;

    /// Whether an RSA `key` that was made elsewhere is one: `p` and `q` are prime, and `values` are the numbers that follow
    /// from them, dP, dQ and qInv (RFC 8017, 3.2), each at most as long as a prime. If not, it is
    /// [`CryptoError::InvalidKey`].
    fn check_rsa_values(&mut self, key: &PrivateKey, values: [&[u8]; 3]) -> Result<(), CryptoError>;

    /// `block ^ d mod n`, in place. `block` is big-endian and exactly as long as the modulus.
    ///
    /// The result is checked against the public key before it is released, so that a fault cannot leak a prime.
    fn rsa_private(&mut self, key: &PrivateKey, block: &mut [u8]) -> Result<(), CryptoError>;

    /// ECDSA over `digest`, which is exactly as long as the curve's order (32 or 48 bytes).
    ///
    /// Writes `r || s`, each that long, to `signature`. The nonce is RFC 6979's with the curve's usual hash
    /// (SHA-256 for P-256, SHA-384 for P-384).
    fn ecdsa_sign(
        &mut self,
        key: &PrivateKey,
        digest: &[u8],
        signature: &mut [u8],
    ) -> Result<(), CryptoError>;

    /// Ed25519 over `message` (RFC 8032, 5.1.6).
    fn ed25519_sign(
        &mut self,
        key: &PrivateKey,
        message: &[u8],
        signature: &mut [u8; 64],
    ) -> Result<(), CryptoError>;

    /// ECDH with the peer's uncompressed `point` (`04 || X || Y`); on X25519, with the 32 bytes of a coordinate.
    ///
    /// Writes the shared x-coordinate with its leading zeros (32 or 48 bytes) to `shared`; on X25519, the 32 bytes
    /// of RFC 7748, 5, unless they are all zero ([`CryptoError::InvalidInput`]).
    fn ecdh(&mut self, key: &PrivateKey, point: &[u8], shared: &mut [u8]) -> Result<(), CryptoError>;

    /// Encrypts one block in place (ECB). `block` is as long as the cipher's block.
    fn encrypt_block(&mut self, key: &SymmetricKey, block: &mut [u8]) -> Result<(), CryptoError>;

    /// Decrypts one block in place (ECB). `block` is as long as the cipher's block.
    fn decrypt_block(&mut self, key: &SymmetricKey, block: &mut [u8]) -> Result<(), CryptoError>;
}
