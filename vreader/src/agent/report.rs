//! What an agent says: a line for people, or a line of JSON.

use std::{fmt, time::Duration};

use serde::{Serialize, Serializer};

use super::span;

/// Something that people are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Report {
    /// A request is pending for a card: proceed, or dismiss?
    Notice {
        /// The card is in this reader.
        reader: String,
        /// By what the management system knows it.
        card: String,
        /// The request.
        request: String,
        /// What will be done.
        what: String,
        /// How long it stays.
        #[serde(serialize_with = "seconds")]
        stays: Duration,
    },
    /// The same in a manual check: OK, or Cancel?
    Offer {
        /// The card is in this reader.
        reader: String,
        /// By what the management system knows it.
        card: String,
        /// The request.
        request: String,
        /// What will be done.
        what: String,
    },
    /// Nothing is pending for a card; only a manual check says so.
    NothingPending {
        /// The card is in this reader.
        reader: String,
        /// By what the management system knows it.
        card: String,
    },
    /// A notice is gone; its request stays pending.
    Withdrawn {
        /// The reader.
        reader: String,
        /// The request.
        request: String,
        /// Why.
        reason: Withdrawal,
    },
    /// An update begins; the card must stay where it is.
    UpdateStarted {
        /// The reader.
        reader: String,
        /// The request.
        request: String,
        /// How long it may take.
        #[serde(serialize_with = "seconds")]
        limit: Duration,
    },
    /// An update is done. What is new counts when the card was taken out and put back.
    Updated {
        /// The reader.
        reader: String,
        /// The request.
        request: String,
        /// What it did.
        changes: Vec<String>,
    },
    /// An update was not done; its request stays pending.
    UpdateFailed {
        /// The reader.
        reader: String,
        /// The request.
        request: String,
        /// Why.
        reason: String,
    },
    /// An update takes longer than it may, and is told to end.
    LimitReached {
        /// The reader.
        reader: String,
        /// The request.
        request: String,
        /// How long it might take.
        #[serde(serialize_with = "seconds")]
        limit: Duration,
    },
    /// The card of an update was taken out.
    RemovedDuringUpdate {
        /// The reader.
        reader: String,
        /// The request.
        request: String,
    },
    /// It is not known whether anything is pending for a card.
    CheckFailed {
        /// The reader.
        reader: String,
        /// Why.
        reason: String,
    },
    /// Somebody answered, and nothing was asked.
    NothingToAnswer,
    /// Somebody answered something else than was asked for.
    NotUnderstood {
        /// What.
        answer: String,
    },
    /// What must not be forgotten cannot be written down.
    MemoryFailed {
        /// Why.
        reason: String,
    },
}

/// Why a notice is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Withdrawal {
    /// The holder dismissed it.
    Dismissed,
    /// Nobody answered.
    Unanswered,
    /// The card was taken out.
    CardRemoved,
    /// The agent ends.
    AgentEnds,
}

fn seconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(span.as_secs())
}

impl Report {
    /// Whether it tells of something that went wrong.
    pub const fn is_complaint(&self) -> bool {
        matches!(
            self,
            Self::UpdateFailed { .. }
                | Self::LimitReached { .. }
                | Self::RemovedDuringUpdate { .. }
                | Self::CheckFailed { .. }
                | Self::NothingToAnswer
                | Self::NotUnderstood { .. }
                | Self::MemoryFailed { .. }
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Notice { reader, card, request, what, stays } => write!(
                f,
                "An update is pending for the card {card} in \"{reader}\": {what} (request {request}). \
                 Type proceed or dismiss within {}.",
                span::in_words(*stays)
            ),
            Self::Offer { reader, card, request, what } => write!(
                f,
                "An update is available for the card {card} in \"{reader}\": {what} (request {request}). OK or Cancel?"
            ),
            Self::NothingPending { reader, card } => {
                write!(f, "No update is available for the card {card} in \"{reader}\".")
            }
            Self::Withdrawn { reader, request, reason } => {
                write!(f, "\"{reader}\": {reason}; request {request} stays pending.")
            }
            Self::UpdateStarted { reader, request, limit } => write!(
                f,
                "\"{reader}\": updating (request {request}, at most {}); do not remove the card.",
                span::in_words(*limit)
            ),
            Self::Updated { reader, changes, .. } => {
                write!(f, "\"{reader}\": updated: {}. ", changes.join("; "))?;
                f.write_str(REINSERT)
            }
            Self::UpdateFailed { reader, request, reason } => {
                write!(f, "\"{reader}\": the update failed: {reason}. Request {request} stays pending.")
            }
            Self::LimitReached { reader, request, limit } => write!(
                f,
                "\"{reader}\": the update takes longer than {} and is stopped (request {request}).",
                span::in_words(*limit)
            ),
            Self::RemovedDuringUpdate { reader, request } => write!(
                f,
                "\"{reader}\": the card was taken out during its update (request {request}); put it back to finish."
            ),
            Self::CheckFailed { reader, reason } => {
                write!(f, "\"{reader}\": cannot check for updates: {reason}.")
            }
            Self::NothingToAnswer => f.write_str("No such notice waits for an answer."),
            Self::NotUnderstood { answer } => {
                write!(f, "\"{answer}\" is no answer; type proceed (or p, ok) or dismiss (or d, cancel).")
            }
            Self::MemoryFailed { reason } => {
                write!(f, "{reason}; the card will be asked about again sooner than it had to be.")
            }
        }
    }
}

/// What a holder has to do after an update.
const REINSERT: &str = "Remove and reinsert the card: what is new counts from then on.";

impl fmt::Display for Withdrawal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dismissed => "the notice was dismissed",
            Self::Unanswered => "nobody answered the notice",
            Self::CardRemoved => "the card was taken out and its notice with it",
            Self::AgentEnds => "the agent ends",
        })
    }
}
