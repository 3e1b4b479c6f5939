//! The agent with its threads: what it is told from several sides, and its limits in real time.

use std::{
    fs, io,
    path::PathBuf,
    sync::mpsc::{Receiver, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use vreader::{
    World,
    agent::{Choice, Memory, Missing, Report, Sender, Settings, Shell, ShellError, Withdrawal, watch},
    run::WorldSettings,
};

use crate::double::{Double, Mood, PATIENCE, now, root_file};

const DESK: &str = "Desk 00 00";
const DOOR: &str = "Door 01 00";

/// So short that a test can wait for it, and so long that nothing that works is late.
const SHORT: Duration = Duration::from_millis(200);

/// An agent that runs; everything that it says arrives.
struct Running {
    hands: Sender,
    said: Receiver<Report>,
    thread: JoinHandle<Result<(), ShellError>>,
    folder: TempDir,
}

impl Running {
    /// Limits that no test reaches.
    fn patient(folder: &TempDir) -> Settings {
        Settings {
            check_timeout: PATIENCE,
            notice: PATIENCE,
            root: Some(root_file(folder.path(), 1)),
            ..Settings::default()
        }
    }

    fn start(double: &Double, change: impl FnOnce(&mut Settings), answer: Option<Choice>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Self::patient(&folder);
        change(&mut settings);
        let shell = Shell::new(double.office(settings), memory_file(&folder), answer).unwrap();
        Self::run(shell, folder)
    }

    fn run(shell: Shell, folder: TempDir) -> Self {
        let (sender, said) = channel();
        let hands = shell.sender();
        let say =
            move |report: &Report| sender.send(report.clone()).map_err(|_| io::ErrorKind::BrokenPipe.into());
        let thread = thread::spawn(move || shell.run(say));
        Self { hands, said, thread, folder }
    }

    fn says(&self) -> Report {
        self.said.recv_timeout(PATIENCE).expect("the agent says something")
    }

    fn shows_notice(&self, of: &str) {
        match self.says() {
            Report::Notice { request, .. } => assert_eq!(request, of),
            other => panic!("{other:?}"),
        }
    }

    /// Ends it; it has nothing more to say.
    fn ends(self) -> (Result<(), ShellError>, TempDir) {
        let outcome = self.thread.join().unwrap();
        assert_eq!(self.said.try_iter().collect::<Vec<_>>(), []);
        (outcome, self.folder)
    }
}

fn memory_file(folder: &TempDir) -> PathBuf {
    folder.path().join("agent.json")
}

fn started(request: &str) -> Report {
    let limit = Settings::default().portal_limit;
    Report::UpdateStarted { reader: DESK.into(), request: request.into(), limit }
}

fn updated(request: &str) -> Report {
    let changes = vec!["Signature: new key and certificate".into()];
    Report::Updated { reader: DESK.into(), request: request.into(), changes }
}

fn withdrawn(reason: Withdrawal) -> Report {
    Report::Withdrawn { reader: DESK.into(), request: "1".into(), reason }
}

fn failed(reason: &str) -> Report {
    Report::UpdateFailed { reader: DESK.into(), request: "1".into(), reason: reason.into() }
}

#[test]
fn a_holder_proceeds_and_the_next_card_without_a_request_is_remembered() {
    let double = Double::with_request(DESK, "A", "1");
    double.state().cards.insert(DOOR.into(), "B".into());
    let running = Running::start(&double, |_| {}, None);
    running.hands.inserted(DESK);
    running.shows_notice("1");
    running.hands.line("maybe".into());
    assert_eq!(running.says(), Report::NotUnderstood { answer: "maybe".into() });
    running.hands.line("  ".into());
    running.hands.line("proceed".into());
    assert_eq!([running.says(), running.says()], [started("1"), updated("1")]);
    running.hands.removed(DESK);
    running.hands.inserted(DESK);
    running.hands.inserted(DOOR);
    running.hands.inserted("no card that anybody knows");
    let end = Instant::now() + PATIENCE;
    let path = memory_file(&running.folder);
    let knows = |card: &str| !Memory::load(&path).unwrap().is_due(card, now(), Settings::default().interval);
    while !(knows("A") && knows("B")) {
        assert!(Instant::now() < end, "it remembers both");
        thread::yield_now();
    }
    running.hands.stop();
    running.ends().0.unwrap();
    let mut checked = double.state().checked.clone();
    checked.sort();
    assert_eq!(
        (checked, double.state().updated.clone()),
        (vec!["A".into(), "A".into(), "B".into()], vec!["1".to_owned()])
    );
}

#[test]
fn an_agent_that_was_told_its_answer_asks_nobody() {
    for (choice, done) in [(Choice::Proceed, true), (Choice::Dismiss, false)] {
        let double = Double::with_request(DESK, "A", "1");
        let running = Running::start(&double, |_| {}, Some(choice));
        running.hands.inserted(DESK);
        running.shows_notice("1");
        if done {
            assert_eq!([running.says(), running.says()], [started("1"), updated("1")]);
        } else {
            assert_eq!(running.says(), withdrawn(Withdrawal::Dismissed));
        }
        running.hands.stop();
        running.ends().0.unwrap();
        assert_eq!(double.state().pending.is_empty(), done);
    }
}

#[test]
fn answers_come_from_an_input_too() {
    let double = Double::with_request(DESK, "A", "1");
    let running = Running::start(&double, |_| {}, None);
    running.hands.inserted(DESK);
    running.shows_notice("1");
    running.hands.listen_to(&b"d 1\n"[..]);
    assert_eq!(running.says(), withdrawn(Withdrawal::Dismissed));
    running.hands.stop();
    running.ends().0.unwrap();
}

#[test]
fn a_notice_that_nobody_answers_goes_by_itself() {
    let double = Double::with_request(DESK, "A", "1");
    let running = Running::start(&double, |settings| settings.notice = SHORT, None);
    running.hands.inserted(DESK);
    running.shows_notice("1");
    assert_eq!(running.says(), withdrawn(Withdrawal::Unanswered));
    running.hands.stop();
    running.ends().0.unwrap();
}

#[test]
fn a_management_system_that_is_slow_is_not_waited_for() {
    let double = Double::with_request(DESK, "A", "1");
    double.set_mood(Mood::Slow);
    let running = Running::start(&double, |settings| settings.check_timeout = SHORT, None);
    running.hands.inserted(DESK);
    assert!(matches!(running.says(), Report::CheckFailed { .. }));
    // The late answer shows nothing; the next insertion asks again. On a busy machine that may be late, too.
    double.set_mood(Mood::Prompt);
    let shown = (0..100).any(|_| {
        running.hands.removed(DESK);
        running.hands.inserted(DESK);
        matches!(running.says(), Report::Notice { .. })
    });
    assert!(shown, "it is asked again");
    running.hands.stop();
    assert_eq!(running.says(), withdrawn(Withdrawal::AgentEnds));
    running.ends().0.unwrap();
}

#[test]
fn an_update_that_takes_too_long_is_stopped() {
    let double = Double::with_request(DESK, "A", "1");
    let running = Running::start(&double, |settings| settings.portal_limit = SHORT, None);
    running.hands.inserted(DESK);
    running.shows_notice("1");
    double.set_mood(Mood::Slow);
    running.hands.line("p".into());
    assert!(matches!(running.says(), Report::UpdateStarted { .. }));
    assert!(matches!(running.says(), Report::LimitReached { limit: SHORT, .. }));
    assert_eq!(running.says(), failed("it was stopped; put the card back in to try again"));
    running.hands.stop();
    running.ends().0.unwrap();
    assert!(!double.state().pending.is_empty());
}

#[test]
fn an_agent_that_is_told_to_end_waits_for_its_update_and_told_twice_does_not() {
    let double = Double::with_request(DESK, "A", "1");
    let running = Running::start(&double, |_| {}, None);
    running.hands.inserted(DESK);
    running.shows_notice("1");
    double.set_mood(Mood::Slow);
    running.hands.line("p".into());
    assert_eq!(running.says(), started("1"));
    running.hands.stop();
    assert_eq!(running.says(), failed("it was stopped; put the card back in to try again"));
    running.ends().0.unwrap();

    let double = Double::with_request(DESK, "A", "1");
    let running = Running::start(&double, |_| {}, None);
    running.hands.inserted(DESK);
    running.shows_notice("1");
    // It does not hear of the stop while this lasts.
    let busy = double.clone();
    let state = busy.state();
    running.hands.line("p".into());
    assert_eq!(running.says(), started("1"));
    // What comes at once is taken for one.
    let end = Instant::now() + PATIENCE;
    while !running.thread.is_finished() && Instant::now() < end {
        running.hands.stop();
        thread::sleep(Duration::from_millis(10));
    }
    let (outcome, _folder) = running.ends();
    drop(state);
    assert!(matches!(outcome, Err(ShellError::Abandoned)));
}

#[test]
fn an_agent_that_nobody_hears_or_that_sees_no_cards_ends() {
    let double = Double::with_request(DESK, "A", "1");
    let Running { hands, said, thread, .. } = Running::start(&double, |_| {}, None);
    drop(said);
    hands.inserted(DESK);
    assert!(matches!(thread.join().unwrap(), Err(ShellError::Output(_))));
    assert!(!hands.inserted(DESK), "nobody listens");

    let running = Running::start(&double, |_| {}, None);
    running.hands.lost(Missing::Component("pcscd has ended".into()));
    let (outcome, _folder) = running.ends();
    assert_eq!(outcome.unwrap_err().to_string(), "the smart card service is missing: pcscd has ended");
}

#[test]
fn a_memory_that_is_none_stops_an_agent_and_one_that_cannot_be_written_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let double = Double::new();
    fs::write(memory_file(&folder), "my diary").unwrap();
    let refused = Shell::new(double.office(Settings::default()), memory_file(&folder), None).err().unwrap();
    assert!(matches!(refused, ShellError::Memory(_)), "{refused}");

    let double = Double::new();
    double.state().cards.insert(DESK.into(), "A".into());
    let running = Running::start(&double, |_| {}, None);
    // A folder in the place of the file.
    fs::create_dir(memory_file(&running.folder)).unwrap();
    running.hands.inserted(DESK);
    assert!(matches!(running.says(), Report::MemoryFailed { .. }));
    running.hands.stop();
    running.ends().0.unwrap();
}

#[test]
fn cards_are_seen_behind_a_socket_with_those_that_are_there_already() {
    let world = World::start().unwrap();
    let reader = "vreader 00 00";
    let double = Double::with_request(reader, "A", "1");
    let running = Running::start(&double, |_| {}, None);
    watch(world.socket(), running.hands.clone()).unwrap();
    running.shows_notice("1");
    let gone = |reason| Report::Withdrawn { reader: reader.into(), request: "1".into(), reason };
    world.remove().unwrap();
    assert_eq!(running.says(), gone(Withdrawal::CardRemoved));
    world.insert().unwrap();
    running.shows_notice("1");
    world.readers().unplug(reader).unwrap();
    assert_eq!(running.says(), gone(Withdrawal::CardRemoved));
    drop(world);
    let (outcome, _folder) = running.ends();
    let error = outcome.unwrap_err().to_string();
    assert!(error.starts_with("the smart card service is missing: "), "{error}");
}

#[test]
fn an_agent_for_once_ends_when_it_has_done_with_the_cards_that_are_there() {
    for choice in [Choice::Proceed, Choice::Dismiss] {
        let world = World::start().unwrap();
        let double = Double::with_request("vreader 00 00", "A", "1");
        let folder = tempfile::tempdir().unwrap();
        let office = double.office(Running::patient(&folder));
        let shell = Shell::new(office, memory_file(&folder), Some(choice)).unwrap().once();
        watch(world.socket(), shell.sender()).unwrap();
        let running = Running::run(shell, folder);
        running.shows_notice("1");
        let rest = match choice {
            Choice::Proceed => 2,
            Choice::Dismiss => 1,
        };
        for _ in 0..rest {
            running.says();
        }
        running.ends().0.unwrap();
    }
    // Nor does it wait where there is no reader.
    let world = World::with(&WorldSettings::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let office = Double::new().office(Running::patient(&folder));
    let shell = Shell::new(office, memory_file(&folder), None).unwrap().once();
    watch(world.socket(), shell.sender()).unwrap();
    Running::run(shell, folder).ends().0.unwrap();
}
