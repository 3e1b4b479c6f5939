//! Command APDUs: header, class byte, data field and the seven ways to say the lengths.
//!
//! Follows ISO/IEC 7816-4:2020, 5.2 (command structure), 5.4 (class byte), and ISO/IEC
//! 7816-3:2006, 12.1 (length encodings). [`Command::parse`] accepts exactly the seven cases of
//! that clause and nothing else; what is refused is answered `6700`. It judges lengths only:
//! an impossible class or instruction byte still parses, because the card answers those with
//! words of their own (`6E00`, `6D00`).

use core::fmt;

use crate::status::Status;

/// Ne when a short Le is `00`, in bytes.
const SHORT_NE_MAX: u32 = 0x100;
/// Ne when an extended Le is `0000`, in bytes.
const EXTENDED_NE_MAX: u32 = 0x1_0000;

/// How a command carries its data length (Lc) and the length it expects back (Le).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Case {
    /// CommandHeader only.
    One,
    /// No data, one-byte Le.
    TwoShort,
    /// One-byte Lc and data, no Le.
    ThreeShort,
    /// One-byte Lc, data, one-byte Le.
    FourShort,
    /// No data, `00` and two-byte Le.
    TwoExtended,
    /// `00`, two-byte Lc and data, no Le.
    ThreeExtended,
    /// `00`, two-byte Lc, data, two-byte Le.
    FourExtended,
}

impl fmt::Display for Case {
    /// ISO's short name: `1`, `2S`, `3S`, `4S`, `2E`, `3E`, `4E`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::One => "1",
            Self::TwoShort => "2S",
            Self::ThreeShort => "3S",
            Self::FourShort => "4S",
            Self::TwoExtended => "2E",
            Self::ThreeExtended => "3E",
            Self::FourExtended => "4E",
        })
    }
}

/// What the class byte says about secure messaging (ISO/IEC 7816-4, 5.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum SecureMessaging {
    /// No secure messaging, or no indication given.
    None,
    /// A format of the card's own.
    Proprietary,
    /// ISO's format; the command header is not authenticated.
    HeaderNotAuthenticated,
    /// ISO's format; the command header is authenticated. PIV uses this one (CLA `0C`).
    HeaderAuthenticated,
}

/// The class byte CLA.
///
/// Any byte makes a `Class`. The bits have a meaning in the two interindustry ranges only:
/// `00`–`1F` (channels 0 to 3) and `40`–`7F` (channels 4 to 19). In the reserved range
/// `20`–`3F`, the proprietary range `80`–`FE` and for the invalid `FF` every question below is
/// answered "no".
///
/// ```
/// use apdu::{Class, SecureMessaging};
///
/// let class = Class::parse(0x1C);
/// assert!(class.is_chained());
/// assert_eq!(class.secure_messaging(), SecureMessaging::HeaderAuthenticated);
/// assert_eq!(class.without_chaining(), Class::parse(0x0C));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Class(u8);

/// The range of values a class byte lies in; each range has its own meaning of the bits.
enum Range {
    First,
    Further,
    Reserved,
    Proprietary,
    Invalid,
}

impl Class {
    /// Bit 5: "not the last command of a chain", in both interindustry ranges.
    const CHAINED: u8 = 0x10;

    /// Wraps a class byte; never fails.
    pub const fn parse(byte: u8) -> Self {
        Self(byte)
    }

    /// The byte itself.
    pub const fn raw(self) -> u8 {
        self.0
    }

    const fn range(self) -> Range {
        match self.0 {
            0x00..=0x1F => Range::First,
            0x20..=0x3F => Range::Reserved,
            0x40..=0x7F => Range::Further,
            0x80..=0xFE => Range::Proprietary,
            0xFF => Range::Invalid,
        }
    }

    /// True for `00`–`1F` and `40`–`7F`, where the bits mean what ISO says.
    pub const fn is_interindustry(self) -> bool {
        matches!(self.range(), Range::First | Range::Further)
    }

    /// True for `80`–`FE`.
    pub const fn is_proprietary(self) -> bool {
        matches!(self.range(), Range::Proprietary)
    }

    /// False for `FF`, which ISO/IEC 7816-3 keeps for the protocol selection.
    pub const fn is_valid(self) -> bool {
        !matches!(self.range(), Range::Invalid)
    }

    /// True when more commands of the same chain follow this one.
    pub const fn is_chained(self) -> bool {
        self.is_interindustry() && self.0 & Self::CHAINED != 0
    }

    /// The same class as the last command of a chain would carry it.
    #[must_use]
    pub const fn without_chaining(self) -> Self {
        if self.is_chained() { Self(self.0 & !Self::CHAINED) } else { self }
    }

