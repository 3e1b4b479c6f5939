//! The store on flash.
//!
//! A layer over `wasefire-store`, a log of small entries with wear levelling, which was the only one of three stores
//! that always came back whole when the power was cut at every word written and every page erased.
//!
//! A transaction of ours may be larger than one of the log's (31 entries of 1023 bytes), so it goes in three steps:
//!
//! 1. Contents are written in fragments under fresh keys. Nothing names them yet.
//! 2. One transaction of the log replaces the [directory] and the retry counters. Now it has happened.
//! 3. Fragments that are named no more are removed, which wipes them.
//!
//! A loss of power in step 1 or 3 leaves fragments that nobody names; [`FlashStore::open`] wipes them. Retry counters
//! alone skip steps 1 and 3.
//!
//! Promises: a transaction is made wholly or not at all, whenever the power fails; what was overwritten or removed cannot
//! be read in the flash once the transaction is reported or the store opened again; changed contents are found by their
//! checksums and never given out. The log keeps copies of what it writes in buffers from the allocator, which it does
//! not wipe: the flash is clean, the heap of a host is not.

use alloc::{borrow::Cow, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicBool, Ordering};

use heapless::VecView;
use wasefire_error::{Code, Error};
use wasefire_store::{NO_CAPACITY, NO_LIFETIME, Storage, StorageIndex, StoreHandle, StoreUpdate};
use zeroize::Zeroizing;

use super::{
    Record, Store, StoreError, Update,
    checksum::Crc32,
    directory::{self, Directory, DirectoryError, Entry, FRAGMENT, keys_needed},
    flash::{Flash, PAGE_SIZE, PAGES, WORD_SIZE, page_range},
};

/// The key of the directory.
const DIRECTORY_KEY: u16 = 0;

/// Bytes of checksum after a retry counter, so that both fill one word.
const COUNTER_CHECKSUM: usize = 3;

/// Erasures that a page is good for, after data sheets of NOR flash.
const MAX_ERASURES: usize = 10_000;

/// Where records are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// From a copy in memory, which takes as much of it as the card's contents. Reading allocates nothing.
    Memory,
    /// From the flash. For machines with little memory; each fragment is allocated while it is read.
    Flash,
}

/// Why a flash could not be opened as a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MountError {
    /// It is not 3 to 64 whole pages.
    Geometry,
    /// It holds nothing.
    Blank,
    /// Its format is of a later version, this one.
    Newer(u16),
    /// It was written for a flash of so many pages.
    Pages(u16),
    /// It does not hold what a store wrote.
    Damaged(&'static str),
    /// It failed.
    Medium,
}

/// A card's state on a flash.
pub struct FlashStore<F: Flash> {
    reads: Reads,
    // One of the two, except inside `reopen`.
    mounted: Option<Mounted<F>>,
    failed: Option<Adapter<F>>,
}

type Log<F> = wasefire_store::Store<Adapter<F>>;

struct Mounted<F: Flash> {
    log: Log<F>,
    pages: u16,
    directory: Directory,
    mirror: Option<Mirror>,
}

impl<F: Flash> FlashStore<F> {
    /// Makes an empty store of a flash. What was on it is erased.
    pub fn format(mut flash: F, reads: Reads) -> Result<Self, MountError> {
        let pages = pages(&flash)?;
        for page in 0..pages {
            if flash.bytes().get(page_range(page)).is_some_and(|page| !is_blank(page)) {
                flash.erase(page).map_err(|_| MountError::Medium)?;
            }
        }
        let mut log = Log::new(Adapter::new(flash)).map_err(|_| MountError::Medium)?;
        let directory = Directory::default().encode(number_of_pages(pages));
        log.insert(usize::from(DIRECTORY_KEY), &directory).map_err(|_| MountError::Medium)?;
        Self::open(log.extract_storage().0, reads)
    }

    /// The store on a flash. A transaction that a loss of power interrupted is completed or taken back, which may
    /// write to the flash. All contents are checked.
    ///
    /// # Errors
    /// The flash may have been written to also then: whoever has room for a copy opens that first.
    /// Opening finds damaged records; damage between them is for [`audit`](super::audit::audit) to find, and a damaged
    /// log may make later transactions panic.
    pub fn open(flash: F, reads: Reads) -> Result<Self, MountError> {
        match Mounted::new(Adapter::new(flash), reads) {
            Ok(mounted) => Ok(Self { reads, mounted: Some(mounted), failed: None }),
            Err((error, _)) => Err(error),
        }
    }

