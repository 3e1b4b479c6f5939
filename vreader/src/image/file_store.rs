//! A card's store in a card file.
//!
//! Durability rule: when a transaction is reported as made, the new file has been written beside the old one, synced,
//! and renamed over it, and the folder has been synced. A process killed or a machine stopped at any moment leaves
//! the file of before or after a transaction.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use card_sim::store::{MemoryStore, Record, Store, StoreError, Update};
use heapless::VecView;
use zeroize::Zeroizing;

use super::{CardLock, ImageError, MEMORY_SIZE, READ, format};

/// A store that is on disk after each transaction.
pub struct FileStore {
    path: PathBuf,
    memory: MemoryStore<Vec<u8>>,
    memory_size: usize,
    _lock: CardLock,
}

impl FileStore {
    /// Opens a card file and holds its lock.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        // Before the lock, so that a wrong name leaves no lock file behind.
        fs::metadata(path).map_err(ImageError::io(READ, path))?;
        let lock = CardLock::acquire(path)?;
        let (memory, memory_size) = read(path)?;
        Ok(Self { path: path.into(), memory, memory_size, _lock: lock })
    }

    /// Makes a card file with what `fill` puts on an empty store. An existing file is never replaced.
    ///
    /// # Errors
    /// Those of `fill`, and [`ImageError`]; then there is no file.
    pub fn create<E: From<ImageError>>(
        path: &Path,
        fill: impl FnOnce(&mut MemoryStore<Vec<u8>>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let lock = CardLock::acquire(path)?;
        if fs::symlink_metadata(path).is_ok() {
            return Err(ImageError::Exists { path: path.into() }.into());
        }
        let mut memory = MemoryStore::new(vec![0; MEMORY_SIZE]);
        fill(&mut memory)?;
        let store = Self { path: path.into(), memory, memory_size: MEMORY_SIZE, _lock: lock };
        store.save()?;
        Ok(store)
    }

    /// Reads a card file without holding it, for showing what is on it.
    pub fn peek(path: &Path) -> Result<MemoryStore<Vec<u8>>, ImageError> {
        read(path).map(|(memory, _)| memory)
    }

    fn save(&self) -> Result<(), ImageError> {
        let file = format::encode(&self.memory, self.memory_size);
        let mut temporary = self.path.clone().into_os_string();
        temporary.push(".new");
        let temporary = PathBuf::from(temporary);
        let written = write_synced(&temporary, &file)
            .map_err(ImageError::io("write", &temporary))
            .and_then(|()| fs::rename(&temporary, &self.path).map_err(ImageError::io("replace", &self.path)));
        if written.is_err() {
            // What is left of it would only be in the way.
            let _ = fs::remove_file(&temporary);
        }
        written?;
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(ImageError::io("sync", folder))
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn read(path: &Path) -> Result<(MemoryStore<Vec<u8>>, usize), ImageError> {
    let bytes = Zeroizing::new(fs::read(path).map_err(ImageError::io(READ, path))?);
    format::decode(&bytes).map_err(|source| ImageError::Format { path: path.into(), source })
}

impl Store for FileStore {
    fn read(&self, record: Record, out: &mut VecView<u8>) -> Result<bool, StoreError> {
        self.memory.read(record, out)
    }

    fn commit(&mut self, updates: &[Update<'_>]) -> Result<(), StoreError> {
        let before = Zeroizing::new(self.memory.image().to_vec());
        self.memory.commit(updates)?;
        if let Err(error) = self.save() {
            tracing::error!(%error, "the card's change is not on disk and is taken back");
            self.memory = MemoryStore::from_image(vec![0; self.memory_size], &before)?;
            return Err(StoreError::Medium);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(path: &Path) -> FileStore {
        FileStore::create::<ImageError>(path, |store| {
            store.commit(&[Update::Write(Record::Profile, b"piv")]).unwrap();
            Ok(())
        })
        .unwrap()
    }

    fn profile(store: &impl Store) -> Vec<u8> {
        let mut out = heapless::Vec::<u8, 32>::new();
        store.read(Record::Profile, &mut out).unwrap();
        out.to_vec()
    }

    #[test]
    fn a_transaction_is_on_disk_when_it_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card");
        let mut store = create(&path);
        store.commit(&[Update::Write(Record::Profile, b"changed")]).unwrap();
        assert_eq!(profile(&FileStore::peek(&path).unwrap()), b"changed");
        drop(store);
        assert_eq!(profile(&FileStore::open(&path).unwrap()), b"changed");
    }

    #[test]
    fn a_failed_write_takes_the_change_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card");
        let mut store = create(&path);
        // A folder in the place of the temporary file: even root cannot write it.
        fs::create_dir(folder.path().join("card.new")).unwrap();
        let change = [Update::Write(Record::Profile, b"changed".as_slice())];
        assert_eq!(store.commit(&change), Err(StoreError::Medium));
        assert_eq!(profile(&store), b"piv");
        fs::remove_dir(folder.path().join("card.new")).unwrap();
        store.commit(&change).unwrap();
    }

    #[test]
    fn an_existing_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card");
        fs::write(&path, "precious").unwrap();
        let result = FileStore::create::<ImageError>(&path, |_| panic!("not asked for contents"));
        assert!(matches!(result.err(), Some(ImageError::Exists { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn files_that_cannot_be_used_are_left_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card");
        drop(create(&path));
        let good = fs::read(&path).unwrap();
        let mut newer = good.clone();
        newer[9] = 2;
        let cut = good[..good.len() - 1].to_vec();
        for (bytes, word) in [(b"PK\x03\x04".to_vec(), "not a card file"), (newer, "newer"), (cut, "damaged")]
        {
            fs::write(&path, &bytes).unwrap();
            let error = FileStore::open(&path).err().unwrap().to_string();
            assert!(error.contains(word), "{error}");
            assert_eq!(fs::read(&path).unwrap(), bytes);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }
}
