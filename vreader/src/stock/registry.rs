//! The stocks that were described to this process. A card holds on to its stock for ever, as it does to a built-in one; so
//! they are never freed, and the same description is made only once.

use std::sync::{Mutex, PoisonError};

use card_sim::profile::Profile;

use super::Description;

struct Entry {
    description: Description,
    profile: &'static Profile,
}

static STOCKS: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// The stock of this description, made by `make` if it is new.
pub(super) fn profile<E>(
    description: &Description,
    make: impl FnOnce() -> Result<Profile, E>,
) -> Result<&'static Profile, E> {
    let mut stocks = STOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(entry) = stocks.iter().find(|entry| entry.description == *description) {
        return Ok(entry.profile);
    }
    let profile: &'static Profile = Box::leak(Box::new(make()?));
    stocks.push(Entry { description: description.clone(), profile });
    Ok(profile)
}

/// The description of which this stock was made; nothing for a built-in one.
pub(super) fn description_of(profile: &'static Profile) -> Option<Description> {
    let stocks = STOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    let entry = stocks.iter().find(|entry| std::ptr::eq(entry.profile, profile));
    entry.map(|entry| entry.description.clone())
}
