//! Tests of `command`: every length case from both sides, and every class byte.

use super::*;
use std::{format, string::ToString, vec::Vec};

/// Header bytes of the table below; they do not matter to the length rules.
const HEADER: &str = "00CB3FFF";

/// Body in hex, then what ISO/IEC 7816-3, 12.1, makes of it: case, data, Ne.
const ACCEPTED: &[(&str, Case, &str, u32)] = &[
    ("", Case::One, "", 0),
    ("01", Case::TwoShort, "", 1),
    ("FF", Case::TwoShort, "", 255),
    ("00", Case::TwoShort, "", 256),
    ("01AA", Case::ThreeShort, "AA", 0),
    ("02AA00", Case::ThreeShort, "AA00", 0),
    ("01AA01", Case::FourShort, "AA", 1),
    ("01AA00", Case::FourShort, "AA", 256),
    ("0200BB00", Case::FourShort, "00BB", 256),
    ("000001", Case::TwoExtended, "", 1),
    ("0000FF", Case::TwoExtended, "", 255),
    ("000100", Case::TwoExtended, "", 256),
    ("00FFFF", Case::TwoExtended, "", 65_535),
    ("000000", Case::TwoExtended, "", 65_536),
    ("000001AA", Case::ThreeExtended, "AA", 0),
    ("000003AA0000", Case::ThreeExtended, "AA0000", 0),
    ("000001AA0001", Case::FourExtended, "AA", 1),
    ("000001AA0100", Case::FourExtended, "AA", 256),
    ("000001AA0000", Case::FourExtended, "AA", 65_536),
];

const REFUSED: &[(&str, ParseError)] = &[
    ("02AA", ParseError::LengthMismatch),
    ("FFAA00", ParseError::LengthMismatch),
    ("01AABBCC", ParseError::MixedLengths),
    ("01AABBCCDD", ParseError::LengthMismatch),
    ("00AA", ParseError::LcZeroWithData),
    ("0000", ParseError::LcZeroWithData),
    ("000000AA", ParseError::LcZeroWithData),
    ("0000000000", ParseError::LcZeroWithData),
    ("000002AA", ParseError::LengthMismatch),
    ("000001AA00", ParseError::MixedLengths),
    ("000001AA000000", ParseError::LengthMismatch),
    ("00FFFFAA0000", ParseError::LengthMismatch),
];

fn bytes(body: &str) -> Vec<u8> {
    hex::decode(format!("{HEADER}{body}")).unwrap()
}

#[test]
fn the_seven_cases_are_read() {
    for &(body, case, data, ne) in ACCEPTED {
        let apdu = bytes(body);
        let command = Command::parse(&apdu).unwrap();
        assert_eq!(command.case, case, "{body}");
        assert_eq!(command.data, hex::decode(data).unwrap(), "{body}");
        assert_eq!(command.ne(), ne, "{body}");
        assert_eq!(command.p1p2(), 0x3FFF);
        assert_eq!(command.is_extended(), case.to_string().ends_with('E'), "{body}");
    }
}

#[test]
fn other_lengths_are_refused_by_name() {
    for &(body, error) in REFUSED {
        assert_eq!(Command::parse(&bytes(body)), Err(error), "{body}");
        assert_eq!(Status::from(error), Status::WrongLength);
    }
    for length in 0..4 {
        assert_eq!(Command::parse(&bytes("")[..length]), Err(ParseError::TooShort));
    }
}

#[test]
fn a_full_length_data_field_is_read() {
    let mut apdu = bytes("00FFFF");
    apdu.resize(4 + 3 + 65_535, 0xAA);
    assert_eq!(Command::parse(&apdu).unwrap().data.len(), 65_535);
    apdu.extend([0, 0]);
    let command = Command::parse(&apdu).unwrap();
    assert_eq!((command.case, command.ne()), (Case::FourExtended, 65_536));
    apdu.push(0);
    assert_eq!(Command::parse(&apdu), Err(ParseError::LengthMismatch));
}

