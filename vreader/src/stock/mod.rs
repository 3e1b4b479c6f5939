//! Card stocks that are not built in: described in a file, and kept on the card.
//!
//! A description says in what a stock differs from a built-in one. It is TOML, with the field names of [`Profile`] and
//! [`Choices`](card_sim::profile::Choices):
//!
//! ```
//! let stock = vreader::stock::Description::parse(
//!     r#"
//!     name = "agency"
//!     like = "piv"
//!     atr = "3BD6970081B1FE451F878031C152411A2B"
//!     label = "Agency PIV"
//!     default_tries = 5
//!     empty_container = "not-found"
//!     "#,
//! )?;
//! let profile = stock.profile()?;
//! assert_eq!((profile.label, profile.default_tries), ("Agency PIV", 5));
//! # Ok::<(), vreader::stock::StockError>(())
//! ```
//!
//! Promises:
//! * A card of such a stock has the description with it, so that its file needs nothing beside it.
//! * A description that names what there is not, or could not be a card's, is refused with the field's name.
//! * A stock is made once: the same description is the same [`Profile`], for as long as the process lives.

mod description;
mod list;
mod registry;

use std::{fs, path::Path};

use card_sim::{
    profile::Profile,
    store::{Record, Store, StoreError, Update},
};

pub(crate) use self::description::{EMPTY_CONTAINER, SELECT_ANSWER, choice_name};
pub use self::{
    description::Description,
    list::{Entry, list, symmetric_name},
};

/// Why a description is no card stock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StockError {
    /// It is not TOML, has a field that stocks do not have, or lacks one.
    #[error("{0}")]
    Toml(String),
    /// The name would not fit on a card, or could not be told from others.
    #[error("name = \"{0}\" is no name for a stock: take 1 to 32 of a-z, 0-9 and -")]
    Name(String),
    /// A built-in stock has the name.
    #[error("name = \"{0}\" is a built-in stock's name; choose another")]
    NameTaken(String),
    /// There is no such stock to be like.
    #[error("like = \"{0}\" names no built-in stock; `vreader card new --list` shows them")]
    Like(String),
    /// An answer to reset that no reader accepts.
    #[error("{field} = \"{atr}\" is no answer to reset: {reason}")]
    AnswerToReset {
        /// Which field.
        field: &'static str,
        /// What it says.
        atr: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A value that the field does not take.
    #[error("{field} = \"{value}\" is not among what it takes: {choices}")]
    Value {
        /// Which field.
        field: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        choices: String,
    },
    /// The field is for YubiKeys.
    #[error("firmware is for stocks that are like a YubiKey")]
    NoFirmware,
}

/// The stock that a file describes, if the file's name ends in `.toml`.
///
/// # Errors
/// What is wrong with the file, in words.
pub fn from_file(path: &Path) -> Option<Result<&'static Profile, String>> {
    path.extension().is_some_and(|extension| extension == "toml").then(|| {
        let text = fs::read_to_string(path).map_err(|error| format!("cannot read it: {error}"))?;
        let stock = Description::parse(&text).and_then(|description| description.profile());
        stock.map_err(|error| error.to_string())
    })
}

/// Whether a stock needs no description.
pub(crate) fn is_built_in(profile: &'static Profile) -> bool {
    registry::description_of(profile).is_none()
}

/// The stock of the card in this store; `None` if this version does not know it.
pub(crate) fn of_card(store: &impl Store) -> Result<Option<&'static Profile>, StoreError> {
    if let Some(text) = read::<MAX_DESCRIPTION>(store, Record::Stock)? {
        let description = str::from_utf8(&text).ok().and_then(|text| Description::parse(text).ok());
        return Ok(description.and_then(|description| description.profile().ok()));
    }
    let name = read::<32>(store, Record::Profile)?.unwrap_or_default();
    Ok(str::from_utf8(&name).ok().and_then(Profile::find))
}

/// A record; an empty one if it is longer than any that means something.
fn read<const N: usize>(
    store: &impl Store,
    record: Record,
) -> Result<Option<heapless::Vec<u8, N>>, StoreError> {
    let mut bytes = heapless::Vec::new();
    match store.read(record, &mut bytes) {
        Err(StoreError::BufferTooSmall) => Ok(Some(heapless::Vec::new())),
        found => Ok(found?.then_some(bytes)),
    }
}

/// Longest description that a card takes, in bytes. One with every field has less than half of it.
const MAX_DESCRIPTION: usize = 2048;

/// Puts the description of a stock that is not built in on a card of it.
pub(crate) fn describe(profile: &'static Profile, store: &mut impl Store) -> Result<(), StoreError> {
    match registry::description_of(profile) {
        Some(description) => store.commit(&[Update::Write(Record::Stock, description.to_toml().as_bytes())]),
        None => Ok(()),
    }
}
