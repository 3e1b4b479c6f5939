//! BER-TLV, and the one-byte-tag variant of it inside PIV containers.
//!
//! Follows ISO/IEC 7816-4:2020, 6.3 (BER-TLV, definite lengths, tags of up to three bytes) and
//! SP 800-73-5 part 1, appendix A, whose container elements have BER lengths but tags that are
//! always one byte, even where BER would read on (`3F`, `5F`, `7F`, `FF`).
//!
//! * [`Reader`] is liberal: a length may be encoded in more bytes than needed, because real
//!   cards and clients send such lengths (`82 00 05` for 5).
//! * [`Writer`] and [`Header`] are strict: they write the shortest length.
//! * Padding bytes between elements are not skipped; `00` is a tag like any other.
//! * Nothing here looks inside a value: nesting is one `Reader` per level, so hostile nesting
//!   costs nothing.

pub use crate::tlv::{Full, Tag, TlvError};

/// The largest length, in bytes, that this crate reads or writes: three length bytes.
pub const MAX_LENGTH: usize = 0xFF_FFFF;

/// One element: a tag and the value it names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Tlv<'a> {
    /// The tag.
    pub tag: Tag,
    /// The value, without tag and length.
    pub value: &'a [u8],
}

/// How a reader tells where a tag ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum TagForm {
    Ber,
    SingleByte,
}

/// Reads elements one after the other.
///
/// A reader that reports an error stays where it was, before the element at fault.
///
/// ```
/// use apdu::tlv_ber::{Reader, Tag};
///
/// // Dynamic authentication template: 7C { 82 empty, 81 challenge }.
/// let mut outer = Reader::new(&[0x7C, 0x06, 0x82, 0x00, 0x81, 0x02, 0xAB, 0xCD]);
/// let template = Reader::new(outer.expect(Tag::new(0x7C))?);
/// outer.finish()?;
///
/// assert_eq!(template.find(Tag::new(0x81))?, Some(&[0xAB, 0xCD][..]));
/// assert_eq!(template.find(Tag::new(0x82))?, Some(&[][..]));
/// assert_eq!(template.find(Tag::new(0x80))?, None);
/// # Ok::<(), apdu::TlvError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    form: TagForm,
}

impl<'a> Reader<'a> {
    /// A reader of true BER-TLV: tags of one to three bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, form: TagForm::Ber }
    }

    /// A reader of PIV container contents: every tag is one byte.
    pub const fn single_byte_tags(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, form: TagForm::SingleByte }
    }

    /// The next element, or `None` at the end of the bytes.
    ///
    /// # Errors
    ///
    /// [`TlvError::Truncated`], [`TlvError::InvalidTag`] or [`TlvError::InvalidLength`].
    #[expect(
        clippy::should_implement_trait,
        reason = "`?` wants the error outside; the iterator is IntoIterator"
    )]
    pub fn next(&mut self) -> Result<Option<Tlv<'a>>, TlvError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (tag, rest) = split_tag(self.rest, self.form)?;
        let (length, rest) = split_length(rest)?;
        let (value, rest) = rest.split_at_checked(length).ok_or(TlvError::Truncated)?;
        self.rest = rest;
        Ok(Some(Tlv { tag, value }))
    }

    /// The value of the next element, which has to have this tag.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::next`], [`TlvError::UnexpectedTag`], and [`TlvError::Missing`] at the
    /// end of the bytes.
    pub fn expect(&mut self, tag: Tag) -> Result<&'a [u8], TlvError> {
        let before = self.rest;
        match self.next()? {
            None => Err(TlvError::Missing(tag)),
            Some(tlv) if tlv.tag == tag => Ok(tlv.value),
            Some(tlv) => {
                self.rest = before;
                Err(TlvError::UnexpectedTag { wanted: tag, found: tlv.tag })
            }
        }
    }

    /// The value of the next element if it has this tag; otherwise `None`, and the element
    /// stays to be read. For elements that may be left out of a fixed order.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::next`].
    pub fn optional(&mut self, tag: Tag) -> Result<Option<&'a [u8]>, TlvError> {
        match self.expect(tag) {
            Ok(value) => Ok(Some(value)),
            Err(TlvError::Missing(_) | TlvError::UnexpectedTag { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The value of the first element with this tag among those not yet read, or `None`.
    ///
    /// The reader does not move, so elements can be looked up in any order. Elements behind the
    /// one found are not checked.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::next`], for elements up to the one looked for.
    pub fn find(&self, tag: Tag) -> Result<Option<&'a [u8]>, TlvError> {
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

impl<'a> IntoIterator for Reader<'a> {
    type Item = Result<Tlv<'a>, TlvError>;
    type IntoIter = Elements<'a>;

    fn into_iter(self) -> Elements<'a> {
        Elements { reader: self, failed: false }
    }
}

/// The remaining elements of a [`Reader`]; the first error is also the last item.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    reader: Reader<'a>,
    failed: bool,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Tlv<'a>, TlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.reader.next().transpose();
        self.failed = matches!(item, Some(Err(_)));
        item
    }
}

