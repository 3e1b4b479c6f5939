//! The card's flash, as a store wants it.

use card_sim::store::{Flash, FlashError, flash::page_range};

/// NOR flash that is mapped into memory, as the board has it: a write clears bits, an erasure sets those of a page.
pub struct Nor(&'static mut [u8]);

impl Nor {
    /// A flash at this place.
    pub fn new(cells: &'static mut [u8]) -> Self {
        Self(cells)
    }
}

impl Flash for Nor {
    fn bytes(&self) -> &[u8] {
        self.0
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
