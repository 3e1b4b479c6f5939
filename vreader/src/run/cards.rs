//! Where cards come from: a card file, or a profile, of which a new card is made.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use card_sim::profile::Profile;

use super::ready_card::ready_card;
use crate::{
    crypto::DefaultCrypto,
    emulated::{EmulatedCard, EmulatedError},
    issue::{IssueError, Request, issue, yubikey::FreshYubiKey},
    reader::TouchHabit,
    stock,
};

/// New cards that are kept for the next time, of one profile. More than a world usually has.
const KEPT_CARDS: u64 = 16;

/// A card file or a profile.
#[derive(Clone, Debug)]
pub enum CardSource {
    /// The card in a file, which is held until the card is gone.
    File(PathBuf),
    /// A new card in memory.
    Profile(&'static Profile),
}

/// Why there is no card.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// It cannot be opened, or not be written.
    #[error(transparent)]
    Emulated(#[from] EmulatedError),
    /// A new one cannot be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

impl CardSource {
    /// The name of a profile, a file ending in `.toml` that describes one, otherwise a card file. A file with the name of a
    /// profile is `./piv`.
    ///
    /// # Errors
    /// For an empty name or a wrong description, a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("name a card file or a profile".into());
        }
        match stock::from_file(Path::new(text)) {
            Some(described) => Ok(Self::Profile(described?)),
            None => Ok(Self::named(text)),
        }
    }

    /// The same for a name that is known not to be empty.
    pub fn named(text: &str) -> Self {
        Profile::find(text).map_or_else(|| Self::File(text.into()), Self::Profile)
    }

    /// The card's stock; `None` if it cannot be told, which opening the card will explain.
    pub fn profile(&self) -> Option<&'static Profile> {
        match self {
            Self::File(path) => EmulatedCard::profile_of(path).ok().flatten(),
            Self::Profile(profile) => Some(profile),
        }
    }

    /// The card, without power. A YubiKey is as from the factory, every other one of a sample person. A seed makes a new card, and everything that a card draws at random, repeatable.
    pub fn open(&self, seed: Option<u64>) -> Result<EmulatedCard, CardError> {
        let mut card = match self {
            Self::File(path) => EmulatedCard::open(path)?,
            Self::Profile(profile) if let Some(yubico) = profile.yubico => {
                let fresh = FreshYubiKey::new(yubico, seed, &mut DefaultCrypto::default())?;
                EmulatedCard::in_memory(profile, profile.default_tries, &fresh)?
            }
            Self::Profile(profile) => {
                let request = Request { seed, ..Request::for_profile(profile) };
                let issued = issue(&request, &mut DefaultCrypto::default(), &mut |_| {})?;
                EmulatedCard::in_memory(profile, profile.default_tries, &issued)?
            }
        };
        if let Some(seed) = seed {
            card.seed(seed);
        }
        Ok(card)
    }
}

/// The cards of one world. Two cards of one profile are two cards.
#[derive(Default)]
pub(super) struct Shelf {
    seed: Option<u64>,
    touch: TouchHabit,
    taken: AtomicU64,
}

impl Shelf {
    pub(super) fn new(seed: Option<u64>, touch: TouchHabit) -> Self {
        Self { seed, touch, taken: AtomicU64::new(0) }
    }

    /// The next card; a new one is ready made if it was made before.
    pub(super) fn card(&self, source: &CardSource) -> Result<EmulatedCard, CardError> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let seed = self.seed.map(|seed| seed.wrapping_add(number));
        let make = || source.open(seed);
        let mut card = match source {
            CardSource::Profile(profile) if number < KEPT_CARDS && stock::is_built_in(profile) => {
                let kind = if seed.is_some() { "seeded-" } else { "" };
                ready_card(&format!("{}-{kind}{number}", profile.name), seed, make)?
            }
            _ => make()?,
        };
        card.set_touch_habit(self.touch);
        // Also what the card draws from now on.
        if let Some(seed) = seed {
            card.seed(seed);
        }
        Ok(card)
    }
}
