//! The reader: PC/SC as a state machine without sockets.
//!
//! [`Readers`] is the state machine: readers and slots, insertion and removal, power, contexts and handles, sharing,
//! transactions, notices of resets and removals, event counters, attributes, control codes. It does no I/O, reads no
//! clock and never waits: a call that has to wait says so and is made again. [`Service`] makes it a service for many
//! threads, and is all that an attachment needs: one [`Client`] for each connection, with one function for each call.
//!
//! The rules are pcscd's, call by call, as versions 1.9.9 to 2.5.1 have them. Where those rules make programs wait or
//! hang, or contradict each other, this reader does better:
//!
//! | what | pcscd | here |
//! |---|---|---|
//! | waiting for a transaction's end | asks again every 100 ms, in no order | woken at once, in the order of asking |
//! | a waiting call whose answer has become clear: reset, removal | hears of it when it asks again | hears of it at once |
//! | Reconnect from exclusive to shared | keeps the reader locked for all others | frees it |
//! | Reconnect to exclusive, as exclusive already, after a removal | its own reader no more | its own again |
//! | Reconnect without reset, card unpowered by another handle | leaves it without power | gives it power |
//! | Reset or unpower by a handle, no card in the slot | marks handles as reset | nothing was reset, nobody is told |
//! | reset of a card, handle to a former card | W_RESET_CARD | still W_REMOVED_CARD, until Reconnect |
//! | failed Connect, nobody else connected | the card keeps its power for ever | auto power-off goes on |
//! | protocol mask 0x1000 alone, protocol chosen already | PROTO_MISMATCH | means T=0 or T=1, as it does before |
//! | a reader that works again after a failure | handles go on as if the card still had its state | W_RESET_CARD |
//! | too many handles to one reader | F_INTERNAL_ERROR | NO_MEMORY |
//! | a card that gives no answer | keeps its power, and every command fails until a reset | loses its power: W_RESET_CARD, and the next Connect wakes it |
//! | changes of sharing | told at the next poll, after 400 ms | told at once |

pub(crate) mod atr;
mod attribute;
mod card;
mod code;
mod device;
mod feature;
mod lease;
mod observe;
mod pin_entry;
mod queue;
mod readers;
mod request;
mod service;
mod settings;
mod slot;
mod snapshot;
#[cfg(test)]
mod tests;
mod touch;

pub use card::InsertedCard;
pub use card_sim::interface::Interface;
pub use code::{Refusal, ReturnCode};
pub use lease::{Control, Lease, LeaseId, Removed};
pub use observe::{Event, Observer, Peer, What};
pub use queue::{Ticket, Turn};
pub use readers::{ClientId, Connection, ManageError, Readers};
pub use request::{Disposition, Initialization, Protocol, Protocols, ShareMode};
pub use service::{Change, Client, InsertError, Service};
pub use settings::{AutoPowerOff, Limits, Mood, PinPad, ReaderSettings, Settings};
pub use snapshot::{MAX_ATR, ReaderState, Snapshot};
pub use touch::{Finger, InVain, NoHabit, TouchHabit, TouchSensor};
