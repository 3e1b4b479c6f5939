//! The card at hand: a copy of a card file in memory, or a card in a reader.

use card_sim::{
    interface::Interface,
    store::{FlashStore, MemoryFlash, Reads},
};
use zeroize::Zeroizing;

use crate::{
    attach::pcsc::{RemoteCard, RemoteError},
    emulated::{EmulatedCard, EmulatedError},
    image::ImageError,
    reader::InsertedCard,
    sm::transport::{Answer, Transport, whole_answer},
};

/// Why a card could not be checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The card file cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The card file holds no card.
    #[error(transparent)]
    Emulated(#[from] EmulatedError),
    /// The card in the reader does not answer.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// It is no PIV card.
    #[error("SELECT of the PIV application was answered with {0:04X}: this is no PIV card")]
    NotPiv(u16),
    /// The PIN was given and is wrong.
    #[error("the PIN was answered with {status:04X}; nothing was checked{}", tries(*status))]
    Pin {
        /// The status word.
        status: u16,
    },
    /// One wrong try would block the PIN.
    #[error(
        "the card has one try of the PIN left, and a wrong one would block it; \
         verify the PIN with another program first, or check without --pin"
    )]
    LastTry,
    /// A PIN or PUK has a form that no card takes.
    #[error("{0} is malformed: a PIN has 6 to 8 digits, a PUK 8 characters")]
    Malformed(&'static str),
    /// A secret was given and is wrong.
    #[error("the card does not take {0} that was given; give the right one, or none")]
    Wrong(&'static str),
    /// The copy in memory cannot be read.
    #[error("the copy of the card in memory cannot be opened")]
    Copy,
}

fn tries(status: u16) -> String {
    match status {
        0x6982 => "; a card in a contactless reader takes no PIN in plain".to_owned(),
        status if status & 0xFFF0 == 0x63C0 => format!("; tries left: {}", status & 0xF),
        _ => String::new(),
    }
}

/// Where cards to check come from.
pub(super) enum Source {
    /// The image of a card file. Every row gets a copy of its own.
    Image(Zeroizing<Vec<u8>>),
    /// A card in a reader.
    Reader(RemoteCard),
}

impl Source {
    /// A card as after power on.
    pub(super) fn card(&mut self, interface: Interface) -> Result<Hand<'_>, CheckError> {
        match self {
            Self::Image(image) => {
                let store = FlashStore::open(MemoryFlash::from_image(image), Reads::Memory);
                let mut card = EmulatedCard::with_store(store.map_err(|_| CheckError::Copy)?)?;
                card.card().power_on_through(interface);
                Ok(Hand::Copy(Box::new(card)))
            }
            Self::Reader(card) => {
                // Ends what a row before, or another program, left: verified PINs, sessions.
                card.reset()?;
                Ok(Hand::Reader(card))
            }
        }
    }

    /// Whether rows may do with it what they want.
    pub(super) fn is_copy(&self) -> bool {
        matches!(self, Self::Image(_))
    }
}

/// One card.
pub(super) enum Hand<'a> {
    Copy(Box<EmulatedCard>),
    Reader(&'a mut RemoteCard),
}

impl Transport for Hand<'_> {
    type Error = CheckError;

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CheckError> {
        match self {
            Self::Copy(card) => Ok(InsertedCard::transmit(&mut **card, command)),
            Self::Reader(card) => Ok(card.transmit(command)?),
        }
    }
}

impl Hand<'_> {
    /// Sends a command, in a chain if it is long, and gives the whole answer.
    pub(super) fn send(&mut self, header: [u8; 4], data: &[u8]) -> Result<Answer, CheckError> {
        whole_answer(self, &command(header, data))
    }

    /// Takes the card's power away and presents it through this interface, if that can be done.
    pub(super) fn present(&mut self, interface: Interface) -> bool {
        match self {
            Self::Copy(card) => {
                card.power_off();
                card.card().power_on_through(interface);
                true
            }
            Self::Reader(_) => false,
        }
    }

    /// Resets the card.
    pub(super) fn reset(&mut self) -> Result<(), CheckError> {
        match self {
            Self::Copy(card) => card.reset(),
            Self::Reader(card) => card.reset()?,
        }
        Ok(())
    }
}

/// A command that takes an answer. Long data make it an extended one, which [`whole_answer`] cuts.
pub(crate) fn command(header: [u8; 4], data: &[u8]) -> Zeroizing<Vec<u8>> {
    let long = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
    Zeroizing::new(match long {
        [0, 0] => [&header[..], &[0x00]].concat(),
        [0, length] => [&header[..], &[length], data, &[0x00]].concat(),
        _ => [&header[..], &[0x00], &long, data, &[0x00, 0x00]].concat(),
    })
}
