//! The command line: one file a subcommand; nothing but parsing and printing.
//!
//! Exit status: 0 done, 1 refused or failed, 2 wrong usage. Results go to standard output, everything else to standard
//! error. An error says what was tried, what was found and what to do.

#[cfg(feature = "cms")]
mod agent;
mod apdu;
mod card_certs;
mod card_check;
#[cfg(feature = "cms")]
mod card_check_update;
mod card_clone;
mod card_import;
mod card_info;
mod card_new;
mod card_pin;
mod card_show;
mod card_unlock;
mod certs_export;
mod clock;
#[cfg(feature = "cms")]
mod cms;
mod ctl;
mod demo;
mod desk;
mod doctor;
mod fuzz;
mod option;
mod prompt;
mod run;
mod serve;
mod stock;
mod trace;
mod vpcd;
mod world;

use std::{
    io::{self, ErrorKind},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// What a subcommand returns: an error for people.
type Outcome = Result<(), Failure>;

/// Why a subcommand failed, in words.
#[derive(Debug)]
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // Errors that already print their cause are not made to say it twice.
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        Self(text)
    }
}

/// A virtual smart card and its reader: PIV cards in software, for programs that use real ones.
#[derive(Parser)]
#[command(
    name = "vreader",
    version = VERSION,
    after_help = "Example:\n  vreader card new my.card && vreader vpcd --card my.card\n\n\
                  Set VREADER_LOG=debug to see every command that a card answers, without its data."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// Version, and which cryptography this build uses.
const VERSION: &str = if cfg!(feature = "aws-lc") {
    concat!(env!("CARGO_PKG_VERSION"), " (cryptography: AWS-LC)")
} else {
    concat!(env!("CARGO_PKG_VERSION"), " (cryptography: RustCrypto)")
};

#[derive(Subcommand)]
enum Command {
    /// Card files: make a card, load a test card, show what is on it. Cards in readers: whose, their certificates and PIN
    #[command(subcommand)]
    Card(CardCommand),
    /// The certificates of the card in a reader
    #[command(subcommand)]
    Certs(certs_export::Command),
    /// A private PC/SC world for one program: no root, no pcscd
    Run(Box<run::Arguments>),
    /// A private PC/SC world until it is stopped
    Serve(Box<serve::Arguments>),
    /// Move the cards of a world that runs
    Ctl(ctl::Arguments),
    /// Show and compare what `--trace` recorded
    #[command(subcommand)]
    Trace(trace::Command),
    #[command(name = vreader::run::bind::ENTER, hide = true)]
    EnterBind(run::EnterArguments),
    /// Send commands to a card, plain or under secure messaging
    Apdu(Box<apdu::Arguments>),
    /// Watch readers, tell of updates that the card management system has for their cards, and run them
    #[cfg(feature = "cms")]
    Agent(Box<agent::Arguments>),
    /// Plug cards into the system's pcscd, through vsmartcard's vpcd driver
    Vpcd(vpcd::Arguments),
    /// Card management: issue, renew, lock, unlock, activate, replace
    #[cfg(feature = "cms")]
    Cms(Box<cms::Arguments>),
    /// What happens to a card, step by step: a session with it; issued, locked, unlocked, renewed, activated, replaced
    Demo(demo::Arguments),
    /// Play hostile commands to a card, and look for what must not happen
    Fuzz(Box<fuzz::Arguments>),
    /// What this build and this machine can do, and what is missing
    Doctor(doctor::Arguments),
}

#[derive(Subcommand)]
enum CardCommand {
    /// Make a complete card in a new card file
    New(Box<card_new::Arguments>),
    /// Make a card file from the folder of a test card
    Import(Box<card_import::Arguments>),
    /// Make a card that looks like the one in a reader, with keys of its own
    Clone(Box<card_clone::Arguments>),
    /// Show what is on a card
    Show(card_show::Arguments),
    /// Show what the card in a reader says of its holder
    Info(card_info::Arguments),
    /// List the certificates on the card in a reader
    Certs(card_certs::Arguments),
    /// Change the PIN of the card in a reader
    #[command(subcommand)]
    Pin(card_pin::Command),
    /// Unlock the PIN of the card in a reader
    Unlock(card_unlock::Arguments),
    /// Check whether a card is what the standard's conformance tests ask for
    Check(Box<card_check::Arguments>),
    /// Ask the card management system whether an update is pending for a card
    #[cfg(feature = "cms")]
    CheckUpdate(Box<card_check_update::Arguments>),
}

/// Parses the arguments and runs the subcommand.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_logging();
    let outcome = match arguments.command {
        Command::Card(CardCommand::New(arguments)) => card_new::run(&arguments),
        Command::Card(CardCommand::Import(arguments)) => card_import::run(&arguments),
        Command::Card(CardCommand::Clone(arguments)) => card_clone::run(&arguments),
        Command::Card(CardCommand::Show(arguments)) => card_show::run(&arguments),
        Command::Card(CardCommand::Check(arguments)) => return card_check::run(&arguments),
        Command::Card(CardCommand::Info(arguments)) => card_info::run(&arguments),
        Command::Card(CardCommand::Certs(arguments)) => card_certs::run(&arguments),
        Command::Card(CardCommand::Pin(command)) => card_pin::run(&command),
        Command::Card(CardCommand::Unlock(arguments)) => card_unlock::run(&arguments),
        Command::Certs(command) => return certs_export::run(&command),
        #[cfg(feature = "cms")]
        Command::Card(CardCommand::CheckUpdate(arguments)) => card_check_update::run(&arguments),
        #[cfg(feature = "cms")]
        Command::Agent(arguments) => agent::run(&arguments),
        Command::Run(arguments) => return run::run(&arguments),
        Command::Serve(arguments) => return serve::run(&arguments),
        Command::Ctl(arguments) => ctl::run(arguments),
        Command::Trace(command) => return trace::run(&command),
        Command::EnterBind(arguments) => return run::enter(&arguments),
        Command::Apdu(arguments) => return apdu::run(&arguments),
        Command::Vpcd(arguments) => vpcd::run(&arguments),
        #[cfg(feature = "cms")]
        Command::Cms(arguments) => cms::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Fuzz(arguments) => return fuzz::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => complain(&failure, 1),
    }
}

/// Tells why nothing came of it, and gives the exit status for that.
fn complain(Failure(text): &Failure, status: u8) -> ExitCode {
    eprintln!("vreader: {text}");
    ExitCode::from(status)
}

/// Warnings and errors go to standard error; `VREADER_LOG` asks for more.
fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::WARN.into())
        .with_env_var("VREADER_LOG")
        .from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
}

/// Prints to standard output; a reader that has gone away ends the program quietly, as it does other Unix programs.
fn print(text: &str) -> Outcome {
    Ok(print_if_read(text).map(|_| ())?)
}

/// The same; tells whether there is still a reader.
fn print_if_read(text: &str) -> io::Result<bool> {
    use io::Write;
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        result => result.map(|()| true),
    }
}

/// Prints a value as JSON.
fn print_json(value: &impl serde::Serialize) -> Outcome {
    print(&(serde_json::to_string_pretty(value)? + "\n"))
}
