//! The card of the targets: small, so that a new one for each input costs microseconds, with secrets that are like nothing
//! else on it, on a flash whose power can fail.
//!
//! Every command goes through [`SmallCard::send`], which panics when anything happens that must not.

mod crypto;
mod rules;
mod secure;

// The card and the flash of the card's own tests.
#[path = "../../../card-sim/tests/support/mod.rs"]
mod support;

use std::sync::LazyLock;

use card_sim::{
    Card,
    crypto::{Crypto, RustCrypto},
    holder::Obliging,
    key::{self, KeyReference, PrivateKey, SymmetricAlgorithm, SymmetricKey},
    object::ObjectTag,
    platform::{Parts, Platform},
    profile::{self, Profile},
    reference::Reference,
    store::{FlashStore, MemoryFlash, Reads, Record, Store, Update, audit::audit},
};
use chacha20::ChaCha20Rng;
use model::persistent::Persistent;
use rand_core::SeedableRng;
use support::{cut_flash::CutFlash, scalar};
use vreader::fuzz::Guard;

pub(crate) use self::crypto::{Arithmetic, FuzzCrypto};
pub(crate) use self::secure::{Change, KINDS, Way};
pub(crate) use self::support::{
    MANAGEMENT_KEY, PIN, PUK,
    cut_flash::{Power, Tear},
};
use self::{rules::Rules, secure::Secure};

/// Pages of its flash.
const PAGES: usize = 4;

/// Reference data of the Global PIN, which counts once a Discovery Object says so.
pub(crate) const GLOBAL_PIN: &[u8; 8] = b"90817263";

/// A new card: its flash, and what the rules say of it.
struct New {
    flash: Vec<u8>,
    rules: Rules,
}

static NEW: LazyLock<New> = LazyLock::new(|| New::with(None));

impl New {
    fn with(secure_messaging: Option<(PrivateKey, &[u8])>) -> Self {
        let mut store = FlashStore::format(MemoryFlash::blank(PAGES), Reads::Memory).expect("a blank flash");
        let objects = [
            support::discovery(),
            support::object(0x5F_C102, &[0x34; 59]),
            support::object(0x5F_C109, b"\x01\x06SAMPLE"),
            support::object(0x5F_C105, &[0x70; 700]),
        ];
        support::personalise_with(&mut store, &objects, secure_messaging);
        let tries = Record::RetryCounter(Reference::GlobalPin);
        let data = [&[3], &GLOBAL_PIN[..]].concat();
        let updates =
            [Update::Write(tries, &[3]), Update::Write(Record::ReferenceData(Reference::GlobalPin), &data)];
        store.commit(&updates).expect("room for a Global PIN");
        let rules = Rules::of_model(&store);
        Self { flash: image(&mut store), rules }
    }

    /// The same card as a YubiKey of this stock.
    fn yubikey(profile: &Profile) -> Self {
        let mut store =
            FlashStore::open(MemoryFlash::from_image(&NEW.flash), Reads::Memory).expect("a flash");
        let attestation_key = [&[0x11, 0x01], &scalar(0xF9)[..]].concat();
        let updates = [
            Update::Write(Record::Profile, profile.name.as_bytes()),
            Update::Write(Record::SerialNumber, &[0x00, 0xAE, 0x17, 0xCB]),
            Update::Write(Record::Key(KeyReference::Attestation), &attestation_key),
            Update::Write(Record::Object(ObjectTag::ATTESTATION), &ATTESTATION),
        ];
        store.commit(&updates).expect("room for what a YubiKey has");
        let rules = Rules::of_yubikey(&store);
        Self { flash: image(&mut store), rules }
    }
}

/// The attestation certificate of a YubiKey: so much of one as the card reads, with an issuer and a validity of their own.
const ATTESTATION: [u8; 29] = [
    0x53, 0x1B, 0x70, 0x14, 0x30, 0x12, 0x30, 0x10, 0x02, 0x01, 0x01, 0x30, 0x00, 0x30, 0x00, 0x30, 0x02,
    0x17, 0x00, 0x30, 0x03, 0x0C, 0x01, 0x41, 0x71, 0x01, 0x00, 0xFE, 0x00,
];

