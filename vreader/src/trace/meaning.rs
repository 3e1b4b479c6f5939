//! Commands in words: `GENERAL AUTHENTICATE 9A (PIV Authentication), P-256: sign`.
//!
//! Promises: every command has words, however malformed; two commands that ask for the same thing have the same words,
//! whatever random values they hold; no word tells of bytes that are hidden.

use std::fmt::Write as _;

use apdu::{Command, SecureMessaging, tlv::Tag, tlv_ber::Reader};

use super::names::{ALGORITHMS, INSTRUCTIONS, REFERENCE_DATA, application, key, name_of, object};

/// Tags in the dynamic authentication template (SP 800-73-5 part 2, table 7).
const SECURE_MESSAGING: u8 = 0x04;
const WITNESS: u32 = 0x80;
const CHALLENGE: u32 = 0x81;
const RESPONSE: u32 = 0x82;
const EXPONENTIATION: u32 = 0x85;

/// What a command asks for.
pub(super) fn of_command(bytes: &[u8]) -> String {
    let Ok(command) = Command::parse(bytes) else {
        return match bytes {
            [_, instruction, _, _, ..] => format!("{}, malformed", instruction_name(*instruction)),
            _ => "not a command".to_owned(),
        };
    };
    let mut words = details(&command).unwrap_or_else(|| unknown(&command));
    if command.class.secure_messaging() != SecureMessaging::None {
        // What it is about is encrypted.
        words = format!("protected {}", instruction_name(command.instruction));
    }
    if command.class.is_chained() {
        words.push_str(", to be continued");
    }
    if command.class.channel() != 0 {
        // Writing to a string cannot fail.
        let _ = write!(words, ", on channel {}", command.class.channel());
    }
    words
}

fn instruction_name(instruction: u8) -> String {
    match INSTRUCTIONS.iter().find(|(row, _)| *row == instruction) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("instruction {instruction:02X}"),
    }
}

/// By header alone.
fn unknown(command: &Command<'_>) -> String {
    let Command { instruction, p1, p2, class, .. } = command;
    let class = if class.is_interindustry() { String::new() } else { format!("class {:02X} ", class.raw()) };
    format!("{class}{} {p1:02X} {p2:02X}", instruction_name(*instruction))
}

/// What is known of commands with class 0X; `None` if their parameters are not those of a table.
fn details(command: &Command<'_>) -> Option<String> {
    let Command { instruction, p1, p2, data, .. } = *command;
    if !command.class.is_interindustry() {
        return None;
    }
    let name = instruction_name(instruction);
    let reference = || name_of(&REFERENCE_DATA, p2);
    Some(match (instruction, p1) {
        (0xA4, 0x04) => format!("{name} {}", application(data)),
        (0xA4, _) => format!("{name} file {}", hex::encode_upper(data)),
        (0x20, 0xFF) => format!("{name} {}: forget", reference()),
        (0x20, 0x00) if data.is_empty() => format!("{name} {}: is it verified?", reference()),
        (0x20 | 0x24, 0x00) => format!("{name} {}", reference()),
        (0x2C, 0x00) => format!("{name} of {}", reference()),
        (0x2C, 0x02) => format!("{name} of {} by the card manager", reference()),
        (0x47, 0x00) => format!("{name} {}, {}", key(p2), mechanism(data)?),
        (0x87, _) => {
            let algorithm = name_of(&ALGORITHMS, p1);
            let operation =
                if p2 == SECURE_MESSAGING { Some(": establish a session") } else { operation(data) };
            format!("{name} {}, {algorithm}{}", key(p2), operation.unwrap_or_default())
        }
        (0xCB | 0xDB, 0x3F) if p2 == 0xFF => format!("{name} {}", object(tag_list(data)?)),
        (0xF6, 0xFF) => format!("DELETE KEY {}", key(p2)),
        (0xF6, to) => format!("{name} {} to {}", key(p2), key(to)),
        (0xFE, algorithm) => format!("{name} {}, {}", key(p2), name_of(&ALGORITHMS, algorithm)),
        (0xC0, 0x00) => name,
        _ => return None,
    })
}

/// The tag in a tag list `5C`, or the tag of a template that stands bare.
fn tag_list(data: &[u8]) -> Option<&[u8]> {
    match data {
        [0x5C, length, rest @ ..] => rest.get(..usize::from(*length)),
        [0x7E, ..] => data.get(..1),
        [0x7F, 0x61, ..] => data.get(..2),
        _ => None,
    }
}

/// The mechanism in a control reference template `AC`.
fn mechanism(data: &[u8]) -> Option<String> {
    let template = value(data, 0xAC)?;
    let mechanism = value(template, 0x80)?;
    Some(name_of(&ALGORITHMS, *mechanism.first()?))
}

/// What a dynamic authentication template `7C` asks for, by what is in it and what is empty.
fn operation(data: &[u8]) -> Option<&'static str> {
    let template = value(data, 0x7C)?;
    let there = |tag| value(template, tag).map(|value| !value.is_empty());
    Some(match (there(WITNESS), there(CHALLENGE), there(RESPONSE), there(EXPONENTIATION)) {
        (Some(false), None, _, _) => ": asks for a witness",
        (Some(true), Some(true), _, _) => ": answers the witness, sends a challenge",
        (None, Some(false), None, _) => ": asks for a challenge",
        (None, _, Some(true), None) => ": answers the challenge",
        (_, _, _, Some(true)) => ": agree on a key",
        (None, Some(true), Some(false), None) => ": sign, decrypt or answer",
        _ => return None,
    })
}

