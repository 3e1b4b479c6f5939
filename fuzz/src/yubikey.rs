//! Sequences of commands, resets and losses of power on YubiKeys, with the right PIN, PUK and management key in reach.
//!
//! The first byte of an input chooses the YubiKey, the others are steps as those of [`apdu_sequence`](crate::apdu_sequence).

use crate::{apdu_sequence, card::SmallCard, input::Input};

/// Bytes of the longest input.
pub const LONGEST: usize = 4096;

/// Plays one input.
pub fn play(input: &[u8]) {
    let mut input = Input::new(input);
    let card = SmallCard::yubikey(input.byte());
    apdu_sequence::play_on(card, input);
}

/// The sequences of [`apdu_sequence`](crate::apdu_sequence) that have to do with YubiKeys, on each of them.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let of_yubikeys = |name: &str| name.contains("yub") || name.contains("yk");
    let sequences = apdu_sequence::seeds().into_iter().filter(|(name, _)| of_yubikeys(name));
    (0..)
        .zip(sequences)
        .map(|(number, (name, steps)): (u8, _)| (name, [&[number], &steps[..]].concat()))
        .collect()
}
