//! A card on which there is everything, in every situation in which something may be done to it.

use card_sim::{
    Card,
    crypto::{Crypto, RustCrypto},
    holder::Obliging,
    interface::Interface,
    key::{
        AsymmetricAlgorithm, KeyReference, Origin, PrivateKey, PublicKey, RetiredNumber, SymmetricAlgorithm,
        SymmetricKey,
    },
    object::{CONTAINERS, ObjectTag},
    personalise::{Finger, Personalisation, ReferenceData},
    platform::Parts,
    profile,
    store::{FlashStore, MemoryFlash, Reads},
};
use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use vectors::oracle::{
    encrypt,
    secure_messaging::{Host, request},
};

use crate::table::Truth;

const P256: AsymmetricAlgorithm = AsymmetricAlgorithm::EccP256;
const CS2: u8 = 0x27;
pub(crate) const PIN: &[u8; 8] = b"123456\xFF\xFF";
pub(crate) const PUK: &[u8; 8] = b"12345678";
pub(crate) const GLOBAL_PIN: &[u8; 8] = b"777777\xFF\xFF";
pub(crate) const PAIRING_CODE: &[u8; 8] = b"20261123";
const MANAGEMENT_KEY: [u8; 16] = [0x42; 16];
const SCALAR: [u8; 32] = [0x37; 32];

/// A finger of sixteen minutiae.
pub(crate) fn finger(key_reference: u8) -> Vec<u8> {
    (0..16).flat_map(|n: u8| [n * 12, n.wrapping_mul(31) ^ key_reference, 0x40]).collect()
}

/// What the Discovery Object says (part 1, table 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// The PIV PIN, and nothing else.
    PinOnly = 0x40,
    // Global PIN and on-card comparison, and one of these.
    NoVci = 0x70,
    Pairing = 0x78,
    Open = 0x7C,
}

/// How the command comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Plain,
    /// Under secure messaging, by a reader that is not paired.
    Unpaired,
    Paired,
}

/// What was proved before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proved {
    Nothing,
    /// A reference was verified, and another command came after it.
    Before(u8),
    /// A reference was verified by the command immediately before.
    JustNow(u8),
    Administrator,
}

/// Everything that is true before a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    pub(crate) policy: Policy,
    pub(crate) interface: Interface,
    pub(crate) channel: Channel,
    pub(crate) proved: Proved,
}

impl Policy {
    pub(crate) const ALL: [Self; 4] = [Self::PinOnly, Self::NoVci, Self::Pairing, Self::Open];

    fn has_virtual_contact(self) -> bool {
        matches!(self, Self::Pairing | Self::Open)
    }
}

impl Situation {
    /// All that a host can bring about.
    pub(crate) fn all() -> Vec<Self> {
        let references = [0x00, 0x80, 0x96, 0x97];
        let proofs = [Proved::Nothing, Proved::Administrator]
            .into_iter()
            .chain(references.map(Proved::Before))
            .chain(references.map(Proved::JustNow));
        let mut all = Vec::new();
        for policy in Policy::ALL {
            for interface in [Interface::Contact, Interface::Contactless] {
                for channel in [Channel::Plain, Channel::Unpaired, Channel::Paired] {
                    all.extend(proofs.clone().map(|proved| Self { policy, interface, channel, proved }));
                }
            }
        }
        all.retain(|situation| situation.can_be());
        all
    }

    fn can_be(self) -> bool {
        let antenna = self.interface == Interface::Contactless;
        // Pairing is for cards that ask for it.
        let channel = self.channel != Channel::Paired || self.policy == Policy::Pairing;
        let proof = match self.proved {
            Proved::Administrator => !antenna,
            Proved::Before(0x00 | 0x80) => !antenna || self.policy.has_virtual_contact(),
            // The pairing would have to be given up between the PIN and the command.
            Proved::JustNow(0x00 | 0x80) => {
                !antenna
                    || self.policy == Policy::Open
                    || self.policy == Policy::Pairing && self.channel != Channel::Unpaired
            }
            Proved::Nothing | Proved::Before(_) | Proved::JustNow(_) => true,
        };
        let known = match self.proved {
            Proved::Before(reference) | Proved::JustNow(reference) => {
                self.policy != Policy::PinOnly || reference == 0x80
            }
            _ => true,
        };
        channel && proof && known
    }

