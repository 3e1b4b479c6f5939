//! What must be there for a check, and for an update; each item that is missing has a sentence of its own.
//!
//! | item | check | update |
//! |---|---|---|
//! | the smart card service, through which the agent sees cards | needs it | needs it |
//! | a connection to the management system | needs it | needs it |
//! | the management system's version | needs it | needs it |
//! | the management system's root certificate | | needs it |
//! | client control: the administrator allows updates from here | | needs it |

use std::{fs, io, path::PathBuf};

use der::{DecodePem, Encode};
use x509_cert::Certificate;

use super::{ManagementSystem, Settings, Unreachable, Version};
use crate::attach::pcsc::RemoteError;

/// What an agent does with a management system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It asks what is pending.
    Check,
    /// It has that carried out.
    Update,
}

/// Something that must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prerequisite {
    /// The smart card service.
    Component,
    /// A connection to the management system.
    Connection,
    /// The management system's version.
    Version,
    /// The management system's root certificate.
    Root,
    /// The administrator's permission.
    ClientControl,
}

impl Prerequisite {
    /// All, in the order in which they are looked for.
    pub const ALL: [Self; 5] =
        [Self::Component, Self::Connection, Self::Version, Self::Root, Self::ClientControl];

    /// Whether this cannot be done without it.
    pub const fn is_needed_for(self, deed: Deed) -> bool {
        match self {
            Self::Component | Self::Connection | Self::Version => true,
            Self::Root | Self::ClientControl => matches!(deed, Deed::Update),
        }
    }
}

/// What is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Missing {
    /// Cards cannot be seen.
    #[error("the smart card service is missing: {0}")]
    Component(String),
    /// The management system does not answer.
    #[error("no connection to the management system: {0}")]
    Connection(#[from] Unreachable),
    /// The management system is too old.
    #[error(
        "the management system has version {found}, and at least {least} is needed; \
         have it updated, or lower `minimum-version`"
    )]
    Version {
        /// What it has.
        found: Version,
        /// What the settings ask for.
        least: Version,
    },
    /// No root certificate was named.
    #[error(
        "the management system's root certificate is missing, and an update trusts no other; \
         name its PEM file: `root` in the settings, or --root"
    )]
    Root,
    /// What was named cannot be used.
    #[error("the management system's root certificate cannot be used: {}: {problem}", path.display())]
    UnusableRoot {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// It is another one's.
    #[error(
        "{} is not the root certificate of this management system; \
         do not update before you know whether the file or the management system is the wrong one", path.display()
    )]
    ForeignRoot {
        /// The file.
        path: PathBuf,
    },
    /// The administrator does not allow it.
    #[error(
        "client control is missing: updates are not allowed from here (`updates = false` or --no-updates); ask the administrator"
    )]
    ClientControl,
}

impl Missing {
    /// Which item it is.
    pub const fn item(&self) -> Prerequisite {
        match self {
            Self::Component(_) => Prerequisite::Component,
            Self::Connection(_) => Prerequisite::Connection,
            Self::Version { .. } => Prerequisite::Version,
            Self::Root | Self::UnusableRoot { .. } | Self::ForeignRoot { .. } => Prerequisite::Root,
            Self::ClientControl => Prerequisite::ClientControl,
        }
    }
}

impl From<RemoteError> for Missing {
    fn from(error: RemoteError) -> Self {
        Self::Component(error.to_string())
    }
}

/// Looks for all that this deed needs but the smart card service, which whoever found a card has.
pub(super) fn look_for(deed: Deed, settings: &Settings, cms: &dyn ManagementSystem) -> Result<(), Missing> {
    for item in Prerequisite::ALL.into_iter().filter(|item| item.is_needed_for(deed)) {
        match item {
            // Who tells its version is connected: one question for both.
            Prerequisite::Component | Prerequisite::Connection => {}
            Prerequisite::Version => look_for_version(settings, cms)?,
            Prerequisite::Root => look_for_root(settings, cms)?,
            Prerequisite::ClientControl if settings.updates => {}
            Prerequisite::ClientControl => return Err(Missing::ClientControl),
        }
    }
    Ok(())
}

fn look_for_version(settings: &Settings, cms: &dyn ManagementSystem) -> Result<(), Missing> {
    let (found, least) = (cms.version()?, settings.minimum_version);
    if found < least { Err(Missing::Version { found, least }) } else { Ok(()) }
}

fn look_for_root(settings: &Settings, cms: &dyn ManagementSystem) -> Result<(), Missing> {
    let path = settings.root.clone().ok_or(Missing::Root)?;
    let unusable = |problem| Missing::UnusableRoot { path: path.clone(), problem };
    let pem = fs::read(&path).map_err(|error: io::Error| unusable(error.to_string()))?;
    let root = Certificate::from_pem(pem).and_then(|certificate| certificate.to_der());
    let root = root.map_err(|error| unusable(format!("it is no certificate in PEM ({error})")))?;
    if root == cms.root()? { Ok(()) } else { Err(Missing::ForeignRoot { path }) }
}