    /// The same class with the chaining bit set, or `None` where the class has no such bit.
    pub const fn with_chaining(self) -> Option<Self> {
        if self.is_interindustry() { Some(Self(self.0 | Self::CHAINED)) } else { None }
    }

    /// The kind of secure messaging the class announces.
    pub const fn secure_messaging(self) -> SecureMessaging {
        match (self.range(), self.0) {
            (Range::First, byte) => match byte & 0x0C {
                0x00 => SecureMessaging::None,
                0x04 => SecureMessaging::Proprietary,
                0x08 => SecureMessaging::HeaderNotAuthenticated,
                _ => SecureMessaging::HeaderAuthenticated,
            },
            (Range::Further, byte) if byte & 0x20 != 0 => SecureMessaging::HeaderNotAuthenticated,
            _ => SecureMessaging::None,
        }
    }

    /// The logical channel, 0 to 19; 0 where the class does not name one.
    pub const fn channel(self) -> u8 {
        match self.range() {
            Range::First => self.0 & 0x03,
            Range::Further => (self.0 & 0x0F).saturating_add(4),
            Range::Reserved | Range::Proprietary | Range::Invalid => 0,
        }
    }
}

impl From<u8> for Class {
    fn from(byte: u8) -> Self {
        Self::parse(byte)
    }
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Class({:02X})", self.0)
    }
}

/// False for `6X` and `9X`, which would look like status bytes on a T=0 line
/// (ISO/IEC 7816-3:2006, 10.3.2).
pub const fn is_valid_instruction(instruction: u8) -> bool {
    !matches!(instruction & 0xF0, 0x60 | 0x90)
}

/// The first four bytes of a command: CLA INS P1 P2.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct CommandHeader {
    /// CLA.
    pub class: Class,
    /// INS.
    pub instruction: u8,
    /// P1.
    pub p1: u8,
    /// P2.
    pub p2: u8,
}

impl CommandHeader {
    /// P1 and P2 as one number, P1 in the high byte.
    pub const fn p1p2(self) -> u16 {
        u16::from_be_bytes([self.p1, self.p2])
    }

    /// The header as the last command of a chain carries it: the chaining bit is clear.
    #[must_use]
    pub const fn without_chaining(self) -> Self {
        Self { class: self.class.without_chaining(), ..self }
    }
}

/// Why bytes are not a command APDU. Every reason is answered `6700` on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum ParseError {
    /// Fewer than the four bytes of the header.
    TooShort,
    /// Lc is zero, yet bytes follow that are not an extended Le.
    LcZeroWithData,
    /// The data field is shorter than Lc, or bytes are left after data and Le.
    LengthMismatch,
    /// A short Lc with a two-byte Le, or an extended Lc with a one-byte Le.
    MixedLengths,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "a command has at least four bytes",
            Self::LcZeroWithData => "Lc is zero but bytes follow",
            Self::LengthMismatch => "Lc does not match the length of the data field",
            Self::MixedLengths => "Lc and Le must both be short or both be extended",
        })
    }
}

impl core::error::Error for ParseError {}

impl From<ParseError> for Status {
    fn from(_: ParseError) -> Self {
        Self::WrongLength
    }
}

/// A command APDU; the data field is borrowed from the bytes it was parsed from.
///
/// `Debug` prints how long the data field is but not what is in it: it may be a PIN.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Command<'a> {
    /// CLA.
    pub class: Class,
    /// INS.
    pub instruction: u8,
    /// P1.
    pub p1: u8,
    /// P2.
    pub p2: u8,
    /// The data field, Nc bytes (at most 65 535); empty in cases 1 and 2.
    pub data: &'a [u8],
    /// How the lengths were encoded.
    pub case: Case,
    ne: u32,
}

