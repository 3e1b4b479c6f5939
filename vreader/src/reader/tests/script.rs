//! A small language for tables of rules: one step a line, `who what ... = outcome`.
//!
//! `A`, `A2`, `B` are handles; the letter is the client, who has one context. `card`, `reader` and `time` are hands and clocks.
//! Outcomes are `ok`, a protocol, a return code's name, hexadecimal bytes, `foreign`, or `waits`: the call is then
//! made again by `A again`. `state` compares what everybody sees.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use super::TestCard;
use crate::random;
use crate::reader::{
    AutoPowerOff, ClientId, Control, Lease, ManageError, Protocol, ReaderSettings, Readers, Refusal, Removed,
    Settings, Turn,
};

/// What a step came to: a word, or that it waits.
type Outcome = Poll<String>;

/// A world and what the scripts in it have open.
pub(super) struct Script {
    readers: Readers,
    clients: BTreeMap<char, (ClientId, u32)>,
    handles: BTreeMap<String, u32>,
    pending: BTreeMap<String, (Vec<String>, Turn)>,
    leases: BTreeMap<String, Lease>,
    diary: Arc<Mutex<Vec<String>>>,
}

impl Script {
    /// A world with one reader, "Desk 00 00", without a card.
    pub(super) fn new() -> Self {
        let settings = Settings { auto_power_off: AutoPowerOff::Quick, ..Settings::default() };
        let mut readers = Readers::new(settings, random::from_seed("reader tests", 1));
        readers.plug(ReaderSettings::new("Desk").with_pin_pad("123456")).unwrap();
        Self {
            readers,
            clients: BTreeMap::new(),
            handles: BTreeMap::new(),
            pending: BTreeMap::new(),
            leases: BTreeMap::new(),
            diary: Arc::default(),
        }
    }

    /// Makes the step of one line; the outcome as a word.
    pub(super) fn line(&mut self, line: &str) -> String {
        let words: Vec<String> = line.split_whitespace().map(Into::into).collect();
        match self.step(&words) {
            Poll::Ready(word) => word,
            Poll::Pending => "waits".into(),
        }
    }

    /// Runs all lines; panics at the first that comes out otherwise.
    pub(super) fn run(title: &str, script: &str) {
        let mut world = Self::new();
        let lines = script.lines().flat_map(|line| line.split(';')).map(str::trim);
        for (number, line) in (1..).zip(lines.filter(|line| !line.is_empty())) {
            let (step, expected) = line.split_once('=').unwrap_or((line, "ok"));
            assert_eq!(world.line(step), expected.trim(), "{title}: step {number}, {line}");
        }
    }

    /// Who waits and is told to ask again.
    pub(super) fn ready(&mut self) -> Vec<String> {
        let ready = self.readers.take_ready();
        let is_ready = |turn: &Turn| turn.ticket().is_some_and(|ticket| ready.contains(&ticket));
        self.pending.iter().filter(|(_, (_, turn))| is_ready(turn)).map(|(who, _)| who.clone()).collect()
    }

    /// Whether the card that was put in last has power, by its diary.
    pub(super) fn has_power(&self) -> bool {
        let diary = self.diary.lock().unwrap();
        diary.iter().rev().find_map(|entry| match entry.as_str() {
            "on" | "reset" => Some(true),
            "off" => Some(false),
            _ => None,
        }) == Some(true)
    }

    fn step(&mut self, words: &[String]) -> Outcome {
        let texts: Vec<&str> = words.iter().map(String::as_str).collect();
        match texts.as_slice() {
            ["state"] => Poll::Ready(self.state()),
            ["ready"] => Poll::Ready(self.ready().join(" ")),
            ["diary"] => Poll::Ready(std::mem::take(&mut *self.diary.lock().unwrap()).join(" ")),
            ["time", milliseconds] => {
                self.readers.advance(Duration::from_millis(milliseconds.parse().unwrap()));
                ok()
            }
            ["card", rest @ ..] => self.card(rest),
            ["reader", rest @ ..] => self.reader(rest),
            [who, "again"] => {
                let (call, turn) = self.pending.remove(*who).expect("a call that waits");
                self.call(who, call, turn)
            }
            [who, "gives", "up"] => {
                let (_, mut turn) = self.pending.remove(*who).expect("a call that waits");
                self.readers.give_up(&mut turn);
                ok()
            }
            [who, "returns"] => {
                let lease = self.leases.remove(*who).expect("a card on loan");
                let evicted = self.readers.give_back(lease, &[0x00], &[0x90, 0x00], Duration::ZERO);
                Poll::Ready(if evicted.is_some() { "evicted" } else { "ok" }.into())
            }
            [who, rest @ ..] => {
                let call = rest.iter().map(|word| (*word).into()).collect();
                self.call(who, call, Turn::default())
            }
            [] => ok(),
        }
    }