#[test]
fn a_missing_le_asks_for_the_most_its_form_can() {
    for (body, limit) in [
        ("", 65_536),
        ("08", 8),
        ("00", 256),
        ("01AA", 256),
        ("01AA08", 8),
        ("000000", 65_536),
        ("000008", 8),
        ("000001AA", 65_536),
        ("000001AA0008", 8),
    ] {
        let apdu = bytes(body);
        assert_eq!(Command::parse(&apdu).unwrap().response_limit(), limit, "{body}");
    }
}

#[test]
fn impossible_class_and_instruction_still_parse() {
    let command = Command::parse(&[0xFF, 0x6F, 0, 0]).unwrap();
    assert!(!command.class.is_valid());
    assert!(!is_valid_instruction(command.instruction));
}

#[test]
fn instructions_that_look_like_status_bytes_are_invalid() {
    let invalid: Vec<u8> = (0..=u8::MAX).filter(|&ins| !is_valid_instruction(ins)).collect();
    let expected: Vec<u8> = (0x60..=0x6F).chain(0x90..=0x9F).collect();
    assert_eq!(invalid, expected);
}

#[test]
fn class_bytes() {
    use SecureMessaging::{HeaderAuthenticated, HeaderNotAuthenticated, None, Proprietary};
    for (byte, chained, sm, channel, proprietary) in [
        (0x00, false, None, 0, false),
        (0x03, false, None, 3, false),
        (0x04, false, Proprietary, 0, false),
        (0x08, false, HeaderNotAuthenticated, 0, false),
        (0x0C, false, HeaderAuthenticated, 0, false),
        (0x10, true, None, 0, false),
        (0x1D, true, HeaderAuthenticated, 1, false),
        (0x20, false, None, 0, false),
        (0x3F, false, None, 0, false),
        (0x40, false, None, 4, false),
        (0x4F, false, None, 19, false),
        (0x50, true, None, 4, false),
        (0x60, false, HeaderNotAuthenticated, 4, false),
        (0x7F, true, HeaderNotAuthenticated, 19, false),
        (0x80, false, None, 0, true),
        (0x94, false, None, 0, true),
        (0xFE, false, None, 0, true),
        (0xFF, false, None, 0, false),
    ] {
        let class = Class::parse(byte);
        assert_eq!(class.raw(), byte);
        assert_eq!(class.is_chained(), chained, "{class:?}");
        assert_eq!(class.secure_messaging(), sm, "{class:?}");
        assert_eq!(class.channel(), channel, "{class:?}");
        assert_eq!(class.is_proprietary(), proprietary, "{class:?}");
        assert_eq!(class.is_valid(), byte != 0xFF, "{class:?}");
    }
}

#[test]
fn the_chaining_bit_comes_and_goes_alone() {
    for byte in 0..=u8::MAX {
        let class = Class::from(byte);
        let plain = class.without_chaining();
        assert!(!plain.is_chained());
        assert_eq!(plain.channel(), class.channel());
        assert_eq!(plain.secure_messaging(), class.secure_messaging());
        assert_eq!(class.with_chaining().is_some(), class.is_interindustry());
        if let Some(chained) = class.with_chaining() {
            assert!(chained.is_chained());
            assert_eq!(chained.without_chaining(), plain);
        } else {
            assert_eq!(plain, class);
        }
    }
}

#[test]
fn names_and_debug_text() {
    let names: Vec<_> = ACCEPTED.iter().map(|row| row.1.to_string()).collect();
    for name in ["1", "2S", "3S", "4S", "2E", "3E", "4E"] {
        assert!(names.iter().any(|seen| seen == name), "{name}");
    }
    let verify = [0x00, 0x20, 0x00, 0x80, 0x02, 0xDE, 0xAD];
    assert_eq!(
        format!("{:?}", Command::parse(&verify).unwrap()),
        "Command(00 20 00 80, case 3S, 2 data bytes, Ne 0)"
    );
}
