//! The readers of a world and the cards that belong to them, for whoever moves cards: the program that started the
//! world, and its control socket.
//!
//! A card that is taken out stays with its reader, so that it can be put back; its card file stays locked.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    image::PowerCut,
    reader::{
        Finger, InsertError, InsertedCard, Interface, ManageError, ReaderSettings, ReaderState, Service,
        Snapshot,
    },
};

/// The readers of a world.
pub struct Readers {
    service: Arc<Service>,
    /// Cards that were taken out, by the name of their reader.
    aside: Mutex<HashMap<String, Box<dyn InsertedCard>>>,
}

/// One reader, as people want to see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderReport {
    /// Its full name, as programs see it.
    pub name: String,
    /// What is in it.
    pub slot: SlotReport,
    /// The card's answer to reset in hex; empty without a card.
    pub atr: String,
    /// Insertions and removals so far.
    pub events: u16,
    /// How many handles programs have to it.
    pub handles: u32,
    /// Whether the one handle is exclusive.
    pub exclusive: bool,
    /// How the reader gives cards their power.
    #[serde(with = "InterfaceName")]
    pub interface: Interface,
    /// Whether the card waits for a touch.
    pub waits_for_touch: bool,
}

/// [`Interface`] in JSON: `contact` or `contactless`.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Interface", rename_all = "snake_case")]
pub(super) enum InterfaceName {
    Contact,
    Contactless,
}

/// What is in a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotReport {
    /// A card.
    Card,
    /// A card that does not answer to reset.
    MuteCard,
    /// No card, and none was taken out.
    Empty,
    /// No card; the one that was taken out can be put back.
    TakenOut,
}

/// Why something could not be done to a reader.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadersError {
    /// The reader refuses.
    #[error(transparent)]
    Manage(#[from] ManageError),
    /// No reader has this number or name.
    #[error("there is no reader \"{wanted}\"; there is {there}")]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// The readers that there are.
        there: String,
    },
    /// Several readers have this in their name, or none was named.
    #[error("say which reader: {0}")]
    Ambiguous(String),
    /// There is no card to put back.
    #[error("no card was taken out of \"{0}\"; say which card to put in")]
    NoCard(String),
}

impl From<InsertError> for ReadersError {
    fn from(error: InsertError) -> Self {
        Self::Manage(error.error)
    }
}

impl Readers {
    pub(super) fn new(service: Arc<Service>) -> Self {
        Self { service, aside: Mutex::default() }
    }

    /// What clients of the world talk to.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// All readers, in the order in which they were plugged in.
    pub fn list(&self) -> Vec<ReaderReport> {
        let aside = self.aside();
        let report = |reader: ReaderState| ReaderReport {
            slot: slot(&reader, aside.contains_key(&reader.name)),
            atr: hex::encode_upper(&reader.atr),
            events: reader.event_counter,
            handles: reader.sharing.unsigned_abs(),
            exclusive: reader.sharing == ReaderState::EXCLUSIVE,
            interface: reader.interface,
            waits_for_touch: reader.waits_for_touch,
            name: reader.name,
        };
        self.service.snapshot().readers.into_iter().map(report).collect()
    }

    /// The full name of a reader: from its number in the list, its full name, or a part of it that no other reader has.
    /// Without any of these, the only reader.
    pub fn find(&self, wanted: Option<&str>) -> Result<String, ReadersError> {
        let Snapshot { readers, .. } = self.service.snapshot();
        let names: Vec<String> = readers.into_iter().map(|reader| reader.name).collect();
        find(&names, wanted)
    }

    /// Plugs a reader in, with or without a card. Returns its full name.
    pub fn add(
        &self,
        reader: ReaderSettings,
        card: Option<Box<dyn InsertedCard>>,
    ) -> Result<String, ReadersError> {
        Ok(match card {
            Some(card) => self.service.add_reader_with(reader, card)?,
            None => self.service.add_reader(reader)?,
        })
    }

    /// Unplugs a reader. Its card is gone, too.
    pub fn unplug(&self, reader: &str) -> Result<(), ReadersError> {
        drop(self.service.remove_reader(reader)?);
        self.aside().remove(reader);
        Ok(())
    }

    /// Puts a card into an empty reader: the given one, or the one that was taken out.
    pub fn insert(&self, reader: &str, card: Option<Box<dyn InsertedCard>>) -> Result<(), ReadersError> {
        let mut aside = self.aside();
        let (card, own) = match card {
            Some(card) => (card, false),
            None => match aside.remove(reader) {
                Some(card) => (card, true),
                None => return Err(self.no_card(reader)),
            },
        };
        match self.service.insert(reader, card) {
            Ok(()) => {
                aside.remove(reader);
                Ok(())
            }
            Err(InsertError { error, card }) => {
                if own {
                    aside.insert(reader.to_owned(), card);
                }
                Err(error.into())
            }
        }
    }

