//! A card that sends back what it gets, and a world with it in-process.

use std::sync::Arc;

use vreader::{
    attach::pcsc::Slots,
    reader::{InsertedCard, Interface, ReaderSettings},
    run::{World, WorldSettings},
};

/// The answer to reset: T=1 and nothing else.
pub(crate) const ATR: [u8; 4] = [0x3B, 0x80, 0x01, 0x81];

/// Answers a command with the command and 9000.
pub(crate) struct EchoCard;

impl InsertedCard for EchoCard {
    fn atr(&self) -> &[u8] {
        &ATR
    }

    fn power_on(&mut self, _: Interface) {}

    fn power_off(&mut self) {}

    fn reset(&mut self) {}

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        [command, &[0x90, 0x00]].concat()
    }
}

/// A card whose commands take until somebody lets them end.
pub(crate) struct SlowCard {
    pub(crate) gate: Arc<std::sync::Barrier>,
}

impl InsertedCard for SlowCard {
    fn atr(&self) -> &[u8] {
        &ATR
    }

    fn power_on(&mut self, _: Interface) {}

    fn power_off(&mut self) {}

    fn reset(&mut self) {}

    fn transmit(&mut self, _command: &[u8]) -> Vec<u8> {
        // Once the command has begun, and once more when it may end.
        self.gate.wait();
        self.gate.wait();
        vec![0x90, 0x00]
    }
}

/// A world with one reader and an echo card in it; the reader's name.
pub(crate) fn world() -> (World, String) {
    world_with(Slots::Sixteen, Some(Box::new(EchoCard)))
}

/// A world with one reader.
pub(crate) fn world_with(slots: Slots, card: Option<Box<dyn InsertedCard>>) -> (World, String) {
    let world = World::with(&WorldSettings { slots, ..WorldSettings::default() }).expect("a world");
    let name = world.readers().add(ReaderSettings::new("Echo"), card).expect("a reader");
    (world, name)
}
