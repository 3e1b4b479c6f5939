//! Sequences of commands to both faces of a Common Access Card, with resets and losses of power.
//!
//! The judges are [`vreader::fuzz::Guard`] and the rules of this file: personal data and signatures only while the PIN is
//! verified, which going to another application, a wrong PIN and a reset end; containers, ID key and the mark of the PIV Authentication certificate never change, and after a loss of power
//! the PIN is the old or the new one.

use std::{collections::BTreeMap, sync::LazyLock};

use apdu::Command;
use card_sim::{
    Card,
    cac::ObjectId,
    key::{AsymmetricAlgorithm, KeyReference, Origin, PrivateKey, SymmetricAlgorithm, SymmetricKey},
    personalise::{CacPersonalisation, Personalisation, ReferenceData},
    platform::Platform,
    profile::Profile,
    reference::Reference,
    store::{FlashStore, MemoryFlash, Reads, Record, Store},
};
use vreader::fuzz::Guard;

use crate::{
    card::{Arithmetic, MANAGEMENT_KEY, PIN, PUK, Power, SmallPlatform, Tear, open, with_data},
    input::Input,
    material,
};

/// Bytes of the longest input.
pub const LONGEST: usize = 4096;

/// Events of the longest input.
const MOST: usize = 200;

/// What Person Instance says.
const PERSONAL: &[u8; 20] = b"SPECIMEN.DANA.Q.QQQQ";

/// Names to select: applets of this face, PIV, the card manager.
const NAMES: [&[u8]; 8] = [
    &[0xA0, 0x00, 0x00, 0x01, 0x16, 0xDB, 0x00],
    &[0xA0, 0x00, 0x00, 0x00, 0x79, 0x01, 0x00],
    &[0xA0, 0x00, 0x00, 0x00, 0x79, 0x01, 0x01],
    &[0xA0, 0x00, 0x00, 0x00, 0x79, 0x02, 0x00],
    &[0xA0, 0x00, 0x00, 0x00, 0x79, 0x03, 0x00],
    &[0xA0, 0x00, 0x00, 0x01, 0x16, 0x30, 0x00],
    &[0xA0, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00],
    &[0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00],
];

/// Headers of commands.
const HEADERS: [[u8; 4]; 12] = [
    [0x00, 0x52, 0x00, 0x00],
    [0x80, 0x52, 0x00, 0x02],
    [0x80, 0x42, 0x80, 0x00],
    [0x00, 0x42, 0x00, 0x00],
    [0x00, 0x56, 0x02, 0x00],
    [0x80, 0x58, 0x00, 0x00],
    [0x00, 0x4C, 0x11, 0x00],
    [0x00, 0xA4, 0x02, 0x00],
    [0x00, 0x2C, 0x00, 0x00],
    [0x00, 0x2C, 0x00, 0x80],
    [0x00, 0xCB, 0x3F, 0xFF],
    [0x00, 0x87, 0x07, 0x9C],
];

/// What may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    /// Any bytes.
    Command(Vec<u8>),
    /// SELECT by one of the [`NAMES`], with this P2.
    Select { name: u8, p2: u8 },
    /// VERIFY by the name that one of the faces has for the PIN.
    Verify { face: u8, right: bool },
    /// CHANGE REFERENCE DATA with the right PIN.
    Change { face: u8, digit: u8 },
    /// A command with one of the [`HEADERS`].
    Known { header: u8, data: Vec<u8> },
    /// PRIVATE SIGN/DECRYPT of a whole block, in pieces of this size.
    Sign { piece: u8 },
    /// A warm reset.
    Reset,
    /// Off and on.
    PowerCycle,
    /// The power fails so many flash operations later.
    Cut { after: u8, tear: u8 },
}

impl Event {
    fn read(input: &mut Input<'_>) -> Option<Self> {
        let kind = input.next()?;
        Some(match kind % 9 {
            0 => Self::Command(input.counted().to_vec()),
            1 => Self::Select { name: input.byte(), p2: input.byte() },
            2 => {
                let which = input.byte();
                Self::Verify { face: which >> 1, right: which & 1 == 0 }
            }
            3 => Self::Change { face: input.byte(), digit: input.byte() },
            4 => Self::Known { header: input.byte(), data: input.counted().to_vec() },
            5 => Self::Sign { piece: input.byte() },
            6 => Self::Reset,
            7 => Self::PowerCycle,
            _ => Self::Cut { after: input.byte(), tear: input.byte() },
        })
    }

