//! Why a folder gives no card.

use std::{io, path::PathBuf};

use super::pkcs12::Pkcs12Error;
use crate::issue::IssueError;

/// Why a folder gives no card. No card file has been made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file or the folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no file of a card.
    #[error(
        "{} holds no file of a card; such files are called `8 - CHUID Object` or `3 - NAME.p12`, as in the GSA ICAM set",
        folder.display()
    )]
    NothingFound {
        /// Which folder.
        folder: PathBuf,
    },
    /// A file is longer than anything that goes on a card.
    #[error("{} has more than the {limit} bytes that fit on a card in one piece; it is no file of a card", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// The most that is read.
        limit: usize,
    },
    /// A Discovery Object without its tag, cut short, or with something behind it.
    #[error(
        "{} is no Discovery Object: that is one element with tag 7E, and this file has another tag or another length; \
         restore it, or remove it for a card without one",
        path.display()
    )]
    Discovery {
        /// Which file.
        path: PathBuf,
    },
    /// A file `.crt` without a certificate.
    #[error("{} holds no certificate in PEM or DER; restore it, or remove it if the .p12 holds the certificate", path.display())]
    Certificate {
        /// Which file.
        path: PathBuf,
    },
    /// A PKCS #12 file that another password opens, or that has changed.
    #[error("the password does not open {}, or the file is damaged; give the right one (those of the GSA ICAM set are empty)", path.display())]
    Password {
        /// Which file.
        path: PathBuf,
    },
    /// A file that is no PKCS #12 file, or a damaged one.
    #[error("{} is no PKCS #12 file, or a damaged one ({source}); restore it, or remove it for a card without this key", path.display())]
    KeyFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: Pkcs12Error,
    },
    /// The PIN or the PUK has a wrong form.
    #[error(transparent)]
    Secret(#[from] IssueError),
}

impl ImportError {
    pub(super) fn of(error: Pkcs12Error, path: PathBuf) -> Self {
        match error {
            Pkcs12Error::Password => Self::Password { path },
            source => Self::KeyFile { path, source },
        }
    }
}