fn split_tag(bytes: &[u8], form: TagForm) -> Result<(Tag, &[u8]), TlvError> {
    let (&first, rest) = bytes.split_first().ok_or(TlvError::Truncated)?;
    if form == TagForm::SingleByte || first & 0x1F != 0x1F {
        return Ok((Tag::from(first), rest));
    }
    // Bit 8 of each further byte says whether another one follows.
    match *rest {
        [last @ ..=0x7F, ref rest @ ..] => Ok((Tag::new(u32::from_be_bytes([0, 0, first, last])), rest)),
        [middle, last @ ..=0x7F, ref rest @ ..] => {
            Ok((Tag::new(u32::from_be_bytes([0, first, middle, last])), rest))
        }
        [] | [_] => Err(TlvError::Truncated),
        _ => Err(TlvError::InvalidTag),
    }
}

fn split_length(bytes: &[u8]) -> Result<(usize, &[u8]), TlvError> {
    let (length, rest) = match *bytes {
        [short @ ..=0x7F, ref rest @ ..] => ([0, 0, 0, short], rest),
        [0x81, a, ref rest @ ..] => ([0, 0, 0, a], rest),
        [0x82, a, b, ref rest @ ..] => ([0, 0, a, b], rest),
        [0x83, a, b, c, ref rest @ ..] => ([0, a, b, c], rest),
        [] | [0x81..=0x83, ..] => return Err(TlvError::Truncated),
        [_, ..] => return Err(TlvError::InvalidLength),
    };
    let length = usize::try_from(u32::from_be_bytes(length));
    // On a machine whose usize is smaller, so is any buffer: the value cannot be there.
    Ok((length.map_err(|_| TlvError::Truncated)?, rest))
}

/// An encoded tag and length, at most seven bytes, for a value that is sent separately.
///
/// ```
/// use apdu::tlv_ber::{Header, Tag};
///
/// let header = Header::new(Tag::new(0x53), 1905).ok_or("too long")?;
/// assert_eq!(header.as_slice(), [0x53, 0x82, 0x07, 0x71]);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    bytes: [u8; 7],
    length: u8,
}

