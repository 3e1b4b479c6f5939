//! What a key-pad makes of a PIN: it fills in the command that the client gave with gaps (PC/SC part 10, 2.5.2 and
//! 2.5.3).
//!
//! Supported are PINs in ASCII, BCD and binary form, justified left or right, at whole bytes; not the insertion of a
//! PIN length into the block. Whatever the client sends, the answer is a command, a status word of the reader, or
//! UNSUPPORTED_FEATURE, which is libccid's answer to a structure that it cannot use.

use zeroize::Zeroizing;

use super::settings::Mood;
use super::{PinPad, ReturnCode};

/// Status words that a reader makes itself (PC/SC part 10, table 5).
const TIME_IS_OVER: [u8; 2] = [0x64, 0x00];
const CANCELLED: [u8; 2] = [0x64, 0x01];
const NEW_PINS_DIFFER: [u8; 2] = [0x64, 0x02];
const WRONG_LENGTH: [u8; 2] = [0x64, 0x03];

/// CLA, INS, P1, P2, Lc.
const DATA_OFFSET: usize = 5;

/// How a digit is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Binary,
    Bcd,
    Ascii,
}

/// A client's PIN_VERIFY or PIN_MODIFY structure: how and where PINs go into which command.
pub(super) struct Template<'a> {
    coding: Coding,
    justified_right: bool,
    /// Where the PIN block begins, in bytes from the beginning of the data field.
    position: usize,
    /// Length of the PIN block, in bytes; 0: as long as the PIN.
    block_length: usize,
    /// Fewest and most digits; 0 most digits: no limit.
    digits: (usize, usize),
    prompts: Prompts,
    command: &'a [u8],
}

/// Which PINs are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prompts {
    Present,
    New { present_offset: usize, new_offset: usize, asks_present: bool, asks_twice: bool },
}

/// What comes of it.
pub(super) enum Entry {
    /// No command: the reader answers with this status word.
    Refused([u8; 2]),
    /// The command, and the PIN that is the new one if the card agrees.
    Command {
        /// The command, with PINs in it.
        command: Zeroizing<Vec<u8>>,
        /// The new PIN.
        new_pin: Option<Zeroizing<String>>,
    },
}

impl<'a> Template<'a> {
    /// Understands a PIN_VERIFY_STRUCTURE: 19 bytes and the command.
    pub(super) fn of_verify(input: &'a [u8]) -> Result<Self, ReturnCode> {
        let (head, command) = input.split_first_chunk().ok_or(ReturnCode::UnsupportedFeature)?;
        let [_, _, format, block, length_format, most, fewest, .., l0, l1, l2, l3]: [u8; 19] = *head;
        let length = [l0, l1, l2, l3];
        Self::new([format, block, length_format], [most, fewest], length, Prompts::Present, command)
    }

    /// Understands a PIN_MODIFY_STRUCTURE: 24 bytes and the command.
    pub(super) fn of_modify(input: &'a [u8]) -> Result<Self, ReturnCode> {
        let (head, command) = input.split_first_chunk().ok_or(ReturnCode::UnsupportedFeature)?;
        let [_, _, format, block, length_format, present, new, most, fewest, confirm, .., l0, l1, l2, l3]: [u8; 24] =
            *head;
        let prompts = Prompts::New {
            present_offset: present.into(),
            new_offset: new.into(),
            asks_present: confirm & 0x02 != 0,
            asks_twice: confirm & 0x01 != 0,
        };
        let length = [l0, l1, l2, l3];
        Self::new([format, block, length_format], [most, fewest], length, prompts, command)
    }

    /// `format`: bmFormatString, bmPINBlockString, bmPINLengthFormat; `digits`: wPINMaxExtraDigit; `length`: ulDataLength.
    fn new(
        [format, block, _]: [u8; 3],
        [most, fewest]: [u8; 2],
        length: [u8; 4],
        prompts: Prompts,
        command: &'a [u8],
    ) -> Result<Self, ReturnCode> {
        let unsupported = Err(ReturnCode::UnsupportedFeature);
        let coding = match format & 0x03 {
            0 => Coding::Binary,
            1 => Coding::Bcd,
            2 => Coding::Ascii,
            _ => return unsupported,
        };
        let position = usize::from((format >> 3) & 0x0F);
        let position = match (format & 0x80 != 0, position) {
            (true, bytes) => bytes,
            (false, bits) if bits % 8 == 0 => bits / 8,
            (false, _) => return unsupported,
        };
        let has_pin_length = block >> 4 != 0;
        let has_data = match command {
            [_, _, _, _] => true,
            [_, _, _, _, lc, data @ ..] => data.len() == usize::from(*lc),
            _ => false,
        };
        let is_whole = usize::try_from(u32::from_le_bytes(length)) == Ok(command.len());
        if has_pin_length || !has_data || !is_whole {
            return unsupported;
        }
        Ok(Self {
            coding,
            justified_right: format & 0x04 != 0,
            position,
            block_length: usize::from(block & 0x0F),
            digits: (fewest.into(), most.into()),
            prompts,
            command,
        })
    }

