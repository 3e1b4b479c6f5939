//! What a program asked and what it was told: command chains put together, answers with the GET RESPONSEs that fetched
//! their rest (ISO/IEC 7816-4, 5.3.3 and 5.3.4).

use std::fmt;

use apdu::{Command, Status};

use super::{Bytes, Client, Event, Run, meaning};

const GET_RESPONSE: u8 = 0xC0;

/// One request and its whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The number of its first event.
    pub number: u64,
    /// The reader's full name.
    pub reader: String,
    /// The program.
    pub client: Option<Client>,
    /// What the whole command asks for, in words.
    pub meaning: String,
    /// The status word of the last answer; nothing if the card left or lost its power.
    pub status: Option<Status>,
    /// The data of all answers.
    pub data: Vec<u8>,
    /// The rule that the command broke, if it was refused.
    pub rule: Option<String>,
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> ", self.meaning)?;
        match self.status {
            Some(status) => write!(f, "{status}")?,
            None => f.write_str("no answer")?,
        }
        if !self.data.is_empty() {
            f.write_str(", with data")?;
        }
        match &self.rule {
            Some(rule) => write!(f, "; rule: {rule}"),
            None => Ok(()),
        }
    }
}

/// The exchanges in a recording, in the order of their ends.
pub fn exchanges(events: &[Event]) -> Vec<Exchange> {
    let mut open: Vec<Open> = Vec::new();
    let mut done = Vec::new();
    for event in events {
        let Some(run) = event.command() else { continue };
        let place = open.iter().position(|open| open.is_of(event));
        let begun = place.map(|place| open.swap_remove(place));
        let mut current = match begun {
            Some(begun) if begun.goes_on_with(run) => begun,
            begun => {
                // The program changed its mind.
                done.extend(begun.map(Open::end));
                Open::new(event)
            }
        };
        current.take(run);
        if current.is_over() {
            done.push(current.end());
        } else {
            open.push(current);
        }
    }
    done.extend(open.into_iter().map(Open::end));
    done
}

/// An exchange that may go on.
struct Open {
    exchange: Exchange,
    /// The last command.
    command: Bytes,
    /// The data of the chain so far.
    chain: Vec<u8>,
    /// More of the command is to come.
    chained: bool,
}

impl Open {
    fn new(event: &Event) -> Self {
        let Event { number, reader, client, .. } = event.clone();
        let (meaning, data) = (String::new(), Vec::new());
        Self {
            exchange: Exchange { number, reader, client, meaning, status: None, data, rule: None },
            command: Bytes::default(),
            chain: Vec::new(),
            chained: false,
        }
    }

    fn is_of(&self, event: &Event) -> bool {
        self.exchange.reader == event.reader && self.exchange.client == event.client
    }

    fn goes_on_with(&self, run: &Run) -> bool {
        let (last, next) = (self.command.shown(), run.command.shown());
        match self.exchange.status {
            Some(Status::MoreData(_)) => next.get(1) == Some(&GET_RESPONSE),
            _ => self.chained && last.get(1..4) == next.get(1..4),
        }
    }

    fn take(&mut self, run: &Run) {
        let is_continued = matches!(self.exchange.status, Some(Status::MoreData(_)));
        self.exchange.status = run.status();
        self.exchange.rule.clone_from(&run.rule);
        let answer = run.answer.as_ref().map(Bytes::shown).unwrap_or_default();
        self.exchange.data.extend_from_slice(&answer[..run.answered()]);
        if is_continued {
            return;
        }
        self.command = run.command.clone();
        let parsed = Command::parse(run.command.shown()).ok();
        self.chained = parsed.is_some_and(|command| command.class.is_chained());
        if let Some(command) = parsed {
            self.chain.extend_from_slice(command.data);
        }
        let is_part = self.chained || self.chain.len() > parsed.map_or(0, |command| command.data.len());
        self.exchange.meaning = match parsed {
            Some(command) if is_part => meaning::of_command(&whole(&command, &self.chain)),
            _ => run.meaning(),
        };
    }

    fn is_over(&self) -> bool {
        match self.exchange.status {
            Some(Status::Ok) => !self.chained,
            Some(Status::MoreData(_)) => false,
            _ => true,
        }
    }

    fn end(self) -> Exchange {
        self.exchange
    }
}

