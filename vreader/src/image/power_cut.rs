//! Losses of power that are ordered: the next write to a flash stops in the middle, and the card is dead until it gets
//! power again.
//!
//! [`TearingFlash`] stands between a store and its flash. It counts operations, which are words written and pages erased,
//! and at the ordered one leaves what [`Flash`] says that a loss of power may leave: some of the bits that were to change.
//! From then on nothing can be written until the [`Fuse`] is on again. Which bits change follows from the place alone, so that
//! the same order has the same outcome every time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use card_sim::store::{
    Flash, FlashError, FlashStore, MountError, Reads, Record, Store, StoreError, Update,
    flash::{WORD_SIZE, page_range},
};
use heapless::VecView;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// When the power of a card is to fail, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PowerCut {
    /// So many operations are done first: words written, pages erased.
    pub after: u32,
    /// What is left of the operation in which it fails.
    pub tear: Tear,
}

/// What is left of the operation in which the power fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tear {
    /// Some of the bits have changed.
    #[default]
    Torn,
    /// Of a word its lower half has changed, of a page its first half.
    Half,
    /// Nothing: the power failed just before.
    Clean,
}

impl Tear {
    /// Which bits of the byte at this place of the flash change, in an operation on bytes `from..to`.
    fn changed(self, place: usize, from: usize, to: usize) -> u8 {
        match self {
            Self::Torn => scramble(place as u64),
            Self::Half if place < usize::midpoint(from, to) => 0xFF,
            Self::Half | Self::Clean => 0,
        }
    }
}

/// Eight bits that look random (the finaliser of `SplitMix64`).
fn scramble(seed: u64) -> u8 {
    let mut z = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z.to_be_bytes()[0]
}

/// The fuse in the power line of a flash.
#[derive(Clone, Default)]
struct Fuse(Arc<Mutex<State>>);

#[derive(Clone, Copy, Default)]
enum State {
    /// There is power.
    #[default]
    On,
    /// There is power for so many operations more.
    Ordered(PowerCut),
    /// The power has failed; this was ordered since, for when there is power again.
    Blown(Option<PowerCut>),
}

impl State {
    /// With power, until it fails as ordered.
    fn powered(ordered: Option<PowerCut>) -> Self {
        ordered.map_or(Self::On, Self::Ordered)
    }
}

impl Fuse {
    /// Counts an operation: how it is torn, if the power fails in it.
    fn count(&self) -> Result<Option<Tear>, FlashError> {
        let mut state = self.state();
        match &mut *state {
            State::On => Ok(None),
            State::Blown(_) => Err(FlashError),
            State::Ordered(PowerCut { after: 0, tear }) => {
                let tear = *tear;
                *state = State::Blown(None);
                Ok(Some(tear))
            }
            State::Ordered(PowerCut { after, .. }) => {
                *after -= 1;
                Ok(None)
            }
        }
    }

    /// Orders a loss of power: for now, or for when there is power again.
    fn order(&self, cut: PowerCut) {
        let mut state = self.state();
        *state = match *state {
            State::On | State::Ordered(_) => State::Ordered(cut),
            State::Blown(_) => State::Blown(Some(cut)),
        };
    }

    /// There is power; gives what is ordered.
    fn mend(&self) -> Option<PowerCut> {
        match std::mem::take(&mut *self.state()) {
            State::On => None,
            State::Ordered(cut) => Some(cut),
            State::Blown(ordered) => ordered,
        }
    }

    fn is_blown(&self) -> bool {
        matches!(*self.state(), State::Blown(_))
    }

