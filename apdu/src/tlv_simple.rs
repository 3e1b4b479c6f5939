//! SIMPLE-TLV: one-byte tags, lengths of one byte or of `FF` and two.
//!
//! Follows ISO/IEC 7816-4:2020, 6.2, and for the byte order of CAC cards NISTIR 6887 (GSC-IS
//! 2.1): there the two length bytes are little-endian, in ISO big-endian ([`Order`]).
//!
//! [`Reader`] accepts the long form for lengths that would fit the short one; [`Writer`] uses
//! the short form wherever it can (lengths up to `FE`). CAC cards keep tags and lengths in one
//! buffer and the values in another; [`Header`] reads and writes one such tag and length.

pub use crate::tlv::{Full, Tag, TlvError};

/// The longest value, in bytes.
pub const MAX_LENGTH: usize = 0xFFFF;

/// The order of the two bytes of a long length.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Order {
    /// High byte first: ISO/IEC 7816-4.
    Big,
    /// Low byte first: GSC-IS, hence CAC.
    Little,
}

/// One element: a tag and the value it names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Tlv<'a> {
    /// The tag, `01` to `FE`.
    pub tag: u8,
    /// The value, without tag and length.
    pub value: &'a [u8],
}

/// A tag and the length of its value.
///
/// ```
/// use apdu::tlv_simple::{Header, Order};
///
/// let header = Header { tag: 0x70, length: 0x0305 };
/// assert_eq!(header.encode(Order::Big).as_slice(), [0x70, 0xFF, 0x03, 0x05]);
/// assert_eq!(header.encode(Order::Little).as_slice(), [0x70, 0xFF, 0x05, 0x03]);
/// assert_eq!(Header::split(&[0x71, 0x01, 0x80], Order::Little),
///            Ok((Header { tag: 0x71, length: 1 }, &[0x80][..])));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Header {
    /// The tag. Readers never give `00` or `FF`, which the standard excludes.
    pub tag: u8,
    /// The length of the value, in bytes.
    pub length: u16,
}

impl Header {
    /// Reads a tag and a length, and returns them with the bytes that follow.
    ///
    /// # Errors
    ///
    /// [`TlvError::Truncated`] or [`TlvError::InvalidTag`].
    pub const fn split(bytes: &[u8], order: Order) -> Result<(Self, &[u8]), TlvError> {
        match bytes {
            [0x00 | 0xFF, ..] => Err(TlvError::InvalidTag),
            [tag, 0xFF, a, b, rest @ ..] => {
                let length = match order {
                    Order::Big => u16::from_be_bytes([*a, *b]),
                    Order::Little => u16::from_le_bytes([*a, *b]),
                };
                Ok((Self { tag: *tag, length }, rest))
            }
            [] | [_] | [_, 0xFF, ..] => Err(TlvError::Truncated),
            [tag, length, rest @ ..] => {
                let header = Self { tag: *tag, length: *length as u16 };
                Ok((header, rest))
            }
        }
    }

    /// Encodes tag and length, the length in its shortest form.
    pub const fn encode(self, order: Order) -> EncodedHeader {
        match (self.length.to_be_bytes(), order) {
            ([0, low @ ..=0xFE], _) => EncodedHeader { bytes: [self.tag, low, 0, 0], length: 2 },
            ([high, low], Order::Big) => EncodedHeader { bytes: [self.tag, 0xFF, high, low], length: 4 },
            ([high, low], Order::Little) => EncodedHeader { bytes: [self.tag, 0xFF, low, high], length: 4 },
        }
    }
}

/// The bytes of a [`Header`]: two or four of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EncodedHeader {
    bytes: [u8; 4],
    length: u8,
}

impl EncodedHeader {
    /// Tag and length, ready to send.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// How many bytes an element with a value of `value_len` bytes takes, or `None` when the value
/// is longer than [`MAX_LENGTH`].
pub const fn encoded_len(value_len: usize) -> Option<usize> {
    match value_len {
        ..=0xFE => value_len.checked_add(2),
        0xFF..=MAX_LENGTH => value_len.checked_add(4),
        _ => None,
    }
}

/// Reads elements one after the other.
///
/// A reader that reports an error stays where it was, before the element at fault.
///
/// ```
/// use apdu::tlv_simple::{Order, Reader, Tlv};
///
/// let mut reader = Reader::new(&[0x01, 0x02, 0xAB, 0xCD], Order::Little);
/// assert_eq!(reader.next()?, Some(Tlv { tag: 0x01, value: &[0xAB, 0xCD] }));
/// assert_eq!(reader.next()?, None);
/// # Ok::<(), apdu::TlvError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    order: Order,
}

