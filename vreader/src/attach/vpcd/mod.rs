//! A card in the system's own pcscd, through the vpcd driver.
//!
//! `vpcd`, the driver of Debian's `vsmartcard-vpcd`, gives pcscd readers without hardware: it listens on one
//! TCP port a slot, and whoever connects is the card in that slot. A message is a big-endian 16-bit length
//! and a body; a body of one byte is a control message (`00` power off, `01` power on, `02` reset, `04` send
//! the ATR), any other is a command APDU. The framing is the `vpicc` crate's; this module promises what a
//! loop around that crate does not:
//!
//! * No stall. Debian's vpcd sends length and body in two segments, and Nagle's algorithm holds the second
//!   back until the card's delayed acknowledgement, 40 ms later. `session` asks the kernel to acknowledge
//!   at once, before every message.
//! * A slot that hangs neither by an empty nor by an oversized answer, nor for ever by a client's one-byte
//!   "APDU".
//! * A card that returns by itself when pcscd restarts, and can be taken out and put back while it runs
//!   ([`Plug`]).
//! * Plain words for what is missing ([`Obstacle`]).
//!
//! Nothing here logs an APDU. `vpicc` hands whole messages, PINs among them, to the `log` facade at level
//! trace; without a logger nothing is printed, and a program that installs one must keep the target `vpicc`
//! below that level.

mod console;
mod endpoint;
#[cfg(test)]
mod fake;
mod obstacle;
mod plug;
mod session;
mod slot;

pub use console::{ConsoleCommand, UnknownCommand, run, terminal};
pub use endpoint::{DEFAULT_PORT, Endpoint, reader_name};
pub use obstacle::Obstacle;
pub use plug::{Plug, PlugError};
pub use session::Loss;
pub use slot::{Event, Place};
