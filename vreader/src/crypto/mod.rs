//! The host's cryptography.
//!
//! [`HostCrypto`] is the card's [`Crypto`](card_sim::crypto::Crypto) on AWS-LC (feature `aws-lc`, on by default; it needs
//! a C compiler). Without the feature the portable [`RustCrypto`](card_sim::crypto::RustCrypto) takes its place. Both
//! give the same bytes for the same key, input and seed, which the tests here hold them to. [`verify`] is the other
//! side: what a relying party computes with a public key.

#[cfg(feature = "aws-lc")]
mod aws_lc;
#[cfg(feature = "aws-lc")]
mod host;
#[cfg(test)]
mod tests;
mod two_threads;
pub mod verify;

#[cfg(feature = "aws-lc")]
pub use host::HostCrypto;
pub use two_threads::TwoThreads;

/// The portable implementation with the host's threads.
pub type PortableCrypto = card_sim::crypto::Portable<TwoThreads>;

/// The cryptography of this build.
#[cfg(feature = "aws-lc")]
pub type DefaultCrypto = HostCrypto;

/// The cryptography of this build.
#[cfg(not(feature = "aws-lc"))]
pub type DefaultCrypto = PortableCrypto;

/// The name of the library behind [`DefaultCrypto`], for people.
pub const fn backend_name() -> &'static str {
    if cfg!(feature = "aws-lc") { "AWS-LC" } else { "RustCrypto" }
}
