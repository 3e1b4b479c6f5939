//! Bytes in hex, some of them hidden: `00200080 08 ** ** …` is written `0020008008****************`.

use std::{fmt, ops::Range, str::FromStr};

use serde::{Deserialize, Serialize};

/// How a hidden byte is written.
const HIDDEN: [u8; 2] = *b"**";

/// A command or an answer. Hidden bytes are not in here: only their places are.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Bytes {
    /// Zero where hidden.
    bytes: Vec<u8>,
    hidden: Range<usize>,
}

/// Why a text is none that stands for bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BytesError {
    /// It is not made of pairs of hexadecimal digits and of `**`.
    #[error("bytes are pairs of hexadecimal digits, or ** where they are hidden")]
    Digits,
    /// Bytes are hidden in more than one place.
    #[error("bytes are hidden in more than one place")]
    Places,
}

impl Bytes {
    /// The bytes, but for those in `hidden`.
    pub fn new(bytes: &[u8], hidden: Range<usize>) -> Self {
        let mut bytes = bytes.to_vec();
        let end = hidden.end.min(bytes.len());
        let hidden = hidden.start.min(end)..end;
        if let Some(secret) = bytes.get_mut(hidden.clone()) {
            secret.fill(0);
        }
        // One way to hide nothing, so that equal bytes are equal.
        let hidden = if hidden.is_empty() { 0..0 } else { hidden };
        Self { bytes, hidden }
    }

    /// The bytes, with zeros where they are hidden.
    pub fn shown(&self) -> &[u8] {
        &self.bytes
    }

    /// Which bytes are hidden.
    pub fn hidden(&self) -> Range<usize> {
        self.hidden.clone()
    }

    /// Each byte as two characters.
    fn pairs(&self) -> impl Iterator<Item = [u8; 2]> {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let digit = |nibble: u8| DIGITS[usize::from(nibble & 0x0F)];
        self.bytes.iter().enumerate().map(move |(place, byte)| {
            if self.hidden.contains(&place) { HIDDEN } else { [digit(byte >> 4), digit(*byte)] }
        })
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes, 0..0)
    }
}

impl fmt::Display for Bytes {
    /// In hex, with spaces between the bytes if the alternate form (`{:#}`) is asked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, [high, low]) in self.pairs().enumerate() {
            if f.alternate() && place > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{}{}", char::from(high), char::from(low))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        bytes.pairs().flatten().map(char::from).collect()
    }
}

impl FromStr for Bytes {
    type Err = BytesError;

    fn from_str(text: &str) -> Result<Self, BytesError> {
        let (pairs, []) = text.as_bytes().as_chunks() else { return Err(BytesError::Digits) };
        let mut bytes = Vec::with_capacity(pairs.len());
        let mut hidden = 0..0;
        for (place, pair) in pairs.iter().enumerate() {
            let mut byte = [0];
            if *pair == HIDDEN {
                match hidden.is_empty() {
                    true => hidden = place..place + 1,
                    false if hidden.end == place => hidden.end += 1,
                    false => return Err(BytesError::Places),
                }
            } else {
                hex::decode_to_slice(pair, &mut byte).map_err(|_| BytesError::Digits)?;
            }
            bytes.extend(byte);
        }
        Ok(Self { bytes, hidden })
    }
}

impl TryFrom<String> for Bytes {
    type Error = BytesError;

    fn try_from(text: String) -> Result<Self, BytesError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_bytes_are_not_there() {
        let bytes = Bytes::new(&[0x00, 0x20, 0x31, 0x32], 2..4);
        assert_eq!(bytes.shown(), [0x00, 0x20, 0x00, 0x00]);
        assert_eq!((bytes.to_string(), format!("{bytes:#}")), ("0020****".into(), "00 20 ** **".into()));
        assert_eq!(format!("{bytes:?}"), "0020****");
    }

    #[test]
    fn what_is_hidden_is_within_the_bytes() {
        for (hidden, text) in [(0..0, "0102"), (1..9, "01**"), (5..9, "0102"), (0..2, "****")] {
            assert_eq!(Bytes::new(&[1, 2], hidden.clone()).to_string(), text, "{hidden:?}");
        }
        assert_eq!(Bytes::new(&[1, 2], 5..9), Bytes::from(&[1, 2][..]));
    }

    #[test]
    fn bytes_are_read_as_they_are_written() {
        for text in ["", "00", "0020008008****************", "**", "AB**CD"] {
            assert_eq!(text.parse::<Bytes>().unwrap().to_string(), text);
        }
        assert_eq!("aB".parse::<Bytes>().unwrap().shown(), [0xAB]);
        for (text, error) in [
            ("0", BytesError::Digits),
            ("0g", BytesError::Digits),
            ("*", BytesError::Digits),
            ("0*", BytesError::Digits),
            ("0 ", BytesError::Digits),
            ("**00**", BytesError::Places),
        ] {
            assert_eq!(text.parse::<Bytes>(), Err(error), "{text}");
        }
    }
}