/// The command that a chain is, in extended length.
fn whole(last: &Command<'_>, data: &[u8]) -> Vec<u8> {
    let class = last.class.without_chaining().raw();
    let mut whole = vec![class, last.instruction, last.p1, last.p2];
    // No card has a buffer for a longer chain; its words come from its beginning.
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    if length > 0 {
        whole.push(0x00);
        whole.extend(length.to_be_bytes());
        whole.extend_from_slice(&data[..usize::from(length)]);
    }
    whole
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::trace::What;

    /// A recording of commands and answers; `>` before a reader's name marks another program.
    pub(in crate::trace) fn recording(lines: &[(&str, &str, &str)]) -> Vec<Event> {
        let mut events = Vec::new();
        for (reader, command, answer) in lines {
            let process = i32::from(reader.starts_with('>'));
            let what = match *command {
                "inserted" => What::Inserted,
                "removed" => What::Removed,
                "on" => What::PoweredOn { atr: Bytes::default() },
                _ => What::Command(Run {
                    command: command.parse().unwrap(),
                    answer: Some(answer.parse().unwrap()).filter(|_| !answer.is_empty()),
                    took_us: 1,
                    rule: Some("a rule".to_owned())
                        .filter(|_| answer.starts_with('6') && !answer.starts_with("61")),
                }),
            };
            events.push(Event {
                number: events.len() as u64 + 1,
                at_us: 1,
                reader: reader.trim_start_matches('>').to_owned(),
                client: Some(Client { name: "test".into(), process }),
                what,
            });
        }
        events
    }

    fn lines(recorded: &[(&str, &str, &str)]) -> Vec<String> {
        exchanges(&recording(recorded)).iter().map(|one| format!("{} {one}", one.number)).collect()
    }

    #[test]
    fn parts_are_put_together() {
        assert_eq!(
            lines(&[
                ("a", "00CB3FFF055C035FC10500", "AABB6102"),
                ("a", "00C0000002", "CCDD9000"),
                ("a", "1087079A047C088200", "9000"),
                ("a", "1087079A028104", "9000"),
                ("a", "0087079A04AABBCCDD00", "7C009000"),
                ("a", "0020008008****************", "63C2"),
                ("a", "00200080", ""),
            ]),
            [
                "1 GET DATA X.509 Certificate for PIV Authentication -> 9000 (success), with data",
                "3 GENERAL AUTHENTICATE 9A (PIV Authentication), RSA 2048: sign, decrypt or answer -> 9000 (success), with data",
                "6 VERIFY PIV PIN -> 63C2 (verification failed, 2 tries left); rule: a rule",
                "7 VERIFY PIV PIN: is it verified? -> no answer",
            ]
        );
    }

    #[test]
    fn what_is_broken_off_is_told_as_far_as_it_came() {
        assert_eq!(
            lines(&[
                ("a", "10DB3FFF055C035FC102", "9000"),
                ("a", "00200080", "9000"),
                ("a", "10DB3FFF055C035FC102", "6A84"),
                ("a", "00CB3FFF055C035FC10500", "AA6102"),
                ("a", "00200080", "9000"),
                ("a", "10DB3FFF055C035FC102", "9000"),
            ]),
            [
                "1 PUT DATA Card Holder Unique Identifier -> 9000 (success)",
                "2 VERIFY PIV PIN: is it verified? -> 9000 (success)",
                "3 PUT DATA Card Holder Unique Identifier -> 6A84 (not enough memory); rule: a rule",
                "4 GET DATA X.509 Certificate for PIV Authentication -> 6102 (success, 2 bytes left), with data",
                "5 VERIFY PIV PIN: is it verified? -> 9000 (success)",
                "6 PUT DATA Card Holder Unique Identifier -> 9000 (success)",
            ]
        );
    }

    #[test]
    fn programs_and_readers_are_kept_apart() {
        assert_eq!(
            lines(&[
                ("a", "10DB3FFF055C035FC102", "9000"),
                (">a", "00CB3FFF055C035FC10500", "AA6101"),
                ("b", "00200080", "9000"),
                (">a", "00C0000001", "BB9000"),
                ("a", "00DB3FFF025300", "9000"),
            ]),
            [
                "3 VERIFY PIV PIN: is it verified? -> 9000 (success)",
                "2 GET DATA X.509 Certificate for PIV Authentication -> 9000 (success), with data",
                "1 PUT DATA Card Holder Unique Identifier -> 9000 (success)",
            ]
        );
    }
}
