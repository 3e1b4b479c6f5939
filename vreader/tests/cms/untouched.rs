//! What is refused changes nothing: neither the card nor the database, but for the log, which has the reason.

use rusqlite::{Connection, Row, types::Value};
use vreader::{
    card_client::Line,
    cms::{
        Cms, CmsError, UpdateOptions, Updated, Wish,
        database::{Outcome, RequestRow},
        state::{Reason, RequestKind},
    },
    emulated::EmulatedCard,
};

use crate::support::{Office, PIN, access, blank_card, image, issue};

/// Does what is open for a card.
pub(crate) fn update(cms: &mut Cms, card: &mut EmulatedCard) -> Result<Updated, CmsError> {
    cms.update(&mut Line::local(card), &access(Some(PIN), None), &UpdateOptions::default())
}

/// A request that has to be made.
pub(crate) fn wish(cms: &mut Cms, card: i64, kind: RequestKind) -> RequestRow {
    cms.request(&Wish::new(card, kind, Reason::None)).unwrap()
}

/// All that the database has beside the log.
pub(crate) fn tables(office: &Office) -> Vec<String> {
    let connection = Connection::open(office.database()).unwrap();
    let query = |text: &str| -> Vec<Vec<Value>> {
        let mut statement = connection.prepare(text).unwrap();
        let columns = statement.column_count();
        let line = |row: &Row<'_>| (0..columns).map(|number| row.get(number)).collect();
        statement.query_map([], line).unwrap().map(Result::unwrap).collect()
    };
    let names = query("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'audit'");
    let names = names.into_iter().flatten().map(|name| match name {
        Value::Text(name) => name,
        other => panic!("a table is called {other:?}"),
    });
    names
        .flat_map(|name| query(&format!("SELECT '{name}', * FROM {name}")))
        .map(|row| format!("{row:?}"))
        .collect()
}

/// An attempt that has to be refused with these words. The card's flash is compared byte for byte, so the attempt may not get as far as
/// a VERIFY with the right PIN, which a card counts in its flash.
pub(crate) fn refused<T>(
    office: &Office,
    card: &mut EmulatedCard,
    words: &str,
    attempt: impl FnOnce(&mut Cms, &mut EmulatedCard) -> Result<T, CmsError>,
) {
    let before = (image(card), tables(office));
    let mut cms = office.cms();
    let error = match attempt(&mut cms, card) {
        Ok(_) => panic!("this was not refused: '{words}' was expected"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains(words), "'{error}' does not say '{words}'");
    assert!(image(card) == before.0, "{error}: the card was changed");
    assert_eq!(tables(office), before.1, "{error}: the database was changed");
    assert_logged(&cms, &error);
}

/// That the last line of the log is a refusal for this reason.
pub(crate) fn assert_logged(cms: &Cms, reason: &str) {
    let log = cms.audit(None).unwrap();
    let last = log.last().unwrap();
    assert_eq!((last.outcome, last.detail.as_str()), (Outcome::Refused, reason));
}

/// An office with one issued card for which a renewal is requested.
pub(crate) fn to_be_renewed() -> (Office, EmulatedCard, i64) {
    let office = Office::new();
    let (mut cms, mut card) = (office.cms(), blank_card(1));
    let id = issue(&mut cms, &mut card, "Dana Quincy Sample");
    wish(&mut cms, id, RequestKind::Renewal);
    (office, card, id)
}
