//! What carries a card's commands: PC/SC, or a card in this process.

use crate::{
    attach::pcsc::{RemoteCard, RemoteError},
    reader::InsertedCard,
    sm::transport::Transport,
};

/// A command or its answer got lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The PC/SC service says why.
    #[error("the card was lost: {0}")]
    Remote(#[from] RemoteError),
    /// The card gave no answer: it lost its power.
    #[error("the card gives no answer: it lost its power; take it out and put it in again")]
    Mute,
    /// It was taken out.
    #[error("the card was taken out")]
    Removed,
}

type Carrier<'a> = Box<dyn FnMut(&[u8]) -> Result<Vec<u8>, LinkError> + 'a>;

/// A line to one card.
pub struct Line<'a>(Carrier<'a>);

impl<'a> Line<'a> {
    /// To a card behind a PC/SC socket.
    pub fn remote(card: &'a mut RemoteCard) -> Self {
        Self::new(|command| Ok(card.transmit(command)?))
    }

    /// To a card in this process, which has power.
    pub fn local(card: &'a mut dyn InsertedCard) -> Self {
        Self::new(|command| {
            let answer = card.transmit(command);
            if answer.is_empty() { Err(LinkError::Mute) } else { Ok(answer) }
        })
    }

    /// Any other.
    pub fn new(carrier: impl FnMut(&[u8]) -> Result<Vec<u8>, LinkError> + 'a) -> Self {
        Self(Box::new(carrier))
    }
}

impl Transport for Line<'_> {
    type Error = LinkError;

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, LinkError> {
        (self.0)(command)
    }
}