    /// What the person before the key-pad makes of it.
    pub(super) fn enter(&self, pin_pad: &PinPad) -> Entry {
        match pin_pad.mood {
            Mood::Enters => {}
            Mood::Cancels => return Entry::Refused(CANCELLED),
            Mood::Waits => return Entry::Refused(TIME_IS_OVER),
        }
        self.fill(pin_pad).unwrap_or_else(Entry::Refused)
    }

    fn fill(&self, pin_pad: &PinPad) -> Result<Entry, [u8; 2]> {
        let mut command = Zeroizing::new(Vec::with_capacity(DATA_OFFSET + usize::from(u8::MAX)));
        command.extend_from_slice(self.command);
        let new_pin = match self.prompts {
            Prompts::Present => {
                self.put(&mut command, 0, &pin_pad.pin)?;
                None
            }
            Prompts::New { present_offset, new_offset, asks_present, asks_twice } => {
                let new_pin = pin_pad.new_pin.as_ref().unwrap_or(&pin_pad.pin);
                let confirmation = pin_pad.confirmation.as_ref().unwrap_or(new_pin);
                if asks_twice && confirmation != new_pin {
                    return Err(NEW_PINS_DIFFER);
                }
                if asks_present {
                    self.put(&mut command, present_offset, &pin_pad.pin)?;
                }
                self.put(&mut command, new_offset, new_pin)?;
                Some(new_pin.clone())
            }
        };
        Ok(Entry::Command { command, new_pin })
    }

    /// Writes a PIN into the data field, `offset` bytes behind the place where blocks begin.
    fn put(&self, command: &mut Zeroizing<Vec<u8>>, offset: usize, pin: &str) -> Result<(), [u8; 2]> {
        let (fewest, most) = self.digits;
        if pin.len() < fewest || (most != 0 && pin.len() > most) {
            return Err(WRONG_LENGTH);
        }
        let written_length = match self.coding {
            Coding::Binary | Coding::Ascii => pin.len(),
            Coding::Bcd => pin.len().div_ceil(2),
        };
        let block_length = if self.block_length == 0 { written_length } else { self.block_length };
        let shift = if self.justified_right { block_length.checked_sub(written_length) } else { Some(0) };
        let begin = DATA_OFFSET + self.position + offset;
        let end = begin + block_length;
        if command.len() < end {
            // Only a PIN that makes its own block may lengthen the command, and only at its end.
            if self.block_length != 0 || command.len().max(DATA_OFFSET) < begin {
                return Err(WRONG_LENGTH);
            }
            command.resize(end, 0);
            let length = u8::try_from(end - DATA_OFFSET).map_err(|_| WRONG_LENGTH)?;
            *command.get_mut(DATA_OFFSET - 1).ok_or(WRONG_LENGTH)? = length;
        }
        let block = command.get_mut(begin..end).ok_or(WRONG_LENGTH)?;
        let place = shift.and_then(|shift| block.get_mut(shift..)?.get_mut(..written_length));
        self.write(place.ok_or(WRONG_LENGTH)?, pin)
    }

