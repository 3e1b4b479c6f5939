//! Many cards: stopped, killed, gone on.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use vreader::{
    card_client::Line,
    cms::{Batch, IssueOptions, state::DeviceState},
    reader::{InsertedCard, Interface},
};

use crate::support::{Office, PIN, access, card_in};

const COUNT: u32 = 12;

fn batch(office: &Office) -> std::path::PathBuf {
    let folder = office.file("cards");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// That every card of the batch is issued, and agrees with the database.
fn assert_whole(office: &Office) {
    let mut cms = office.cms();
    let cards = cms.cards().unwrap();
    assert_eq!(cards.len(), COUNT as usize);
    assert!(cards.iter().all(|card| card.state == DeviceState::Issued));
    assert!(cms.open_sessions().unwrap().is_empty());
    for number in 1..=COUNT {
        let mut card = card_in(&office.file(&format!("cards/{number:04}.card")));
        card.power_on(Interface::Contact);
        let differences = cms.compare(&mut Line::local(&mut card), &access(Some(PIN), None)).unwrap();
        assert!(differences.is_empty(), "card {number}: {differences:?}");
    }
}

#[test]
fn a_batch_that_is_stopped_goes_on_where_it_was() {
    let office = Office::new();
    let folder = batch(&office);
    let batch = Batch {
        folder: &folder,
        count: COUNT,
        names: "Batch Sample",
        pin: PIN,
        options: IssueOptions::default(),
    };
    let mut told = Vec::new();
    let first = office
        .cms()
        .issue_batch(&batch, &mut |progress| {
            told.push(progress.issued);
            progress.issued < 3
        })
        .unwrap();
    // Those that were being written when it was told to stop come to their end.
    assert!((3..=7).contains(&first.issued), "{first:?}");
    assert_eq!(told, (1..=first.issued).collect::<Vec<_>>());
    let second = office.cms().issue_batch(&batch, &mut |_| true).unwrap();
    assert_eq!((second.found, second.issued), (first.issued, COUNT - first.issued));
    assert_whole(&office);
}

#[test]
fn a_batch_that_is_killed_goes_on_where_it_was() {
    let office = Office::new();
    let folder = batch(&office);
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vreader"));
        command.args(["cms", "batch", "--count", "12", "--pin", PIN, "--now", "2026-01-05T09:00:00Z"]);
        command.arg("--folder").arg(&folder).arg("--db").arg(office.database()).stderr(Stdio::null());
        command.stdout(Stdio::null());
        command
    };
    // Killed in the middle of a card: when its session is in the database. Several times, at whatever it does then.
    for cards in [1, 4, 7] {
        let mut running = run().spawn().unwrap();
        let patience = Instant::now();
        while office.cms().cards().unwrap().len() < cards {
            assert!(patience.elapsed() < Duration::from_mins(1), "no card was begun");
            assert!(running.try_wait().unwrap().is_none(), "the batch ended early");
        }
        running.kill().unwrap();
        running.wait().unwrap();
    }
    assert!(run().status().unwrap().success());
    assert_whole(&office);
}
