//! The readers for many threads: calls that wait, and what hands do to readers and cards.
//!
//! Promises: nothing of the card's runs while a lock is held but power and reset, which return at once; a command to
//! one card delays nobody but those who want the same card. A waiting call is woken when its turn has come and at no
//! other time. Readers that nobody uses cost no CPU time. Whatever a card's code does, the other readers go on.

mod client;
mod shared;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

pub use client::Client;

use self::shared::Shared;
use super::{
    Finger, InsertedCard, Interface, ManageError, Observer, Peer, PinPad, ReaderSettings, Readers, Settings,
    Snapshot, Turn,
};
use crate::{image::PowerCut, random::CardRng};

/// Why a card could not be put in, and the card.
#[derive(thiserror::Error)]
#[error("{error}")]
pub struct InsertError {
    /// Why.
    pub error: ManageError,
    /// The card, untouched.
    pub card: Box<dyn InsertedCard>,
}

impl std::fmt::Debug for InsertError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl From<(ManageError, Box<dyn InsertedCard>)> for InsertError {
    fn from((error, card): (ManageError, Box<dyn InsertedCard>)) -> Self {
        Self { error, card }
    }
}

/// What ended a wait for changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A reader or a card changed: look at a new [`Snapshot`].
    Happened,
    /// Somebody cancelled the wait, or the service was closed.
    Cancelled,
}

/// The PC/SC service of one world: readers, cards and the clients that use them.
///
/// Readers are named by their full name, or by the one that they were given if no other reader was given it, too.
/// Dropping the service closes it.
pub struct Service {
    shared: Arc<Shared>,
    /// The thread that takes the power from unused cards.
    timer: Option<JoinHandle<()>>,
}

impl Service {
    /// A world without readers. `rng` gives contexts and handles their numbers.
    pub fn new(settings: Settings, rng: CardRng) -> Self {
        Self::start(settings, rng, None)
    }

    /// The same, with somebody who is told what happens.
    pub fn observed(settings: Settings, rng: CardRng, observer: Arc<dyn Observer>) -> Self {
        Self::start(settings, rng, Some(observer))
    }

    fn start(settings: Settings, rng: CardRng, observer: Option<Arc<dyn Observer>>) -> Self {
        let shared = Arc::new(Shared::new(settings, rng, observer));
        let timer = settings.auto_power_off.grace().and_then(|_| {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name("auto power-off".into());
            // Without the thread a card loses its power at the next call after its time.
            thread.spawn(move || shared.keep_time()).ok()
        });
        Self { shared, timer }
    }

    /// A new client: one connection of an attachment.
    pub fn client(&self) -> Client {
        Client::new(Arc::clone(&self.shared), None)
    }

    /// The same, with a name under which observers hear of it.
    pub fn client_of(&self, peer: Peer) -> Client {
        Client::new(Arc::clone(&self.shared), Some(peer))
    }

