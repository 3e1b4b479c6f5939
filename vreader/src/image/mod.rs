//! Card files: create, lock, open, repair, convert.
//!
//! A card file is the card's flash, byte for byte ([`mod@format`]), changed in place. Promise: killing the process at any
//! moment leaves a card in the state before a command or after it; each change is in the file, and by default on the
//! disk, before the command that made it is answered ([`FileStore`], [`Durability`]). A file that cannot be used is told
//! apart and left as it is. One process at a time holds a card file, and others are told which ([`CardLock`]). The power of a
//! card can be made to fail in the middle of a write ([`PowerCut`]).

mod contents;
mod file_store;
mod flash_file;
pub mod format;
mod lock;
mod power_cut;
mod version_1;

use std::{fmt, io, path::PathBuf, str::FromStr};

use card_sim::store::{
    FlashStore, MemoryFlash, Reads,
    flash::{PAGE_SIZE, PAGES},
};

pub use contents::contents;
pub use file_store::FileStore;
pub use flash_file::Durability;
pub use format::FormatError;
pub use lock::{CardLock, Holder};
pub use power_cut::{PowerCut, Tear, TearingStore};

/// Size of a card's flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashSize {
    pages: usize,
}

impl FlashSize {
    /// 144 KiB, a usual size of a card's memory.
    pub const DEFAULT: Self = Self { pages: 36 };

    /// 256 KiB.
    pub const LARGEST: Self = Self { pages: *PAGES.end() };

    /// So many pages of 4 KiB, if a store can use them.
    pub fn from_pages(pages: usize) -> Option<Self> {
        PAGES.contains(&pages).then_some(Self { pages })
    }

    /// Pages of 4 KiB.
    pub const fn pages(self) -> usize {
        self.pages
    }

    /// An empty store on a flash of this size, in memory.
    #[expect(clippy::missing_panics_doc, reason = "it does not")]
    pub fn blank_store(self) -> FlashStore<MemoryFlash> {
        // A size is one that a store can use, and memory does not fail.
        FlashStore::format(MemoryFlash::blank(self.pages), Reads::Memory)
            .expect("a blank flash can be formatted")
    }
}

impl fmt::Display for FlashSize {
    /// In KiB, as [`FromStr`] takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pages * PAGE_SIZE / 1024)
    }
}

impl FromStr for FlashSize {
    type Err = &'static str;

    fn from_str(kibibytes: &str) -> Result<Self, Self::Err> {
        let size = kibibytes.parse().ok().filter(|size: &usize| size.is_multiple_of(4));
        size.and_then(|size| Self::from_pages(size / 4)).ok_or("a flash has 12 to 256 KiB, in steps of 4")
    }
}

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
    /// A file of version 1 was to be converted, and the name of the copy is taken.
    #[error(
        "{} is of version 1 and would be converted, keeping the old file as {}, which exists already; \
         move that away. Nothing was changed",
        path.display(),
        copy.display()
    )]
    CopyExists {
        /// Which file.
        path: PathBuf,
        /// The name that is taken.
        copy: PathBuf,
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
