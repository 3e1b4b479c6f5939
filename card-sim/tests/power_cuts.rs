//! A card whose power fails while it changes its state.
//!
//! Every command that changes something runs in several starting states; the power fails at every operation of the
//! flash (a sample of them, unless `CARD_SIM_THOROUGH` is set), cleanly and in the middle of the operation. It fails
//! again at operations by which the card puts that in order when it gets power. The card must come back in one of the
//! states that the table below names for the command: the old one, the one after a try was spent, the new one. Nothing
//! that the state does not hold may be readable in the flash.

#[path = "power_cuts/common_access.rs"]
mod common_access;
mod support;

use std::{fmt, iter::Sum, slice, thread};

use card_sim::{
    Card,
    cac::ObjectId,
    crypto::RustCrypto,
    key::KeyReference,
    object::ObjectTag,
    platform::{Parts, Platform},
    reference::Reference,
    store::{FlashStore, MemoryFlash, Reads, Record, Store, Update, audit::audit},
};
use chacha20::ChaCha20Rng;
use support::{
    PIN, PUK, authenticate_administrator,
    contents::{Contents, assert_wiped, contents},
    cut_flash::{CutFlash, Operations, Power, Tear},
    imports, object, on, personalise, sample, send, thorough,
};

const NEW: &[u8; 8] = b"76543210";
const WRONG: &[u8; 8] = b"000000\xFF\xFF";
const GLOBAL_PIN: &[u8; 8] = b"777777\xFF\xFF";

/// Twelve minutiae of a finger, and of another one.
const FINGER: &[u8; 36] = &[0x40; 36];
const OTHER_FINGER: &[u8; 36] = &[0x90; 36];

/// The Discovery Object's PIN usage policy: PIV PIN, Global PIN and fingers, the PIV PIN first (SP 800-73-5 part 1, table 1).
const PINS_AND_FINGERS: [u8; 2] = [0x70, 0x10];

type CutCard = Card<Parts<ChaCha20Rng, FlashStore<CutFlash>, RustCrypto>>;

/// From the state before and the state after a run without a loss of power: what a loss of power may leave. The old state
/// comes first, the new one last.
type States = fn(&Contents, &Contents) -> Vec<Contents>;

/// A command, and the states in which it may leave a card.
struct Case {
    name: &'static str,
    /// Whether the card management key is to be authenticated first.
    administrator: bool,
    /// Whether the PIN is to be verified first.
    holder: bool,
    /// The command; more than one of them make a chain, or the first selects the applet.
    commands: Vec<Vec<u8>>,
    states: States,
}

