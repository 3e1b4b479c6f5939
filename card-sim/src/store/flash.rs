//! NOR flash as a store needs it: read anywhere, clear bits a word at a time, set them a page at a time.
//!
//! [`Flash`] is what a board or a host has to give. [`MemoryFlash`] is such a flash in memory, which behaves like the
//! real thing: a write can clear bits and never sets one.

use alloc::{vec, vec::Vec};
use core::ops::Range;

use zeroize::Zeroize;

/// The unit of writing, in bytes.
pub const WORD_SIZE: usize = 4;

/// The unit of erasing, in bytes.
pub const PAGE_SIZE: usize = 4096;

/// The numbers of pages that a store can use: 12 to 256 KiB.
pub const PAGES: core::ops::RangeInclusive<usize> = 3..=64;

/// The flash did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashError;

/// A NOR flash.
///
/// When the power fails during a write or an erasure, any subset of the bits that were to change may have changed.
/// A store relies on nothing else.
pub trait Flash {
    /// All of it, as it reads now: a whole number of [pages](PAGE_SIZE), always the same.
    fn bytes(&self) -> &[u8];

    /// Clears the bits that are 0 in `words`, from `offset` on. Both are whole words, in one page.
    fn write(&mut self, offset: usize, words: &[u8]) -> Result<(), FlashError>;

    /// Sets every bit of a page.
    fn erase(&mut self, page: usize) -> Result<(), FlashError>;
}

/// The bytes of a page.
pub fn page_range(page: usize) -> Range<usize> {
    let start = page.saturating_mul(PAGE_SIZE);
    start..start.saturating_add(PAGE_SIZE)
}

/// A flash in memory, wiped when dropped.
#[derive(Clone)]
pub struct MemoryFlash(Vec<u8>);

impl MemoryFlash {
    /// A blank flash of so many pages.
    pub fn blank(pages: usize) -> Self {
        Self(vec![0xFF; pages.saturating_mul(PAGE_SIZE)])
    }

    /// A flash with these contents.
    pub fn from_image(image: &[u8]) -> Self {
        Self(image.to_vec())
    }
}

impl Flash for MemoryFlash {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn write(&mut self, offset: usize, words: &[u8]) -> Result<(), FlashError> {
        let range = offset..offset.saturating_add(words.len());
        for (cell, byte) in self.0.get_mut(range).ok_or(FlashError)?.iter_mut().zip(words) {
            *cell &= byte;
        }
        Ok(())
    }

    fn erase(&mut self, page: usize) -> Result<(), FlashError> {
        self.0.get_mut(page_range(page)).ok_or(FlashError)?.fill(0xFF);
        Ok(())
    }
}

impl Drop for MemoryFlash {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
