//! The host's side of a command: writing APDUs, and splitting long ones into chains.
//!
//! Follows ISO/IEC 7816-3:2006, 12.1 (length encodings) and ISO/IEC 7816-4:2020, 5.3
//! (command chaining). What the builder writes, [`crate::Command::parse`] reads back.

use core::fmt;

use crate::command::{Class, CommandHeader};

/// The longest data field of a short command, in bytes.
const SHORT_NC_MAX: usize = 0xFF;
/// The longest data field of an extended command, in bytes.
const EXTENDED_NC_MAX: usize = 0xFFFF;

/// Why a command cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum EncodeError {
    /// The buffer is too small for the command.
    BufferTooSmall,
    /// The data field exceeds 255 bytes (short) or 65 535 bytes (extended).
    DataTooLong,
    /// Ne exceeds 256 (short) or 65 536 (extended).
    LeTooLarge,
    /// The class byte is not interindustry, so it has no chaining bit.
    ClassWithoutChaining,
    /// Fragments of zero bytes, or of more than 65 535.
    FragmentSize,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BufferTooSmall => "the buffer is too small for the command",
            Self::DataTooLong => "the data field is too long for this encoding",
            Self::LeTooLarge => "the expected length is too large for this encoding",
            Self::ClassWithoutChaining => "the class byte has no chaining bit",
            Self::FragmentSize => "a fragment carries 1 to 65535 bytes",
        })
    }
}

impl core::error::Error for EncodeError {}

/// A command to be sent.
///
/// `Debug` prints how long the data field is but not what is in it: it may be a PIN.
///
/// ```
/// use apdu::CommandBuilder;
///
/// let mut buffer = [0; 16];
/// let select = CommandBuilder::new(0x00, 0xA4, 0x04, 0x00)
///     .data(&[0xA0, 0x00, 0x00, 0x03, 0x08])
///     .le(256);
/// assert_eq!(
///     select.encode(&mut buffer)?,
///     [0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00],
/// );
/// # Ok::<(), apdu::EncodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct CommandBuilder<'a> {
    header: CommandHeader,
    data: &'a [u8],
    ne: u32,
}

impl<'a> CommandBuilder<'a> {
    /// A command without data and without Le.
    pub fn new(class: impl Into<Class>, instruction: u8, p1: u8, p2: u8) -> Self {
        let header = CommandHeader { class: class.into(), instruction, p1, p2 };
        Self { header, data: &[], ne: 0 }
    }