fn cases() -> Vec<Case> {
    let holder = |name, header: [u8; 4], old: &[u8], new: &[u8], states: States| {
        let length = u8::try_from(old.len() + new.len()).unwrap();
        let command = [&header[..], &[length], old, new].concat();
        Case { name, administrator: false, holder: false, commands: vec![command], states }
    };
    vec![
        holder("VERIFY, wrong PIN", [0x00, 0x20, 0x00, 0x80], WRONG, &[], |old, _| {
            vec![old.clone(), spent(old, Reference::PivPin)]
        }),
        holder("VERIFY, right PIN", [0x00, 0x20, 0x00, 0x80], PIN, &[], |old, _| {
            vec![old.clone(), spent(old, Reference::PivPin), with_tries(old, Reference::PivPin, 3)]
        }),
        holder("CHANGE REFERENCE DATA, wrong PIN", [0x00, 0x24, 0x00, 0x80], WRONG, NEW, |old, _| {
            vec![old.clone(), spent(old, Reference::PivPin)]
        }),
        holder("CHANGE REFERENCE DATA, PIN", [0x00, 0x24, 0x00, 0x80], PIN, NEW, |old, _| {
            vec![old.clone(), spent(old, Reference::PivPin), with_value(old, Reference::PivPin)]
        }),
        holder("CHANGE REFERENCE DATA, PUK", [0x00, 0x24, 0x00, 0x81], PUK, NEW, |old, _| {
            vec![old.clone(), spent(old, Reference::Puk), with_value(old, Reference::Puk)]
        }),
        holder("VERIFY, wrong Global PIN", [0x00, 0x20, 0x00, 0x00], WRONG, &[], |old, _| {
            vec![old.clone(), spent(old, Reference::GlobalPin)]
        }),
        holder("VERIFY, right Global PIN", [0x00, 0x20, 0x00, 0x00], GLOBAL_PIN, &[], |old, _| {
            vec![old.clone(), spent(old, Reference::GlobalPin), with_tries(old, Reference::GlobalPin, 3)]
        }),
        holder("VERIFY, wrong finger", [0x00, 0x20, 0x00, 0x96], OTHER_FINGER, &[], |old, _| {
            vec![old.clone(), spent(old, Reference::PrimaryFinger)]
        }),
        holder("VERIFY, right finger", [0x00, 0x20, 0x00, 0x96], FINGER, &[], |old, _| {
            vec![
                old.clone(),
                spent(old, Reference::PrimaryFinger),
                with_tries(old, Reference::PrimaryFinger, 3),
            ]
        }),
        holder("CHANGE REFERENCE DATA, wrong Global PIN", [0x00, 0x24, 0x00, 0x00], WRONG, NEW, |old, _| {
            vec![old.clone(), spent(old, Reference::GlobalPin)]
        }),
        holder("CHANGE REFERENCE DATA, Global PIN", [0x00, 0x24, 0x00, 0x00], GLOBAL_PIN, NEW, |old, _| {
            vec![old.clone(), spent(old, Reference::GlobalPin), with_value(old, Reference::GlobalPin)]
        }),
        holder("RESET RETRY COUNTER, wrong PUK", [0x00, 0x2C, 0x00, 0x80], WRONG, NEW, |old, _| {
            vec![old.clone(), spent(old, Reference::Puk)]
        }),
        holder("RESET RETRY COUNTER", [0x00, 0x2C, 0x00, 0x80], PUK, NEW, |old, _| {
            let new = with_tries(&with_value(old, Reference::PivPin), Reference::Puk, 3);
            vec![old.clone(), spent(old, Reference::Puk), new]
        }),
        issuer("RESET RETRY COUNTER by the card manager", vec![reset_by_administrator()], |old, _| {
            vec![old.clone(), with_value(old, Reference::PivPin)]
        }),
        issuer("IMPORT ASYMMETRIC KEY for key management", vec![imports::p256(0x9D)], |old, run| {
            let key = Record::Key(KeyReference::KeyManagement);
            assert_ne!(old.get(&key.number()), run.get(&key.number()));
            // P-256, imported, no policies.
            vec![old.clone(), with(old, key, [&[0x11, 0x02][..], &imports::SCALAR].concat())]
        }),
        issuer("DELETE KEY", vec![vec![0x00, 0xF6, 0xFF, 0x9C]], |old, _| {
            let mut new = old.clone();
            assert!(new.remove(&Record::Key(KeyReference::DigitalSignature).number()).is_some());
            vec![old.clone(), new]
        }),
        issuer("PUT DATA, small", put_data(&small()), |old, _| with_object(old, small())),
        issuer("PUT DATA, large", put_data(&large()), |old, _| with_object(old, large())),
        issuer("PUT DATA, emptied", put_data(&emptied()), |old, _| with_object(old, emptied())),
        issuer("GENERATE ASYMMETRIC KEY PAIR", vec![GENERATE.to_vec()], new_key),
    ]
}

/// A command of the card manager.
fn issuer(name: &'static str, commands: Vec<Vec<u8>>, states: States) -> Case {
    Case { name, administrator: true, holder: false, commands, states }
}

/// Another key in 9A. Which one comes of the card's randomness is not for this test to say; all else is.
fn new_key(old: &Contents, run: &Contents) -> Vec<Contents> {
    let key = Record::Key(KeyReference::PivAuthentication);
    let new = run[&key.number()].clone();
    assert_ne!(old[&key.number()], new);
    vec![old.clone(), with(old, key, new)]
}

/// A new PIN without the PUK.
fn reset_by_administrator() -> Vec<u8> {
    [&[0x00, 0x2C, 0x02, 0x80, 0x08][..], NEW].concat()
}

/// GENERATE for 9A on P-256.
const GENERATE: [u8; 10] = [0x00, 0x47, 0x00, 0x9A, 0x05, 0xAC, 0x03, 0x80, 0x01, 0x11];

/// PUT DATA with these contents after the tag list, in commands of at most 255 bytes.
fn put_data(object: &(ObjectTag, Vec<u8>)) -> Vec<Vec<u8>> {
    let [_, tag @ ..] = object.0.get().to_be_bytes();
    let data = [&[0x5C, 0x03][..], &tag, &object.1].concat();
    let last = data.len().div_ceil(255) - 1;
    let command = |(index, part): (usize, &[u8])| {
        let class = if index < last { 0x10 } else { 0x00 };
        [&[class, 0xDB, 0x3F, 0xFF, u8::try_from(part.len()).unwrap()], part].concat()
    };
    data.chunks(255).enumerate().map(command).collect()
}