    /// All readers, and which moment this is.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.with(|world| world.readers.snapshot())
    }

    /// Waits until something changed after the moment `seen` ([`Snapshot::change`]), for at most `patience`; returns
    /// the present moment.
    pub fn wait_for_change(&self, seen: u64, patience: Duration) -> u64 {
        self.shared.wait_for_change(seen, patience)
    }

    /// Returns when the observer was told of all that has happened.
    pub fn flush(&self) {
        self.shared.flush();
    }

    /// Unplugs all readers, drops their cards and ends all waits; from now on calls of clients answer SERVICE_STOPPED.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Plugs a reader in; returns its full name.
    pub fn add_reader(&self, reader: ReaderSettings) -> Result<String, ManageError> {
        self.shared.with(|world| world.readers.plug(reader))
    }

    /// Plugs a reader in that has a card in it; returns its full name. The card is no event to clients: the event
    /// counter stays 0.
    pub fn add_reader_with(
        &self,
        reader: ReaderSettings,
        card: Box<dyn InsertedCard>,
    ) -> Result<String, InsertError> {
        Ok(self.shared.with(|world| world.readers.plug_with(reader, card))?)
    }

    /// Unplugs a reader; returns its card, after the command that it is working on, if there is one.
    pub fn remove_reader(&self, reader: &str) -> Result<Option<Box<dyn InsertedCard>>, ManageError> {
        let removed = self.shared.with(|world| {
            let removed = world.readers.unplug(reader)?;
            Ok(removed.map(|removed| world.claim(removed)))
        })?;
        removed.map(|claim| self.shared.collect(claim)).transpose()
    }

    /// Puts a card into a reader. Clients see it when this returns.
    pub fn insert(&self, reader: &str, card: Box<dyn InsertedCard>) -> Result<(), InsertError> {
        Ok(self.shared.with(|world| world.readers.insert(reader, card))?)
    }

    /// Takes the card out. Clients see it at once; this returns after the command that the card is working on, if
    /// there is one.
    pub fn remove(&self, reader: &str) -> Result<Box<dyn InsertedCard>, ManageError> {
        let claim = self.shared.with(|world| {
            let removed = world.readers.remove(reader)?;
            Ok(world.claim(removed))
        })?;
        self.shared.collect(claim)
    }

    /// Takes the card out, if there is one, and puts another in; clients see both events at once. Returns as
    /// [`Service::remove`] does.
    ///
    /// If the code of the old card fails, the new one is in the reader all the same, and the old one gone.
    pub fn swap(
        &self,
        reader: &str,
        card: Box<dyn InsertedCard>,
    ) -> Result<Option<Box<dyn InsertedCard>>, InsertError> {
        let claim = self.shared.with(|world| {
            let removed = world.readers.remove(reader).ok();
            let claim = removed.map(|removed| world.claim(removed));
            world.readers.insert(reader, card).map(|()| claim)
        })?;
        Ok(claim.and_then(|claim| self.shared.collect(claim).ok()))
    }

    /// Resets the card as if another program had done so: every handle sees W_RESET_CARD. Waits for the command that
    /// the card is working on.
    pub fn reset(&self, reader: &str) -> Result<(), ManageError> {
        self.manage(|readers, turn| readers.reset(reader, turn))
    }

    /// Orders that the card loses its power in a write to come. That command gets no answer (NOT_TRANSACTED), and the card
    /// is dead until it gets power again. Waits for the command that the card is working on.
    pub fn tear(&self, reader: &str, cut: PowerCut) -> Result<(), ManageError> {
        self.manage(|readers, turn| readers.tear(reader, cut, turn))
    }

    /// Touches the card, which is a finger's work and no command's: other calls go on. If the card does not ask for it,
    /// this waits for the question, at most for `patience`.
    pub fn touch(&self, reader: &str, finger: Finger, patience: Duration) -> Result<(), ManageError> {
        let sensor = self.shared.with(|world| world.readers.touch_sensor(reader))?;
        sensor.touch(finger, patience).map_err(|why| ManageError::in_vain(reader, why))
    }

    /// Makes a reader fail, as one with a bad cable, or work again. While it fails its state is UNKNOWN and its card
    /// has no power.
    pub fn set_failing(&self, reader: &str, failing: bool) -> Result<(), ManageError> {
        self.manage(|readers, turn| readers.set_failing(reader, failing, turn))
    }

    /// Changes how a reader gives cards their power, and takes out the card that is in it, as [`Service::remove`] does,
    /// for the caller to put it back. Nothing happens if the reader has this interface.
    pub fn set_interface(
        &self,
        reader: &str,
        interface: Interface,
    ) -> Result<Option<Box<dyn InsertedCard>>, ManageError> {
        let claim = self.shared.with(|world| {
            let removed = world.readers.set_interface(reader, interface)?;
            Ok(removed.map(|removed| world.claim(removed)))
        })?;
        claim.map(|claim| self.shared.collect(claim)).transpose()
    }

    /// Changes the key-pad of a reader, or who is before it.
    pub fn set_pin_pad(&self, reader: &str, pin_pad: Option<PinPad>) -> Result<(), ManageError> {
        self.shared.with(|world| world.readers.set_pin_pad(reader, pin_pad))
    }

    fn manage(
        &self,
        attempt: impl FnMut(&mut Readers, &mut Turn) -> Poll<Result<(), ManageError>>,
    ) -> Result<(), ManageError> {
        self.shared.call(shared::Patience::default(), attempt).map_err(|_| ManageError::Closed)?
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.close();
        if let Some(timer) = self.timer.take() {
            // It cannot fail but by a defect of a card, which has been told where it happened.
            let _ = timer.join();
        }
    }
}
