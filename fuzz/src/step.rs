//! What may happen to a card, as bytes: a step begins with a byte that chooses its kind, and every bytes are steps.
//!
//! The right PIN, PUK and management key are in reach of a single byte, so that a fuzzer gets behind them, and beside them
//! is any command at all.

use card_sim::{key::KeyReference, reference::Reference};

use crate::{
    card::{SmallCard, Tear, under_management_key, with_data},
    input::Input,
};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Any bytes, at most 255.
    Command(Vec<u8>),
    /// More bytes, as many as they have.
    LongCommand(Vec<u8>),
    /// VERIFY of the PIN, right or wrong.
    Verify { reference: u8, right: bool },
    /// Challenge and answer under the management key.
    ExternalAuthentication,
    /// Witness, challenge and answer under the management key.
    MutualAuthentication,
    /// CHANGE REFERENCE DATA with the right old value.
    Change { reference: u8, digit: u8 },
    /// RESET RETRY COUNTER with the right PUK.
    Unblock { digit: u8 },
    /// A warm reset.
    Reset,
    /// Off and on.
    PowerCycle,
    /// The power fails so many flash operations later.
    Cut { after: u8, tear: u8 },
    /// The power fails now.
    Reopen,
    /// PUT DATA of so many bytes, in a chain.
    Write { object: u8, length: usize, fill: u8 },
    /// GET RESPONSE until there is nothing left.
    Fetch,
    /// GENERAL AUTHENTICATE with a well-formed input for the key in a slot.
    Use { slot: u8, fill: u8 },
    /// GENERATE ASYMMETRIC KEY PAIR.
    Generate { slot: u8, algorithm: u8 },
    /// A command with one of the [`HEADERS`].
    Known { header: u8, data: Vec<u8> },
}

/// Headers of the commands that the card knows.
const HEADERS: [[u8; 4]; 16] = [
    [0x00, 0xA4, 0x04, 0x00],
    [0x00, 0xCB, 0x3F, 0xFF],
    [0x00, 0xDB, 0x3F, 0xFF],
    [0x10, 0xDB, 0x3F, 0xFF],
    [0x00, 0x20, 0x00, 0x80],
    [0x00, 0x20, 0x00, 0x00],
    [0x00, 0x20, 0xFF, 0x80],
    [0x00, 0x24, 0x00, 0x80],
    [0x00, 0x24, 0x00, 0x81],
    [0x00, 0x2C, 0x00, 0x80],
    [0x00, 0x87, 0x0A, 0x9B],
    [0x00, 0x87, 0x11, 0x9A],
    [0x00, 0x87, 0x11, 0x9C],
    [0x10, 0x87, 0x11, 0x9D],
    [0x00, 0x47, 0x00, 0x9A],
    [0x00, 0xC0, 0x00, 0x00],
];

/// Objects that are written: CHUID, certificate, key history, discovery, printed information, one that there is not.
const OBJECTS: [&[u8]; 6] = [
    &[0x5F, 0xC1, 0x02],
    &[0x5F, 0xC1, 0x05],
    &[0x5F, 0xC1, 0x0C],
    &[0x7E],
    &[0x5F, 0xC1, 0x09],
    &[0x5F, 0xC1, 0xFF],
];

const SLOTS: [u8; 6] = [0x9A, 0x9C, 0x9D, 0x9E, 0x82, 0x95];
const ALGORITHMS: [u8; 6] = [0x11, 0x14, 0x07, 0x05, 0x16, 0x03];
const REFERENCES: [Reference; 3] = [Reference::PivPin, Reference::GlobalPin, Reference::Puk];

/// Kinds of steps.
const KINDS: u8 = 16;

/// GET RESPONSE for one long answer: more than any answer needs.
const MOST_FETCHES: usize = 80;

impl Step {
    /// The next step, unless the input is over.
    pub(crate) fn read(input: &mut Input<'_>) -> Option<Self> {
        let kind = input.next()?;
        Some(match kind % KINDS {
            0 => Self::Command(input.counted().to_vec()),
            1 => {
                let length = input.number();
                Self::LongCommand(input.take(length).to_vec())
            }
            2 => {
                let which = input.byte();
                Self::Verify { reference: which >> 1, right: which & 1 == 0 }
            }
            3 => Self::ExternalAuthentication,
            4 => Self::MutualAuthentication,
            5 => Self::Change { reference: input.byte(), digit: input.byte() },
            6 => Self::Unblock { digit: input.byte() },
            7 => Self::Reset,
            8 => Self::PowerCycle,
            9 => Self::Cut { after: input.byte(), tear: input.byte() },
            10 => Self::Reopen,
            11 => Self::Write { object: input.byte(), length: input.number(), fill: input.byte() },
            12 => Self::Fetch,
            13 => Self::Use { slot: input.byte(), fill: input.byte() },
            14 => Self::Generate { slot: input.byte(), algorithm: input.byte() },
            _ => Self::Known { header: input.byte(), data: input.counted().to_vec() },
        })
    }