fn with(old: &Contents, record: Record, contents: Vec<u8>) -> Contents {
    let mut new = old.clone();
    new.insert(record.number(), contents);
    new
}

fn with_tries(old: &Contents, reference: Reference, tries: u8) -> Contents {
    with(old, Record::RetryCounter(reference), vec![tries])
}

/// One try is gone.
fn spent(old: &Contents, reference: Reference) -> Contents {
    with_tries(old, reference, old[&Record::RetryCounter(reference).number()][0] - 1)
}

/// The reference has the new value and all its tries.
fn with_value(old: &Contents, reference: Reference) -> Contents {
    let record = [&[3][..], NEW].concat();
    with(&with_tries(old, reference, 3), Record::ReferenceData(reference), record)
}

fn with_object(old: &Contents, (tag, object): (ObjectTag, Vec<u8>)) -> Vec<Contents> {
    vec![old.clone(), with(old, Record::Object(tag), object)]
}

fn small() -> (ObjectTag, Vec<u8>) {
    object(0x5F_C109, &[0x39; 40])
}

fn large() -> (ObjectTag, Vec<u8>) {
    object(0x5F_C105, &[0x35; 2_500])
}

fn emptied() -> (ObjectTag, Vec<u8>) {
    (ObjectTag::new(0x5F_C102).unwrap(), vec![0x53, 0x00])
}

fn signature_certificate() -> (ObjectTag, Vec<u8>) {
    (ObjectTag::DIGITAL_SIGNATURE, [&[0x53, 0x2D, 0x70, 0x28][..], &[0x2D; 40], &[0x71, 0x01, 0x00]].concat())
}

fn no_certificate() -> (ObjectTag, Vec<u8>) {
    (ObjectTag::PIV_AUTHENTICATION, vec![0x53, 0x00])
}

/// A state in which a command starts.
struct Start {
    name: &'static str,
    image: Vec<u8>,
}

/// A card on a small flash, so that the log comes round soon.
fn fresh() -> Start {
    let mut store = FlashStore::format(MemoryFlash::blank(4), Reads::Memory).unwrap();
    let (tag, mut discovery) = support::discovery();
    let policy = discovery.len() - PINS_AND_FINGERS.len();
    discovery[policy..].copy_from_slice(&PINS_AND_FINGERS);
    let (chuid, certificate) = (object(0x5F_C102, &[0x34; 300]), object(0x5F_C105, &[0x43; 900]));
    personalise(&mut store, &[(tag, discovery), chuid, certificate]);
    let global_pin = [&[3][..], GLOBAL_PIN].concat();
    let finger = [&[3][..], FINGER].concat();
    let updates = [
        Update::Write(Record::ReferenceData(Reference::PrimaryFinger), finger.as_slice()),
        Update::Write(Record::RetryCounter(Reference::PrimaryFinger), &[3]),
        Update::Write(Record::ReferenceData(Reference::GlobalPin), global_pin.as_slice()),
        Update::Write(Record::RetryCounter(Reference::GlobalPin), &[3]),
    ];
    store.commit(&updates).unwrap();
    Start { name: "fresh", image: store.image().unwrap().to_vec() }
}

fn one_try_left() -> Start {
    let mut store = open_in_memory(&fresh().image);
    for reference in [Reference::PivPin, Reference::Puk, Reference::GlobalPin, Reference::PrimaryFinger] {
        store.commit(&[Update::Write(Record::RetryCounter(reference), &[1])]).unwrap();
    }
    Start { name: "one try left", image: store.image().unwrap().to_vec() }
}

/// The flash is full but for what the largest command needs.
fn nearly_full() -> Start {
    let mut image = fresh().image;
    for number in 1..20 {
        let mut store = open_in_memory(&image);
        let (tag, certificate) = object(0x5F_C10C + number, &[0x21; 600]);
        store.commit(&[Update::Write(Record::Object(tag), &certificate)]).unwrap();
        let fuller = store.image().unwrap().to_vec();
        let (tag, object) = large();
        if store.commit(&[Update::Write(Record::Object(tag), &object)]).is_err() {
            return Start { name: "nearly full", image };
        }
        image = fuller;
    }
    panic!("the flash has more room than this test thought");
}

