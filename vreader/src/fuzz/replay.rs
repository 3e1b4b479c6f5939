//! Plays commands to a card that begins anew with each file, and counts what comes of them.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use apdu::{Response, Status};
use card_sim::{
    crypto::Crypto,
    key::{self, KeyReference},
    platform::{Parts, Platform},
    reference::LENGTH,
    store::{FlashStore, MemoryFlash, Reads, StoreError},
};
use zeroize::Zeroizing;

use super::{Finding, Guard};
use crate::{
    emulated::{CardStore, EmulatedCard, EmulatedError},
    image::FileStore,
    reader::{InsertedCard, Interface},
    run::{CardError, CardSource},
};

/// The card that every file begins with.
pub struct Start {
    flash: Zeroizing<Vec<u8>>,
    /// What it draws at random is the same for every file.
    seed: u64,
    pin: Option<Zeroizing<[u8; LENGTH]>>,
    administrator: bool,
}

/// Why there is no such card.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The card does not take the PIN.
    #[error("the card does not take this PIN: {0}")]
    Pin(Status),
    /// The card management key proves nothing.
    #[error("the card does not take its own management key: {0}")]
    Administrator(Status),
}

impl From<EmulatedError> for StartError {
    fn from(error: EmulatedError) -> Self {
        Self::Card(error.into())
    }
}

impl Start {
    /// A copy of the card in a file, which is not written to, or a new card; with the PIN verified and the card management
    /// key authenticated, as is asked for.
    pub fn new(
        source: &CardSource,
        seed: u64,
        pin: Option<Zeroizing<[u8; LENGTH]>>,
        administrator: bool,
    ) -> Result<Self, StartError> {
        let flash = match source {
            CardSource::File(path) => FileStore::peek(path).map_err(EmulatedError::from)?.image(),
            CardSource::Profile(_) => match &mut source.open(Some(seed))?.card().platform().parts().store {
                CardStore::Memory(store) => store.image(),
                // A card of a profile is made in memory.
                _ => Err(StoreError::Medium),
            },
        };
        let flash = flash.map_err(EmulatedError::Memory)?;
        let start = Self { flash, seed, pin, administrator };
        // Once, so that what cannot be is told before it is tried with every file.
        start.card()?;
        Ok(start)
    }

    /// The card, with power and with the proofs.
    fn card(&self) -> Result<EmulatedCard, StartError> {
        let flash = MemoryFlash::from_image(&self.flash);
        let store = FlashStore::open(flash, Reads::Memory);
        let store = store.map_err(|_| EmulatedError::Memory(StoreError::Medium))?;
        let mut card = EmulatedCard::with_store(store)?;
        card.seed(self.seed);
        card.power_on(Interface::Contact);
        if let Some(pin) = &self.pin {
            let command = Zeroizing::new([&[0x00, 0x20, 0x00, 0x80, 0x08], &pin[..]].concat());
            successful(&mut card, &command).map_err(StartError::Pin)?;
        }
        if self.administrator {
            authenticate(&mut card).map_err(StartError::Administrator)?;
        }
        Ok(card)
    }
}

/// The data of an answer, or the status word if it is not success.
fn successful(card: &mut EmulatedCard, command: &[u8]) -> Result<Vec<u8>, Status> {
    let answer = card.transmit(command);
    let response = Response::parse(&answer).ok_or(Status::NoDiagnosis)?;
    if response.status == Status::Ok { Ok(response.data.to_vec()) } else { Err(response.status) }
}

/// External authentication with the card's own management key (SP 800-73-5 part 2, appendix A).
fn authenticate(card: &mut EmulatedCard) -> Result<(), Status> {
    let Parts { store, .. } = card.card().platform().parts();
    let key = key::load_symmetric(store, KeyReference::CardManagement).ok().flatten();
    let key = key.ok_or(Status::ReferenceNotFound)?;
    let header = [0x00, 0x87, key.algorithm().id(), 0x9B];
    let question = successful(card, &[&header[..], &[0x04, 0x7C, 0x02, 0x81, 0x00, 0x00]].concat())?;
    // 7C, 81, each with a length of one byte.
    let mut block = question.get(4..).unwrap_or_default().to_vec();
    let crypto = &mut card.card().platform().parts().crypto;
    crypto.encrypt_block(&key, &mut block).map_err(|_| Status::NoDiagnosis)?;
    let length = u8::try_from(block.len()).map_err(|_| Status::WrongLength)?;
    let template = [0x7C, length + 2, 0x82, length];
    successful(card, &[&header[..], &[length + 4], &template, &block].concat()).map(drop)
}

/// What was played, and what came of it.
#[derive(Debug, Default, serde::Serialize)]
pub struct Tally {
    /// Files that were played.
    pub files: u64,
    /// Commands that the card was sent.
    pub commands: u64,
    /// How often it answered with which status word, in hex.
    pub status_words: BTreeMap<String, u64>,
    /// What must not happen.
    pub findings: Vec<Found>,
    /// Time that the card took.
    #[serde(skip)]
    pub time: Duration,
}

/// A finding, with its place.
#[derive(Debug, serde::Serialize)]
pub struct Found {
    /// The file.
    pub file: String,
    /// Which of its commands, from 1.
    pub command: usize,
    /// The command's first four bytes in hex; what follows them may be a PIN.
    pub header: String,
    /// What was found.
    pub finding: String,
}