    fn set(&self, state: State) {
        *self.state() = state;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // One value, never half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A store on a flash whose power can fail.
pub struct TearingStore<F: Flash> {
    store: FlashStore<TearingFlash<F>>,
    fuse: Fuse,
}

impl<F: Flash> TearingStore<F> {
    /// The store on a flash ([`FlashStore::open`]).
    pub(crate) fn open(flash: F) -> Result<Self, MountError> {
        let fuse = Fuse::default();
        let flash = TearingFlash { flash, fuse: fuse.clone() };
        Ok(Self { store: FlashStore::open(flash, Reads::Memory)?, fuse })
    }

    /// Orders a loss of power, in place of one that was ordered before.
    pub(crate) fn cut_power(&self, cut: PowerCut) {
        self.fuse.order(cut);
    }

    /// Whether the power has failed.
    pub(crate) fn has_lost_power(&self) -> bool {
        self.fuse.is_blown()
    }

    /// There is power again: opens the store as the flash holds it.
    pub(crate) fn restore_power(&mut self) -> Result<(), StoreError> {
        let ordered = self.fuse.mend();
        let opened = self.store.reopen();
        self.fuse.set(if opened.is_ok() { State::powered(ordered) } else { State::Blown(ordered) });
        opened
    }

    /// A copy of the flash, for tests.
    #[cfg(test)]
    pub(super) fn image(&mut self) -> Zeroizing<Vec<u8>> {
        self.store.image().expect("a flash that works")
    }
}

impl<F: Flash> Store for TearingStore<F> {
    fn read(&self, record: Record, out: &mut VecView<u8>) -> Result<bool, StoreError> {
        self.store.read(record, out)
    }

    fn commit(&mut self, updates: &[Update<'_>]) -> Result<(), StoreError> {
        self.store.commit(updates)
    }
}

/// A flash whose power can fail.
struct TearingFlash<F> {
    flash: F,
    fuse: Fuse,
}

impl<F: Flash> TearingFlash<F> {
    /// Writes one word; none that changes nothing is an operation.
    fn write_word(&mut self, offset: usize, word: &[u8]) -> Result<(), FlashError> {
        let cells = self.flash.bytes().get(offset..offset + word.len()).ok_or(FlashError)?;
        if cells.iter().zip(word).all(|(cell, byte)| cell & !byte == 0) {
            return Ok(());
        }
        match self.fuse.count()? {
            None => self.flash.write(offset, word),
            Some(tear) => {
                let end = offset + word.len();
                let kept = (offset..end).map(|place| !tear.changed(place, offset, end));
                let torn: Zeroizing<Vec<u8>> =
                    Zeroizing::new(word.iter().zip(kept).map(|(byte, kept)| byte | kept).collect());
                self.flash.write(offset, &torn)?;
                Err(FlashError)
            }
        }
    }
}

impl<F: Flash> Flash for TearingFlash<F> {
    fn bytes(&self) -> &[u8] {
        self.flash.bytes()
    }

    fn write(&mut self, offset: usize, words: &[u8]) -> Result<(), FlashError> {
        if matches!(*self.fuse.state(), State::On) {
            return self.flash.write(offset, words);
        }
        let mut words = words.chunks(WORD_SIZE).zip(0..);
        words.try_for_each(|(word, index)| self.write_word(offset + index * WORD_SIZE, word))
    }

    fn erase(&mut self, page: usize) -> Result<(), FlashError> {
        let Some(tear) = self.fuse.count()? else { return self.flash.erase(page) };
        let range = page_range(page);
        let cells = self.flash.bytes().get(range.clone()).ok_or(FlashError)?;
        let changed = range.clone().map(|place| tear.changed(place, range.start, range.end));
        let torn: Zeroizing<Vec<u8>> =
            Zeroizing::new(cells.iter().zip(changed).map(|(cell, changed)| cell | changed).collect());
        self.flash.erase(page)?;
        self.flash.write(range.start, &torn)?;
        Err(FlashError)
    }
}

#[cfg(test)]
mod tests {
    use card_sim::store::{MemoryFlash, flash::PAGE_SIZE};

    use super::*;

    fn flash(cut: PowerCut) -> (TearingFlash<MemoryFlash>, Fuse) {
        let fuse = Fuse::default();
        let mut flash = TearingFlash { flash: MemoryFlash::blank(3), fuse: fuse.clone() };
        for half in [8, PAGE_SIZE / 2] {
            flash.write(half, &[0x0F; 4]).unwrap();
        }
        fuse.order(cut);
        (flash, fuse)
    }

    #[test]
    fn a_word_is_torn_and_nothing_is_written_after_it() {
        for (tear, left) in [(Tear::Clean, [0xFF; 4]), (Tear::Half, [0x00, 0x00, 0xFF, 0xFF])] {
            let (mut flash, fuse) = flash(PowerCut { after: 2, tear });
            // A word that changes nothing is no operation.
            flash.write(8, &[0x0F, 0xFF, 0x0F, 0xFF]).unwrap();
            flash.write(0, &[0x11; 4]).unwrap();
            assert!(!fuse.is_blown());
            assert_eq!(flash.write(12, &[0x00; 16]), Err(FlashError));
            assert!(fuse.is_blown());
            assert_eq!(flash.bytes()[..12], [[0x11; 4], [0xFF; 4], [0x0F; 4]].concat());
            assert_eq!((&flash.bytes()[12..16], &flash.bytes()[16..20]), (&[0x00; 4][..], &left[..]));
            assert_eq!((flash.write(40, &[0x00; 4]), flash.erase(1)), (Err(FlashError), Err(FlashError)));
            assert_eq!(fuse.mend(), None);
            flash.write(40, &[0x00; 4]).unwrap();
        }
    }

    #[test]
    fn the_same_bits_are_torn_every_time_and_none_is_set() {
        let torn = || {
            let (mut flash, _) = flash(PowerCut::default());
            assert_eq!(flash.write(8, &[0x05, 0x00, 0x00, 0x00]), Err(FlashError));
            <[u8; 4]>::try_from(&flash.bytes()[8..12]).unwrap()
        };
        let left = torn();
        assert_eq!(left, torn());
        let (old, new) = (u32::from_be_bytes([0x0F; 4]), 0x0500_0000);
        let left = u32::from_be_bytes(left);
        assert!(left & !old == 0 && new & !left == 0 && left != old && left != new, "{left:08X}");
    }

    #[test]
    fn an_erasure_is_torn() {
        for (tear, left) in [(Tear::Clean, [0x0F, 0x0F]), (Tear::Half, [0xFF, 0x0F])] {
            let (mut flash, _) = flash(PowerCut { after: 0, tear });
            assert_eq!(flash.erase(0), Err(FlashError));
            assert_eq!([flash.bytes()[8], flash.bytes()[PAGE_SIZE / 2]], left);
        }
    }
}
