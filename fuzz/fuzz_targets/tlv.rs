//! TLV, commands and chains: every reader and writer of the crate `apdu`.
#![no_main]

use fuzz::tlv::{LONGEST, play};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|input: &[u8]| -> Corpus {
    if input.len() > LONGEST {
        return Corpus::Reject;
    }
    play(input);
    Corpus::Keep
});
