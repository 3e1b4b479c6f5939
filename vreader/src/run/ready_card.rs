//! Cards that were made before, so that a world with a new card starts in milliseconds.
//!
//! Making a card makes keys, certificates and signatures. What was made once lies in the user's cache folder
//! (`XDG_CACHE_HOME`, or `~/.cache`; a folder `vreader` with 0700, files with 0600), and is copied into memory for each
//! world: what a world does to its card, no other world sees.
//!
//! Promises: a file that is damaged, a year old, or made by another build of this program is made anew; a cache that
//! cannot be read or written costs time and nothing else; a file is replaced as a whole or not at all.

use std::{
    env, fs,
    fs::{DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use card_sim::{platform::Platform, store::Reads};
use rustix::process::geteuid;
use zeroize::Zeroizing;

use crate::{
    emulated::{CardStore, EmulatedCard},
    image::format,
};

/// A card lives six years; one that is offered as new is not in its last.
const FRESH: Duration = Duration::from_hours(365 * 24);

/// The card that was made before under this name and for this seed, or the one that `make` makes.
///
/// A name stands for one way to make a card, and is a file name. One card is kept under it: that of the last seed.
pub(super) fn ready_card<E>(
    name: &str,
    seed: Option<u64>,
    make: impl FnOnce() -> Result<EmulatedCard, E>,
) -> Result<EmulatedCard, E> {
    match folder() {
        Some(folder) => ready_card_in(&folder, name, seed, make),
        None => make(),
    }
}

fn ready_card_in<E>(
    folder: &Path,
    name: &str,
    seed: Option<u64>,
    make: impl FnOnce() -> Result<EmulatedCard, E>,
) -> Result<EmulatedCard, E> {
    let path = folder.join(format!("{name}.card"));
    let stamp = stamp(seed);
    if let Some(card) = load(&path, &stamp) {
        return Ok(card);
    }
    let mut card = make()?;
    if let Err(error) = save(&path, &stamp, &mut card) {
        tracing::debug!(%error, path = %path.display(), "a card was not kept for the next time");
    }
    Ok(card)
}

fn folder() -> Option<PathBuf> {
    let set = |variable: &str| env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(cache.join("vreader"))
}

/// What a file begins with: which build of the program made it, from which seed.
fn stamp(seed: Option<u64>) -> Vec<u8> {
    let program = env::current_exe().and_then(fs::metadata);
    let build = program.map_or((0, 0, 0), |file| (file.len(), file.mtime(), file.mtime_nsec()));
    format!("vreader {} {build:?} {seed:?} ready card\n", env!("CARGO_PKG_VERSION")).into_bytes()
}

/// The card in a file, if it is one that may be used.
fn load(path: &Path, stamp: &[u8]) -> Option<EmulatedCard> {
    let metadata = fs::metadata(path).ok()?;
    // Another user's file is no card of ours, and a clock that was set back makes cards that are not valid yet.
    let usable = metadata.uid() == geteuid().as_raw() && metadata.modified().ok()?.elapsed().ok()? < FRESH;
    let bytes = usable.then(|| fs::read(path).ok().map(Zeroizing::new))??;
    let opened = format::open(bytes.strip_prefix(stamp)?, Reads::Memory).ok()?;
    EmulatedCard::with_store(opened.store).ok()
}

fn save(path: &Path, stamp: &[u8], card: &mut EmulatedCard) -> io::Result<()> {
    let CardStore::Memory(store) = &mut card.card().platform().parts().store else { return Ok(()) };
    let image = store.image().map_err(|_| io::Error::other("the card cannot be read"))?;
    let folder = path.parent().unwrap_or(path);
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    let temporary = path.with_extension(format!("new-{}", process::id()));
    let written = write(&temporary, stamp, &image).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // What is left of it would only be in the way.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write(path: &Path, stamp: &[u8], image: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(stamp)?;
    file.write_all(image)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use card_sim::profile::PIV;

    use super::*;
    use crate::{
        emulated::EmulatedError,
        issue::{Request, issue},
    };

    fn make() -> Result<EmulatedCard, EmulatedError> {
        let request = Request { seed: Some(1), ..Request::default() };
        let issued = issue(&request, &mut crate::crypto::DefaultCrypto::default(), &mut |_| {}).unwrap();
        EmulatedCard::in_memory(&PIV, PIV.default_tries, &issued)
    }

    fn image(card: &mut EmulatedCard) -> Vec<u8> {
        match &mut card.card().platform().parts().store {
            CardStore::Memory(store) => store.image().unwrap().to_vec(),
            _ => panic!("the card is in memory"),
        }
    }

    #[test]
    fn a_card_is_made_once_and_again_when_its_file_is_of_no_use() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("cache").join("vreader");
        let made = Cell::new(0);
        let ready_for = |seed| {
            let make = || {
                made.set(made.get() + 1);
                make()
            };
            image(&mut ready_card_in(&folder, "piv-0", seed, make).unwrap())
        };
        let ready = || ready_for(None);
        let first = ready();
        assert_eq!((ready(), made.get()), (first.clone(), 1));
        let path = folder.join("piv-0.card");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);

        let good = fs::read(&path).unwrap();
        let mut other_build = good.clone();
        other_build[9] ^= 1;
        let mut damaged = good.clone();
        *damaged.last_mut().unwrap() ^= 1;
        for (expected, bytes) in
            [(2, &other_build[..]), (3, &damaged), (4, &good[..good.len() / 2]), (5, b"")]
        {
            fs::write(&path, bytes).unwrap();
            assert_eq!((ready(), made.get()), (first.clone(), expected));
            assert!(fs::read(&path).unwrap() == good);
        }
        let old = std::time::SystemTime::now().checked_sub(FRESH + Duration::from_mins(1)).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        ready();
        assert_eq!(made.get(), 6);
        ready_for(Some(7));
        ready_for(Some(7));
        assert_eq!(made.get(), 7);
        ready_for(Some(8));
        assert_eq!((made.get(), fs::read_dir(&folder).unwrap().count()), (8, 1));
    }

    #[test]
    fn a_folder_that_cannot_be_written_costs_nothing_but_time() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("a file");
        fs::write(&file, "").unwrap();
        ready_card_in(&file.join("vreader"), "piv-0", None, make).unwrap();
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 1);
    }
}
