//! Issuing many cards: each goes through a reader of a private world, and is issued over PC/SC like any other, several at a time.
//!
//! Each card has a file of its own, `0001.card` and so on, and its holder a name with that number. The batch's progress is in the database and
//! in the folder: interrupted at any moment and run again, it goes on where it was. A card whose file is there but was not registered is
//! registered; one that was begun is brought to its end; one that is issued is left alone.

use std::{
    path::Path,
    sync::{
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use card_sim::profile::PIV;

use super::{IssueOptions, UpdateOptions};
use crate::{
    attach::pcsc::{RemoteCard, RemoteError},
    card_client::{CardIdentity, ClientError, Line, LinkError},
    cms::{Access, Cms, CmsError, database::CardRow, state::DeviceState},
    emulated::EmulatedCard,
    image::FlashSize,
    issue::blank::blank,
    reader::{Disposition, ReaderSettings},
    run::{DEFAULT_READER, World, WorldSettings},
};

/// A batch.
pub struct Batch<'a> {
    /// Where the card files are.
    pub folder: &'a Path,
    /// How many cards.
    pub count: u32,
    /// What the holders' names begin with.
    pub names: &'a str,
    /// The PIN of every card.
    pub pin: &'a str,
    /// Choices of issuance.
    pub options: IssueOptions,
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Cards that were issued by this run.
    pub issued: u32,
    /// Cards that were issued before.
    pub found: u32,
    /// All of them.
    pub count: u32,
}

/// Cards that are written at the same time: most of the time goes into waiting for the disk.
const AT_ONCE: usize = 4;

/// How long one of them waits until another has written to the database.
const PATIENCE: Duration = Duration::from_secs(30);

impl Cms {
    /// Issues a batch. `tell` hears of each card; where it answers `false`, the batch stops after the cards that are being written.
    pub fn issue_batch(
        &mut self,
        batch: &Batch<'_>,
        tell: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Progress, CmsError> {
        self.audited("batch", None, |cms| {
            let world = World::with(&WorldSettings::default()).map_err(|error| unsupported(&error))?;
            let progress = cms.at_once(batch, &world, tell)?;
            let detail =
                format!("{} issued, {} found, of {}", progress.issued, progress.found, progress.count);
            cms.note("batch", None, &detail)?;
            Ok(progress)
        })
    }

    /// Several threads, each with a reader and a connection to the database of its own, take one card after the other.
    fn at_once(
        &self,
        batch: &Batch<'_>,
        world: &World,
        tell: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Progress, CmsError> {
        let (next, stop) = (AtomicU32::new(1), AtomicBool::new(false));
        let (done, results) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                let done = done.clone();
                let (path, clock, operator) = (self.database.path(), self.clock, &self.operator);
                let (next, stop) = (&next, &stop);
                scope.spawn(move || {
                    let work = || {
                        let mut cms = Self::open(path, clock, operator, PATIENCE)?;
                        let settings = ReaderSettings::new(DEFAULT_READER);
                        let reader =
                            world.readers().add(settings, None).map_err(|error| unsupported(&error))?;
                        loop {
                            let number = next.fetch_add(1, Ordering::Relaxed);
                            if number > batch.count || stop.load(Ordering::Relaxed) {
                                return Ok(());
                            }
                            // Nobody listens any more after an error.
                            let _ = done.send(cms.issue_number(batch, (world, &reader), number));
                        }
                    };
                    if let Err(error) = work() {
                        let _ = done.send(Err(error));
                    }
                });
            }
            drop(done);
            let mut progress = Progress { count: batch.count, ..Progress::default() };
            let mut failed = None;
            for result in results {
                match result {
                    Ok(true) => progress.issued += 1,
                    Ok(false) => progress.found += 1,
                    Err(error) => failed = failed.or(Some(error)),
                }
                if failed.is_some() || !tell(progress) {
                    stop.store(true, Ordering::Relaxed);
                }
            }
            failed.map_or(Ok(progress), Err)
        })
    }

    fn issue_number(&mut self, batch: &Batch<'_>, at: (&World, &str), number: u32) -> Result<bool, CmsError> {
        let name = format!("{} {number:04}", batch.names);
        self.issue_one(batch, at, &name, &batch.folder.join(format!("{number:04}.card")))
    }

    /// Issues one card; tells whether it was not issued yet.
    fn issue_one(
        &mut self,
        batch: &Batch<'_>,
        (world, reader): (&World, &str),
        name: &str,
        path: &Path,
    ) -> Result<bool, CmsError> {
        let file = card_in(path)?;
        world.readers().swap(reader, Box::new(file)).map_err(|error| unsupported(&error))?;
        let mut card = RemoteCard::connect(world.socket(), reader).map_err(lost)?;
        let mut transaction = card.transaction(Disposition::Reset).map_err(lost)?;
        let identity = CardIdentity::read(&mut Line::remote(&mut transaction))?;
        let known = self.database.read(|connection| CardRow::by_identity(connection, &identity))?;
        let row = if let Some(row) = known {
            row
        } else {
            let blank = blank(&PIV, None)?;
            self.register(&mut Line::remote(&mut transaction), &blank.management_key, Some(&blank.puk))?
        };
        if row.state == DeviceState::Issued {
            return Ok(false);
        }
        if row.state == DeviceState::Available {
            let holder = match self.holder(name) {
                Ok(holder) => holder,
                Err(CmsError::NotFound(_)) => self.add_holder(Some(name), None)?,
                Err(other) => return Err(other),
            };
            self.assign(row.id, &holder.id.to_string())?;
        }
        let access = Access::new(Some(batch.pin), None)?;
        let options = UpdateOptions { issue: batch.options.clone(), ..UpdateOptions::default() };
        self.issue(&mut Line::remote(&mut transaction), &access, &options)?;
        Ok(true)
    }
}

/// The card in a file; a blank one in a new file, if there is none.
fn card_in(path: &Path) -> Result<EmulatedCard, CmsError> {
    let card = if path.exists() {
        EmulatedCard::open(path)
    } else {
        let blank = blank(&PIV, None)?;
        EmulatedCard::create(path, FlashSize::DEFAULT, &PIV, PIV.default_tries, &blank)
    };
    card.map_err(|error| unsupported(&error))
}

fn lost(error: RemoteError) -> CmsError {
    ClientError::from(LinkError::from(error)).into()
}

fn unsupported(error: &dyn std::error::Error) -> CmsError {
    CmsError::Unsupported(error.to_string())
}
