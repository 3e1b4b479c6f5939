//! The search for RSA's primes: the same seeds give the same key, on every machine and in every version.
//!
//! This text is the algorithm's definition; a backend may run it in any way that gives the same key.
//! In FIPS 186-5's terms it makes probable primes (A.1.3) that meet the conditions of A.1.1.
//!
//! 1. Take 64 bytes from the generator: two seeds of 32 bytes.
//! 2. Each seed starts a ChaCha20 stream (zero nonce, counter from 0), and each stream gives a sequence of primes.
//!    For the next prime take as many bytes as a prime has, read them as a big-endian number, set its two top bits
//!    and its lowest bit, and count up in twos. The first number that fits is the prime: it is prime by Miller-Rabin
//!    with base 2 and the strong Lucas test with base A* (Baillie, Fiori and Wagstaff 2021; no composite is known that
//!    passes both), and the public exponent is coprime to the number minus 1. If no number up to the largest of
//!    that length fits, take the next bytes of the stream.
//! 3. The key's primes are the first of each stream. While their difference is below 2^(bits of a prime - 99)
//!    (equal primes included), the second stream's next prime replaces its last.
//! 4. The larger prime is stored first.
//!
//! The two searches of step 2 do not depend on each other: a host may run them in two threads ([`Join`]). A search
//! takes a time that depends on the primes found, as every search does.

use chacha20::ChaCha20Rng;
use core::num::NonZeroU32;
use crypto_bigint::{BoxedUint, Limb, NonZero};
use crypto_primes::{Flavor, hazmat::SmallFactorsSieve, is_prime};
use rand_core::{CryptoRng, Rng, SeedableRng};
use zeroize::Zeroizing;

use super::{CryptoError, Join};
use crate::key::{AsymmetricAlgorithm, DEFAULT_EXPONENT, PrivateKey};

/// A prime of the size that was asked for. Wiped when dropped.
struct Prime(Zeroizing<BoxedUint>);

/// One stream's sequence of primes.
struct PrimeSearch {
    stream: ChaCha20Rng,
    bits: u32,
    exponent: u32,
}

/// Whether a card may use `exponent`: odd, at least 65,537 (FIPS 186-5, A.1.1 and SP 800-78-5, 3.1).
pub const fn is_exponent(exponent: u32) -> bool {
    exponent >= DEFAULT_EXPONENT && exponent & 1 == 1
}

/// Bits of each prime of an RSA `algorithm`.
pub(super) fn prime_bits(algorithm: AsymmetricAlgorithm) -> Result<u32, CryptoError> {
    match algorithm {
        #[cfg(feature = "yubico")]
        AsymmetricAlgorithm::Rsa1024 => Ok(512),
        AsymmetricAlgorithm::Rsa2048 => Ok(1024),
        #[cfg(feature = "rsa-large")]
        AsymmetricAlgorithm::Rsa3072 => Ok(1536),
        #[cfg(feature = "rsa-large")]
        AsymmetricAlgorithm::Rsa4096 => Ok(2048),
        _ => Err(CryptoError::Unsupported),
    }
}

/// A new key of an RSA `algorithm`; `J` does its two searches.
///
/// # Errors
/// [`CryptoError::Unsupported`] for an elliptic curve and for a size that is not built in,
/// [`CryptoError::InvalidInput`] for an exponent that [`is_exponent`] refuses; `rng` is then untouched.
pub fn generate<J: Join>(
    algorithm: AsymmetricAlgorithm,
    exponent: u32,
    rng: &mut dyn CryptoRng,
) -> Result<PrivateKey, CryptoError> {
    let [mut first, mut second] = searches(algorithm, exponent, rng)?;
    let (mut p, mut q) = (Err(CryptoError::Failed), Err(CryptoError::Failed));
    J::join(&mut || p = first.next_prime(), &mut || q = second.next_prime());
    assemble(algorithm, exponent, p?, q?, &mut second)
}

