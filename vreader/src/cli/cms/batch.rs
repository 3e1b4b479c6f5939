//! `vreader cms batch`: many cards.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use card_sim::key::AsymmetricAlgorithm;
use serde_json::json;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};
use vreader::{
    cms::{Batch, IssueOptions, Progress},
    issue::DEFAULT_PIN,
};

use super::Common;
use crate::cli::{Failure, Outcome, option::parse_algorithm, print, print_json};

/// Issues many cards, each into a card file: 0001.card, 0002.card and so on, for holders of that number.
///
/// Each card is issued over PC/SC, through a reader of a private world. Interrupted at any moment and run again with the same folder and
/// database, it goes on where it was.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  vreader cms batch --count 1000 --folder cards --json")]
pub(super) struct Arguments {
    /// How many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=9999))]
    count: u32,
    /// Where the card files are to be; it is made if it is not there
    #[arg(long)]
    folder: PathBuf,
    /// What the holders' names begin with
    #[arg(long, default_value = "Batch Sample")]
    names: String,
    /// The PIN of every card
    #[arg(long, default_value = DEFAULT_PIN)]
    pin: String,
    /// Algorithm of the keys: p256, p384, rsa2048, rsa3072 or rsa4096
    #[arg(long, default_value = "p256", value_parser = parse_algorithm)]
    algorithm: AsymmetricAlgorithm,
}

pub(super) fn run(common: &Common, arguments: &Arguments) -> Outcome {
    let folder = &arguments.folder;
    fs::create_dir_all(folder)
        .map_err(|error| Failure(format!("cannot make the folder {}: {error}", folder.display())))?;
    // A signal ends the batch after the card that is being written.
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&stop))?;
    }
    let mut cms = common.open()?;
    let batch = Batch {
        folder,
        count: arguments.count,
        names: &arguments.names,
        pin: &arguments.pin,
        options: IssueOptions { algorithm: arguments.algorithm, ..IssueOptions::default() },
    };
    let started = Instant::now();
    let progress = cms.issue_batch(&batch, &mut |progress| {
        show(progress, started);
        !stop.load(Ordering::Relaxed)
    })?;
    if io::stderr().is_terminal() {
        eprintln!();
    }
    let seconds = started.elapsed().as_secs_f64();
    let rate = f64::from(progress.issued) / seconds;
    if common.json {
        print_json(&json!({
            "issued": progress.issued, "found": progress.found, "count": progress.count,
            "seconds": seconds, "cards_per_second": rate,
        }))?;
    } else {
        print(&format!(
            "{} cards issued in {seconds:.1} s, {rate:.1} a second; {} were there before; {} of {} in all\n",
            progress.issued,
            progress.found,
            progress.issued + progress.found,
            progress.count
        ))?;
    }
    if progress.issued + progress.found == progress.count {
        Ok(())
    } else {
        Err(Failure("the batch was stopped; run it again to go on".into()))
    }
}

/// A line that overwrites itself in a terminal; elsewhere a line for each hundred cards.
fn show(progress: Progress, started: Instant) {
    let done = progress.issued + progress.found;
    let line = format!("{done} of {} cards, {:.0} s", progress.count, started.elapsed().as_secs_f64());
    if io::stderr().is_terminal() {
        eprint!("\r{line}");
        // What cannot be shown is no reason to stop.
        let _ = io::stderr().flush();
    } else if done.is_multiple_of(100) {
        eprintln!("{line}");
    }
}
