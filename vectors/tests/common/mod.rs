//! The cards of `cards/`, made by `card-sim` from the values that its file and a scenario set.

use std::cell::RefCell;
use std::rc::Rc;

use card_sim::Card;
use card_sim::cac::ObjectId;
use card_sim::crypto::RustCrypto;
use card_sim::holder::Holder;
use card_sim::interface::Interface;
use card_sim::key::policy::TouchPolicy;
use card_sim::key::{
    AsymmetricAlgorithm, KeyReference, Origin, PrivateKey, SymmetricAlgorithm, SymmetricKey,
};
use card_sim::object::ObjectTag;
use card_sim::personalise::{CacPersonalisation, Finger, Personalisation, ReferenceData};
use card_sim::platform::Parts;
use card_sim::profile::Profile;
use card_sim::refusal::Rule;
use card_sim::store::{FlashStore, MemoryFlash, Reads};
use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use vectors::scenario::{Target, Values};

/// Pages of flash: 144 KiB, room for every object at its largest, and more.
const FLASH_PAGES: usize = 36;

/// What card files call the key of the CAC ID certificate.
const IDENTITY: &str = "0100";

/// The rules by which cards have refused commands.
pub(crate) type RefusedBy = Rc<RefCell<Vec<&'static Rule>>>;

/// Somebody who touches the card when it asks, or does not: `touched` of the card files, a byte a question, the last one for
/// all that follow.
struct TestHolder {
    touches: Vec<u8>,
    last: u8,
}

impl TestHolder {
    fn new(touched: &[u8]) -> Self {
        Self { touches: touched.iter().rev().copied().collect(), last: 0x01 }
    }
}

impl Holder for TestHolder {
    fn touches(&mut self, _: TouchPolicy) -> bool {
        self.last = self.touches.pop().unwrap_or(self.last);
        self.last != 0x00
    }

    fn finger_is_enrolled(&mut self) -> bool {
        self.last != 0x02
    }
}

type TestPlatform = Parts<ChaCha20Rng, FlashStore<MemoryFlash>, RustCrypto, TestHolder>;

/// A card under test. It notes by which rules it refuses commands.
pub(crate) struct TestCard {
    card: Box<Card<TestPlatform>>,
    refused_by: RefusedBy,
}

impl TestCard {
    /// A new card with power. Its randomness begins with the same seed each time.
    pub(crate) fn new(values: &Values, refused_by: &RefusedBy) -> Self {
        let flash = MemoryFlash::blank(FLASH_PAGES);
        let mut store = FlashStore::format(flash, Reads::Memory).expect("a blank flash can be formatted");
        personalise(values, &mut store);
        let rng = ChaCha20Rng::from_seed([0x5C; 32]);
        // Only the cards of stocks that ask say more of it.
        let holder = TestHolder::new(values.get("touched").unwrap_or_default());
        let platform = Parts { rng, store, crypto: RustCrypto::default(), holder };
        let mut card = Box::new(Card::new(platform).expect("a card"));
        card.power_on();
        Self { card, refused_by: Rc::clone(refused_by) }
    }

    /// Its answer to reset.
    #[allow(dead_code, reason = "each test uses its part")]
    pub(crate) fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    /// The card's flash. Used by the firmware's tests, which include this file.
    #[allow(dead_code, reason = "each test uses its part")]
    pub(crate) fn image(&mut self) -> Vec<u8> {
        let image = self.card.platform().store.image().expect("a flash in memory can be read");
        image.to_vec()
    }
}

impl Target for TestCard {
    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        let response = self.card.transmit(command);
        let answer = [response.data, &response.status.to_bytes()].concat();
        if let Some(refusal) = self.card.last_refusal() {
            self.refused_by.borrow_mut().push(refusal.rule);
        }
        answer
    }

    fn reset(&mut self) {
        self.card.reset();
    }

    fn power_off(&mut self) {
        self.card.power_off();
    }

    fn power_on(&mut self) {
        self.card.power_on();
    }

    fn power_on_contactless(&mut self) {
        self.card.power_on_through(Interface::Contactless);
    }
}

