//! A PIV card in software: bytes in, bytes out.
//!
//! [`Card`] is the card of SP 800-73-5. It needs a [`Platform`](platform::Platform) (randomness, storage,
//! cryptography, a holder) and nothing else: no operating system, no clock, no allocator except for RSA (feature `rsa`) and for
//! the store on flash (feature `flash`).
//!
//! | module | what lives there |
//! |---|---|
//! | [`card`] | power, application selection, chaining, GET RESPONSE |
//! | [`personalise`] | putting a holder's data on an empty card |
//! | [`profile`] | card stocks and the choices that the standard leaves to them |
//! | `piv` | the commands, one file each |
//! | [`object`], [`key`], [`mod@reference`] | the standard's tables: data objects, keys, PIN and PUK |
//! | [`further_object`] | data objects beyond the standard's, on YubiKeys (feature `yubico`) |
//! | [`on_card_comparison`] | the rule by which fingers are compared |
//! | [`security`] | what has been proved since power-on; the access rules |
//! | [`interface`], [`discovery`] | contact and contactless; what the Discovery Object says of PINs and pairing |
//! | [`sm`] | secure messaging |
//! | [`refusal`] | every rule by which a command is refused |
//! | [`cac`] | the CAC applets, the other face of a Common Access Card (feature `cac`) |
//! | `yubikey` | what tells that a card is a YubiKey: its applications beside PIV (feature `yubico`) |
//! | [`store`], [`crypto`], [`holder`], [`platform`] | what the card needs from outside |
//!
//! Promises: no input makes the card panic; every change of state is one transaction; a PIN try is spent before the
//! PIN is compared; secrets are wiped when they are no longer needed and have no `Debug`.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

#[cfg(any(feature = "flash", feature = "rsa"))]
extern crate alloc;

#[cfg(feature = "cac")]
pub mod cac;
pub mod card;
pub mod crypto;
pub mod discovery;
#[cfg(feature = "yubico")]
pub mod further_object;
pub mod holder;
pub mod interface;
pub mod key;
pub mod object;
pub mod on_card_comparison;
pub mod personalise;
mod piv;
pub mod platform;
pub mod profile;
pub mod reference;
pub mod refusal;
pub mod security;
pub mod sm;
pub mod store;
#[cfg(feature = "yubico")]
mod yubikey;

pub use card::{Card, OpenError};
