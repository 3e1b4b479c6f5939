//! What `vreader run` and `vreader serve` share: the options of a world, and its cards.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use vreader::{
    attach::pcsc::Slots,
    reader::{AutoPowerOff, InsertedCard, ReaderSettings, Settings},
    run::{Control, World, WorldSettings, control::Host, ready_card},
};

use super::{Failure, card_source::CardSource};

/// What a reader is called unless it is told.
pub(super) const DEFAULT_READER: &str = "vreader";

/// New cards that are kept for the next time, of one profile. More than a world usually has.
const KEPT_CARDS: u64 = 16;

/// Readers and cards of a world.
#[derive(clap::Args)]
pub(super) struct WorldArguments {
    /// A card file, or the name of a profile for a new card in memory; each gets a reader [default: piv, unless --empty]
    #[arg(long = "card", value_name = "FILE|PROFILE", value_parser = CardSource::parse)]
    cards: Vec<CardSource>,
    /// A reader without a card, after those with one; may be repeated
    #[arg(long, action = clap::ArgAction::Count)]
    empty: u8,
    /// Name of the readers; repeated, of the first, the second, …
    #[arg(long = "reader", value_name = "NAME", default_value = DEFAULT_READER)]
    readers: Vec<String>,
    /// The readers have a key-pad, at which somebody enters this PIN: programs then ask for none
    #[arg(long, value_name = "PIN")]
    pinpad: Option<String>,
    /// When a card that no program uses loses its power, and forgets that its PIN was entered: off, 600ms or 5s
    #[arg(long, value_name = "TIME", default_value = "600ms", value_parser = parse_auto_power_off)]
    auto_power_off: AutoPowerOff,
    /// Readers that libpcsclite has room for: 16, or 48 on Fedora [default: that of this system]
    #[arg(long, value_name = "16|48")]
    slots: Option<Slots>,
    /// Makes new cards, and everything that is drawn at random, repeatable
    #[arg(long)]
    seed: Option<u64>,
}

impl WorldArguments {
    /// The world with its readers, cards and control socket, which goes first. `stop` is what `vreader ctl stop` does.
    pub(super) fn start(&self, stop: Option<fn()>) -> Result<(World, Control), Failure> {
        let shelf = Shelf { seed: self.seed, taken: AtomicU64::new(0) };
        // Before the world: a card that cannot be had is told at once.
        let cards = self.sources().iter().map(|source| shelf.card(source)).collect::<Result<Vec<_>, _>>()?;
        let world = World::start(&WorldSettings {
            readers: Settings { auto_power_off: self.auto_power_off, ..Settings::default() },
            slots: self.slots.unwrap_or_else(Slots::of_this_system),
            seed: self.seed,
        })?;
        let empty = (0..self.empty).map(|_| None);
        for (number, card) in cards.into_iter().map(Some).chain(empty).enumerate() {
            world.readers().add(self.reader(number), card)?;
        }
        let host = WorldHost { shelf, stop };
        let control = Control::start(&world.control_socket(), Arc::clone(world.readers()), host)?;
        Ok((world, control))
    }

    fn sources(&self) -> Vec<CardSource> {
        let standard = || CardSource::parse("piv").ok().into_iter().collect();
        if self.cards.is_empty() && self.empty == 0 { standard() } else { self.cards.clone() }
    }

    fn reader(&self, number: usize) -> ReaderSettings {
        let name = self.readers.get(number).or(self.readers.last()).map_or(DEFAULT_READER, String::as_str);
        let mut reader = ReaderSettings::new(name);
        reader.serial = Some(format!("VR{:06}", number + 1));
        match &self.pinpad {
            Some(pin) => reader.with_pin_pad(pin),
            None => reader,
        }
    }
}

/// Where the cards of a world come from. Two cards of one profile are two cards.
struct Shelf {
    seed: Option<u64>,
    taken: AtomicU64,
}

impl Shelf {
    fn card(&self, source: &CardSource) -> Result<Box<dyn InsertedCard>, Failure> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let seed = self.seed.map(|seed| seed.wrapping_add(number));
        let make = || source.open(seed);
        let mut card = match source {
            CardSource::Profile(profile) if number < KEPT_CARDS => {
                let kind = if seed.is_some() { "seeded-" } else { "" };
                ready_card(&format!("{}-{kind}{number}", profile.name), seed, make)?
            }
            _ => make()?,
        };
        // Also what the card draws from now on.
        if let Some(seed) = seed {
            card.seed(seed);
        }
        Ok(Box::new(card))
    }
}

struct WorldHost {
    shelf: Shelf,
    stop: Option<fn()>,
}

impl Host for WorldHost {
    fn card(&self, name: &str) -> Result<Box<dyn InsertedCard>, String> {
        let source = CardSource::named(name);
        self.shelf.card(&source).map_err(|Failure(reason)| reason)
    }

    fn stop(&self) -> Option<fn()> {
        self.stop
    }
}

fn parse_auto_power_off(text: &str) -> Result<AutoPowerOff, &'static str> {
    match text {
        "off" => Ok(AutoPowerOff::Off),
        "600ms" => Ok(AutoPowerOff::Quick),
        "5s" => Ok(AutoPowerOff::Slow),
        _ => Err("choose off, 600ms (as pcscd with vpcd) or 5s (as pcscd with a USB reader)"),
    }
}