/// The same state, written on until the log has no room for the command and compacts in the middle of it.
fn about_to_compact(start: &Start, case: &Case) -> Start {
    let mut store = open_in_memory(&start.image);
    let counter = Record::RetryCounter(Reference::GlobalPin);
    let tries = contents(&store).unwrap()[&counter.number()].clone();
    let steps = [
        Update::Write(Record::Object(ObjectTag::new(0x5F_C120).unwrap()), &[0x53]),
        // What it is already, written once more.
        Update::Write(counter, &tries),
    ];
    store.commit(&steps).unwrap();
    let mut image = store.image().unwrap().to_vec();
    for step in steps {
        // Steps of some hundred words first, of two words then.
        loop {
            if !run(case, &image).operations.erasures.is_empty() {
                return Start { name: "about to compact", image };
            }
            let mut store = open_in_memory(&image);
            store.commit(&[step]).unwrap();
            let next = store.image().unwrap();
            if has_set_bits(&image, &next) {
                break;
            }
            image = next.to_vec();
        }
    }
    panic!("{}: no way to a compaction from {}", case.name, start.name);
}

/// Whether a page has been erased between the two images.
fn has_set_bits(before: &[u8], after: &[u8]) -> bool {
    before.iter().zip(after).any(|(before, after)| !before & after != 0)
}

fn open_in_memory(image: &[u8]) -> FlashStore<MemoryFlash> {
    FlashStore::open(MemoryFlash::from_image(image), Reads::Memory).unwrap()
}

/// A card with power, ready for the command.
fn ready(case: &Case, image: &[u8]) -> (CutCard, Power) {
    let (flash, power) = CutFlash::new(image);
    let mut card = on(FlashStore::open(flash, Reads::Memory).unwrap());
    if case.administrator {
        authenticate_administrator(&mut card);
    }
    if case.holder {
        let verify = [&[0x00, 0x20, 0x00, 0x80, 0x08][..], PIN].concat();
        assert_eq!(send(&mut card, &verify).1, 0x9000);
    }
    (card, power)
}

fn transmit(card: &mut CutCard, case: &Case) -> u16 {
    case.commands.iter().map(|command| send(card, command).1).last().unwrap()
}

/// A run without a cut.
struct Run {
    after: Contents,
    operations: Operations,
}

fn run(case: &Case, image: &[u8]) -> Run {
    let (mut card, power) = ready(case, image);
    power.count();
    transmit(&mut card, case);
    Run { after: contents(&card.platform().parts().store).unwrap(), operations: power.operations() }
}

#[test]
fn every_command_is_done_or_not_done() {
    let cuts: Cuts = thread::scope(|scope| {
        let cases = cases().into_iter().map(|case| scope.spawn(move || cut_in_every_start(&case)));
        let threads: Vec<_> = cases.collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("{cuts} in all");
}

/// Points at which the power failed: in a command, and in putting that in order.
#[derive(Clone, Copy, Default)]
struct Cuts {
    first: usize,
    second: usize,
}

impl Sum for Cuts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, cuts| Self {
            first: sum.first + cuts.first,
            second: sum.second + cuts.second,
        })
    }
}

impl fmt::Display for Cuts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6} cut points, and {:>6} in recovery,", self.first, self.second)
    }
}

fn cut_in_every_start(case: &Case) -> Cuts {
    let plain = [fresh(), one_try_left(), nearly_full()];
    let compacting: Vec<_> = plain.iter().map(|start| about_to_compact(start, case)).collect();
    let cuts = plain.iter().chain(&compacting).map(|start| cut_everywhere(case, start)).sum();
    println!("{cuts} in {}", case.name);
    cuts
}

fn cut_everywhere(case: &Case, start: &Start) -> Cuts {
    let what = format!("{} on a card that is {}", case.name, start.name);
    let before = contents(&open_in_memory(&start.image)).unwrap();
    let run = run(case, &start.image);
    let states = (case.states)(&before, &run.after);
    assert!(states.last() == Some(&run.after), "{what}, without a cut");
    let mut cuts = Cuts::default();
    for after in sample(&run.operations) {
        for tear in Tear::all(after) {
            let (mut card, power) = ready(case, &start.image);
            power.cut_after(after, tear);
            // 6581 at most; a real card says nothing any more.
            assert_eq!(transmit(&mut card, case), 0x6581, "{what}");
            assert!(power.is_off());
            let what = format!("{what}, cut after {after}, {tear:?}");
            check(&power.medium(), &states, &what);
            cuts.first += 1;
            cuts.second += cut_again(&power.medium(), &states, &what);
        }
    }
    cuts
}