    /// Takes the card out.
    pub fn remove(&self, reader: &str) -> Result<(), ReadersError> {
        let card = self.service.remove(reader)?;
        self.aside().insert(reader.to_owned(), card);
        Ok(())
    }

    /// Takes the card out, if there is one, and puts another one in. The first one is gone.
    pub fn swap(&self, reader: &str, card: Box<dyn InsertedCard>) -> Result<(), ReadersError> {
        drop(self.service.swap(reader, card)?);
        self.aside().remove(reader);
        Ok(())
    }

    /// Resets the card, as another program could: every handle hears of it.
    pub fn reset(&self, reader: &str) -> Result<(), ReadersError> {
        Ok(self.service.reset(reader)?)
    }

    /// Turns the card over: the reader gives it power through this interface from now on. Programs see a card that leaves and
    /// one that comes, unless the reader has this interface.
    pub fn set_interface(&self, reader: &str, interface: Interface) -> Result<(), ReadersError> {
        let Some(card) = self.service.set_interface(reader, interface)? else { return Ok(()) };
        Ok(self.service.insert(reader, card)?)
    }

    /// The next write of the card loses power, or one to come: the command gets no answer, and the card is dead until it
    /// gets power again or is reset.
    pub fn tear(&self, reader: &str, cut: PowerCut) -> Result<(), ReadersError> {
        Ok(self.service.tear(reader, cut)?)
    }

    /// Touches the card, which must be waiting for it, or do so within `patience`: a touch that comes before the question does
    /// not count.
    pub fn touch(&self, reader: &str, finger: Finger, patience: Duration) -> Result<(), ReadersError> {
        Ok(self.service.touch(reader, finger, patience)?)
    }

    /// Why there is no card to put back: there is one in the reader, or there never was one.
    fn no_card(&self, reader: &str) -> ReadersError {
        let readers = self.service.snapshot().readers;
        let present = |state: &ReaderState| state.state & ReaderState::PRESENT != 0;
        if readers.iter().any(|state| state.name == reader && present(state)) {
            ManageError::Occupied(reader.to_owned()).into()
        } else {
            ReadersError::NoCard(reader.to_owned())
        }
    }

    fn aside(&self) -> MutexGuard<'_, HashMap<String, Box<dyn InsertedCard>>> {
        // A map of whole cards cannot be half changed.
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn slot(reader: &ReaderState, aside: bool) -> SlotReport {
    match (reader.state & ReaderState::PRESENT != 0, reader.state & ReaderState::SWALLOWED != 0) {
        (true, false) => SlotReport::Card,
        (true, true) => SlotReport::MuteCard,
        (false, _) if aside => SlotReport::TakenOut,
        (false, _) => SlotReport::Empty,
    }
}

fn find(names: &[String], wanted: Option<&str>) -> Result<String, ReadersError> {
    let there = || {
        let numbered: Vec<_> =
            names.iter().enumerate().map(|(number, name)| format!("{number} \"{name}\"")).collect();
        if numbered.is_empty() { "none".to_owned() } else { numbered.join(", ") }
    };
    let part = wanted.unwrap_or_default();
    let exact = names.iter().find(|name| *name == part);
    let numbered = || part.parse().ok().and_then(|number: usize| names.get(number));
    if let Some(name) = exact.or_else(numbered) {
        return Ok(name.clone());
    }
    let mut alike = names.iter().filter(|name| name.contains(part));
    match (alike.next(), alike.next()) {
        (Some(name), None) => Ok(name.clone()),
        (Some(_), Some(_)) => Err(ReadersError::Ambiguous(there())),
        (None, _) => Err(ReadersError::Unknown { wanted: part.to_owned(), there: there() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_found_by_number_name_and_part() {
        let names = ["Desk 00 00".to_owned(), "Door 01 00".to_owned()];
        for (wanted, found) in
            [("0", "Desk 00 00"), ("1", "Door 01 00"), ("Door 01 00", "Door 01 00"), ("Des", "Desk 00 00")]
        {
            assert_eq!(find(&names, Some(wanted)).unwrap(), found, "{wanted}");
        }
        assert_eq!(find(&names[..1], None).unwrap(), "Desk 00 00");
        let error = find(&names, None).unwrap_err().to_string();
        assert_eq!(error, "say which reader: 0 \"Desk 00 00\", 1 \"Door 01 00\"");
        assert!(matches!(find(&names, Some("D")), Err(ReadersError::Ambiguous(_))));
        let error = find(&names, Some("Gate")).unwrap_err().to_string();
        assert_eq!(error, "there is no reader \"Gate\"; there is 0 \"Desk 00 00\", 1 \"Door 01 00\"");
        assert!(find(&[], None).unwrap_err().to_string().contains("none"));
    }
}
