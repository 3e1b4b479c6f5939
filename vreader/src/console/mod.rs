//! What a card's holder does at a desk: look who the card says one is, see the certificates, change the PIN, unlock
//! it, make the certificates known to other programs.
//!
//! A [`Console`] talks to a card over any [`Transport`] with the commands that every program may send, and prints
//! nothing. It uses the CAC applets (GSC-IS 2.1) where the card has them, and else the PIV application
//! (SP 800-73-5 part 2).
//!
//! | file | knows |
//! |---|---|
//! | `information` | holder, dates, tries: without the PIN what is public, with it the rest |
//! | `activation` | whether the PIV Authentication certificate waits to be activated |
//! | `certificates` | the certificates in the holder's words, in the card's order |
//! | `pin` | VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER |
//! | `export` | copies of certificates in an NSS database or a folder |
//!
//! Promises: a PIN that is none is refused before the card is asked, so that no try is spent; nothing that the PIN
//! protects is read unless this console has verified it; private keys never leave the card, for no command could read one.

pub mod activation;
pub mod certificates;
pub mod export;
mod information;
mod pin;

use std::error::Error;

use apdu::tlv_ber;
use card_sim::profile::{self, Profile};
use serde::Serialize;

pub use self::information::Information;
use crate::{
    check::{Found, command, get_data},
    clone::{PIV, containers},
    sm::transport::{Answer, Transport, whole_answer},
};

/// The first PKI applet, which every card with CAC applets has.
const COMMON_ACCESS: [u8; 7] = [0xA0, 0x00, 0x00, 0x00, 0x79, 0x01, 0x00];

/// The side of a card that a console uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Face {
    /// The CAC applets.
    CommonAccess,
    /// The PIV application.
    Piv,
}

/// Why a console could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsoleError {
    /// The way to the card is broken.
    #[error("the card cannot be reached: {0}")]
    Transport(#[source] Box<dyn Error + Send + Sync>),
    /// There is nothing to look at.
    #[error("the card has neither the PIV application nor CAC applets; a console can do nothing with it")]
    NoApplication,
    /// Not a PIN.
    #[error("{0} is not 6 to 8 digits; the card was not asked, and no try is spent")]
    MalformedPin(&'static str),
    /// Not a PUK.
    #[error("the unlock code (PUK) is not 6 to 8 characters; the card was not asked, and no try is spent")]
    MalformedPuk,
    /// The card says that it is another one.
    #[error("{what} is wrong; tries left: {tries_left}")]
    Wrong {
        /// What was proved in vain.
        what: &'static str,
        /// How often it may be tried again.
        tries_left: u8,
    },
    /// The PIN of a Common Access Card.
    #[error(
        "the PIN is locked, and nothing that its holder can do unlocks it: contact the issuer, which for a Common Access Card is an ID card office"
    )]
    LockedByIssuer,
    /// The PIN of a card with a PUK.
    #[error("the PIN is locked; `vreader card unlock` unlocks it with the unlock code (PUK)")]
    Locked,
    /// The PUK.
    #[error("the unlock code (PUK) is locked, too: contact the issuer of the card")]
    PukLocked,
    /// A Common Access Card knows none.
    #[error(
        "a Common Access Card has no unlock code that its holder could know: contact the issuer, which is an ID card office"
    )]
    NoUnlockCode,
    /// Something else.
    #[error("the card answers {command} with {status:04X}")]
    Refused {
        /// Which command.
        command: &'static str,
        /// Its status word.
        status: u16,
    },
}

/// A card, and somebody who holds it.
pub struct Console<T> {
    card: T,
    face: Face,
    has_piv: bool,
    stock: Option<&'static Profile>,
}

