//! A small card for tests: fixed keys, known secrets, a platform that repeats itself.

#![allow(dead_code, reason = "each test uses its part")]

pub(crate) mod contents;
pub(crate) mod cut_flash;
pub(crate) mod imports;
pub(crate) mod persistent;

use card_sim::{
    Card,
    crypto::RustCrypto,
    holder::Obliging,
    key::{
        AsymmetricAlgorithm, KeyReference, Origin, PrivateKey, RetiredNumber, SymmetricAlgorithm,
        SymmetricKey,
    },
    object::ObjectTag,
    personalise::{Personalisation, ReferenceData},
    platform::{Parts, Platform},
    profile,
    store::{FlashStore, MemoryFlash, Reads, Store, flash::PAGE_SIZE},
};
use chacha20::ChaCha20Rng;
use cut_flash::Operations;
use rand_core::SeedableRng;

pub(crate) type TestPlatform = Parts<ChaCha20Rng, FlashStore<MemoryFlash>, RustCrypto>;
pub(crate) type TestCard = Card<TestPlatform>;

pub(crate) const PIN: &[u8; 8] = b"123456\xFF\xFF";
pub(crate) const PUK: &[u8; 8] = b"12345678";
pub(crate) const MANAGEMENT_KEY: [u8; 24] = [
    0xC1, 0x02, 0x9A, 0x44, 0x05, 0x66, 0x07, 0xE8, 0x31, 0xF2, 0x03, 0xB4, 0x15, 0x86, 0x97, 0x08, 0x51,
    0xA2, 0x73, 0xD4, 0x05, 0x96, 0x27, 0x3E,
];

/// Scalars of the P-256 keys in 9A, 9C, 9D, 9E and 82.
pub(crate) const SCALARS: [(KeyReference, u8); 4] = [
    (KeyReference::PivAuthentication, 0x1A),
    (KeyReference::DigitalSignature, 0x1C),
    (KeyReference::KeyManagement, 0x1D),
    (KeyReference::CardAuthentication, 0x1E),
];

/// A scalar whose bytes are unlike anything else on the card.
pub(crate) fn scalar(mark: u8) -> [u8; 32] {
    let mut byte = mark.wrapping_mul(37);
    [(); 32].map(|()| {
        byte = byte.wrapping_add(73);
        byte ^ 0x5A
    })
}

/// Every byte string that must never leave the card.
pub(crate) fn secrets() -> Vec<Vec<u8>> {
    let mut secrets: Vec<Vec<u8>> = SCALARS.iter().map(|(_, mark)| scalar(*mark).to_vec()).collect();
    secrets.push(scalar(0x82).to_vec());
    secrets.push(MANAGEMENT_KEY.to_vec());
    secrets.push(PIN.to_vec());
    secrets.push(PUK.to_vec());
    secrets
}

pub(crate) fn object(tag: u32, contents: &[u8]) -> (ObjectTag, Vec<u8>) {
    let mut bytes = vec![0x53, 0x82];
    bytes.extend(u16::try_from(contents.len()).unwrap().to_be_bytes());
    bytes.extend(contents);
    (ObjectTag::new(tag).unwrap(), bytes)
}

pub(crate) fn discovery() -> (ObjectTag, Vec<u8>) {
    let mut bytes = vec![0x7E, 0x12, 0x4F, 0x0B];
    bytes.extend([0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00]);
    bytes.extend([0x5F, 0x2F, 0x02, 0x40, 0x00]);
    (ObjectTag::DISCOVERY, bytes)
}

pub(crate) fn card() -> TestCard {
    card_with(&[
        discovery(),
        object(0x5F_C102, &[0x34; 600]),
        object(0x5F_C109, b"\x01\x06SAMPLE"),
        object(0x5F_C108, &[0x08; 12_700]),
    ])
}

pub(crate) fn card_with(objects: &[(ObjectTag, Vec<u8>)]) -> TestCard {
    let flash = MemoryFlash::blank(64 * 1024 / PAGE_SIZE);
    let mut store = FlashStore::format(flash, Reads::Memory).unwrap();
    personalise(&mut store, objects);
    on(store)
}