/// A new YubiKey of each stock.
static YUBIKEYS: LazyLock<Vec<New>> = LazyLock::new(|| {
    let yubikeys = profile::ALL.iter().filter(|profile| profile.yubico.is_some());
    yubikeys.map(|profile| New::yubikey(profile)).collect()
});

fn image(store: &mut FlashStore<MemoryFlash>) -> Vec<u8> {
    store.image().expect("a flash in memory").to_vec()
}

/// A new card's flash.
pub(crate) fn new_flash() -> &'static [u8] {
    &NEW.flash
}

pub(crate) type SmallPlatform = Parts<ChaCha20Rng, FlashStore<CutFlash>, FuzzCrypto>;

/// A card under test, with power.
pub(crate) struct SmallCard {
    card: Box<Card<SmallPlatform>>,
    power: Power,
    guard: Guard,
    rules: Rules,
    /// The power may fail in the next command.
    cut: bool,
    arithmetic: Arithmetic,
    /// How often it was opened: what it draws at random differs each time.
    opened: u8,
    /// Commands that it was sent.
    pub(crate) commands: u64,
    /// The host's half of secure messaging, for a card that has it.
    secure: Option<Secure>,
}

impl SmallCard {
    /// A new card.
    pub(crate) fn new(arithmetic: Arithmetic) -> Self {
        Self::of(&NEW, arithmetic, None)
    }

    /// A new YubiKey; the number chooses its stock.
    pub(crate) fn yubikey(number: u8) -> Self {
        let new = &YUBIKEYS[usize::from(number) % YUBIKEYS.len()];
        Self::of(new, Arithmetic::Quick, None)
    }

    fn of(new: &New, arithmetic: Arithmetic, secure: Option<Secure>) -> Self {
        let (mut card, power) = open(&new.flash, arithmetic, 0);
        let guard = Guard::new(&card.platform().parts().store);
        let rules = new.rules.clone();
        Self { card, power, guard, rules, cut: false, arithmetic, opened: 0, commands: 0, secure }
    }

    /// Sends a command, protected if the next ones are to be; the answer with its status word, or nothing if the power
    /// failed.
    ///
    /// # Panics
    /// When something happens that must not.
    pub(crate) fn send(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        if self.secure.is_some() { self.send_with_a_session(command) } else { self.send_plain(command) }
    }

    fn send_plain(&mut self, command: &[u8]) -> Option<Vec<u8>> {
        let cut_states = if self.cut { self.rules.after_power_cut(command) } else { Vec::new() };
        let (data, status) = self.transmit(command);
        if self.power.is_off() {
            self.reopen_as_one_of(&cut_states, command);
            return None;
        }
        Some(self.judged(command, &data, status))
    }

    fn transmit(&mut self, command: &[u8]) -> (Vec<u8>, u16) {
        self.commands += 1;
        let response = self.card.transmit(command);
        (response.data.to_vec(), response.status.to_u16())
    }

    /// The answer, if a card may answer so.
    fn judged(&mut self, command: &[u8], data: &[u8], status: u16) -> Vec<u8> {
        let answer = [data, &status.to_be_bytes()].concat();
        let judged = self.guard.judge(&self.card.platform().parts().store, command, &answer);
        judged.unwrap_or_else(|finding| panic!("{finding}: {command:02X?} -> {answer:02X?}"));
        let judged = self.rules.judge(&self.card.platform().parts().store, command, data, status);
        judged.unwrap_or_else(|violation| panic!("{violation}: {command:02X?} -> {answer:02X?}"));
        answer
    }

    /// Sends a command with a data field.
    pub(crate) fn send_data(&mut self, header: [u8; 4], data: &[u8]) -> Option<Vec<u8>> {
        self.send(&with_data(header, data))
    }

    /// A warm reset.
    pub(crate) fn reset(&mut self) {
        self.card.reset();
        self.rules.reset();
        self.end_session();
    }

    /// Off and on.
    pub(crate) fn power_cycle(&mut self) {
        self.card.power_off();
        self.card.power_on();
        self.rules.reset();
        self.end_session();
    }

