//! All that a card needs from outside: randomness, storage and cryptography.
//!
//! The card reads no clock, opens no file and starts no thread. A test platform and the host's platform are the same
//! few lines: a [`Parts`] with three fields.

use rand_core::CryptoRng;

use crate::{crypto::Crypto, store::Store};

/// The card's surroundings.
pub trait Platform {
    /// Randomness. Seeded, it makes the card deterministic.
    type Rng: CryptoRng;
    /// Persistent state.
    type Store: Store;
    /// Cryptography.
    type Crypto: Crypto;

    /// The three parts, borrowed at once.
    fn parts(&mut self) -> &mut Parts<Self::Rng, Self::Store, Self::Crypto>;
}

/// A platform made of its three parts.
pub struct Parts<R, S, C> {
    /// Randomness.
    pub rng: R,
    /// Persistent state.
    pub store: S,
    /// Cryptography.
    pub crypto: C,
}

impl<R: CryptoRng, S: Store, C: Crypto> Platform for Parts<R, S, C> {
    type Rng = R;
    type Store = S;
    type Crypto = C;

    fn parts(&mut self) -> &mut Self {
        self
    }
}