impl<'a> Reader<'a> {
    /// A reader of `bytes` whose long lengths are in this order.
    pub const fn new(bytes: &'a [u8], order: Order) -> Self {
        Self { rest: bytes, order }
    }

    /// The next element, or `None` at the end of the bytes.
    ///
    /// # Errors
    ///
    /// [`TlvError::Truncated`] or [`TlvError::InvalidTag`].
    #[expect(
        clippy::should_implement_trait,
        reason = "`?` wants the error outside; the same call as in tlv_ber"
    )]
    pub fn next(&mut self) -> Result<Option<Tlv<'a>>, TlvError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (header, rest) = Header::split(self.rest, self.order)?;
        let (value, rest) = rest.split_at_checked(usize::from(header.length)).ok_or(TlvError::Truncated)?;
        self.rest = rest;
        Ok(Some(Tlv { tag: header.tag, value }))
    }

    /// The value of the next element, which has to have this tag.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::next`], [`TlvError::UnexpectedTag`], and [`TlvError::Missing`] at the
    /// end of the bytes.
    pub fn expect(&mut self, tag: u8) -> Result<&'a [u8], TlvError> {
        let before = self.rest;
        match self.next()? {
            None => Err(TlvError::Missing(tag.into())),
            Some(tlv) if tlv.tag == tag => Ok(tlv.value),
            Some(tlv) => {
                self.rest = before;
                Err(TlvError::UnexpectedTag { wanted: tag.into(), found: tlv.tag.into() })
            }
        }
    }

    /// The value of the first element with this tag among those not yet read, or `None`. The
    /// reader does not move, and elements behind the one found are not checked.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::next`], for elements up to the one looked for.
    pub fn find(&self, tag: u8) -> Result<Option<&'a [u8]>, TlvError> {
        let mut ahead = self.clone();
        while let Some(tlv) = ahead.next()? {
            if tlv.tag == tag {
                return Ok(Some(tlv.value));
            }
        }
        Ok(None)
    }

    /// The bytes not yet read.
    pub const fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// True when all bytes have been read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// [`TlvError::TrailingBytes`] when bytes are left.
    pub const fn finish(self) -> Result<(), TlvError> {
        if self.rest.is_empty() { Ok(()) } else { Err(TlvError::TrailingBytes) }
    }
}

/// Writes elements one after the other into a buffer. A write that fails changes nothing.
///
/// The tag is written as given; `00` and `FF` are for the caller to avoid.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    length: usize,
    order: Order,
}

impl<'a> Writer<'a> {
    /// A writer that starts at the beginning of `buffer`.
    pub const fn new(buffer: &'a mut [u8], order: Order) -> Self {
        Self { buffer, length: 0, order }
    }

    /// Appends one element.
    ///
    /// # Errors
    ///
    /// [`Full`] when it does not fit or the value is longer than [`MAX_LENGTH`].
    pub fn tlv(&mut self, tag: u8, value: &[u8]) -> Result<(), Full> {
        let header = self.encode(tag, value.len())?;
        let total = header.as_slice().len().checked_add(value.len());
        let (head, tail) =
            self.append(total.ok_or(Full)?)?.split_at_mut_checked(header.as_slice().len()).ok_or(Full)?;
        head.copy_from_slice(header.as_slice());
        tail.copy_from_slice(value);
        Ok(())
    }

    /// Appends a tag and a length alone, for a value kept in another buffer.
    ///
    /// # Errors
    ///
    /// [`Full`] when it does not fit or the length exceeds [`MAX_LENGTH`].
    pub fn header(&mut self, tag: u8, length: usize) -> Result<(), Full> {
        let header = self.encode(tag, length)?;
        self.raw(header.as_slice())
    }

    /// Appends bytes as they are.
    ///
    /// # Errors
    ///
    /// [`Full`] when they do not fit.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.append(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    fn encode(&self, tag: u8, length: usize) -> Result<EncodedHeader, Full> {
        let length = u16::try_from(length).map_err(|_| Full)?;
        Ok(Header { tag, length }.encode(self.order))
    }

    /// Takes the next `count` bytes of the buffer.
    fn append(&mut self, count: usize) -> Result<&mut [u8], Full> {
        let end = self.length.checked_add(count).ok_or(Full)?;
        let room = self.buffer.get_mut(self.length..end).ok_or(Full)?;
        self.length = end;
        Ok(room)
    }

    /// How many bytes have been written.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// True when nothing has been written.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// What has been written.
    pub fn finish(self) -> &'a [u8] {
        let buffer: &'a [u8] = self.buffer;
        buffer.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "tlv_simple_tests.rs"]
mod tests;