/// Step 1: the two searches, seeded with 64 bytes of `rng`.
fn searches(
    algorithm: AsymmetricAlgorithm,
    exponent: u32,
    rng: &mut dyn CryptoRng,
) -> Result<[PrimeSearch; 2], CryptoError> {
    let bits = prime_bits(algorithm)?;
    if !is_exponent(exponent) {
        return Err(CryptoError::InvalidInput);
    }
    let mut seeds = Zeroizing::new([[0; 32]; 2]);
    for seed in seeds.iter_mut() {
        rng.fill_bytes(seed);
    }
    Ok(seeds.map(|seed| PrimeSearch { stream: ChaCha20Rng::from_seed(seed), bits, exponent }))
}

/// Steps 3 and 4: the key of the first prime of each search. `second` is the search that gave `q`.
fn assemble(
    algorithm: AsymmetricAlgorithm,
    exponent: u32,
    p: Prime,
    mut q: Prime,
    second: &mut PrimeSearch,
) -> Result<PrivateKey, CryptoError> {
    while p.is_close_to(&q) {
        q = second.next_prime()?;
    }
    let (larger, smaller) = if *p.0 > *q.0 { (p, q) } else { (q, p) };
    let (larger, smaller) = (Zeroizing::new(larger.0.to_be_bytes()), Zeroizing::new(smaller.0.to_be_bytes()));
    PrivateKey::rsa(algorithm, exponent, &larger, &smaller).ok_or(CryptoError::Failed)
}

impl Prime {
    /// Whether the two differ by less than FIPS 186-5, A.1.1 asks for (criterion 2d, rounded up to a bit).
    fn is_close_to(&self, other: &Self) -> bool {
        let (larger, smaller) =
            if *self.0 > *other.0 { (&*self.0, &*other.0) } else { (&*other.0, &*self.0) };
        larger.wrapping_sub(smaller).bits() <= self.0.bits_precision().saturating_sub(99)
    }
}

impl PrimeSearch {
    /// Step 2: the next prime.
    fn next_prime(&mut self) -> Result<Prime, CryptoError> {
        let length = NonZeroU32::new(self.bits).ok_or(CryptoError::Failed)?;
        loop {
            let start = self.start()?;
            let mut candidates =
                SmallFactorsSieve::new(start, length, false).map_err(|_| CryptoError::Failed)?;
            if let Some(prime) = candidates.find(|number| self.fits(number)) {
                return Ok(Prime(Zeroizing::new(prime)));
            }
        }
    }

    /// The number at which a search starts.
    fn start(&mut self) -> Result<BoxedUint, CryptoError> {
        let mut bytes = Zeroizing::new([0; 256]);
        let length = usize::try_from(self.bits / 8).map_err(|_| CryptoError::Failed)?;
        let bytes = bytes.get_mut(..length).ok_or(CryptoError::Failed)?;
        self.stream.fill_bytes(bytes);
        if let Some(first) = bytes.first_mut() {
            *first |= 0xC0;
        }
        if let Some(last) = bytes.last_mut() {
            *last |= 0x01;
        }
        BoxedUint::from_be_slice(bytes, self.bits).map_err(|_| CryptoError::Failed)
    }

    fn fits(&self, number: &BoxedUint) -> bool {
        is_coprime_below(number, self.exponent) && is_prime(Flavor::Any, number)
    }
}

/// Whether `exponent` is coprime to `number - 1`; `number` is odd, `exponent` not zero.
fn is_coprime_below(number: &BoxedUint, exponent: u32) -> bool {
    let Some(divisor) = NonZero::new(Limb::from(exponent)).into_option() else { return false };
    let below = number.wrapping_sub(BoxedUint::one());
    let (mut a, mut b) = (Limb::from(exponent).0, below.rem_limb(divisor).0);
    while b != 0 {
        (a, b) = (b, a.checked_rem(b).unwrap_or_default());
    }
    a == 1
}
