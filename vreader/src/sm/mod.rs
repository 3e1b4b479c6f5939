//! The host's half of secure messaging: checks the card, pairs, protects commands (SP 800-73-5 part 2, section 4).
//!
//! ```no_run
//! use std::path::Path;
//! use vreader::{attach::pcsc::RemoteCard, crypto::DefaultCrypto, random, sm::SecureChannel};
//!
//! let mut card = RemoteCard::connect(Path::new("/tmp/vreader/comm"), "Virtual Reader 00 00")?;
//! let mut channel = SecureChannel::establish(
//!     &mut card, &[], &mut DefaultCrypto::default(), &mut random::from_system()?)?;
//! channel.pair("12345678")?;
//! let answer = channel.transmit(&[0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x05, 0x00])?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what lives there |
//! |---|---|
//! | [`channel`] | establishing a session and using it |
//! | [`cvc`] | card-verifiable certificates and the container of their signer |
//! | [`transport`] | what carries commands to a card, and whole answers |
//! | `verify` | signatures of certificates |
//!
//! Promise: no command is sent under a session whose card has not proved the key that its certificate names.

pub mod channel;
pub mod cvc;
pub mod transport;
pub(crate) mod verify;

pub use channel::{SecureChannel, SmError};
pub use transport::{Answer, Local, Transport, whole_answer};
