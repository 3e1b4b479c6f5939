//! Raw RSA (`block ^ d mod n`: RFC 8017, 5.1.2 and 5.2.1) with the `rsa` crate, and the check of a key's parts.
//!
//! A key is accepted when its modulus has its full length, its primes are odd and differ, its exponent is odd and at
//! least 65,537 (FIPS 186-5, A.1.1), and both the exponent and the second prime can be inverted. Whether the primes
//! are prime is not tested: every result is checked against the public key before it is released, so that neither a
//! composite "prime" nor a fault in the computation gives away a factor; both end in an error.
//!
//! The exponentiations take constant time. Blinding stands behind that as a second line: its pair of numbers is
//! derived from the key, because the operation is given no random generator, and squared after each use.

use chacha20::ChaCha20Rng;
use crypto_bigint::{BoxedUint, ConcatenatingMul, Integer, modular::BoxedMontyForm};
#[cfg(feature = "yubico")]
use crypto_primes::{Flavor, is_prime};
use heapless::Vec;
use rand_core::{Rng, SeedableRng};
use rsa::{
    RsaPrivateKey,
    hazmat::rsa_encrypt,
    traits::{PrivateKeyParts, PublicKeyParts},
};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::{CryptoError, Join, rsa_crt::Crt, rsa_prime};
use crate::key::{PrivateKey, PrivateParts, PublicKey};

/// Draws for an invertible blinding factor. Only a key with a very composite "prime" needs more than one.
const DRAWS: usize = 16;

/// The key with every number that follows from its parts, or [`CryptoError::InvalidKey`].
///
/// Never panics, whatever the parts are. The result has its CRT values (`dp`, `dq`, `qinv`).
pub fn check_rsa_key(key: &PrivateKey) -> Result<RsaPrivateKey, CryptoError> {
    let PrivateParts::Rsa { exponent, p, q } = key.parts() else { return Err(CryptoError::InvalidKey) };
    if !rsa_prime::is_exponent(exponent) {
        return Err(CryptoError::InvalidKey);
    }
    let bits = rsa_prime::prime_bits(key.algorithm())?;
    let read = |prime| BoxedUint::from_be_slice(prime, bits).map_err(|_| CryptoError::InvalidKey);
    let (p, q) = (Zeroizing::new(read(p)?), Zeroizing::new(read(q)?));
    // The crate panics on an even modulus and on primes below two.
    let odd = (p.is_odd() & q.is_odd()).to_bool();
    let full = p.concatenating_mul(&*q).bits() == bits.saturating_mul(2);
    if !odd || !full || *p == *q {
        return Err(CryptoError::InvalidKey);
    }
    let checked = RsaPrivateKey::from_p_q((*p).clone(), (*q).clone(), BoxedUint::from(exponent))
        .map_err(|_| CryptoError::InvalidKey)?;
    if checked.qinv().is_some() { Ok(checked) } else { Err(CryptoError::InvalidKey) }
}

/// [`Crypto::check_rsa_values`](super::Crypto::check_rsa_values): what [`check_rsa_key`] checks, and the rest.
#[cfg(feature = "yubico")]
pub(super) fn check_values(key: &PrivateKey, values: [&[u8]; 3]) -> Result<(), CryptoError> {
    let key = check_rsa_key(key)?;
    let (Some(dp), Some(dq), Some(q_inverse)) = (key.dp(), key.dq(), key.qinv()) else {
        return Err(CryptoError::InvalidKey);
    };
    let q_inverse = Zeroizing::new(q_inverse.retrieve());
    let fit = [dp, dq, &*q_inverse].into_iter().zip(values).all(|(number, value)| {
        let value = BoxedUint::from_be_slice(value, number.bits_precision()).map(Zeroizing::new);
        value.is_ok_and(|value| *value == *number)
    });
    let prime = key.primes().iter().all(|number| is_prime(Flavor::Any, number.as_ref()));
    if fit && prime { Ok(()) } else { Err(CryptoError::InvalidKey) }
}

