//! Sequences of commands, resets and power cuts, with all proofs in reach.
#![no_main]

use fuzz::apdu_sequence::{LONGEST, play};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|input: &[u8]| -> Corpus {
    if input.len() > LONGEST {
        return Corpus::Reject;
    }
    play(input);
    Corpus::Keep
});