    /// Writes the digits; what the template has in the unused half of a BCD byte stays.
    fn write(&self, place: &mut [u8], pin: &str) -> Result<(), [u8; 2]> {
        for (index, digit) in pin.bytes().enumerate() {
            let value = digit.wrapping_sub(b'0');
            if self.coding != Coding::Ascii && value > 9 {
                return Err(WRONG_LENGTH);
            }
            let at = if self.coding == Coding::Bcd { index / 2 } else { index };
            let byte = place.get_mut(at).ok_or(WRONG_LENGTH)?;
            *byte = match self.coding {
                Coding::Ascii => digit,
                Coding::Binary => value,
                Coding::Bcd if index % 2 == 0 => (*byte & 0x0F) | (value << 4),
                Coding::Bcd => (*byte & 0xF0) | value,
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PIN_VERIFY_STRUCTURE. `format`: bmFormatString and bmPINBlockString; `digits`: fewest and most.
    fn verify(format: [u8; 2], digits: [u8; 2], command: &str) -> Vec<u8> {
        let command = hex::decode(command).unwrap();
        let length = u32::try_from(command.len()).unwrap().to_le_bytes();
        let head = [0, 0, format[0], format[1], 0, digits[1], digits[0], 2, 0, 0, 0, 0, 0, 0, 0];
        [&head[..], &length, &command].concat()
    }

    /// A PIN_MODIFY_STRUCTURE. `offsets`: of the present and the new PIN; `confirm`: bConfirmPIN.
    fn modify(format: [u8; 2], offsets: [u8; 2], confirm: u8, command: &str) -> Vec<u8> {
        let command = hex::decode(command).unwrap();
        let length = u32::try_from(command.len()).unwrap().to_le_bytes();
        let head = [
            0, 0, format[0], format[1], 0, offsets[0], offsets[1], 8, 6, confirm, 2, 3, 0, 0, 0, 1, 2, 0, 0,
            0,
        ];
        [&head[..], &length, &command].concat()
    }

    /// The command or the reader's status word, in hex.
    fn outcome(template: Result<Template<'_>, ReturnCode>, pin_pad: &PinPad) -> String {
        match template.map(|template| template.enter(pin_pad)) {
            Ok(Entry::Command { command, .. }) => hex::encode_upper(&*command),
            Ok(Entry::Refused(status)) => hex::encode_upper(status),
            Err(code) => format!("{code:?}"),
        }
    }

    const PIV: &str = "0020008008FFFFFFFFFFFFFFFF";

    #[test]
    fn verification() {
        let unsupported = "UnsupportedFeature";
        let long = &*format!("00200080FF{}", "00".repeat(255));
        for (what, pin, format, digits, command, expected) in [
            ("ASCII, as for PIV", "123456", [0x82, 0x00], [6, 8], PIV, "0020008008313233343536FFFF"),
            ("ASCII, a block of 8", "123456", [0x82, 0x08], [6, 8], PIV, "0020008008313233343536FFFF"),
            ("as long as the block", "12345678", [0x82, 0x08], [6, 8], PIV, "00200080083132333435363738"),
            ("justified right", "123456", [0x86, 0x08], [6, 8], PIV, "0020008008FFFF313233343536"),
            (
                "justified right without a block",
                "123456",
                [0x86, 0x00],
                [6, 8],
                PIV,
                "0020008008313233343536FFFF",
            ),
            ("two bytes in", "1234", [0x92, 0x00], [4, 8], PIV, "0020008008FFFF31323334FFFF"),
            ("sixteen bits in, which cannot be said", "1234", [0x7A, 0x00], [4, 8], PIV, unsupported),
            ("eight bits in", "1234", [0x42, 0x00], [4, 8], PIV, "0020008008FF31323334FFFFFF"),
            ("half a byte in", "1234", [0x22, 0x00], [4, 8], PIV, unsupported),
            ("binary", "123456", [0x80, 0x00], [6, 8], PIV, "0020008008010203040506FFFF"),
            ("BCD", "123456", [0x81, 0x00], [6, 8], PIV, "0020008008123456FFFFFFFFFF"),
            ("BCD, odd", "12345", [0x81, 0x00], [4, 8], PIV, "002000800812345FFFFFFFFFFF"),
            ("letters in ASCII", "AbC1", [0x82, 0x00], [4, 8], PIV, "002000800841624331FFFFFFFF"),
            ("letters in BCD", "AbC1", [0x81, 0x00], [4, 8], PIV, "6403"),
            ("no format", "123456", [0x83, 0x00], [6, 8], PIV, unsupported),
            ("a PIN length in the block", "123456", [0x82, 0x48], [6, 8], PIV, unsupported),
            ("too short", "12345", [0x82, 0x00], [6, 8], PIV, "6403"),
            ("too long", "123456789", [0x82, 0x00], [6, 8], PIV, "6403"),
            ("no limit", "123456789", [0x82, 0x00], [0, 0], PIV, "0020008009313233343536373839"),
            ("longer than its block", "1234567", [0x82, 0x06], [4, 8], PIV, "6403"),
            ("a block beyond the command", "1234", [0x92, 0x08], [4, 8], PIV, "6403"),
            ("an empty data field grows", "1234", [0x82, 0x00], [4, 8], "0020000100", "002000010431323334"),
            (
                "a command without one gets one",
                "1234",
                [0x82, 0x00],
                [4, 8],
                "00200001",
                "002000010431323334",
            ),
            ("not behind a gap", "1234", [0x92, 0x00], [4, 8], "00200001", "6403"),
            (
                "far in",
                "1234",
                [0xFA, 0x00],
                [4, 8],
                long,
                &format!("00200080FF{}31323334{}", "00".repeat(15), "00".repeat(236)),
            ),
            ("Lc and data do not agree", "1234", [0x82, 0x00], [4, 8], "0020008008FFFF", unsupported),
            ("an extended length", "1234", [0x82, 0x00], [4, 8], "00200080000002FFFF", unsupported),
            ("no command", "1234", [0x82, 0x00], [4, 8], "", unsupported),
            ("half a header", "1234", [0x82, 0x00], [4, 8], "002000", unsupported),
        ] {
            let input = verify(format, digits, command);
            assert_eq!(outcome(Template::of_verify(&input), &PinPad::new(pin)), expected, "{what}");
        }
    }

    #[test]
    fn change() {
        const CHANGE: &str = "0024008010FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF";
        let both = "0024008010313233343536FFFF363534333231FFFF";
        let pad = PinPad::new("123456").with_new_pin("654321");
        let careless = pad.clone().with_confirmation("654322");
        for (what, pad, offsets, confirm, expected) in [
            ("present and new PIN", &pad, [0, 8], 0x02, both),
            ("and the new one again", &pad, [0, 8], 0x03, both),
            ("and it differs", &careless, [0, 8], 0x03, "6402"),
            ("which nobody asked for", &careless, [0, 8], 0x02, both),
            ("only the new one", &pad, [0, 8], 0x00, "0024008010FFFFFFFFFFFFFFFF363534333231FFFF"),
            (
                "nothing new: the same",
                &PinPad::new("123456"),
                [0, 8],
                0x03,
                "0024008010313233343536FFFF313233343536FFFF",
            ),
            ("too short", &PinPad::new("123456").with_new_pin("12345"), [0, 8], 0x02, "6403"),
            ("beyond the command", &pad, [0, 200], 0x02, "6403"),
        ] {
            let input = modify([0x82, 0x00], offsets, confirm, CHANGE);
            assert_eq!(outcome(Template::of_modify(&input), pad), expected, "{what}");
        }
        let full = modify([0x82, 0x00], [0, 250], 0, &format!("00240080FF{}", "FF".repeat(255)));
        assert_eq!(outcome(Template::of_modify(&full), &pad), "6403", "longer than Lc can say");
    }

    #[test]
    fn what_the_person_does() {
        let input = verify([0x82, 0x00], [6, 8], PIV);
        for (mood, expected) in [(Mood::Cancels, "6401"), (Mood::Waits, "6400")] {
            let pad = PinPad::new("123456").in_mood(mood);
            assert_eq!(outcome(Template::of_verify(&input), &pad), expected);
        }
    }

    #[test]
    fn structures_of_every_length() {
        let whole = verify([0x82, 0x00], [6, 8], PIV);
        let modify = modify([0x82, 0x00], [0, 8], 3, PIV);
        for length in 0..whole.len() {
            let cut = outcome(Template::of_verify(&whole[..length]), &PinPad::new("123456"));
            assert_eq!(cut, "UnsupportedFeature", "{length}");
        }
        for length in 0..modify.len() {
            let cut = outcome(Template::of_modify(&modify[..length]), &PinPad::new("123456"));
            assert_eq!(cut, "UnsupportedFeature", "{length}");
        }
        let longer = [&whole[..], &[0]].concat();
        assert_eq!(outcome(Template::of_verify(&longer), &PinPad::new("123456")), "UnsupportedFeature");
    }

    proptest::proptest! {
        #[test]
        fn no_input_makes_the_key_pad_fail(input: Vec<u8>, pin: String, new_pin: String) {
            let pad = PinPad::new(pin).with_new_pin(new_pin);
            outcome(Template::of_verify(&input), &pad);
            outcome(Template::of_modify(&input), &pad);
        }
    }
}
