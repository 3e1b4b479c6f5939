//! The one event: when, where, who, what. In files each is a JSON object on a line of its own:
//!
//! ```json
//! {"number":12,"at_us":123456,"reader":"vreader 00 00","client":"pkcs11-tool","process":4711,"event":"command",
//!  "command":"0020008008****************","answer":"63C2","took_us":57,"meaning":"VERIFY PIV PIN",
//!  "status":"63C2 (verification failed, 2 tries left)","rule":"the reference data is verified (SP 800-73-5 part 2, 3.2.1)"}
//! ```
//!
//! `meaning` and `status` follow from the bytes; they are written for whoever reads the file, and not read back.

use apdu::{Response, Status};
use serde::{Deserialize, Serialize};

use super::{Bytes, meaning, secret::secret_part};
use crate::reader;

/// Something that passed between a program, a reader and a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the recording, from 1.
    pub number: u64,
    /// When, in microseconds since the world began.
    pub at_us: u64,
    /// The reader's full name.
    pub reader: String,
    /// The program, if it was a program's doing.
    #[serde(flatten)]
    pub client: Option<Client>,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// A program that uses readers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its name.
    #[serde(rename = "client")]
    pub name: String,
    /// The number of its process.
    pub process: i32,
}

/// What passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum What {
    /// The reader was plugged in.
    PluggedIn,
    /// The reader was unplugged.
    Unplugged,
    /// A card was put in.
    Inserted,
    /// The card was taken out.
    Removed,
    /// The card got power.
    PoweredOn {
        /// Its answer to reset; empty if it is mute.
        atr: Bytes,
    },
    /// The card lost its power.
    PoweredOff,
    /// The card had a warm reset.
    Reset {
        /// Its answer to reset; empty if it is mute.
        atr: Bytes,
    },
    /// A program opened a handle.
    Connected,
    /// A program's handle was closed.
    Disconnected,
    /// A transaction began.
    TransactionBegan,
    /// A transaction ended.
    TransactionEnded,
    /// The card ran a command.
    Command(Run),
    /// The card lost its power in the middle of the command before, as was ordered.
    Torn,
    /// The card's code failed, and the card is gone.
    Broken,
}

/// A command that a card ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RunInFile", into = "RunInFile")]
pub struct Run {
    /// The command.
    pub command: Bytes,
    /// The answer; nothing if the card left or lost its power before it answered.
    pub answer: Option<Bytes>,
    /// How long the card took, in microseconds.
    pub took_us: u64,
    /// The rule that the command broke, if the card refused it and told why.
    pub rule: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct RunInFile {
    command: Bytes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Bytes>,
    took_us: u64,
    #[serde(skip_deserializing)]
    meaning: String,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
}

impl From<RunInFile> for Run {
    fn from(RunInFile { command, answer, took_us, rule, .. }: RunInFile) -> Self {
        Self { command, answer, took_us, rule }
    }
}

impl From<Run> for RunInFile {
    fn from(run: Run) -> Self {
        let (meaning, status) = (run.meaning(), run.status().map(|status| status.to_string()));
        let Run { command, answer, took_us, rule } = run;
        Self { command, answer, took_us, meaning, status, rule }
    }
}

impl Run {
    /// What the command asks for, in words: `VERIFY PIV PIN`.
    pub fn meaning(&self) -> String {
        meaning::of_command(self.command.shown())
    }

    /// The status word.
    pub fn status(&self) -> Option<Status> {
        Some(Response::parse(self.answer.as_ref()?.shown())?.status)
    }

    /// How many bytes of data the answer has.
    pub fn answered(&self) -> usize {
        self.answer.as_ref().map_or(0, |answer| answer.shown().len().saturating_sub(2))
    }
}

impl Event {
    /// The command that the card ran, if that is what happened.
    pub fn command(&self) -> Option<&Run> {
        match &self.what {
            What::Command(run) => Some(run),
            _ => None,
        }
    }

    /// An event as the reader tells it, with its secrets hidden unless they are to be shown.
    pub(super) fn new(number: u64, event: &reader::Event, show_secrets: bool) -> Self {
        use reader::What as Told;
        let what = match &event.what {
            Told::PluggedIn => What::PluggedIn,
            Told::Unplugged => What::Unplugged,
            Told::Inserted => What::Inserted,
            Told::Removed => What::Removed,
            Told::PoweredOn { atr } => What::PoweredOn { atr: atr.as_slice().into() },
            Told::PoweredOff => What::PoweredOff,
            Told::Reset { atr } => What::Reset { atr: atr.as_slice().into() },
            Told::Connected { .. } => What::Connected,
            Told::Disconnected { .. } => What::Disconnected,
            Told::Began { .. } => What::TransactionBegan,
            Told::Ended { .. } => What::TransactionEnded,
            Told::Command { command, answer, rule, duration, .. } => What::Command(Run {
                command: Bytes::new(command, if show_secrets { 0..0 } else { secret_part(command) }),
                answer: answer.as_ref().map(|answer| answer.as_slice().into()),
                took_us: microseconds(*duration),
                rule: rule.map(ToString::to_string),
            }),
            Told::Torn => What::Torn,
            Told::Broken => What::Broken,
        };
        let client = event.client.as_ref();
        let client = client.map(|peer| Client { name: peer.name.clone(), process: peer.process });
        Self { number, at_us: microseconds(event.at), reader: event.reader.clone(), client, what }
    }
}

fn microseconds(time: std::time::Duration) -> u64 {
    // More than 500,000 years.
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_they_are_written() {
        let client = Some(Client { name: "pkcs11-tool".into(), process: 4711 });
        let run = Run {
            command: Bytes::new(&[0x00, 0x20, 0x00, 0x80, 0x02, 0x31, 0x32], 5..7),
            answer: Some([0x63, 0xC2][..].into()),
            took_us: 57,
            rule: Some("the reference data is verified (SP 800-73-5 part 2, 3.2.1)".into()),
        };
        let mute = Run { answer: None, rule: None, ..run.clone() };
        let event = |client: &Option<Client>, what| Event {
            number: 12,
            at_us: 123_456,
            reader: "vreader 00 00".into(),
            client: client.clone(),
            what,
        };
        for (event, line) in [
            (
                event(&client, What::Command(run)),
                r#"{"number":12,"at_us":123456,"reader":"vreader 00 00","client":"pkcs11-tool","process":4711,"event":"command","command":"0020008002****","answer":"63C2","took_us":57,"meaning":"VERIFY PIV PIN","status":"63C2 (verification failed, 2 tries left)","rule":"the reference data is verified (SP 800-73-5 part 2, 3.2.1)"}"#,
            ),
            (
                event(&client, What::Command(mute)),
                r#"{"number":12,"at_us":123456,"reader":"vreader 00 00","client":"pkcs11-tool","process":4711,"event":"command","command":"0020008002****","took_us":57,"meaning":"VERIFY PIV PIN"}"#,
            ),
            (
                event(&None, What::Reset { atr: [0x3B, 0x80][..].into() }),
                r#"{"number":12,"at_us":123456,"reader":"vreader 00 00","event":"reset","atr":"3B80"}"#,
            ),
            (
                event(&client, What::TransactionBegan),
                r#"{"number":12,"at_us":123456,"reader":"vreader 00 00","client":"pkcs11-tool","process":4711,"event":"transaction_began"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&event).unwrap(), line);
            assert_eq!(serde_json::from_str::<Event>(line).unwrap(), event);
        }
    }
}
