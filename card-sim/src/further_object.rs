//! Data objects under tags that the standard's data model does not have: a YubiKey keeps any from `5F0000` to `5FFFFF`.
//!
//! Follows Yubico's documentation of PUT DATA. Such an object has a place among [`PLACES`]; one record, the register, says
//! which tag is in which place. Object and register change in one transaction.

use heapless::Vec;

use crate::{
    object::Container,
    store::{Record, Store, StoreError, Update},
};

/// How many such objects a card has room for.
pub const PLACES: u8 = 24;

const TAG_LENGTH: usize = 3;

/// A place without an object.
const FREE: u32 = 0;

/// The tag of such an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FurtherTag(u32);

impl FurtherTag {
    /// The tag with this number, if it is one of three bytes that begin with `5F`, and the data model has no such object.
    pub fn new(tag: u32) -> Option<Self> {
        ((0x5F_0000..=0x5F_FFFF).contains(&tag) && Container::find(tag).is_none()).then_some(Self(tag))
    }

    /// The tag as a number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Which tag is in which place.
pub struct Register {
    tags: [u32; PLACES as usize],
}

impl Register {
    /// The register of the card in this store.
    pub fn load(store: &impl Store) -> Result<Self, StoreError> {
        let mut bytes = Vec::<u8, { PLACES as usize * TAG_LENGTH }>::new();
        store.read(Record::FurtherTags, &mut bytes)?;
        let mut tags = [FREE; PLACES as usize];
        for (tag, [a, b, c]) in tags.iter_mut().zip(bytes.as_chunks().0) {
            *tag = u32::from_be_bytes([0, *a, *b, *c]);
        }
        Ok(Self { tags })
    }

    /// The objects that there are: tag and record.
    pub fn objects(&self) -> impl Iterator<Item = (FurtherTag, Record)> {
        let numbered = (0..PLACES).zip(self.tags);
        numbered.filter_map(|(place, tag)| Some((FurtherTag::new(tag)?, Record::FurtherObject(place))))
    }

    /// The record of the object with this tag, if there is one.
    pub fn find(&self, wanted: FurtherTag) -> Option<Record> {
        self.objects().find(|(tag, _)| *tag == wanted).map(|(_, record)| record)
    }

    /// Puts an object in, in place of the one with its tag.
    ///
    /// # Errors
    /// [`StoreError::Full`] when every place is taken.
    pub(crate) fn put(
        &mut self,
        store: &mut impl Store,
        tag: FurtherTag,
        object: &[u8],
    ) -> Result<(), StoreError> {
        if let Some(record) = self.find(tag) {
            return store.commit(&[Update::Write(record, object)]);
        }
        let place = self.set(FREE, tag.0).ok_or(StoreError::Full)?;
        store.commit(&[
            Update::Write(Record::FurtherTags, &self.bytes()),
            Update::Write(Record::FurtherObject(place), object),
        ])
    }

    /// Takes the object with this tag away, if there is one.
    pub(crate) fn remove(&mut self, store: &mut impl Store, tag: FurtherTag) -> Result<(), StoreError> {
        let Some(place) = self.set(tag.0, FREE) else { return Ok(()) };
        let bytes = self.bytes();
        let register = if bytes.is_empty() {
            Update::Remove(Record::FurtherTags)
        } else {
            Update::Write(Record::FurtherTags, &bytes)
        };
        store.commit(&[register, Update::Remove(Record::FurtherObject(place))])
    }

    /// Replaces the first place's tag that is `old`; which place that is.
    fn set(&mut self, old: u32, new: u32) -> Option<u8> {
        let (place, tag) = (0..PLACES).zip(&mut self.tags).find(|(_, tag)| **tag == old)?;
        *tag = new;
        Some(place)
    }

    /// The register as it is stored: three bytes a place, up to the last place with an object.
    fn bytes(&self) -> Vec<u8, { PLACES as usize * TAG_LENGTH }> {
        let free = self.tags.iter().rev().take_while(|tag| **tag == FREE).count();
        self.tags
            .iter()
            .take(self.tags.len().saturating_sub(free))
            .flat_map(|tag| {
                let [_, tag @ ..] = tag.to_be_bytes();
                tag
            })
            .collect()
    }
}

/// The records of all places and of the register.
pub(crate) fn records() -> impl Iterator<Item = Record> {
    (0..PLACES).map(Record::FurtherObject).chain([Record::FurtherTags])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_the_data_model_are_no_further_ones() {
        for (tag, further) in [
            (0x5F_0000, true),
            (0x5F_C104, true),
            (0x5F_FFFF, true),
            (0x5F_C102, false),
            (0x5F_FF01, false),
            (0x5E_FFFF, false),
            (0x60_0000, false),
            (0x7E, false),
        ] {
            assert_eq!(FurtherTag::new(tag).is_some(), further, "{tag:06X}");
        }
    }
}
