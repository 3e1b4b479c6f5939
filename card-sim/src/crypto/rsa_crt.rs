//! `input ^ d mod n` by the Chinese remainder theorem (RFC 8017, 5.1.2, step 2b), where raw RSA spends its time.
//!
//! The arithmetic is `crypto-bigint`'s on numbers of fixed width: the same constant-time code as the `rsa` crate's, a
//! sixth faster than on its numbers of variable width. Promise: the time depends on the key's size only; what is
//! secret is wiped. Correctness is checked by the caller, with the public key.

use alloc::boxed::Box;

#[cfg(feature = "yubico")]
use crypto_bigint::U512;
use crypto_bigint::{
    BoxedUint, Odd, U1024, Uint, Word,
    modular::{FixedMontyForm, FixedMontyParams},
};
#[cfg(feature = "rsa-large")]
use crypto_bigint::{U1536, U2048};
use rsa::{
    RsaPrivateKey,
    traits::{PrivateKeyParts, PublicKeyParts},
};
use zeroize::{Zeroize, Zeroizing};

use super::{CryptoError, Join};

/// A key's CRT values, in the width of its primes.
pub(super) enum Crt {
    #[cfg(feature = "yubico")]
    Rsa1024(Box<Values<{ U512::LIMBS }>>),
    Rsa2048(Box<Values<{ U1024::LIMBS }>>),
    #[cfg(feature = "rsa-large")]
    Rsa3072(Box<Values<{ U1536::LIMBS }>>),
    #[cfg(feature = "rsa-large")]
    Rsa4096(Box<Values<{ U2048::LIMBS }>>),
}

impl Crt {
    /// The values of a key whose primes have equal width.
    pub(super) fn new(key: &RsaPrivateKey) -> Result<Self, CryptoError> {
        Ok(match key.n_bits_precision() {
            #[cfg(feature = "yubico")]
            1024 => Self::Rsa1024(Box::new(Values::new(key)?)),
            2048 => Self::Rsa2048(Box::new(Values::new(key)?)),
            #[cfg(feature = "rsa-large")]
            3072 => Self::Rsa3072(Box::new(Values::new(key)?)),
            #[cfg(feature = "rsa-large")]
            4096 => Self::Rsa4096(Box::new(Values::new(key)?)),
            _ => return Err(CryptoError::Unsupported),
        })
    }

    /// `input ^ d mod n` for an `input` as wide as the modulus.
    pub(super) fn power<J: Join>(&self, input: &BoxedUint) -> Result<BoxedUint, CryptoError> {
        match self {
            #[cfg(feature = "yubico")]
            Self::Rsa1024(values) => values.power::<J>(input),
            Self::Rsa2048(values) => values.power::<J>(input),
            #[cfg(feature = "rsa-large")]
            Self::Rsa3072(values) => values.power::<J>(input),
            #[cfg(feature = "rsa-large")]
            Self::Rsa4096(values) => values.power::<J>(input),
        }
    }
}

pub(super) struct Values<const LIMBS: usize> {
    p: FixedMontyParams<LIMBS>,
    q: FixedMontyParams<LIMBS>,
    /// `d mod (p - 1)` and `d mod (q - 1)`
    dp: Uint<LIMBS>,
    dq: Uint<LIMBS>,
    /// `q ^ -1 mod p`
    q_inverse: FixedMontyForm<LIMBS>,
}

impl<const LIMBS: usize> Values<LIMBS> {
    fn new(key: &RsaPrivateKey) -> Result<Self, CryptoError> {
        let (Some(dp), Some(dq), Some(q_inverse), [p, q]) = (key.dp(), key.dq(), key.qinv(), key.primes())
        else {
            return Err(CryptoError::InvalidKey);
        };
        let params = |prime: &BoxedUint| {
            let odd = Odd::new(fixed(prime.as_words())?).into_option().ok_or(CryptoError::InvalidKey)?;
            Ok(FixedMontyParams::new(odd))
        };
        let p = params(p)?;
        let q_inverse = Zeroizing::new(q_inverse.retrieve());
        Ok(Self {
            q: params(q)?,
            dp: fixed(dp.as_words())?,
            dq: fixed(dq.as_words())?,
            q_inverse: FixedMontyForm::new(&fixed(q_inverse.as_words())?, &p),
            p,
        })
    }

    fn power<J: Join>(&self, input: &BoxedUint) -> Result<BoxedUint, CryptoError> {
        let (low, high) = input.as_words().split_at_checked(LIMBS).ok_or(CryptoError::Failed)?;
        let input = (fixed(low)?, fixed(high)?);
        let (mut modulo_p, mut modulo_q) = (None, None);
        J::join(
            &mut || modulo_p = Some(Zeroizing::new(residue(input, &self.p).pow_amm(&self.dp))),
            &mut || modulo_q = Some(Zeroizing::new(residue(input, &self.q).pow_amm(&self.dq).retrieve())),
        );
        let (Some(modulo_p), Some(modulo_q)) = (modulo_p, modulo_q) else { return Err(CryptoError::Failed) };
        let difference = Zeroizing::new(modulo_p.sub(&FixedMontyForm::new(&modulo_q, &self.p)));
        let factor = Zeroizing::new(self.q_inverse.mul(&difference).retrieve());
        let (low, high) = factor.widening_mul(self.q.modulus().as_ref());
        let (low, high) = (Zeroizing::new(low), Zeroizing::new(high));
        // factor * q + modulo_q < p * q: the sum fits, and the carry ends in its upper half.
        let (low, carry) = low.carrying_add(&modulo_q, crypto_bigint::Limb::ZERO);
        let (high, _) = high.carrying_add(&Uint::ZERO, carry);
        let (low, high) = (Zeroizing::new(low), Zeroizing::new(high));
        Ok(BoxedUint::from_words(low.as_words().iter().chain(high.as_words()).copied()))
    }
}

impl<const LIMBS: usize> Drop for Values<LIMBS> {
    fn drop(&mut self) {
        self.p.zeroize();
        self.q.zeroize();
        self.dp.zeroize();
        self.dq.zeroize();
        self.q_inverse.zeroize();
    }
}

/// `low + high * R` modulo a prime, where `R` is 2 to the number's width. `R ^ 2` is what `R` is in Montgomery's form.
fn residue<const LIMBS: usize>(
    (low, high): (Uint<LIMBS>, Uint<LIMBS>),
    modulus: &FixedMontyParams<LIMBS>,
) -> FixedMontyForm<LIMBS> {
    let radix = FixedMontyForm::from_montgomery(*modulus.r2(), modulus);
    FixedMontyForm::new(&high, modulus).mul(&radix).add(&FixedMontyForm::new(&low, modulus))
}

fn fixed<const LIMBS: usize>(words: &[Word]) -> Result<Uint<LIMBS>, CryptoError> {
    Ok(Uint::from_words(words.try_into().map_err(|_| CryptoError::InvalidKey)?))
}
