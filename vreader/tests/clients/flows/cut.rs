//! A card that loses its power at one command, in a world in this process.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use card_sim::refusal::Rule;
use vreader::{
    reader::{InsertedCard, Interface, ReaderSettings},
    run::{CardSource, DEFAULT_READER, World as InProcess, WorldSettings},
};

use crate::{
    card::CARD,
    vreader::Place,
    world::{Attachment, World},
};

/// Where the power goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    /// The command does not reach the card.
    Before,
    /// Its answer does not reach the program.
    After,
}

/// When the power goes, once.
pub(super) struct Fragility {
    /// Which command is the first that counts.
    pub(super) begins: fn(&[u8]) -> bool,
    /// The number of the command, counted from that one.
    pub(super) at: usize,
    /// What of it is left.
    pub(super) cut: Cut,
}

struct Fragile {
    card: Box<dyn InsertedCard>,
    fragility: Fragility,
    /// Commands that count, up to now.
    counted: Option<usize>,
    was_cut: Arc<AtomicBool>,
}

impl Fragile {
    /// Whether the power goes at this command.
    fn is_cut(&mut self, command: &[u8]) -> bool {
        if (self.fragility.begins)(command) {
            self.counted.get_or_insert(0);
        }
        let Some(counted) = &mut self.counted else { return false };
        *counted += 1;
        *counted == self.fragility.at + 1
    }
}

impl InsertedCard for Fragile {
    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn power_on(&mut self, interface: Interface) {
        self.card.power_on(interface);
    }

    fn power_off(&mut self) {
        self.card.power_off();
    }

    fn reset(&mut self) {
        self.card.reset();
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        if !self.is_cut(command) {
            return self.card.transmit(command);
        }
        self.was_cut.store(true, Ordering::SeqCst);
        if matches!(self.fragility.cut, Cut::After) {
            self.card.transmit(command);
        }
        Vec::new()
    }

    fn broken_rule(&self) -> Option<&'static Rule> {
        self.card.broken_rule()
    }
}

/// A world in this process.
pub(super) struct Inside {
    world: InProcess,
    was_cut: Arc<AtomicBool>,
}

impl Attachment for Inside {
    fn enter(&self, place: &Place, words: &[&str]) -> Command {
        let mut command = self.world.command(words[0]);
        place.set_up(&mut command);
        let (variable, socket) = self.world.environment();
        command.args(&words[1..]).env(variable, socket);
        command
    }
}

impl World<Inside> {
    /// The card in the file [`CARD`] of this folder, in a reader.
    pub(super) fn with_fragile_card(place: Place, fragility: Fragility) -> Self {
        let world = InProcess::with(&WorldSettings::default()).expect("a world");
        let card = world.card(&CardSource::File(place.file(CARD))).expect("the card");
        let was_cut = Arc::new(AtomicBool::new(false));
        let fragile = Fragile { card, fragility, counted: None, was_cut: Arc::clone(&was_cut) };
        world.readers().add(ReaderSettings::new(DEFAULT_READER), Some(Box::new(fragile))).expect("a reader");
        Self { attachment: Inside { world, was_cut }, place }
    }

    /// Whether the card has lost its power.
    pub(super) fn was_cut(&self) -> bool {
        self.attachment.was_cut.load(Ordering::SeqCst)
    }

    /// Pulls the card and puts it back.
    pub(super) fn reinsert(&self) {
        self.attachment.world.remove().expect("a card");
        self.attachment.world.insert().expect("a reader");
    }
}
