//! What BER-TLV and SIMPLE-TLV share: tags, and what can go wrong.
//!
//! The two formats live in [`crate::tlv_ber`] and [`crate::tlv_simple`] (ISO/IEC 7816-4:2020,
//! 6.2 and 6.3); both report the errors of this module, and both turn into a [`Status`].

use core::fmt;

use crate::status::Status;

/// A tag as the number its bytes spell: `5FC102` is `Tag::new(0x5FC102)`.
///
/// A tag has as many bytes as its number needs (`00` has one), so the leading zero bytes that
/// no TLV tag has cannot be expressed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u32);

impl Tag {
    /// The tag whose bytes, read as one big-endian number, are `number`.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The tag's bytes as one big-endian number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// How many bytes the tag has, 1 to 4. The readers never give one of 4.
    pub const fn encoded_len(self) -> usize {
        match self.0 {
            0..=0xFF => 1,
            0x100..=0xFFFF => 2,
            0x1_0000..=0xFF_FFFF => 3,
            _ => 4,
        }
    }

    /// True when BER takes these bytes for exactly one tag: one byte unless its low five bits
    /// are all ones, and then further bytes with bit 8 set in all but the last.
    ///
    /// The one-byte tags of PIV containers need not be like that.
    pub const fn is_ber(self) -> bool {
        match self.0.to_be_bytes() {
            [0, 0, 0, first] => first & 0x1F != 0x1F,
            [0, 0, first, last] => first & 0x1F == 0x1F && last & 0x80 == 0,
            [0, first, middle, last] => first & 0x1F == 0x1F && middle & 0x80 != 0 && last & 0x80 == 0,
            _ => false,
        }
    }
}

impl From<u8> for Tag {
    fn from(byte: u8) -> Self {
        Self(u32::from(byte))
    }
}

impl fmt::Display for Tag {
    /// The tag's bytes in hex: `5FC102`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.encoded_len().saturating_mul(2);
        write!(f, "{:0digits$X}", self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({self})")
    }
}

/// Why bytes are not the TLV that was looked for. Answered `6A80` when a command carried it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum TlvError {
    /// The bytes end inside a tag, a length or a value.
    Truncated,
    /// A BER tag of more than three bytes, or `00` or `FF` as a SIMPLE-TLV tag.
    InvalidTag,
    /// A BER length that is indefinite (`80`) or has more than three bytes (`84` and up).
    InvalidLength,
    /// Another tag than the one that has to come here.
    UnexpectedTag {
        /// The tag that had to come.
        wanted: Tag,
        /// The tag that came.
        found: Tag,
    },
    /// The bytes are over and this tag has not come.
    Missing(Tag),
    /// Bytes are left over where none may be.
    TrailingBytes,
}

impl fmt::Display for TlvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the bytes end inside a TLV element"),
            Self::InvalidTag => f.write_str("the tag is not valid here"),
            Self::InvalidLength => f.write_str("the length is indefinite or too large"),
            Self::UnexpectedTag { wanted, found } => write!(f, "tag {found} instead of {wanted}"),
            Self::Missing(tag) => write!(f, "tag {tag} is missing"),
            Self::TrailingBytes => f.write_str("bytes are left over after the last element"),
        }
    }
}

impl core::error::Error for TlvError {}

impl From<TlvError> for Status {
    fn from(_: TlvError) -> Self {
        Self::IncorrectData
    }
}

/// An element does not fit into the buffer, or is longer than its length field can say.
///
/// On the wire this is `6F00`: the card sizes its buffers for every answer it gives, so running
/// out of one is the card's fault and nothing the host can mend.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the element does not fit")
    }
}

impl core::error::Error for Full {}

impl From<Full> for Status {
    fn from(_: Full) -> Self {
        Self::NoDiagnosis
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn tags_have_as_many_bytes_as_their_number() {
        for (number, length, ber, text) in [
            (0x00, 1, true, "00"),
            (0x53, 1, true, "53"),
            (0x5F, 1, false, "5F"),
            (0xFF, 1, false, "FF"),
            (0x7F49, 2, true, "7F49"),
            (0x7F81, 2, false, "7F81"),
            (0x5300, 2, false, "5300"),
            (0x5F_C102, 3, true, "5FC102"),
            (0x5F_4102, 3, false, "5F4102"),
            (0x5F_C182, 3, false, "5FC182"),
            (0x5FC1_8201, 4, false, "5FC18201"),
        ] {
            let tag = Tag::new(number);
            assert_eq!(tag.encoded_len(), length, "{text}");
            assert_eq!(tag.is_ber(), ber, "{text}");
            assert_eq!(tag.to_string(), text);
            assert_eq!(tag.number(), number);
        }
    }

    #[test]
    fn errors_say_which_tag() {
        let error = TlvError::UnexpectedTag { wanted: Tag::new(0x5C), found: Tag::new(0x53) };
        assert_eq!(error.to_string(), "tag 53 instead of 5C");
        assert_eq!(TlvError::Missing(Tag::new(0x7F49)).to_string(), "tag 7F49 is missing");
        assert_eq!(Status::from(error), Status::IncorrectData);
        assert_eq!(Status::from(Full), Status::NoDiagnosis);
    }
}
