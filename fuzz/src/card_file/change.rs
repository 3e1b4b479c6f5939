//! What an input does to a card file: changes of bytes, and changes that keep the checksums, so that they get further.
//!
//! An input begins with a byte that chooses a file; after it every change begins with a byte that chooses its kind.

use std::borrow::Cow;

use card_sim::store::{
    FlashStore, MemoryFlash, Reads, Record, Store, Update,
    flash::{PAGE_SIZE, WORD_SIZE},
};
use sha2::{Digest, Sha256};
use wasefire_store::{BufferOptions, BufferStorage, Storage, StorageIndex};

use crate::input::Input;

/// The key of the store's directory, and the bytes of a checksum behind it.
const DIRECTORY: usize = 0;
const CHECKSUM: usize = 4;

/// A file of version 1 has its digest here, of all bytes before and behind.
const DIGEST: std::ops::Range<usize> = 18..50;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Bytes are replaced.
    Set { at: usize, bytes: Vec<u8> },
    /// A byte is changed.
    Xor { at: usize, with: u8 },
    /// Bits are cleared, as by a write that was cut.
    Clear { at: usize, bytes: Vec<u8> },
    /// A page is copied over another one.
    CopyPage { from: u8, to: u8 },
    /// The file ends here.
    Truncate { length: usize },
    /// The file gets longer.
    Extend { by: u8, with: u8 },
    /// The store gets other contents of a record, which the card did not write.
    Record { record: u8, contents: Vec<u8> },
    /// A record is removed.
    Remove { record: u8 },
    /// The log gets another entry, under any key.
    Entry { key: usize, value: Vec<u8> },
    /// The directory is changed, and its checksum is that of what it says now.
    Directory { at: usize, bytes: Vec<u8> },
    /// The digest of a file of version 1 is that of what it says now.
    Seal,
}

impl Change {
    /// The next change, unless the input is over.
    pub(super) fn read(input: &mut Input<'_>) -> Option<Self> {
        let kind = input.next()?;
        Some(match kind % 11 {
            0 => Self::Set { at: input.number(), bytes: input.counted().to_vec() },
            1 => Self::Xor { at: input.number(), with: input.byte() },
            2 => Self::Clear { at: input.number(), bytes: input.counted().to_vec() },
            3 => Self::CopyPage { from: input.byte(), to: input.byte() },
            4 => Self::Truncate { length: input.number() },
            5 => Self::Extend { by: input.byte(), with: input.byte() },
            6 => Self::Record { record: input.byte(), contents: input.counted().to_vec() },
            7 => Self::Remove { record: input.byte() },
            8 => Self::Entry { key: input.number(), value: input.counted().to_vec() },
            9 => Self::Directory { at: input.number(), bytes: input.counted().to_vec() },
            _ => Self::Seal,
        })
    }

    /// Appends the bytes that [`read`](Self::read) makes this change of.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let number = |value: usize| u16::try_from(value).unwrap_or(u16::MAX).to_be_bytes();
        let counted = |bytes: &[u8]| [&[u8::try_from(bytes.len()).unwrap_or(u8::MAX)], bytes].concat();
        let placed = |at: usize, bytes: &[u8]| [&number(at)[..], &counted(bytes)].concat();
        let (kind, fields) = match self {
            Self::Set { at, bytes } => (0, placed(*at, bytes)),
            Self::Xor { at, with } => (1, [&number(*at)[..], &[*with]].concat()),
            Self::Clear { at, bytes } => (2, placed(*at, bytes)),
            Self::CopyPage { from, to } => (3, vec![*from, *to]),
            Self::Truncate { length } => (4, number(*length).to_vec()),
            Self::Extend { by, with } => (5, vec![*by, *with]),
            Self::Record { record, contents } => (6, [&[*record], &counted(contents)[..]].concat()),
            Self::Remove { record } => (7, vec![*record]),
            Self::Entry { key, value } => (8, placed(*key, value)),
            Self::Directory { at, bytes } => (9, placed(*at, bytes)),
            Self::Seal => (10, Vec::new()),
        };
        out.push(kind);
        out.extend(fields);
    }

    /// Whether it gets past checksums, so that a card may come of it that nobody made.
    pub(super) fn is_sealed(&self) -> bool {
        matches!(self, Self::Record { .. } | Self::Entry { .. } | Self::Directory { .. } | Self::Seal)
    }

    /// Changes a file. What cannot be done to it is not done.
    pub(super) fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Set { at, bytes } => replace(file, *at, bytes, |_, byte| byte),
            Self::Xor { at, with } => replace(file, *at, &[*with], |cell, byte| cell ^ byte),
            Self::Clear { at, bytes } => replace(file, *at, bytes, |cell, byte| cell & byte),
            Self::CopyPage { from, to } => copy_page(file, *from, *to),
            Self::Truncate { length } => file.truncate(length % (file.len() + 1)),
            Self::Extend { by, with } => file.resize(file.len() + usize::from(*by) * 64, *with),
            Self::Record { record, contents } => commit(file, *record, Some(contents)),
            Self::Remove { record } => commit(file, *record, None),
            Self::Entry { key, value } => in_log(file, |log| {
                // Keys are below 4096.
                let _ = log.insert(key % 4096, value);
            }),
            Self::Directory { at, bytes } => in_log(file, |log| {
                let Ok(Some(mut directory)) = log.find(DIRECTORY) else { return };
                let length = directory.len().saturating_sub(CHECKSUM);
                let contents = &mut directory[..length];
                replace(contents, *at, bytes, |_, byte| byte);
                let checksum = crc_32(contents).to_be_bytes();
                directory[length..].copy_from_slice(&checksum[..CHECKSUM.min(checksum.len())]);
                let _ = log.insert(DIRECTORY, &directory);
            }),
            Self::Seal => seal_version_1(file),
        }
    }
}

