//! Look-alikes: a card that shows what another card shows, with keys and certificates of its own.
//!
//! [`Original::read`] asks a card for everything that it tells without a PIN. [`look_alike`] makes a card of it: the same
//! answer to reset, label and habits ([`stock`]), the same objects, certificates of the same form, and fresh keys under a PKI of
//! its own, in which every authority bears the name that the original's certificates give their issuers.
//!
//! Promises:
//! * Reading changes nothing, spends no try, and shows no PIN. It needs no secret of the original's and learns none.
//! * Nothing that the original's issuer has signed is taken over: certificates, the CHUID and the Security Object are signed
//!   anew. The look-alike is trusted by those who trust its sample root, and by nobody else.
//! * What could not be taken over, or had to be made up, is told as a note.
//!
//! Made up is what only a PIN would show: fingerprints, face, Printed Information, a CAC's Person Instance and its like. They
//! are a sample person's with the name from the certificates.

mod original;
mod reading;
pub mod stock;

use card_sim::{crypto::Crypto, object::ObjectTag, profile::Profile};

pub use self::original::{KeyEntry, Original, YubiKey};
pub(crate) use self::{
    original::{key_algorithm, read_certificate},
    reading::{PIV, containers},
};
use crate::{
    emulated::Personal,
    issue::{Authority, IssueError, IssuedCard, Step, look_alike as issuing, yubikey::FreshYubiKey},
    stock::{Description, StockError},
};

/// What the original does not say.
pub use crate::issue::look_alike::Secrets;

/// A card like another one, ready to be personalised.
pub struct LookAlike {
    /// What is on it.
    pub issued: IssuedCard,
    /// Its stock.
    pub profile: &'static Profile,
    /// What its stock is like, if it is none of the built-in ones.
    pub stock: Option<Description>,
    /// Serial number of a YubiKey.
    pub serial_number: Option<u32>,
    /// Who signed its certificates, with the names of the original's issuers.
    pub authorities: Vec<Authority>,
    /// What was not taken over, and what was made up.
    pub notes: Vec<String>,
}

impl<'a> From<&'a LookAlike> for Personal<'a> {
    fn from(card: &'a LookAlike) -> Self {
        Self { serial_number: card.serial_number, ..Self::from(&card.issued) }
    }
}

/// Why there is no look-alike.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloneError {
    /// The card has none of the applications that this project's cards have.
    #[error("the card has neither the PIV application nor CAC applets: there is nothing to be like")]
    NoApplication,
    /// Its stock cannot be described.
    #[error("the card's own stock cannot be described: {0}")]
    Stock(#[from] StockError),
    /// The card cannot be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

/// Makes a card that is like another one. `progress` hears of each step before it begins.
pub fn look_alike(
    original: &Original,
    secrets: Secrets,
    crypto: &mut dyn Crypto,
    progress: &mut dyn FnMut(Step),
) -> Result<LookAlike, CloneError> {
    let (profile, stock) = stock::stock(original)?;
    let mut notes = original.notes();
    let seed = secrets.seed;
    let issuing::Made { mut issued, authorities, notes: of_issuing } =
        issuing::issue(&original.model(profile), secrets, crypto, progress)?;
    notes.extend(of_issuing);
    let mut serial_number = None;
    if let Some(yubico) = profile.yubico {
        let mut fresh = FreshYubiKey::new(yubico, seed, crypto)?;
        // Of the rest the original has what it shows.
        fresh.objects.retain(|(tag, _)| *tag == ObjectTag::ATTESTATION);
        fresh.add_to(&mut issued);
        serial_number = original.yubikey.as_ref().and_then(|yubikey| yubikey.serial_number);
        notes.push("the attestation key and its certificate are a sample's".to_owned());
    }
    Ok(LookAlike { issued, profile, stock, serial_number, authorities, notes })
}
