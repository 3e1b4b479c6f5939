//! A card's store in a card file.
//!
//! Durability rule: when a transaction is reported as made, it is in the file, and with [`Durability::Machine`], the
//! default, on the disk. A process killed at any moment leaves a file that opens with the state of before or after the
//! transaction; so does a machine that stops, under that default ([`flash_file`](super::flash_file) says how).
//!
//! A new file is written beside its place, synced and renamed, so that there is a whole card or none.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use card_sim::store::{FlashStore, MemoryFlash, Reads, Record, Store, StoreError, Update};
use heapless::VecView;
use zeroize::Zeroizing;

use super::{
    CardLock, Durability, FlashSize, FormatError, ImageError, PowerCut, READ, TearingStore,
    flash_file::{Disk, FlashFile},
    format::{self, Opened, State},
};

/// A store that is in its file after each transaction.
pub struct FileStore {
    store: TearingStore<FlashFile>,
    disk: Arc<Disk>,
    _lock: CardLock,
}

impl FileStore {
    /// Opens a card file and holds its lock. A file of version 1 is converted, and a copy of it kept beside it.
    pub fn open(path: &Path, durability: Durability) -> Result<Self, ImageError> {
        // Before the lock, so that a wrong name leaves no lock file behind.
        fs::metadata(path).map_err(ImageError::io(READ, path))?;
        let lock = CardLock::acquire(path)?;
        let mut file = read(path)?;
        // On a copy: a file that cannot be used is not touched.
        let Opened { mut store, state } = open_image(path, &file, Reads::Flash)?;
        match state {
            State::Sound => {}
            State::Repaired => tracing::warn!(
                path = %path.display(),
                "the last change of this card was interrupted, or bytes between its records had changed; \
                 it has been repaired, and all its records are sound"
            ),
            State::Converted => {
                let new = memory_image(&mut store, path)?;
                convert(path, &file, &new)?;
                file = new;
            }
        }
        Self::on(path, file, durability, lock)
    }

    /// Makes a card file with what `fill` puts on an empty store. An existing file is never replaced.
    ///
    /// # Errors
    /// Those of `fill`, and [`ImageError`]; then there is no file.
    pub fn create<E: From<ImageError>>(
        path: &Path,
        size: FlashSize,
        fill: impl FnOnce(&mut FlashStore<MemoryFlash>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let lock = CardLock::acquire(path)?;
        if fs::symlink_metadata(path).is_ok() {
            return Err(ImageError::Exists { path: path.into() }.into());
        }
        let mut store = size.blank_store();
        fill(&mut store)?;
        let image = memory_image(&mut store, path)?;
        write_whole(path, &image)?;
        Ok(Self::on(path, image, Durability::default(), lock)?)
    }

    /// Reads a card file without holding it, for showing what is on it. Never writes to it.
    pub fn peek(path: &Path) -> Result<FlashStore<MemoryFlash>, ImageError> {
        let mut file = read(path)?;
        loop {
            let error = match open_image(path, &file, Reads::Memory) {
                Ok(Opened { store, .. }) => return Ok(store),
                Err(error) => error,
            };
            // Somebody may have been writing; the file is damaged if it stays as it is.
            let again = read(path)?;
            if *again == *file {
                return Err(error);
            }
            file = again;
        }
    }

    /// The store in a file that holds `image`, which [`open_image`] has found good.
    fn on(
        path: &Path,
        image: Zeroizing<Vec<u8>>,
        durability: Durability,
        lock: CardLock,
    ) -> Result<Self, ImageError> {
        let file =
            File::options().read(true).write(true).open(path).map_err(ImageError::io("write", path))?;
        let (flash, disk) = FlashFile::new(file, image, durability);
        // What this may repair was tried on a copy; it fails only where the file cannot be written.
        let store = TearingStore::open(flash)
            .map_err(|_| ImageError::io("write", path)(io::Error::other("a repair failed")))?;
        disk.sync().map_err(ImageError::io("sync", path))?;
        Ok(Self { store, disk, _lock: lock })
    }

    /// Orders a loss of power, in place of one that was ordered before.
    pub(crate) fn cut_power(&self, cut: PowerCut) {
        self.store.cut_power(cut);
    }

    /// Whether the power has failed.
    pub(crate) fn has_lost_power(&self) -> bool {
        self.store.has_lost_power()
    }

    /// There is power again: opens the store as the file holds it.
    pub(crate) fn restore_power(&mut self) -> Result<(), StoreError> {
        let opened = self.store.restore_power();
        self.sync()?;
        opened
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.disk.sync().map_err(|error| {
            tracing::error!(%error, "the card file cannot be synced");
            StoreError::Medium
        })
    }
}

impl Store for FileStore {
    fn read(&self, record: Record, out: &mut VecView<u8>) -> Result<bool, StoreError> {
        self.store.read(record, out)
    }

