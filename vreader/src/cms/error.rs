//! Why card management refuses, said so that whoever asked knows what to do next.

use std::io;

use super::{
    database::DatabaseError,
    state::{DeviceState, IllegalTransition, RequestKind},
};
use crate::{
    card_client::{CardIdentity, ClientError},
    clock::Time,
    image::ImageError,
    issue::IssueError,
};

/// Why card management refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CmsError {
    /// The database does not answer.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The card does not do what it was asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A certificate or an object cannot be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// No table has this transition.
    #[error(transparent)]
    Transition(#[from] IllegalTransition),
    /// The clock was set back.
    #[error(
        "the clock says {now}, but the last entry of the audit log is of {last}: the clock was set back; set it right, or give the time with --now"
    )]
    ClockSetBack {
        /// What the clock says.
        now: Time,
        /// The last entry.
        last: Time,
    },
    /// Nobody registered the card.
    #[error(
        "the card {0} is not in the database: it is another issuer's, or was never registered; `vreader cms register` does that"
    )]
    ForeignCard(CardIdentity),
    /// Another card is in the reader.
    #[error("the card in the reader is card {found}, not card {wanted}; put in the right one")]
    WrongCard {
        /// Which card is meant.
        wanted: i64,
        /// Which is there.
        found: i64,
    },
    /// The card is somebody else's.
    #[error("card {card} is {owner}'s, not {wanted}'s; nothing was changed")]
    WrongHolder {
        /// Which card.
        card: i64,
        /// Whose it is.
        owner: String,
        /// Whose it was said to be.
        wanted: String,
    },
    /// There is no such thing.
    #[error("there is no {0} in the database")]
    NotFound(String),
    /// A request is open already.
    #[error("{card} has an open request already: {request}; execute or cancel it first")]
    OpenRequest {
        /// Which card.
        card: String,
        /// Which request.
        request: String,
    },
    /// The card is in no state for such a request.
    #[error("{card} is {state}; a request for {kind} needs a card that is {}", names(kind.states()))]
    NotRequestable {
        /// Which card.
        card: String,
        /// Its state.
        state: DeviceState,
        /// What was requested.
        kind: RequestKind,
    },
    /// Nobody approved the request.
    #[error("{0} waits for approval: `vreader cms approve` does that")]
    NotApproved(String),
    /// The request was begun.
    #[error(
        "{0} was begun already, and the card may be changed: let it come to its end with `vreader cms update`"
    )]
    Begun(String),
    /// The request is over.
    #[error("{request} expired on {expired}, and it is {now}; make a new one")]
    RequestExpired {
        /// Which request.
        request: String,
        /// Its last second.
        expired: Time,
        /// What time it is.
        now: Time,
    },
    /// There is nothing to do.
    #[error("no update is pending for {0}")]
    NothingPending(String),
    /// The card is expired.
    #[error("{card} expired on {expired}; only a replacement helps")]
    CardExpired {
        /// Which card.
        card: String,
        /// Its last day.
        expired: String,
    },
    /// Somebody else works on the card.
    #[error("{card} is being worked on by {by}; wait until that is done")]
    CardInUse {
        /// Which card.
        card: String,
        /// Who.
        by: String,
    },
    /// The card's lock cannot be taken.
    #[error(transparent)]
    Lock(ImageError),
    /// An authority is missing, or has no key here.
    #[error(
        "the authority '{0}' is not here, or its private key is not: it cannot sign; restore the database from a copy that has it"
    )]
    MissingAuthority(String),
    /// An authority was revoked.
    #[error("the authority '{0}' was revoked; it signs nothing any more")]
    RevokedAuthority(String),
    /// An authority is not valid on this day.
    #[error("the certificate of the authority '{name}' is not valid on {day}")]
    AuthorityNotValid {
        /// Which one.
        name: String,
        /// The day.
        day: String,
    },
    /// A key of key management that nobody kept.
    #[error(
        "the private key of the encryption certificate {serial} was never kept here: if it were replaced, mail that was encrypted for it could never be read again; --lose-old-key does it nevertheless"
    )]
    NotEscrowed {
        /// Serial number of the certificate.
        serial: String,
    },
    /// The Key History is full.
    #[error("the card has no room for another retired key: it has 20 already")]
    HistoryFull,
    /// The stock takes no keys that were made elsewhere.
    #[error(
        "this card stock takes no key that was made elsewhere, so that an encryption key could not be recovered; `issue --no-recovery` and `renew --lose-old-key` make it on the card"
    )]
    NoImport,
    /// There is no credential in this slot.
    #[error("{card} has no credential in {slot:02X}")]
    NoCredential {
        /// Which card.
        card: String,
        /// Key reference.
        slot: u8,
    },
    /// There is a credential in this slot.
    #[error("{card} has a credential in {slot:02X} already; renew it, or remove it first")]
    CredentialExists {
        /// Which card.
        card: String,
        /// Key reference.
        slot: u8,
    },
    /// The PIN has to be given.
    #[error("this needs a PIN: give the card's, or the one that its holder chooses, with --pin or --new-pin")]
    PinNeeded,
    /// A new PIN has to be chosen.
    #[error(
        "the card has a temporary PIN, which has to be changed before anything else; choose one with `vreader cms unlock --new-pin`"
    )]
    NewPinNeeded,
    /// The PIN has not the right form.
    #[error("a PIN has 6 to 8 digits; the card was not asked")]
    MalformedPin,
    /// The key in a slot is not the one that was made for it.
    #[error(
        "the key in {0:02X} is not the one of its new certificate: somebody else changed the card meanwhile; run the update again"
    )]
    KeyMismatch(u8),
    /// The certificate may not be used to sign in here.
    #[error("{0}")]
    Login(String),
    /// The card needs no activation, or cannot be activated.
    #[error("{0}")]
    Activation(String),
    /// The card does not have the feature that is asked for.
    #[error("{0}")]
    Unsupported(String),
    /// The card has no unlock code that is known here.
    #[error("no unlock code (PUK) of {0} is known; use challenge and response")]
    NoUnlockCode(String),
    /// The challenge is none.
    #[error(
        "the challenge has {found} bytes, and this card's has {wanted}; read it from `vreader card unlock --challenge`"
    )]
    Challenge {
        /// What was given.
        found: usize,
        /// What the card's key takes.
        wanted: usize,
    },
    /// A file cannot be written or read.
    #[error("{action}: {source}")]
    File {
        /// What was tried.
        action: String,
        /// What the system says.
        source: io::Error,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness: {0}")]
    Random(#[from] getrandom::Error),
}

impl From<rusqlite::Error> for CmsError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

fn names(states: &[DeviceState]) -> String {
    states.iter().map(|state| state.name()).collect::<Vec<_>>().join(" or ")
}
