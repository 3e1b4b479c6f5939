//! A card that speaks secure messaging, and a host in a session with it.

use card_sim::{
    Card,
    crypto::{Crypto, RustCrypto},
    holder::Obliging,
    key::{
        AsymmetricAlgorithm, KeyReference, Origin, PrivateKey, PublicKey, SymmetricAlgorithm, SymmetricKey,
    },
    object::ObjectTag,
    personalise::{Personalisation, ReferenceData},
    platform::{Parts, Platform},
    profile,
    store::{FlashStore, MemoryFlash, Reads},
};
use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use vectors::oracle::secure_messaging::{Host, request};

pub(crate) type SecureCard = Card<Parts<ChaCha20Rng, FlashStore<MemoryFlash>, RustCrypto>>;

pub(crate) const VERIFY: [u8; 13] =
    [0x00, 0x20, 0x00, 0x80, 0x08, b'1', b'2', b'3', b'4', b'5', b'6', 0xFF, 0xFF];
pub(crate) const WRONG_PIN: [u8; 13] =
    [0x00, 0x20, 0x00, 0x80, 0x08, b'6', b'5', b'4', b'3', b'2', b'1', 0xFF, 0xFF];
pub(crate) const GET_CHUID: [u8; 11] = [0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x02, 0x00];

pub(crate) const CURVES: [AsymmetricAlgorithm; 2] =
    [AsymmetricAlgorithm::EccP256, AsymmetricAlgorithm::EccP384];

/// One of each kind of command that may be protected; the PINs in them are wrong.
pub(crate) fn commands() -> [(&'static str, Vec<u8>); 5] {
    let change = [&[0x00, 0x24, 0x00, 0x80, 0x10], &b"654321\xFF\xFF111111\xFF\xFF"[..]].concat();
    let sign =
        [&[0x00, 0x87, 0x11, 0x9A, 0x26, 0x7C, 0x24, 0x82, 0x00, 0x81, 0x20], &[0xA5; 32][..], &[0x00]];
    [
        ("GET DATA", GET_CHUID.to_vec()),
        ("VERIFY", WRONG_PIN.to_vec()),
        ("VERIFY, status", vec![0x00, 0x20, 0x00, 0x80]),
        ("CHANGE REFERENCE DATA", change),
        ("GENERAL AUTHENTICATE", sign.concat()),
    ]
}

pub(crate) fn point(key: &PrivateKey) -> Vec<u8> {
    match RustCrypto::default().public_key(key).unwrap() {
        PublicKey::Ecc { point } => point.to_vec(),
        _ => unreachable!("the keys are on curves"),
    }
}

/// A card with a certificate that names its key, and nothing that anybody could check.
pub(crate) fn card(curve: AsymmetricAlgorithm) -> Box<SecureCard> {
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
        serial_number: None,
        management_key: &SymmetricKey::new(SymmetricAlgorithm::Aes192, &[0x01; 24]).unwrap(),
        card_verifiable_certificate: Some(&certificate),
        keys: &[(KeyReference::SecureMessaging, key, Origin::Generated)],
        objects: &[(ObjectTag::new(0x5F_C102).unwrap(), &chuid)],
        cac: None,
    }
    .write(&mut store)
    .unwrap();
    let rng = ChaCha20Rng::from_seed([9; 32]);
    let mut card =
        Box::new(Card::new(Parts { rng, store, crypto: RustCrypto::default(), holder: Obliging }).unwrap());
    card.power_on();
    card
}

pub(crate) fn send(card: &mut SecureCard, command: &[u8]) -> (Vec<u8>, u16) {
    let response = card.transmit(command);
    let (mut data, mut status) = (response.data.to_vec(), response.status.to_u16());
    while status >> 8 == 0x61 {
        let response = card.transmit(&[0x00, 0xC0, 0x00, 0x00, 0x00]);
        data.extend(response.data);
        status = response.status.to_u16();
    }
    (data, status)
}

/// The algorithm identifier of the suite with this curve: CS2 or CS7.
pub(crate) fn algorithm(curve: AsymmetricAlgorithm) -> u8 {
    if curve == AsymmetricAlgorithm::EccP256 { 0x27 } else { 0x2E }
}

/// A session with the card.
pub(crate) fn session(card: &mut SecureCard, curve: AsymmetricAlgorithm) -> Host {
    let algorithm = algorithm(curve);
    let scalar = vec![0x37; curve.size()];
    let point = point(&PrivateKey::ecc(curve, &scalar).unwrap());
    let (answer, status) = send(card, &request(algorithm, &point).unwrap());
    assert_eq!(status, 0x9000);
    Host::established(algorithm, &scalar, &point, &answer).unwrap()
}

/// Everything that the card keeps.
pub(crate) fn flash(card: &mut SecureCard) -> Vec<u8> {
    card.platform().parts().store.image().unwrap().to_vec()
}

pub(crate) fn has_session(card: &mut SecureCard, host: &mut Host) -> bool {
    let (answer, status) = send(card, &host.protect(&GET_CHUID).unwrap());
    status == 0x9000 && host.open(&answer).is_some()
}