/// Puts the holder's data on an empty store.
pub(crate) fn personalise(store: &mut impl Store, objects: &[(ObjectTag, Vec<u8>)]) {
    personalise_with(store, objects, None);
}

/// The same, and a key for secure messaging with its certificate.
pub(crate) fn personalise_with(
    store: &mut impl Store,
    objects: &[(ObjectTag, Vec<u8>)],
    secure_messaging: Option<(PrivateKey, &[u8])>,
) {
    let p256 = |mark| PrivateKey::ecc(AsymmetricAlgorithm::EccP256, &scalar(mark)).unwrap();
    let mut keys: Vec<_> =
        SCALARS.iter().map(|(reference, mark)| (*reference, p256(*mark), Origin::Generated)).collect();
    let retired = KeyReference::Retired(RetiredNumber::new(1).unwrap());
    keys.push((retired, p256(0x82), Origin::Imported));
    let certificate = secure_messaging.as_ref().map(|(_, certificate)| *certificate);
    let key = secure_messaging.map(|(key, _)| (KeyReference::SecureMessaging, key, Origin::Generated));
    keys.extend(key);
    let objects: Vec<_> = objects.iter().map(|(tag, bytes)| (*tag, bytes.as_slice())).collect();
    Personalisation {
        profile: &profile::PIV,
        pin: ReferenceData { value: PIN, tries: 3 },
        puk: ReferenceData { value: PUK, tries: 3 },
        global_pin: None,
        fingers: &[],
        card_verifiable_certificate: certificate,
        serial_number: None,
        management_key: &SymmetricKey::new(SymmetricAlgorithm::Aes192, &MANAGEMENT_KEY).unwrap(),
        keys: &keys,
        objects: &objects,
        cac: None,
    }
    .write(store)
    .unwrap();
}

/// The card in a store, with power.
pub(crate) fn on<S: Store>(store: S) -> Card<Parts<ChaCha20Rng, S, RustCrypto>> {
    let rng = ChaCha20Rng::from_seed([7; 32]);
    let mut card = Card::new(Parts { rng, store, crypto: RustCrypto::default(), holder: Obliging }).unwrap();
    card.power_on();
    card
}

/// Sends a command; gives data and status word.
pub(crate) fn send<P: Platform>(card: &mut Card<P>, command: &[u8]) -> (Vec<u8>, u16) {
    let response = card.transmit(command);
    (response.data.to_vec(), response.status.to_u16())
}

/// Sends a command written in hex.
pub(crate) fn hex<P: Platform>(card: &mut Card<P>, command: &str) -> (Vec<u8>, u16) {
    send(card, &hex::decode(command.replace(' ', "")).unwrap())
}

/// External authentication with the management key.
pub(crate) fn authenticate_administrator<P: Platform>(card: &mut Card<P>) {
    use card_sim::crypto::Crypto;
    let (answer, status) = hex(card, "00 87 0A 9B 04 7C 02 81 00 00");
    assert_eq!(status, 0x9000);
    let mut block = answer[4..].to_vec();
    let key = SymmetricKey::new(SymmetricAlgorithm::Aes192, &MANAGEMENT_KEY).unwrap();
    RustCrypto::default().encrypt_block(&key, &mut block).unwrap();
    let command = [&[0x00, 0x87, 0x0A, 0x9B, 0x14, 0x7C, 0x12, 0x82, 0x10][..], &block].concat();
    assert_eq!(send(card, &command), (vec![], 0x9000));
}

/// How much of something to test: a little always, all of it where `CARD_SIM_THOROUGH` is set.
pub(crate) fn thorough(little: usize, all: usize) -> usize {
    if std::env::var_os("CARD_SIM_THOROUGH").is_some() { all } else { little }
}

/// The operations before which to cut the power: the first and last ones, those around an erasure and some between;
/// or all of them.
pub(crate) fn sample(operations: &Operations) -> impl Iterator<Item = usize> {
    let Operations { count, erasures } = operations.clone();
    let step = thorough((count / 20).max(1), 1);
    (0..count).filter(move |n| {
        let near_erasure = erasures.iter().any(|erasure| n.abs_diff(*erasure) < 3);
        *n < 12 || n + 12 >= count || near_erasure || n.is_multiple_of(step)
    })
}
