//! Criterion's view of the same commands, for watching a change: `cargo bench -p benches --bench commands`.
//!
//! No limits here; those stand in `apdu.rs`.

use std::hint::black_box;

use apdu::{Command, tlv_ber::Reader};
use card_sim::profile::PIV;
use criterion::{Criterion, criterion_group, criterion_main};
use vreader::{
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    issue::{Request, issue},
    reader::{InsertedCard, Interface},
};

/// GET DATA of the CHUID, which every client sends.
const GET_DATA: [u8; 11] = [0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x02, 0x00];

fn parsing(criterion: &mut Criterion) {
    criterion.bench_function("parse a command", |bencher| {
        bencher.iter(|| Command::parse(black_box(&GET_DATA)));
    });
    criterion.bench_function("parse a tag list", |bencher| {
        bencher.iter(|| Reader::new(black_box(&GET_DATA[5..10])).next());
    });
}

fn commands(criterion: &mut Criterion) {
    let request = Request { seed: Some(1), ..Request::default() };
    let issued = issue(&request, &mut DefaultCrypto::default(), &mut |_| {}).expect("a sample card");
    let mut card = EmulatedCard::in_memory(&PIV, 3, &issued).expect("it fits");
    card.power_on(Interface::Contact);
    for (name, command) in [
        ("SELECT", &[0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00][..]),
        ("VERIFY without data", &[0x00, 0x20, 0x00, 0x80]),
        ("GET DATA, 256 bytes of the CHUID", &GET_DATA),
    ] {
        criterion.bench_function(name, |bencher| bencher.iter(|| card.transmit(black_box(command))));
    }
}

criterion_group!(benches, parsing, commands);
criterion_main!(benches);
