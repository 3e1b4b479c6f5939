//! The directory: which records a card has, and where their contents lie.
//!
//! It is one entry of the flash store, rewritten as a whole by every transaction but those that change retry counters
//! only. Writing it is what makes a transaction happen: contents lie under keys that no directory names before, and
//! what no directory names is nobody's.
//!
//! | length | contents |
//! |---|---|
//! | 8 | `card-sim`, by which a card file is recognised |
//! | 2 | format version, big-endian: `0002` |
//! | 2 | pages of the flash |
//! | 10 each | record number, length, first key, CRC-32 of number and contents; ascending by number |
//! | 4 | CRC-32 of all that stands before |
//!
//! A record whose contents are one retry counter has key and checksum 0: it lies under its own number, with its own
//! checksum, so that a PIN try costs two words of flash and no new directory.

use alloc::vec::Vec;
use core::ops::Range;

use super::{checksum::Crc32, record::Record};

/// What the directory begins with.
pub const MAGIC: &[u8; 8] = b"card-sim";

/// The format version that is written here. Version 1 was a file format without flash.
pub const VERSION: u16 = 2;

/// Most bytes under one key.
pub(super) const FRAGMENT: usize = 1020;

/// The keys under which contents lie. Below them are the directory (0) and the retry counters (their numbers).
const FRAGMENT_KEYS: Range<u16> = 0x800..0x1000;

const HEADER: usize = 12;
const ENTRY: usize = 10;

/// Most records, so that the directory fits under one key.
const MAX_RECORDS: usize = 100;

/// What the directory says of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) number: u16,
    pub(super) length: u16,
    pub(super) first_key: u16,
    pub(super) checksum: u32,
}

impl Entry {
    /// The keys under which the contents lie.
    pub(super) fn keys(&self) -> Range<u16> {
        if Record::is_counter(self.number) {
            return self.number..self.number.saturating_add(1);
        }
        self.first_key..self.first_key.saturating_add(keys_needed(usize::from(self.length)))
    }
}

/// The records of a card, ascending by number.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Directory {
    entries: Vec<Entry>,
}

/// Why bytes are no directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DirectoryError {
    /// It has another format version.
    Version(u16),
    /// It was written for a flash of so many pages.
    Pages(u16),
    /// It is damaged.
    Damaged,
}

impl Directory {
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn find(&self, number: u16) -> Option<&Entry> {
        self.entries.get(self.position(number).ok()?)
    }

    fn position(&self, number: u16) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&number, |entry| entry.number)
    }

    /// Puts an entry in, in place of the one with its number; `None` if there are too many.
    pub(super) fn put(&mut self, entry: Entry) -> Option<()> {
        match self.position(entry.number) {
            Ok(position) => *self.entries.get_mut(position)? = entry,
            Err(_) if self.entries.len() >= MAX_RECORDS => return None,
            Err(position) => self.entries.insert(position, entry),
        }
        Some(())
    }

    pub(super) fn remove(&mut self, number: u16) {
        if let Ok(position) = self.position(number) {
            self.entries.remove(position);
        }
    }

    /// The first of `count` keys in a row that neither this directory nor `other` uses.
    pub(super) fn free_keys(&self, other: &Self, count: u16) -> Option<u16> {
        let mut used: Vec<Range<u16>> = self.entries.iter().chain(&other.entries).map(Entry::keys).collect();
        used.sort_unstable_by_key(|keys| keys.start);
        let mut start = FRAGMENT_KEYS.start;
        for keys in used.iter().filter(|keys| keys.start >= FRAGMENT_KEYS.start) {
            if keys.start >= start.saturating_add(count) {
                break;
            }
            start = start.max(keys.end);
        }
        (start.saturating_add(count) <= FRAGMENT_KEYS.end).then_some(start)
    }

    /// The directory as it is written, for a flash of so many pages.
    pub(super) fn encode(&self, pages: u16) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER.saturating_add(ENTRY.saturating_mul(MAX_RECORDS)));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&pages.to_be_bytes());
        for entry in &self.entries {
            for number in [entry.number, entry.length, entry.first_key] {
                bytes.extend_from_slice(&number.to_be_bytes());
            }
            bytes.extend_from_slice(&entry.checksum.to_be_bytes());
        }
        let checksum = Crc32::new().update(&bytes).finish();
        bytes.extend_from_slice(&checksum.to_be_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8], pages: u16) -> Result<Self, DirectoryError> {
        let (contents, checksum) = bytes.split_last_chunk::<4>().ok_or(DirectoryError::Damaged)?;
        let (magic, rest) = contents.split_first_chunk::<8>().ok_or(DirectoryError::Damaged)?;
        if magic != MAGIC || Crc32::new().update(contents).finish() != u32::from_be_bytes(*checksum) {
            return Err(DirectoryError::Damaged);
        }
        let ([v1, v0, p1, p0], entries) = rest.split_first_chunk().ok_or(DirectoryError::Damaged)?;
        let version = u16::from_be_bytes([*v1, *v0]);
        if version != VERSION {
            return Err(DirectoryError::Version(version));
        }
        let written_for = u16::from_be_bytes([*p1, *p0]);
        if written_for != pages {
            return Err(DirectoryError::Pages(written_for));
        }
        let (entries, rest) = entries.as_chunks::<ENTRY>();
        let entries: Vec<_> = entries.iter().map(decode_entry).collect();
        let ascending = entries.is_sorted_by(|a, b| a.number < b.number);
        if ascending && rest.is_empty() { Ok(Self { entries }) } else { Err(DirectoryError::Damaged) }
    }
}

fn decode_entry([n1, n0, l1, l0, k1, k0, c3, c2, c1, c0]: &[u8; ENTRY]) -> Entry {
    Entry {
        number: u16::from_be_bytes([*n1, *n0]),
        length: u16::from_be_bytes([*l1, *l0]),
        first_key: u16::from_be_bytes([*k1, *k0]),
        checksum: u32::from_be_bytes([*c3, *c2, *c1, *c0]),
    }
}

/// Keys that contents of so many bytes take.
pub(super) fn keys_needed(length: usize) -> u16 {
    u16::try_from(length.div_ceil(FRAGMENT)).unwrap_or(u16::MAX)
}

/// The checksum of a record: its number is part of it, so that contents cannot pass for another record's.
pub(super) fn checksum(number: u16, contents: &[u8]) -> u32 {
    Crc32::new().update(&number.to_be_bytes()).update(contents).finish()
}
