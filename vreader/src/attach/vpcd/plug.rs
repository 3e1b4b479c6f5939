//! Cards in consecutive slots, each with a thread of its own.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::slot::{Listener, Slot};
use super::{Endpoint, Event, Place};
use crate::reader::InsertedCard;

/// Why cards cannot be plugged in, or a slot not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlugError {
    /// There are more cards than ports.
    #[error("no port for slot {slot}: ports count up from {endpoint} and end at 65535; choose a lower --port")]
    NoPort {
        /// The slot without a port.
        slot: usize,
        /// Where the first slot is.
        endpoint: Endpoint,
    },

    /// The system refused a thread.
    #[error("cannot start the thread of slot {slot}: {source}")]
    NoThread {
        /// The slot without a thread.
        slot: usize,
        /// What the system says.
        source: std::io::Error,
    },

    /// There is no such slot.
    #[error("there is no slot {slot}: slots count from 0, and there are {count}")]
    NoSlot {
        /// The slot that was asked for.
        slot: usize,
        /// How many there are.
        count: usize,
    },

    /// The card's code has failed; nothing is left to insert.
    #[error("the card of slot {slot} is gone since its program failed; start again")]
    Broken {
        /// The slot.
        slot: usize,
    },
}

/// Cards plugged into vpcd: the first into the slot of [`Endpoint::port`], each further one into the next.
///
/// Dropping a plug takes all cards out, waits for the commands they are working on, and powers them off.
pub struct Plug {
    slots: Vec<Arc<Slot>>,
    threads: Vec<JoinHandle<()>>,
}

impl Plug {
    /// Begins to insert `cards`, and returns at once. `listener` hears of each slot's events, on the slot's thread; it must
    /// not call back into the plug.
    pub fn new(
        endpoint: &Endpoint,
        cards: Vec<Box<dyn InsertedCard>>,
        listener: impl Fn(usize, &Event) + Send + Sync + 'static,
    ) -> Result<Self, PlugError> {
        let listener: Listener = Arc::new(listener);
        let mut plug = Self { slots: Vec::with_capacity(cards.len()), threads: Vec::with_capacity(cards.len()) };
        for (number, card) in cards.into_iter().enumerate() {
            let endpoint = endpoint
                .of_slot(number)
                .ok_or_else(|| PlugError::NoPort { slot: number, endpoint: endpoint.clone() })?;
            let slot = Arc::new(Slot::new(number, endpoint, card, Arc::clone(&listener)));
            plug.slots.push(Arc::clone(&slot));
            let thread = thread::Builder::new()
                .name(format!("vpcd slot {number}"))
                .spawn(move || slot.run())
                .map_err(|source| PlugError::NoThread { slot: number, source })?;
            plug.threads.push(thread);
        }
        Ok(plug)
    }

    /// Puts the card of a slot back into the reader; nothing happens if it is there or on its way.
    pub fn insert(&self, slot: usize) -> Result<(), PlugError> {
        self.usable(slot).map(Slot::insert)
    }

    /// Takes the card of a slot out of the reader. Programs see it leave at once; this call returns when the card has
    /// finished the command it is working on and is powered off.
    pub fn remove(&self, slot: usize) -> Result<(), PlugError> {
        self.usable(slot).map(Slot::remove)
    }

    /// Where the card of each slot is.
    pub fn places(&self) -> Vec<Place> {
        self.slots.iter().map(|slot| slot.place()).collect()
    }

    /// Takes all cards out and hands them back, slot by slot; a card whose code failed is missing.
    pub fn stop(mut self) -> Vec<Option<Box<dyn InsertedCard>>> {
        self.end_threads();
        self.slots.iter().map(|slot| slot.take_card()).collect()
    }

    fn usable(&self, number: usize) -> Result<&Slot, PlugError> {
        let slot = self.slots.get(number).ok_or(PlugError::NoSlot { slot: number, count: self.slots.len() })?;
        if slot.place() == Place::Broken { Err(PlugError::Broken { slot: number }) } else { Ok(slot) }
    }

    fn end_threads(&mut self) {
        for slot in &self.slots {
            slot.stop();
        }
        for thread in self.threads.drain(..) {
            // A slot's thread catches the panics of its card; one of the listener was told by the panic hook already.
            let _ = thread.join();
        }
    }
}

impl Drop for Plug {
    fn drop(&mut self) {
        self.end_threads();
    }
}
