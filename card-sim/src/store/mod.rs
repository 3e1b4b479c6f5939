//! Persistent state: typed records, changed only by transactions.
//!
//! Promise: [`Store::commit`] makes all its updates or none, whatever happens in between. Every change of card state
//! is exactly one commit.
//!
//! [`FlashStore`] (feature `flash`) keeps the state on NOR flash: a microcontroller's own, a host's memory, or a file.

#[cfg(feature = "flash")]
pub mod audit;
#[cfg(feature = "flash")]
mod checksum;
#[cfg(feature = "flash")]
pub mod directory;
#[cfg(feature = "flash")]
pub mod flash;
#[cfg(feature = "flash")]
mod flash_store;
mod record;

#[cfg(feature = "flash")]
pub use flash::{Flash, FlashError, MemoryFlash};
#[cfg(feature = "flash")]
pub use flash_store::{FlashStore, MountError, Reads};
pub use record::Record;

use heapless::VecView;

/// Why the store could not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The new contents do not fit. Nothing has changed.
    Full,
    /// A record is longer than the buffer that it was to be read into.
    BufferTooSmall,
    /// The medium failed, or holds what is not a store. The transaction has been made wholly or not at all.
    Medium,
    /// The flash has been erased as often as it can be. Nothing has changed.
    WornOut,
    /// A transaction names a record twice. Nothing has changed.
    RepeatedRecord,
}

/// One change of a transaction.
#[derive(Clone, Copy)]
pub enum Update<'a> {
    /// Puts these bytes in the record, in place of what it held.
    Write(Record, &'a [u8]),
    /// Removes the record, if it is there.
    Remove(Record),
}

impl Update<'_> {
    /// The record that changes.
    pub fn record(&self) -> Record {
        match *self {
            Self::Write(record, _) | Self::Remove(record) => record,
        }
    }
}

/// Where a card's state lives.
pub trait Store {
    /// Appends the record's bytes to `out`; `false` if there is no such record.
    fn read(&self, record: Record, out: &mut VecView<u8>) -> Result<bool, StoreError>;

    /// Makes all the updates or none of them. Each record is named at most once. The store wipes what it overwrites.
    fn commit(&mut self, updates: &[Update<'_>]) -> Result<(), StoreError>;
}