impl<'a> Command<'a> {
    /// Reads a whole command APDU.
    ///
    /// # Errors
    ///
    /// A [`ParseError`] when the bytes fit none of the seven cases.
    ///
    /// ```
    /// use apdu::{Case, Command, ParseError};
    ///
    /// let verify = Command::parse(&[0x00, 0x20, 0x00, 0x80])?;
    /// assert_eq!(verify.case, Case::One);
    /// assert_eq!(verify.ne(), 0);
    ///
    /// let truncated = [0x00, 0xA4, 0x04, 0x00, 0x02, 0xA0];
    /// assert_eq!(Command::parse(&truncated), Err(ParseError::LengthMismatch));
    /// # Ok::<(), ParseError>(())
    /// ```
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let [class, instruction, p1, p2, body @ ..] = bytes else {
            return Err(ParseError::TooShort);
        };
        let (data, case, ne) = match body {
            [] => (&[][..], Case::One, 0),
            [le] => (&[][..], Case::TwoShort, short_ne(*le)),
            [0, rest @ ..] => parse_extended(rest)?,
            [lc, rest @ ..] => parse_short(*lc, rest)?,
        };
        Ok(Self { class: Class::parse(*class), instruction: *instruction, p1: *p1, p2: *p2, data, case, ne })
    }

    /// A command put together from its parts, for [`crate::chain`].
    pub(crate) const fn assemble(header: CommandHeader, data: &'a [u8], case: Case, ne: u32) -> Self {
        Self {
            class: header.class,
            instruction: header.instruction,
            p1: header.p1,
            p2: header.p2,
            data,
            case,
            ne,
        }
    }

    /// The plain command that was found inside this protected one: class `00`, and the data field that was decrypted.
    pub const fn opened<'b>(&self, data: &'b [u8]) -> Command<'b> {
        let header = CommandHeader { class: Class::parse(0x00), ..self.header() };
        Command::assemble(header, data, self.case, self.ne)
    }

    /// CLA INS P1 P2.
    pub const fn header(&self) -> CommandHeader {
        CommandHeader { class: self.class, instruction: self.instruction, p1: self.p1, p2: self.p2 }
    }

    /// P1 and P2 as one number, P1 in the high byte.
    pub const fn p1p2(&self) -> u16 {
        self.header().p1p2()
    }

    /// Ne, the number of response bytes Le asks for: 1 to 65 536, or 0 when Le is absent.
    pub const fn ne(&self) -> u32 {
        self.ne
    }

    /// True when Lc or Le has the extended form.
    pub const fn is_extended(&self) -> bool {
        matches!(self.case, Case::TwoExtended | Case::ThreeExtended | Case::FourExtended)
    }

    /// How many data bytes one response to this command may carry.
    ///
    /// This is Ne when Le is present. Without Le, ISO lets the card send no data; but widely
    /// used clients leave Le out and expect an answer all the same (ykman, before and after it
    /// switches to extended lengths), so a missing Le means the most its form can ask for: 256
    /// bytes after a short data field, 65 536 after an extended one. A bare header gets 65 536
    /// too: ykman sends those when it speaks extended lengths.
    pub fn response_limit(&self) -> usize {
        let limit = match self.case {
            Case::ThreeShort => SHORT_NE_MAX,
            Case::One | Case::ThreeExtended => EXTENDED_NE_MAX,
            Case::TwoShort | Case::FourShort | Case::TwoExtended | Case::FourExtended => self.ne,
        };
        usize::try_from(limit).unwrap_or(usize::MAX)
    }
}

impl fmt::Debug for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CommandHeader { class, instruction, p1, p2 } = self.header();
        write!(
            f,
            "Command({:02X} {instruction:02X} {p1:02X} {p2:02X}, case {}, {} data bytes, Ne {})",
            class.raw(),
            self.case,
            self.data.len(),
            self.ne
        )
    }
}

const fn short_ne(le: u8) -> u32 {
    if le == 0 { SHORT_NE_MAX } else { le as u32 }
}

const fn extended_ne(high: u8, low: u8) -> u32 {
    match u16::from_be_bytes([high, low]) {
        0 => EXTENDED_NE_MAX,
        le => le as u32,
    }
}

/// The body of a command: data field, case, Ne.
type Body<'a> = (&'a [u8], Case, u32);

/// Cases 3S and 4S; `rest` is what follows a non-zero one-byte Lc.
fn parse_short(lc: u8, rest: &[u8]) -> Result<Body<'_>, ParseError> {
    match rest.split_at_checked(usize::from(lc)) {
        Some((data, [])) => Ok((data, Case::ThreeShort, 0)),
        Some((data, [le])) => Ok((data, Case::FourShort, short_ne(*le))),
        Some((_, [_, _])) => Err(ParseError::MixedLengths),
        Some(_) | None => Err(ParseError::LengthMismatch),
    }
}

/// Cases 2E, 3E and 4E; `rest` is what follows the leading `00`.
fn parse_extended(rest: &[u8]) -> Result<Body<'_>, ParseError> {
    let (high, low, rest) = match rest {
        [high, low] => return Ok((&[], Case::TwoExtended, extended_ne(*high, *low))),
        [high, low, rest @ ..] => (*high, *low, rest),
        _ => return Err(ParseError::LcZeroWithData),
    };
    let lc = u16::from_be_bytes([high, low]);
    if lc == 0 {
        return Err(ParseError::LcZeroWithData);
    }
    match rest.split_at_checked(usize::from(lc)) {
        Some((data, [])) => Ok((data, Case::ThreeExtended, 0)),
        Some((data, [high, low])) => Ok((data, Case::FourExtended, extended_ne(*high, *low))),
        Some((_, [_])) => Err(ParseError::MixedLengths),
        Some(_) | None => Err(ParseError::LengthMismatch),
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
