//! A card for tests: it echoes commands, and keeps a diary that the test reads.

use std::sync::{Arc, Condvar, Mutex};

use crate::reader::{InsertedCard, Interface};

/// A card that answers a command with itself and 9000.
pub(in crate::reader) struct TestCard {
    atr: Vec<u8>,
    diary: Arc<Mutex<Vec<String>>>,
    gate: Option<Gate>,
    fails: bool,
}

impl TestCard {
    /// Offers T=0 and T=1.
    pub(in crate::reader) const BOTH: &[u8] = &[0x3B, 0x80, 0x80, 0x01, 0x01];
    /// Offers T=0.
    pub(in crate::reader) const T0: &[u8] = &[0x3B, 0x00];
    /// Offers T=1.
    pub(in crate::reader) const T1: &[u8] = &[0x3B, 0x80, 0x01, 0x81];
    /// Gives no answer.
    pub(in crate::reader) const MUTE: &[u8] = &[];
    /// Its first byte makes the card's code fail.
    pub(in crate::reader) const FATAL: u8 = 0xFA;
    /// Its first byte makes the card lose its power, as if a write had been torn.
    pub(in crate::reader) const SILENT: u8 = 0xDE;
    /// An answer to reset that makes the card's code fail when it gets power.
    pub(in crate::reader) const FATAL_ATR: &[u8] = &[0xFA];

    pub(in crate::reader) fn new(atr: &[u8]) -> Self {
        Self { atr: atr.to_vec(), diary: Arc::default(), gate: None, fails: false }
    }

    /// Commands wait at the gate.
    pub(in crate::reader) fn behind(gate: &Gate) -> Self {
        Self { gate: Some(gate.clone()), ..Self::new(Self::T1) }
    }

    pub(in crate::reader) fn failing_after_the_gate(self) -> Self {
        Self { fails: true, ..self }
    }

    pub(in crate::reader) fn diary(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.diary)
    }

    pub(in crate::reader) fn boxed(self) -> Box<dyn InsertedCard> {
        Box::new(self)
    }

    fn write(&self, entry: impl Into<String>) {
        self.diary.lock().unwrap().push(entry.into());
    }
}

impl InsertedCard for TestCard {
    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn power_on(&mut self, interface: Interface) {
        assert!(self.atr != Self::FATAL_ATR, "a defect of this card, as the test wants it");
        self.write(match interface {
            Interface::Contact => "on",
            Interface::Contactless => "on, contactless",
        });
    }

    fn power_off(&mut self) {
        self.write("off");
    }

    fn reset(&mut self) {
        self.write("reset");
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        assert!(command.first() != Some(&Self::FATAL), "a defect of this card, as the test wants it");
        self.write(hex::encode_upper(command));
        if let Some(gate) = &self.gate {
            gate.pass();
        }
        assert!(!self.fails, "a defect of this card, as the test wants it");
        if command.first() == Some(&Self::SILENT) { Vec::new() } else { [command, &[0x90, 0x00]].concat() }
    }
}

/// Where commands wait until the test lets them pass.
#[derive(Clone, Default)]
pub(in crate::reader) struct Gate(Arc<(Mutex<(usize, usize)>, Condvar)>);

impl Gate {
    fn pass(&self) {
        let (counts, changed) = &*self.0;
        let mut counts = counts.lock().unwrap();
        counts.0 += 1;
        changed.notify_all();
        while counts.1 == 0 {
            counts = changed.wait(counts).unwrap();
        }
        counts.1 -= 1;
    }

    /// Lets one command pass, now or later.
    pub(in crate::reader) fn open_once(&self) {
        let (counts, changed) = &*self.0;
        counts.lock().unwrap().1 += 1;
        changed.notify_all();
    }

    /// Waits until so many commands have come to the gate, since it was made.
    pub(in crate::reader) fn wait_for(&self, arrivals: usize) {
        let (counts, changed) = &*self.0;
        let mut counts = counts.lock().unwrap();
        while counts.0 < arrivals {
            counts = changed.wait(counts).unwrap();
        }
    }
}
