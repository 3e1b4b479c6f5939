//! The golden trace: with a seed, the same commands give the same bytes, on every machine and with either cryptographic
//! backend.
//!
//! `vectors/golden/session.scn` is run in a world of seed 1, through its sockets, and ends with a torn write. What was
//! recorded must be `vectors/golden/session.trace`, byte for byte, but for times and programs, which are no part of it.
//! `make golden` writes that file anew, when behaviour is to change; the difference is for the commit to explain.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use card_sim::profile::PIV;
use vectors::{
    files,
    scenario::{self, Script, Target},
};
use vreader::{
    World,
    attach::pcsc::{RemoteCard, RemoteError, SOCKET_VARIABLE},
    image::Tear,
    reader::{AutoPowerOff, ReaderSettings, Settings},
    run::{
        CardSource, Control, DEFAULT_READER, WorldSettings,
        control::{self, Answer, Order},
    },
    trace::{self, Event, Run, Side, What},
};

/// Set, the golden trace is written and not compared.
const RENEW: &str = "VREADER_RENEW_GOLDEN";

/// Set, this is the program in a world of `vreader run`.
const VISIT: &str = "VREADER_VISIT_GOLDEN";

const READER: &str = "vreader 00 00";
const WRONG_PIN: &[u8] = b"\x00\x20\x00\x80\x08000000\xFF\xFF";
const TRIES: &[u8] = &[0x00, 0x20, 0x00, 0x80];

/// SCARD_E_NOT_TRANSACTED.
const NOT_TRANSACTED: u32 = 0x8010_0016;

/// A card in a world that is reached by its two sockets only.
struct Visitor {
    socket: PathBuf,
    card: Option<RemoteCard>,
    /// The last event that was waited for.
    seen: u64,
}

impl Visitor {
    fn enter(socket: &Path) -> Self {
        let card = Some(RemoteCard::connect(socket, READER).unwrap());
        Self { socket: socket.into(), card, seen: 0 }
    }

    fn order(&self, order: &Order) -> Answer {
        let answer = control::order(&control::beside(&self.socket), order).unwrap();
        assert!(!matches!(answer, Answer::Refused(_)), "{order:?}: {answer:?}");
        answer
    }

    fn card(&mut self) -> &mut RemoteCard {
        self.card.get_or_insert_with(|| RemoteCard::connect(&self.socket, READER).unwrap())
    }

    /// Goes, and waits until the world has noticed: what comes next is recorded after that.
    fn leave(&mut self) {
        self.card = None;
        loop {
            let Answer::Trace(events) = self.order(&Order::Trace { after: self.seen, wait_ms: 60_000 })
            else {
                panic!("no trace");
            };
            assert!(!events.is_empty(), "the world does not notice that its visitor went");
            let gone = events.iter().find(|event| event.what == What::Disconnected);
            self.seen = gone.or(events.last()).map_or(self.seen, |event| event.number);
            if gone.is_some() {
                return;
            }
        }
    }
}

impl Target for Visitor {
    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        self.card().transmit(command).unwrap()
    }

    fn reset(&mut self) {
        self.order(&Order::Reset { reader: None });
        self.leave();
    }

    fn power_off(&mut self) {
        self.order(&Order::Remove { reader: None });
        self.leave();
    }

    fn power_on(&mut self) {
        self.order(&Order::Insert { reader: None, card: None });
    }
}

/// The whole session with the world at this socket.
fn session(socket: &Path) {
    let folder = files::own("golden");
    let script = Script::load(&folder.join("session.scn"), &folder).unwrap();
    let report = scenario::run(&script, |_| Visitor::enter(socket));
    let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty() && report.exchanges > 50, "{}", failures.join("\n"));

    // The scenario's visitor is gone; this one sees a write torn.
    let mut visitor = Visitor { socket: socket.into(), card: None, seen: 0 };
    visitor.seen = last_connection(&visitor);
    visitor.leave();
    visitor.order(&Order::Tear { reader: None, after: 1, kind: Tear::Torn });
    match visitor.card().transmit(WRONG_PIN) {
        Err(RemoteError::Refused { code: NOT_TRANSACTED, .. }) => {}
        other => panic!("a torn command was answered: {other:?}"),
    }
    visitor.leave();
    assert_eq!(visitor.transmit(TRIES).len(), 2);
    visitor.leave();
}

