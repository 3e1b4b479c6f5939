//! What hands do to readers and cards: plug in, unplug, insert, remove, reset.

use std::task::Poll;

use super::connect::{reset, wait_for_card};
use super::{Device, Readers};
use crate::image::PowerCut;
use crate::reader::device::Notice;
use crate::reader::slot::{Seat, Wake};
use crate::reader::{
    InVain, InsertedCard, Interface, PinPad, ReaderSettings, Removed, TouchSensor, Turn, What,
};

/// The longest name of a reader without the numbers that follow it: the full name and its NUL fit into 128 bytes.
const LONGEST_NAME: usize = 127 - " 00 00".len();

/// Why something could not be done to a reader.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManageError {
    /// No reader has this name.
    #[error("there is no reader \"{name}\"; {}", list(.readers))]
    UnknownReader {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        readers: Vec<String>,
    },
    /// Several readers have this name.
    #[error("several readers are called \"{name}\"; say which: {}", list(.readers))]
    AmbiguousName {
        /// The name that was asked for.
        name: String,
        /// The readers that have it.
        readers: Vec<String>,
    },
    /// There is a card in the reader.
    #[error("there is a card in \"{0}\" already; remove it first, or swap the two")]
    Occupied(String),
    /// There is no card in the reader.
    #[error("there is no card in \"{0}\"; insert one first")]
    Empty(String),
    /// The card is not one of this program's.
    #[error(
        "the card in \"{0}\" has no flash that could be torn; only a card of this program can lose its power in a write"
    )]
    CannotTear(String),
    /// The card has no sensor.
    #[error("the card in \"{0}\" has no sensor to touch; a YubiKey of this program has one")]
    NoSensor(String),
    /// The card does not wait for a touch.
    #[error(
        "the card in \"{0}\" does not wait for a touch, and one that comes before the question does not count; \
         wait for the question"
    )]
    NotAskedForTouch(String),
    /// Nobody touches cards in this world.
    #[error("nobody touches the card in \"{0}\", by choice; start the world with --touch wait")]
    NeverTouched(String),
    /// A name that PC/SC cannot carry.
    #[error(
        "\"{0}\" cannot be the name of a reader; take 1 to {LONGEST_NAME} bytes without control characters"
    )]
    BadName(String),
    /// There are as many readers as there may be.
    #[error("there are {0} readers already, and programs see no more; unplug one first")]
    TooManyReaders(usize),
    /// The card's code failed, and the card is gone.
    #[error("the card's program failed, and the card is gone; that is a defect of the card, insert another")]
    Broken,
    /// The service has been closed.
    #[error("the readers have been shut down")]
    Closed,
}

impl ManageError {
    /// Why a touch of the card in this reader had no effect.
    pub(crate) fn in_vain(reader: &str, why: InVain) -> Self {
        match why {
            InVain::NotAsked => Self::NotAskedForTouch(reader.to_owned()),
            InVain::Never => Self::NeverTouched(reader.to_owned()),
        }
    }
}

fn list(readers: &[String]) -> String {
    if readers.is_empty() { "there is none".into() } else { format!("there are: {}", readers.join(", ")) }
}

impl Readers {
    /// Plugs a reader in; returns its full name.
    pub fn plug(&mut self, reader: ReaderSettings) -> Result<String, ManageError> {
        let device = self.new_device(reader)?;
        Ok(self.add(device))
    }

    /// Plugs a reader in that has a card in it; returns its full name. The card is no event.
    pub fn plug_with(
        &mut self,
        reader: ReaderSettings,
        card: Box<dyn InsertedCard>,
    ) -> Result<String, (ManageError, Box<dyn InsertedCard>)> {
        let until = self.end_of_grace();
        let mut device = match self.new_device(reader) {
            Ok(device) => device,
            Err(error) => return Err((error, card)),
        };
        device.slot.insert(card);
        device.notes.push(What::Inserted);
        // A mute card is a card, too; a broken one has been taken out again.
        let _ = device.wake(Wake::Cold);
        device.slot.begin_grace(until);
        Ok(self.add(device))
    }