    /// The same as the standard sees it.
    pub(crate) fn truth(self) -> Truth {
        let sm = self.channel != Channel::Plain;
        let vci = match self.policy {
            Policy::PinOnly | Policy::NoVci => false,
            Policy::Pairing => self.channel == Channel::Paired,
            Policy::Open => sm,
        };
        let verified = match self.proved {
            Proved::Before(reference) | Proved::JustNow(reference) => Some(reference),
            _ => None,
        };
        Truth {
            antenna: self.interface == Interface::Contactless,
            policy: self.policy as u8,
            sm,
            vci,
            pin: matches!(verified, Some(0x00 | 0x80)),
            occ: matches!(verified, Some(0x96 | 0x97)),
            just_now: matches!(self.proved, Proved::JustNow(_)),
            administrator: self.proved == Proved::Administrator,
        }
    }
}

/// A card and the host that talks to it.
pub(crate) struct Table {
    card: Box<Card<Parts<ChaCha20Rng, FlashStore<MemoryFlash>, RustCrypto>>>,
    host: Option<Host>,
}

impl Table {
    /// The card in this situation.
    pub(crate) fn laid(flash: &MemoryFlash, situation: Situation) -> Self {
        let store = FlashStore::open(flash.clone(), Reads::Memory).expect("the flash was just written");
        let rng = ChaCha20Rng::from_seed([9; 32]);
        let card =
            Card::new(Parts { rng, store, crypto: RustCrypto::default(), holder: Obliging }).expect("a card");
        let mut table = Self { card: Box::new(card), host: None };
        table.card.power_on_through(situation.interface);
        table.bring_about(situation);
        table
    }

    fn bring_about(&mut self, situation: Situation) {
        let Situation { policy, interface, channel, proved } = situation;
        let antenna = interface == Interface::Contactless;
        let proves_by_air = antenna && !matches!(proved, Proved::Nothing);
        // The proof needs a session through the antenna, even if the command will come plain.
        let needs_pairing = policy == Policy::Pairing
            && matches!(proved, Proved::Before(0x00 | 0x80) | Proved::JustNow(0x00 | 0x80))
            && antenna;
        if channel != Channel::Plain || proves_by_air {
            self.establish();
        }
        let pairs = channel == Channel::Paired || needs_pairing;
        if pairs {
            self.must(&command([0x00, 0x20, 0x00, 0x98], PAIRING_CODE));
        }
        match proved {
            Proved::Nothing => {}
            Proved::Administrator => self.authenticate(),
            Proved::Before(reference) | Proved::JustNow(reference) => {
                self.must(&command([0x00, 0x20, 0x00, reference], &value(reference)));
            }
        }
        if pairs && channel == Channel::Unpaired {
            self.must(&[0x00, 0x20, 0xFF, 0x98]);
        }
        if matches!(proved, Proved::Before(_)) {
            // A command that does nothing, so that the proof is not that of the command immediately before.
            self.transmit(&[0x00, 0x20, 0x00, 0x81], channel);
        }
    }

    /// Runs a command in the channel of the situation; its status word, or that inside a protected answer.
    pub(crate) fn transmit(&mut self, command: &[u8], channel: Channel) -> u16 {
        match &mut self.host {
            Some(host) if channel != Channel::Plain => {
                let protected = host.protect(command).expect("a command");
                let (answer, status) = self.send(&protected);
                if status != 0x9000 {
                    return status;
                }
                let plain =
                    self.host.as_mut().and_then(|host| host.open(&answer)).expect("a protected answer");
                u16::from_be_bytes(*plain.last_chunk().expect("a status word"))
            }
            _ => self.send(command).1,
        }
    }

    fn must(&mut self, command: &[u8]) {
        let channel = if self.host.is_some() { Channel::Unpaired } else { Channel::Plain };
        assert_eq!(self.transmit(command, channel), 0x9000, "{command:02X?}");
    }

    fn establish(&mut self) {
        let (answer, status) = self.send(&key_establishment());
        assert_eq!(status, 0x9000);
        self.host = Host::established(CS2, &SCALAR, &point(&SCALAR), &answer);
        assert!(self.host.is_some(), "the card proves its key");
    }

    /// External authentication of the card manager, who knows nothing of sessions.
    fn authenticate(&mut self) {
        let (answer, status) = self.send(&[0x00, 0x87, 0x08, 0x9B, 0x04, 0x7C, 0x02, 0x81, 0x00, 0x00]);
        assert_eq!(status, 0x9000);
        let response = encrypt(&[0x08], &MANAGEMENT_KEY, &answer[4..20]).expect("a block of AES");
        let template = [&[0x7C, 0x12, 0x82, 0x10], &response[..]].concat();
        assert_eq!(self.send(&command([0x00, 0x87, 0x08, 0x9B], &template)).1, 0x9000);
    }

