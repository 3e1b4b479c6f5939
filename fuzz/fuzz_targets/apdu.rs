//! One command in many a state of the card.
#![no_main]

use fuzz::apdu::{LONGEST, play};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|input: &[u8]| -> Corpus {
    if input.len() > LONGEST {
        return Corpus::Reject;
    }
    play(input);
    Corpus::Keep
});
