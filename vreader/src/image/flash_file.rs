//! A flash in a file.
//!
//! Every write goes through to the file, in place, before it is seen by the card. A process that is killed leaves what it
//! had written, as a flash whose power was cut, and a store loses nothing by that.
//!
//! A machine that stops is another matter: the system may have written pages in any order. Under
//! [`Durability::Machine`] no two pages of the file hold unsynced changes at once, so that the disk sees the writes in the
//! order in which the card made them. This relies on disk and file system to write 4 KiB at an offset that is a multiple
//! of it in one piece.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use card_sim::store::{
    Flash, FlashError,
    flash::{PAGE_SIZE, page_range},
};
use zeroize::Zeroizing;

/// What a reported change survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// The machine may stop at any moment: a change is synced before the card answers.
    #[default]
    Machine,
    /// The process may be killed at any moment: a change is in the system's hands before the card answers.
    Process,
}

/// A flash in memory and in a file, which are the same.
pub(super) struct FlashFile {
    memory: Zeroizing<Vec<u8>>,
    disk: Arc<Disk>,
}

/// The file, and which page of it has to be synced.
pub(super) struct Disk {
    file: File,
    durability: Durability,
    unsynced: AtomicUsize,
}

/// No page is unsynced.
const NONE: usize = usize::MAX;

impl FlashFile {
    /// The flash whose contents, which are `memory`, lie in `file`. The other half is for syncing what it writes.
    pub(super) fn new(file: File, memory: Zeroizing<Vec<u8>>, durability: Durability) -> (Self, Arc<Disk>) {
        let disk = Arc::new(Disk { file, durability, unsynced: AtomicUsize::new(NONE) });
        (Self { memory, disk: Arc::clone(&disk) }, disk)
    }

    /// Puts `bytes` in the file at `offset`, all in one page, and then in memory.
    fn put(&mut self, offset: usize, bytes: &[u8]) -> Result<(), FlashError> {
        let page = offset / PAGE_SIZE;
        let written = self.disk.write(page, offset, bytes);
        let cells = self.memory.get_mut(offset..offset + bytes.len()).ok_or(FlashError)?;
        if let Err(error) = written {
            tracing::error!(%error, "the card file cannot be written");
            // Some of it may have been: what counts is what the file holds.
            let _ = self.disk.file.read_exact_at(cells, offset as u64);
            return Err(FlashError);
        }
        cells.copy_from_slice(bytes);
        Ok(())
    }
}

impl Disk {
    fn write(&self, page: usize, offset: usize, bytes: &[u8]) -> std::io::Result<()> {
        if self.unsynced.load(Ordering::Relaxed) != page {
            self.sync()?;
        }
        self.unsynced.store(page, Ordering::Relaxed);
        self.file.write_all_at(bytes, offset as u64)
    }

    /// Everything that was written is on the disk, if that is asked for.
    pub(super) fn sync(&self) -> std::io::Result<()> {
        if self.durability == Durability::Machine && self.unsynced.load(Ordering::Relaxed) != NONE {
            self.file.sync_data()?;
        }
        self.unsynced.store(NONE, Ordering::Relaxed);
        Ok(())
    }
}

impl Flash for FlashFile {
    fn bytes(&self) -> &[u8] {
        &self.memory
    }

    fn write(&mut self, offset: usize, words: &[u8]) -> Result<(), FlashError> {
        let cells = self.memory.get(offset..offset + words.len()).ok_or(FlashError)?;
        let bytes: Zeroizing<Vec<u8>> =
            Zeroizing::new(cells.iter().zip(words).map(|(cell, byte)| cell & byte).collect());
        self.put(offset, &bytes)
    }

    fn erase(&mut self, page: usize) -> Result<(), FlashError> {
        self.put(page_range(page).start, &[0xFF; PAGE_SIZE])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_page_at_a_time_is_unsynced() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(3 * PAGE_SIZE as u64).unwrap();
        let memory = Zeroizing::new(vec![0xFF; 3 * PAGE_SIZE]);
        let (mut flash, disk) = FlashFile::new(file, memory, Durability::Machine);
        let unsynced = || disk.unsynced.load(Ordering::Relaxed);
        assert_eq!(unsynced(), NONE);
        for (page, offset) in [(0, 0), (0, 40), (2, 2 * PAGE_SIZE), (1, PAGE_SIZE + 4)] {
            flash.write(offset, &[0xF0; 8]).unwrap();
            assert_eq!(unsynced(), page);
        }
        flash.erase(2).unwrap();
        assert_eq!(unsynced(), 2);
        disk.sync().unwrap();
        assert_eq!(unsynced(), NONE);
    }

    #[test]
    fn a_write_clears_bits_and_an_erasure_sets_them_in_both() {
        let file = tempfile::tempfile().unwrap();
        let memory = Zeroizing::new(vec![0xFF; 3 * PAGE_SIZE]);
        let (mut flash, disk) = FlashFile::new(file, memory, Durability::Process);
        let both = |flash: &FlashFile| {
            let mut cells = [0; 4];
            disk.file.read_exact_at(&mut cells, 8).unwrap();
            assert_eq!(flash.bytes()[8..12], cells);
            cells
        };
        flash.write(8, &[0x0F, 0xFF, 0x00, 0xA5]).unwrap();
        flash.write(8, &[0x3C, 0xFF, 0xFF, 0xFF]).unwrap();
        assert_eq!(both(&flash), [0x0C, 0xFF, 0x00, 0xA5]);
        flash.erase(0).unwrap();
        assert_eq!(both(&flash), [0xFF; 4]);
        assert_eq!(flash.write(3 * PAGE_SIZE, &[0; 4]), Err(FlashError));
    }
}