    fn new_device(&mut self, reader: ReaderSettings) -> Result<Device, ManageError> {
        let name = &reader.name;
        if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err(ManageError::BadName(name.clone()));
        }
        let full = ManageError::TooManyReaders(self.devices.len());
        if self.devices.len() >= self.settings.limits.readers {
            return Err(full);
        }
        let mut indexes = 0..=u8::MAX;
        let index =
            indexes.find(|index| self.devices.iter().all(|device| device.index != *index)).ok_or(full)?;
        Ok(Device::new(super::next(&mut self.next_number), index, reader))
    }

    fn add(&mut self, device: Device) -> String {
        let name = device.name.clone();
        self.devices.push(device);
        self.count_reader_event();
        self.settle();
        name
    }

    /// Unplugs a reader; what becomes of its card. Handles to it stay, and are good for nothing but Disconnect.
    pub fn unplug(&mut self, reader: &str) -> Result<Option<Removed>, ManageError> {
        let id = self.find(reader)?.id;
        let Some(index) = self.devices.iter().position(|device| device.id == id) else { return Ok(None) };
        let removed = self.devices.get_mut(index).and_then(|device| {
            let removed = taken_out(device);
            device.notes.push(What::Unplugged);
            removed
        });
        self.settle();
        let device = self.devices.remove(index);
        // Whoever waits there finds out when he asks again.
        self.ready.extend(device.lock_queue.all().chain(device.card_queue.all()));
        self.count_reader_event();
        Ok(removed)
    }

    /// Puts a card into a reader.
    pub fn insert(
        &mut self,
        reader: &str,
        card: Box<dyn InsertedCard>,
    ) -> Result<(), (ManageError, Box<dyn InsertedCard>)> {
        let until = self.end_of_grace();
        let device = match self.find(reader) {
            Err(error) => return Err((error, card)),
            Ok(device) if !device.slot.is_empty() => {
                return Err((ManageError::Occupied(device.name.clone()), card));
            }
            Ok(device) => device,
        };
        device.slot.insert(card);
        device.notes.push(What::Inserted);
        device.notice_card(until);
        self.settle();
        Ok(())
    }

    /// Takes the card out; clients see it at once.
    pub fn remove(&mut self, reader: &str) -> Result<Removed, ManageError> {
        let device = self.find(reader)?;
        let empty = ManageError::Empty(device.name.clone());
        let removed = taken_out(device).ok_or(empty);
        self.settle();
        removed
    }

    /// Resets the card as if another program had done so. Pending while it runs a command.
    pub fn reset(&mut self, reader: &str, turn: &mut Turn) -> Poll<Result<(), ManageError>> {
        let answer = self.try_reset(reader, turn);
        self.finish(turn, answer)
    }

    fn try_reset(&mut self, reader: &str, turn: &mut Turn) -> Poll<Result<(), ManageError>> {
        let ticket = self.draw_ticket(turn);
        let until = self.end_of_grace();
        let device = self.find(reader)?;
        if device.slot.is_empty() {
            return Poll::Ready(Err(ManageError::Empty(device.name.clone())));
        }
        if wait_for_card(device, ticket, turn).is_pending() {
            return Poll::Pending;
        }
        // A card that stays mute shows it in its state.
        let _ = reset(device, Wake::Warm);
        device.rest(until);
        Poll::Ready(Ok(()))
    }

    /// Orders that the card loses its power in a write to come. Pending while it runs a command.
    pub fn tear(&mut self, reader: &str, cut: PowerCut, turn: &mut Turn) -> Poll<Result<(), ManageError>> {
        let answer = self.try_tear(reader, cut, turn);
        self.finish(turn, answer)
    }

    fn try_tear(&mut self, reader: &str, cut: PowerCut, turn: &mut Turn) -> Poll<Result<(), ManageError>> {
        let ticket = self.draw_ticket(turn);
        let device = self.find(reader)?;
        if wait_for_card(device, ticket, turn).is_pending() {
            return Poll::Pending;
        }
        let name = || device.name.clone();
        Poll::Ready(match device.slot.cut_power(cut) {
            Some(true) => Ok(()),
            Some(false) => Err(ManageError::CannotTear(name())),
            None => Err(ManageError::Empty(name())),
        })
    }

    /// The sensor of the card in a reader.
    pub fn touch_sensor(&mut self, reader: &str) -> Result<TouchSensor, ManageError> {
        let device = self.find(reader)?;
        let name = device.name.clone();
        match device.slot.touch_sensor() {
            Some(sensor) => Ok(sensor.clone()),
            None if device.slot.is_empty() => Err(ManageError::Empty(name)),
            None => Err(ManageError::NoSensor(name)),
        }
    }

    /// Makes a reader fail, or work again. While it fails its state is UNKNOWN and calls answer READER_UNAVAILABLE;
    /// its card has no power. Pending, when it is to work again, while its card still runs a command.
    pub fn set_failing(
        &mut self,
        reader: &str,
        failing: bool,
        turn: &mut Turn,
    ) -> Poll<Result<(), ManageError>> {
        let answer = self.try_set_failing(reader, failing, turn);
        self.finish(turn, answer)
    }

    fn try_set_failing(
        &mut self,
        reader: &str,
        failing: bool,
        turn: &mut Turn,
    ) -> Poll<Result<(), ManageError>> {
        let ticket = self.draw_ticket(turn);
        let until = self.end_of_grace();
        let device = self.find(reader)?;
        if device.failing == failing {
            return Poll::Ready(Ok(()));
        }
        if !failing && wait_for_card(device, ticket, turn).is_pending() {
            return Poll::Pending;
        }
        device.set_failing(failing);
        if failing {
            return Poll::Ready(Ok(()));
        }
        if device.slot.is_empty() {
            device.count_event();
        } else {
            // The card is the same or another one; nobody can know.
            device.notify_all(Notice::Reset);
            device.notice_card(until);
        }
        Poll::Ready(Ok(()))
    }

    /// Changes how a reader gives cards their power, and takes out the card that is in it: who has it in hand puts it
    /// back to the other side of the reader. Nothing happens if the reader has this interface.
    pub fn set_interface(
        &mut self,
        reader: &str,
        interface: Interface,
    ) -> Result<Option<Removed>, ManageError> {
        let device = self.find(reader)?;
        if device.settings.interface == interface {
            return Ok(None);
        }
        device.settings.interface = interface;
        let removed = taken_out(device);
        self.settle();
        Ok(removed)
    }

    /// Changes the key-pad of a reader, or who is before it.
    pub fn set_pin_pad(&mut self, reader: &str, pin_pad: Option<PinPad>) -> Result<(), ManageError> {
        self.find(reader)?.settings.pin_pad = pin_pad;
        Ok(())
    }

    /// The reader of this name: its full one, or the one without numbers if no other reader has it.
    fn find(&mut self, name: &str) -> Result<&mut Device, ManageError> {
        let is_short = |device: &&Device| device.settings.name == name;
        let named = match self.devices.iter().find(|device| device.name == name) {
            Some(device) => vec![device],
            None => self.devices.iter().filter(is_short).collect(),
        };
        match named.as_slice() {
            [one] => {
                let id = one.id;
                let unknown = self.unknown(name);
                self.device(id).ok_or(unknown)
            }
            [] => Err(self.unknown(name)),
            several => {
                let readers = several.iter().map(|device| device.name.clone()).collect();
                Err(ManageError::AmbiguousName { name: name.into(), readers })
            }
        }
    }

    fn unknown(&self, name: &str) -> ManageError {
        let readers = self.devices.iter().map(|device| device.name.clone()).collect();
        ManageError::UnknownReader { name: name.into(), readers }
    }
}

/// Takes the card out of a reader, if there is one.
fn taken_out(device: &mut Device) -> Option<Removed> {
    if device.slot.is_empty() {
        return None;
    }
    match device.vacate() {
        Seat::Empty => None,
        Seat::Taken(card) => Some(Removed::Card(card)),
        Seat::Lent(id) => Some(Removed::Busy(id)),
    }
}
