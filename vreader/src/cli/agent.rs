//! `vreader agent`: watches readers, tells of pending updates, and runs them.

use std::{
    io::{self, BufReader, ErrorKind},
    path::PathBuf,
    thread,
    time::Duration,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use vreader::{
    agent::{self, Choice, Office, Port, Report, Settings, Shell, ShellError, Version, parse_span},
    attach::pcsc::default_socket,
    clock::Clock,
};
use zeroize::Zeroizing;

use super::{Failure, Outcome, clock::Now, cms, print, prompt};

/// Watches readers, and asks the card management system about each card that is put in. If something is pending, it says so,
/// and runs the update when the holder proceeds; if nothing is, it says nothing.
///
/// A notice is answered on standard input: proceed or dismiss (p, d), with the request's number behind it to be sure. A card
/// that is taken out takes its notice along; a dismissed notice comes back when the card does. What an update changes
/// counts when the card was taken out and put back. Ctrl-C ends the agent, after the update that runs; pressed again, at once.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  vreader agent --cms cms.db --root cms-root.pem\n  \
    vreader agent --once --answer proceed --settings agent.toml --json\n\n\
    Readers are those of the world of `vreader run` or `serve`, or of pcscd: PCSCLITE_CSOCK_NAME decides.\n\
    Spans are numbers with s, min, h or d: 5s, 10min, 7d. Settings files have the names of the options.")]
pub(super) struct Arguments {
    #[command(flatten)]
    counterpart: Counterpart,
    /// A card for which nothing is pending is not asked about again before; 0s: at every insertion [default: 7d]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    interval: Option<Duration>,
    /// Ask nothing before the agent has run so long [default: 0s]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    delay: Option<Duration>,
    /// How long a notice stays; then it counts as dismissed [default: 5s]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    notice: Option<Duration>,
    /// The file in which the agent remembers whom it asked about [default: vreader/agent.json in the user's folder for state]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Answer every notice so, and ask nobody: proceed or dismiss
    #[arg(long, value_name = "ANSWER", value_parser = parse_choice)]
    answer: Option<Choice>,
    /// End when nothing is left to do for the cards that are in readers now
    #[arg(long)]
    once: bool,
    /// Print the address of the management system's pages, and nothing else
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    now: Now,
    /// Print every event as a line of JSON
    #[arg(long)]
    json: bool,
}

/// What is asked of the management system and of this machine. `vreader card check-update` has it too.
#[derive(clap::Args)]
pub(super) struct Counterpart {
    /// The management system's database [default: $VREADER_CMS, or cms.db in this folder]
    #[arg(long, value_name = "FILE")]
    cms: Option<PathBuf>,
    /// Settings in TOML, over which options go
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// The management system's root certificate in PEM; updates need it, and checks do not
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Client control: let no update run from here
    #[arg(long)]
    no_updates: bool,
    /// Ask no older management system [default: 0.1]
    #[arg(long, value_name = "VERSION")]
    minimum_version: Option<Version>,
    /// How long the management system may take to say what is pending [default: 5s]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    check_timeout: Option<Duration>,
    /// How long an update may take [default: 10min]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    portal_limit: Option<Duration>,
    /// The address of the management system's pages
    #[arg(long, value_name = "URL")]
    portal: Option<String>,
    /// The holder's PIN, for updates that need it; - asks for it
    #[arg(long, value_name = "PIN")]
    pin: Option<Zeroizing<String>>,
    /// The PIN that the holder chooses, for updates that set one; - asks for it
    #[arg(long, value_name = "PIN")]
    new_pin: Option<Zeroizing<String>>,
}

impl Counterpart {
    /// Settings of the file, with those options that were given.
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = self.settings.as_deref().map(Settings::read).transpose()?.unwrap_or_default();
        replace(&mut settings.check_timeout, self.check_timeout);
        replace(&mut settings.portal_limit, self.portal_limit);
        replace(&mut settings.minimum_version, self.minimum_version);
        settings.updates &= !self.no_updates;
        settings.root = self.root.clone().or(settings.root);
        settings.portal = self.portal.clone().or(settings.portal);
        Ok(settings)
    }

    /// All that checks and updates need beside a card.
    pub(super) fn office(&self, settings: Settings, clock: Clock) -> Result<Office, Failure> {
        let secret = |given: &Option<Zeroizing<String>>, question| match given {
            Some(pin) if **pin == "-" => prompt::ask(question).map(Some),
            given => Ok(given.clone()),
        };
        let (pin, new_pin) = (secret(&self.pin, "PIN")?, secret(&self.new_pin, "New PIN")?);
        let database = cms::database(self.cms.as_deref());
        let cms = Box::new(Port::new(&database, &default_socket(), clock));
        Ok(Office { cms, settings, clock, pin, new_pin })
    }
}

fn replace<T>(setting: &mut T, option: Option<T>) {
    if let Some(value) = option {
        *setting = value;
    }
}

/// `--answer`
pub(super) fn parse_choice(text: &str) -> Result<Choice, String> {
    Choice::from_word(text).ok_or_else(|| "answer proceed or dismiss (or ok or cancel)".to_owned())
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    // Before anything that a signal must not leave behind.
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let mut settings = arguments.counterpart.settings()?;
    if arguments.open {
        return print_address(&settings);
    }
    replace(&mut settings.interval, arguments.interval);
    replace(&mut settings.delay, arguments.delay);
    replace(&mut settings.notice, arguments.notice);
    let state = arguments.state.clone().or_else(agent::default_file).ok_or_else(|| {
        Failure(
            "neither XDG_STATE_HOME nor HOME says where to keep the agent's memory; name a file with --state"
                .into(),
        )
    })?;
    let office = arguments.counterpart.office(settings, arguments.now.clock())?;
    let shell = Shell::new(office, state, arguments.answer)?;
    let shell = if arguments.once { shell.once() } else { shell };
    let sender = shell.sender();
    thread::spawn(move || signals.forever().all(|_| sender.stop()));
    if arguments.answer.is_none() {
        shell.sender().listen_to(BufReader::new(io::stdin()));
    }
    agent::watch(&default_socket(), shell.sender())?;
    match shell.run(|report| say(report, arguments.json)) {
        // Who does not listen any more need not be told.
        Err(ShellError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}

fn print_address(settings: &Settings) -> Outcome {
    match &settings.portal {
        Some(address) => print(&format!("{address}\n")),
        None => Err(Failure(
            "the management system's pages have no address; give `portal` in the settings, or --portal"
                .into(),
        )),
    }
}

/// Tells people: what went wrong on standard error, everything else, and all JSON, on standard output.
pub(super) fn say(report: &Report, json: bool) -> io::Result<()> {
    use io::Write;
    if report.is_complaint() && !json {
        return writeln!(io::stderr(), "vreader: {report}");
    }
    let line = if json { serde_json::to_string(report)? } else { report.to_string() };
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}