/// The power fails once more, while the card puts in order what the first loss of power left. Gives the cut points.
fn cut_again(image: &[u8], states: &[Contents], what: &str) -> usize {
    let (flash, power) = CutFlash::new(image);
    FlashStore::open(flash, Reads::Memory).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let mut cuts = 0;
    let operations = power.operations().count;
    // One place in a sample, every eighth in a thorough run; each time others.
    let step = thorough(operations.max(1), 8);
    for after in (scatter(what) % step..operations).step_by(step) {
        let (flash, power) = CutFlash::new(image);
        // One kind each: there are enough of them for all kinds.
        let tear = Tear::all(after)[after % 3];
        power.cut_after(after, tear);
        assert!(FlashStore::open(flash, Reads::Memory).is_err(), "{what}");
        check(&power.medium(), states, &format!("{what}, and again after {after}, {tear:?}"));
        cuts += 1;
    }
    cuts
}

/// A number that looks random and is the same for the same words.
fn scatter(words: &str) -> usize {
    words.bytes().fold(0, |number: usize, byte| number.wrapping_mul(31).wrapping_add(usize::from(byte)))
}

/// The card with this flash is in one of the states, shows nothing of the others, and works.
fn check(image: &[u8], states: &[Contents], what: &str) {
    let mut store = FlashStore::open(MemoryFlash::from_image(image), Reads::Memory)
        .unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let found = contents(&store).unwrap();
    assert!(states.contains(&found), "{what}: neither old nor new");
    let image = store.image().unwrap();
    for state in states {
        assert_wiped(&image, state, &found);
    }
    assert_eq!(audit(&image), Ok(()), "{what}");
    let mut card = on(store);
    for reference in [Reference::PivPin, Reference::GlobalPin, Reference::PrimaryFinger] {
        let Some(record) = found.get(&Record::ReferenceData(reference).number()) else { continue };
        let tries = found[&Record::RetryCounter(reference).number()][0];
        let verify = [0x00, 0x20, 0x00, reference.to_byte()];
        let length = u8::try_from(record.len() - 1).unwrap();
        let left = if tries == 0 { 0x6983 } else { 0x63C0 | u16::from(tries) };
        assert_eq!(send(&mut card, &verify), (vec![], left), "{what}");
        let verified = send(&mut card, &[&verify[..], &[length], &record[1..]].concat()).1;
        assert_eq!(verified, if tries == 0 { 0x6983 } else { 0x9000 }, "{what}");
    }
}

/// The largest object there is, on a flash of a usual size.
#[test]
fn a_facial_image_is_there_or_not_there() {
    let mut store = FlashStore::format(MemoryFlash::blank(36), Reads::Memory).unwrap();
    personalise(&mut store, &[object(0x5F_C108, &[0x80; 12_000])]);
    let start = Start { name: "fresh", image: store.image().unwrap().to_vec() };
    let case = Case {
        name: "PUT DATA, facial image",
        administrator: true,
        holder: false,
        commands: put_data(&object(0x5F_C108, &[0x08; 12_710])),
        states: |old, _| {
            let (tag, image) = object(0x5F_C108, &[0x08; 12_710]);
            vec![old.clone(), with(old, Record::Object(tag), image)]
        },
    };
    println!("{} in {}", cut_everywhere(&case, &start), case.name);
}

/// A YubiKey with keys and objects, of which PIN and PUK have so many tries left.
fn yubikey(name: &'static str, tries: u8) -> Start {
    let mut store = open_in_memory(&fresh().image);
    let profile = Update::Write(Record::Profile, b"yubikey5");
    let tries = [tries];
    let counter = |reference| Update::Write(Record::RetryCounter(reference), &tries);
    let further_object = [
        Update::Write(Record::FurtherTags, &[0x5F, 0x00, 0x01]),
        Update::Write(Record::FurtherObject(0), &[0x53, 0x02, 0x31, 0x32]),
    ];
    store.commit(&[profile, counter(Reference::PivPin), counter(Reference::Puk)]).unwrap();
    store.commit(&further_object).unwrap();
    Start { name, image: store.image().unwrap().to_vec() }
}

