//! Clients that do what they like to the PC/SC socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::pcsc_wire::play(input));
