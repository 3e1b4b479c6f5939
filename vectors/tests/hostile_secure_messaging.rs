//! Protected commands that were changed on their way: refused, the session at its end, the card as it was.

use card_sim::{
    Card,
    crypto::{Crypto, RustCrypto},
    key::{
        AsymmetricAlgorithm, KeyReference, Origin, PrivateKey, PublicKey, SymmetricAlgorithm, SymmetricKey,
    },
    object::ObjectTag,
    personalise::{Personalisation, ReferenceData},
    platform::{Parts, Platform},
    profile,
    reference::{Reference, tries_left},
    store::{FlashStore, MemoryFlash, Reads},
};
use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use vectors::oracle::secure_messaging::{Host, request};

type SecureCard = Card<Parts<ChaCha20Rng, FlashStore<MemoryFlash>, RustCrypto>>;

const VERIFY: [u8; 13] = [0x00, 0x20, 0x00, 0x80, 0x08, b'1', b'2', b'3', b'4', b'5', b'6', 0xFF, 0xFF];
const WRONG_PIN: [u8; 13] = [0x00, 0x20, 0x00, 0x80, 0x08, b'6', b'5', b'4', b'3', b'2', b'1', 0xFF, 0xFF];
const GET_CHUID: [u8; 11] = [0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x02, 0x00];

fn point(key: &PrivateKey) -> Vec<u8> {
    match RustCrypto::default().public_key(key).unwrap() {
        PublicKey::Ecc { point } => point.to_vec(),
        PublicKey::Rsa { .. } => unreachable!("the keys are on curves"),
    }
}

/// A card with a certificate that names its key, and nothing that anybody could check.
fn card(curve: AsymmetricAlgorithm) -> Box<SecureCard> {
    let key = PrivateKey::ecc(curve, &vec![0x21; curve.size()]).unwrap();
    let point = point(&key);
    let certificate = [&[0x7F, 0x21, 0x63, 0x86, u8::try_from(point.len()).unwrap()], &point[..]].concat();
    let mut store = FlashStore::format(MemoryFlash::blank(12), Reads::Memory).unwrap();
    let chuid = [&[0x53, 0x82, 0x01, 0x00][..], &[0x30; 256]].concat();
    Personalisation {
        profile: &profile::PIV,
        pin: ReferenceData { value: b"123456\xFF\xFF", tries: 15 },
        puk: ReferenceData { value: b"12345678", tries: 3 },
        global_pin: None,
        fingers: &[],
        management_key: &SymmetricKey::new(SymmetricAlgorithm::Aes192, &[0x01; 24]).unwrap(),
        card_verifiable_certificate: Some(&certificate),
        keys: &[(KeyReference::SecureMessaging, key, Origin::Generated)],
        objects: &[(ObjectTag::new(0x5F_C102).unwrap(), &chuid)],
    }
    .write(&mut store)
    .unwrap();
    let rng = ChaCha20Rng::from_seed([9; 32]);
    let mut card = Box::new(Card::new(Parts { rng, store, crypto: RustCrypto::default() }).unwrap());
    card.power_on();
    card
}

fn send(card: &mut SecureCard, command: &[u8]) -> (Vec<u8>, u16) {
    let response = card.transmit(command);
    let (mut data, mut status) = (response.data.to_vec(), response.status.to_u16());
    while status >> 8 == 0x61 {
        let response = card.transmit(&[0x00, 0xC0, 0x00, 0x00, 0x00]);
        data.extend(response.data);
        status = response.status.to_u16();
    }
    (data, status)
}

/// A session with the card.
fn session(card: &mut SecureCard, curve: AsymmetricAlgorithm) -> Host {
    let algorithm = if curve == AsymmetricAlgorithm::EccP256 { 0x27 } else { 0x2E };
    let scalar = vec![0x37; curve.size()];
    let point = point(&PrivateKey::ecc(curve, &scalar).unwrap());
    let (answer, status) = send(card, &request(algorithm, &point).unwrap());
    assert_eq!(status, 0x9000);
    Host::established(algorithm, &scalar, &point, &answer).unwrap()
}

fn tries(card: &mut SecureCard) -> u8 {
    tries_left(&card.platform().parts().store, Reference::PivPin).unwrap()
}

fn has_session(card: &mut SecureCard, host: &mut Host) -> bool {
    let (answer, status) = send(card, &host.protect(&GET_CHUID).unwrap());
    status == 0x9000 && host.open(&answer).is_some()
}