    /// What everybody sees of the first reader: state bits, sharing, protocol, event counter.
    fn state(&self) -> String {
        let snapshot = self.readers.snapshot();
        let Some(reader) = snapshot.readers.first() else { return "none".into() };
        let protocol = name_of(reader.protocol);
        format!("{:02X} {} {protocol} {}", reader.state, reader.sharing, reader.event_counter)
    }

    fn card(&mut self, words: &[&str]) -> Outcome {
        let removed = match words {
            ["insert"] => return self.insert(TestCard::BOTH),
            ["insert", "T0"] => return self.insert(TestCard::T0),
            ["insert", "T1"] => return self.insert(TestCard::T1),
            ["insert", "mute"] => return self.insert(TestCard::MUTE),
            ["insert", "broken"] => return self.insert(TestCard::FATAL_ATR),
            ["reset"] => {
                let mut turn = Turn::default();
                let outcome = self.readers.reset("Desk", &mut turn);
                self.readers.give_up(&mut turn);
                return outcome.map(|outcome| managed(outcome.map(|()| "ok")));
            }
            ["remove"] => self.readers.remove("Desk"),
            _ => panic!("what with the card? {words:?}"),
        };
        Poll::Ready(managed(removed.map(|removed| match removed {
            Removed::Card(_) => "ok",
            Removed::Busy(_) => "later",
        })))
    }

    fn insert(&mut self, atr: &[u8]) -> Outcome {
        let card = TestCard::new(atr);
        let diary = card.diary();
        let inserted = self.readers.insert("Desk", card.boxed()).map_err(|(error, _)| error);
        if inserted.is_ok() {
            self.diary = diary;
        }
        Poll::Ready(managed(inserted.map(|()| "ok")))
    }

    fn reader(&mut self, words: &[&str]) -> Outcome {
        let mut turn = Turn::default();
        let done = match words {
            ["fails"] => self.readers.set_failing("Desk", true, &mut turn),
            ["works"] => self.readers.set_failing("Desk", false, &mut turn),
            ["unplug"] => Poll::Ready(self.readers.unplug("Desk").map(|_| ())),
            ["plug"] => Poll::Ready(self.readers.plug(ReaderSettings::new("Desk")).map(|_| ())),
            ["events"] => return Poll::Ready(self.readers.snapshot().reader_events.to_string()),
            _ => panic!("what with the reader? {words:?}"),
        };
        self.readers.give_up(&mut turn);
        done.map(|done| managed(done.map(|()| "ok")))
    }

    /// Client and context of whoever owns this handle, made when they are first needed.
    fn client(&mut self, who: &str) -> (ClientId, u32) {
        let letter = who.chars().next().unwrap();
        if let Some(known) = self.clients.get(&letter) {
            return *known;
        }
        let client = self.readers.new_client();
        let context = self.readers.establish(client, 2).unwrap();
        self.clients.insert(letter, (client, context));
        (client, context)
    }

