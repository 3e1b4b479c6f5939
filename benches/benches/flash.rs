//! The store on flash: what a PIN try costs on a card file, and what opening a full one costs.

use std::{path::Path, process::ExitCode, time::Duration};

use benches::{Report, median, microseconds, time_per_call};
use card_sim::{
    platform::Platform,
    profile::PIV,
    reference::Reference,
    store::{Record, Store, StoreError, Update},
};
use vreader::{
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    image::{Durability, FileStore, FlashSize},
    issue::{IssuedCard, Request, issue},
    reader::{InsertedCard, Interface},
};

/// VERIFY of a PIN that is wrong.
const VERIFY: [u8; 13] = [0x00, 0x20, 0x00, 0x80, 0x08, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0xFF, 0xFF];

fn main() -> ExitCode {
    let mut report = Report::new("The store on flash");
    let request = Request { seed: Some(1), ..Request::default() };
    let issued = issue(&request, &mut DefaultCrypto::default(), &mut |_| {}).expect("a sample card");

    let mut card = EmulatedCard::in_memory(&PIV, 3, &issued).expect("it fits");
    report.at_most("VERIFY that fails, in memory", failing_verify(&mut card), 100.0, "us");

    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("card");
    make(&file, &issued);
    for (what, durability) in [
        ("VERIFY that fails, card file, not synced", Durability::Process),
        ("VERIFY that fails, card file, synced", Durability::Machine),
    ] {
        let mut card = EmulatedCard::open_with(&file, durability).expect("the card was just made");
        let time = failing_verify(&mut card);
        match durability {
            Durability::Process => report.at_most(what, time, 100.0, "us"),
            // What syncing costs is the disk's to say.
            Durability::Machine => report.note(what, time, "us"),
        }
    }

    fill(&file);
    let mut rounds: Vec<f64> = (0..21)
        .map(|_| {
            microseconds(time_per_call(Duration::from_millis(20), || {
                drop(FileStore::open(&file, Durability::Process).expect("the card opens"));
            }))
        })
        .collect();
    report.at_most("opening a card file of 144 KiB that is full", median(&mut rounds), 1000.0, "us");
    report.end()
}

fn make(file: &Path, issued: &IssuedCard) {
    EmulatedCard::create(file, FlashSize::DEFAULT, &PIV, 3, issued).expect("a card file can be made");
}

/// Microseconds of a VERIFY that fails: one transaction of the flash. The tries are given back outside the measurement.
fn failing_verify(card: &mut EmulatedCard) -> f64 {
    card.power_on(Interface::Contact);
    let mut times: Vec<f64> = (0..400)
        .map(|_| {
            let store = &mut card.card().platform().parts().store;
            store
                .commit(&[Update::Write(Record::RetryCounter(Reference::PivPin), &[3])])
                .expect("it is made");
            let start = std::time::Instant::now();
            let answer = card.transmit(&VERIFY);
            let time = microseconds(start.elapsed());
            assert_eq!(answer, [0x63, 0xC2]);
            time
        })
        .collect();
    median(&mut times)
}

/// Fills a card's flash with objects, each as long as it can be.
fn fill(file: &Path) {
    let mut store = FileStore::open(file, Durability::Process).expect("the card opens");
    for record in (0x100..0x200).filter_map(Record::from_number) {
        let mut lengths = [12_000, 3_000, 500].into_iter();
        let full = |length| match store.commit(&[Update::Write(record, &vec![0x5A; length])]) {
            Ok(()) => false,
            Err(StoreError::Full) => true,
            Err(error) => panic!("{error:?}"),
        };
        // The first length that fits.
        let _ = lengths.all(full);
    }
}
