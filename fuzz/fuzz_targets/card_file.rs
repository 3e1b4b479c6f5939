//! Changed card files: refused and left as they are, or cards that work.
#![no_main]

use fuzz::card_file::{LONGEST, play};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|input: &[u8]| -> Corpus {
    if input.len() > LONGEST {
        return Corpus::Reject;
    }
    play(input);
    Corpus::Keep
});
