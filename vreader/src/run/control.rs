//! The control socket of a world: other processes of the same user move its cards.
//!
//! One order a line, one answer a line, both JSON. `vreader ctl` speaks it; so may anything else:
//! `{"do":"remove","reader":"0"}` is answered with `{"done":[…]}`, the readers as they are then, or with
//! `{"refused":"…"}`, a sentence. Promise: when the answer is there, programs in the world can see what was done.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::readers::{ReaderReport, Readers};
use crate::{
    attach::local::{LocalServer, Serve, SocketError},
    reader::{InsertedCard, ReaderSettings},
};

/// The control socket's name, in the folder of the PC/SC socket.
const NAME: &str = "control";

/// Connections at one time.
const MOST_CONNECTIONS: usize = 64;

/// Longest order or answer, in bytes.
const LONGEST_LINE: u64 = 64 * 1024;

/// What to do to a world. A reader is given as [`Readers::find`] takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Nothing: the answer tells what there is.
    List {},
    /// Put a card into an empty reader.
    Insert {
        /// Which reader.
        reader: Option<String>,
        /// A card file or a profile; without it, the card that was taken out.
        card: Option<String>,
    },
    /// Take the card out.
    Remove {
        /// Which reader.
        reader: Option<String>,
    },
    /// Put in another card.
    Swap {
        /// Which reader.
        reader: Option<String>,
        /// A card file or a profile.
        card: String,
    },
    /// Reset the card as another program could.
    Reset {
        /// Which reader.
        reader: Option<String>,
    },
    /// Plug in a reader.
    AddReader {
        /// Its name.
        name: String,
        /// A card file or a profile; without it, the reader is empty.
        card: Option<String>,
        /// The PIN that is entered at its key-pad; without it, it has none.
        pin_pad: Option<String>,
    },
    /// Unplug a reader.
    RemoveReader {
        /// Which reader.
        reader: Option<String>,
    },
    /// End the world.
    Stop {},
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It was done; these are the readers now.
    Done(Vec<ReaderReport>),
    /// It was not done, for this reason.
    Refused(String),
}

/// What a control socket needs of the program around it.
pub trait Host: Send + Sync + 'static {
    /// A card from the name of a file or a profile, or the reason why there is none.
    fn card(&self, name: &str) -> Result<Box<dyn InsertedCard>, String>;

    /// What begins to end the world, if an order may do that. It is called when the order is answered.
    fn stop(&self) -> Option<fn()>;
}

