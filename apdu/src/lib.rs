//! ISO/IEC 7816-4 at the byte level: commands, responses, status words, TLV, chaining, names.
//!
//! This crate turns bytes into types and back, and knows nothing about PIV, keys or files.
//! It works on borrowed buffers, never allocates, has no dependencies, no `unsafe`, and no
//! function of it panics, whatever bytes it is given.
//!
//! | module | job | follows |
//! |---|---|---|
//! | [`status`] | status words SW1 SW2 | ISO/IEC 7816-4, 5.6 |
//! | [`command`] | command APDUs, class byte, the seven length cases | 7816-4, 5.2 to 5.4; 7816-3, 12.1 |
//! | [`builder`] | the host's side: writing commands, splitting long ones | the same |
//! | [`response`] | response APDUs | 7816-4, 5.2 |
//! | [`chain`] | command chaining in, GET RESPONSE out | 7816-4, 5.3; SP 800-73-5 part 2 |
//! | [`tlv`] | what both TLV kinds share: tags and errors | |
//! | [`tlv_ber`] | BER-TLV, and the one-byte-tag form inside PIV containers | 7816-4, 6.3; SP 800-73-5 part 1 |
//! | [`tlv_simple`] | SIMPLE-TLV, in ISO's and in GSC-IS's byte order | 7816-4, 6.2; NISTIR 6887 |
//! | [`aid`] | application names and their truncation | 7816-4, clauses 11 and 12 |
//!
//! # A command and its answer
//!
//! ```
//! use apdu::{Case, Command, Response, Status, tlv_ber::{Reader, Tag}};
//!
//! // GET DATA for the CHUID, as SP 800-73 prints it.
//! let bytes = [0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x02, 0x00];
//! let command = Command::parse(&bytes)?;
//! assert_eq!((command.case, command.p1p2(), command.ne()), (Case::FourShort, 0x3FFF, 256));
//!
//! let name = Reader::new(command.data).expect(Tag::new(0x5C));
//! assert_eq!(name, Ok(&[0x5F, 0xC1, 0x02][..]));
//!
//! let answer = Response { data: &[], status: Status::NotFound };
//! let mut buffer = [0; 2];
//! assert_eq!(answer.write_to(&mut buffer), Some(2));
//! assert_eq!(buffer, [0x6A, 0x82]);
//! # Ok::<(), apdu::ParseError>(())
//! ```

#![no_std]
#![forbid(unsafe_code)]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

#[cfg(test)]
extern crate std;

pub mod aid;
pub mod builder;
pub mod chain;
pub mod command;
pub mod response;
pub mod status;
pub mod tlv;
pub mod tlv_ber;
pub mod tlv_simple;

pub use aid::Aid;
pub use builder::{CommandBuilder, EncodeError, Fragments};
pub use chain::{CommandChain, Progress, ResponseCursor};
pub use command::{Case, Class, Command, CommandHeader, ParseError, SecureMessaging, is_valid_instruction};
pub use response::Response;
pub use status::Status;
pub use tlv::{Full, Tag, TlvError};