fn personalise(values: &Values, store: &mut FlashStore<MemoryFlash>) {
    let objects: Vec<_> = values
        .starting_with("object-")
        .filter(|(_, object)| !object.is_empty())
        .map(|(tag, object)| (object_tag(tag), object))
        .collect();
    let keys: Vec<_> =
        values.starting_with("algorithm-").filter_map(|(key, _)| piv_key(values, key)).collect();
    let algorithm = SymmetricAlgorithm::from_id(byte(values, "algorithm-9B")).expect("an algorithm for 9B");
    let management_key = SymmetricKey::new(algorithm, value(values, "key-9B")).expect("a key for 9B");
    let global_pin = value(values, "global-pin");
    let fingers: Vec<_> = ["finger-96", "finger-97"]
        .into_iter()
        .filter(|name| !value(values, name).is_empty())
        .map(|name| Finger { minutiae: value(values, name), tries: byte(values, "tries-fingers") })
        .collect();
    let identity_key = private_key(values, IDENTITY);
    let containers: Vec<_> =
        values.starting_with("container-").map(|(id, bytes)| (container(id), bytes)).collect();
    Personalisation {
        profile: profile(values),
        pin: reference_data(values, "pin"),
        puk: reference_data(values, "puk"),
        global_pin: (!global_pin.is_empty()).then(|| reference_data(values, "global-pin")),
        fingers: &fingers,
        card_verifiable_certificate: values.get("certificate-04"),
        serial_number: values.get("serial-number").filter(|bytes| !bytes.is_empty()).map(number),
        management_key: &management_key,
        keys: &keys,
        objects: &objects,
        cac: identity_key.as_ref().map(|identity_key| CacPersonalisation {
            identity_key,
            containers: &containers,
            piv_authentication_hidden: value(values, "piv-authentication-hidden") == [0x01],
        }),
    }
    .write(store)
    .expect("a card that can be personalised");
}

/// The stock that the card file names.
fn profile(values: &Values) -> &'static Profile {
    let name = std::str::from_utf8(value(values, "profile")).expect("a name in ASCII");
    Profile::find(name).unwrap_or_else(|| panic!("no profile is called {name}"))
}

fn piv_key(values: &Values, key: &str) -> Option<(KeyReference, PrivateKey, Origin)> {
    if key == IDENTITY {
        return None;
    }
    let reference = KeyReference::from_byte(hex::decode(key).expect("a key reference in hex")[0])
        .expect("a key reference of PIV");
    Some((reference, private_key(values, key)?, Origin::Imported))
}

/// The key of this name, if it has an asymmetric algorithm.
fn private_key(values: &Values, key: &str) -> Option<PrivateKey> {
    values.get(&format!("algorithm-{key}"))?;
    let algorithm = AsymmetricAlgorithm::from_id(byte(values, &format!("algorithm-{key}")))?;
    let private = if algorithm.is_rsa() {
        let exponent = number(value(values, &format!("exponent-{key}")));
        let [p, q] = ["p", "q"].map(|prime| value(values, &format!("prime-{prime}-{key}")));
        PrivateKey::rsa(algorithm, exponent, p, q)
    } else {
        PrivateKey::ecc(algorithm, value(values, &format!("private-{key}")))
    };
    Some(private.expect("a key of its algorithm's length"))
}

fn object_tag(tag: &str) -> ObjectTag {
    ObjectTag::new(u32::from_str_radix(tag, 16).expect("a tag in hex")).expect("a tag of PIV")
}

fn container(id: &str) -> ObjectId {
    ObjectId::new(u16::from_str_radix(id, 16).expect("an object in hex"))
        .expect("an object of the CAC applets")
}

fn reference_data<'a>(values: &'a Values, name: &str) -> ReferenceData<'a> {
    let eight = value(values, name).try_into().expect("eight bytes");
    ReferenceData { value: eight, tries: byte(values, &format!("tries-{name}")) }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn byte(values: &Values, name: &str) -> u8 {
    match value(values, name) {
        [byte] => *byte,
        other => panic!("{name} must be one byte, not {other:02X?}"),
    }
}

fn value<'a>(values: &'a Values, name: &str) -> &'a [u8] {
    values.get(name).unwrap_or_else(|| panic!("the card file has no {name}"))
}
