//! Chains under secure messaging: whole, in order and in one class, or nothing.

use card_sim::key::AsymmetricAlgorithm;
use vectors::oracle::secure_messaging::Host;

use crate::card::{SecureCard, card, flash, has_session, send, session};

const CURVE: AsymmetricAlgorithm = AsymmetricAlgorithm::EccP256;

/// GENERAL AUTHENTICATE with so much data that its protected form comes in three parts.
fn parts(host: &mut Host) -> [Vec<u8>; 3] {
    let long = [&[0x00, 0x87, 0x11, 0x9A, 0x00, 0x02, 0x30][..], &[0x7C; 0x230], &[0x00, 0x00]].concat();
    let whole = host.protect(&long).unwrap();
    // 0C 87 11 9A 00 high low, then the data, then 00 00.
    let data = &whole[7..whole.len() - 2];
    let part = |class: u8, data: &[u8]| {
        [&[class, 0x87, 0x11, 0x9A, u8::try_from(data.len()).unwrap()], data].concat()
    };
    [part(0x1C, &data[..255]), part(0x1C, &data[255..510]), part(0x0C, &data[510..])]
}

/// Sends the parts; the last status word.
fn play(card: &mut SecureCard, parts: &[Vec<u8>]) -> u16 {
    parts.iter().fold(0, |_, part| send(card, part).1)
}

#[test]
fn in_order_and_whole_it_is_taken() {
    let mut card = card(CURVE);
    let mut host = session(&mut card, CURVE);
    let [first, second, last] = parts(&mut host);
    assert_eq!(send(&mut card, &first), (vec![], 0x9000));
    assert_eq!(send(&mut card, &second), (vec![], 0x9000));
    let (answer, status) = send(&mut card, &last);
    assert_eq!(status, 0x9000);
    assert_eq!(host.open(&answer), Some(vec![0x6A, 0x86]), "the card has no key 9A");
    assert!(has_session(&mut card, &mut host));
}

/// What is done to the parts before they are sent.
type Change = fn(&mut [Vec<u8>; 3]);

#[test]
fn parts_that_are_missing_doubled_changed_or_out_of_order_are_refused() {
    let mut card = card(CURVE);
    let before = flash(&mut card);
    // Which parts are sent, and in which order.
    let orders: [&[usize]; 9] = [
        &[2],
        &[0, 2],
        &[1, 2],
        &[1, 0, 2],
        &[0, 0, 1, 2],
        &[0, 1, 1, 2],
        &[0, 1, 2, 2],
        &[2, 0, 1],
        &[0, 2, 1],
    ];
    for order in orders {
        let mut host = session(&mut card, CURVE);
        let parts = parts(&mut host);
        let sent: Vec<_> = order.iter().map(|part| parts[*part].clone()).collect();
        let status = play(&mut card, &sent);
        let ends_in_a_chain = order.last() != Some(&2);
        assert!(ends_in_a_chain || matches!(status, 0x6982 | 0x6987 | 0x6988), "{order:?}: {status:04X}");
        assert!(!has_session(&mut card, &mut host), "{order:?}");
    }
    let changes: [(&str, Change); 6] = [
        ("a byte of the first part", |parts| parts[0][40] ^= 0x01),
        ("a byte of the second part", |parts| parts[1][40] ^= 0x01),
        ("a plain first part", |parts| parts[0][0] = 0x10),
        ("a plain second part", |parts| parts[1][0] = 0x10),
        ("a plain last part", |parts| parts[2][0] = 0x00),
        ("another P1 in the second part", |parts| parts[1][2] = 0x14),
    ];
    for (what, change) in changes {
        let mut host = session(&mut card, CURVE);
        let mut parts = parts(&mut host);
        change(&mut parts);
        let status = play(&mut card, &parts);
        // A plain command is answered for what it is, and has nothing to do with the session.
        let plain = parts[2][0] == 0x00;
        assert!(plain || matches!(status, 0x6987 | 0x6988), "{what}: {status:04X}");
        assert!(plain || !has_session(&mut card, &mut host), "{what}");
        assert_ne!(status, 0x9000, "{what}");
    }
    assert!(flash(&mut card) == before, "the card is not as it was");
}

#[test]
fn a_chain_that_is_given_up_leaves_the_session() {
    let mut card = card(CURVE);
    let mut host = session(&mut card, CURVE);
    let mut given_up = host.clone();
    let [first, second, _] = parts(&mut given_up);
    assert_eq!(play(&mut card, &[first, second]), 0x9000);
    // The counter and the chain of codes count whole commands.
    assert!(has_session(&mut card, &mut host));
}