/// Why an order did not reach a world.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Nothing listens there.
    #[error("no world listens at {}: {source}; start one with `vreader serve` or `vreader run`", path.display())]
    Nobody {
        /// The control socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The connection ended without an answer.
    #[error("the world at {} gave no answer: it has just ended, or it is another user's", path.display())]
    Ended {
        /// The control socket.
        path: PathBuf,
    },
    /// The answer is none.
    #[error("what listens at {} is no world of this version: {source}", path.display())]
    Foreign {
        /// The control socket.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// A control socket, until it is dropped.
pub struct Control {
    _socket: LocalServer,
}

impl Control {
    /// Opens the socket for the readers of a world.
    pub fn start(path: &Path, readers: Arc<Readers>, host: impl Host) -> Result<Self, SocketError> {
        let socket = LocalServer::start(path, "control", MOST_CONNECTIONS, Orders { readers, host })?;
        Ok(Self { _socket: socket })
    }
}

/// The control socket that belongs to a PC/SC socket.
pub fn beside(socket: &Path) -> PathBuf {
    socket.with_file_name(NAME)
}

/// Sends an order to the world with this control socket, and waits for the answer.
pub fn order(path: &Path, order: &Order) -> Result<Answer, ControlError> {
    let mut stream =
        UnixStream::connect(path).map_err(|source| ControlError::Nobody { path: path.into(), source })?;
    let foreign = |source| ControlError::Foreign { path: path.into(), source };
    let mut line = serde_json::to_string(order).map_err(foreign)?;
    line.push('\n');
    let mut answer = String::new();
    stream
        .write_all(line.as_bytes())
        .and_then(|()| BufReader::new(stream).take(LONGEST_LINE).read_line(&mut answer))
        .ok()
        .filter(|length| *length > 0)
        .ok_or_else(|| ControlError::Ended { path: path.into() })?;
    serde_json::from_str(&answer).map_err(foreign)
}

/// What the connections have in common.
struct Orders<H> {
    readers: Arc<Readers>,
    host: H,
}

impl<H: Host> Serve for Orders<H> {
    fn serve(&self, stream: &Arc<UnixStream>) {
        let mut lines = BufReader::new(&**stream);
        loop {
            let mut line = String::new();
            match (&mut lines).take(LONGEST_LINE).read_line(&mut line) {
                Ok(1..) if line.ends_with('\n') => {}
                // The end, half a line, or one that is too long.
                _ => return,
            }
            let order = serde_json::from_str(&line);
            let stops = matches!(order, Ok(Order::Stop {}));
            if reply(stream, &self.answer(order)).is_err() {
                return;
            }
            if let Some(stop) = self.host.stop().filter(|_| stops) {
                stop();
            }
        }
    }

    fn refuse(&self, stream: &UnixStream) {
        // Nobody is there to be told if this fails.
        let _ = reply(stream, &Answer::Refused("too many programs control this world at once".into()));
    }
}

impl<H: Host> Orders<H> {
    fn answer(&self, order: Result<Order, serde_json::Error>) -> Answer {
        let order = order.map_err(|error| format!("this is no order: {error}"));
        match order.and_then(|order| self.carry_out(order)) {
            Ok(()) => Answer::Done(self.readers.list()),
            Err(reason) => Answer::Refused(reason),
        }
    }

    fn carry_out(&self, order: Order) -> Result<(), String> {
        let find = |reader: Option<String>| self.readers.find(reader.as_deref()).map_err(in_words);
        let open = |card: Option<String>| card.map(|card| self.host.card(&card)).transpose();
        match order {
            Order::List {} => Ok(()),
            Order::Insert { reader, card } => {
                let reader = find(reader)?;
                self.readers.insert(&reader, open(card)?).map_err(in_words)
            }
            Order::Remove { reader } => self.readers.remove(&find(reader)?).map_err(in_words),
            Order::Swap { reader, card } => {
                let reader = find(reader)?;
                self.readers.swap(&reader, self.host.card(&card)?).map_err(in_words)
            }
            Order::Reset { reader } => self.readers.reset(&find(reader)?).map_err(in_words),
            Order::AddReader { name, card, pin_pad } => {
                let card = open(card)?;
                let reader = ReaderSettings::new(name);
                let reader = match pin_pad {
                    Some(pin) => reader.with_pin_pad(pin),
                    None => reader,
                };
                self.readers.add(reader, card).map(drop).map_err(in_words)
            }
            Order::RemoveReader { reader } => self.readers.unplug(&find(reader)?).map_err(in_words),
            Order::Stop {} if self.host.stop().is_some() => Ok(()),
            Order::Stop {} => Err("this world ends with its program, not before".into()),
        }
    }
}

fn in_words(error: impl std::error::Error) -> String {
    error.to_string()
}

fn reply(mut stream: &UnixStream, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_string(answer)?;
    line.push('\n');
    stream.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_read_as_they_are_documented() {
        let table = [
            (r#"{"do":"list"}"#, Order::List {}),
            (r#"{"do":"remove","reader":"0"}"#, Order::Remove { reader: Some("0".into()) }),
            (r#"{"do":"insert"}"#, Order::Insert { reader: None, card: None }),
            (r#"{"do":"swap","card":"piv"}"#, Order::Swap { reader: None, card: "piv".into() }),
            (
                r#"{"do":"add_reader","name":"Desk"}"#,
                Order::AddReader { name: "Desk".into(), card: None, pin_pad: None },
            ),
            (r#"{"do":"stop"}"#, Order::Stop {}),
        ];
        for (line, order) in table {
            assert_eq!(serde_json::from_str::<Order>(line).unwrap(), order, "{line}");
        }
        for wrong in
            ["", "{}", r#"{"do":"dance"}"#, r#"{"do":"remove","reader":0}"#, r#"{"do":"list","x":1}"#]
        {
            assert!(serde_json::from_str::<Order>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_socket_without_a_world_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = order(&folder.path().join("control"), &Order::List {}).unwrap_err().to_string();
        assert!(error.contains("vreader serve"), "{error}");
    }
}
