//! What passed between programs, readers and cards: recorded, shown, stored, compared.
//!
//! There is one [`Event`] for everything that passes. A [`Recorder`] takes events from a [`Service`](crate::reader::Service),
//! keeps the last of them, writes all of them to a file if it is to, and wakes whoever waits for one. Promise: the data
//! fields of commands that carry PINs and keys are hidden when they are recorded, unless the recorder was told
//! otherwise; what was not recorded cannot leak.
//!
//! | file | holds |
//! |---|---|
//! | `event` | the event, and its form in files: one JSON object a line |
//! | `bytes` | bytes in hex, some of them hidden |
//! | `secret` | which bytes of a command are hidden |
//! | `meaning` | commands in words, by the tables in `names` |
//! | `line` | events as lines for people |
//! | `recorder` | the recording itself |
//! | `file` | reading a file back |
//! | `exchange` | chains and GET RESPONSE put together: what a program asked, and what it was told |
//! | `diff` | two runs compared by meaning |

mod bytes;
mod diff;
mod event;
mod exchange;
mod file;
mod line;
mod meaning;
mod names;
mod recorder;
mod secret;

pub use apdu::Status;

pub use self::{
    bytes::{Bytes, BytesError},
    diff::{Difference, Side, compare},
    event::{Client, Event, Run, What},
    exchange::{Exchange, exchanges},
    file::{TraceFileError, read},
    recorder::{Recorder, Secrets},
};

/// A command as people may see it: in words, and its bytes without PINs and keys.
pub fn in_words(command: &[u8]) -> (String, Bytes) {
    (meaning::of_command(command), Bytes::new(command, secret::secret_part(command)))
}
