//! `vreader card show`: what is on a card.

use vreader::{emulated::EmulatedCard, inspect, run::CardSource};

use super::{Outcome, print, print_json};

/// Prints holder, identifiers, dates, certificates, keys and tries. Secrets stay on the card.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  vreader card show my.card\n  vreader card show my.card --json")]
pub(super) struct Arguments {
    /// A card file, or the name of a profile
    #[arg(value_parser = CardSource::parse)]
    card: CardSource,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let contents = match &arguments.card {
        CardSource::File(path) => EmulatedCard::contents_of(path)?,
        profile @ CardSource::Profile(_) => profile.open(None)?.contents()?,
    };
    let report = inspect::inspect(&contents);
    if arguments.json { print_json(&report) } else { print(&report.to_string()) }
}
