//! One command, in many a state of the card.
//!
//! The first byte of an input chooses the state, the others are the command. After it the card is asked what it thinks has
//! been proved, so that a status that the command changed in silence is noticed as well.

use std::collections::BTreeSet;

use crate::{
    card::{Arithmetic, PIN, SmallCard},
    material,
    step::Step,
};

/// Longest command, and the byte before it.
pub const LONGEST: usize = 1 + 4 + 3 + 65_535 + 2;

/// What is done to the card first, for each bit of the first byte.
const STATES: [fn(&mut SmallCard); 8] = [
    |card| drop(card.send_data([0x00, 0x20, 0x00, 0x80], PIN)),
    |card| Step::ExternalAuthentication.play(card),
    // A challenge that waits for its answer, a witness that does, an answer that is not fetched, a chain that has begun.
    |card| drop(card.send_data([0x00, 0x87, 0x0A, 0x9B], &[0x7C, 0x02, 0x81, 0x00])),
    |card| drop(card.send_data([0x00, 0x87, 0x0A, 0x9B], &[0x7C, 0x02, 0x80, 0x00])),
    |card| drop(card.send_data([0x00, 0xCB, 0x3F, 0xFF], &[0x5C, 0x03, 0x5F, 0xC1, 0x05])),
    |card| drop(card.send_data([0x10, 0xDB, 0x3F, 0xFF], &[0x5C, 0x03, 0x5F, 0xC1, 0x07, 0x53])),
    |card| {
        for _ in 0..3 {
            card.send_data([0x00, 0x20, 0x00, 0x80], b"000000\xFF\xFF");
        }
    },
    |card| drop(card.send_data([0x00, 0xA4, 0x04, 0x00], &[0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00])),
];

/// What a card says of its own state, without changing it.
const QUESTIONS: [&[u8]; 4] = [
    &[0x00, 0x20, 0x00, 0x80],
    &[0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x09, 0x00],
    // Not written: its form is wrong, but the right to write comes first.
    &[0x00, 0xDB, 0x3F, 0xFF, 0x01, 0x00],
    &[0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00],
];

/// Plays one input.
pub fn play(input: &[u8]) {
    let Some((state, command)) = input.split_first() else { return };
    let mut card = SmallCard::new(Arithmetic::Real);
    for (bit, prepare) in STATES.iter().enumerate() {
        if state & (1 << bit) != 0 {
            prepare(&mut card);
        }
    }
    card.send(command);
    for question in QUESTIONS {
        card.send(question);
    }
    card.finish();
}

/// Every command of the scenarios and of known traces once, on a new card and with everything proved.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let commands: BTreeSet<Vec<u8>> = material::sessions()
        .iter()
        .flat_map(|session| session.commands.iter().cloned())
        .filter(|command| command.len() < 600)
        .collect();
    let mut seeds = Vec::new();
    for (number, command) in commands.into_iter().enumerate() {
        for state in [0x00, 0x03] {
            seeds.push((format!("{number}-{state:02x}"), [&[state], &command[..]].concat()));
        }
    }
    seeds
}
