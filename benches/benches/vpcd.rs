//! One APDU through Debian's pcscd and vpcd: our attachment against a plain `vpicc` loop with the same card.
//!
//! Both cards are measured in turns, by a client of libpcsclite.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use benches::{
    Report, at_90_percent,
    client::{Client, context},
    median, pcscd,
};
use card_sim::profile::PIV;
use vreader::{
    attach::vpcd::{Endpoint, Plug, reader_name},
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    issue::{Request, issue},
};

const SELECT: [u8; 17] =
    [0x00, 0xA4, 0x04, 0x00, 0x0B, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00, 0x00];
const GET_DATA: [u8; 11] = [0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x02, 0x00];

/// Measurements: in each round many of ours and, as each takes 44 ms, a few of the plain loop.
const ROUNDS: usize = 25;
const OURS_PER_ROUND: usize = 200;
const PLAIN_PER_ROUND: usize = 4;

const MEDIAN_LIMIT: f64 = 120.0;
const RATIO_LIMIT: f64 = 200.0;

fn main() -> ExitCode {
    pcscd::in_private_namespaces(measure)
}

fn measure() -> ExitCode {
    let _pcscd = pcscd::start();
    let plug = Plug::new(&Endpoint::default(), vec![Box::new(sample_card())], |slot, event| {
        println!("# {}", event.in_words(slot));
        // The figures are what matters; a closed output shows there.
        let _ = io::stdout().flush();
    })
    .expect("the first slot has a port");
    pcscd::plain_loop(Box::new(sample_card()));

    let mut report = Report::new("One APDU through Debian's pcscd and vpcd");
    let context = context();
    let mut ours = Client::connect(&context, &reader_name(0));
    let mut plain = Client::connect(&context, &reader_name(1));
    let answer = ours.transmit(&SELECT);
    assert!(answer.ends_with(&[0x90, 0x00]), "the card is selected: {answer:02X?}");
    assert_eq!(answer, plain.transmit(&SELECT), "both are the same card");

    let (mut ours_times, mut plain_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours_times.extend((0..OURS_PER_ROUND).map(|_| ours.time(&SELECT)));
        plain_times.extend((0..PLAIN_PER_ROUND).map(|_| plain.time(&SELECT)));
    }
    let (ours_median, plain_median) = (median(&mut ours_times), median(&mut plain_times));
    report.at_most("SELECT, vreader vpcd, median", ours_median, MEDIAN_LIMIT, "us");
    report.note("SELECT, vreader vpcd, 90 %", at_90_percent(&ours_times), "us");
    report.note("SELECT, plain vpicc loop, median", plain_median, "us");
    report.note("SELECT, plain vpicc loop, 90 %", at_90_percent(&plain_times), "us");
    report.at_least("plain loop / vreader vpcd, medians", plain_median / ours_median, RATIO_LIMIT, "x");

    let mut get_data: Vec<f64> = (0..ROUNDS * OURS_PER_ROUND).map(|_| ours.time(&GET_DATA)).collect();
    report.note("GET DATA, 256 bytes, vreader vpcd, median", median(&mut get_data), "us");
    drop(ours);
    plug.stop();
    report.end()
}

/// The same sample card each time.
fn sample_card() -> EmulatedCard {
    let request = Request { seed: Some(1), ..Request::default() };
    let issued = issue(&request, &mut DefaultCrypto::default(), &mut |_| {}).expect("a sample card");
    EmulatedCard::in_memory(&PIV, PIV.default_tries, &issued).expect("the card fits its memory")
}
