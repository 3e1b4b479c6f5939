//! The layout of a card file, version 1.
//!
//! | offset | length | contents |
//! |---|---|---|
//! | 0 | 8 | `card-sim` |
//! | 8 | 2 | format version, big-endian: `0001` |
//! | 10 | 4 | size of the card's memory in bytes |
//! | 14 | 4 | length of the store's image |
//! | 18 | 32 | SHA-256 of everything else in the file |
//! | 50 | … | the store's image ([`MemoryStore::image`]) |

use card_sim::store::MemoryStore;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"card-sim";
const VERSION: u16 = 1;
const DIGEST: usize = 32;
const HEADER: usize = 18;

/// Largest memory that a card file may ask for: 16 MiB.
const MAX_MEMORY: usize = 16 << 20;

/// What is wrong with a card file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file does not begin like a card file.
    #[error("this is not a card file (it does not begin with \"card-sim\"); nothing was changed")]
    Foreign,
    /// The file was written by a later version of this program.
    #[error(
        "this card file has format version {0}, and this program reads version {VERSION}; \
         use a newer vreader. Nothing was changed"
    )]
    Newer(u16),
    /// The file is cut, or bytes in it have changed.
    #[error("this card file is damaged ({0}); restore it from a copy. Nothing was changed")]
    Damaged(&'static str),
}

/// The bytes of a card file with this store. They hold secrets.
pub fn encode(store: &MemoryStore<Vec<u8>>, memory_size: usize) -> Zeroizing<Vec<u8>> {
    let image = store.image();
    let mut file = Zeroizing::new(Vec::with_capacity(HEADER + DIGEST + image.len()));
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&VERSION.to_be_bytes());
    for length in [memory_size, image.len()] {
        // Both are at most MAX_MEMORY.
        file.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
    let digest = digest(&file, image);
    file.extend_from_slice(&digest);
    file.extend_from_slice(image);
    file
}

/// The store in a card file, and the size of its memory.
pub fn decode(file: &[u8]) -> Result<(MemoryStore<Vec<u8>>, usize), FormatError> {
    let (magic, rest) = file.split_first_chunk::<8>().ok_or(FormatError::Foreign)?;
    if magic != MAGIC {
        return Err(FormatError::Foreign);
    }
    let (version, rest) = rest.split_first_chunk().ok_or(FormatError::Damaged("it ends in its header"))?;
    match u16::from_be_bytes(*version) {
        VERSION => {}
        0 => return Err(FormatError::Damaged("its version is 0")),
        newer => return Err(FormatError::Newer(newer)),
    }
    let cut = FormatError::Damaged("it ends in its header");
    let (memory_size, rest) = rest.split_first_chunk().ok_or(cut)?;
    let (length, rest) = rest.split_first_chunk().ok_or(cut)?;
    let (stored, image) = rest.split_first_chunk::<DIGEST>().ok_or(cut)?;
    let memory_size = u32::from_be_bytes(*memory_size) as usize;
    if image.len() != u32::from_be_bytes(*length) as usize {
        return Err(FormatError::Damaged("its length is not the one in its header"));
    }
    if digest(&file[..HEADER], image) != *stored {
        return Err(FormatError::Damaged("its checksum does not match"));
    }
    if memory_size > MAX_MEMORY {
        return Err(FormatError::Damaged("it asks for more than 16 MiB of card memory"));
    }
    let store = MemoryStore::from_image(vec![0; memory_size], image)
        .map_err(|_| FormatError::Damaged("its records do not fit its memory"))?;
    Ok((store, memory_size))
}

fn digest(header: &[u8], image: &[u8]) -> [u8; DIGEST] {
    Sha256::new().chain_update(header).chain_update(image).finalize().into()
}

#[cfg(test)]
mod tests {
    use card_sim::store::{Record, Store, Update};

    use super::*;

    fn sample() -> Vec<u8> {
        let mut store = MemoryStore::new(vec![0; 64]);
        store.commit(&[Update::Write(Record::Profile, b"piv")]).unwrap();
        encode(&store, 64).to_vec()
    }

    #[test]
    fn round_trip() {
        let file = sample();
        let (store, size) = decode(&file).unwrap();
        assert_eq!(size, 64);
        assert_eq!(*encode(&store, size), file);
    }

    #[test]
    fn every_damage_is_named() {
        let file = sample();
        for length in 0..file.len() {
            let error = decode(&file[..length]).err().unwrap();
            assert_eq!(matches!(error, FormatError::Foreign), length < 8, "cut at {length}");
        }
        for position in 0..file.len() {
            let mut changed = file.clone();
            changed[position] ^= 0x40;
            let error = decode(&changed).err().unwrap_or_else(|| panic!("byte {position} may change unseen"));
            match position {
                0..8 => assert_eq!(error, FormatError::Foreign),
                8..10 => assert!(matches!(error, FormatError::Newer(_))),
                _ => assert!(matches!(error, FormatError::Damaged(_))),
            }
        }
        let mut longer = file;
        longer.push(0);
        assert!(matches!(decode(&longer).err(), Some(FormatError::Damaged(_))));
    }
}
