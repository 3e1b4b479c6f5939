//! What carries commands to a card, and whole answers of cards that answer in parts.

use std::convert::Infallible;

use apdu::Command;
use zeroize::Zeroizing;

use crate::{
    attach::pcsc::{RemoteCard, RemoteError},
    reader::InsertedCard,
};

/// What carries commands to a card.
pub trait Transport {
    /// Why it could not.
    type Error;

    /// Sends a command as it is and gives the answer with its status word.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Self::Error>;
}

impl<T: Transport + ?Sized> Transport for &mut T {
    type Error = T::Error;

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, T::Error> {
        (**self).transmit(command)
    }
}

impl Transport for RemoteCard {
    type Error = RemoteError;

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, RemoteError> {
        Self::transmit(self, command)
    }
}

/// A card in this process, without a reader.
pub struct Local<'a>(pub &'a mut dyn InsertedCard);

impl Transport for Local<'_> {
    type Error = Infallible;

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, Infallible> {
        Ok(self.0.transmit(command))
    }
}

/// A whole answer.
pub struct Answer {
    /// Data of all its parts. They may be secret.
    pub data: Zeroizing<Vec<u8>>,
    /// The last status word.
    pub status: u16,
}

impl Answer {
    /// An answer as it came, with its status word behind its data.
    pub fn from_bytes(mut bytes: Vec<u8>) -> Self {
        // An answer of less than two bytes is no answer; 6F00 says so.
        let status = bytes.last_chunk().map_or(0x6F00, |status| u16::from_be_bytes(*status));
        bytes.truncate(bytes.len().saturating_sub(2));
        Self { data: Zeroizing::new(bytes), status }
    }

    /// Whether it is `9000`.
    pub fn is_success(&self) -> bool {
        self.status == 0x9000
    }
}

/// Longest data field of a short command.
const SHORT: usize = 255;

/// Parts of the longest answer that is fetched: 64 KB.
const MOST_PARTS: usize = 256;

/// Sends a plain or protected command in short pieces, and fetches the whole answer (ISO/IEC 7816-4, 5.3).
///
/// `command` may have extended lengths; data above 255 bytes goes in a chain.
pub fn whole_answer<T: Transport + ?Sized>(transport: &mut T, command: &[u8]) -> Result<Answer, T::Error> {
    let mut raw = match Command::parse(command) {
        Ok(parsed) if parsed.data.len() > SHORT => {
            let mut chunks = parsed.data.chunks(SHORT).peekable();
            let mut raw = Vec::new();
            while let Some(chunk) = chunks.next() {
                let last = chunks.peek().is_none();
                let class = if last { parsed.class.raw() } else { parsed.class.raw() | 0x10 };
                // A chunk is at most 255 bytes long.
                let length = u8::try_from(chunk.len()).unwrap_or(u8::MAX);
                let header = [class, parsed.instruction, parsed.p1, parsed.p2, length];
                let le: &[u8] = if last { &[0x00] } else { &[] };
                raw = transport.transmit(&Zeroizing::new([&header, chunk, le].concat()))?;
                if !last && raw != [0x90, 0x00] {
                    break;
                }
            }
            raw
        }
        _ => transport.transmit(command)?,
    };
    for _ in 0..MOST_PARTS {
        let Some(&[0x61, more]) = raw.last_chunk() else { break };
        raw.truncate(raw.len() - 2);
        let next = transport.transmit(&[0x00, 0xC0, 0x00, 0x00, more])?;
        raw.extend(next);
    }
    Ok(Answer::from_bytes(raw))
}
