//! Requests: what is to be done to a card, by whose wish.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::{broken, credential::seconds, named};
use crate::{
    clock::Time,
    cms::state::{Reason, RequestKind, RequestState},
};

/// A request.
#[derive(Clone, Debug, Serialize)]
pub struct RequestRow {
    /// Number in the database.
    pub id: i64,
    /// For which card.
    pub card: i64,
    /// What for.
    pub kind: RequestKind,
    /// Why.
    pub reason: Reason,
    /// State.
    pub state: RequestState,
    /// Key references that it is about, in hex with blanks between; empty for all that apply.
    pub details: String,
    /// When it was made.
    pub created: Time,
    /// The last second in which it may be done.
    pub expires: Option<Time>,
    /// Who made it.
    pub operator: String,
}

/// What a new row is made of.
pub(in crate::cms) struct NewRequest<'a> {
    pub(in crate::cms) card: i64,
    pub(in crate::cms) kind: RequestKind,
    pub(in crate::cms) reason: Reason,
    pub(in crate::cms) state: RequestState,
    pub(in crate::cms) details: &'a str,
    pub(in crate::cms) created: Time,
    pub(in crate::cms) expires: Option<Time>,
    pub(in crate::cms) operator: &'a str,
}

fn read(row: &Row<'_>) -> rusqlite::Result<RequestRow> {
    let time =
        |seconds: i64| u64::try_from(seconds).map(Time::from_seconds).map_err(|_| broken("request.created"));
    let expires: Option<i64> = row.get("expires")?;
    Ok(RequestRow {
        id: row.get("id")?,
        card: row.get("card")?,
        kind: named(row, "kind", RequestKind::find)?,
        reason: named(row, "reason", Reason::find)?,
        state: named(row, "state", RequestState::find)?,
        details: row.get("details")?,
        created: time(row.get("created")?)?,
        expires: expires.map(time).transpose()?,
        operator: row.get("operator")?,
    })
}

impl RequestRow {
    /// Writes a new request; the number that it got.
    pub(in crate::cms) fn insert(connection: &Connection, new: &NewRequest<'_>) -> rusqlite::Result<i64> {
        connection.execute(
            "INSERT INTO request (card, kind, reason, state, details, created, expires, operator) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                new.card,
                new.kind.name(),
                new.reason.name(),
                new.state.name(),
                new.details,
                seconds(new.created),
                new.expires.map(seconds),
                new.operator
            ],
        )?;
        Ok(connection.last_insert_rowid())
    }

    pub(in crate::cms) fn find(connection: &Connection, id: i64) -> rusqlite::Result<Option<Self>> {
        connection.query_row("SELECT * FROM request WHERE id = ?1", [id], read).optional()
    }

    /// The one that is open for a card.
    pub(in crate::cms) fn open_of(connection: &Connection, card: i64) -> rusqlite::Result<Option<Self>> {
        let mut statement = connection
            .prepare_cached("SELECT * FROM request WHERE card = ?1 AND state IN ('PENDING', 'APPROVED')")?;
        statement.query_row([card], read).optional()
    }

    pub(in crate::cms) fn all(connection: &Connection) -> rusqlite::Result<Vec<Self>> {
        connection.prepare("SELECT * FROM request ORDER BY id")?.query_map([], read)?.collect()
    }

    /// Writes the state.
    pub(in crate::cms) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        let statement = "UPDATE request SET state = ?2 WHERE id = ?1";
        connection.execute(statement, params![self.id, self.state.name()])?;
        Ok(())
    }

    /// Whether its time is over.
    pub fn is_over(&self, now: Time) -> bool {
        self.expires.is_some_and(|last| now > last)
    }

    /// What people call it.
    pub fn name(&self) -> String {
        format!("request {} ({})", self.id, self.kind)
    }
}