    /// The power fails when so many words have been written or pages erased.
    pub(crate) fn cut_after(&mut self, operations: usize, tear: Tear) {
        self.power.cut_after(operations, tear);
        self.cut = true;
    }

    /// The power fails now, between two commands.
    pub(crate) fn reopen(&mut self) {
        let states = self.rules.now();
        self.reopen_as_one_of(&states, &[]);
    }

    /// The power has failed in a command: opens what is on the flash, which must be one of these states.
    fn reopen_as_one_of(&mut self, states: &[Persistent], command: &[u8]) {
        self.opened = self.opened.wrapping_add(1);
        let medium = self.power.medium();
        (self.card, self.power) = open(&medium, self.arithmetic, self.opened);
        self.cut = false;
        self.end_session();
        let store = &self.card.platform().parts().store;
        let judged = self.guard.power_failed(store, command);
        judged.unwrap_or_else(|finding| panic!("{finding}: power cut in {command:02X?}"));
        self.rules = self.rules.reopened(store, states, command);
    }

    /// The end of an input: the card holds what the rules say.
    pub(crate) fn finish(mut self) {
        let holds = self.rules.holds(&self.card.platform().parts().store);
        assert!(holds, "the card holds something else than the rules say");
    }

    /// What a holder knows: the reference data as it is now. Of a Global PIN that a reset has taken away, nothing.
    pub(crate) fn reference_data(&mut self, reference: Reference) -> Vec<u8> {
        let mut record = heapless::Vec::<u8, 9>::new();
        let found = self.card.platform().parts().store.read(Record::ReferenceData(reference), &mut record);
        let gone = matches!(self.rules, Rules::Unchanged(_)) && found == Ok(false);
        assert!(gone || found == Ok(true), "the card has all reference data");
        record.get(1..).map_or_else(|| vec![0xFF; 8], <[u8]>::to_vec)
    }

    /// The algorithm identifier of the key in a slot, if there is one.
    pub(crate) fn algorithm(&mut self, key: KeyReference) -> Option<u8> {
        let key = key::load_private(&self.card.platform().parts().store, key).expect("a readable key");
        key.map(|(key, _)| key.algorithm().id())
    }
}

/// The card on a flash, which is sound, as it is after every loss of power.
pub(crate) fn open(flash: &[u8], arithmetic: Arithmetic, opened: u8) -> (Box<Card<SmallPlatform>>, Power) {
    let (flash, power) = CutFlash::new(flash);
    let mut store = FlashStore::open(flash, Reads::Memory).expect("the flash opens");
    if opened > 0 {
        assert_eq!(store.with_image(audit), Ok(Ok(())), "the flash is sound");
    }
    let parts = Parts {
        rng: ChaCha20Rng::from_seed([opened; 32]),
        store,
        crypto: FuzzCrypto::new(arithmetic),
        holder: Obliging,
    };
    let mut card = Box::new(Card::new(parts).expect("the card opens"));
    card.power_on();
    (card, power)
}

/// A block under the management key.
pub(crate) fn under_management_key(block: &[u8], encrypt: bool) -> Vec<u8> {
    static KEY: LazyLock<SymmetricKey> = LazyLock::new(|| {
        SymmetricKey::new(SymmetricAlgorithm::Aes192, &MANAGEMENT_KEY).expect("a key of its length")
    });
    let mut block = block.to_vec();
    let mut crypto = RustCrypto::default();
    let done =
        if encrypt { crypto.encrypt_block(&KEY, &mut block) } else { crypto.decrypt_block(&KEY, &mut block) };
    done.expect("a block of 16 bytes");
    block
}