impl Header {
    /// The header of a value of `length` bytes, with the shortest length field; `None` when
    /// the length exceeds [`MAX_LENGTH`] or the tag has four bytes.
    pub const fn new(tag: Tag, length: usize) -> Option<Self> {
        if length > MAX_LENGTH {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 0xFF_FFFF, see above")]
        let [_, a, b, c] = (length as u32).to_be_bytes();
        let (l, length_len) = match length {
            ..=0x7F => ([c, 0, 0, 0], 1),
            0x80..=0xFF => ([0x81, c, 0, 0], 2),
            0x100..=0xFFFF => ([0x82, b, c, 0], 3),
            _ => ([0x83, a, b, c], 4),
        };
        let [t0, t1, t2, t3] = tag.number().to_be_bytes();
        let [l0, l1, l2, l3] = l;
        let (bytes, tag_len) = match (t0, t1, t2) {
            (0, 0, 0) => ([t3, l0, l1, l2, l3, 0, 0], 1_u8),
            (0, 0, _) => ([t2, t3, l0, l1, l2, l3, 0], 2),
            (0, _, _) => ([t1, t2, t3, l0, l1, l2, l3], 3),
            _ => return None,
        };
        Some(Self { bytes, length: tag_len.saturating_add(length_len) })
    }

    /// Tag and length, ready to send.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    /// How many bytes tag and length take, 2 to 7.
    #[expect(clippy::len_without_is_empty, reason = "a header is never empty")]
    pub const fn len(&self) -> usize {
        self.length as usize
    }
}

/// How many bytes an element takes: tag, shortest length field and `value_len` bytes of value.
/// `None` where [`Header::new`] gives none.
pub fn encoded_len(tag: Tag, value_len: usize) -> Option<usize> {
    Header::new(tag, value_len)?.len().checked_add(value_len)
}

/// Writes elements one after the other into a buffer.
///
/// A tag is written with as many bytes as its number has; whoever writes BER takes care to use
/// tags for which [`Tag::is_ber`] holds. A write that fails leaves the writer where it was.
///
/// ```
/// use apdu::tlv_ber::{Tag, Writer};
///
/// let mut buffer = [0; 32];
/// let mut writer = Writer::new(&mut buffer);
/// writer.nested(Tag::new(0x61), |inner| {
///     inner.tlv(Tag::new(0x4F), &[0x00, 0x00, 0x10, 0x00, 0x01, 0x00])?;
///     inner.nested(Tag::new(0x79), |authority| {
///         authority.tlv(Tag::new(0x4F), &[0xA0, 0x00, 0x00, 0x03, 0x08])
///     })
/// })?;
/// assert_eq!(writer.finish(), [
///     0x61, 0x11, 0x4F, 0x06, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00,
///     0x79, 0x07, 0x4F, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08,
/// ]);
/// # Ok::<(), apdu::Full>(())
/// ```
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    length: usize,
}

impl<'a> Writer<'a> {
    /// A writer that starts at the beginning of `buffer`.
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// Appends one element.
    ///
    /// # Errors
    ///
    /// [`Full`], as with every method below.
    pub fn tlv(&mut self, tag: Tag, value: &[u8]) -> Result<(), Full> {
        self.reserve(tag, value.len())?.copy_from_slice(value);
        Ok(())
    }

    /// Appends an element whose value the caller fills in: `length` bytes, with whatever the
    /// buffer held there before.
    pub fn reserve(&mut self, tag: Tag, length: usize) -> Result<&mut [u8], Full> {
        let header = Header::new(tag, length).ok_or(Full)?;
        let total = header.len().checked_add(length).ok_or(Full)?;
        let (head, value) = self.append(total)?.split_at_mut_checked(header.len()).ok_or(Full)?;
        head.copy_from_slice(header.as_slice());
        Ok(value)
    }

    /// Appends bytes as they are, for example elements encoded elsewhere.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.append(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Appends an element whose value is what `content` writes.
    ///
    /// The length field comes before a value whose length is not known yet: the value is
    /// written first and then moved up, so the buffer needs no more room than the result.
    pub fn nested(
        &mut self,
        tag: Tag,
        content: impl FnOnce(&mut Self) -> Result<(), Full>,
    ) -> Result<(), Full> {
        let start = self.length;
        let result = content(self).and_then(|()| self.wrap(tag, start));
        if result.is_err() {
            self.length = start;
        }
        result
    }

    /// Puts a header before everything written since `start`.
    fn wrap(&mut self, tag: Tag, start: usize) -> Result<(), Full> {
        let value_len = self.length.checked_sub(start).ok_or(Full)?;
        let header = Header::new(tag, value_len).ok_or(Full)?;
        self.append(header.len())?;
        let element = self.buffer.get_mut(start..self.length).ok_or(Full)?;
        // `append` made the element longer by the header, so the header is no longer than it.
        element.rotate_right(header.len());
        let head = element.get_mut(..header.len()).ok_or(Full)?;
        head.copy_from_slice(header.as_slice());
        Ok(())
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

    /// How many bytes can still be written.
    pub const fn space(&self) -> usize {
        self.buffer.len().saturating_sub(self.length)
    }

    /// What has been written.
    pub fn finish(self) -> &'a [u8] {
        let buffer: &'a [u8] = self.buffer;
        buffer.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "tlv_ber_tests.rs"]
mod tests;
