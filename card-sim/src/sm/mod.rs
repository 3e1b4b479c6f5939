//! Secure messaging: OPACITY with zero key management, one way (SP 800-73-5 part 2, section 4).
//!
//! A host and a card agree on session keys by one command; from then on commands and answers are encrypted and carry a
//! message authentication code. Only the card proves itself.
//!
//! | file | what lives there |
//! |---|---|
//! | [`cipher_suite`] | CS2 and CS7 (table 14) |
//! | [`key_establishment`] | from a shared secret to session keys and the card's cryptogram (4.1) |
//! | [`session`] | protection of commands and answers (4.2) |
//! | `cipher` | AES in CBC mode and AES-CMAC |
//!
//! Promises: keys are wiped with the session; codes are compared in constant time; nothing is decrypted before its code
//! is checked.

mod cipher;
pub mod cipher_suite;
pub mod key_establishment;
pub mod session;

pub use cipher_suite::CipherSuite;
pub use session::{ProtectionError, Session};