    /// Appends the bytes that [`read`](Self::read) makes this event of.
    fn write(&self, out: &mut Vec<u8>) {
        let counted = |out: &mut Vec<u8>, bytes: &[u8]| {
            let bytes = &bytes[..bytes.len().min(0xFF)];
            out.extend(u8::try_from(bytes.len()));
            out.extend(bytes);
        };
        match self {
            Self::Command(bytes) => {
                out.push(0);
                counted(out, bytes);
            }
            Self::Select { name, p2 } => out.extend([1, *name, *p2]),
            Self::Verify { face, right } => out.extend([2, face << 1 | u8::from(!right)]),
            Self::Change { face, digit } => out.extend([3, *face, *digit]),
            Self::Known { header, data } => {
                out.extend([4, *header]);
                counted(out, data);
            }
            Self::Sign { piece } => out.extend([5, *piece]),
            Self::Reset => out.push(6),
            Self::PowerCycle => out.push(7),
            Self::Cut { after, tear } => out.extend([8, *after, *tear]),
        }
    }

    fn play(&self, card: &mut CacCard) {
        // What the two faces call the PIN.
        let name = |face: &u8| if face.is_multiple_of(2) { 0x00 } else { Reference::PivPin.to_byte() };
        match self {
            Self::Command(bytes) => card.send(bytes),
            Self::Select { name, p2 } => {
                let name = NAMES[usize::from(*name) % NAMES.len()];
                card.send(&with_data([0x00, 0xA4, 0x04, *p2], name));
            }
            Self::Verify { face, right } => {
                let mut pin = card.pin();
                if !right {
                    pin[0] = if pin[0] == b'0' { b'1' } else { b'0' };
                }
                card.send(&with_data([0x00, 0x20, 0x00, name(face)], &pin));
            }
            Self::Change { face, digit } => {
                // With other bytes a PIN of a wrong form.
                let digit = if *digit < 0xF0 { b'0' + digit % 10 } else { *digit };
                let data = [&card.pin()[..], &[digit; 6], &[0xFF; 2]].concat();
                card.send(&with_data([0x00, 0x24, face >> 1 & 1, name(face)], &data));
            }
            Self::Known { header, data } => {
                card.send(&with_data(HEADERS[usize::from(*header) % HEADERS.len()], data));
            }
            Self::Sign { piece } => {
                let block = [0x5A; 256];
                let mut pieces = block.chunks(usize::from(*piece).max(0x20)).peekable();
                while let Some(piece) = pieces.next() {
                    let p1 = if pieces.peek().is_some() { 0x80 } else { 0x00 };
                    card.send(&with_data([0x80, 0x42, p1, 0x00], piece));
                }
            }
            Self::Reset => card.reset(),
            Self::PowerCycle => card.power_cycle(),
            Self::Cut { after, tear } => {
                let tears = Tear::all(usize::from(*tear));
                card.power.cut_after((*after).into(), tears[usize::from(*tear) % tears.len()]);
            }
        }
    }
}

/// A new card's flash.
static NEW: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let key = |fill: u8| {
        PrivateKey::rsa(AsymmetricAlgorithm::Rsa2048, 0x0001_0001, &numbers(fill), &numbers(fill + 1))
            .expect("primes of their length")
    };
    let person = [&[0x02, 0x00, 0x03, 0x14, 0x14, 0x00][..], PERSONAL].concat();
    let ccc = [&[0x02, 0x00, 0xF0, 0x15, 0x15, 0x00][..], &[0xC5; 21]].concat();
    let mut store = FlashStore::format(MemoryFlash::blank(4), Reads::Memory).expect("a blank flash");
    Personalisation {
        profile: Profile::find("cac-gemalto-gx4-144").expect("a stock"),
        pin: ReferenceData { value: PIN, tries: 3 },
        puk: ReferenceData { value: PUK, tries: 3 },
        global_pin: None,
        fingers: &[],
        card_verifiable_certificate: None,
        serial_number: None,
        management_key: &SymmetricKey::new(SymmetricAlgorithm::Aes192, &MANAGEMENT_KEY).expect("a key"),
        keys: &[(KeyReference::DigitalSignature, key(0x11), Origin::Imported)],
        objects: &[],
        cac: Some(CacPersonalisation {
            identity_key: &key(0x21),
            containers: &[(ObjectId::PERSON, &person), (ObjectId::CCC, &ccc)],
            piv_authentication_hidden: true,
        }),
    }
    .write(&mut store)
    .expect("room for the card");
    store.image().expect("a flash in memory").to_vec()
});

/// 128 bytes that are like nothing else.
fn numbers(fill: u8) -> Vec<u8> {
    (0..128_u8).map(|number| number.wrapping_mul(73).wrapping_add(fill) | 0x80).collect()
}

/// What can be selected, in so far as going from one to another ends the login.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Application {
    /// The applets of this face, all of them.
    Cac,
    Piv,
    CardManager,
}