/// A command with a data field, in its short form if that is long enough.
pub(crate) fn with_data(header: [u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let data = &data[..length.into()];
    match length.to_be_bytes() {
        [0, 0] => header.to_vec(),
        [0, short] => [&header[..], &[short], data].concat(),
        long => [&header[..], &[0], &long, data].concat(),
    }
}

/// What is looked for is found: the same commands as of a card that does what it must not.
#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: [u8; 11] = [0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x09, 0x00];
    const VERIFY: &[u8] = b"\x00\x20\x00\x80\x08000000\xFF\xFF";

    fn card() -> SmallCard {
        SmallCard::new(Arithmetic::Quick)
    }

    /// Something happens that no command did.
    fn behind_its_back(card: &mut SmallCard, record: Record, contents: &[u8]) {
        card.card.platform().parts().store.commit(&[Update::Write(record, contents)]).unwrap();
    }

    const TRIES: Record = Record::RetryCounter(Reference::PivPin);

    #[test]
    fn what_a_card_may_do_is_no_finding() {
        let mut card = card();
        assert_eq!(card.send(&PRINTED).unwrap(), [0x69, 0x82]);
        assert_eq!(card.send(VERIFY).unwrap(), [0x63, 0xC2]);
        assert_eq!(card.send_data([0x00, 0x20, 0x00, 0x80], PIN).unwrap(), [0x90, 0x00]);
        assert_eq!(card.send(&PRINTED).unwrap().len(), 14);
        card.cut_after(0, Tear::Clean);
        assert_eq!(card.send(VERIFY), None);
        assert_eq!(card.send(&PRINTED).unwrap(), [0x69, 0x82]);
        card.finish();
    }

    #[test]
    #[should_panic(expected = "it had to be 6982")]
    fn an_object_without_its_pin() {
        let (_, object) = support::object(0x5F_C109, b"\x01\x06SAMPLE");
        card().judged(&PRINTED, &object, 0x9000);
    }

    #[test]
    #[should_panic(expected = "it had to be 6982")]
    fn a_signature_without_its_pin() {
        let data = [&[0x7C, 0x24, 0x82, 0x00, 0x81, 0x20][..], &[0x5A; 32]].concat();
        card().judged(&with_data([0x00, 0x87, 0x11, 0x9A], &data), &[0x7C, 0x00], 0x9000);
    }

    #[test]
    #[should_panic(expected = "it had to be 6982")]
    fn an_object_written_by_nobody() {
        let data = [0x5C, 0x03, 0x5F, 0xC1, 0x02, 0x53, 0x00];
        card().judged(&with_data([0x00, 0xDB, 0x3F, 0xFF], &data), &[], 0x9000);
    }

    #[test]
    #[should_panic(expected = "bytes of key 9A are in the answer")]
    fn a_part_of_a_private_key() {
        let data = &support::scalar(0x1A)[20..28];
        card().judged(&PRINTED, data, 0x9000);
    }

    #[test]
    #[should_panic(expected = "bytes of key 9B are in the answer")]
    fn a_part_of_the_management_key() {
        card().judged(&PRINTED, &MANAGEMENT_KEY[3..11], 0x9000);
    }

    #[test]
    #[should_panic(expected = "rose from 2 to 3")]
    fn a_try_that_comes_back() {
        let mut card = card();
        card.send(VERIFY);
        behind_its_back(&mut card, TRIES, &[3]);
        card.send(&PRINTED);
    }

    #[test]
    #[should_panic(expected = "rose from 2 to 3")]
    fn a_try_that_a_power_cut_gives_back() {
        let mut card = card();
        card.send(VERIFY);
        behind_its_back(&mut card, TRIES, &[3]);
        card.reopen();
    }

    #[test]
    #[should_panic(expected = "neither old nor new")]
    fn a_change_that_comes_with_a_power_cut() {
        let mut card = card();
        behind_its_back(&mut card, Record::Object(ObjectTag::PRINTED), &[0x53, 0x01, 0x00]);
        card.reopen();
    }

    #[test]
    #[should_panic(expected = "it was refused and changed something")]
    fn a_yubikey_that_refuses_and_changes_something() {
        let mut card = SmallCard::yubikey(0);
        behind_its_back(&mut card, Record::Object(ObjectTag::PRINTED), &[0x53, 0x01, 0x00]);
        card.send(&PRINTED);
    }

    #[test]
    #[should_panic(expected = "something else than the rules say")]
    fn a_change_that_nobody_asked_for() {
        let mut card = card();
        behind_its_back(&mut card, Record::Object(ObjectTag::PRINTED), &[0x53, 0x01, 0x00]);
        card.finish();
    }
}
