//! `vreader fuzz`: plays commands that people bring along to a card, and says what came of them.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use card_sim::reference::{LENGTH, pad_pin};
use serde_json::json;
use vreader::{
    fuzz::{self, Start, Tally},
    run::CardSource,
};
use zeroize::Zeroizing;

use super::{Failure, complain, print, print_json};

/// The exit status for findings.
const FOUND: u8 = 1;
/// The exit status for usage, and for files that are none of commands.
const USAGE: u8 = 2;

/// How often progress is shown, and how long nothing is.
const TICK: Duration = Duration::from_millis(500);

/// Plays commands to a card and looks for what must not happen: a panic, bytes of a PIN or key in an answer, a PIN try that
/// comes back, an answer of a wrong form. Every file begins with the same card.
///
/// A file is the bytes of one command, or text with a command a line in hex (# begins a comment; > before a command and
/// answers after < are understood), or what `vreader run --trace` wrote. Of a trace use --trace-secrets: hidden PINs are sent
/// as zeros.
///
/// The exit status is 0 without findings, 1 with findings, and 2 for wrong usage or files that cannot be played.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  vreader fuzz my-corpus/\n  vreader fuzz --card my.card --pin 123456 --authenticate crash-1 traces/"
)]
pub(super) struct Arguments {
    /// Files and folders, with all that is in them
    #[arg(required = true)]
    corpus: Vec<PathBuf>,
    /// A card file, of which a copy is used, or the name of a profile for a new card in memory
    #[arg(long, value_name = "FILE|PROFILE", default_value = "piv", value_parser = CardSource::parse)]
    card: CardSource,
    /// Verify this PIN before each file
    #[arg(long, value_parser = parse_pin)]
    pin: Option<Pin>,
    /// Authenticate with the card management key before each file
    #[arg(long)]
    authenticate: bool,
    /// What makes the new card and everything that it draws at random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// A PIN as the card takes it.
#[derive(Clone)]
struct Pin(Zeroizing<[u8; LENGTH]>);

fn parse_pin(text: &str) -> Result<Pin, &'static str> {
    pad_pin(text).map(Pin).ok_or("a PIN is 6 to 8 digits")
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match play(arguments) {
        Ok(status) => status,
        Err(failure) => complain(&failure, USAGE),
    }
}

fn play(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let files = fuzz::files(&arguments.corpus)?;
    let pin = arguments.pin.clone().map(|Pin(pin)| pin);
    let start = Start::new(&arguments.card, arguments.seed, pin, arguments.authenticate)?;
    let mut tally = Tally::default();
    let mut unplayed = Vec::new();
    let mut progress = Progress::new(files.len());
    for (number, file) in files.iter().enumerate() {
        progress.show(number);
        match fuzz::commands(file) {
            Ok(commands) => tally.play(&start, &file.display().to_string(), &commands)?,
            Err(error) => {
                progress.clear();
                unplayed.push(unplayable(file, error));
            }
        }
    }
    progress.clear();
    if arguments.json {
        print_json(&json!({
            "files": tally.files,
            "commands": tally.commands,
            "commands_per_second": tally.commands_per_second().round(),
            "status_words": tally.status_words,
            "findings": tally.findings,
            "unplayed": unplayed,
        }))?;
    } else {
        print(&report(&tally))?;
    }
    Ok(match (tally.findings.is_empty(), unplayed.is_empty()) {
        (false, _) => ExitCode::from(FOUND),
        (true, false) => ExitCode::from(USAGE),
        (true, true) => ExitCode::SUCCESS,
    })
}

/// Says that a file is not played, and gives its name.
fn unplayable(file: &Path, error: fuzz::MaterialError) -> String {
    complain(&Failure::from(error), USAGE);
    file.display().to_string()
}

fn report(tally: &Tally) -> String {
    let mut lines = vec![format!(
        "{}, {}, {:.0} a second",
        counted(tally.files, "file"),
        counted(tally.commands, "command"),
        tally.commands_per_second()
    )];
    let mut words: Vec<_> = tally.status_words.iter().collect();
    words.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    lines.extend(words.into_iter().map(|(word, count)| format!("  {word} {count:>9}")));
    for found in &tally.findings {
        lines
            .push(format!("{}: command {} ({}): {}", found.file, found.command, found.header, found.finding));
    }
    lines.push(match tally.findings.len() {
        0 => "no findings".to_owned(),
        findings => counted(findings as u64, "finding"),
    });
    lines.push(String::new());
    lines.join("\n")
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// How far it is, for people at a terminal who have waited a while.
struct Progress {
    files: usize,
    terminal: bool,
    shown: bool,
    next: Instant,
}

impl Progress {
    fn new(files: usize) -> Self {
        Self { files, terminal: io::stderr().is_terminal(), shown: false, next: Instant::now() + TICK }
    }

    fn show(&mut self, number: usize) {
        if self.terminal && Instant::now() >= self.next {
            eprint!("\r\x1b[K{number} of {} files …", self.files);
            (self.shown, self.next) = (true, Instant::now() + TICK);
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            eprint!("\r\x1b[K");
        }
    }
}
