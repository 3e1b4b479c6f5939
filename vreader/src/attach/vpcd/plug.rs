//! Cards in consecutive slots, each with a thread of its own.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::slot::{Listener, Slot};
use super::{Endpoint, Event, Place};
use crate::reader::{Finger, InVain, InsertedCard, Interface, TouchSensor};

/// Why cards cannot be plugged in, or a slot not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlugError {
    /// There are more cards than ports.
    #[error(
        "no port for slot {slot}: ports count up from {endpoint} and end at 65535; choose a lower --port"
    )]
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

    /// The card has no sensor.
    #[error("the card of slot {slot} has no sensor to touch; a YubiKey of this program has one")]
    NoSensor {
        /// The slot.
        slot: usize,
    },

    /// The touch had no effect.
    #[error("{}", match .why {
        InVain::NotAsked => format!(
            "the card of slot {slot} does not wait for a touch, and one that comes before the question does not count"
        ),
        InVain::Never => format!("nobody touches the card of slot {slot}, by choice; start with --touch wait"),
    })]
    InVain {
        /// The slot.
        slot: usize,
        /// Why.
        why: InVain,
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
    /// Begins to insert `cards` with their contacts, and returns at once. `listener` hears of each slot's events, on
    /// the slot's thread; it must not call back into the plug.
    pub fn new(
        endpoint: &Endpoint,
        cards: Vec<Box<dyn InsertedCard>>,
        listener: impl Fn(usize, &Event) + Send + Sync + 'static,
    ) -> Result<Self, PlugError> {
        Self::through(Interface::Contact, endpoint, cards, listener)
    }

    /// The same, through this interface of the cards.
    pub fn through(
        interface: Interface,
        endpoint: &Endpoint,
        cards: Vec<Box<dyn InsertedCard>>,
        listener: impl Fn(usize, &Event) + Send + Sync + 'static,
    ) -> Result<Self, PlugError> {
        let listener: Listener = Arc::new(listener);
        let mut plug =
            Self { slots: Vec::with_capacity(cards.len()), threads: Vec::with_capacity(cards.len()) };
        for (number, card) in cards.into_iter().enumerate() {
            let endpoint = endpoint
                .of_slot(number)
                .ok_or_else(|| PlugError::NoPort { slot: number, endpoint: endpoint.clone() })?;
            let slot = Arc::new(Slot::new(number, endpoint, interface, card, Arc::clone(&listener)));
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

    /// Takes the card of a slot out of the reader. Programs see it leave at once; this call returns when the
    /// card has finished the command it is working on and is powered off.
    pub fn remove(&self, slot: usize) -> Result<(), PlugError> {
        self.usable(slot).map(Slot::remove)
    }

    /// Touches the card of a slot, which must be waiting for it.
    pub fn touch(&self, slot: usize) -> Result<(), PlugError> {
        let sensor = self.usable(slot)?.touch_sensor().ok_or(PlugError::NoSensor { slot })?;
        sensor.touch(Finger::Enrolled, Duration::ZERO).map_err(|why| PlugError::InVain { slot, why })
    }

    /// Whether the card of each slot waits for a touch.
    pub fn waits_for_touch(&self) -> Vec<bool> {
        self.slots.iter().map(|slot| slot.touch_sensor().is_some_and(TouchSensor::is_asked)).collect()
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
        let slot =
            self.slots.get(number).ok_or(PlugError::NoSlot { slot: number, count: self.slots.len() })?;
        if slot.place() == Place::Broken { Err(PlugError::Broken { slot: number }) } else { Ok(slot) }
    }

    fn end_threads(&mut self) {
        for slot in &self.slots {
            slot.stop();
        }
        for thread in self.threads.drain(..) {
            // A slot's thread catches the panics of its card; one of the listener was told by the panic hook
            // already.
            let _ = thread.join();
        }
    }
}

impl Drop for Plug {
    fn drop(&mut self) {
        self.end_threads();
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{DEADLINE, Echo, FakeVpcd, GET_ATR, ON, listen};
    use super::super::{Loss, Obstacle};
    use super::*;

    #[test]
    fn a_card_is_told_in_the_reader_when_vpcd_asks_for_it() {
        let vpcd = FakeVpcd::start();
        let (listener, events) = listen();
        let plug = Plug::new(&vpcd.endpoint(), vec![Echo::card()], listener).unwrap();
        let mut slot = vpcd.accept();
        assert_eq!(slot.ask(GET_ATR), Echo::ATR);
        assert_eq!(events.next(), (0, Event::Seated));
        assert_eq!(plug.places(), [Place::InReader]);
        assert_eq!(
            Event::Seated.in_words(0),
            "slot 0: card inserted; look for the reader \"Virtual PCD 00 00\""
        );
    }

    #[test]
    fn removed_and_inserted_at_run_time() {
        let vpcd = FakeVpcd::start();
        let (listener, events) = listen();
        let (card, diary) = Echo::with_diary();
        let plug = Plug::new(&vpcd.endpoint(), vec![card], listener).unwrap();
        let mut slot = vpcd.accept();
        slot.ask(GET_ATR);
        slot.send(ON);
        slot.ask(GET_ATR);
        assert_eq!(events.next(), (0, Event::Seated));

        plug.remove(0).unwrap();
        assert_eq!(plug.places(), [Place::InHand]);
        assert_eq!(*diary.lock().unwrap(), ["on", "off"], "a card in hand has no power");
        assert!(slot.left());
        assert_eq!(events.next(), (0, Event::Removed));
        plug.remove(0).unwrap();

        plug.insert(0).unwrap();
        plug.insert(0).unwrap();
        assert_eq!(vpcd.accept().ask(GET_ATR), Echo::ATR);
        assert_eq!(events.next(), (0, Event::Seated));
    }

    #[test]
    fn waits_for_vpcd_and_returns_when_pcscd_restarts() {
        let vpcd = FakeVpcd::start();
        let endpoint = vpcd.endpoint();
        let (listener, events) = listen();
        let _plug = Plug::new(&endpoint, vec![Echo::card()], listener).unwrap();
        let mut slot = vpcd.accept();
        slot.ask(GET_ATR);
        assert_eq!(events.next(), (0, Event::Seated));

        drop(vpcd);
        drop(slot);
        assert_eq!(events.next(), (0, Event::Lost(Loss::Closed)));
        let obstacle = Obstacle::PcscdMissing { endpoint: endpoint.clone() };
        assert_eq!(events.next(), (0, Event::Waiting(obstacle)));

        let vpcd = FakeVpcd::restart_at(&endpoint);
        assert_eq!(vpcd.accept().ask(GET_ATR), Echo::ATR);
        assert_eq!(events.next(), (0, Event::Seated), "the obstacle is told once, not at every attempt");
    }

    #[test]
    fn a_taken_slot_is_told_and_waited_for() {
        let vpcd = FakeVpcd::start();
        let (listener, events) = listen();
        let plug = Plug::new(&vpcd.endpoint(), vec![Echo::card()], listener).unwrap();
        assert_eq!(events.next(), (0, Event::Waiting(Obstacle::SlotTaken { endpoint: vpcd.endpoint() })));
        assert!(matches!(plug.places()[..], [Place::OnTheWay(Some(Obstacle::SlotTaken { .. }))]));
        vpcd.accept().ask(GET_ATR);
        assert_eq!(events.next(), (0, Event::Seated));
    }

    #[test]
    fn something_else_that_listens_is_named() {
        let vpcd = FakeVpcd::start();
        let (listener, events) = listen();
        let _plug = Plug::new(&vpcd.endpoint(), vec![Echo::card()], listener).unwrap();
        let event = loop {
            drop(vpcd.accept());
            if let Some(event) = events.already() {
                break event;
            }
        };
        assert_eq!(event, (0, Event::Waiting(Obstacle::NotVpcd { endpoint: vpcd.endpoint() })));
        vpcd.accept().ask(GET_ATR);
        assert_eq!(events.next(), (0, Event::Seated));
    }

    #[test]
    fn a_defect_of_one_card_leaves_the_other_alone() {
        let (first, second) = FakeVpcd::start_two();
        let (listener, events) = listen();
        let plug = Plug::new(&first.endpoint(), vec![Echo::card(), Echo::card()], listener).unwrap();
        let (mut first, mut second) = (first.accept(), second.accept());
        first.send(Echo::PANIC);
        assert!(first.left());
        assert_eq!(events.next(), (0, Event::Broken));
        assert!(matches!(plug.insert(0), Err(PlugError::Broken { slot: 0 })));
        assert!(matches!(plug.remove(0), Err(PlugError::Broken { slot: 0 })));
        assert_eq!(second.ask(&[0x00, 0xA4]), [0x00, 0xA4, 0x90, 0x00]);
        assert!(matches!(plug.insert(2), Err(PlugError::NoSlot { slot: 2, count: 2 })));
        let cards = plug.stop();
        assert!(cards[0].is_none() && cards[1].is_some());
    }

    #[test]
    fn stopping_hands_the_cards_back_without_power() {
        let vpcd = FakeVpcd::start();
        let (card, diary) = Echo::with_diary();
        let plug = Plug::new(&vpcd.endpoint(), vec![card], |_, _| {}).unwrap();
        let mut slot = vpcd.accept();
        slot.ask(GET_ATR);
        slot.send(ON);
        slot.ask(GET_ATR);
        let cards = plug.stop();
        assert!(slot.left());
        assert!(cards.len() == 1 && cards[0].is_some());
        assert_eq!(*diary.lock().unwrap(), ["on", "off"]);
    }

    #[test]
    fn stopping_does_not_wait_for_a_vpcd_that_is_not_there() {
        let endpoint = FakeVpcd::start().endpoint();
        let begin = std::time::Instant::now();
        let plug = Plug::new(&endpoint, vec![Echo::card()], |_, _| {}).unwrap();
        assert!(plug.stop()[0].is_some());
        assert!(begin.elapsed() < DEADLINE / 2);
    }

    #[test]
    fn a_card_beyond_the_last_port_is_refused() {
        let endpoint = Endpoint { port: 0xFFFF, ..Endpoint::default() };
        let error = Plug::new(&endpoint, vec![Echo::card(), Echo::card()], |_, _| {}).err().unwrap();
        assert!(matches!(error, PlugError::NoPort { slot: 1, .. }), "{error}");
    }
}
