//! The portable implementation of [`Crypto`]: the RustCrypto crates, `no_std`, no C.
//!
//! Elliptic curves and block ciphers need neither an allocator nor state. RSA (feature `rsa`) allocates and keeps
//! the last few keys in prepared form.

use rand_core::CryptoRng;

use super::{Crypto, CryptoError, ecc, symmetric};
#[cfg(feature = "rsa")]
use super::{cache::KeyCache, rsa_prime, rsa_raw::Prepared};
use crate::key::{AsymmetricAlgorithm, PrivateKey, PublicKey, SymmetricKey};

/// How many RSA keys stay prepared: as many as the PIV application has for everyday use. One takes some 10 KB of heap.
#[cfg(feature = "rsa")]
const PREPARED: usize = 4;

/// Cryptography by the RustCrypto crates.
#[derive(Default)]
pub struct RustCrypto {
    #[cfg(feature = "rsa")]
    rsa: KeyCache<Prepared, PREPARED>,
}

impl RustCrypto {
    /// With nothing prepared.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Crypto for RustCrypto {
    fn generate(
        &mut self,
        algorithm: AsymmetricAlgorithm,
        exponent: u32,
        rng: &mut dyn CryptoRng,
    ) -> Result<PrivateKey, CryptoError> {
        if !algorithm.is_rsa() {
            return ecc::generate(algorithm, rng);
        }
        #[cfg(feature = "rsa")]
        return rsa_prime::generate(algorithm, exponent, rng);
        #[cfg(not(feature = "rsa"))]
        {
            let _ = exponent;
            Err(CryptoError::Unsupported)
        }
    }

    fn public_key(&mut self, key: &PrivateKey) -> Result<PublicKey, CryptoError> {
        #[cfg(feature = "rsa")]
        if key.algorithm().is_rsa() {
            return self.rsa.get_or_prepare(key, Prepared::new)?.public_key();
        }
        ecc::public_key(key)
    }

    fn rsa_private(&mut self, key: &PrivateKey, block: &mut [u8]) -> Result<(), CryptoError> {
        #[cfg(feature = "rsa")]
        if key.algorithm().is_rsa() {
            return self.rsa.get_or_prepare(key, Prepared::new)?.private(block);
        }
        let _ = (key, block);
        Err(CryptoError::Unsupported)
    }

    fn ecdsa_sign(
        &mut self,
        key: &PrivateKey,
        digest: &[u8],
        signature: &mut [u8],
    ) -> Result<(), CryptoError> {
        ecc::sign(key, digest, signature)
    }

    fn ecdh(&mut self, key: &PrivateKey, point: &[u8], shared: &mut [u8]) -> Result<(), CryptoError> {
        ecc::ecdh(key, point, shared)
    }

    fn encrypt_block(&mut self, key: &SymmetricKey, block: &mut [u8]) -> Result<(), CryptoError> {
        symmetric::encrypt(key, block)
    }

    fn decrypt_block(&mut self, key: &SymmetricKey, block: &mut [u8]) -> Result<(), CryptoError> {
        symmetric::decrypt(key, block)
    }
}