impl Tally {
    /// Commands in a second of the card's time.
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub fn commands_per_second(&self) -> f64 {
        self.commands as f64 / self.time.as_secs_f64().max(1e-9)
    }

    /// Plays the commands of a file, up to the first finding.
    ///
    /// # Errors
    /// The card that was there when `start` was made is not there any more.
    pub fn play(&mut self, start: &Start, file: &str, commands: &[Vec<u8>]) -> Result<(), StartError> {
        let mut card = start.card()?;
        let mut guard = Guard::new(&card.card().platform().parts().store);
        self.files += 1;
        let begin = Instant::now();
        for (number, command) in (1..).zip(commands) {
            self.commands += 1;
            if let Err(finding) = self.exchange(&mut card, &mut guard, command) {
                let header = command.get(..4).unwrap_or(command);
                self.findings.push(Found {
                    file: file.to_owned(),
                    command: number,
                    header: hex::encode_upper(header),
                    finding: finding.to_string(),
                });
                break;
            }
        }
        self.time += begin.elapsed();
        Ok(())
    }

    fn exchange(
        &mut self,
        card: &mut EmulatedCard,
        guard: &mut Guard,
        command: &[u8],
    ) -> Result<(), Finding> {
        let answer = answer(card, command)?;
        let status = answer.last_chunk::<2>().map(hex::encode_upper).unwrap_or_default();
        *self.status_words.entry(status).or_default() += 1;
        guard.judge(&card.card().platform().parts().store, command, &answer)
    }
}

/// The card's answer, unless it panics; then it must not be used again.
fn answer(card: &mut impl InsertedCard, command: &[u8]) -> Result<Vec<u8>, Finding> {
    catch_unwind(AssertUnwindSafe(|| card.transmit(command))).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Finding::Panic(text.unwrap_or_else(|| "without a message".to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use card_sim::{
        profile::PIV,
        reference::{Reference, pad_pin},
        store::{Record, Store, Update},
    };

    use super::*;

    fn start(pin: Option<&str>, administrator: bool) -> Result<Start, StartError> {
        Start::new(&CardSource::Profile(&PIV), 1, pin.and_then(pad_pin), administrator)
    }

    fn counts(tally: &Tally) -> Vec<(&str, u64)> {
        tally.status_words.iter().map(|(word, count)| (word.as_str(), *count)).collect()
    }

    #[test]
    fn each_file_begins_with_the_same_card() {
        let wrong = b"\x00\x20\x00\x80\x08000000\xFF\xFF".to_vec();
        let start = start(None, false).unwrap();
        let mut tally = Tally::default();
        for file in ["a", "b"] {
            tally.play(&start, file, &vec![wrong.clone(); 4]).unwrap();
        }
        assert_eq!(counts(&tally), [("63C0", 2), ("63C1", 2), ("63C2", 2), ("6983", 2)]);
        assert_eq!((tally.files, tally.commands, tally.findings.len()), (2, 8, 0));
    }

    #[test]
    fn proofs_are_there_if_they_are_asked_for() {
        let read = hex::decode("00CB3FFF055C035FC10900").unwrap();
        let write = hex::decode("00DB3FFF0100").unwrap();
        let play = |pin, administrator| {
            let mut tally = Tally::default();
            let start = start(pin, administrator).unwrap();
            tally.play(&start, "file", &[read.clone(), write.clone()]).unwrap();
            assert!(tally.findings.is_empty());
            tally.status_words.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(play(None, false), ["6982"]);
        assert_eq!(play(Some("123456"), false), ["6982", "9000"]);
        assert_eq!(play(None, true), ["6982", "6A80"]);
        let error = start(Some("999999"), false).err().unwrap().to_string();
        assert!(error.contains("63C2"), "{error}");
    }

    #[test]
    fn a_card_that_does_what_it_must_not_is_found_with_its_place() {
        let start = start(None, false).unwrap();
        let mut card = start.card().unwrap();
        let store = &mut card.card().platform().parts().store;
        let mut guard = Guard::new(store);
        // Tries come back behind the card's own back.
        let update = [Update::Write(Record::RetryCounter(Reference::PivPin), &[9])];
        store.commit(&update).unwrap();
        let mut tally = Tally::default();
        let finding = tally.exchange(&mut card, &mut guard, &[0x00, 0x20, 0x00, 0x80]).unwrap_err();
        assert_eq!(finding, Finding::Regained { reference: Reference::PivPin, before: 3, after: 9 });
    }

    /// A card with a fault.
    struct Fragile;

    impl InsertedCard for Fragile {
        fn atr(&self) -> &[u8] {
            &[]
        }

        fn power_on(&mut self, _: Interface) {}

        fn power_off(&mut self) {}

        fn reset(&mut self) {}

        fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
            assert_ne!(command[1], 0xA4, "instruction A4");
            vec![0x90, 0x00]
        }
    }

    #[test]
    fn a_panic_is_a_finding() {
        let answer = |command: &[u8]| answer(&mut Fragile, command);
        assert_eq!(answer(&[0x00, 0x20]), Ok(vec![0x90, 0x00]));
        for (command, words) in [(&[0x00, 0xA4][..], "instruction A4"), (&[], "index out of bounds")] {
            let finding = answer(command).unwrap_err().to_string();
            assert!(finding.starts_with("the card panicked: ") && finding.contains(words), "{finding}");
        }
    }
}
