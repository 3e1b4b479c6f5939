//! Update sessions that are not at their end.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{broken, credential::seconds};
use crate::{
    clock::Time,
    cms::session::{Effect, Step},
};

/// An update session.
pub struct SessionRow {
    /// Number in the database.
    pub id: i64,
    /// On which card.
    pub card: i64,
    /// By which request.
    pub request: i64,
    /// What is being done.
    pub action: String,
    /// Who does it.
    pub operator: String,
    /// Since when.
    pub started: Time,
    /// How often it was begun.
    pub attempts: u32,
    /// What the card is told.
    pub steps: Vec<Step>,
    /// What changes in the database at the end.
    pub effects: Vec<Effect>,
}

/// What a new row is made of.
pub(in crate::cms) struct NewSession<'a> {
    pub(in crate::cms) card: i64,
    pub(in crate::cms) request: i64,
    pub(in crate::cms) action: &'a str,
    pub(in crate::cms) operator: &'a str,
    pub(in crate::cms) started: Time,
    pub(in crate::cms) steps: &'a [Step],
    pub(in crate::cms) effects: &'a [Effect],
}

fn read(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    let (steps, effects): (String, String) = (row.get("steps")?, row.get("effects")?);
    let started: i64 = row.get("started")?;
    Ok(SessionRow {
        id: row.get("id")?,
        card: row.get("card")?,
        request: row.get("request")?,
        action: row.get("action")?,
        operator: row.get("operator")?,
        started: Time::from_seconds(u64::try_from(started).map_err(|_| broken("session.started"))?),
        attempts: row.get("attempts")?,
        steps: serde_json::from_str(&steps).map_err(|_| broken("session.steps"))?,
        effects: serde_json::from_str(&effects).map_err(|_| broken("session.effects"))?,
    })
}

impl SessionRow {
    /// Writes a new session; the number that it got.
    pub(in crate::cms) fn insert(connection: &Connection, new: &NewSession<'_>) -> rusqlite::Result<i64> {
        let json = |broken_as| move |_| broken(broken_as);
        connection.execute(
            "INSERT INTO session (card, request, action, operator, started, steps, effects) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                new.card,
                new.request,
                new.action,
                new.operator,
                seconds(new.started),
                serde_json::to_string(new.steps).map_err(json("session.steps"))?,
                serde_json::to_string(new.effects).map_err(json("session.effects"))?
            ],
        )?;
        Ok(connection.last_insert_rowid())
    }

    pub(in crate::cms) fn of_card(connection: &Connection, card: i64) -> rusqlite::Result<Option<Self>> {
        connection.query_row("SELECT * FROM session WHERE card = ?1", [card], read).optional()
    }

    pub(in crate::cms) fn all(connection: &Connection) -> rusqlite::Result<Vec<Self>> {
        connection.prepare("SELECT * FROM session ORDER BY id")?.query_map([], read)?.collect()
    }

    /// It is begun, for the first time or again.
    pub(in crate::cms) fn begin(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.attempts = self.attempts.saturating_add(1);
        connection
            .execute("UPDATE session SET attempts = ?2 WHERE id = ?1", params![self.id, self.attempts])?;
        Ok(())
    }

    /// The session is at its end.
    pub(in crate::cms) fn delete(connection: &Connection, id: i64) -> rusqlite::Result<()> {
        connection.execute("DELETE FROM session WHERE id = ?1", [id])?;
        Ok(())
    }

    /// The credential that a step made.
    pub(in crate::cms) fn credential(
        &self,
        connection: &Connection,
        step: usize,
    ) -> rusqlite::Result<Option<i64>> {
        let statement = "SELECT credential FROM session_credential WHERE session = ?1 AND step = ?2";
        connection.query_row(statement, params![self.id, number(step)], |row| row.get(0)).optional()
    }

    /// What a step made is of no use.
    pub(in crate::cms) fn forget(&self, connection: &Connection, step: usize) -> rusqlite::Result<()> {
        let statement = "DELETE FROM session_credential WHERE session = ?1 AND step = ?2";
        connection.execute(statement, params![self.id, number(step)])?;
        Ok(())
    }

    /// Remembers the credential that a step made, in the place of one before.
    pub(in crate::cms) fn remember(
        &self,
        connection: &Connection,
        step: usize,
        credential: i64,
    ) -> rusqlite::Result<()> {
        let statement = "INSERT OR REPLACE INTO session_credential VALUES (?1, ?2, ?3)";
        connection.execute(statement, params![self.id, number(step), credential])?;
        Ok(())
    }
}

fn number(step: usize) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}
