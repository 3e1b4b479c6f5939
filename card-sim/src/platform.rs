//! All that a card needs from outside: randomness, storage, cryptography, and somebody who holds it.
//!
//! The card reads no clock, opens no file and starts no thread. A test platform and the host's platform are the same
//! few lines: a [`Parts`] with four fields.

use rand_core::CryptoRng;

use crate::{
    crypto::Crypto,
    holder::{Holder, Obliging},
    store::Store,
};

/// The card's surroundings.
pub trait Platform {
    /// Randomness. Seeded, it makes the card deterministic.
    type Rng: CryptoRng;
    /// Persistent state.
    type Store: Store;
    /// Cryptography.
    type Crypto: Crypto;
    /// Who is asked for a touch.
    type Holder: Holder;

    /// The four parts, borrowed at once.
    fn parts(&mut self) -> &mut Parts<Self::Rng, Self::Store, Self::Crypto, Self::Holder>;
}

/// A platform made of its four parts.
pub struct Parts<R, S, C, H = Obliging> {
    /// Randomness.
    pub rng: R,
    /// Persistent state.
    pub store: S,
    /// Cryptography.
    pub crypto: C,
    /// Who is asked for a touch.
    pub holder: H,
}

impl<R: CryptoRng, S: Store, C: Crypto, H: Holder> Platform for Parts<R, S, C, H> {
    type Rng = R;
    type Store = S;
    type Crypto = C;
    type Holder = H;

    fn parts(&mut self) -> &mut Self {
        self
    }
}
