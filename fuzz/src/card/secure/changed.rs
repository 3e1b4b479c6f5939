//! Protected commands that were changed on their way, and such that are made wrongly, under the right code.

use apdu::Command;
use vectors::oracle::secure_messaging::{Host, wrapped};

/// What is wrong with a protected command. `place` and `value` say where and what, as far as there is a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) kind: u8,
    pub(crate) place: u16,
    pub(crate) value: u8,
}

/// Kinds of changes.
pub(crate) const KINDS: u8 = 16;

/// The plain command in one extended APDU, with room for any answer.
pub(super) fn in_one(command: &Command<'_>) -> Vec<u8> {
    let header = [0x00, command.instruction, command.p1, command.p2];
    match u16::try_from(command.data.len()).expect("a command of the card").to_be_bytes() {
        [0, 0] => header.to_vec(),
        length => [&header[..], &[0x00], &length, command.data, &[0x00, 0x00]].concat(),
    }
}

/// The command in a chain of parts of so many bytes, at least 16.
pub(super) fn in_parts(protected: &[u8], length: u8) -> Vec<Vec<u8>> {
    let command = Command::parse(protected).expect("a protected command");
    let chunks: Vec<_> = command.data.chunks(length.max(16).into()).collect();
    let last = chunks.len() - 1;
    let part = |(number, chunk): (usize, &&[u8])| {
        let class = if number < last { 0x1C } else { 0x0C };
        let length = u8::try_from(chunk.len()).expect("at most 255");
        [&[class, command.instruction, command.p1, command.p2, length], *chunk].concat()
    };
    chunks.iter().enumerate().map(part).collect()
}

/// The bytes with one of them changed, left out or added, or without their end; not the class, and not Le.
pub(super) fn altered(bytes: &[u8], change: Change) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    let place = 1 + usize::from(change.place) % (bytes.len() - 3);
    match change.kind % 4 {
        0 => changed[place] ^= change.value.max(1),
        1 => changed.truncate(place),
        2 => changed.insert(place, change.value),
        _ => drop(changed.remove(place)),
    }
    changed
}

/// Objects that are not what a protected command has: over these the code will be right.
pub(super) fn wrong_objects(host: &Host, data: &[u8], change: Change) -> Vec<u8> {
    let mut padded = [data, &[0x80]].concat();
    padded.resize(padded.len().next_multiple_of(16), 0);
    let blocks = host.encrypted(&padded);
    let cryptogram = |indicator: u8, blocks: &[u8]| {
        let [high, low] = u16::try_from(blocks.len() + 1).expect("a short command").to_be_bytes();
        [&[0x87, 0x82, high, low, indicator], blocks].concat()
    };
    let right = cryptogram(0x01, &blocks);
    let expected: &[u8] = &[0x97, 0x01, 0x00];
    match change.kind % KINDS {
        // No padding after the indicator: 00 or 02 would be another kind of it.
        7 => cryptogram(if change.value == 0x01 { 0x02 } else { change.value }, &blocks),
        // No whole blocks, or none.
        8 => match usize::from(change.place) % blocks.len() {
            whole if whole % 16 == 0 => cryptogram(0x01, &[]),
            part => cryptogram(0x01, &blocks[..part]),
        },
        9 => match change.value {
            0 => [&right[..], &[0x97, 0x00]].concat(),
            value => [&right[..], &[0x97, 0x01, value]].concat(),
        },
        10 => [expected, &right].concat(),
        11 => {
            let stranger =
                [if matches!(change.value, 0x87 | 0x97 | 0x8E) { 0x85 } else { change.value }, 0x00];
            let all: [&[u8]; 3] = [&right, expected, &stranger];
            let first = usize::from(change.place) % 3;
            [all[first], all[(first + 1) % 3], all[(first + 2) % 3]].concat()
        }
        // Blocks that end in no padding.
        _ => cryptogram(0x01, &host.encrypted(&[0xFF; 32])),
    }
}

/// The command with so many bytes of its code: not eight.
pub(super) fn with_code_of(protected: &[u8], length: u8) -> Vec<u8> {
    let command = Command::parse(protected).expect("a protected command");
    let (objects, code) = command.data.split_at(command.data.len() - 8);
    let length = if length % 16 == 8 { 0 } else { length % 16 };
    let code: Vec<u8> = code.iter().copied().cycle().take(length.into()).collect();
    let header = [0x0C, command.instruction, command.p1, command.p2];
    wrapped(header, &[&objects[..objects.len() - 1], &[length], &code].concat()).expect("a short command")
}
