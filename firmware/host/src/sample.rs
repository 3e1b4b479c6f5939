//! Cards for measurements, and commands to them.

use card_sim::{
    crypto::{Crypto, RustCrypto},
    key::{
        AsymmetricAlgorithm, KeyReference, Origin, PrivateKey, PublicKey, SymmetricAlgorithm, SymmetricKey,
    },
    object::CONTAINERS,
    personalise::{Personalisation, ReferenceData},
    profile,
    store::{FlashStore, MemoryFlash, Reads},
};
use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// Pages of the board's flash.
const PAGES: usize = 36;

/// What the board's generator begins with, 32 times.
pub(crate) const BOARD_SEED: u8 = 0x5C;

pub(crate) const PIN: [u8; 8] = *b"12345678";
pub(crate) const PUK: [u8; 8] = *b"87654321";

/// What is on a card.
pub(crate) struct Sample {
    pub(crate) pin: [u8; 8],
    pub(crate) management_key: SymmetricKey,
    pub(crate) keys: Vec<(KeyReference, PrivateKey)>,
    /// Of the key for secure messaging.
    pub(crate) certificate: Option<Vec<u8>>,
    /// Whether it has every data object, each as long as the standard asks for.
    pub(crate) full: bool,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            pin: PIN,
            management_key: management_key(SymmetricAlgorithm::Aes192, 0),
            keys: Vec::new(),
            certificate: None,
            full: false,
        }
    }
}

impl Sample {
    /// The flash with this card.
    pub(crate) fn flash(&self) -> Vec<u8> {
        let blank = MemoryFlash::blank(PAGES);
        let mut store = FlashStore::format(blank, Reads::Memory).expect("a blank flash can be formatted");
        let keys: Vec<_> =
            self.keys.iter().map(|(reference, key)| (*reference, key.clone(), Origin::Imported)).collect();
        let contents = [0xA5; 1 << 14];
        let objects: Vec<_> = CONTAINERS
            .iter()
            .filter(|_| self.full)
            .map(|row| (row.tag, &contents[..usize::from(row.minimum_capacity)]))
            .collect();
        let card = Personalisation {
            serial_number: None,
            profile: &profile::PIV,
            pin: ReferenceData { value: &self.pin, tries: 3 },
            puk: ReferenceData { value: &PUK, tries: 3 },
            global_pin: None,
            fingers: &[],
            card_verifiable_certificate: self.certificate.as_deref(),
            management_key: &self.management_key,
            keys: &keys,
            objects: &objects,
            cac: None,
        };
        card.write(&mut store).expect("a card that fits its flash");
        store.image().expect("memory can be read").to_vec()
    }
}

/// A generator that begins the same each time.
pub(crate) fn generator(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

/// 64 bytes, the same for a seed each time.
pub(crate) fn random(seed: u8) -> [u8; 64] {
    let mut bytes = [0; 64];
    generator(seed).fill_bytes(&mut bytes);
    bytes
}

pub(crate) fn management_key(algorithm: SymmetricAlgorithm, seed: u8) -> SymmetricKey {
    SymmetricKey::new(algorithm, &random(seed)[..algorithm.key_length()])
        .expect("a key of its algorithm's length")
}

/// Scalars of few bits, of many and of any.
pub(crate) fn scalars(algorithm: AsymmetricAlgorithm) -> [Vec<u8>; 5] {
    let size = algorithm.size();
    let few = [vec![0; size - 1], vec![1]].concat();
    // Not to its end: what ends in four bytes FF is stored inverted.
    let many = [vec![0x7F], vec![0xFF; size - 2], vec![0xFE]].concat();
    let any = |seed| random(seed)[..size].to_vec();
    [few, many, any(5), any(6), any(7)]
}

/// A certificate of this key for secure messaging, as long as most are. Nobody checks its signature here.
pub(crate) fn card_verifiable_certificate(point: &[u8]) -> Vec<u8> {
    let contents = [tlv(0x86, point), tlv(0x42, &[0xA5; 116])].concat();
    [&[0x7F][..], &tlv(0x21, &contents)].concat()
}

/// The public key of a scalar.
pub(crate) fn point(algorithm: AsymmetricAlgorithm, scalar: &[u8]) -> Vec<u8> {
    let key = PrivateKey::ecc(algorithm, scalar).expect("a scalar of its length");
    match RustCrypto::default().public_key(&key) {
        Ok(PublicKey::Ecc { point }) => point.to_vec(),
        _ => panic!("the scalar is not below the curve's order"),
    }
}

pub(crate) fn verify(pin: [u8; 8]) -> Vec<u8> {
    [&[0x00, 0x20, 0x00, 0x80, 0x08][..], &pin].concat()
}

/// Asks for a challenge of the card management key.
pub(crate) fn challenge(algorithm: SymmetricAlgorithm) -> Vec<u8> {
    general_authenticate(algorithm.id(), 0x9B, &tlv(0x81, &[]))
}

/// Answers a challenge.
pub(crate) fn proof(algorithm: SymmetricAlgorithm, block: &[u8]) -> Vec<u8> {
    general_authenticate(algorithm.id(), 0x9B, &tlv(0x82, block))
}

/// A signature, or the raw operation of RSA, with 9E, which needs no PIN.
pub(crate) fn sign(algorithm: AsymmetricAlgorithm, input: &[u8]) -> Vec<u8> {
    general_authenticate(algorithm.id(), 0x9E, &[tlv(0x82, &[]), tlv(0x81, input)].concat())
}

/// Key agreement with 9D.
pub(crate) fn agree(algorithm: AsymmetricAlgorithm, point: &[u8]) -> Vec<u8> {
    general_authenticate(algorithm.id(), 0x9D, &[tlv(0x82, &[]), tlv(0x85, point)].concat())
}

/// GENERAL AUTHENTICATE in its extended form.
fn general_authenticate(algorithm: u8, reference: u8, template: &[u8]) -> Vec<u8> {
    let template = tlv(0x7C, template);
    let [high, low] = u16::try_from(template.len()).expect("a short template").to_be_bytes();
    [&[0x00, 0x87, algorithm, reference, 0x00, high, low][..], &template, &[0x00, 0x00]].concat()
}

/// A BER-TLV object.
fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = match u16::try_from(contents.len()).expect("a short object").to_be_bytes() {
        [0, short @ ..=0x7F] => vec![short],
        [0, long] => vec![0x81, long],
        [high, low] => vec![0x82, high, low],
    };
    [&[tag][..], &length, contents].concat()
}
