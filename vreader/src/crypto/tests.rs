//! The host's cryptography against the card's tables, and against RustCrypto byte by byte.

use card_sim::{
    crypto,
    crypto::{Crypto, CryptoError, RustCrypto, ecdsa_der},
    key,
    key::{AsymmetricAlgorithm, DEFAULT_EXPONENT, PrivateKey, PublicKey},
};
use rand_core::Rng;

use super::{
    DefaultCrypto, backend_name,
    verify::{rsa_public, verify_ecdsa},
};
use crate::random;

#[path = "../../../card-sim/src/crypto/conformance.rs"]
mod conformance;

#[test]
fn the_default_conforms() {
    conformance::all::<DefaultCrypto>();
}

#[test]
fn the_default_moves_between_threads() {
    fn moves<T: Send + Default>() {}
    moves::<DefaultCrypto>();
}
