//! Card files: create, lock, open, save.
//!
//! A card file is the card's store with a header and a checksum ([`mod@format`]). Promise: the file on disk is always
//! whole, the state before a command or the state after it; each transaction of the card is on disk before the
//! command that made it is answered ([`FileStore`]). One process at a time holds a card file, and others are told
//! which ([`CardLock`]).

mod contents;
mod file_store;
pub mod format;
mod lock;

use std::{io, path::PathBuf};

pub use contents::contents;
pub use file_store::FileStore;
pub use format::FormatError;
pub use lock::{CardLock, Holder};

/// Size of a card's memory in bytes, as on a card with 144 KB.
pub const MEMORY_SIZE: usize = 144 * 1024;

/// What [`ImageError::Io`] calls the reading of a card file.
const READ: &str = "read the card file";

/// Why a card file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// There is no such file.
    #[error("there is no card file {}; make one with `vreader card new {}`", path.display(), path.display())]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// A system call failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a card file that this version reads. It has been left as it is.
    #[error("{}: {source}", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: FormatError,
    },
    /// Another process holds the file.
    #[error("{} is in use by {holder}; stop that program or use another card file", path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
        /// Who holds it.
        holder: Holder,
    },
    /// There is a file already, and a new card would replace it.
    #[error("{} exists already; choose another name, or remove it first", path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
}

impl ImageError {
    fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::NotFound if action == READ => Self::Missing { path },
            _ => Self::Io { action, path, source },
        }
    }
}
