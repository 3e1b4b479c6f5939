//! Key establishment with every byte, length and order changed, and with points that are none.

use card_sim::key::{AsymmetricAlgorithm, PrivateKey};
use vectors::oracle::secure_messaging::{Host, element, request};

use crate::card::{CURVES, algorithm, card, flash, has_session, point, send, session};

/// The host's key and point.
fn host_key(curve: AsymmetricAlgorithm) -> (Vec<u8>, Vec<u8>) {
    let scalar = vec![0x55; curve.size()];
    let point = point(&PrivateKey::ecc(curve, &scalar).unwrap());
    (scalar, point)
}

/// A request with this dynamic authentication template.
fn with_template(curve: AsymmetricAlgorithm, template: &[u8]) -> Vec<u8> {
    let data = element(0x7C, template);
    let length = u8::try_from(data.len()).unwrap();
    [&[0x00, 0x87, algorithm(curve), 0x04, length], &data[..], &[0x00]].concat()
}

/// A request with this challenge: control byte, identifier, point.
fn with_challenge(curve: AsymmetricAlgorithm, challenge: &[u8]) -> Vec<u8> {
    with_template(curve, &[&element(0x81, challenge)[..], &[0x82, 0x00]].concat())
}

#[test]
fn whatever_byte_is_changed_the_card_refuses_or_the_host_notices() {
    for curve in CURVES {
        let (scalar, point) = host_key(curve);
        let mut card = card(curve);
        let before = flash(&mut card);
        let whole = request(algorithm(curve), &point).unwrap();
        // Le says only how the answer is cut.
        for place in 0..whole.len() - 1 {
            for bit in [0x01, 0x02, 0x10, 0x80] {
                // The first part of a chain, which the next request would end.
                if (place, bit) == (0, 0x10) {
                    continue;
                }
                let mut old = session(&mut card, curve);
                let mut changed = whole.clone();
                changed[place] ^= bit;
                let (answer, status) = send(&mut card, &changed);
                let what = format!("{curve:?}, byte {place} ^ {bit:02X}: {status:04X}");
                if status == 0x9000 {
                    let made = Host::established(algorithm(curve), &scalar, &point, &answer);
                    assert!(made.is_none(), "{what}, and the host believes it");
                }
                // Who gets as far as key 04 has given up the session before.
                if changed[..4] == whole[..4] && status != 0x6700 {
                    assert!(!has_session(&mut card, &mut old), "{what}, and the old session goes on");
                }
            }
        }
        assert!(flash(&mut card) == before, "{curve:?}: the card is not as it was");
    }
}

#[test]
fn challenges_of_every_other_length_are_refused() {
    for curve in CURVES {
        let (_, point) = host_key(curve);
        let mut card = card(curve);
        let right = [&[0x00; 9][..], &point, &[0x00; 8]].concat();
        for length in 0..right.len() {
            let (data, status) = send(&mut card, &with_challenge(curve, &right[..length]));
            let expected = if length == 9 + point.len() { 0x9000 } else { 0x6A80 };
            assert_eq!(status, expected, "{curve:?}, {length} bytes");
            assert_eq!(data.is_empty(), expected != 0x9000);
        }
    }
}

#[test]
fn templates_in_other_orders_and_with_other_elements() {
    for curve in CURVES {
        let (scalar, point) = host_key(curve);
        let mut card = card(curve);
        let challenge = element(0x81, &[&[0x00], &b"VECTORS!"[..], &point].concat());
        let asks = [0x82, 0x00];
        let cases: [(&str, Vec<u8>, u16); 8] = [
            ("the request first", [&asks[..], &challenge].concat(), 0x9000),
            ("two challenges", [&challenge[..], &challenge, &asks].concat(), 0x6A80),
            ("no request", challenge.clone(), 0x6A80),
            ("no challenge", asks.to_vec(), 0x6A80),
            ("a request with a value", [&challenge[..], &[0x82, 0x01, 0x00]].concat(), 0x6A80),
            ("a witness", [&challenge[..], &asks, &[0x80, 0x00]].concat(), 0x6A80),
            ("an exponentiation", [&challenge[..], &asks, &[0x85, 0x00]].concat(), 0x6A80),
            ("nothing", Vec::new(), 0x6A80),
        ];
        for (what, template, expected) in cases {
            let command = with_template(curve, &template);
            // Two challenges of P-384 are too long for a short command.
            let (answer, status) = send(&mut card, &command);
            assert_eq!(status, expected, "{curve:?}, {what}");
            if expected == 0x9000 {
                let made = Host::established(algorithm(curve), &scalar, &point, &answer);
                assert!(made.is_some_and(|mut host| has_session(&mut card, &mut host)), "{curve:?}, {what}");
            }
        }
    }
}

#[test]
fn points_that_are_none_are_refused() {
    for curve in CURVES {
        let (_, point) = host_key(curve);
        let size = curve.size();
        let mut card = card(curve);
        let with = |form: u8, x: &[u8], y: &[u8]| [&[form], x, y].concat();
        let (x, y) = (&point[1..=size], &point[1 + size..]);
        let (zero, most) = (vec![0x00; size], vec![0xFF; size]);
        let mut off = y.to_vec();
        *off.last_mut().unwrap() ^= 0x01;
        for (what, point) in [
            ("off the curve", with(0x04, x, &off)),
            ("coordinates exchanged", with(0x04, y, x)),
            ("the origin", with(0x04, &zero, &zero)),
            ("above the field's prime", with(0x04, &most, &most)),
            ("x above the field's prime", with(0x04, &most, y)),
            ("the identity, filled up", with(0x00, &zero, &zero)),
            ("compressed, filled up", with(0x02, x, &zero)),
            ("hybrid", with(0x06 | y.last().unwrap() & 0x01, x, y)),
        ] {
            let mut old = session(&mut card, curve);
            let challenge = [&[0x00; 9][..], &point].concat();
            assert_eq!(
                send(&mut card, &with_challenge(curve, &challenge)),
                (vec![], 0x6A80),
                "{curve:?}, {what}"
            );
            assert!(!has_session(&mut card, &mut old), "{curve:?}, {what}");
        }
        // In their own, shorter form: the identity is one byte, a compressed point has no y.
        for point in [vec![0x00], [&[0x02], x].concat()] {
            let challenge = [&[0x00; 9][..], &point].concat();
            assert_eq!(send(&mut card, &with_challenge(curve, &challenge)).1, 0x6A80, "{curve:?}");
        }
        // The card works on.
        let mut host = session(&mut card, curve);
        assert!(has_session(&mut card, &mut host));
    }
}

#[test]
fn it_may_come_in_a_chain() {
    for curve in CURVES {
        let (scalar, point) = host_key(curve);
        let mut card = card(curve);
        let whole = request(algorithm(curve), &point).unwrap();
        let data = &whole[5..whole.len() - 1];
        let part = |class: u8, data: &[u8]| {
            [&[class, 0x87, algorithm(curve), 0x04, u8::try_from(data.len()).unwrap()], data].concat()
        };
        assert_eq!(send(&mut card, &part(0x10, &data[..40])), (vec![], 0x9000));
        let (answer, status) = send(&mut card, &part(0x00, &data[40..]));
        assert_eq!(status, 0x9000);
        let mut host = Host::established(algorithm(curve), &scalar, &point, &answer).unwrap();
        assert!(has_session(&mut card, &mut host));
    }
}
