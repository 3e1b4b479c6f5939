//! Card management: an update session in a world, a check among ten thousand cards, and many cards in a row.

use std::{path::Path, process::ExitCode, time::Duration, time::Instant};

use benches::{Report, median};
use card_sim::{key::KeyReference, profile::PIV};
use vreader::{
    World,
    attach::pcsc::RemoteCard,
    card_client::Line,
    clock::Clock,
    cms::{
        Access, Batch, Cms, IssueOptions, Timing, UpdateOptions, Wish,
        database::Database,
        state::{Reason, RequestKind},
    },
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    image::FlashSize,
    issue::{Request, blank::blank, issue},
    reader::{Disposition, ReaderSettings},
    run::{DEFAULT_READER, WorldSettings},
};

const PIN: &str = "123456";
const ROUNDS: usize = 11;
const CARDS: u32 = 100;

fn main() -> ExitCode {
    let mut report = Report::new("Card management");
    let folder = tempfile::tempdir().expect("a temporary folder");
    renewal(&mut report, folder.path());
    check(&mut report, folder.path());
    batch(&mut report, folder.path());
    report.end()
}

/// Renews three P-256 certificates, over PC/SC, with database and card file on the disk.
fn renewal(report: &mut Report, folder: &Path) {
    let mut cms = cms(&folder.join("renewal.db"));
    let world = World::with(&WorldSettings::default()).expect("a world");
    let file = folder.join("my.card");
    let blank = blank(&PIV, Some(1)).expect("a blank card");
    let card = EmulatedCard::create(&file, FlashSize::LARGEST, &PIV, PIV.default_tries, &blank)
        .expect("a card file");
    let reader =
        world.readers().add(ReaderSettings::new(DEFAULT_READER), Some(Box::new(card))).expect("a reader");
    let id = with_line(&world, &reader, |line| {
        cms.register(line, &blank.management_key, Some(&blank.puk)).expect("it is registered").id
    });
    let holder = cms.add_holder(None, None).expect("a holder");
    cms.assign(id, &holder.name).expect("it is assigned");
    let access = Access::new(Some(PIN), None).expect("a PIN");
    with_line(&world, &reader, |line| {
        cms.issue(line, &access, &UpdateOptions::default()).expect("it is issued")
    });

    let mut whole = Vec::new();
    let mut parts: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        let slots = vec![
            KeyReference::PivAuthentication,
            KeyReference::DigitalSignature,
            KeyReference::KeyManagement,
        ];
        let wish = Wish { slots, ..Wish::new(id, RequestKind::Renewal, Reason::Renew) };
        cms.request(&wish).expect("a request");
        let before = cms.timing();
        let start = Instant::now();
        with_line(&world, &reader, |line| {
            cms.update(line, &access, &UpdateOptions::default()).expect("an update")
        });
        let all = milliseconds(start.elapsed());
        let Timing { key_generation, signing, database } = cms.timing();
        let spent = [
            milliseconds(key_generation.saturating_sub(before.key_generation)),
            milliseconds(signing.saturating_sub(before.signing)),
            milliseconds(database.saturating_sub(before.database)),
        ];
        parts.iter_mut().zip(spent).for_each(|(part, value)| part.push(value));
        parts[3].push(all - spent.iter().sum::<f64>());
        whole.push(all);
    }
    let all = median(&mut whole);
    let [keys, signing, database, card] = parts.map(|mut part| median(&mut part));
    report.at_most("renewal of three P-256 certificates, median", all, 1000.0, "ms");
    report.note("  making the three keys", keys, "ms");
    report.note("  signing certificates and objects", signing, "ms");
    report.note("  writing the database, synced", database, "ms");
    report.note("  commands to the card and its synced file", card, "ms");
    report.at_most(
        "  all but the keys / the second that is allowed",
        (all - keys) / 1000.0 * 100.0,
        10.0,
        "%",
    );
}

/// Whether an update is pending, for one card among ten thousand.
fn check(report: &mut Report, folder: &Path) {
    let path = folder.join("renewal.db");
    let mut database = Database::open(&path, Database::PATIENCE).expect("the database");
    database
        .write(|connection| {
            connection.execute_batch(
                "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
                 INSERT INTO card (identity, state, holder, issued, expires, fascn, guid, management_algorithm, management_key)
                 SELECT printf('ccc:%042X', i), state, holder, issued, expires, fascn, guid, management_algorithm, management_key
                 FROM n, card WHERE card.id = 1;
                 INSERT INTO credential (card, authority, certificate, serial, not_after, state, reason, since)
                 SELECT card.id, authority, certificate, card.id || '-' || slot, not_after, credential.state, reason, since
                 FROM card, placement JOIN credential ON credential.id = placement.credential
                 WHERE card.id > 1 AND placement.card = 1;
                 INSERT INTO placement
                 SELECT card, 0x9A + (ROW_NUMBER() OVER (PARTITION BY card ORDER BY id) - 1), id FROM credential WHERE card > 1
                 AND id IN (SELECT id FROM credential c WHERE c.card = credential.card ORDER BY id LIMIT 4);",
            )?;
            Ok::<_, vreader::cms::database::DatabaseError>(())
        })
        .expect("ten thousand cards");
    drop(database);
    let identity = format!("ccc:{:042X}", 5000).parse().expect("an identity");
    let mut times: Vec<f64> = (0..101)
        .map(|_| {
            let start = Instant::now();
            let mut cms = open(&path);
            assert_eq!(cms.check(&identity).expect("the card is there"), None);
            milliseconds(start.elapsed())
        })
        .collect();
    report.at_most(
        "check for updates among 10,000 cards, database opened, median",
        median(&mut times),
        5.0,
        "ms",
    );
}

/// Many cards in a row, each with a file of its own, against issuing in memory.
fn batch(report: &mut Report, folder: &Path) {
    let mut cms = cms(&folder.join("batch.db"));
    let batch =
        Batch { folder, count: CARDS, names: "Batch Sample", pin: PIN, options: IssueOptions::default() };
    let start = Instant::now();
    let progress = cms.issue_batch(&batch, &mut |_| true).expect("a batch");
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(progress.issued, CARDS);
    let start = Instant::now();
    for _ in 0..CARDS {
        let made = issue(&Request::default(), &mut DefaultCrypto::default(), &mut |_| {});
        std::hint::black_box(made.expect("a card"));
    }
    let in_memory = start.elapsed().as_secs_f64();
    report.note("cards issued over PC/SC into synced files, a second", f64::from(CARDS) / seconds, "");
    report.note("a card over PC/SC / the same card made in memory", seconds / in_memory, "x");
}

fn cms(path: &Path) -> Cms {
    Cms::create(path, Clock::System, "bench", Some(1)).expect("a database")
}

fn open(path: &Path) -> Cms {
    Cms::open(path, Clock::System, "bench", Duration::from_secs(2)).expect("the database")
}

fn with_line<T>(world: &World, reader: &str, work: impl FnOnce(&mut Line<'_>) -> T) -> T {
    let mut card = RemoteCard::connect(world.socket(), reader).expect("the card");
    let mut transaction = card.transaction(Disposition::Reset).expect("a transaction");
    work(&mut Line::remote(&mut transaction))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
