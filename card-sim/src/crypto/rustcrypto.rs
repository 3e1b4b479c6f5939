//! The portable implementation of [`Crypto`]: the RustCrypto crates, `no_std`, no C.
//!
//! Elliptic curves and block ciphers need neither an allocator nor state. RSA (feature `rsa`) allocates and keeps
//! the last few keys in prepared form.

use core::marker::PhantomData;

use rand_core::CryptoRng;

#[cfg(feature = "yubico")]
use super::curve25519;
use super::{Crypto, CryptoError, check_ecdh_lengths, ecc, symmetric};
#[cfg(feature = "rsa")]
use super::{cache::KeyCache, rsa_prime, rsa_raw::Prepared};
use crate::key::{AsymmetricAlgorithm, PrivateKey, PublicKey, SymmetricKey};

/// How two independent pieces of work are done. The card starts no thread; a host may lend it one.
pub trait Join {
    /// Does both.
    fn join(first: &mut (dyn FnMut() + Send), second: &mut (dyn FnMut() + Send));
}

/// One piece of work after the other.
pub struct OneAfterAnother;

impl Join for OneAfterAnother {
    fn join(first: &mut (dyn FnMut() + Send), second: &mut (dyn FnMut() + Send)) {
        first();
        second();
    }
}

/// Cryptography by the RustCrypto crates. `J` does the two halves of RSA's work, which belong to the two primes.
///
/// So many RSA `KEYS` stay prepared: as many as the PIV application has for everyday use, or fewer where memory is
/// scarce. One takes some 10 KB of heap.
pub struct Portable<J, const KEYS: usize = 4> {
    #[cfg(feature = "rsa")]
    rsa: KeyCache<Prepared, KEYS>,
    join: PhantomData<fn() -> J>,
}

/// Cryptography by the RustCrypto crates, in one thread.
pub type RustCrypto = Portable<OneAfterAnother>;

impl<J, const KEYS: usize> Default for Portable<J, KEYS> {
    fn default() -> Self {
        Self {
            #[cfg(feature = "rsa")]
            rsa: KeyCache::default(),
            join: PhantomData,
        }
    }
}

impl<J: Join, const KEYS: usize> Crypto for Portable<J, KEYS> {
    fn generate(
        &mut self,
        algorithm: AsymmetricAlgorithm,
        exponent: u32,
        rng: &mut dyn CryptoRng,
    ) -> Result<PrivateKey, CryptoError> {
        #[cfg(feature = "yubico")]
        if algorithm.is_curve25519() {
            return curve25519::generate(algorithm, rng);
        }
        if !algorithm.is_rsa() {
            return ecc::generate(algorithm, rng);
        }
        #[cfg(feature = "rsa")]
        return rsa_prime::generate::<J>(algorithm, exponent, rng);
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
        #[cfg(feature = "yubico")]
        if key.algorithm().is_curve25519() {
            return curve25519::public_key(key);
        }
        ecc::public_key(key)
    }

    fn check_rsa_values(&mut self, key: &PrivateKey, values: [&[u8]; 3]) -> Result<(), CryptoError> {
        #[cfg(all(feature = "rsa", feature = "yubico"))]
        return super::rsa_raw::check_values(key, values);
        #[cfg(not(all(feature = "rsa", feature = "yubico")))]
        {
            let _ = (key, values);
            Err(CryptoError::Unsupported)
        }
    }

    fn rsa_private(&mut self, key: &PrivateKey, block: &mut [u8]) -> Result<(), CryptoError> {
        #[cfg(feature = "rsa")]
        if key.algorithm().is_rsa() {
            return self.rsa.get_or_prepare(key, Prepared::new)?.private::<J>(block);
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

    fn ed25519_sign(
        &mut self,
        key: &PrivateKey,
        message: &[u8],
        signature: &mut [u8; 64],
    ) -> Result<(), CryptoError> {
        #[cfg(feature = "yubico")]
        return curve25519::sign(key, message, signature);
        #[cfg(not(feature = "yubico"))]
        {
            let _ = (key, message, signature);
            Err(CryptoError::Unsupported)
        }
    }

    fn ecdh(&mut self, key: &PrivateKey, point: &[u8], shared: &mut [u8]) -> Result<(), CryptoError> {
        check_ecdh_lengths(key.algorithm(), point, shared)?;
        #[cfg(feature = "yubico")]
        if key.algorithm() == AsymmetricAlgorithm::X25519 {
            return curve25519::agree(key, point, shared);
        }
        ecc::ecdh(key, point, shared)
    }

    fn encrypt_block(&mut self, key: &SymmetricKey, block: &mut [u8]) -> Result<(), CryptoError> {
        symmetric::encrypt(key, block)
    }

    fn decrypt_block(&mut self, key: &SymmetricKey, block: &mut [u8]) -> Result<(), CryptoError> {
        symmetric::decrypt(key, block)
    }
}