    /// A copy of the flash, which is a copy of the card. It holds secrets.
    pub fn image(&mut self) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.with_image(|image| Zeroizing::new(image.to_vec()))
    }

    /// Shows the flash as it reads now.
    pub fn with_image<T>(&mut self, show: impl FnOnce(&[u8]) -> T) -> Result<T, StoreError> {
        // The log gives its flash back only for good, so it is taken apart and put together again.
        let Mounted { log, pages, directory, mirror } = self.mounted.take().ok_or(StoreError::Medium)?;
        let adapter = log.extract_storage();
        let shown = show(adapter.0.bytes());
        match Log::new(adapter) {
            Ok(log) => self.mounted = Some(Mounted { log, pages, directory, mirror }),
            Err((_, adapter)) => self.failed = Some(adapter),
        }
        Ok(shown)
    }

    /// Opens the store again, as if the power had failed: what a failure of the flash interrupted is completed or taken
    /// back. A store whose flash failed needs it before it can be read.
    pub fn reopen(&mut self) -> Result<(), StoreError> {
        let mounted = self.mounted.take().map(|mounted| mounted.log.extract_storage());
        let adapter = mounted.or_else(|| self.failed.take()).ok_or(StoreError::Medium)?;
        match Mounted::new(adapter, self.reads) {
            Ok(mounted) => {
                self.mounted = Some(mounted);
                Ok(())
            }
            Err((_, adapter)) => {
                self.failed = Some(adapter);
                Err(StoreError::Medium)
            }
        }
    }
}

impl<F: Flash> Store for FlashStore<F> {
    fn read(&self, record: Record, out: &mut VecView<u8>) -> Result<bool, StoreError> {
        let mounted = self.mounted.as_ref().ok_or(StoreError::Medium)?;
        let number = record.number();
        if let Some(mirror) = &mounted.mirror {
            let Some(contents) = mirror.find(number) else { return Ok(false) };
            out.extend_from_slice(contents).map_err(|_| StoreError::BufferTooSmall)?;
            return Ok(true);
        }
        let Some(entry) = mounted.directory.find(number) else { return Ok(false) };
        let index = Index::new(&mounted.log).map_err(|_| StoreError::Medium)?;
        let before = out.len();
        let mut fits = true;
        let shown = index.show(&mounted.log, entry, |piece| fits &= out.extend_from_slice(piece).is_ok());
        let result = match shown {
            Ok(()) if fits => return Ok(true),
            Ok(()) => Err(StoreError::BufferTooSmall),
            Err(_) => Err(StoreError::Medium),
        };
        out.truncate(before);
        result
    }

    fn commit(&mut self, updates: &[Update<'_>]) -> Result<(), StoreError> {
        if self.mounted.is_none() {
            self.reopen()?;
        }
        let mounted = self.mounted.as_mut().ok_or(StoreError::Medium)?;
        let plan = Plan::new(&mounted.directory, updates)?;
        mounted.check_room(&plan)?;
        if let Err(error) = mounted.make(&plan) {
            // Whether it has happened is for the flash to say.
            self.reopen()?;
            return Err(error);
        }
        if mounted.sweep(&plan.stale).is_err() {
            // It has happened, but secrets may be left over.
            return self.reopen();
        }
        mounted.keep(plan.directory, updates);
        Ok(())
    }
}

impl<F: Flash> Mounted<F> {
    fn new(adapter: Adapter<F>, reads: Reads) -> Result<Self, (MountError, Adapter<F>)> {
        let pages = match pages(&adapter.0) {
            // The log would write to a blank flash.
            Ok(_) if is_blank(adapter.0.bytes()) => return Err((MountError::Blank, adapter)),
            Ok(pages) => number_of_pages(pages),
            Err(error) => return Err((error, adapter)),
        };
        let written = Arc::clone(&adapter.1);
        written.store(false, Ordering::Relaxed);
        let mut log = Log::new(adapter).map_err(|(_, adapter)| (DAMAGED_LOG, adapter))?;
        // After a recovery a second one, because the log, where it takes a transaction back, leaves an entry as it is that
        // an earlier recovery had marked as removed and then, its power failing, not wiped.
        if written.load(Ordering::Relaxed) && log.recover().is_err() {
            return Err((MountError::Medium, log.extract_storage()));
        }
        match Survey::new(&log, pages, reads) {
            Ok(Survey { directory, mirror, orphans }) => {
                let mut mounted = Self { log, pages, directory, mirror };
                match mounted.sweep(&orphans) {
                    Ok(()) => Ok(mounted),
                    Err(_) => Err((MountError::Medium, mounted.log.extract_storage())),
                }
            }
            Err(error) => Err((error, log.extract_storage())),
        }
    }