    fn send(&mut self, command: &[u8]) -> (Vec<u8>, u16) {
        let response = self.card.transmit(command);
        let (mut data, mut status) = (response.data.to_vec(), response.status.to_u16());
        while status >> 8 == 0x61 {
            let response = self.card.transmit(&[0x00, 0xC0, 0x00, 0x00, 0x00]);
            data.extend(response.data);
            status = response.status.to_u16();
        }
        (data, status)
    }
}

/// What is presented for a reference.
pub(crate) fn value(reference: u8) -> Vec<u8> {
    match reference {
        0x00 => GLOBAL_PIN.to_vec(),
        0x80 => PIN.to_vec(),
        0x81 => PUK.to_vec(),
        0x98 => PAIRING_CODE.to_vec(),
        _ => finger(reference),
    }
}

/// A short command with data.
pub(crate) fn command(header: [u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len()).expect("a short command");
    [&header[..], &[length], data].concat()
}

/// A session's first command.
pub(crate) fn key_establishment() -> Vec<u8> {
    request(CS2, &point(&SCALAR)).expect("a point")
}

/// The point of a scalar.
pub(crate) fn point(scalar: &[u8]) -> Vec<u8> {
    let key = PrivateKey::ecc(P256, scalar).expect("a scalar");
    match RustCrypto::default().public_key(&key).expect("a key") {
        PublicKey::Ecc { point } => point.to_vec(),
        _ => unreachable!("the key is on a curve"),
    }
}

/// A card with every object, every key, every reference.
pub(crate) fn flash(policy: Policy) -> MemoryFlash {
    let key = |seed: u8| PrivateKey::ecc(P256, &[seed; 32]).expect("a scalar");
    let retired = (1..=20).filter_map(RetiredNumber::new).map(KeyReference::Retired);
    let keys: Vec<_> = KeyReference::ASYMMETRIC
        .into_iter()
        .chain(retired)
        .chain([KeyReference::SecureMessaging])
        .map(|reference| (reference, key(reference.to_byte() | 0x01), Origin::Generated))
        .collect();
    let secure_messaging_point = point(&[0x05; 32]);
    let certificate = [&[0x7F, 0x21, 0x43, 0x86, 0x41], &secure_messaging_point[..]].concat();
    let objects: Vec<_> = CONTAINERS.iter().map(|row| (row.tag, object(row.tag, policy))).collect();
    let objects: Vec<_> = objects.iter().map(|(tag, object)| (*tag, object.as_slice())).collect();
    let fingers = [finger(0x96), finger(0x97)];
    let fingers = fingers.each_ref().map(|minutiae| Finger { minutiae, tries: 3 });
    let mut store = FlashStore::format(MemoryFlash::blank(12), Reads::Memory).expect("a blank flash");
    Personalisation {
        profile: &profile::PIV,
        pin: ReferenceData { value: PIN, tries: 3 },
        puk: ReferenceData { value: PUK, tries: 3 },
        global_pin: Some(ReferenceData { value: GLOBAL_PIN, tries: 3 }),
        fingers: &fingers,
        serial_number: None,
        management_key: &SymmetricKey::new(SymmetricAlgorithm::Aes128, &MANAGEMENT_KEY).expect("a key"),
        card_verifiable_certificate: Some(&certificate),
        keys: &keys,
        objects: &objects,
        cac: None,
    }
    .write(&mut store)
    .expect("a card that fits");
    MemoryFlash::from_image(&store.image().expect("memory"))
}

/// The object with this tag, as GET DATA answers it.
pub(crate) fn object(tag: ObjectTag, policy: Policy) -> Vec<u8> {
    match tag.get() {
        0x7E => {
            let aid = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];
            [&[0x7E, 0x12, 0x4F, 0x0B][..], &aid, &[0x5F, 0x2F, 0x02, policy as u8, 0x10]].concat()
        }
        0x7F61 => vec![0x7F, 0x61, 0x03, 0x02, 0x01, 0x00],
        0x5F_C123 => [&[0x53, 0x0C, 0x99, 0x08], &PAIRING_CODE[..], &[0xFE, 0x00]].concat(),
        tag => [&[0x53, 0x06, 0x70, 0x02], &tag.to_be_bytes()[2..], &[0xFE, 0x00]].concat(),
    }
}
