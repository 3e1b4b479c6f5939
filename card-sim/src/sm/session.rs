//! A session: protection of commands and answers (SP 800-73-5 part 2, 4.2).
//!
//! Each message has its code over the code of the message before it in its direction, so that none can be left out,
//! repeated or moved. The counter makes the first block of each encryption different.
//!
//! [`Session`] has both ends: the card opens commands and protects answers, a host protects commands and opens answers.

use apdu::tlv_ber::{Header, Reader, Tag, Tlv};
use heapless::{Vec, VecView};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{
    cipher::{self, Block},
    key_establishment::SessionKeys,
};

const CRYPTOGRAM: Tag = Tag::new(0x87);
const LENGTH_EXPECTED: Tag = Tag::new(0x97);
const CODE: Tag = Tag::new(0x8E);
const STATUS: Tag = Tag::new(0x99);

/// In front of a cryptogram: padded after ISO/IEC 7816-4.
const PADDING_INDICATOR: u8 = 0x01;

/// Length of a code on the wire, in bytes.
const CODE_LENGTH: usize = 8;

/// The header with which codes are computed, whether the command came in a chain or not.
const CLASS: u8 = 0x0C;

/// Why a protected message was not accepted. The session is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtectionError {
    /// An object that must be there is missing: `6987`.
    Missing,
    /// An object is wrong, or its code is: `6988`.
    Incorrect,
    /// The contents are longer than the buffer for them.
    TooLong,
}

impl From<heapless::CapacityError> for ProtectionError {
    fn from(_: heapless::CapacityError) -> Self {
        Self::TooLong
    }
}

/// Session keys, counter and chaining values.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Session {
    keys: SessionKeys,
    counter: u128,
    command_chaining: Block,
    response_chaining: Block,
}

/// Instruction, P1 and P2 of a command.
pub type Header3 = [u8; 3];

impl Session {
    pub(super) fn new(keys: SessionKeys) -> Self {
        Self { keys, counter: 1, command_chaining: Block::default(), response_chaining: Block::default() }
    }

    /// Card: checks a protected command's data field and appends the plain data to `plain`.
    pub fn open_command(
        &mut self,
        header: Header3,
        data: &[u8],
        plain: &mut VecView<u8>,
    ) -> Result<(), ProtectionError> {
        let mut reader = Reader::new(data);
        let cryptogram = optional(&mut reader, CRYPTOGRAM)?;
        let length_expected = optional(&mut reader, LENGTH_EXPECTED)?;
        let protected =
            data.len().checked_sub(reader.remaining().len()).and_then(|length| data.get(..length));
        let protected = protected.ok_or(ProtectionError::Incorrect)?;
        let code = required_code(reader)?;
        self.command_chaining = checked(
            &self.keys.command_code,
            &[self.command_chaining, header_block(header)],
            protected,
            code,
        )?;
        if length_expected.is_some_and(|value| value != [0x00]) {
            return Err(ProtectionError::Incorrect);
        }
        self.decrypt(cryptogram, self.command_iv(), plain)
    }

    /// Card: makes the plain answer in `response` a protected one, and steps on to the next command.
    pub fn protect_response(
        &mut self,
        status: u16,
        response: &mut VecView<u8>,
    ) -> Result<(), ProtectionError> {
        self.encrypt(self.response_iv(), response)?;
        let [high, low] = status.to_be_bytes();
        response.extend_from_slice(&[0x99, 0x02, high, low])?;
        self.response_chaining = cipher::code(&self.keys.response_code, &[self.response_chaining], response);
        append_code(&self.response_chaining, response)?;
        self.step();
        Ok(())
    }

    /// Host: makes the plain data in `data` the data field of a protected command.
    pub fn protect_command(
        &mut self,
        header: Header3,
        wants_answer: bool,
        data: &mut VecView<u8>,
    ) -> Result<(), ProtectionError> {
        self.encrypt(self.command_iv(), data)?;
        if wants_answer {
            data.extend_from_slice(&[0x97, 0x01, 0x00])?;
        }
        self.command_chaining =
            cipher::code(&self.keys.command_code, &[self.command_chaining, header_block(header)], data);
        append_code(&self.command_chaining, data)
    }

    /// Host: checks a protected answer, appends the plain data to `plain` and gives the command's own status word.
    pub fn open_response(
        &mut self,
        response: &[u8],
        plain: &mut VecView<u8>,
    ) -> Result<u16, ProtectionError> {
        let mut reader = Reader::new(response);
        let cryptogram = optional(&mut reader, CRYPTOGRAM)?;
        let status = optional(&mut reader, STATUS)?.ok_or(ProtectionError::Missing)?;
        let &[high, low] = status else { return Err(ProtectionError::Incorrect) };
        let protected = response.len().checked_sub(reader.remaining().len());
        let protected =
            protected.and_then(|length| response.get(..length)).ok_or(ProtectionError::Incorrect)?;
        let code = required_code(reader)?;
        self.response_chaining =
            checked(&self.keys.response_code, &[self.response_chaining], protected, code)?;
        self.decrypt(cryptogram, self.response_iv(), plain)?;
        self.step();
        Ok(u16::from_be_bytes([high, low]))
    }