    fn call(&mut self, who: &str, call: Vec<String>, mut turn: Turn) -> Outcome {
        let (client, context) = self.client(who);
        // A handle that was never opened is 0, which no handle is.
        let handle = self.handles.get(who).copied().unwrap_or_default();
        let words: Vec<&str> = call.iter().map(String::as_str).collect();
        let readers = &mut self.readers;
        let turn_ = &mut turn;
        let outcome = match words.as_slice() {
            ["connect", mode, protocols, rest @ ..] => {
                let name = if rest.is_empty() { "Desk 00 00".into() } else { rest.join(" ") };
                let (mode, protocols) = (number(mode), number(protocols));
                readers.connect(client, context, name.as_bytes(), mode, protocols, turn_).map(|connected| {
                    word(connected.map(|connection| {
                        self.handles.insert(who.into(), connection.handle);
                        name_of(connection.protocol).into()
                    }))
                })
            }
            ["reconnect", mode, protocols, initialization] => readers
                .reconnect(client, handle, number(mode), number(protocols), number(initialization), turn_)
                .map(|done| word(done.map(|protocol| name_of(protocol).into()))),
            ["disconnect", disposition] => {
                readers.disconnect(client, handle, number(disposition), turn_).map(done)
            }
            ["begin"] => readers.begin(client, handle, turn_).map(done),
            ["end", disposition] => readers.end(client, handle, number(disposition), turn_).map(done),
            ["status"] => Poll::Ready(done(readers.status(client, handle))),
            ["setattrib"] => Poll::Ready(done(readers.set_attrib(client, handle))),
            ["attrib", id] => {
                Poll::Ready(word(readers.get_attrib(client, handle, number(id)).map(hex::encode_upper)))
            }
            [kind @ ("transmit" | "borrow"), protocol] => {
                readers.transmit(client, handle, number(protocol), turn_).map(|lent| match (lent, *kind) {
                    (Ok(lease), "borrow") => {
                        self.leases.insert(who.into(), lease);
                        "ok".into()
                    }
                    (Ok(lease), _) => run(readers, lease, &[0x00, 0xA4]),
                    (Err(refusal), _) => refused(refusal),
                })
            }
            ["control", code, input @ ..] => {
                let input = hex::decode(input.concat()).unwrap();
                readers.control(client, handle, number(code), &input, turn_).map(|control| match control {
                    Ok(Control::Answer(answer)) => hex::encode_upper(answer),
                    Ok(Control::Command { lease, command }) => run(readers, lease, &command),
                    Err(refusal) => refused(refusal),
                })
            }
            ["release"] => readers.release(client, context, turn_).map(|done| match done {
                Ok(()) => "ok".into(),
                Err(code) => format!("{code:?}"),
            }),
            ["dies"] => readers.client_gone(client, turn_).map(|()| {
                self.clients.retain(|_, (other, _)| *other != client);
                "ok".into()
            }),
            // A handle of somebody else's.
            ["steals", other] => {
                let stolen = self.handles[*other];
                Poll::Ready(done(readers.status(client, stolen)))
            }
            _ => panic!("what is {words:?}?"),
        };
        if outcome.is_pending() {
            self.pending.insert(who.into(), (call, turn));
        }
        outcome
    }
}

/// Runs a command on a card on loan and gives it back.
fn run(readers: &mut Readers, mut lease: Lease, command: &[u8]) -> String {
    let answer = lease.card().transmit(command);
    assert!(readers.give_back(lease, command, &answer, Duration::ZERO).is_none());
    hex::encode_upper(answer)
}

fn ok() -> Outcome {
    Poll::Ready("ok".into())
}

fn done(outcome: Result<(), Refusal>) -> String {
    word(outcome.map(|()| "ok".into()))
}

fn word(outcome: Result<String, Refusal>) -> String {
    outcome.unwrap_or_else(refused)
}

fn refused(refusal: Refusal) -> String {
    match refusal {
        Refusal::Code(code) => format!("{code:?}"),
        Refusal::NotExclusive { protocol } => format!("NotExclusive {}", name_of(protocol)),
        Refusal::ForeignHandle => "foreign".into(),
        Refusal::InsufficientBuffer { needed } => format!("InsufficientBuffer {needed}"),
    }
}

fn managed(outcome: Result<&str, ManageError>) -> String {
    match outcome {
        Ok(word) => word.into(),
        Err(ManageError::Occupied(_)) => "Occupied".into(),
        Err(ManageError::Empty(_)) => "Empty".into(),
        Err(error) => error.to_string(),
    }
}

fn name_of(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Undefined => "none",
        Protocol::T0 => "T0",
        Protocol::T1 => "T1",
        Protocol::Raw => "RAW",
    }
}

/// The number that a word stands for.
fn number(word: &str) -> u32 {
    match word {
        "leave" | "none" => 0,
        "exclusive" | "reset" | "T0" => 1,
        "shared" | "unpower" | "T1" => 2,
        "direct" | "eject" | "T0|T1" => 3,
        "RAW" => 4,
        "T0|T1|RAW" => 7,
        "old" => 0x1000,
        _ => u32::from_str_radix(word, 16).unwrap_or_else(|_| panic!("no number: {word}")),
    }
}