    fn check_room(&self, plan: &Plan<'_>) -> Result<(), StoreError> {
        let room = self.log.capacity().map_err(store_error)?;
        let room = room.total().saturating_sub(room.used());
        if plan.words(self.pages) <= room { Ok(()) } else { Err(StoreError::Full) }
    }

    fn make(&mut self, plan: &Plan<'_>) -> Result<(), StoreError> {
        for (key, fragment) in &plan.fragments {
            self.log.insert(usize::from(*key), fragment).map_err(store_error)?;
        }
        let mut switch = plan.counters.clone();
        if plan.directory != self.directory {
            let value = plan.directory.encode(self.pages);
            switch.push(StoreUpdate::Insert { key: usize::from(DIRECTORY_KEY), value });
        }
        self.log.transaction(&switch).map_err(store_error)
    }

    fn sweep(&mut self, keys: &[u16]) -> Result<(), StoreError> {
        keys.iter().try_for_each(|key| self.log.remove(usize::from(*key)).map_err(store_error))
    }

    /// Remembers what a transaction has made.
    fn keep(&mut self, directory: Directory, updates: &[Update<'_>]) {
        self.directory = directory;
        let Some(mirror) = &mut self.mirror else { return };
        for update in updates {
            match *update {
                Update::Write(record, contents) => mirror.put(record.number(), contents),
                Update::Remove(record) => mirror.remove(record.number()),
            }
        }
    }
}

/// What a transaction does to the log.
struct Plan<'a> {
    directory: Directory,
    /// Step 1: contents under fresh keys.
    fragments: Vec<(u16, &'a [u8])>,
    /// Step 2, beside the directory: retry counters.
    counters: Vec<StoreUpdate<Vec<u8>>>,
    /// Step 3: keys that are named no more.
    stale: Vec<u16>,
}

impl<'a> Plan<'a> {
    fn new(now: &Directory, updates: &[Update<'a>]) -> Result<Self, StoreError> {
        let mut plan =
            Self { directory: now.clone(), fragments: Vec::new(), counters: Vec::new(), stale: Vec::new() };
        for (index, update) in updates.iter().enumerate() {
            let record = update.record();
            if updates.iter().take(index).any(|earlier| earlier.record() == record) {
                return Err(StoreError::RepeatedRecord);
            }
            let number = record.number();
            let before = now.find(number);
            match (*update, Record::is_counter(number)) {
                (Update::Write(_, contents), true) => plan.write_counter(number, contents)?,
                (Update::Write(_, contents), false) => plan.write(now, number, contents)?,
                (Update::Remove(_), true) if before.is_some() => {
                    plan.counters.push(StoreUpdate::Remove { key: usize::from(number) });
                    plan.directory.remove(number);
                }
                (Update::Remove(_), _) => plan.directory.remove(number),
            }
            if !Record::is_counter(number) {
                plan.stale.extend(before.into_iter().flat_map(Entry::keys));
            }
        }
        Ok(plan)
    }

    fn write_counter(&mut self, number: u16, contents: &[u8]) -> Result<(), StoreError> {
        let entry = Entry { number, length: 0, first_key: 0, checksum: 0 };
        self.directory.put(entry).ok_or(StoreError::Full)?;
        let [_, checksum @ ..] = directory::checksum(number, contents).to_be_bytes();
        let value = [contents, &checksum].concat();
        if value.len() > FRAGMENT {
            return Err(StoreError::Full);
        }
        self.counters.push(StoreUpdate::Insert { key: usize::from(number), value });
        Ok(())
    }

    fn write(&mut self, now: &Directory, number: u16, contents: &'a [u8]) -> Result<(), StoreError> {
        let length = u16::try_from(contents.len()).map_err(|_| StoreError::Full)?;
        // The record's old keys are still in use, so its new ones differ from them; they are free in the directory
        // to be as well.
        self.directory.remove(number);
        let first_key = self.directory.free_keys(now, keys_needed(contents.len())).ok_or(StoreError::Full)?;
        let checksum = directory::checksum(number, contents);
        self.directory.put(Entry { number, length, first_key, checksum }).ok_or(StoreError::Full)?;
        self.fragments.extend((first_key..).zip(contents.chunks(FRAGMENT)));
        Ok(())
    }

    /// Words of flash that the transaction needs before it gives any back.
    fn words(&self, pages: u16) -> usize {
        let entry = |length: usize| length.div_ceil(WORD_SIZE).saturating_add(1);
        let fragments = self.fragments.iter().map(|(_, fragment)| entry(fragment.len()));
        let counters = self.counters.iter().map(|update| entry(update.value().map_or(0, <[u8]>::len)));
        // The directory, and a word that opens the transaction.
        let directory = entry(self.directory.encode(pages).len()).saturating_add(1);
        fragments.chain(counters).fold(directory, usize::saturating_add)
    }
}

/// What lies on a flash, checked.
struct Survey {
    directory: Directory,
    mirror: Option<Mirror>,
    orphans: Vec<u16>,
}

impl Survey {
    fn new<F: Flash>(log: &Log<F>, pages: u16, reads: Reads) -> Result<Self, MountError> {
        let index = Index::new(log)?;
        if index.handles.is_empty() {
            return Err(MountError::Blank);
        }
        let room = log.capacity().map_err(|_| DAMAGED_LOG)?;
        if room.used() > room.total() {
            return Err(DAMAGED_LOG);
        }
        let bytes = index.value(log, DIRECTORY_KEY).map_err(|_| DAMAGED_DIRECTORY)?;
        let directory = Directory::decode(&bytes, pages).map_err(|error| match error {
            DirectoryError::Version(version) if version > directory::VERSION => MountError::Newer(version),
            DirectoryError::Pages(pages) => MountError::Pages(pages),
            DirectoryError::Version(_) | DirectoryError::Damaged => DAMAGED_DIRECTORY,
        })?;
        let mut mirror = Mirror::default();
        let mut named = Vec::with_capacity(index.handles.len());
        named.push(DIRECTORY_KEY);
        for entry in directory.entries() {
            match reads {
                Reads::Memory => mirror.0.push((entry.number, index.contents(log, entry)?)),
                Reads::Flash => index.show(log, entry, |_| ())?,
            }
            named.extend(entry.keys());
        }
        named.sort_unstable();
        let orphans = index.keys().filter(|key| named.binary_search(key).is_err()).collect();
        Ok(Self { directory, mirror: (reads == Reads::Memory).then_some(mirror), orphans })
    }
}

const DAMAGED_LOG: MountError = MountError::Damaged("its pages are no log of a store");
const DAMAGED_DIRECTORY: MountError = MountError::Damaged("its directory is not readable");
const DAMAGED_RECORD: MountError = MountError::Damaged("the checksum of a record does not match");

/// The log's entries, ascending by key.
struct Index {
    handles: Vec<StoreHandle>,
}

impl Index {
    fn new<F: Flash>(log: &Log<F>) -> Result<Self, MountError> {
        let handles: Result<Vec<_>, _> = log.iter().map_err(|_| DAMAGED_LOG)?.collect();
        let mut handles = handles.map_err(|_| DAMAGED_LOG)?;
        handles.sort_unstable_by_key(StoreHandle::get_key);
        Ok(Self { handles })
    }