    fn decrypt(
        &self,
        cryptogram: Option<&[u8]>,
        iv: Block,
        plain: &mut VecView<u8>,
    ) -> Result<(), ProtectionError> {
        let Some(cryptogram) = cryptogram else { return Ok(()) };
        let blocks = match cryptogram {
            [PADDING_INDICATOR, blocks @ ..] if !blocks.is_empty() && blocks.len().is_multiple_of(16) => {
                blocks
            }
            _ => return Err(ProtectionError::Incorrect),
        };
        let start = plain.len();
        plain.extend_from_slice(blocks)?;
        let data = plain.get_mut(start..).unwrap_or_default();
        cipher::decrypt(&self.keys.encryption, iv, data);
        let end = unpadded(data).ok_or(ProtectionError::Incorrect)?;
        plain.truncate(start.saturating_add(end));
        Ok(())
    }

    /// Makes data a cryptogram object, in place; no data, no object.
    fn encrypt(&self, iv: Block, data: &mut VecView<u8>) -> Result<(), ProtectionError> {
        if data.is_empty() {
            return Ok(());
        }
        data.push(0x80).map_err(|_| ProtectionError::TooLong)?;
        let padded = data.len().checked_next_multiple_of(16).ok_or(ProtectionError::TooLong)?;
        data.resize(padded, 0)?;
        cipher::encrypt(&self.keys.encryption, iv, data);
        let header = Header::new(CRYPTOGRAM, padded.saturating_add(1)).ok_or(ProtectionError::TooLong)?;
        let mut front = Vec::<u8, 8>::from_slice(header.as_slice())?;
        front.push(PADDING_INDICATOR).map_err(|_| ProtectionError::TooLong)?;
        data.extend_from_slice(&front)?;
        data.rotate_right(front.len());
        Ok(())
    }

    fn command_iv(&self) -> Block {
        cipher::encrypt_block(&self.keys.encryption, self.counter.to_be_bytes())
    }

    fn response_iv(&self) -> Block {
        let mut counter = self.counter.to_be_bytes();
        if let Some(top) = counter.first_mut() {
            *top |= 0x80;
        }
        cipher::encrypt_block(&self.keys.encryption, counter)
    }

    fn step(&mut self) {
        self.counter = self.counter.wrapping_add(1);
    }
}

/// The header as a padded block of its own.
fn header_block([instruction, p1, p2]: Header3) -> Block {
    let mut block = Block::default();
    block.iter_mut().zip([CLASS, instruction, p1, p2, 0x80]).for_each(|(cell, byte)| *cell = byte);
    block
}

/// The value of the next object, if that is its tag.
fn optional<'a>(reader: &mut Reader<'a>, tag: Tag) -> Result<Option<&'a [u8]>, ProtectionError> {
    reader.optional(tag).map_err(|_| ProtectionError::Incorrect)
}

/// The code, which comes last.
fn required_code(mut reader: Reader<'_>) -> Result<&[u8], ProtectionError> {
    match reader.next().map_err(|_| ProtectionError::Incorrect)? {
        None => Err(ProtectionError::Missing),
        Some(Tlv { tag: CODE, value, .. }) if reader.is_empty() => Ok(value),
        Some(_) => Err(ProtectionError::Incorrect),
    }
}

/// The code over the blocks and the rest, if it is the one that came.
fn checked(key: &[u8], blocks: &[Block], rest: &[u8], came: &[u8]) -> Result<Block, ProtectionError> {
    let code = cipher::code(key, blocks, rest);
    let first = code.get(..CODE_LENGTH).unwrap_or_default();
    if bool::from(first.ct_eq(came)) { Ok(code) } else { Err(ProtectionError::Incorrect) }
}

fn append_code(code: &Block, data: &mut VecView<u8>) -> Result<(), ProtectionError> {
    data.extend_from_slice(&[0x8E, 0x08])?;
    data.extend_from_slice(code.get(..CODE_LENGTH).unwrap_or_default())?;
    Ok(())
}

/// Where the data ends: before `80` and zeros.
fn unpadded(data: &[u8]) -> Option<usize> {
    let last = data.iter().rposition(|byte| *byte != 0)?;
    let in_last_block = last.checked_add(16).is_some_and(|end| end >= data.len());
    (data.get(last) == Some(&0x80) && in_last_block).then_some(last)
}
