//! Protected commands with objects that the standard does not have, though their code is right: what only somebody with
//! the session keys could send.

use vectors::oracle::secure_messaging::{Host, element, wrapped};

use crate::card::{CURVES, card, flash, has_session, send, session};

const HEADER: [u8; 4] = [0x0C, 0x24, 0x00, 0x80];

/// CHANGE REFERENCE DATA from the right PIN to another, padded: whoever takes it changes the card.
fn change() -> Vec<u8> {
    let mut data = b"123456\xFF\xFF654321\xFF\xFF\x80".to_vec();
    data.resize(32, 0);
    data
}

/// The cryptogram `87` of these blocks, behind this padding indicator.
fn cryptogram(host: &Host, indicator: &[u8], blocks: &[u8]) -> Vec<u8> {
    element(0x87, &[indicator, &host.encrypted(blocks)].concat())
}

/// Objects before the code, from the right cryptogram; `None` for a cryptogram of its own.
type Body = fn(&Host, Vec<u8>) -> Vec<u8>;

const LE: [u8; 3] = [0x97, 0x01, 0x00];

#[test]
fn objects_that_are_none_are_refused_whatever_their_code() {
    let bodies: [(&str, Body); 20] = [
        ("Le before the data", |_, data| [&LE[..], &data].concat()),
        ("the data twice", |_, data| data.repeat(2)),
        ("Le twice", |_, data| [&data[..], &LE, &LE].concat()),
        ("an Le of 01", |_, data| [&data[..], &[0x97, 0x01, 0x01]].concat()),
        ("an Le without a value", |_, data| [&data[..], &[0x97, 0x00]].concat()),
        ("an Le of two bytes", |_, data| [&data[..], &[0x97, 0x02, 0x00, 0x00]].concat()),
        ("a status word", |_, data| [&data[..], &[0x99, 0x02, 0x90, 0x00]].concat()),
        ("plain data in 81", |_, _| element(0x81, &change())),
        ("plain data in 85", |_, _| element(0x85, &change())),
        ("an unknown object", |_, data| [&data[..], &[0xB1, 0x00]].concat()),
        ("data without an indicator", |host, _| cryptogram(host, &[], &change())),
        ("indicator 00", |host, _| cryptogram(host, &[0x00], &change())),
        ("indicator 02", |host, _| cryptogram(host, &[0x02], &change())),
        ("an indicator and no block", |_, _| element(0x87, &[0x01])),
        ("nothing in the data", |_, _| element(0x87, &[])),
        ("half a block", |host, _| element(0x87, &[&[0x01][..], &host.encrypted(&change())[..24]].concat())),
        ("no padding", |host, _| cryptogram(host, &[0x01], &[0x31; 32])),
        ("a block of zeros", |host, _| cryptogram(host, &[0x01], &[0x00; 32])),
        ("another padding", |host, _| {
            let mut data = change();
            data[16] = 0x81;
            cryptogram(host, &[0x01], &data)
        }),
        ("a block of padding too many", |host, _| {
            cryptogram(host, &[0x01], &[&change()[..], &[0x00; 16]].concat())
        }),
    ];
    for curve in CURVES {
        let mut card = card(curve);
        let before = flash(&mut card);
        for (what, body) in bodies {
            let mut host = session(&mut card, curve);
            let right = cryptogram(&host, &[0x01], &change());
            let body = body(&host, right);
            let code = host.code_of(HEADER, &body);
            let command = wrapped(HEADER, &[&body[..], &[0x8E, 0x08], &code].concat()).unwrap();
            let (data, status) = send(&mut card, &command);
            assert_eq!((data, status), (vec![], 0x6988), "{curve:?}, {what}");
            assert!(!has_session(&mut card, &mut host), "{curve:?}, {what}");
            assert!(flash(&mut card) == before, "{curve:?}, {what}: the card is not as it was");
        }
    }
}

/// The objects behind the others, made of the right code.
type Ending = fn([u8; 8]) -> Vec<u8>;

#[test]
fn codes_that_are_missing_short_long_or_not_last_are_refused() {
    let endings: [(&str, u16, Ending); 8] = [
        ("no code", 0x6987, |_| Vec::new()),
        ("an empty code", 0x6988, |_| element(0x8E, &[])),
        ("a code of seven bytes", 0x6988, |code| element(0x8E, &code[..7])),
        ("a code of sixteen bytes", 0x6988, |code| element(0x8E, &code.repeat(2))),
        ("the code twice", 0x6988, |code| element(0x8E, &code).repeat(2)),
        ("an Le behind the code", 0x6988, |code| [&element(0x8E, &code)[..], &LE].concat()),
        ("a byte behind the code", 0x6988, |code| [&element(0x8E, &code)[..], &[0x00]].concat()),
        ("the code under another tag", 0x6988, |code| element(0x8F, &code)),
    ];
    for curve in CURVES {
        let mut card = card(curve);
        let before = flash(&mut card);
        for (what, expected, ending) in endings {
            let mut host = session(&mut card, curve);
            let body = cryptogram(&host, &[0x01], &change());
            let code = host.code_of(HEADER, &body);
            let command = wrapped(HEADER, &[body, ending(code)].concat()).unwrap();
            assert_eq!(send(&mut card, &command), (vec![], expected), "{curve:?}, {what}");
            assert!(!has_session(&mut card, &mut host), "{curve:?}, {what}");
            assert!(flash(&mut card) == before, "{curve:?}, {what}: the card is not as it was");
        }
    }
}

#[test]
fn the_command_that_all_these_are_made_of_is_taken() {
    for curve in CURVES {
        let mut card = card(curve);
        let mut host = session(&mut card, curve);
        let body = cryptogram(&host, &[0x01], &change());
        let code = host.code_of(HEADER, &body);
        let command = wrapped(HEADER, &[&body[..], &[0x8E, 0x08], &code].concat()).unwrap();
        let (answer, status) = send(&mut card, &command);
        assert_eq!((host.open(&answer), status), (Some(vec![0x90, 0x00]), 0x9000));
    }
}
