//! Randomness for cards: the operating system's by default, repeatable when a seed is given.

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// The random generator of the host's platform.
pub type CardRng = ChaCha20Rng;

/// A generator seeded by the operating system.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn from_system() -> Result<CardRng, getrandom::Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(CardRng::from_seed(seed))
}

/// A generator that gives the same bytes for the same `purpose` and `seed`, today and in later versions.
///
/// Purposes are kept apart so that drawing more bytes for one never changes another.
pub fn from_seed(purpose: &str, seed: u64) -> CardRng {
    let digest = Sha256::new()
        .chain_update(b"vreader seed, version 1\0")
        .chain_update(purpose.as_bytes())
        .chain_update([0])
        .chain_update(seed.to_be_bytes())
        .finalize();
    CardRng::from_seed(digest.into())
}
