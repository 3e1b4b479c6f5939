//! One process at a time on a card file.
//!
//! The lock is an advisory lock of the system on `FILE.lock`, so it ends with the process that holds it, however that
//! ends. The lock file says who holds it.

use std::{
    fmt, fs,
    fs::{File, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
};

use super::ImageError;

/// The right to use a card file, until it is dropped.
pub struct CardLock {
    file: File,
    path: PathBuf,
}

/// Who holds a card file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    description: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

impl CardLock {
    /// Takes the lock of the card file at `card`, which need not exist yet.
    pub fn acquire(card: &Path) -> Result<Self, ImageError> {
        let mut path = card.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let error = |action| ImageError::io(action, path.clone());
        loop {
            let mut file = fs::OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .map_err(error("open the lock file"))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(ImageError::InUse { path: card.into(), holder: holder(&mut file) });
                }
                Err(TryLockError::Error(source)) => {
                    return Err(ImageError::Io { action: "lock", path, source });
                }
            }
            // The holder before us may have removed the file between our opening and locking it.
            if !is_same(&file, &path).map_err(error("look at the lock file"))? {
                continue;
            }
            write_holder(&mut file).map_err(error("write the lock file"))?;
            return Ok(Self { file, path });
        }
    }
}

impl Drop for CardLock {
    fn drop(&mut self) {
        // Removed while still locked; `acquire` notices a file that is gone. A failure leaves an unlocked file,
        // which the next holder takes over.
        let _ = fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

fn is_same(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    let command: Vec<String> = std::env::args().take(2).collect();
    // Only what was left behind is cut off: ext4 writes a file out at once that was cut and is closed.
    if file.metadata()?.len() > 0 {
        file.set_len(0)?;
    }
    file.rewind()?;
    writeln!(file, "process {} ({})", process::id(), command.join(" "))
}

fn holder(file: &mut File) -> Holder {
    let mut description = String::new();
    let read = file.take(512).read_to_string(&mut description);
    let description = description.trim();
    let known = read.is_ok() && !description.is_empty();
    Holder { description: if known { description.into() } else { "another process".into() } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let card = folder.path().join("card");
        let first = CardLock::acquire(&card).unwrap();
        let error = CardLock::acquire(&card).err().unwrap().to_string();
        assert!(error.contains(&format!("process {}", process::id())), "{error}");
        drop(first);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        CardLock::acquire(&card).unwrap();
    }

    #[test]
    fn a_lock_file_that_was_left_behind_does_not_lock() {
        let folder = tempfile::tempdir().unwrap();
        let card = folder.path().join("card");
        fs::write(folder.path().join("card.lock"), "process 1 (gone)").unwrap();
        CardLock::acquire(&card).unwrap();
    }
}
