//! A store in one block of memory.
//!
//! Records stand one after another: number (2 bytes, big-endian), length (2 bytes), contents. What is removed or
//! overwritten is wiped. The block is the whole state, so a copy of it is a copy of the card.

use heapless::VecView;
use zeroize::Zeroize;

use super::{Record, Store, StoreError, Update};

/// Bytes before the contents of each record: number and length.
const HEADER: usize = 4;

/// A store in a block of bytes: an array on a small machine, a vector on a host.
pub struct MemoryStore<B: AsRef<[u8]> + AsMut<[u8]>> {
    block: B,
    used: usize,
}

/// Where a record stands in the block.
#[derive(Clone, Copy)]
struct Place {
    /// First byte of the header.
    start: usize,
    /// First byte of the contents.
    contents: usize,
    /// First byte after the contents.
    end: usize,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> MemoryStore<B> {
    /// An empty store that may grow to the size of `block`.
    pub fn new(mut block: B) -> Self {
        block.as_mut().zeroize();
        Self { block, used: 0 }
    }

    /// A store with the contents that [`image`](Self::image) gave, in `block`.
    ///
    /// # Errors
    /// [`StoreError::Full`] if they do not fit, [`StoreError::Medium`] if they are not whole records.
    pub fn from_image(block: B, image: &[u8]) -> Result<Self, StoreError> {
        let mut store = Self::new(block);
        store.block.as_mut().get_mut(..image.len()).ok_or(StoreError::Full)?.copy_from_slice(image);
        store.used = image.len();
        let mut end = 0;
        while let Some((_, place)) = store.place_at(end) {
            end = place.end;
        }
        if end == store.used { Ok(store) } else { Err(StoreError::Medium) }
    }

    /// The bytes in use. They hold secrets.
    pub fn image(&self) -> &[u8] {
        self.block.as_ref().get(..self.used).unwrap_or_default()
    }

    /// The record that starts at this offset, with its number.
    fn place_at(&self, start: usize) -> Option<(u16, Place)> {
        let rest = self.image().get(start..)?;
        let ([n1, n0, l1, l0], contents) = rest.split_first_chunk::<HEADER>()?;
        let length = usize::from(u16::from_be_bytes([*l1, *l0]));
        contents.get(..length)?;
        let contents = start.checked_add(HEADER)?;
        let end = contents.checked_add(length)?;
        Some((u16::from_be_bytes([*n1, *n0]), Place { start, contents, end }))
    }

    fn find(&self, record: Record) -> Option<Place> {
        let wanted = record.number();
        let mut start = 0;
        while let Some((number, place)) = self.place_at(start) {
            if number == wanted {
                return Some(place);
            }
            start = place.end;
        }
        None
    }

    /// Length of the block in use after `updates`, which must fit.
    fn length_after(&self, updates: &[Update<'_>]) -> Result<usize, StoreError> {
        let mut length = self.used;
        for (index, update) in updates.iter().enumerate() {
            let (record, added) = match *update {
                Update::Write(record, bytes) => {
                    u16::try_from(bytes.len()).map_err(|_| StoreError::Full)?;
                    (record, bytes.len().saturating_add(HEADER))
                }
                Update::Remove(record) => (record, 0),
            };
            if updates.iter().take(index).any(|earlier| earlier.record() == record) {
                return Err(StoreError::RepeatedRecord);
            }
            let removed = self.find(record).map_or(0, |place| place.end.saturating_sub(place.start));
            length = length.saturating_sub(removed).saturating_add(added);
        }
        if length <= self.block.as_ref().len() { Ok(length) } else { Err(StoreError::Full) }
    }

    fn remove(&mut self, record: Record) {
        let Some(place) = self.find(record) else { return };
        let removed = place.end.saturating_sub(place.start);
        let used = self.used;
        let Some(in_use) = self.block.as_mut().get_mut(..used) else { return };
        // Both bounds come from `find`, which only returns places inside the bytes in use.
        in_use.copy_within(place.end.., place.start);
        self.used = used.saturating_sub(removed);
        if let Some(freed) = in_use.get_mut(self.used..) {
            freed.zeroize();
        }
    }

    /// Writes a record. [`length_after`](Self::length_after) has made sure that it fits.
    fn write(&mut self, record: Record, bytes: &[u8]) {
        if let Some(place) = self.find(record) {
            let old = self.block.as_mut().get_mut(place.contents..place.end);
            if let Some(old) = old.filter(|old| old.len() == bytes.len()) {
                old.copy_from_slice(bytes);
                return;
            }
            self.remove(record);
        }
        let Ok(length) = u16::try_from(bytes.len()) else { return };
        let parts = [&record.number().to_be_bytes()[..], &length.to_be_bytes()[..], bytes];
        for part in parts {
            let end = self.used.saturating_add(part.len());
            if let Some(free) = self.block.as_mut().get_mut(self.used..end) {
                free.copy_from_slice(part);
                self.used = end;
            }
        }
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Store for MemoryStore<B> {
    fn read(&self, record: Record, out: &mut VecView<u8>) -> Result<bool, StoreError> {
        let Some(place) = self.find(record) else { return Ok(false) };
        let contents = self.image().get(place.contents..place.end).unwrap_or_default();
        out.extend_from_slice(contents).map_err(|_| StoreError::BufferTooSmall)?;
        Ok(true)
    }

    fn commit(&mut self, updates: &[Update<'_>]) -> Result<(), StoreError> {
        // After this check nothing can fail, which makes the commit whole.
        self.length_after(updates)?;
        // Removals first: between the updates the block must never need more room than before or after.
        for update in updates {
            match *update {
                Update::Remove(record) => self.remove(record),
                Update::Write(record, bytes) => {
                    let kept =
                        self.find(record).is_some_and(|p| p.end.saturating_sub(p.contents) == bytes.len());
                    if !kept {
                        self.remove(record);
                    }
                }
            }
        }
        for update in updates {
            if let Update::Write(record, bytes) = *update {
                self.write(record, bytes);
            }
        }
        Ok(())
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Drop for MemoryStore<B> {
    fn drop(&mut self) {
        self.block.as_mut().zeroize();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::{collections::BTreeMap, vec, vec::Vec};

    use proptest::prelude::*;

    use super::*;
    use crate::{key::KeyReference, reference::Reference};

    const RECORDS: [Record; 5] = [
        Record::Profile,
        Record::Key(KeyReference::PivAuthentication),
        Record::Key(KeyReference::CardManagement),
        Record::ReferenceData(Reference::PivPin),
        Record::RetryCounter(Reference::PivPin),
    ];

    fn read(store: &MemoryStore<Vec<u8>>, record: Record) -> Option<Vec<u8>> {
        let mut out = heapless::Vec::<u8, 512>::new();
        store.read(record, &mut out).unwrap().then(|| out.to_vec())
    }

    #[test]
    fn a_transaction_that_does_not_fit_changes_nothing() {
        let mut store = MemoryStore::new(vec![0; 20]);
        store.commit(&[Update::Write(RECORDS[0], &[1; 8])]).unwrap();
        let updates = [Update::Remove(RECORDS[0]), Update::Write(RECORDS[1], &[2; 17])];
        assert_eq!(store.commit(&updates), Err(StoreError::Full));
        assert_eq!(read(&store, RECORDS[0]), Some(vec![1; 8]));
        assert_eq!(read(&store, RECORDS[1]), None);
    }

    #[test]
    fn a_record_may_be_named_once_in_a_transaction() {
        let mut store = MemoryStore::new(vec![0; 64]);
        let updates = [Update::Write(RECORDS[0], &[1]), Update::Remove(RECORDS[0])];
        assert_eq!(store.commit(&updates), Err(StoreError::RepeatedRecord));
    }

    #[test]
    fn removed_secrets_are_wiped() {
        let mut store = MemoryStore::new(vec![0; 64]);
        store.commit(&[Update::Write(RECORDS[1], &[0xA5; 16])]).unwrap();
        store.commit(&[Update::Write(RECORDS[1], &[1; 3])]).unwrap();
        assert!(!store.block.contains(&0xA5));
    }

    #[test]
    fn a_cut_image_is_refused() {
        let mut store = MemoryStore::new(vec![0; 64]);
        store.commit(&[Update::Write(RECORDS[0], &[1; 8])]).unwrap();
        let image = store.image().to_vec();
        assert!(MemoryStore::from_image(vec![0; 64], &image).is_ok());
        for length in 1..image.len() {
            let cut = MemoryStore::from_image(vec![0; 64], &image[..length]);
            assert_eq!(cut.err(), Some(StoreError::Medium), "cut at {length}");
        }
    }

    proptest! {
        #[test]
        fn behaves_like_a_map(
            transactions in prop::collection::vec(
                prop::collection::vec(
                    (0..RECORDS.len(), prop::option::of(prop::collection::vec(any::<u8>(), 0..40))), 1..4),
                1..30),
        ) {
            let mut store = MemoryStore::new(vec![0; 120]);
            let mut model = BTreeMap::new();
            for mut transaction in transactions {
                transaction.sort_by_key(|(index, _)| *index);
                transaction.dedup_by_key(|(index, _)| *index);
                let updates: Vec<_> = transaction.iter().map(|(index, value)| match value {
                    Some(value) => Update::Write(RECORDS[*index], value),
                    None => Update::Remove(RECORDS[*index]),
                }).collect();
                let mut next = model.clone();
                for (index, value) in &transaction {
                    match value {
                        Some(value) => { next.insert(*index, value.clone()); }
                        None => { next.remove(index); }
                    }
                }
                let size: usize = next.values().map(|value| value.len() + HEADER).sum();
                let expected = if size <= 120 { model = next; Ok(()) } else { Err(StoreError::Full) };
                prop_assert_eq!(store.commit(&updates), expected);
                for (index, record) in RECORDS.iter().enumerate() {
                    prop_assert_eq!(read(&store, *record), model.get(&index).cloned());
                }
            }
        }
    }
}
