//! What a card file is: the flash of a card, byte for byte.
//!
//! There is no header, so that a file can be written to a microcontroller's flash and read back. A file is a card if its
//! pages are a log of the store and that holds a directory ([`card_sim::store::directory`]).
//!
//! A file is opened as a copy in memory first: what an interruption left over is put in order there, every record is
//! checked against its checksum, and every word of the flash is checked to be what the store leaves behind. Only then is
//! the file itself touched, so that a file which cannot be used stays as it is.

use card_sim::store::{FlashStore, MemoryFlash, MountError, Reads, audit, directory};

use super::version_1;

/// What is wrong with a card file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// There is nothing in the file.
    #[error("this file is empty; make a card with `vreader card new`")]
    Empty,
    /// A flash without a card.
    #[error("this is a blank flash and not a card; make a card with `vreader card new`")]
    Blank,
    /// The file is not the flash of a card.
    #[error("this is not a card file (nothing in it is the flash of a card); nothing was changed")]
    Foreign,
    /// The file was written by a later version of this program.
    #[error(
        "this card file has format version {0}, and this program reads version {version}; \
         use a newer vreader. Nothing was changed",
        version = directory::VERSION
    )]
    Newer(u16),
    /// The file is cut or longer than it was.
    #[error(
        "this card file is damaged (it was made with {expected} KiB and has {found} bytes); \
         restore it from a copy. Nothing was changed"
    )]
    Length {
        /// Its length when it was made, in KiB.
        expected: usize,
        /// Its length now, in bytes.
        found: usize,
    },
    /// Bytes of the file have changed.
    #[error("this card file is damaged ({0}); restore it from a copy. Nothing was changed")]
    Damaged(&'static str),
}

/// A card file, opened in memory.
pub struct Opened {
    /// The card's state.
    pub store: FlashStore<MemoryFlash>,
    /// How the file differs from what the card would leave behind.
    pub state: State,
}

/// In what state a card file was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Sound,
    /// A change had been interrupted, or bytes in words without a meaning had changed: it has been put in order.
    Repaired,
    /// Of version 1: it has been converted.
    Converted,
}

/// Opens the bytes of a card file. `reads` is for the store that comes of it.
pub fn open(file: &[u8], reads: Reads) -> Result<Opened, FormatError> {
    if version_1::is_version_1(file) {
        return Ok(Opened { store: version_1::convert(file)?, state: State::Converted });
    }
    let mut store =
        FlashStore::open(MemoryFlash::from_image(file), reads).map_err(|error| explain(file, error))?;
    let (audited, unchanged) = store
        .with_image(|image| (audit::audit(image), image == file))
        .map_err(|_| FormatError::Damaged("its pages are no log of a store"))?;
    audited.map_err(|_| FormatError::Damaged("words between its records have changed"))?;
    Ok(Opened { store, state: if unchanged { State::Sound } else { State::Repaired } })
}

fn explain(file: &[u8], error: MountError) -> FormatError {
    match error {
        _ if file.is_empty() => FormatError::Empty,
        MountError::Blank if file.iter().all(|byte| *byte == 0xFF) => FormatError::Blank,
        MountError::Newer(version) => FormatError::Newer(version),
        MountError::Pages(pages) => {
            FormatError::Length { expected: usize::from(pages) * 4, found: file.len() }
        }
        _ if !audit::resembles_a_store(file) => FormatError::Foreign,
        MountError::Geometry => FormatError::Damaged("no card's flash has its length"),
        MountError::Blank => FormatError::Damaged("it holds no records"),
        MountError::Damaged(reason) => FormatError::Damaged(reason),
        _ => FormatError::Damaged("it cannot be read as a flash"),
    }
}

#[cfg(test)]
mod tests {
    use card_sim::store::{FlashStore, MemoryFlash, Reads, Record, Store, Update};

    use super::{FormatError, Opened, State};

    fn sample() -> Vec<u8> {
        let mut store = FlashStore::format(MemoryFlash::blank(4), Reads::Memory).unwrap();
        for round in 0..40 {
            store.commit(&[Update::Write(Record::Profile, &[round; 80])]).unwrap();
        }
        store.image().unwrap().to_vec()
    }

    fn open(file: &[u8]) -> Result<Opened, FormatError> {
        super::open(file, Reads::Memory)
    }

    fn contents(store: &impl Store) -> Vec<u8> {
        let mut out = heapless::Vec::<u8, 100>::new();
        store.read(Record::Profile, &mut out).unwrap();
        out.to_vec()
    }

    #[test]
    fn a_file_is_known_by_its_contents() {
        let good = sample();
        assert_eq!(open(&good).unwrap().state, State::Sound);
        let error = |file: &[u8]| open(file).err();
        assert_eq!(error(&[]), Some(FormatError::Empty));
        assert_eq!(error(&[0xFF; 4 * 4096]), Some(FormatError::Blank));
        for foreign in [&b"%PDF-1.7"[..], &[0; 4 * 4096], &b"PK\x03\x04".repeat(4096), b"card-si"] {
            assert_eq!(error(foreign), Some(FormatError::Foreign), "{foreign:02X?}");
        }
        assert_eq!(error(&good[..3 * 4096]), Some(FormatError::Length { expected: 16, found: 12_288 }));
        for length in [8, 4095, 4097, 3 * 4096 + 1, good.len() - 1] {
            assert!(matches!(error(&good[..length]), Some(FormatError::Damaged(_))), "cut at {length}");
        }
    }

    #[test]
    fn every_byte_may_change_and_no_other_contents_come_of_it() {
        let good = sample();
        let expected = contents(&open(&good).unwrap().store);
        let (mut refused, mut repaired, mut unused) = (0, 0, 0);
        for position in 0..good.len() {
            let mut changed = good.clone();
            changed[position] ^= 1 << (position % 8);
            match open(&changed) {
                Err(FormatError::Damaged(_)) => refused += 1,
                Err(error) => panic!("byte {position}: {error}"),
                Ok(Opened { store, state }) => {
                    assert!(contents(&store) == expected, "byte {position}");
                    *(if state == State::Repaired { &mut repaired } else { &mut unused }) += 1;
                }
            }
        }
        // What changes in the header of a removed entry, and means nothing, cannot be told.
        println!("{refused} refused, {repaired} repaired, {unused} without a meaning");
        assert!(refused > 10_000 && repaired > 1_000 && unused < good.len() / 50);
    }
}
