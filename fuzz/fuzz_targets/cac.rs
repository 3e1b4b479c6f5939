//! Both faces of a Common Access Card.
#![no_main]

use fuzz::cac::{LONGEST, play};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|input: &[u8]| -> Corpus {
    if input.len() > LONGEST {
        return Corpus::Reject;
    }
    play(input);
    Corpus::Keep
});