/// The value of the first element with this tag. A chain's first part ends in the middle of one.
fn value(data: &[u8], tag: u32) -> Option<&[u8]> {
    Reader::new(data).find(Tag::new(tag)).ok()?
}

#[cfg(test)]
mod tests {
    use super::of_command;

    #[test]
    fn commands_have_words() {
        for (command, words) in [
            ("00A4040005A000000308", "SELECT PIV"),
            ("00A404000BA000000308000010000100", "SELECT PIV"),
            ("00A4040008A00000015100000000", "SELECT issuer security domain"),
            ("00A4040007A0000000790300", "SELECT CAC"),
            ("00A4040C07A0000000030000", "SELECT card manager"),
            ("00A4040003010203", "SELECT 010203"),
            ("00A40400", "SELECT "),
            ("00A40000023F00", "SELECT file 3F00"),
            ("00CB3FFF055C035FC10500", "GET DATA X.509 Certificate for PIV Authentication"),
            ("00CB3FFF035C017E00", "GET DATA Discovery Object"),
            ("00CB3FFF045C027F6100", "GET DATA Biometric Information Templates Group"),
            ("00CB3FFF055C035FC1FF00", "GET DATA 5FC1FF"),
            ("00CB3FFF045C035FC1", "GET DATA 3F FF"),
            ("00CB0000055C035FC10500", "GET DATA 00 00"),
            ("00DB3FFF085C035FC1025301AA", "PUT DATA Card Holder Unique Identifier"),
            ("00DB3FFF027E00", "PUT DATA Discovery Object"),
            ("10DB3FFF055C035FC102", "PUT DATA Card Holder Unique Identifier, to be continued"),
            ("00200080", "VERIFY PIV PIN: is it verified?"),
            ("0020FF80", "VERIFY PIV PIN: forget"),
            ("0020008008313233343536FFFF", "VERIFY PIV PIN"),
            ("0020000008313233343536FFFF", "VERIFY Global PIN"),
            ("0020008508313233343536FFFF", "VERIFY 85"),
            ("00200180", "VERIFY 01 80"),
            ("00240081021234", "CHANGE REFERENCE DATA PUK"),
            ("002C0080021234", "RESET RETRY COUNTER of PIV PIN"),
            ("0047009A05AC038001110000", "GENERATE ASYMMETRIC KEY PAIR, malformed"),
            ("0047009A05AC0380011100", "GENERATE ASYMMETRIC KEY PAIR 9A (PIV Authentication), P-256"),
            ("0047009A05AC038001E000", "GENERATE ASYMMETRIC KEY PAIR 9A (PIV Authentication), Ed25519"),
            ("0047009A021234", "GENERATE ASYMMETRIC KEY PAIR 00 9A"),
            ("0087119A067C0482008101AA00", "GENERAL AUTHENTICATE, malformed"),
            (
                "0087119A077C0582008101AA00",
                "GENERAL AUTHENTICATE 9A (PIV Authentication), P-256: sign, decrypt or answer",
            ),
            ("0087149D077C0582008501AA00", "GENERAL AUTHENTICATE 9D (Key Management), P-384: agree on a key"),
            (
                "00870A9B047C02810000",
                "GENERAL AUTHENTICATE 9B (Card Management), AES 192: asks for a challenge",
            ),
            (
                "00870A9B057C038201AA00",
                "GENERAL AUTHENTICATE 9B (Card Management), AES 192: answers the challenge",
            ),
            (
                "00870A9B047C02800000",
                "GENERAL AUTHENTICATE 9B (Card Management), AES 192: asks for a witness",
            ),
            (
                "00870A9B087C068001AA8101BB00",
                "GENERAL AUTHENTICATE 9B (Card Management), AES 192: answers the witness, sends a challenge",
            ),
            (
                "10870782047C820106",
                "GENERAL AUTHENTICATE 82 (Retired Key Management 1), RSA 2048, to be continued",
            ),
            ("00870795", "GENERAL AUTHENTICATE 95 (Retired Key Management 20), RSA 2048"),
            ("0087FF9F", "GENERAL AUTHENTICATE 9F, FF"),
            ("00C0000000", "GET RESPONSE"),
            ("00FD000000", "GET VERSION 00 00"),
            ("00F99A0000", "ATTEST 9A 00"),
            ("00F6FF9A", "DELETE KEY 9A (PIV Authentication)"),
            ("00F6829D", "MOVE KEY 9D (Key Management) to 82 (Retired Key Management 1)"),
            ("00FE119D", "IMPORT ASYMMETRIC KEY 9D (Key Management), P-256"),
            ("0001020300", "instruction 01 02 03"),
            ("8052000002AABB", "class 80 READ BUFFER 00 00"),
            ("0CCB3FFF0187", "protected GET DATA"),
            ("1CCB3FFF0187", "protected GET DATA, to be continued"),
            ("01A4040005A000000308", "SELECT PIV, on channel 1"),
            ("00200080FF31", "VERIFY, malformed"),
            ("00A4", "not a command"),
            ("", "not a command"),
        ] {
            let bytes = hex::decode(command).unwrap();
            assert_eq!(of_command(&bytes), words, "{command}");
        }
    }

    #[test]
    fn any_bytes_have_words() {
        proptest::proptest!(|(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..40))| {
            proptest::prop_assert!(!of_command(&bytes).is_empty());
        });
    }
}
