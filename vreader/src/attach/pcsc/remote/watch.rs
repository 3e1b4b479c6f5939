//! SCardGetStatusChange: cards and readers that come and go.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use super::{
    super::{
        dialect::{Dialect, WaitAnswer},
        structure::{Event, ReaderState, Structure},
    },
    GET_READERS_STATE, RemoteError, RemoteReader, check, header, message, open, receive, receive_states,
};
use crate::reader::ReturnCode;

/// Commands.
const WAIT_READER_STATE_CHANGE: u32 = 0x13;
const STOP_WAITING: u32 = 0x14;

/// What a watcher sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReaderEvent {
    /// A reader is there that was not.
    Plugged(String),
    /// A card is in this reader.
    Inserted(RemoteReader),
    /// The card is out of this reader; its answer to reset was this.
    Removed(RemoteReader),
    /// A reader is gone.
    Unplugged(String),
}

/// Somebody who watches all readers behind a socket.
pub struct Watcher {
    stream: UnixStream,
    dialect: Dialect,
    seen: Vec<Seen>,
}

/// A reader as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    reader: RemoteReader,
    /// How many insertions and removals the service has counted.
    count: u32,
}

impl Watcher {
    /// Begins to watch. The first [`wait`](Self::wait) tells of the readers and cards that are there already.
    pub fn new(socket: &Path) -> Result<Self, RemoteError> {
        let (stream, dialect) = open(socket)?;
        Ok(Self { stream, dialect, seen: Vec::new() })
    }

    /// The readers, as they were seen last.
    pub fn readers(&self) -> impl Iterator<Item = &RemoteReader> {
        self.seen.iter().map(|seen| &seen.reader)
    }