    /// Appends the bytes that [`read`](Self::read) makes this step of.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let counted = |out: &mut Vec<u8>, bytes: &[u8]| {
            let bytes = &bytes[..bytes.len().min(0xFF)];
            out.extend(u8::try_from(bytes.len()));
            out.extend(bytes);
        };
        let number = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        match self {
            Self::Command(bytes) => {
                out.push(0);
                counted(out, bytes);
            }
            Self::LongCommand(bytes) => {
                out.push(1);
                out.extend(number(bytes.len()));
                out.extend(bytes);
            }
            Self::Verify { reference, right } => out.extend([2, reference << 1 | u8::from(!right)]),
            Self::ExternalAuthentication => out.push(3),
            Self::MutualAuthentication => out.push(4),
            Self::Change { reference, digit } => out.extend([5, *reference, *digit]),
            Self::Unblock { digit } => out.extend([6, *digit]),
            Self::Reset => out.push(7),
            Self::PowerCycle => out.push(8),
            Self::Cut { after, tear } => out.extend([9, *after, *tear]),
            Self::Reopen => out.push(10),
            Self::Write { object, length, fill } => {
                let [high, low] = number(*length);
                out.extend([11, *object, high, low, *fill]);
            }
            Self::Fetch => out.push(12),
            Self::Use { slot, fill } => out.extend([13, *slot, *fill]),
            Self::Generate { slot, algorithm } => out.extend([14, *slot, *algorithm]),
            Self::Known { header, data } => {
                out.extend([15, *header]);
                counted(out, data);
            }
        }
    }

    /// Does it.
    pub(crate) fn play(&self, card: &mut SmallCard) {
        match self {
            Self::Command(bytes) | Self::LongCommand(bytes) => drop(card.send(bytes)),
            Self::Verify { reference, right } => verify(card, one_of(&REFERENCES, *reference), *right),
            Self::ExternalAuthentication => external_authentication(card),
            Self::MutualAuthentication => mutual_authentication(card),
            Self::Change { reference, digit } => {
                let reference = one_of(&REFERENCES, *reference);
                let data = [card.reference_data(reference), new_pin(*digit)].concat();
                card.send_data([0x00, 0x24, 0x00, reference.to_byte()], &data);
            }
            Self::Unblock { digit } => {
                let data = [card.reference_data(Reference::Puk), new_pin(*digit)].concat();
                card.send_data([0x00, 0x2C, 0x00, 0x80], &data);
            }
            Self::Reset => card.reset(),
            Self::PowerCycle => card.power_cycle(),
            Self::Cut { after, tear } => {
                let tears = Tear::all(usize::from(*tear));
                card.cut_after(usize::from(*after), one_of(&tears, *tear));
            }
            Self::Reopen => card.reopen(),
            Self::Write { object, length, fill } => write(card, one_of(&OBJECTS, *object), *length, *fill),
            Self::Fetch => fetch(card),
            Self::Use { slot, fill } => use_key(card, one_of(&SLOTS, *slot), *fill),
            Self::Generate { slot, algorithm } => {
                let template = [0xAC, 0x03, 0x80, 0x01, one_of(&ALGORITHMS, *algorithm)];
                card.send_data([0x00, 0x47, 0x00, one_of(&SLOTS, *slot)], &template);
            }
            Self::Known { header, data } => drop(card.send_data(one_of(&HEADERS, *header), data)),
        }
    }
}

fn one_of<T: Copy>(values: &[T], byte: u8) -> T {
    values[usize::from(byte) % values.len()]
}

/// Six equal digits; with other bytes a PIN of a wrong form.
fn new_pin(digit: u8) -> Vec<u8> {
    let digit = if digit < 0xF0 { b'0' + digit % 10 } else { digit };
    [[digit; 6].as_slice(), &[0xFF; 2]].concat()
}

