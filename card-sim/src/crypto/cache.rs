//! The last few keys in the form in which a library uses them.
//!
//! Keyed by the keys' own bytes, compared in constant time: nobody has to tell the cache that a key changed.
//! Entries are wiped when they are dropped (the key's bytes here, the prepared form by its own type).

use alloc::boxed::Box;
use heapless::Vec;
use subtle::ConstantTimeEq;

use super::CryptoError;
use crate::key::PrivateKey;

/// Up to `N` keys in the prepared form `T`; the one not used for longest makes room.
pub struct KeyCache<T, const N: usize> {
    // The latest first. Boxed, so that moving an entry leaves no copy of a secret behind.
    entries: Vec<Box<Entry<T>>, N>,
}

struct Entry<T> {
    key: PrivateKey,
    prepared: T,
}

impl<T, const N: usize> Default for KeyCache<T, N> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T, const N: usize> KeyCache<T, N> {
    /// `key` as it was prepared before, or prepared now by `prepare`.
    pub fn get_or_prepare(
        &mut self,
        key: &PrivateKey,
        prepare: impl FnOnce(&PrivateKey) -> Result<T, CryptoError>,
    ) -> Result<&mut T, CryptoError> {
        if let Some(index) = self.entries.iter().position(|entry| is_same(&entry.key, key)) {
            if let Some(front) = self.entries.get_mut(..=index) {
                front.rotate_right(1);
            }
        } else {
            let entry = Box::new(Entry { key: key.clone(), prepared: prepare(key)? });
            if self.entries.is_full() {
                self.entries.pop();
            }
            self.entries.insert(0, entry).map_err(|_| CryptoError::Failed)?;
        }
        self.entries.first_mut().map(|entry| &mut entry.prepared).ok_or(CryptoError::Failed)
    }
}

/// Takes the same time wherever the two differ.
fn is_same(one: &PrivateKey, other: &PrivateKey) -> bool {
    let same = one.material().ct_eq(other.material());
    one.algorithm() == other.algorithm() && bool::from(same)
}

#[cfg(test)]
mod tests {
    use super::{CryptoError, KeyCache};
    use crate::key::{AsymmetricAlgorithm, PrivateKey};

    fn key(fill: u8) -> PrivateKey {
        PrivateKey::ecc(AsymmetricAlgorithm::EccP256, &[fill; 32]).expect("32 bytes")
    }

    #[test]
    fn keeps_the_latest_and_prepares_each_once() {
        let mut cache = KeyCache::<u8, 2>::default();
        let mut made = 0;
        //          (key, made so far): 1 and 2 fit; using 1 again leaves 2 as the oldest, which 3 displaces.
        for (fill, expected) in [(1, 1), (1, 1), (2, 2), (1, 2), (3, 3), (1, 3), (3, 3), (2, 4), (1, 5)] {
            let prepared = cache.get_or_prepare(&key(fill), |_| {
                made += 1;
                Ok(fill)
            });
            assert_eq!(prepared, Ok(&mut fill.clone()));
            assert_eq!(made, expected, "after key {fill}");
        }
    }

    #[test]
    fn a_refused_key_is_not_kept() {
        let mut cache = KeyCache::<u8, 2>::default();
        for _ in 0..2 {
            assert_eq!(
                cache.get_or_prepare(&key(1), |_| Err(CryptoError::InvalidKey)),
                Err(CryptoError::InvalidKey)
            );
        }
        assert_eq!(cache.get_or_prepare(&key(1), |_| Ok(7)), Ok(&mut 7));
    }
}
