//! The audit log: every action with its outcome.
//!
//! An action that is done writes its own line, in the transaction of its change. A refusal is written by [`Cms::audited`]. When the
//! database itself is what refuses (locked, damaged, of a newer version), the line goes to `FILE.audit`, one JSON object a line, and the next
//! run that can opens the database takes it in.

use std::{
    fs,
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Cms, CmsError,
    database::{AuditEntry, Outcome},
};
use crate::clock::Time;

/// How far a clock may go back before it counts: machines set their clocks.
const TOLERANCE: Duration = Duration::from_mins(2);

impl Cms {
    /// Runs an action whose refusal goes to the log. An action inside another logs for both.
    pub(super) fn audited<T>(
        &mut self,
        action: &str,
        card: Option<i64>,
        work: impl FnOnce(&mut Self) -> Result<T, CmsError>,
    ) -> Result<T, CmsError> {
        let outermost = !self.logging;
        self.logging = true;
        if card.is_some() {
            self.subject = card;
        }
        let result = self.check_clock().and_then(|()| work(self));
        if !outermost {
            return result;
        }
        let result = result.map_err(|error| match error {
            CmsError::Database(error) => CmsError::Database(self.database.explain(error)),
            other => other,
        });
        self.logging = false;
        let subject = self.subject.take();
        if let Err(error) = &result {
            let entry = refusal(self.now(), &self.operator, action, subject, error);
            let written = self.database.write(|connection| Ok::<_, CmsError>(entry.insert(connection)?));
            if written.is_err() {
                write_beside(self.database.path(), &entry);
            }
        }
        result
    }

    /// Writes a line about something that was done.
    pub(super) fn note(&mut self, action: &str, card: Option<i64>, detail: &str) -> Result<(), CmsError> {
        let entry = self.done(action, card, None, detail);
        self.database.write(|connection| Ok(entry.insert(connection)?))
    }

    /// A line about something that was done.
    pub(super) fn done(
        &self,
        action: &str,
        card: Option<i64>,
        request: Option<i64>,
        detail: &str,
    ) -> AuditEntry {
        AuditEntry {
            time: self.now(),
            operator: self.operator.clone(),
            action: action.to_owned(),
            card,
            request,
            outcome: Outcome::Done,
            detail: detail.to_owned(),
        }
    }

    /// That the clock was not set back behind the last entry.
    fn check_clock(&self) -> Result<(), CmsError> {
        let now = self.now();
        match self.database.read(AuditEntry::last_time)? {
            Some(last) if last.since(now) > TOLERANCE => Err(CmsError::ClockSetBack { now, last }),
            _ => Ok(()),
        }
    }

    /// The log, of one card or of all.
    pub fn audit(&self, card: Option<i64>) -> Result<Vec<AuditEntry>, CmsError> {
        Ok(self.database.read(|connection| AuditEntry::all(connection, card))?)
    }

    /// Takes the lines in that could not be written to the database.
    pub(super) fn take_in_spilled(&mut self) {
        let path = spilled(self.database.path());
        let Ok(text) = fs::read_to_string(&path) else { return };
        // Lines that are no entries were cut off by a loss of power.
        let entries: Vec<AuditEntry> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let taken = self.database.write(|connection| {
            for entry in &entries {
                entry.insert(connection)?;
            }
            Ok::<_, CmsError>(())
        });
        if taken.is_ok() {
            // Twice in the log would be no harm; a line that is lost would be.
            let _ = fs::remove_file(path);
        }
    }
}

/// The line about a refusal.
pub(super) fn refusal(
    time: Time,
    operator: &str,
    action: &str,
    card: Option<i64>,
    error: &CmsError,
) -> AuditEntry {
    // A clock that was set back does not make the log go back.
    let time = match error {
        CmsError::ClockSetBack { last, .. } => *last,
        _ => time,
    };
    AuditEntry {
        time,
        operator: operator.to_owned(),
        action: action.to_owned(),
        card,
        request: None,
        outcome: Outcome::Refused,
        detail: error.to_string(),
    }
}

fn spilled(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".audit");
    path.into()
}

/// Writes a line beside a database that cannot be opened. Nothing is made where there is no database.
pub(super) fn spill(database: &Path, entry: &AuditEntry) {
    if database.exists() {
        write_beside(database, entry);
    }
}

/// Writes a line beside a database that takes none, or that somebody removed and may put back.
fn write_beside(database: &Path, entry: &AuditEntry) {
    let written = serde_json::to_string(entry).map_err(std::io::Error::other).and_then(|line| {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(spilled(database))?;
        writeln!(file, "{line}")
    });
    if let Err(error) = written {
        tracing::error!(%error, action = entry.action, "a line of the audit log could not be written");
    }
}