#[test]
fn yubicos_commands_are_done_or_not_done() {
    let states: States = |old, after| {
        assert_ne!(old, after);
        vec![old.clone(), after.clone()]
    };
    let management_key = [&[0x00, 0xFF, 0xFF, 0xFE, 0x13, 0x08, 0x9B, 0x10][..], &[0x5A; 16]].concat();
    let import = [&[0x00, 0xFE, 0x11, 0x9A, 0x25, 0x06, 0x20][..], &[0x5A; 32], &[0xAA, 0x01, 0x01]].concat();
    let [ed25519, x25519, rsa] =
        imports::fields().map(|(algorithm, field)| imports::import(algorithm, 0x9A, &field));
    let issuer = |name, command| issuer(name, vec![command], states);
    let put = |number: u8, contents: &[u8]| {
        let object = [&[0x53, u8::try_from(contents.len()).unwrap()][..], contents].concat();
        let data = [&[0x5C, 0x03, 0x5F, 0x00, number][..], &object].concat();
        [&[0x00, 0xDB, 0x3F, 0xFF, u8::try_from(data.len()).unwrap()][..], &data].concat()
    };
    let generate = |algorithm| vec![0x00, 0x47, 0x00, 0x9A, 0x05, 0xAC, 0x03, 0x80, 0x01, algorithm, 0x00];
    let cases = [
        issuer("PUT DATA, a further object", put(0x02, &[0x39; 40])),
        issuer("PUT DATA, another one in its place", put(0x01, &[0x39; 40])),
        issuer("PUT DATA, none in its place", put(0x01, &[])),
        Case { holder: true, ..issuer("SET PIN RETRIES", vec![0x00, 0xFA, 0x05, 0x04]) },
        issuer("SET MANAGEMENT KEY", management_key),
        issuer("IMPORT ASYMMETRIC KEY", import),
        issuer("IMPORT ASYMMETRIC KEY, Ed25519", ed25519),
        issuer("IMPORT ASYMMETRIC KEY, X25519", x25519),
        issuer("IMPORT ASYMMETRIC KEY, RSA-1024", rsa),
        issuer("GENERATE ASYMMETRIC KEY PAIR, Ed25519", generate(0xE0)),
        issuer("GENERATE ASYMMETRIC KEY PAIR, X25519", generate(0xE1)),
        issuer("MOVE KEY", vec![0x00, 0xF6, 0x83, 0x9C]),
        issuer("DELETE KEY of a YubiKey", vec![0x00, 0xF6, 0xFF, 0x9C]),
        Case { administrator: false, ..issuer("RESET", vec![0x00, 0xFB, 0x00, 0x00]) },
    ];
    let (reset, others) = cases.split_last().unwrap();
    for (start, cases) in [(yubikey("a YubiKey", 3), others), (yubikey("blocked", 0), slice::from_ref(reset))]
    {
        for case in cases {
            println!("{} in {}", cut_everywhere(case, &start), case.name);
        }
    }
}

/// A YubiKey Bio that has seen a wrong finger.
fn yubikey_bio() -> Start {
    let mut store = open_in_memory(&fresh().image);
    let updates = [
        Update::Write(Record::Profile, b"yubikey-bio"),
        Update::Remove(Record::ReferenceData(Reference::PrimaryFinger)),
        Update::Write(Record::RetryCounter(Reference::PrimaryFinger), &[2]),
    ];
    store.commit(&updates).unwrap();
    Start { name: "a YubiKey Bio", image: store.image().unwrap().to_vec() }
}

#[test]
fn a_try_of_the_sensor_is_spent_before_it_comes_back() {
    let holder = |name, command, states| Case {
        name,
        administrator: false,
        holder: false,
        commands: vec![command],
        states,
    };
    let verify_pin = [&[0x00, 0x20, 0x00, 0x80, 0x08][..], PIN].concat();
    let cases = [
        holder("VERIFY, finger at the sensor", vec![0x00, 0x20, 0x00, 0x96, 0x02, 0x03, 0x00], |old, _| {
            let finger = Reference::PrimaryFinger;
            vec![old.clone(), spent(old, finger), with_tries(old, finger, 3)]
        }),
        holder("VERIFY, PIN that gives the sensor its tries back", verify_pin, |old, _| {
            let after = with_tries(old, Reference::PrimaryFinger, 3);
            vec![old.clone(), spent(old, Reference::PivPin), after]
        }),
    ];
    for case in &cases {
        println!("{} in {}", cut_everywhere(case, &yubikey_bio()), case.name);
    }
}