/// Sends what came of a protected VERIFY with a wrong PIN. It must not be taken, whatever it is now.
fn is_refused(card: &mut SecureCard, curve: AsymmetricAlgorithm, changed: &[u8], what: &str) {
    let mut host = session(card, curve);
    let before = tries(card);
    let (data, status) = send(card, changed);
    assert!(status != 0x9000 || data.is_empty(), "{what}: {status:04X}");
    assert_eq!(tries(card), before, "{what}: {status:04X}");
    let protected = changed.first().is_some_and(|class| matches!(class, 0x0C | 0x04 | 0x08));
    if protected {
        assert!(matches!(status, 0x6700 | 0x6882 | 0x6982 | 0x6987 | 0x6988), "{what}: {status:04X}");
        assert!(!has_session(card, &mut host), "{what}: {status:04X}, and the session goes on");
    }
}

#[test]
fn no_change_of_a_protected_command_goes_unnoticed() {
    for curve in [AsymmetricAlgorithm::EccP256, AsymmetricAlgorithm::EccP384] {
        // The card's nonce is its generator's: each session has the same place in the same run.
        let protected = |card: &mut SecureCard| session(card, curve).protect(&WRONG_PIN).unwrap();
        let length = protected(&mut card(curve)).len();
        // Le, the last byte, is not protected; it only says how the answer is cut.
        for place in 0..length - 1 {
            for bit in [0x01, 0x10, 0x80] {
                let mut card = card(curve);
                let mut host = session(&mut card, curve);
                let mut changed = host.protect(&WRONG_PIN).unwrap();
                changed[place] ^= bit;
                let before = tries(&mut card);
                let (_, status) = send(&mut card, &changed);
                let what = format!("{curve:?}, byte {place} ^ {bit:02X}: {status:04X}");
                assert!(status != 0x9000 || changed[0] & 0x10 != 0, "{what}");
                assert_eq!(tries(&mut card), before, "{what}");
                if changed[0] & 0x0C != 0 && changed[0] & 0x90 == 0 {
                    assert!(!has_session(&mut card, &mut host), "{what}, and the session goes on");
                }
            }
        }
        let mut card = card(curve);
        for end in 1..length {
            let whole = protected(&mut card);
            is_refused(&mut card, curve, &whole[..end], &format!("cut at {end}"));
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

/// What is done with the two parts of a chain; gives the last status word.
type Wrong = fn(&mut SecureCard, Vec<u8>, Vec<u8>) -> u16;

#[test]
fn chains_under_secure_messaging_are_whole_or_nothing() {
    let curve = AsymmetricAlgorithm::EccP256;
    let mut card = card(curve);
    let long = [&[0x00, 0x87, 0x11, 0x9A, 0x00, 0x01, 0x2C][..], &[0x7C; 300], &[0x00, 0x00]].concat();
    let parts = |host: &mut Host| {
        let whole = host.protect(&long).unwrap();
        // 0C 87 11 9A 00 high low, then the data, then 00 00.
        let data = whole[7..whole.len() - 2].to_vec();
        let part = |class: u8, data: &[u8]| {
            [&[class, 0x87, 0x11, 0x9A, u8::try_from(data.len()).unwrap()], data].concat()
        };
        (part(0x1C, &data[..255]), part(0x0C, &data[255..]))
    };
    let mut host = session(&mut card, curve);
    let (first, last) = parts(&mut host);
    assert_eq!(send(&mut card, &first), (vec![], 0x9000));
    let (answer, status) = send(&mut card, &last);
    assert_eq!(status, 0x9000);
    assert_eq!(host.open(&answer), Some(vec![0x6A, 0x86]), "the card has no key 9A");
    assert!(has_session(&mut card, &mut host));

    // The last part alone, the first twice, one of them changed, the parts in other classes.
    let wrong: [(&str, Wrong); 4] = [
        ("the last part alone", |card, _, last| send(card, &last).1),
        ("the first part twice", |card, first, last| {
            send(card, &first);
            send(card, &first);
            send(card, &last).1
        }),
        ("a changed part", |card, mut first, last| {
            first[40] ^= 1;
            send(card, &first);
            send(card, &last).1
        }),
        ("a plain first part", |card, mut first, last| {
            first[0] = 0x10;
            send(card, &first);
            send(card, &last).1
        }),
    ];
    for (what, play) in wrong {
        let mut host = session(&mut card, curve);
        let (first, last) = parts(&mut host);
        assert!(matches!(play(&mut card, first, last), 0x6987 | 0x6988), "{what}");
        assert!(!has_session(&mut card, &mut host), "{what}");
    }
}