impl Application {
    /// The application of this name, which was selected.
    fn named(name: &[u8]) -> Self {
        match name {
            [0xA0, 0x00, 0x00, 0x03, 0x08, ..] => Self::Piv,
            [0xA0, 0x00, 0x00, 0x00, 0x79, ..] | [0xA0, 0x00, 0x00, 0x01, 0x16, ..] => Self::Cac,
            _ => Self::CardManager,
        }
    }
}

/// A card under test, with power.
struct CacCard {
    card: Box<Card<SmallPlatform>>,
    power: Power,
    guard: Guard,
    /// The PIN may have been verified, as far as these rules can tell.
    verified: bool,
    application: Application,
    opened: u8,
    /// What nobody here may write.
    fixed: BTreeMap<u16, Vec<u8>>,
}

impl CacCard {
    fn new() -> Self {
        let (mut card, power) = open(&NEW, Arithmetic::Quick, 0);
        let store = &card.platform().parts().store;
        let (guard, fixed) = (Guard::new(store), fixed(store));
        let application = Application::Piv;
        Self { card, power, guard, verified: false, application, opened: 0, fixed }
    }

    fn record(&mut self, record: Record) -> Vec<u8> {
        read(&self.card.platform().parts().store, record).expect("a record that is always there")
    }

    fn pin(&mut self) -> Vec<u8> {
        self.record(Record::ReferenceData(Reference::PivPin))[1..].to_vec()
    }

    fn reset(&mut self) {
        self.card.reset();
        self.forget();
    }

    fn power_cycle(&mut self) {
        self.card.power_off();
        self.card.power_on();
        self.forget();
    }

    /// A loss of power ends every login, and selects PIV.
    fn forget(&mut self) {
        (self.verified, self.application) = (false, Application::Piv);
    }

    /// Sends a command.
    ///
    /// # Panics
    /// When something happens that must not.
    fn send(&mut self, command: &[u8]) {
        let old = self.pin();
        let response = self.card.transmit(command);
        let (data, status) = (response.data.to_vec(), response.status.to_u16());
        if self.power.is_off() {
            self.reopen(command, &old);
            return;
        }
        let answer = [&data[..], &status.to_be_bytes()].concat();
        let judged = self.guard.judge(&self.card.platform().parts().store, command, &answer);
        judged.unwrap_or_else(|finding| panic!("{finding}: {command:02X?} -> {answer:02X?}"));
        self.note(command, status);
        let told = data.windows(PERSONAL.len()).any(|window| window == PERSONAL);
        assert!(!told || self.verified, "personal data without the PIN: {command:02X?}");
        let signed = command.get(1) == Some(&0x42) && !data.is_empty();
        assert!(!signed || self.verified, "a signature without the PIN: {command:02X?}");
        assert!(changes_pin(command) || self.pin() == old, "another PIN: {command:02X?}");
        assert_eq!(fixed(&self.card.platform().parts().store), self.fixed, "{command:02X?}");
    }

    /// What a command did to the login. Only what is certain ends it.
    fn note(&mut self, command: &[u8], status: u16) {
        let success = status == 0x9000 || status >> 8 == 0x61;
        let Ok(command) = Command::parse(command) else { return };
        match (command.instruction, command.p1) {
            (0x20, _) if !command.data.is_empty() && status == 0x9000 => self.verified = true,
            (0x20, _) if !command.data.is_empty() && matches!(status, 0x63C0..=0x63CF | 0x6983) => {
                self.verified = false;
            }
            (0x24, _) if success => self.verified = true,
            (0xA4, 0x04) if success => {
                let selected = Application::named(command.data);
                self.verified &= selected == self.application;
                self.application = selected;
            }
            _ => {}
        }
    }

    /// The power has failed in a command.
    fn reopen(&mut self, command: &[u8], old: &[u8]) {
        self.opened = self.opened.wrapping_add(1);
        let medium = self.power.medium();
        (self.card, self.power) = open(&medium, Arithmetic::Quick, self.opened);
        self.forget();
        let store = &self.card.platform().parts().store;
        let judged = self.guard.power_failed(store, command);
        judged.unwrap_or_else(|finding| panic!("{finding}: power cut in {command:02X?}"));
        assert_eq!(fixed(store), self.fixed, "power cut in {command:02X?}");
        let found = self.pin();
        let new = command.len() >= 8 && command.ends_with(&found) && changes_pin(command);
        assert!(
            found == old || new,
            "neither the old PIN nor the new one after a power cut in {command:02X?}"
        );
    }
}

fn changes_pin(command: &[u8]) -> bool {
    matches!(command.get(1), Some(0x24 | 0x2C))
}