    /// Waits until a card or a reader comes or goes. It tells of nothing if nothing has happened within
    /// `patience`, or before a signal came.
    ///
    /// A card that was taken out and put back while nobody waited is told as both.
    pub fn wait(&mut self, patience: Duration) -> Result<Vec<ReaderEvent>, RemoteError> {
        let end = Instant::now().checked_add(patience);
        loop {
            let states = self.begin()?;
            let now: Vec<_> = states.iter().filter_map(Seen::of).collect();
            let events = events(&self.seen, &now);
            self.seen = now;
            if !events.is_empty() {
                self.stop()?;
                return Ok(events);
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if !self.happens_within(left)? {
                return Ok(events);
            }
        }
    }

    /// The service begins to tell of changes; the states before them.
    fn begin(&mut self) -> Result<Vec<ReaderState>, RemoteError> {
        if self.dialect.wait_answer() == WaitAnswer::Nothing {
            // In 4:3 the states come first, and the service knows which ones this client has seen.
            self.stream.write_all(&header(GET_READERS_STATE, 0))?;
            let states = receive_states(&mut self.stream, self.dialect)?;
            self.send(WAIT_READER_STATE_CHANGE)?;
            return Ok(states);
        }
        self.send(WAIT_READER_STATE_CHANGE)?;
        receive_states(&mut self.stream, self.dialect)
    }

    /// Whether a change comes within this time, and before a signal; afterwards the service is told no more.
    fn happens_within(&mut self, patience: Option<Duration>) -> Result<bool, RemoteError> {
        // A time of nothing is refused.
        self.stream.set_read_timeout(patience.map(|patience| patience.max(Duration::from_millis(1))))?;
        let mut event = [0; Event::SIZE];
        let heard = self.stream.read(&mut event);
        self.stream.set_read_timeout(None)?;
        match heard {
            Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(length) => {
                self.stream.read_exact(event.get_mut(length..).unwrap_or_default())?;
                check_event(Event::parse(&event))?;
                Ok(true)
            }
            Err(error) if is_silence(&error) => {
                self.stop()?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The service stops telling. It answers with the event that was on its way, or to this, and never with both.
    fn stop(&mut self) -> Result<(), RemoteError> {
        self.send(STOP_WAITING)?;
        check_event(receive(&mut self.stream)?)
    }

    /// Sends a command that has a body in the oldest version only.
    fn send(&mut self, command: u32) -> io::Result<()> {
        let body = Event { timeout: 0, rv: 0 };
        let request =
            if self.dialect.wait_size() == 0 { header(command, 0).to_vec() } else { message(command, &body) };
        self.stream.write_all(&request)
    }
}

/// Nobody could cancel a watcher's wait: one that is cancelled is the service's own, which ends.
fn check_event(event: Event) -> Result<(), RemoteError> {
    if event.rv == ReturnCode::Cancelled.value() {
        return Err(io::Error::from(io::ErrorKind::ConnectionAborted).into());
    }
    check("SCardGetStatusChange", event.rv)
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

impl Seen {
    fn of(state: &ReaderState) -> Option<Self> {
        Some(Self { reader: RemoteReader::of(state)?, count: state.event_counter })
    }

    fn has_card(&self) -> bool {
        !self.reader.atr.is_empty()
    }
}

/// What happened between two looks: first what went, then what came.
fn events(before: &[Seen], now: &[Seen]) -> Vec<ReaderEvent> {
    let find = |all: &[Seen], name: &str| all.iter().find(|seen| seen.reader.name == name).cloned();
    let mut events = Vec::new();
    for old in before {
        let new = find(now, &old.reader.name);
        let same_card = new.as_ref().is_some_and(|new| is_same_card(old, new));
        if old.has_card() && !same_card {
            events.push(ReaderEvent::Removed(old.reader.clone()));
        }
        if new.is_none() {
            events.push(ReaderEvent::Unplugged(old.reader.name.clone()));
        }
    }
    for new in now {
        let old = find(before, &new.reader.name);
        let same_card = old.as_ref().is_some_and(|old| is_same_card(old, new));
        if old.is_none() {
            events.push(ReaderEvent::Plugged(new.reader.name.clone()));
        }
        if new.has_card() && !same_card {
            events.push(ReaderEvent::Inserted(new.reader.clone()));
        }
    }
    events
}

/// Whether this is a card that stayed. pcscd shows an answer to reset a moment before it counts the insertion; a card
/// that was taken out and put back counts as two.
fn is_same_card(old: &Seen, new: &Seen) -> bool {
    old.has_card() && old.reader == new.reader && new.count.wrapping_sub(old.count) < 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, atr: &[u8], count: u32) -> Seen {
        Seen { reader: RemoteReader { name: name.to_owned(), atr: atr.to_vec() }, count }
    }

    /// Events in letters: + plugged, - unplugged, i inserted, r removed.
    fn letters(before: &[Seen], now: &[Seen]) -> String {
        let letter = |event: &ReaderEvent| match event {
            ReaderEvent::Plugged(_) => '+',
            ReaderEvent::Inserted(_) => 'i',
            ReaderEvent::Removed(_) => 'r',
            ReaderEvent::Unplugged(_) => '-',
        };
        events(before, now).iter().map(letter).collect()
    }

    #[test]
    fn each_change_is_told_once() {
        let (card, other) = (&[0x3B, 0x00][..], &[0x3B, 0x01][..]);
        for (before, now, expected) in [
            (vec![], vec![seen("A", &[], 0)], "+"),
            (vec![], vec![seen("A", card, 1)], "+i"),
            (vec![seen("A", card, 1)], vec![], "r-"),
            (vec![seen("A", &[], 2)], vec![], "-"),
            (vec![seen("A", &[], 2)], vec![seen("A", &[], 4)], ""),
            (vec![seen("A", &[], 2)], vec![seen("A", card, 3)], "i"),
            (vec![seen("A", card, 3)], vec![seen("A", &[], 4)], "r"),
            (vec![seen("A", card, 3)], vec![seen("A", card, 3)], ""),
            // The insertion was seen before it was counted.
            (vec![seen("A", card, 2)], vec![seen("A", card, 3)], ""),
            (vec![seen("A", card, 3)], vec![seen("A", card, 5)], "ri"),
            (vec![seen("A", card, 3)], vec![seen("A", other, 5)], "ri"),
            (vec![seen("A", card, u32::MAX)], vec![seen("A", card, 1)], "ri"),
            (vec![seen("A", card, 1), seen("B", &[], 0)], vec![seen("B", other, 1)], "r-i"),
        ] {
            assert_eq!(letters(&before, &now), expected, "{before:?} {now:?}");
        }
    }
}
