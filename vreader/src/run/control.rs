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
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    CardSource, World,
    cards::Shelf,
    readers::{InterfaceName, ReaderReport, Readers},
};
use crate::{
    attach::local::{LocalServer, Serve, SocketError},
    image::{PowerCut, Tear},
    reader::{Finger, InsertedCard, Interface, ReaderSettings},
    trace::{Event, Recorder},
};

/// The control socket's name, in the folder of the PC/SC socket.
const NAME: &str = "control";

/// Connections at one time.
const MOST_CONNECTIONS: usize = 64;

/// Longest order, in bytes.
const LONGEST_ORDER: u64 = 64 * 1024;

/// Longest answer, in bytes: as many events as are kept, and one that is larger than all of them.
const LONGEST_ANSWER: u64 = 64 * 1024 * 1024;

/// Longest wait for an event, or for a card's question. Whoever waits longer asks again.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

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
    /// Turn the card over, to its contacts or its antenna.
    Interface {
        /// Which reader.
        reader: Option<String>,
        /// How the reader gives cards their power.
        #[serde(with = "InterfaceName")]
        interface: Interface,
    },
    /// The next write of the card loses power.
    Tear {
        /// Which reader.
        reader: Option<String>,
        /// So many words or pages are written or erased before.
        #[serde(default)]
        after: u32,
        /// What is left of the word or page.
        #[serde(default)]
        kind: Tear,
    },
    /// Touch the card.
    Touch {
        /// Which reader.
        reader: Option<String>,
        /// Wait so long for the card to ask for it, in milliseconds; at most a minute.
        #[serde(default)]
        wait_ms: u64,
        /// With a finger that the card does not know.
        #[serde(default)]
        wrong_finger: bool,
    },
    /// Plug in a reader.
    AddReader {
        /// Its name.
        name: String,
        /// A card file or a profile; without it, the reader is empty.
        card: Option<String>,
        /// The PIN that is entered at its key-pad; without it, it has none.
        pin_pad: Option<String>,
        /// How it gives cards their power.
        #[serde(with = "InterfaceName", default)]
        interface: Interface,
    },
    /// Unplug a reader.
    RemoveReader {
        /// Which reader.
        reader: Option<String>,
    },
    /// Tell what happened.
    Trace {
        /// After the event with this number; without it, from the first that is kept.
        #[serde(default)]
        after: u64,
        /// Wait so long for the first event, in milliseconds, if there is none; at most a minute.
        #[serde(default)]
        wait_ms: u64,
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
    /// What happened. Numbers that are missing were not kept.
    Trace(Vec<Event>),
    /// It was not done, for this reason.
    Refused(String),
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
    /// Opens the socket of a world. `stop` begins to end the world, if an order may do that; it is called when the order
    /// is answered.
    pub fn start(world: &World, stop: Option<fn()>) -> Result<Self, SocketError> {
        let orders = Orders {
            readers: Arc::clone(world.readers()),
            recorder: Arc::clone(world.recorder()),
            shelf: Arc::clone(world.shelf()),
            stop,
        };
        let socket = LocalServer::start(&world.control_socket(), "control", MOST_CONNECTIONS, orders)?;
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
        .and_then(|()| BufReader::new(stream).take(LONGEST_ANSWER).read_line(&mut answer))
        .ok()
        .filter(|length| *length > 0)
        .ok_or_else(|| ControlError::Ended { path: path.into() })?;
    serde_json::from_str(&answer).map_err(foreign)
}

/// What the connections have in common.
struct Orders {
    readers: Arc<Readers>,
    recorder: Arc<Recorder>,
    shelf: Arc<Shelf>,
    stop: Option<fn()>,
}

impl Serve for Orders {
    fn serve(&self, stream: &Arc<UnixStream>) {
        let mut lines = BufReader::new(&**stream);
        loop {
            let mut line = String::new();
            match (&mut lines).take(LONGEST_ORDER).read_line(&mut line) {
                Ok(1..) if line.ends_with('\n') => {}
                // The end, half a line, or one that is too long.
                _ => return,
            }
            let order = serde_json::from_str(&line);
            let stops = matches!(order, Ok(Order::Stop {}));
            if reply(stream, &self.answer(order)).is_err() {
                return;
            }
            if let Some(stop) = self.stop.filter(|_| stops) {
                stop();
            }
        }
    }

    fn refuse(&self, stream: &UnixStream) {
        // Nobody is there to be told if this fails.
        let _ = reply(stream, &Answer::Refused("too many programs control this world at once".into()));
    }
}

impl Orders {
    fn answer(&self, order: Result<Order, serde_json::Error>) -> Answer {
        let done = match order {
            Ok(Order::Trace { after, wait_ms }) => {
                self.readers.service().flush();
                let patience = Duration::from_millis(wait_ms).min(LONGEST_WAIT);
                return Answer::Trace(self.recorder.wait_after(after, patience));
            }
            Ok(order) => self.carry_out(order),
            Err(error) => Err(format!("this is no order: {error}")),
        };
        match done {
            Ok(()) => Answer::Done(self.readers.list()),
            Err(reason) => Answer::Refused(reason),
        }
    }

    fn carry_out(&self, order: Order) -> Result<(), String> {
        let find = |reader: Option<String>| self.readers.find(reader.as_deref()).map_err(in_words);
        let card = |name: String| -> Result<Box<dyn InsertedCard>, String> {
            Ok(Box::new(self.shelf.card(&CardSource::parse(&name)?).map_err(in_words)?))
        };
        match order {
            Order::List {} | Order::Trace { .. } => Ok(()),
            Order::Insert { reader, card: wanted } => {
                let reader = find(reader)?;
                self.readers.insert(&reader, wanted.map(card).transpose()?).map_err(in_words)
            }
            Order::Remove { reader } => self.readers.remove(&find(reader)?).map_err(in_words),
            Order::Swap { reader, card: wanted } => {
                let reader = find(reader)?;
                self.readers.swap(&reader, card(wanted)?).map_err(in_words)
            }
            Order::Reset { reader } => self.readers.reset(&find(reader)?).map_err(in_words),
            Order::Interface { reader, interface } => {
                self.readers.set_interface(&find(reader)?, interface).map_err(in_words)
            }
            Order::Tear { reader, after, kind } => {
                self.readers.tear(&find(reader)?, PowerCut { after, tear: kind }).map_err(in_words)
            }
            Order::Touch { reader, wait_ms, wrong_finger } => {
                let finger = if wrong_finger { Finger::Other } else { Finger::Enrolled };
                let patience = Duration::from_millis(wait_ms).min(LONGEST_WAIT);
                self.readers.touch(&find(reader)?, finger, patience).map_err(in_words)
            }
            Order::AddReader { name, card: wanted, pin_pad, interface } => {
                let card = wanted.map(card).transpose()?;
                let reader = ReaderSettings::new(name).with_interface(interface);
                let reader = match pin_pad {
                    Some(pin) => reader.with_pin_pad(pin),
                    None => reader,
                };
                self.readers.add(reader, card).map(drop).map_err(in_words)
            }
            Order::RemoveReader { reader } => self.readers.unplug(&find(reader)?).map_err(in_words),
            Order::Stop {} if self.stop.is_some() => Ok(()),
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
                Order::AddReader {
                    name: "Desk".into(),
                    card: None,
                    pin_pad: None,
                    interface: Interface::Contact,
                },
            ),
            (
                r#"{"do":"interface","interface":"contactless"}"#,
                Order::Interface { reader: None, interface: Interface::Contactless },
            ),
            (r#"{"do":"tear"}"#, Order::Tear { reader: None, after: 0, kind: Tear::Torn }),
            (
                r#"{"do":"tear","reader":"1","after":7,"kind":"half"}"#,
                Order::Tear { reader: Some("1".into()), after: 7, kind: Tear::Half },
            ),
            (r#"{"do":"touch"}"#, Order::Touch { reader: None, wait_ms: 0, wrong_finger: false }),
            (
                r#"{"do":"touch","wrong_finger":true}"#,
                Order::Touch { reader: None, wait_ms: 0, wrong_finger: true },
            ),
            (r#"{"do":"trace"}"#, Order::Trace { after: 0, wait_ms: 0 }),
            (r#"{"do":"trace","after":3,"wait_ms":50}"#, Order::Trace { after: 3, wait_ms: 50 }),
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