/// A checked key with its blinding pair. Wiped when dropped.
pub(super) struct Prepared {
    exponent: u32,
    key: RsaPrivateKey,
    crt: Crt,
    /// `r ^ e mod n`
    blind: BoxedMontyForm,
    /// `r ^ -1 mod n`
    unblind: BoxedMontyForm,
}

impl Prepared {
    pub(super) fn new(source: &PrivateKey) -> Result<Self, CryptoError> {
        let key = check_rsa_key(source)?;
        let PrivateParts::Rsa { exponent, .. } = source.parts() else { return Err(CryptoError::InvalidKey) };
        let (blind, unblind) = blinding_pair(source, &key)?;
        let crt = Crt::new(&key)?;
        Ok(Self { exponent, key, crt, blind, unblind })
    }

    pub(super) fn public_key(&self) -> Result<PublicKey, CryptoError> {
        let modulus = Vec::from_slice(&self.key.n().to_be_bytes()).map_err(|_| CryptoError::Failed)?;
        Ok(PublicKey::Rsa { modulus, exponent: self.exponent })
    }

    /// `block ^ d mod n` in place, checked.
    pub(super) fn private<J: Join>(&mut self, block: &mut [u8]) -> Result<(), CryptoError> {
        let key = &self.key;
        if block.len() != key.size() {
            return Err(CryptoError::InvalidInput);
        }
        let input =
            BoxedUint::from_be_slice(block, key.n_bits_precision()).map_err(|_| CryptoError::InvalidInput)?;
        if input >= *key.n().as_ref() {
            return Err(CryptoError::InvalidInput);
        }
        let blinded = BoxedMontyForm::new(input.clone(), key.n_params()).mul(&self.blind).retrieve();
        let power = self.crt.power::<J>(&blinded)?;
        let mut result = BoxedMontyForm::new(power, key.n_params()).mul(&self.unblind).retrieve();
        self.blind = self.blind.square();
        self.unblind = self.unblind.square();
        // A result with a fault in one of its halves would give away a factor (RFC 8017, 5.1.2 by CRT).
        if rsa_encrypt(key, &result).map_err(|_| CryptoError::Failed)? != input {
            result.zeroize();
            return Err(CryptoError::Failed);
        }
        for (to, from) in block.iter_mut().zip(result.to_be_bytes()) {
            *to = from;
        }
        result.zeroize();
        Ok(())
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // The key and its CRT values wipe themselves.
        self.blind.zeroize();
        self.unblind.zeroize();
    }
}

/// `(r ^ e, r ^ -1)` for an `r` that only the holder of the key can predict.
fn blinding_pair(
    source: &PrivateKey,
    key: &RsaPrivateKey,
) -> Result<(BoxedMontyForm, BoxedMontyForm), CryptoError> {
    let digest = Sha256::new().chain_update(b"RSA blinding").chain_update(source.material()).finalize();
    let seed: Zeroizing<[u8; 32]> = Zeroizing::new(digest.into());
    let mut rng = ChaCha20Rng::from_seed(*seed);
    let mut bytes = Zeroizing::new([0; 512]);
    // One byte shorter than the modulus, so below it.
    let length = source.algorithm().size().saturating_sub(1);
    let bytes = bytes.get_mut(..length).ok_or(CryptoError::Failed)?;
    for _ in 0..DRAWS {
        rng.fill_bytes(bytes);
        let factor =
            BoxedUint::from_be_slice(bytes, key.n_bits_precision()).map_err(|_| CryptoError::Failed)?;
        let factor = Zeroizing::new(BoxedMontyForm::new(factor, key.n_params()));
        if let Some(inverse) = factor.invert().into_option() {
            return Ok((factor.pow_bounded_exp(key.e(), key.e().bits()), inverse));
        }
    }
    Err(CryptoError::InvalidKey)
}
