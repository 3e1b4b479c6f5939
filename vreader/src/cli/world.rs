//! What `vreader run` and `vreader serve` share: the options of a world, and its cards.

use std::path::PathBuf;

use vreader::{
    attach::pcsc::Slots,
    reader::{AutoPowerOff, Interface, ReaderSettings, Settings, TouchHabit},
    run::{CardSource, Control, DEFAULT_READER, World, WorldSettings},
    trace::Secrets,
};

use super::Failure;

/// Readers and cards of a world.
#[derive(clap::Args)]
pub(super) struct WorldArguments {
    /// A card file, or the name of a profile for a new card in memory; each gets a reader [default: piv, unless --empty]
    #[arg(long = "card", value_name = "FILE|PROFILE", value_parser = CardSource::parse)]
    cards: Vec<CardSource>,
    /// A reader without a card, after those with one; may be repeated
    #[arg(long, action = clap::ArgAction::Count)]
    empty: u8,
    /// Name of the readers; repeated, of the first, the second, … [default: vreader; with a YubiKey, that of a YubiKey]
    #[arg(long = "reader", value_name = "NAME")]
    readers: Vec<String>,
    /// The readers have a key-pad, at which somebody enters this PIN: programs then ask for none
    #[arg(long, value_name = "PIN")]
    pinpad: Option<String>,
    /// The readers present their cards through the antenna; `vreader ctl interface` changes it
    #[arg(long)]
    contactless: bool,
    /// When a YubiKey is touched that asks for it: auto (at once), wait (when `vreader ctl touch` says so) or never; after an
    /// equals sign, how many seconds the card waits
    #[arg(long, value_name = "auto|wait[=15]|never[=15]", default_value = "auto")]
    touch: TouchHabit,
    /// When a card that no program uses loses its power, and forgets that its PIN was entered: off, 600ms or 5s
    #[arg(long, value_name = "TIME", default_value = "600ms", value_parser = parse_auto_power_off)]
    auto_power_off: AutoPowerOff,
    /// Readers that libpcsclite has room for: 16, or 48 on Fedora [default: that of this system]
    #[arg(long, value_name = "16|48")]
    slots: Option<Slots>,
    /// Makes new cards, and everything that is drawn at random, repeatable
    #[arg(long)]
    seed: Option<u64>,
    /// A file that gets everything that passes, an event a line in JSON, with PINs hidden: see `vreader trace`
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Keep PINs and keys in the trace
    #[arg(long)]
    trace_secrets: bool,
}

impl WorldArguments {
    /// The world with its readers, cards and control socket, which goes first. `stop` is what `vreader ctl stop` does.
    pub(super) fn start(&self, stop: Option<fn()>) -> Result<(World, Control), Failure> {
        let world = World::with(&WorldSettings {
            readers: Settings { auto_power_off: self.auto_power_off, ..Settings::default() },
            slots: self.slots.unwrap_or_else(Slots::of_this_system),
            seed: self.seed,
            touch: self.touch,
            trace: self.trace.clone(),
            secrets: if self.trace_secrets { Secrets::Shown } else { Secrets::Hidden },
        })?;
        let empty = (0..self.empty).map(|_| None);
        for (number, card) in self.sources().iter().map(Some).chain(empty).enumerate() {
            world.add(self.reader(number, card), card)?;
        }
        let control = Control::start(&world, stop)?;
        Ok((world, control))
    }

    fn sources(&self) -> Vec<CardSource> {
        let standard = || CardSource::parse("piv").ok().into_iter().collect();
        if self.cards.is_empty() && self.empty == 0 { standard() } else { self.cards.clone() }
    }

    fn reader(&self, number: usize, card: Option<&CardSource>) -> ReaderSettings {
        let name = match self.readers.get(number).or(self.readers.last()) {
            Some(name) => name,
            // A YubiKey is its own reader.
            None => match card.and_then(CardSource::profile).and_then(|profile| profile.yubico) {
                Some(yubico) => yubico.reader,
                None => DEFAULT_READER,
            },
        };
        let mut reader = ReaderSettings::new(name).with_interface(interface(self.contactless));
        reader.serial = Some(format!("VR{:06}", number + 1));
        match &self.pinpad {
            Some(pin) => reader.with_pin_pad(pin),
            None => reader,
        }
    }
}

/// The interface that `--contactless` chooses.
pub(super) fn interface(contactless: bool) -> Interface {
    if contactless { Interface::Contactless } else { Interface::Contact }
}

fn parse_auto_power_off(text: &str) -> Result<AutoPowerOff, &'static str> {
    match text {
        "off" => Ok(AutoPowerOff::Off),
        "600ms" => Ok(AutoPowerOff::Quick),
        "5s" => Ok(AutoPowerOff::Slow),
        _ => Err("choose off, 600ms (as pcscd with vpcd) or 5s (as pcscd with a USB reader)"),
    }
}
