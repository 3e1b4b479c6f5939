//! `vreader vpcd`: cards in the system's own pcscd.

use std::io;

use vreader::{
    attach::vpcd::{self, DEFAULT_PORT, Endpoint, Plug},
    reader::{InsertedCard, TouchHabit},
    run::CardSource,
};

use super::{Outcome, world::interface};

/// Plugs cards into a running pcscd that has Debian's vsmartcard-vpcd. While it runs, lines on standard input move the
/// cards: insert SLOT, remove SLOT, touch SLOT, list, quit.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  vreader vpcd --card my.card\n  vreader vpcd --card my.card --card other.card"
)]
pub(super) struct Arguments {
    /// A card file, or the name of a profile for a new card in memory; several go into consecutive slots
    #[arg(long = "card", value_name = "FILE|PROFILE", default_value = "piv", value_parser = CardSource::parse)]
    cards: Vec<CardSource>,
    /// Where vpcd listens
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// The port of vpcd's first slot
    #[arg(long, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// Present the cards through their antenna
    #[arg(long)]
    contactless: bool,
    /// When a YubiKey is touched that asks for it: auto (at once), wait (at the line `touch SLOT`) or never; after an equals
    /// sign, how many seconds the card waits
    #[arg(long, value_name = "auto|wait[=15]|never[=15]", default_value = "auto")]
    touch: TouchHabit,
    /// Makes new cards, and everything that cards draw at random, repeatable
    #[arg(long)]
    seed: Option<u64>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let mut cards: Vec<Box<dyn InsertedCard>> = Vec::new();
    for (slot, source) in (0_u64..).zip(&arguments.cards) {
        // Two cards of one profile are two cards.
        let seed = arguments.seed.map(|seed| seed.wrapping_add(slot));
        let mut card = source.open(seed)?;
        card.set_touch_habit(arguments.touch);
        cards.push(Box::new(card));
    }
    let endpoint = Endpoint { host: arguments.host.clone(), port: arguments.port };
    let plug = Plug::through(interface(arguments.contactless), &endpoint, cards, |slot, event| {
        eprintln!("{}", event.in_words(slot));
    })?;
    vpcd::run(plug, vpcd::terminal(), &mut io::stdout())?;
    Ok(())
}