    fn keys(&self) -> impl Iterator<Item = u16> {
        // Keys are below 4096.
        self.handles.iter().filter_map(|handle| u16::try_from(handle.get_key()).ok())
    }

    /// What lies under a key. Never empty: the store writes no empty entry, and the log panics reading certain ones.
    fn value<F: Flash>(&self, log: &Log<F>, key: u16) -> Result<Zeroizing<Vec<u8>>, MountError> {
        let position = self.handles.binary_search_by_key(&usize::from(key), StoreHandle::get_key);
        let handle = position.ok().and_then(|position| self.handles.get(position)).ok_or(DAMAGED_RECORD)?;
        match handle.get_length(log) {
            Ok(1..) => handle.get_value(log).map(Zeroizing::new).map_err(|_| DAMAGED_RECORD),
            _ => Err(DAMAGED_RECORD),
        }
    }

    /// The contents of a record, if they are those that were written.
    fn contents<F: Flash>(&self, log: &Log<F>, entry: &Entry) -> Result<Zeroizing<Vec<u8>>, MountError> {
        // Its full capacity at once: a buffer that grew would leave copies behind.
        let mut contents = Zeroizing::new(Vec::with_capacity(usize::from(entry.length)));
        self.show(log, entry, |piece| contents.extend_from_slice(piece))?;
        Ok(contents)
    }

