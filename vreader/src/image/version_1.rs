//! Card files of version 1, which were no flash: read once, to be converted.
//!
//! | offset | length | contents |
//! |---|---|---|
//! | 0 | 8 | `card-sim` |
//! | 8 | 2 | format version, big-endian: `0001` |
//! | 10 | 4 | size of the card's memory in bytes |
//! | 14 | 4 | length of what follows the checksum |
//! | 18 | 32 | SHA-256 of everything else in the file |
//! | 50 | … | records: number (2 bytes), length (2 bytes), contents |

use card_sim::store::{FlashStore, MemoryFlash, Reads, Record, Store, StoreError, Update};
use sha2::{Digest, Sha256};

use super::{FlashSize, FormatError};

const MAGIC: &[u8; 8] = b"card-sim";
const DIGEST: usize = 32;
const HEADER: usize = 18;

/// Whether a file begins like one of version 1. A flash never does: no page begins with these bytes.
pub(super) fn is_version_1(file: &[u8]) -> bool {
    file.starts_with(MAGIC)
}

/// The card in a file of version 1, on a flash of the default size, or the largest if it has to be.
pub(super) fn convert(file: &[u8]) -> Result<FlashStore<MemoryFlash>, FormatError> {
    let updates = records(file)?;
    for size in [FlashSize::DEFAULT, FlashSize::LARGEST] {
        let mut store = FlashStore::format(MemoryFlash::blank(size.pages()), Reads::Memory)
            .map_err(|_| FormatError::Damaged("it cannot be converted"))?;
        match store.commit(&updates) {
            Ok(()) => return Ok(store),
            Err(StoreError::Full) => {}
            Err(_) => return Err(FormatError::Damaged("its records cannot be converted")),
        }
    }
    Err(FormatError::Damaged("its records do not fit a flash of 256 KiB"))
}

fn records(file: &[u8]) -> Result<Vec<Update<'_>>, FormatError> {
    let cut = FormatError::Damaged("it ends in its header");
    let (_, rest) = file.split_first_chunk::<8>().ok_or(FormatError::Foreign)?;
    let (version, rest) = rest.split_first_chunk().ok_or(cut)?;
    match u16::from_be_bytes(*version) {
        1 => {}
        0 => return Err(FormatError::Damaged("its version is 0")),
        newer => return Err(FormatError::Newer(newer)),
    }
    let (_, rest) = rest.split_first_chunk::<4>().ok_or(cut)?;
    let (length, rest) = rest.split_first_chunk().ok_or(cut)?;
    let (stored, mut image) = rest.split_first_chunk::<DIGEST>().ok_or(cut)?;
    if image.len() != u32::from_be_bytes(*length) as usize {
        return Err(FormatError::Damaged("its length is not the one in its header"));
    }
    if Sha256::new().chain_update(&file[..HEADER]).chain_update(image).finalize()[..] != stored[..] {
        return Err(FormatError::Damaged("its checksum does not match"));
    }
    let mut updates = Vec::new();
    while !image.is_empty() {
        let (update, rest) = record(image).ok_or(FormatError::Damaged("its records are malformed"))?;
        updates.push(update);
        image = rest;
    }
    Ok(updates)
}

/// The first record, and what follows it.
fn record(image: &[u8]) -> Option<(Update<'_>, &[u8])> {
    let (number, rest) = image.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (contents, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    Some((Update::Write(Record::from_number(u16::from_be_bytes(*number))?, contents), rest))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A file of version 1 with these records.
    pub(in crate::image) fn encode(records: &[(Record, &[u8])]) -> Vec<u8> {
        let mut image = Vec::new();
        for (record, contents) in records {
            image.extend(record.number().to_be_bytes());
            image.extend(u16::try_from(contents.len()).unwrap().to_be_bytes());
            image.extend(*contents);
        }
        let mut file = [MAGIC, &[0, 1][..], &[0, 2, 0x40, 0]].concat();
        file.extend(u32::try_from(image.len()).unwrap().to_be_bytes());
        file.extend(Sha256::new().chain_update(&file).chain_update(&image).finalize());
        file.extend(image);
        file
    }

    #[test]
    fn every_damage_is_named() {
        let file = encode(&[(Record::Profile, b"piv")]);
        assert!(convert(&file).is_ok());
        for length in 8..file.len() {
            assert!(
                matches!(convert(&file[..length]).err(), Some(FormatError::Damaged(_))),
                "cut at {length}"
            );
        }
        for position in 8..file.len() {
            let mut changed = file.clone();
            changed[position] ^= 0x40;
            let error =
                convert(&changed).err().unwrap_or_else(|| panic!("byte {position} may change unseen"));
            assert_eq!(matches!(error, FormatError::Newer(_)), position < 10);
        }
        let longer = [&file[..], &[0]].concat();
        assert!(matches!(convert(&longer).err(), Some(FormatError::Damaged(_))));
    }
}
