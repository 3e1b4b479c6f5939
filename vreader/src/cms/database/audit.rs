//! The audit log: everything that was done, and everything that was refused.

use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::{broken, credential::seconds, named};
use crate::{clock::Time, cms::state::named as state_named};

state_named! {
    /// How it ended.
    Outcome {
        /// Done.
        Done = "done",
        /// Begun; another entry says how it ended.
        Begun = "begun",
        /// Refused, or failed.
        Refused = "refused",
    }
}

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub time: Time,
    /// Who.
    pub operator: String,
    /// What was asked for.
    pub action: String,
    /// Number of the card, if it is a known one.
    pub card: Option<i64>,
    /// Number of the request.
    pub request: Option<i64>,
    /// How it ended.
    pub outcome: Outcome,
    /// What changed, or why it was refused.
    pub detail: String,
}

fn read(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let time: i64 = row.get("time")?;
    Ok(AuditEntry {
        time: Time::from_seconds(u64::try_from(time).map_err(|_| broken("audit.time"))?),
        operator: row.get("operator")?,
        action: row.get("action")?,
        card: row.get("card")?,
        request: row.get("request")?,
        outcome: named(row, "outcome", Outcome::find)?,
        detail: row.get("detail")?,
    })
}

impl AuditEntry {
    pub(in crate::cms) fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute(
            "INSERT INTO audit (time, operator, action, card, request, outcome, detail) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                seconds(self.time),
                self.operator,
                self.action,
                self.card,
                self.request,
                self.outcome.name(),
                self.detail
            ],
        )?;
        Ok(())
    }

    /// All entries, or those of one card, the oldest first.
    pub(in crate::cms) fn all(connection: &Connection, card: Option<i64>) -> rusqlite::Result<Vec<Self>> {
        let statement = "SELECT * FROM audit WHERE ?1 IS NULL OR card = ?1 ORDER BY id";
        connection.prepare(statement)?.query_map([card], read)?.collect()
    }

    /// The latest time of any entry.
    pub(in crate::cms) fn last_time(connection: &Connection) -> rusqlite::Result<Option<Time>> {
        let mut statement = connection.prepare_cached("SELECT MAX(time) FROM audit")?;
        let time: Option<i64> = statement.query_row([], |row| row.get(0))?;
        Ok(time.and_then(|time| u64::try_from(time).ok()).map(Time::from_seconds))
    }
}
