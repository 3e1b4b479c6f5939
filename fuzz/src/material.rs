//! What card and clients are known to say to each other, for the fuzzer to spoil: the scenarios of `vectors/` and traces.

use std::{cell::RefCell, fs, path::PathBuf, rc::Rc, sync::LazyLock};

use vectors::{
    files,
    scenario::{Script, Target, run},
    trace,
};

use crate::{card::PIN, step::Step};

// The card of the scenarios.
#[allow(dead_code, reason = "it has more than is needed here")]
#[path = "../../vectors/tests/common/mod.rs"]
mod scenario_card;

/// Commands that belong together.
pub(crate) struct Session {
    /// Where it comes from.
    pub(crate) name: String,
    /// Its commands, as they were sent.
    pub(crate) commands: Vec<Vec<u8>>,
    /// The same as steps, in which what depends on the card is no recording.
    pub(crate) steps: Vec<Step>,
}

impl Session {
    fn new(name: String, steps: Vec<Step>) -> Self {
        let command = |step: &Step| match step {
            Step::Command(bytes) | Step::LongCommand(bytes) => Some(bytes.clone()),
            _ => None,
        };
        let commands = steps.iter().filter_map(command).collect();
        Self { name, commands, steps: with_proofs(steps) }
    }
}

/// All sessions: scenarios, our own traces, and those beside the repository if they are there.
pub(crate) fn sessions() -> &'static [Session] {
    static SESSIONS: LazyLock<Vec<Session>> = LazyLock::new(find_sessions);
    &SESSIONS
}

fn find_sessions() -> Vec<Session> {
    let mut sessions = Vec::new();
    for path in folder(files::own("scenarios"), "scn") {
        let script = Script::load(&path, &files::own("cards")).unwrap_or_else(|error| panic!("{error}"));
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let scenarios = Rc::new(RefCell::new(Vec::<Vec<Step>>::new()));
        run(&script, |values| {
            scenarios.borrow_mut().push(Vec::new());
            let card = scenario_card::TestCard::new(values, &scenario_card::RefusedBy::default());
            Recorder { card, scenarios: Rc::clone(&scenarios) }
        });
        for (number, steps) in scenarios.take().into_iter().enumerate() {
            sessions.push(Session::new(format!("{file}-{number}"), steps));
        }
    }
    let shared = files::own("../../shared/vectors/client-traces");
    for path in [files::own("known"), files::own("traces"), shared]
        .into_iter()
        .flat_map(|place| folder(place, "apdu"))
    {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let exchanges = trace::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let steps = exchanges.into_iter().map(|exchange| as_step(&exchange.command)).collect();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        sessions.push(Session::new(name, steps));
    }
    sessions
}

/// The files with this extension in a folder, which need not be there.
fn folder(folder: PathBuf, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
    files.sort();
    files
}

fn as_step(command: &[u8]) -> Step {
    if command.len() > 0xFF { Step::LongCommand(command.to_vec()) } else { Step::Command(command.to_vec()) }
}

/// Puts steps that compute their proof in place of recorded proofs, which another card would not take.
fn with_proofs(steps: Vec<Step>) -> Vec<Step> {
    let mut proved: Vec<Step> = Vec::new();
    for step in steps {
        let Step::Command(command) = &step else {
            proved.push(step);
            continue;
        };
        match command.as_slice() {
            [0x00, 0x20, 0x00, 0x80, 0x08, pin @ ..] if pin == PIN => {
                proved.push(Step::Verify { reference: 0, right: true });
            }
            // The answer to a challenge or witness comes with its question.
            [0x00, 0x87, _, 0x9B, _, 0x7C, _, kind @ (0x80 | 0x82), 0x08 | 0x10, ..] => {
                proved.pop();
                let external = *kind == 0x82;
                proved.push(if external { Step::ExternalAuthentication } else { Step::MutualAuthentication });
            }
            _ => proved.push(step),
        }
    }
    proved
}

/// A card that notes what is done to it.
struct Recorder {
    card: scenario_card::TestCard,
    /// What is done to it goes to the last of them.
    scenarios: Rc<RefCell<Vec<Vec<Step>>>>,
}

impl Recorder {
    fn note(&self, step: Step) {
        if let Some(steps) = self.scenarios.borrow_mut().last_mut() {
            steps.push(step);
        }
    }
}

impl Target for Recorder {
    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        self.note(as_step(command));
        self.card.transmit(command)
    }

    fn reset(&mut self) {
        self.note(Step::Reset);
        self.card.reset();
    }

    fn power_off(&mut self) {
        self.card.power_off();
    }

    fn power_on(&mut self) {
        self.note(Step::PowerCycle);
        self.card.power_on();
    }

    fn power_on_contactless(&mut self) {
        // The targets use the contacts.
        self.card.power_on_contactless();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_and_traces_are_sessions() {
        let sessions = sessions();
        assert!(sessions.len() > 100, "{}", sessions.len());
        for name in ["verify-0", "opensc-probe", "opensc-sign"] {
            let session = sessions.iter().find(|session| session.name == name).expect(name);
            assert!(!session.commands.is_empty(), "{name}");
        }
        let all: Vec<_> = sessions.iter().flat_map(|session| &session.steps).collect();
        for step in [Step::ExternalAuthentication, Step::MutualAuthentication, Step::Reset, Step::PowerCycle]
        {
            assert!(all.contains(&&step), "{step:?}");
        }
        assert!(all.contains(&&Step::Verify { reference: 0, right: true }));
    }
}
