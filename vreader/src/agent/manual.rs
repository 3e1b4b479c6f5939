//! The check that a person asks for, of the card in one reader: it asks whatever the interval says, and says in any case what
//! it found.

use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
};

use super::{CheckError, Missing, Office, PendingNotice, Session, Settings, UpdateError, Updated, span};
use crate::attach::pcsc::RemoteReader;

/// A check of one card.
pub struct ManualCheck {
    office: Arc<Office>,
    reader: String,
    card: String,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No update is available.
    NothingPending,
    /// One is.
    Pending(PendingNotice),
}

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManualError {
    /// Something that every check needs is missing.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// No reader has such a name.
    #[error("no reader has \"{wanted}\" in its name; there {there}")]
    NoReader {
        /// What was looked for.
        wanted: String,
        /// The readers that there are.
        there: String,
    },
    /// The reader is empty.
    #[error("no card in reader \"{reader}\"; put the card in, or choose another reader: there {there}")]
    NoCard {
        /// The reader.
        reader: String,
        /// The readers that there are.
        there: String,
    },
    /// There is no card anywhere.
    #[error("no card in reader: there {there}; put the card in")]
    NoCardAnywhere {
        /// The readers that there are.
        there: String,
    },
    /// It is some other card.
    #[error(
        "the card in \"{reader}\" is none that a management system could know, or it was taken out; \
         choose the reader with a PIV card or Common Access Card"
    )]
    OtherCard {
        /// The reader.
        reader: String,
    },
    /// The card cannot be read.
    #[error("{0}")]
    Card(#[from] super::IdentifyError),
    /// The management system takes too long.
    #[error("the management system did not answer within {0}; try again later")]
    TimedOut(String),
    /// The management system refuses.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The update was not carried out.
    #[error("the update failed: {0}; its request stays pending")]
    Update(#[from] UpdateError),
}

/// The full name of the reader with a card that has this in its name; without it, of the first that has a card.
pub fn find_reader(socket: &Path, wanted: Option<&str>) -> Result<String, ManualError> {
    let readers = RemoteReader::list(socket).map_err(Missing::from)?;
    let named = |reader: &&RemoteReader| wanted.is_none_or(|wanted| reader.name.contains(wanted));
    if let Some(reader) = readers.iter().filter(named).find(|reader| !reader.atr.is_empty()) {
        return Ok(reader.name.clone());
    }
    let there = in_words(&readers);
    Err(match (readers.iter().find(named), wanted) {
        (Some(reader), Some(_)) => ManualError::NoCard { reader: reader.name.clone(), there },
        (None, Some(wanted)) => ManualError::NoReader { wanted: wanted.to_owned(), there },
        (_, None) => ManualError::NoCardAnywhere { there },
    })
}

fn in_words(readers: &[RemoteReader]) -> String {
    let one = |reader: &RemoteReader| {
        format!("\"{}\" {}", reader.name, if reader.atr.is_empty() { "(empty)" } else { "(with a card)" })
    };
    let names: Vec<_> = readers.iter().map(one).collect();
    if names.is_empty() { "is no reader".to_owned() } else { format!("is {}", names.join(", ")) }
}

impl ManualCheck {
    /// Finds out which card is in a reader.
    pub fn of(office: Office, reader: &str) -> Result<Self, ManualError> {
        let card = office.cms.identify(reader)?;
        let card = card.ok_or_else(|| ManualError::OtherCard { reader: reader.to_owned() })?;
        Ok(Self { office: Arc::new(office), reader: reader.to_owned(), card })
    }

    /// The card.
    pub fn card(&self) -> &str {
        &self.card
    }

    /// Choices and limits.
    pub fn settings(&self) -> &Settings {
        &self.office.settings
    }

    /// Asks what is pending for it.
    pub fn outcome(&self) -> Result<Outcome, ManualError> {
        let card = self.card.clone();
        let answer = self.begin(move |office| office.check(&card));
        let limit = self.office.settings.check_timeout;
        let answer = answer.recv_timeout(limit).map_err(|_| ManualError::TimedOut(span::in_words(limit)))?;
        Ok(answer?.map_or(Outcome::NothingPending, Outcome::Pending))
    }

    /// Has it carried out. When the limit is reached, the management system is told to end, and has the last word.
    pub fn update(&self, request: &str) -> Result<Updated, ManualError> {
        let session = Session::default();
        let (reader, card, request) = (self.reader.clone(), self.card.clone(), request.to_owned());
        let told = session.clone();
        let outcome = self.begin(move |office| office.update(&reader, &card, &request, &told));
        let ended = match outcome.recv_timeout(self.office.settings.portal_limit) {
            Err(RecvTimeoutError::Timeout) => {
                session.stop();
                outcome.recv().map_err(|_| RecvTimeoutError::Disconnected)
            }
            ended => ended,
        };
        // Its thread has ended without a word: nobody knows how far it came.
        Ok(ended.unwrap_or(Err(UpdateError::Stopped))?)
    }

    /// Begins a job in a thread of its own.
    fn begin<T: Send + 'static>(&self, job: impl FnOnce(&Office) -> T + Send + 'static) -> Receiver<T> {
        let (sender, receiver) = channel();
        let office = Arc::clone(&self.office);
        // Nobody listens when the job took too long.
        thread::spawn(move || sender.send(job(&office)));
        receiver
    }
}