impl<T: Transport<Error: Error + Send + Sync + 'static>> Console<T> {
    /// Finds out which sides the card with this answer to reset has.
    pub fn new(card: T, atr: &[u8]) -> Result<Self, ConsoleError> {
        let mut console = Self { card, face: Face::Piv, has_piv: true, stock: stock_of(atr) };
        console.has_piv = console.selects(&PIV)?;
        if console.selects(&COMMON_ACCESS)? {
            console.face = Face::CommonAccess;
        } else if !console.has_piv {
            return Err(ConsoleError::NoApplication);
        }
        Ok(console)
    }

    /// The side that it uses.
    pub fn face(&self) -> Face {
        self.face
    }

    /// Whether the card has the PIV application.
    pub fn has_piv(&self) -> bool {
        self.has_piv
    }

    /// Selects the side that it uses.
    fn select_face(&mut self) -> Result<(), ConsoleError> {
        match self.face {
            Face::CommonAccess => self.select(&COMMON_ACCESS),
            Face::Piv => self.select(&PIV),
        }
    }

    fn select(&mut self, application: &[u8]) -> Result<(), ConsoleError> {
        let status = self.send([0x00, 0xA4, 0x04, 0x00], application)?.status;
        match status {
            0x9000 => Ok(()),
            status => Err(ConsoleError::Refused { command: "SELECT", status }),
        }
    }

    fn selects(&mut self, application: &[u8]) -> Result<bool, ConsoleError> {
        Ok(self.send([0x00, 0xA4, 0x04, 0x00], application)?.is_success())
    }

    fn send(&mut self, header: [u8; 4], data: &[u8]) -> Result<Answer, ConsoleError> {
        whole_answer(&mut self.card, &command(header, data)).map_err(carried)
    }

    /// An object of the selected PIV application; nothing if there is none or it may not be read.
    fn object(&mut self, tag: u32) -> Result<Option<Vec<u8>>, ConsoleError> {
        Ok(match get_data(&mut self.card, tag).map_err(carried)? {
            Found::Object(object) => Some(object),
            Found::Refused(_) => None,
        })
    }

    /// A container of the CAC applets, T buffer and V buffer; nothing if there is none or it may not be read.
    fn container(&mut self, rid: [u8; 5], applet: u16) -> Result<Option<Vec<u8>>, ConsoleError> {
        let found = containers(&mut self.card, rid, &[applet]).map_err(carried)?;
        Ok(found.into_iter().next().map(|(_, container)| container))
    }
}

/// The card stock with this answer to reset, if only one of those that this project knows has it.
fn stock_of(atr: &[u8]) -> Option<&'static Profile> {
    let mut stocks =
        profile::ALL.iter().copied().filter(|stock| atr == stock.atr || atr == stock.contactless_atr);
    stocks.next().filter(|_| stocks.next().is_none())
}

/// The RIDs of CAC applets.
const DOD: [u8; 5] = [0xA0, 0x00, 0x00, 0x00, 0x79];
const GSC_IS: [u8; 5] = [0xA0, 0x00, 0x00, 0x01, 0x16];

fn carried(error: impl Error + Send + Sync + 'static) -> ConsoleError {
    ConsoleError::Transport(Box::new(error))
}

/// The elements of a PIV object, as many as can be read.
fn elements(object: &[u8]) -> Vec<(u8, &[u8])> {
    let contents = tlv_ber::Reader::new(object).expect(apdu::Tag::new(0x53)).unwrap_or_default();
    tlv_ber::Reader::single_byte_tags(contents)
        .into_iter()
        .map_while(Result::ok)
        .filter_map(|element| Some((u8::try_from(element.tag.number()).ok()?, element.value)))
        .collect()
}

fn value<'a>(elements: &[(u8, &'a [u8])], wanted: u8) -> Option<&'a [u8]> {
    elements.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// A card that answers everything alike.
    struct Same([u8; 2]);

    impl Transport for Same {
        type Error = Infallible;

        fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, Infallible> {
            Ok(self.0.to_vec())
        }
    }

    #[test]
    fn a_card_without_an_application_is_refused() {
        assert!(matches!(Console::new(Same([0x6A, 0x82]), &[]), Err(ConsoleError::NoApplication)));
    }

    #[test]
    fn whatever_a_card_answers_the_console_comes_to_an_end() {
        for status in [[0x90, 0x00], [0x61, 0xFF], [0x6C, 0x10], [0x63, 0xC1]] {
            let Ok(mut console) = Console::new(Same(status), &[]) else { continue };
            let now = "2026-01-01".parse().unwrap();
            let information = console.information(None, now, activation::CUTOFF).unwrap();
            assert_eq!((information.name, information.expires), (None, None), "{status:02X?}");
            // A card that takes every SELECT, and has nothing.
            let certificates = console.certificates(now).unwrap();
            assert!(
                certificates.certificates.is_empty() && certificates.unreadable.len() == 3,
                "{status:02X?}"
            );
        }
    }
}
