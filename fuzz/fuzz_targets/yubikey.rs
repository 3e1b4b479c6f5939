//! Sequences of commands, resets and power cuts on YubiKeys, with all proofs in reach.
#![no_main]

use fuzz::yubikey::{LONGEST, play};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|input: &[u8]| -> Corpus {
    if input.len() > LONGEST {
        return Corpus::Reject;
    }
    play(input);
    Corpus::Keep
});