    fn commit(&mut self, updates: &[Update<'_>]) -> Result<(), StoreError> {
        let made = self.store.commit(updates);
        self.sync()?;
        made
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, ImageError> {
    fs::read(path).map(Zeroizing::new).map_err(ImageError::io(READ, path))
}

fn open_image(path: &Path, image: &[u8], reads: Reads) -> Result<Opened, ImageError> {
    format::open(image, reads).map_err(|source| ImageError::Format { path: path.into(), source })
}

fn memory_image(store: &mut FlashStore<MemoryFlash>, path: &Path) -> Result<Zeroizing<Vec<u8>>, ImageError> {
    // A flash in memory does not fail.
    let failed = FormatError::Damaged("its contents cannot be read back");
    store.image().map_err(|_| ImageError::Format { path: path.into(), source: failed })
}

/// Puts the flash in the place of a file of version 1, and keeps that beside.
fn convert(path: &Path, old: &[u8], new: &[u8]) -> Result<(), ImageError> {
    let copy = beside(path, ".v1");
    match fs::read(&copy).map(Zeroizing::new) {
        // A conversion that was interrupted here left it.
        Ok(kept) if *kept == *old => {}
        Ok(_) => return Err(ImageError::CopyExists { path: path.into(), copy }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => write_whole(&copy, old)?,
        Err(error) => return Err(ImageError::io("look for an earlier copy at", &copy)(error)),
    }
    write_whole(path, new)?;
    tracing::warn!(
        path = %path.display(),
        copy = %copy.display(),
        "this card file was of version 1 and has been converted to version 2; the old file is kept as the copy"
    );
    Ok(())
}

/// Writes a file beside its place, syncs it, and gives it its name.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ImageError> {
    let temporary = beside(path, ".new");
    let written = write_synced(&temporary, bytes)
        .map_err(ImageError::io("write", &temporary))
        .and_then(|()| fs::rename(&temporary, path).map_err(ImageError::io("replace", path)));
    if written.is_err() {
        // What is left of it would only be in the way.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(ImageError::io("sync", folder))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::version_1::tests::encode;

    fn create(path: &Path) -> FileStore {
        FileStore::create::<ImageError>(path, FlashSize::from_pages(4).unwrap(), |store| {
            store.commit(&[Update::Write(Record::Profile, b"piv")]).unwrap();
            Ok(())
        })
        .unwrap()
    }

    fn open(path: &Path) -> Result<FileStore, ImageError> {
        FileStore::open(path, Durability::Process)
    }

    fn profile(store: &impl Store) -> Vec<u8> {
        let mut out = heapless::Vec::<u8, 32>::new();
        store.read(Record::Profile, &mut out).unwrap();
        out.to_vec()
    }

    fn names(folder: &Path) -> Vec<OsString> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_transaction_is_in_the_file_when_it_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card");
        let mut store = create(&path);
        for durability in [Durability::Machine, Durability::Process] {
            store.commit(&[Update::Write(Record::Profile, b"changed")]).unwrap();
            assert_eq!(profile(&FileStore::peek(&path).unwrap()), b"changed");
            drop(store);
            store = FileStore::open(&path, durability).unwrap();
            assert_eq!(profile(&store), b"changed");
            store.commit(&[Update::Write(Record::Profile, b"again")]).unwrap();
        }
        // The file is the flash, byte for byte.
        assert!(fs::read(&path).unwrap() == **store.store.image());
        assert_eq!(names(folder.path()), ["card", "card.lock"]);
    }

    #[test]
    fn a_file_that_cannot_be_written_keeps_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card");
        drop(create(&path));
        let before = fs::read(&path).unwrap();
        // Even root cannot write through a file that was opened for reading.
        let (flash, _) =
            FlashFile::new(File::open(&path).unwrap(), read(&path).unwrap(), Durability::Machine);
        let mut store = FlashStore::open(flash, Reads::Memory).unwrap();
        for _ in 0..2 {
            let change = [Update::Write(Record::Profile, b"changed".as_slice())];
            assert_eq!(store.commit(&change), Err(StoreError::Medium));
        }
        assert!(fs::read(&path).unwrap() == before);
        assert_eq!(profile(&open(&path).unwrap()), b"piv");
    }

    #[test]
    fn an_existing_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card");
        fs::write(&path, "precious").unwrap();
        let result =
            FileStore::create::<ImageError>(&path, FlashSize::DEFAULT, |_| panic!("not asked for contents"));
        assert!(matches!(result.err(), Some(ImageError::Exists { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn files_that_cannot_be_used_are_left_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card");
        drop(create(&path));
        let good = fs::read(&path).unwrap();
        let mut changed = good.clone();
        let contents = good.windows(3).position(|bytes| bytes == b"piv").unwrap();
        changed[contents] ^= 0x10;
        for (bytes, word) in [
            (b"PK\x03\x04".to_vec(), "not a card file"),
            (changed, "damaged"),
            (good[..good.len() - 1].to_vec(), "damaged"),
            (good[..3 * 4096].to_vec(), "made with 16 KiB"),
            (vec![0xFF; 4 * 4096], "blank"),
            (Vec::new(), "empty"),
        ] {
            fs::write(&path, &bytes).unwrap();
            let error = open(&path).err().unwrap().to_string();
            assert!(error.contains(word), "{error}");
            assert!(fs::read(&path).unwrap() == bytes);
            assert_eq!(names(folder.path()), ["card"]);
        }
    }

    #[test]
    fn what_can_be_repaired_is_repaired_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card");
        drop(create(&path));
        let mut file = fs::read(&path).unwrap();
        // A write had begun in the free words after the last entry.
        let used = file[..4096].iter().rposition(|byte| *byte != 0xFF).unwrap();
        file[used.next_multiple_of(4) + 8] = 0x7A;
        fs::write(&path, &file).unwrap();
        assert_eq!(format::open(&file, Reads::Memory).unwrap().state, State::Repaired);
        drop(open(&path).unwrap());
        assert_eq!(format::open(&fs::read(&path).unwrap(), Reads::Memory).unwrap().state, State::Sound);
    }

    #[test]
    fn a_file_of_version_1_is_converted_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card");
        let photograph = vec![0x53; 12_710];
        let face = Record::from_number(0x108).unwrap();
        let old = encode(&[(Record::Profile, b"piv"), (face, &photograph)]);
        fs::write(&path, &old).unwrap();
        assert_eq!(profile(&FileStore::peek(&path).unwrap()), b"piv");
        assert!(fs::read(&path).unwrap() == old, "showing a card converts nothing");

        fs::write(folder.path().join("card.v1"), "something else").unwrap();
        assert!(matches!(open(&path).err(), Some(ImageError::CopyExists { .. })));
        assert!(fs::read(&path).unwrap() == old);

        // As on a disk without room: what is to be written cannot be.
        fs::remove_file(folder.path().join("card.v1")).unwrap();
        for (blocked, left) in [("card.v1.new", 2), ("card.new", 3)] {
            let blocked = folder.path().join(blocked);
            fs::create_dir(&blocked).unwrap();
            let said = open(&path).err().unwrap().to_string();
            assert!(said.contains("cannot write") && said.contains(blocked.to_str().unwrap()), "{said}");
            assert!(fs::read(&path).unwrap() == old);
            fs::remove_dir(&blocked).unwrap();
            assert_eq!(names(folder.path()).len() + 1, left, "nothing half written stays");
        }

        // As if a conversion had been interrupted.
        fs::write(folder.path().join("card.v1"), &old).unwrap();
        for _ in 0..2 {
            let store = open(&path).unwrap();
            let mut out = heapless::Vec::<u8, 13_000>::new();
            assert!(store.read(face, &mut out).unwrap());
            assert!(out.as_slice() == photograph);
            assert_eq!(fs::metadata(&path).unwrap().len(), 144 * 1024);
        }
        assert!(fs::read(folder.path().join("card.v1")).unwrap() == old);
        assert_eq!(names(folder.path()), ["card", "card.v1"]);
    }
}