/// The number of the last event in which a program connected.
fn last_connection(visitor: &Visitor) -> u64 {
    let Answer::Trace(events) = visitor.order(&Order::Trace { after: 0, wait_ms: 0 }) else {
        panic!("no trace");
    };
    let connected = events.iter().rev().find(|event| event.what == What::Connected);
    connected.expect("somebody was here").number
}

/// Without times and programs, an event a line.
fn lines(events: &[Event]) -> String {
    let line = |event: &Event| {
        let mut event = Event { at_us: 0, client: None, ..event.clone() };
        if let What::Command(run) = event.what {
            event.what = What::Command(Run { took_us: 0, ..run });
        }
        serde_json::to_string(&event).unwrap() + "\n"
    };
    events.iter().map(line).collect()
}

/// The events of the session: not those of the world's end.
fn up_to_the_last_visitor(events: &[Event]) -> &[Event] {
    let last = events.iter().rposition(|event| event.what == What::Disconnected).expect("the last visitor");
    &events[..=last]
}

fn golden() -> PathBuf {
    files::own("golden/session.trace")
}

/// Compares a recording with the golden one.
fn check(events: &[Event]) {
    let events = up_to_the_last_visitor(events);
    let found = lines(events);
    let expected =
        fs::read_to_string(golden()).expect("vectors/golden/session.trace; `make golden` writes it");
    if found == expected {
        return;
    }
    let place = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
    let place = place.unwrap_or(found.lines().count().min(expected.lines().count()));
    let line = |text: &str| text.lines().nth(place).unwrap_or("(no line)").to_owned();
    let in_words: Vec<_> = trace::compare(&trace::read(&golden()).unwrap(), events)
        .iter()
        .filter(|difference| difference.side != Side::Both)
        .map(|difference| {
            let sign = if difference.side == Side::First { '-' } else { '+' };
            format!("{sign} {}\n", difference.line)
        })
        .collect();
    panic!(
        "the same seed and commands gave other bytes than vectors/golden/session.trace has.\n\
         If that is intended, `make golden` renews it. First in line {}:\n- {}\n+ {}\n\
         What has another meaning ({} lines):\n{}",
        place + 1,
        line(&expected),
        line(&found),
        in_words.len(),
        in_words.concat(),
    );
}

/// Started by the test below in a world of `vreader run`, this is the program in it. Started by itself, it makes the world
/// with the library.
#[test]
fn a_world_of_the_library_gives_the_golden_trace() {
    if env::var_os(VISIT).is_some() {
        let socket = env::var_os(SOCKET_VARIABLE).expect("`vreader run` names its socket");
        session(Path::new(&socket));
        return;
    }
    let world = World::with(&WorldSettings {
        readers: Settings { auto_power_off: AutoPowerOff::Off, ..Settings::default() },
        seed: Some(1),
        ..WorldSettings::default()
    })
    .unwrap();
    let control = Control::start(&world, None).unwrap();
    world.add(ReaderSettings::new(DEFAULT_READER), Some(&CardSource::Profile(&PIV))).unwrap();
    session(world.socket());
    drop(control);
    let events = world.events();
    if env::var_os(RENEW).is_some() {
        fs::write(golden(), lines(up_to_the_last_visitor(&events))).unwrap();
    }
    check(&events);
}

#[test]
fn the_command_line_gives_the_golden_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    let program = env::current_exe().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_vreader"))
        .args(["run", "--seed", "1", "--auto-power-off", "off", "--trace"])
        .arg(&path)
        .arg("--")
        .arg(program)
        .args(["--exact", "a_world_of_the_library_gives_the_golden_trace"])
        .env(VISIT, "1")
        .env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    if env::var_os(RENEW).is_none() {
        check(&trace::read(&path).unwrap());
    }
}
