//! A flash that loses its power at a chosen operation.
//!
//! An operation is a word written or a page erased. What had been done before stays; of the operation itself nothing
//! is done, or some of the bits that were to change have changed.

use std::{cell::RefCell, rc::Rc};

use card_sim::store::{
    Flash, FlashError, MemoryFlash,
    flash::{PAGE_SIZE, WORD_SIZE, page_range},
};

/// What is left of the operation during which the power fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tear {
    /// Nothing: the power failed just before.
    Clean,
    /// Some of the bits, chosen by this number.
    Bits(u64),
    /// Of a page that was to be erased its first half; of a word its lower half.
    Half,
}

impl Tear {
    /// Every kind, the random one with bits that differ from cut to cut.
    pub(crate) fn all(seed: usize) -> [Self; 3] {
        [Self::Clean, Self::Bits(seed as u64), Self::Half]
    }
}

/// The power of a [`CutFlash`], and what is on it, for those who have given the flash away.
#[derive(Clone)]
pub(crate) struct Power(Rc<RefCell<State>>);

struct State {
    medium: Vec<u8>,
    operations: Operations,
    cut: Option<(usize, Tear)>,
    off: bool,
}

/// What was done to a flash.
#[derive(Clone, Default)]
pub(crate) struct Operations {
    pub(crate) count: usize,
    /// Which of them were erasures.
    pub(crate) erasures: Vec<usize>,
}

impl Power {
    /// The power fails when `operations` more have been done.
    pub(crate) fn cut_after(&self, operations: usize, tear: Tear) {
        let mut state = self.0.borrow_mut();
        state.operations = Operations::default();
        state.cut = Some((operations, tear));
    }

    /// Counts operations from now on.
    pub(crate) fn count(&self) {
        self.0.borrow_mut().operations = Operations::default();
    }

    /// Operations since they were counted.
    pub(crate) fn operations(&self) -> Operations {
        self.0.borrow().operations.clone()
    }

    pub(crate) fn is_off(&self) -> bool {
        self.0.borrow().off
    }

    /// What the flash holds.
    pub(crate) fn medium(&self) -> Vec<u8> {
        self.0.borrow().medium.clone()
    }
}

pub(crate) struct CutFlash {
    /// What the medium was up to the cut.
    seen: MemoryFlash,
    power: Power,
}

impl CutFlash {
    pub(crate) fn new(image: &[u8]) -> (Self, Power) {
        let state =
            State { medium: image.to_vec(), operations: Operations::default(), cut: None, off: false };
        let power = Power(Rc::new(RefCell::new(state)));
        (Self { seen: MemoryFlash::from_image(image), power: power.clone() }, power)
    }

    /// Makes these bytes of the medium what they are to become, unless the power fails.
    fn change(&mut self, offset: usize, target: &[u8]) -> Result<(), FlashError> {
        let mut state = self.power.0.borrow_mut();
        let State { medium, operations, cut, off } = &mut *state;
        let cells = &mut medium[offset..offset + target.len()];
        if *off {
            return Err(FlashError);
        }
        if cells == target {
            return Ok(());
        }
        if let Some((_, tear)) = cut.filter(|(after, _)| operations.count >= *after) {
            *off = true;
            let half = target.len() / 2;
            for (index, (cell, byte)) in cells.iter_mut().zip(target).enumerate() {
                let changed = match tear {
                    Tear::Half if index < half => 0xFF,
                    Tear::Clean | Tear::Half => 0,
                    Tear::Bits(seed) => scramble(seed.wrapping_add((offset + index) as u64)),
                };
                *cell ^= (*cell ^ byte) & changed;
            }
            return Err(FlashError);
        }
        cells.copy_from_slice(target);
        if target.len() == PAGE_SIZE {
            operations.erasures.push(operations.count);
        }
        operations.count += 1;
        Ok(())
    }
}

/// Eight bits that look random (the finaliser of SplitMix64).
fn scramble(seed: u64) -> u8 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z >> 56) as u8
}

impl Flash for CutFlash {
    fn bytes(&self) -> &[u8] {
        self.seen.bytes()
    }

    fn write(&mut self, offset: usize, words: &[u8]) -> Result<(), FlashError> {
        assert!(offset.is_multiple_of(WORD_SIZE) && words.len().is_multiple_of(WORD_SIZE));
        assert!(offset % PAGE_SIZE + words.len() <= PAGE_SIZE, "a write stays in its page");
        for (index, word) in words.chunks(WORD_SIZE).enumerate() {
            let at = offset + index * WORD_SIZE;
            let target: Vec<u8> = self.seen.bytes()[at..at + WORD_SIZE]
                .iter()
                .zip(word)
                .map(|(cell, byte)| cell & byte)
                .collect();
            self.change(at, &target)?;
            self.seen.write(at, word)?;
        }
        Ok(())
    }

    fn erase(&mut self, page: usize) -> Result<(), FlashError> {
        self.change(page_range(page).start, &[0xFF; PAGE_SIZE])?;
        self.seen.erase(page)
    }
}
