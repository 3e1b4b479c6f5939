//! What an agent asks of a card management system.
//!
//! Promise of whoever implements [`ManagementSystem`]: an update that ends with an error has left card and management
//! system as they were, or so that the next update brings them together; its request is still pending.

use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Missing;
use crate::clock::Time;

/// A card management system, as an agent sees it. Several threads ask at the same time.
pub trait ManagementSystem: Send + Sync {
    /// Which version it is.
    fn version(&self) -> Result<Version, Unreachable>;

    /// Its root certificate, in DER.
    fn root(&self) -> Result<Vec<u8>, Unreachable>;

    /// By what it knows the card in this reader. Nothing if no management system could know such a card, or if it has
    /// been taken out meanwhile.
    fn identify(&self, reader: &str) -> Result<Option<String>, IdentifyError>;

    /// What is pending for a card.
    fn check(&self, card: &str, now: Time) -> Result<Option<PendingNotice>, CheckError>;

    /// Carries out what is pending. Asks `session` between any two commands to the card whether it may go on.
    fn update(&self, order: &Order<'_>, session: &Session) -> Result<Updated, UpdateError>;
}

/// Something that waits to be done to a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingNotice {
    /// What the management system calls the request; one word.
    pub request: String,
    /// What will be done, in words for the holder: "renew the certificate PIV Authentication".
    pub what: String,
}

/// What is to be carried out.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The card is in this reader.
    pub reader: &'a str,
    /// By what the management system knows the card.
    pub card: &'a str,
    /// The request.
    pub request: &'a str,
    /// The holder's PIN, if it was given.
    pub pin: Option<&'a Zeroizing<String>>,
    /// The PIN that the holder chooses, for updates that set one.
    pub new_pin: Option<&'a Zeroizing<String>>,
    /// What time it is.
    pub now: Time,
}

/// What an update did, for the holder: "PIV Authentication: new key and certificate".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updated {
    /// One entry a change.
    pub changes: Vec<String>,
}

/// Whether an update may go on. Clones are of one session.
#[derive(Clone, Debug, Default)]
pub struct Session(Arc<AtomicBool>);

impl Session {
    /// The update is to end as soon as card and management system agree.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it is to end.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The management system does not answer, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// The card is there and cannot be identified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the card cannot be read: {0}")]
pub struct IdentifyError(pub String);

/// Why it is not known what is pending.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// Something that every check needs is missing.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The management system has no such card. An agent says nothing then: cards of other issuers are none of its business.
    #[error(
        "the management system does not know the card {card}; only its own cards are updated: \
         choose the reader with such a card, or have the card issued"
    )]
    UnknownCard {
        /// The card.
        card: String,
    },
    /// The management system refuses.
    #[error("the management system refuses: {0}")]
    Refused(String),
}

impl From<Unreachable> for CheckError {
    fn from(error: Unreachable) -> Self {
        Self::Missing(error.into())
    }
}

/// Why an update was not carried out. The request is still pending.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// Something that every update needs is missing.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The card was taken out.
    #[error("the card was taken out; put it back to finish")]
    CardRemoved,
    /// [`Session::stop`] was called.
    #[error("it was stopped; put the card back in to try again")]
    Stopped,
    /// The card or the management system refuses.
    #[error("{0}")]
    Refused(String),
}

impl From<Unreachable> for UpdateError {
    fn from(error: Unreachable) -> Self {
        Self::Missing(error.into())
    }
}

/// A management system's version: `5.7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// Before the dot.
    pub major: u16,
    /// Behind it.
    pub minor: u16,
}

/// Text that is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a version; write it as MAJOR.MINOR, for example 5.7")]
pub struct VersionError(String);

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let number = |part: &str| {
            let is_plain = part.bytes().all(|byte| byte.is_ascii_digit());
            is_plain.then(|| part.parse().ok()).flatten()
        };
        let parts = text.split_once('.').and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
        let (major, minor) = parts.ok_or_else(|| VersionError(text.to_owned()))?;
        Ok(Self { major, minor })
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number_and_not_by_text() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("5.7") < version("5.10") && version("5.10") < version("10.0"));
        assert_eq!(version("5.07"), version("5.7"));
        assert_eq!(version("6.5").to_string(), "6.5");
        for wrong in ["", "5", "5.", ".7", "5.7.1", "+5.7", "5.-7", "5.70000", "v5.7"] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }
}