    /// Shows the contents of a record piece by piece, and says in the end whether they are those that were written.
    fn show<F: Flash>(
        &self,
        log: &Log<F>,
        entry: &Entry,
        mut see: impl FnMut(&[u8]),
    ) -> Result<(), MountError> {
        if Record::is_counter(entry.number) {
            let value = self.value(log, entry.number)?;
            let length = value.len().checked_sub(COUNTER_CHECKSUM).ok_or(DAMAGED_RECORD)?;
            let (contents, found) = value.split_at_checked(length).ok_or(DAMAGED_RECORD)?;
            let [_, expected @ ..] = directory::checksum(entry.number, contents).to_be_bytes();
            see(contents);
            return if found == expected { Ok(()) } else { Err(DAMAGED_RECORD) };
        }
        let mut length = 0_usize;
        let mut checksum = Crc32::new().update(&entry.number.to_be_bytes());
        for key in entry.keys() {
            let piece = self.value(log, key)?;
            length = length.saturating_add(piece.len());
            checksum = checksum.update(&piece);
            see(&piece);
        }
        let whole = length == usize::from(entry.length) && checksum.finish() == entry.checksum;
        if whole { Ok(()) } else { Err(DAMAGED_RECORD) }
    }
}

/// A copy of all records, ascending by number.
#[derive(Default)]
struct Mirror(Vec<(u16, Zeroizing<Vec<u8>>)>);

impl Mirror {
    fn position(&self, number: u16) -> Result<usize, usize> {
        self.0.binary_search_by_key(&number, |(number, _)| *number)
    }

    fn find(&self, number: u16) -> Option<&[u8]> {
        self.0.get(self.position(number).ok()?).map(|(_, contents)| contents.as_slice())
    }

    fn put(&mut self, number: u16, contents: &[u8]) {
        match self.position(number) {
            Ok(position) => {
                let Some((_, old)) = self.0.get_mut(position) else { return };
                if old.len() == contents.len() {
                    old.copy_from_slice(contents);
                } else {
                    *old = Zeroizing::new(contents.to_vec());
                }
            }
            Err(position) => self.0.insert(position, (number, Zeroizing::new(contents.to_vec()))),
        }
    }

    fn remove(&mut self, number: u16) {
        if let Ok(position) = self.position(number) {
            self.0.remove(position);
        }
    }
}

/// A flash as the log wants it, and whether it was written to.
struct Adapter<F>(F, Arc<AtomicBool>);

impl<F> Adapter<F> {
    fn new(flash: F) -> Self {
        Self(flash, Arc::default())
    }
}

impl<F: Flash> Storage for Adapter<F> {
    fn word_size(&self) -> usize {
        WORD_SIZE
    }

    fn page_size(&self) -> usize {
        PAGE_SIZE
    }

    fn num_pages(&self) -> usize {
        self.0.bytes().len() / PAGE_SIZE
    }

    fn max_word_writes(&self) -> usize {
        2
    }

    fn max_page_erases(&self) -> usize {
        MAX_ERASURES
    }

    fn read_slice(&self, index: StorageIndex, length: usize) -> Result<Cow<'_, [u8]>, Error> {
        let range = index.range(length, self)?;
        self.0.bytes().get(range).map(Cow::Borrowed).ok_or(FAILED)
    }

    fn write_slice(&mut self, index: StorageIndex, value: &[u8]) -> Result<(), Error> {
        let range = index.range(value.len(), self)?;
        self.1.store(true, Ordering::Relaxed);
        self.0.write(range.start, value).map_err(|_| FAILED)
    }

    fn erase_page(&mut self, page: usize) -> Result<(), Error> {
        self.1.store(true, Ordering::Relaxed);
        self.0.erase(page).map_err(|_| FAILED)
    }
}

const FAILED: Error = Error::new_const(2, Code::Generic as u16);

fn store_error(error: Error) -> StoreError {
    match error {
        NO_CAPACITY => StoreError::Full,
        NO_LIFETIME => StoreError::WornOut,
        _ => StoreError::Medium,
    }
}

fn pages(flash: &impl Flash) -> Result<usize, MountError> {
    let length = flash.bytes().len();
    let pages = length / PAGE_SIZE;
    if PAGES.contains(&pages) && length.is_multiple_of(PAGE_SIZE) {
        Ok(pages)
    } else {
        Err(MountError::Geometry)
    }
}

fn number_of_pages(pages: usize) -> u16 {
    // At most 64.
    u16::try_from(pages).unwrap_or(u16::MAX)
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0xFF)
}
