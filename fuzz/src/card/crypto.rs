//! Cryptography for cards under fuzzing.
//!
//! What is looked for are faults of the card, not of arithmetic: a fuzzer that makes RSA keys makes a few of them a second
//! and nothing else. So RSA is a hash here, and any numbers are an RSA key; where it is told to be
//! [quick](Arithmetic::Quick) the elliptic curves are, too. Block ciphers are real, for the management key opens the card with
//! them. The arithmetic has tests of its own.

use card_sim::{
    crypto::{Crypto, CryptoError, RustCrypto, rsa_prime::is_exponent},
    key::{AsymmetricAlgorithm, PrivateKey, PublicKey, SymmetricKey},
};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};

use super::secure;

/// Who computes on elliptic curves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    /// The portable implementation of the card.
    Real,
    /// A hash.
    Quick,
    /// A hash, but for the key of secure messaging: a host follows what is agreed with it.
    Session,
}

/// The card's cryptography.
pub(crate) struct FuzzCrypto {
    real: RustCrypto,
    arithmetic: Arithmetic,
}

impl FuzzCrypto {
    /// With this arithmetic on elliptic curves.
    pub(crate) fn new(arithmetic: Arithmetic) -> Self {
        Self { real: RustCrypto::default(), arithmetic }
    }

    fn is_real(&self, key: &PrivateKey) -> bool {
        match self.arithmetic {
            Arithmetic::Real => !key.algorithm().is_rsa(),
            Arithmetic::Quick => false,
            Arithmetic::Session => secure::is_card_key(key),
        }
    }
}

/// Fills `out` with bytes that follow from key and input, and tell neither.
fn hash(purpose: u8, key: &PrivateKey, input: &[u8], out: &mut [u8]) {
    for (block, out) in (0_u8..).zip(out.chunks_mut(32)) {
        let digest = Sha256::new()
            .chain_update([purpose, block])
            .chain_update(key.material())
            .chain_update(input)
            .finalize();
        out.copy_from_slice(&digest[..out.len()]);
    }
}

impl Crypto for FuzzCrypto {
    fn generate(
        &mut self,
        algorithm: AsymmetricAlgorithm,
        exponent: u32,
        rng: &mut dyn CryptoRng,
    ) -> Result<PrivateKey, CryptoError> {
        if !algorithm.is_rsa() && self.arithmetic == Arithmetic::Real {
            return self.real.generate(algorithm, exponent, rng);
        }
        if algorithm.is_rsa() && !is_exponent(exponent) {
            return Err(CryptoError::InvalidInput);
        }
        let mut random = vec![0; algorithm.size()];
        rng.fill_bytes(&mut random);
        let (p, q) = random.split_at(algorithm.size() / 2);
        let key = if algorithm.is_rsa() {
            PrivateKey::rsa(algorithm, exponent, p, q)
        } else {
            PrivateKey::ecc(algorithm, &random)
        };
        key.ok_or(CryptoError::Failed)
    }

    fn public_key(&mut self, key: &PrivateKey) -> Result<PublicKey, CryptoError> {
        if self.is_real(key) {
            return self.real.public_key(key);
        }
        let size = key.algorithm().size();
        let mut bytes = [0; 512];
        hash(0, key, &[], &mut bytes);
        if key.algorithm().is_rsa() {
            let modulus = heapless::Vec::from_slice(&bytes[..size]).map_err(|_| CryptoError::Failed)?;
            return Ok(PublicKey::Rsa { modulus, exponent: 0x0001_0001 });
        }
        match (key.algorithm(), bytes.first_chunk()) {
            (AsymmetricAlgorithm::Ed25519, Some(bytes)) => return Ok(PublicKey::Ed25519(*bytes)),
            (AsymmetricAlgorithm::X25519, Some(bytes)) => return Ok(PublicKey::X25519(*bytes)),
            _ => {}
        }
        bytes[0] = 0x04;
        let point = heapless::Vec::from_slice(&bytes[..=2 * size]).map_err(|_| CryptoError::Failed)?;
        Ok(PublicKey::Ecc { point })
    }

    fn check_rsa_values(&mut self, _: &PrivateKey, _: [&[u8]; 3]) -> Result<(), CryptoError> {
        Ok(())
    }

    fn rsa_private(&mut self, key: &PrivateKey, block: &mut [u8]) -> Result<(), CryptoError> {
        let input = block.to_vec();
        hash(1, key, &input, block);
        Ok(())
    }

    fn ecdsa_sign(
        &mut self,
        key: &PrivateKey,
        digest: &[u8],
        signature: &mut [u8],
    ) -> Result<(), CryptoError> {
        if self.is_real(key) {
            return self.real.ecdsa_sign(key, digest, signature);
        }
        hash(2, key, digest, signature);
        Ok(())
    }

    fn ed25519_sign(
        &mut self,
        key: &PrivateKey,
        message: &[u8],
        signature: &mut [u8; 64],
    ) -> Result<(), CryptoError> {
        if self.is_real(key) {
            return self.real.ed25519_sign(key, message, signature);
        }
        hash(4, key, message, signature);
        Ok(())
    }

    fn ecdh(&mut self, key: &PrivateKey, point: &[u8], shared: &mut [u8]) -> Result<(), CryptoError> {
        if let Some(known) = secure::known_secret(key, point) {
            shared.copy_from_slice(known);
            return Ok(());
        }
        if self.is_real(key) {
            return self.real.ecdh(key, point, shared);
        }
        if key.algorithm() != AsymmetricAlgorithm::X25519 && point.first() != Some(&0x04) {
            return Err(CryptoError::InvalidInput);
        }
        hash(3, key, point, shared);
        Ok(())
    }

    fn encrypt_block(&mut self, key: &SymmetricKey, block: &mut [u8]) -> Result<(), CryptoError> {
        self.real.encrypt_block(key, block)
    }

    fn decrypt_block(&mut self, key: &SymmetricKey, block: &mut [u8]) -> Result<(), CryptoError> {
        self.real.decrypt_block(key, block)
    }
}