fn read(store: &impl Store, record: Record) -> Option<Vec<u8>> {
    let mut out = heapless::Vec::<u8, 1024>::new();
    store.read(record, &mut out).expect("a readable store").then(|| out.to_vec())
}

/// What no command changes without the card management key, which nobody proves here.
fn fixed(store: &impl Store) -> BTreeMap<u16, Vec<u8>> {
    let records = [
        Record::Profile,
        Record::PivAuthenticationHidden,
        Record::CacIdentityKey,
        Record::CacContainer(ObjectId::PERSON),
        Record::CacContainer(ObjectId::CCC),
        Record::CacContainer(ObjectId::IDENTITY),
    ];
    records.into_iter().filter_map(|record| Some((record.number(), read(store, record)?))).collect()
}

/// Plays one input.
pub fn play(input: &[u8]) {
    let mut card = CacCard::new();
    let mut input = Input::new(input);
    for _ in 0..MOST {
        let Some(event) = Event::read(&mut input) else { break };
        event.play(&mut card);
    }
}

/// Every scenario and trace of such cards, and sessions that the events make short.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let verify = |face, right| Event::Verify { face, right };
    let select = |name| Event::Select { name, p2: 0x0C };
    let read = |buffer| Event::Known { header: 0, data: vec![buffer, 0xFF] };
    let short = [
        ("login", vec![select(3), read(2), verify(0, true), read(2), select(1), Event::Sign { piece: 0xF0 }]),
        (
            "locked",
            vec![select(1), verify(0, false), verify(0, false), select(7), verify(1, false), verify(1, true)],
        ),
        ("left", vec![select(3), verify(0, true), select(6), select(3), read(2)]),
        ("changed", vec![select(1), Event::Change { face: 0, digit: 4 }, select(7), verify(1, true)]),
        (
            "cut",
            vec![
                select(1),
                Event::Cut { after: 2, tear: 1 },
                verify(0, false),
                select(1),
                Event::Cut { after: 6, tear: 0 },
                Event::Change { face: 0, digit: 5 },
                select(1),
                verify(0, true),
                Event::PowerCycle,
                Event::Reset,
            ],
        ),
    ];
    let sessions = material::sessions()
        .iter()
        .filter(|session| ["cac", "coolkey", "opensc"].iter().any(|start| session.name.starts_with(start)));
    let recorded = sessions.map(|session| {
        let events: Vec<_> = session.commands.iter().cloned().map(Event::Command).collect();
        (session.name.clone(), written(&events))
    });
    let short = short.map(|(name, events)| (name.to_owned(), written(&events)));
    recorded.chain(short).collect()
}

fn written(events: &[Event]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in events {
        event.write(&mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_they_are_written() {
        for kind in 0..9 {
            let bytes = [kind, 2, 3, 4, 5];
            let event = Event::read(&mut Input::new(&bytes)).unwrap();
            let written = written(std::slice::from_ref(&event));
            assert_eq!(Event::read(&mut Input::new(&written)), Some(event), "{written:02X?}");
        }
    }

    /// The sessions do what their names say.
    #[test]
    fn the_right_pin_opens_what_is_closed() {
        let mut card = CacCard::new();
        let mut answers = |event: Event| {
            event.play(&mut card);
            card.verified
        };
        assert!(!answers(Event::Select { name: 3, p2: 0x0C }));
        assert!(!answers(Event::Verify { face: 0, right: false }));
        assert!(answers(Event::Verify { face: 0, right: true }));
        assert!(answers(Event::Select { name: 1, p2: 0x0C }));
        assert!(!answers(Event::Select { name: 7, p2: 0x0C }));
        assert!(answers(Event::Verify { face: 1, right: true }));
        assert!(!answers(Event::PowerCycle));
    }

    #[test]
    #[should_panic(expected = "a signature without the PIN")]
    fn a_signature_of_a_card_that_forgot_to_ask_is_found() {
        let mut card = CacCard::new();
        for event in [Event::Select { name: 1, p2: 0x0C }, Event::Verify { face: 0, right: true }] {
            event.play(&mut card);
        }
        // As if the power had been away, and the card had not noticed.
        card.verified = false;
        Event::Sign { piece: 0xF0 }.play(&mut card);
    }

    #[test]
    #[should_panic(expected = "personal data without the PIN")]
    fn personal_data_of_a_card_that_forgot_to_ask_are_found() {
        let mut card = CacCard::new();
        for event in [Event::Select { name: 3, p2: 0x0C }, Event::Verify { face: 0, right: true }] {
            event.play(&mut card);
        }
        card.verified = false;
        card.send(&[0x00, 0x52, 0x00, 0x00, 0x02, 0x02, 0xFF]);
    }
}