fn verify(card: &mut SmallCard, reference: Reference, right: bool) {
    let mut data = card.reference_data(reference);
    if !right {
        data[0] = if data[0] == b'0' { b'1' } else { b'0' };
    }
    card.send_data([0x00, 0x20, 0x00, reference.to_byte()], &data);
}

const MANAGEMENT: [u8; 4] = [0x00, 0x87, 0x0A, 0x9B];

fn external_authentication(card: &mut SmallCard) {
    let Some(answer) = card.send_data(MANAGEMENT, &[0x7C, 0x02, 0x81, 0x00]) else { return };
    let [0x7C, 0x12, 0x81, 0x10, challenge @ .., 0x90, 0x00] = &answer[..] else { return };
    let response = under_management_key(challenge, true);
    card.send_data(MANAGEMENT, &[&[0x7C, 0x12, 0x82, 0x10], &response[..]].concat());
}

fn mutual_authentication(card: &mut SmallCard) {
    let Some(answer) = card.send_data(MANAGEMENT, &[0x7C, 0x02, 0x80, 0x00]) else { return };
    let [0x7C, 0x12, 0x80, 0x10, witness @ .., 0x90, 0x00] = &answer[..] else { return };
    let witness = under_management_key(witness, false);
    let challenge = [0xC5; 16];
    card.send_data(
        MANAGEMENT,
        &[&[0x7C, 0x24, 0x80, 0x10], &witness[..], &[0x81, 0x10], &challenge].concat(),
    );
}

fn write(card: &mut SmallCard, object: &[u8], length: usize, fill: u8) {
    let contents = vec![fill; length];
    let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    let data = if object == [0x7E] {
        [&[0x7E, 0x82], &length[..], &contents].concat()
    } else {
        let tag = u8::try_from(object.len()).unwrap_or(0);
        [&[0x5C, tag], object, &[0x53, 0x82], &length, &contents].concat()
    };
    let mut pieces = data.chunks(0xFF).peekable();
    while let Some(piece) = pieces.next() {
        let class = if pieces.peek().is_some() { 0x10 } else { 0x00 };
        let answer = card.send_data([class, 0xDB, 0x3F, 0xFF], piece);
        if answer.as_deref() != Some(&[0x90, 0x00]) {
            return;
        }
    }
}

fn fetch(card: &mut SmallCard) {
    for _ in 0..MOST_FETCHES {
        let answer = card.send(&[0x00, 0xC0, 0x00, 0x00, 0x00]);
        let Some([0x61, _]) = answer.as_deref().and_then(<[u8]>::last_chunk) else { return };
    }
    panic!("an answer that never ends");
}

/// Signs or decrypts with a key, or agrees on one: what the key can do, or with other bytes the other.
fn use_key(card: &mut SmallCard, slot: u8, fill: u8) {
    let reference = KeyReference::from_byte(slot).expect("slots of PIV");
    let Some(algorithm) = card.algorithm(reference) else {
        card.send_data([0x00, 0x87, 0x11, slot], &[0x7C, 0x02, 0x82, 0x00]);
        return;
    };
    let size = match algorithm {
        0x11 => 32,
        0x14 => 48,
        0x05 => 384,
        0x16 => 512,
        _ => 256_usize,
    };
    let agrees = matches!(slot, 0x9D | 0x82 | 0x95) && matches!(algorithm, 0x11 | 0x14);
    let (tag, input) = if agrees == (fill == 0xFF) {
        (0x81, vec![fill; size])
    } else {
        (0x85, [&[0x04], &vec![fill; 2 * size][..]].concat())
    };
    let length = |length: usize| match u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes() {
        [0, short @ 0..0x80] => vec![short],
        [high, low] => vec![0x82, high, low],
    };
    let inner = [&[0x82, 0x00, tag], &length(input.len())[..], &input].concat();
    let data = [&[0x7C], &length(inner.len())[..], &inner].concat();
    card.send(&with_data([0x00, 0x87, algorithm, slot], &data));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_as_they_are_written() {
        for kind in 0..KINDS {
            let bytes = [kind, 2, 3, 4, 5];
            let step = Step::read(&mut Input::new(&bytes)).unwrap();
            let mut written = Vec::new();
            step.write(&mut written);
            assert_eq!(Step::read(&mut Input::new(&written)), Some(step), "{written:02X?}");
        }
    }
}
