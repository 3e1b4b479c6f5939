//! The crate `apdu`: what is read is written back alike, parts make the whole, and different ways to read agree.
//!
//! The first byte of an input chooses what is tried with the others.

mod ber;
mod chain;
mod command;
mod simple;

use apdu::tlv_simple::Order;

use crate::{input::Input, material};

/// Bytes of the longest input.
pub const LONGEST: usize = 8192;

/// What is tried.
const TRIALS: [fn(&[u8]); 8] = [
    |bytes| ber::elements_agree(&apdu::tlv_ber::Reader::new(bytes), 0),
    |bytes| ber::elements_agree(&apdu::tlv_ber::Reader::single_byte_tags(bytes), 0),
    |bytes| simple::elements_agree(bytes, Order::Big),
    |bytes| simple::elements_agree(bytes, Order::Little),
    command::is_written_back,
    command::pieces_make_the_whole,
    chain::agrees_with_a_model,
    chain::answers_come_whole,
];

/// Plays one input.
pub fn play(input: &[u8]) {
    let mut input = Input::new(input);
    let trial = TRIALS[usize::from(input.byte()) % TRIALS.len()];
    trial(input.rest());
}

/// Commands and answers of the scenarios and traces, and the bytes inside them.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for session in material::sessions() {
        for (number, command) in session.commands.iter().enumerate() {
            let mut add = |trial: u8, bytes: &[u8]| {
                let bytes = [&[trial], bytes].concat();
                seeds.push((format!("{}-{number}-{trial}", session.name), bytes));
            };
            add(4, command);
            if let Some(data) = command.get(5..).filter(|data| !data.is_empty()) {
                (0..4).for_each(|trial| add(trial, data));
                add(5, data);
            }
        }
        let all: Vec<u8> =
            session.commands.iter().flat_map(|command| command.iter().take(12).copied()).collect();
        seeds.push((format!("{}-chain", session.name), [&[6], &all[..]].concat()));
        seeds.push((format!("{}-answers", session.name), [&[7], &all[..]].concat()));
    }
    seeds
}
