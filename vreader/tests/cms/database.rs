//! Databases that do not answer: locked, damaged, another program's, of a newer version, removed; and a clock that was set back.

use std::{fs, os::unix::fs::FileExt, time::Duration};

use rusqlite::Connection;
use vreader::{
    clock::Clock,
    cms::{
        Cms, CmsError, Wish,
        database::{Database, DatabaseError, Outcome, VERSION},
        state::{Reason, RequestKind},
    },
};

use crate::{
    support::{Office, image, report},
    untouched::{refused, tables, to_be_renewed, update},
};

fn open(office: &Office) -> Result<Cms, CmsError> {
    Cms::open(&office.database(), Clock::At(office.now), "tester", Duration::from_millis(1))
}

/// The lines beside the database.
fn spilled(office: &Office) -> Vec<String> {
    let text = fs::read_to_string(office.file("cms.db.audit")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_locked_database_is_refused_and_the_reason_is_logged_later() {
    let (office, mut card, _) = to_be_renewed();
    let before = (format!("{:?}", report(&mut card)), tables(&office));
    let other = Connection::open(office.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut cms = open(&office).unwrap();
    let error = update(&mut cms, &mut card).unwrap_err().to_string();
    assert!(error.contains("is locked: another program has been writing to it for 1ms"), "{error}");
    assert_eq!(format!("{:?}", report(&mut card)), before.0);
    assert_eq!(spilled(&office).len(), 1);
    drop(other);
    assert_eq!(tables(&office), before.1);

    let cms = open(&office).unwrap();
    let log = cms.audit(None).unwrap();
    let last = log.last().unwrap();
    assert_eq!((last.outcome, last.card, last.detail.as_str()), (Outcome::Refused, Some(1), error.as_str()));
    assert!(spilled(&office).is_empty());
    update(&mut office.cms(), &mut card).unwrap();
}

#[test]
fn a_line_of_the_log_that_was_cut_off_is_left_out() {
    let office = Office::new();
    let whole = r#"{"time":"2026-01-05T09:00:00Z","operator":"tester","action":"open","card":null,"request":null,"outcome":"refused","detail":"locked"}"#;
    fs::write(office.file("cms.db.audit"), format!("{whole}\n{}", &whole[..40])).unwrap();
    let log = open(&office).unwrap().audit(None).unwrap();
    assert_eq!(log.iter().filter(|entry| entry.detail == "locked").count(), 1);
    assert!(spilled(&office).is_empty());
}

#[test]
fn a_file_of_another_program_is_refused_and_not_touched() {
    let office = Office::new();
    fs::remove_file(office.database()).unwrap();
    for journal in ["delete", "wal"] {
        let other = Connection::open(office.database()).unwrap();
        other.pragma_update(None, "journal_mode", journal).unwrap();
        other.execute_batch("CREATE TABLE theirs (value TEXT)").unwrap();
        other.close().unwrap();
        let before = fs::read(office.database()).unwrap();
        let error = open(&office).err().unwrap().to_string();
        assert!(error.ends_with("is no database of `vreader cms`"), "{error}");
        assert_eq!(fs::read(office.database()).unwrap(), before, "{journal}");
        assert!(spilled(&office).last().unwrap().contains("is no database of"));
        fs::remove_file(office.database()).unwrap();
    }
    fs::write(
        office.database(),
        "a letter to a friend, longer than the header of a database would be\n".repeat(20),
    )
    .unwrap();
    assert!(matches!(open(&office), Err(CmsError::Database(DatabaseError::Foreign(_)))));
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let (office, ..) = to_be_renewed();
    let connection = Connection::open(office.database()).unwrap();
    connection.pragma_update(None, "user_version", VERSION + 1).unwrap();
    connection.close().unwrap();
    let before = tables(&office);
    let error = open(&office).err().unwrap();
    let CmsError::Database(DatabaseError::Newer { found, .. }) = &error else { panic!("{error}") };
    assert_eq!(*found, VERSION + 1);
    assert!(error.to_string().contains("use a newer vreader"));
    assert_eq!(tables(&office), before);
    let spilled = spilled(&office);
    assert!(spilled[0].contains(&format!("has version {}", VERSION + 1)), "{spilled:?}");

    let connection = Connection::open(office.database()).unwrap();
    connection.pragma_update(None, "user_version", VERSION).unwrap();
    connection.close().unwrap();
    let log = open(&office).unwrap().audit(None).unwrap();
    assert!(log.last().unwrap().detail.contains("has version"));
}

#[test]
fn a_database_that_is_missing_is_not_made() {
    let office = Office::new();
    let path = office.file("other.db");
    let error = Cms::open(&path, Clock::At(office.now), "tester", Duration::ZERO).err().unwrap();
    assert!(error.to_string().starts_with("there is no database "), "{error}");
    assert!(!path.exists() && !office.file("other.db.audit").exists());
    let error = Cms::create(&office.database(), Clock::At(office.now), "tester", None).err().unwrap();
    assert!(error.to_string().contains("exists already"), "{error}");
}

/// Writes over the file where a page begins, and leaves nothing in the journal that would repair it.
fn damage(office: &Office, at: u64) {
    let connection = Connection::open(office.database()).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    connection.close().unwrap();
    let file = fs::OpenOptions::new().write(true).open(office.database()).unwrap();
    file.write_all_at(&[0xA5; 64], at).unwrap();
}

/// The first page of a table.
fn page_of(office: &Office, table: &str) -> u64 {
    let connection = Connection::open(office.database()).unwrap();
    let number = |text: &str| connection.query_row(text, [], |row| row.get::<_, i64>(0)).unwrap();
    let root = number(&format!("SELECT rootpage FROM sqlite_master WHERE name = '{table}'"));
    u64::try_from((root - 1) * number("PRAGMA page_size")).unwrap()
}

#[test]
fn a_damaged_page_is_refused_by_whatever_reads_it() {
    for table in ["card", "request", "credential", "authority", "placement"] {
        let (office, mut card, _) = to_be_renewed();
        let page = page_of(&office, table);
        damage(&office, page);
        let before = image(&mut card);
        let mut cms = open(&office).unwrap();
        let error = cms.database().check().unwrap_err().to_string();
        assert!(
            error.contains("is damaged (") && error.ends_with("restore it from a copy"),
            "{table}: {error}"
        );
        let error = update(&mut cms, &mut card).unwrap_err().to_string();
        assert!(error.contains("is damaged ("), "{table}: {error}");
        assert!(image(&mut card) == before, "{table}: the card was changed");
        let log = cms.audit(None).unwrap();
        assert_eq!(log.last().unwrap().detail, error, "{table}");
    }
}

#[test]
fn a_damaged_header_is_refused_when_the_database_is_opened() {
    let (office, ..) = to_be_renewed();
    damage(&office, 0);
    let error = open(&office).err().unwrap();
    assert!(matches!(error, CmsError::Database(DatabaseError::Foreign(_))), "{error}");
    assert_eq!(spilled(&office).len(), 1);
}

#[test]
fn values_that_nobody_wrote_here_are_damage() {
    for change in [
        "UPDATE card SET state = 'LENT OUT'",
        "UPDATE card SET identity = 'somebody''s card' WHERE id = 1",
        "UPDATE card SET management_key = x'00'",
        "UPDATE card SET expires = '2026-02-30'",
        "UPDATE request SET kind = 'repair'",
        "UPDATE request SET created = -1",
        "UPDATE credential SET state = 'LOST'",
        "UPDATE authority SET private_key = x'00'",
    ] {
        let (office, ..) = to_be_renewed();
        let connection = Connection::open(office.database()).unwrap();
        assert!(connection.execute(change, []).unwrap() > 0, "{change}");
        let cms = open(&office).unwrap();
        let read = || {
            cms.cards()?;
            cms.requests()?;
            cms.credentials(1)?;
            cms.authorities()
        };
        let Err(error) = read() else { panic!("{change}") };
        assert!(error.to_string().contains("is damaged ("), "{change}: {error}");
    }
}

#[test]
fn a_database_that_was_removed_takes_nothing_more() {
    let (office, mut card, id) = to_be_renewed();
    let before = format!("{:?}", report(&mut card));
    let mut cms = office.cms();
    fs::rename(office.database(), office.file("away")).unwrap();
    let error = update(&mut cms, &mut card).unwrap_err().to_string();
    assert!(error.contains("was removed, or another file was put in its place"), "{error}");
    assert!(spilled(&office)[0].contains("was removed"), "the log has it when the database is put back");
    // Another one has taken its place.
    drop(Cms::create(&office.database(), Clock::At(office.now), "tester", None).unwrap());
    let error = cms.request(&Wish::new(id, RequestKind::Lock, Reason::None)).err().unwrap();
    assert!(matches!(error, CmsError::Database(DatabaseError::Removed(_))), "{error}");
    assert_eq!(format!("{:?}", report(&mut card)), before);
    assert!(office.cms().cards().unwrap().is_empty(), "the other one was not written to");
}

#[test]
fn a_clock_may_go_back_for_two_minutes() {
    let (mut office, mut card, _) = to_be_renewed();
    let last = office.now;
    office.now = vreader::clock::Time::from_seconds(last.seconds() - 121);
    let words = format!("the clock says {}, but the last entry of the audit log is of {last}", office.now);
    refused(&office, &mut card, &words, update);
    let connection = Connection::open(office.database()).unwrap();
    let latest = connection.query_row("SELECT MAX(time) FROM audit", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(
        u64::try_from(latest).unwrap(),
        last.seconds(),
        "the refusal stands at the time of the entry before"
    );
    office.now = vreader::clock::Time::from_seconds(last.seconds() - 120);
    update(&mut office.cms(), &mut card).unwrap();
    assert!(Database::open(&office.database(), Duration::ZERO).is_ok());
}
