//! `vreader doctor`: what this build and this machine can do, what is missing, what that costs, and how to get it.
//!
//! What is looked for is a table, [`table::ROWS`]. Promises: every row gives one finding and all findings have the same
//! fields, whatever is found (libpcsclite gives one for each library); nothing is installed, changed, or started as a
//! daemon; no program is waited for longer than [`probe::LIMIT`].

mod checks;
mod library;
mod packages;
mod probe;
mod table;
mod text;

use std::{env, path::PathBuf};

use self::{packages::System, probe::Place};
use super::{Failure, Outcome, print, print_json};

/// Looks at this machine, and changes nothing. Exit status: 0 if `vreader run` works here, 1 if it does not.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  vreader doctor\n  vreader doctor --json | jq '.[] | select(.state != \"ok\") | .install'"
)]
pub(super) struct Arguments {
    /// Print as JSON: an array of findings
    #[arg(long)]
    json: bool,
    /// Look at the system that is mounted there
    #[arg(long, value_name = "FOLDER", default_value = "/", hide = true)]
    root: PathBuf,
}

/// One thing that was looked for. In JSON all fields are always there, and null where they do not apply.
#[derive(Debug, serde::Serialize)]
struct Finding {
    /// What programs know it by.
    id: &'static str,
    /// What it belongs to.
    group: table::Group,
    /// What people know it by.
    what: &'static str,
    state: State,
    /// Whether `vreader run` itself needs it.
    required: bool,
    version: Option<String>,
    /// The version of the protocol that a libpcsclite speaks, such as "4:4".
    protocol: Option<&'static str>,
    path: Option<PathBuf>,
    /// In words, what was found.
    found: String,
    /// What does not work without it; null if it is there.
    costs: Option<&'static str>,
    /// The package of this system that has it; null if it is there, or if no package is known.
    package: Option<&'static str>,
    /// The command that mends it; null if it is there, or if no command is known.
    install: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// There, and of use.
    Ok,
    /// Not there.
    Missing,
    /// There, and of no use.
    Unusable,
}

/// What a look gave; the row of the table adds the rest.
struct Looked {
    state: State,
    version: Option<String>,
    protocol: Option<&'static str>,
    path: Option<PathBuf>,
    found: String,
    /// The command that mends it, where that is no package.
    remedy: Option<String>,
}

impl Looked {
    fn new(state: State, found: impl Into<String>) -> Self {
        Self { state, version: None, protocol: None, path: None, found: found.into(), remedy: None }
    }
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let path = env::var_os("PATH").unwrap_or_default();
    let place = Place::new(&arguments.root, &path);
    let system = System::of(&place);
    let findings = table::look(&place, &system);
    if arguments.json {
        print_json(&findings)?;
    } else {
        print(&text::report(&findings, &system))?;
    }
    match findings.iter().find(|finding| finding.required && finding.state != State::Ok) {
        None => Ok(()),
        Some(missing) => Err(Failure(format!("vreader run does not work here: {}", missing.found))),
    }
}