    /// Sets the data field; an empty one means no data field.
    pub const fn data(self, data: &[u8]) -> CommandBuilder<'_> {
        CommandBuilder { header: self.header, data, ne: self.ne }
    }

    /// Sets Ne, the number of bytes expected back: 1 to 65 536, or 0 for no Le.
    pub const fn le(self, ne: u32) -> Self {
        Self { ne, ..self }
    }

    /// Writes the command with short lengths to the start of `buffer` and returns it.
    ///
    /// # Errors
    ///
    /// [`EncodeError::DataTooLong`] above 255 bytes of data, [`EncodeError::LeTooLarge`] above
    /// Ne 256, [`EncodeError::BufferTooSmall`].
    pub fn encode_short<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
        let lc = u8::try_from(self.data.len()).map_err(|_| EncodeError::DataTooLong)?;
        if self.ne > 0x100 {
            return Err(EncodeError::LeTooLarge);
        }
        // Of Ne 256 (0x100) the low byte is the 00 that stands for it; extended Le likewise.
        let [_, _, _, le] = self.ne.to_be_bytes();
        let lc: &[u8] = if lc == 0 { &[] } else { &[lc] };
        let le: &[u8] = if self.ne == 0 { &[] } else { &[le] };
        self.write([lc, self.data, le], buffer)
    }

    /// Writes the command with extended lengths to the start of `buffer` and returns it. With
    /// neither data nor Le there are no lengths, and the command is the bare header.
    ///
    /// # Errors
    ///
    /// [`EncodeError::DataTooLong`] above 65 535 bytes of data, [`EncodeError::LeTooLarge`]
    /// above Ne 65 536, [`EncodeError::BufferTooSmall`].
    pub fn encode_extended<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
        let lc = u16::try_from(self.data.len()).map_err(|_| EncodeError::DataTooLong)?;
        if self.ne > 0x1_0000 {
            return Err(EncodeError::LeTooLarge);
        }
        let [lc_high, lc_low] = lc.to_be_bytes();
        let [_, _, le_high, le_low] = self.ne.to_be_bytes();
        // The leading 00 that marks the extended form is written once, before Lc if there is
        // one and else before Le.
        let lc_field: &[u8] = if lc == 0 { &[] } else { &[0, lc_high, lc_low] };
        let le_field: &[u8] = match (self.ne, lc) {
            (0, _) => &[],
            (_, 0) => &[0, le_high, le_low],
            _ => &[le_high, le_low],
        };
        self.write([lc_field, self.data, le_field], buffer)
    }

    /// Writes the command with short lengths if data and Ne allow it, else with extended ones.
    ///
    /// # Errors
    ///
    /// Those of [`CommandBuilder::encode_extended`].
    pub fn encode<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
        if self.data.len() <= SHORT_NC_MAX && self.ne <= 0x100 {
            self.encode_short(buffer)
        } else {
            self.encode_extended(buffer)
        }
    }

    /// Splits the command into a chain whose data fields have at most `max_fragment` bytes
    /// (255 for short APDUs). All but the last carry the chaining bit, only the last carries
    /// Le. A command that fits one fragment is not split.
    ///
    /// # Errors
    ///
    /// [`EncodeError::FragmentSize`] for sizes other than 1 to 65 535, and
    /// [`EncodeError::ClassWithoutChaining`] when the command must be split but its class has
    /// no chaining bit.
    ///
    /// ```
    /// use apdu::CommandBuilder;
    ///
    /// let long = CommandBuilder::new(0x00, 0xDB, 0x3F, 0xFF).data(&[1, 2, 3]).le(256);
    /// let mut buffer = [0; 16];
    /// let mut fragments = long.chained(2)?;
    ///
    /// let first = fragments.next().ok_or("no first fragment")?;
    /// assert_eq!(first.encode(&mut buffer)?, [0x10, 0xDB, 0x3F, 0xFF, 0x02, 1, 2]);
    /// let last = fragments.next().ok_or("no last fragment")?;
    /// assert_eq!(last.encode(&mut buffer)?, [0x00, 0xDB, 0x3F, 0xFF, 0x01, 3, 0x00]);
    /// assert!(fragments.next().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn chained(self, max_fragment: usize) -> Result<Fragments<'a>, EncodeError> {
        if max_fragment == 0 || max_fragment > EXTENDED_NC_MAX {
            return Err(EncodeError::FragmentSize);
        }
        let chained_class = match self.header.class.with_chaining() {
            Some(class) => class,
            None if self.data.len() <= max_fragment => self.header.class,
            None => return Err(EncodeError::ClassWithoutChaining),
        };
        Ok(Fragments { rest: Some(self), chained_class, max_fragment })
    }

    /// Writes the header and then `fields`, one after the other.
    fn write<'b>(&self, fields: [&[u8]; 3], buffer: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
        let CommandHeader { class, instruction, p1, p2 } = self.header;
        let [first, second, third] = fields;
        let mut length = 0_usize;
        for field in [&[class.raw(), instruction, p1, p2][..], first, second, third] {
            let end = length.checked_add(field.len());
            let end = end.ok_or(EncodeError::BufferTooSmall)?;
            let room = buffer.get_mut(length..end);
            room.ok_or(EncodeError::BufferTooSmall)?.copy_from_slice(field);
            length = end;
        }
        Ok(buffer.get(..length).unwrap_or_default())
    }
}

impl fmt::Debug for CommandBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CommandHeader { class, instruction, p1, p2 } = self.header;
        write!(
            f,
            "CommandBuilder({:02X} {instruction:02X} {p1:02X} {p2:02X}, {} data bytes, Ne {})",
            class.raw(),
            self.data.len(),
            self.ne
        )
    }
}

/// The commands of a chain, in order; made by [`CommandBuilder::chained`].
#[derive(Clone, Debug)]
pub struct Fragments<'a> {
    /// The command still to be sent; `None` after the last fragment.
    rest: Option<CommandBuilder<'a>>,
    chained_class: Class,
    max_fragment: usize,
}

impl<'a> Iterator for Fragments<'a> {
    type Item = CommandBuilder<'a>;

    fn next(&mut self) -> Option<CommandBuilder<'a>> {
        let rest = self.rest.take()?;
        match rest.data.split_at_checked(self.max_fragment) {
            None | Some((_, [])) => Some(rest),
            Some((data, left)) => {
                self.rest = Some(rest.data(left));
                let header = CommandHeader { class: self.chained_class, ..rest.header };
                Some(CommandBuilder { header, data, ne: 0 })
            }
        }
    }
}

#[cfg(test)]
#[path = "builder_tests.rs"]
mod tests;