/// The record that a byte stands for.
fn record(byte: u8) -> Record {
    let all: Vec<_> = (0..0x1000).filter_map(Record::from_number).collect();
    all[usize::from(byte) % all.len()]
}

/// The byte that stands for a record.
pub(super) fn byte_of(wanted: Record) -> u8 {
    let place = (0..0x1000).filter_map(Record::from_number).position(|record| record == wanted);
    place.and_then(|place| u8::try_from(place).ok()).expect("fewer than 256 records")
}

fn replace(file: &mut [u8], at: usize, bytes: &[u8], change: fn(u8, u8) -> u8) {
    let at = at.checked_rem(file.len()).unwrap_or(0);
    for (cell, byte) in file[at..].iter_mut().zip(bytes) {
        *cell = change(*cell, *byte);
    }
}

fn copy_page(file: &mut [u8], from: u8, to: u8) {
    let pages = file.len() / PAGE_SIZE;
    if let (Some(from), Some(to)) = (usize::from(from).checked_rem(pages), usize::from(to).checked_rem(pages))
    {
        file.copy_within(from * PAGE_SIZE..(from + 1) * PAGE_SIZE, to * PAGE_SIZE);
    }
}

/// As a card would, but for the contents.
fn commit(file: &mut Vec<u8>, byte: u8, contents: Option<&[u8]>) {
    let Ok(mut store) = FlashStore::open(MemoryFlash::from_image(file), Reads::Memory) else { return };
    if store.with_image(card_sim::store::audit::audit) != Ok(Ok(())) {
        return;
    }
    let update =
        contents.map_or(Update::Remove(record(byte)), |contents| Update::Write(record(byte), contents));
    if store.commit(&[update]).is_ok() {
        *file = store.image().expect("a flash in memory").to_vec();
    }
}

/// As a store would, but for the entries. Only a sound flash: the log trusts it.
fn in_log(file: &mut Vec<u8>, change: impl FnOnce(&mut wasefire_store::Store<BufferStorage>)) {
    let flash = MemoryFlash::from_image(file);
    let Ok(mut store) = FlashStore::open(flash, Reads::Flash) else { return };
    if store.with_image(card_sim::store::audit::audit) != Ok(Ok(())) {
        return;
    }
    let options = BufferOptions {
        word_size: WORD_SIZE,
        page_size: PAGE_SIZE,
        max_word_writes: 2,
        max_page_erases: 10_000,
        strict_mode: false,
    };
    let image = store.image().expect("a flash in memory");
    let storage = BufferStorage::new(image.to_vec().into(), options);
    let Ok(mut log) = wasefire_store::Store::new(storage) else { return };
    change(&mut log);
    let storage = log.extract_storage();
    let page = |page| storage.read_slice(StorageIndex { page, byte: 0 }, PAGE_SIZE);
    *file =
        (0..storage.num_pages()).filter_map(|number| page(number).ok()).flat_map(Cow::into_owned).collect();
}

fn seal_version_1(file: &mut [u8]) {
    if file.len() >= DIGEST.end {
        let digest =
            Sha256::new().chain_update(&file[..DIGEST.start]).chain_update(&file[DIGEST.end..]).finalize();
        file[DIGEST].copy_from_slice(&digest);
    }
}

/// CRC-32 (ISO-HDLC), bit by bit.
fn crc_32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}
