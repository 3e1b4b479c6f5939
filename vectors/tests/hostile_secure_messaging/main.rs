//! Key establishment, protected commands and chains that were changed on their way: refused, the session at its end, the
//! card as it was.

mod card;
mod chains;
mod key_establishment;
mod objects;

use card_sim::key::AsymmetricAlgorithm;

use crate::card::{CURVES, GET_CHUID, VERIFY, card, commands, flash, has_session, send, session};

/// Each byte with some of its bits, and each length.
#[test]
fn no_change_of_a_protected_command_goes_unnoticed() {
    for curve in CURVES {
        for (name, command) in commands() {
            let mut card = card(curve);
            let before = flash(&mut card);
            let length = session(&mut card, curve).protect(&command).unwrap().len();
            // Le, the last byte, is not protected; it only says how the answer is cut.
            let bits = (0..length - 1).flat_map(|place| [0x01, 0x10, 0x80].map(|bit| (place, bit)));
            for (place, bit) in bits {
                let mut host = session(&mut card, curve);
                let mut changed = host.protect(&command).unwrap();
                changed[place] ^= bit;
                let (data, status) = send(&mut card, &changed);
                let what = format!("{curve:?}, {name}, byte {place} ^ {bit:02X}: {status:04X}");
                // As a first part of a chain it may wait for the last.
                assert!(status != 0x9000 || changed[0] & 0x10 != 0 && data.is_empty(), "{what}");
                if changed[0] & 0x0C != 0 && changed[0] & 0x90 == 0 {
                    assert!(matches!(status, 0x6700 | 0x6881 | 0x6882 | 0x6987 | 0x6988), "{what}");
                    assert!(!has_session(&mut card, &mut host), "{what}, and the session goes on");
                }
            }
            for end in 1..length - 1 {
                let mut host = session(&mut card, curve);
                let whole = host.protect(&command).unwrap();
                let (_, status) = send(&mut card, &whole[..end]);
                let what = format!("{curve:?}, {name}, cut at {end}: {status:04X}");
                assert!(matches!(status, 0x6700 | 0x6882 | 0x6987 | 0x6988), "{what}");
                assert!(!has_session(&mut card, &mut host), "{what}, and the session goes on");
            }
            assert!(flash(&mut card) == before, "{curve:?}, {name}: the card is not as it was");
        }
    }
}

#[test]
fn a_command_is_good_once_and_in_its_place() {
    let curve = AsymmetricAlgorithm::EccP256;
    let mut card = card(curve);
    let mut host = session(&mut card, curve);
    let first = host.protect(&VERIFY).unwrap();
    let (answer, status) = send(&mut card, &first);
    assert_eq!(status, 0x9000);
    assert_eq!(host.open(&answer), Some(vec![0x90, 0x00]));
    // The same again.
    assert_eq!(send(&mut card, &first).1, 0x6988);
    assert!(!has_session(&mut card, &mut host));

    // The second before the first.
    let mut host = session(&mut card, curve);
    let left_out = host.protect(&VERIFY).unwrap();
    let second = host.protect(&GET_CHUID).unwrap();
    assert_eq!(send(&mut card, &second).1, 0x6988);
    assert_eq!(send(&mut card, &left_out).1, 0x6982);

    // One of another session.
    let mut old = session(&mut card, curve);
    let mut new = session(&mut card, curve);
    assert_eq!(send(&mut card, &old.protect(&GET_CHUID).unwrap()).1, 0x6988);
    assert!(!has_session(&mut card, &mut new));
}
