//! One APDU in process: time against the limits of the project, and allocations, of which there should be none.

use std::{alloc::System, process::ExitCode, time::Duration};

use benches::{Report, median, microseconds, time_per_call};
use card_sim::{
    Card,
    crypto::RustCrypto,
    holder::Obliging,
    key::{SymmetricAlgorithm, SymmetricKey},
    object::ObjectTag,
    personalise::{Personalisation, ReferenceData},
    platform::Parts,
    profile,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use vreader::{image::FlashSize, random};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A command, what it is called, and its limit in microseconds.
const COMMANDS: [(&str, &str, f64); 3] = [
    ("SELECT", "00A4040005A00000030800", 2.0),
    ("VERIFY without data", "00200080", 2.0),
    ("GET DATA, 2 KB object, one extended answer", "00CB3FFF0000055C035FC1020000", 10.0),
];

fn main() -> ExitCode {
    let mut report = Report::new("One APDU in process");
    let object = [&[0x53, 0x82, 0x08, 0x00][..], &[0x5A; 2048]].concat();
    let objects = [(ObjectTag::new(0x5F_C102).expect("the CHUID has a container"), object.as_slice())];
    let mut store = FlashSize::DEFAULT.blank_store();
    let management_key = SymmetricKey::new(SymmetricAlgorithm::Aes192, &[1; 24]).expect("24 bytes");
    let contents = Personalisation {
        profile: &profile::PIV,
        pin: ReferenceData { value: b"123456\xFF\xFF", tries: 3 },
        puk: ReferenceData { value: b"12345678", tries: 3 },
        global_pin: None,
        fingers: &[],
        card_verifiable_certificate: None,
        serial_number: None,
        management_key: &management_key,
        keys: &[],
        objects: &objects,
        cac: None,
    };
    contents.write(&mut store).expect("the card fits its memory");
    let platform =
        Parts { rng: random::from_seed("bench", 0), store, crypto: RustCrypto::default(), holder: Obliging };
    let mut card = Card::new(platform).expect("the card was just made");
    card.power_on();

    for (name, command, limit) in COMMANDS {
        let command = hex::decode(command).expect("the table is hex");
        let mut rounds: Vec<f64> = (0..21)
            .map(|_| {
                microseconds(time_per_call(Duration::from_millis(20), || {
                    std::hint::black_box(card.transmit(std::hint::black_box(&command)));
                }))
            })
            .collect();
        report.at_most(name, median(&mut rounds), limit, "us");
        let region = Region::new(ALLOCATOR);
        card.transmit(&command);
        let count = u32::try_from(region.change().allocations).unwrap_or(u32::MAX);
        report.at_most(&format!("  allocations of {name}"), f64::from(count), 0.0, "");
    }
    report.end()
}
