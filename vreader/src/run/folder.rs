//! The folder of a world's sockets: fresh, for its user alone, and gone with the process.
//!
//! The process holds a lock on the folder itself. A process that was killed leaves its folder without a lock; the next
//! world that starts removes it.

use std::{
    env, fs,
    fs::{DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::process::geteuid;

/// What the names of all such folders begin with.
const PREFIX: &str = "vreader-";

/// Why there is no folder.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot make a folder for the sockets in {}: {source}; set XDG_RUNTIME_DIR or TMPDIR to a folder that you may write to",
    base.display()
)]
pub struct FolderError {
    base: PathBuf,
    source: io::Error,
}

/// A folder that nobody else may enter, until it is dropped.
pub(super) struct SocketFolder {
    path: PathBuf,
    /// The folder itself, locked.
    _held: File,
}

impl SocketFolder {
    /// Makes the folder where the system wants sockets: in `XDG_RUNTIME_DIR`, or else in `TMPDIR`, or else in `/tmp`.
    pub(super) fn create() -> Result<Self, FolderError> {
        let base = base(env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from));
        Self::create_in(&base)
    }

    fn create_in(base: &Path) -> Result<Self, FolderError> {
        sweep(base);
        loop {
            match Self::attempt(base) {
                Ok(Some(folder)) => return Ok(folder),
                Ok(None) => {}
                Err(source) => return Err(FolderError { base: base.into(), source }),
            }
        }
    }

    /// `None` if the name was taken, or if another process swept the folder away before it was locked.
    fn attempt(base: &Path) -> io::Result<Option<Self>> {
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let path = base.join(format!("{PREFIX}{}", hex::encode(random)));
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            result => result?,
        }
        let locked = || -> io::Result<Option<File>> {
            // An odd umask must not keep ourselves out.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
            let held = File::open(&path)?;
            held.lock()?;
            let same = fs::metadata(&path)?.ino() == held.metadata()?.ino();
            Ok(same.then_some(held))
        };
        match locked() {
            Ok(held) => Ok(held.map(|held| Self { path, _held: held })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                // What is left of it would only be in the way.
                let _ = fs::remove_dir(&path);
                Err(error)
            }
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, folder = %self.path.display(), "a folder is left behind");
        }
    }
}

fn base(runtime: Option<PathBuf>) -> PathBuf {
    // `su` and cron leave the variable unset, or naming a folder that is not there.
    runtime.filter(|folder| folder.is_absolute() && folder.is_dir()).unwrap_or_else(env::temp_dir)
}

/// Removes the folders of processes that were killed. Whatever cannot be looked at is left alone.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    let own = geteuid().as_raw();
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX))
            && entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == own);
        // Locked while it is removed: whoever has just made it and is about to lock it then finds it gone.
        let Some(Ok(folder)) = ours.then(|| File::open(entry.path())) else { continue };
        if folder.try_lock().is_ok() {
            // Somebody else may be sweeping, too.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(base: &Path) -> Vec<PathBuf> {
        fs::read_dir(base).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn a_folder_is_for_its_user_alone_and_goes_with_what_is_in_it() {
        let base = tempfile::tempdir().unwrap();
        let first = SocketFolder::create_in(base.path()).unwrap();
        let second = SocketFolder::create_in(base.path()).unwrap();
        assert_ne!(first.path(), second.path());
        assert_eq!(fs::metadata(first.path()).unwrap().permissions().mode() & 0o7777, 0o700);
        fs::write(first.path().join("socket"), "").unwrap();
        drop(first);
        assert_eq!(names(base.path()), [second.path()]);
    }

    #[test]
    fn folders_of_dead_processes_are_swept_and_others_are_not() {
        let base = tempfile::tempdir().unwrap();
        let living = SocketFolder::create_in(base.path()).unwrap();
        for name in ["vreader-dead", "other"] {
            fs::create_dir(base.path().join(name)).unwrap();
            fs::write(base.path().join(name).join("socket"), "").unwrap();
        }
        sweep(base.path());
        let mut left = names(base.path());
        left.sort();
        assert_eq!(left, [base.path().join("other"), living.path().to_owned()]);
    }

    #[test]
    fn many_at_once_do_not_sweep_each_other_away() {
        let base = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let folder = SocketFolder::create_in(base.path()).unwrap();
                        fs::write(folder.path().join("socket"), "").unwrap();
                        assert!(folder.path().join("socket").exists());
                    }
                });
            }
        });
        assert!(names(base.path()).is_empty());
    }

    #[test]
    fn a_base_that_is_not_there_is_told_with_what_to_do() {
        let base = tempfile::tempdir().unwrap();
        let error = SocketFolder::create_in(&base.path().join("none")).err().unwrap().to_string();
        assert!(error.contains("none") && error.contains("XDG_RUNTIME_DIR"), "{error}");
    }

    #[test]
    fn the_runtime_folder_is_used_only_if_it_is_one() {
        let there = tempfile::tempdir().unwrap();
        assert_eq!(base(Some(there.path().into())), there.path());
        for wrong in [None, Some(there.path().join("none")), Some("".into()), Some(".".into())] {
            assert_eq!(base(wrong), env::temp_dir());
        }
    }
}
