//! The database: one file, SQLite, one table a thing (`schema.sql`).
//!
//! Promises: what is committed survives a loss of power (`synchronous = FULL`); a file that is another program's, damaged, or of a
//! newer version is refused before it is touched; a database that somebody else writes to is waited for, and then refused with
//! [`DatabaseError::Locked`]. The file is for its owner only: it holds keys.

mod audit;
mod authority;
mod card;
mod credential;
mod holder;
mod request;
mod session;

use std::{
    fs,
    fs::OpenOptions,
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};

pub use self::{
    audit::{AuditEntry, Outcome},
    authority::{AuthorityRow, Role},
    card::{CardRow, Suspension},
    credential::CredentialRow,
    holder::HolderRow,
    request::RequestRow,
    session::SessionRow,
};
pub(super) use self::{
    authority::{NewAuthority, keep, kept},
    card::card_id,
    credential::{NewCredential, clear, place, placed, seconds},
    request::NewRequest,
    session::NewSession,
};

/// The version of the tables that this program reads and writes.
pub const VERSION: i64 = 1;

/// `VCMS`: how SQLite's header says whose file it is.
const APPLICATION: i64 = 0x5643_4D53;

/// Why the database does not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// There is no such file.
    #[error("there is no database {}; make one with `vreader cms init`, or name another with --db", .0.display())]
    Missing(PathBuf),
    /// There is such a file already.
    #[error("{} exists already; `vreader cms init` makes a new database only", .0.display())]
    Exists(PathBuf),
    /// The file cannot be made.
    #[error("cannot make the database {}: {source}", path.display())]
    Create {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Somebody else writes to it, and does not come to an end.
    #[error(
        "the database {} is locked: another program has been writing to it for {waited:?}; try again when it is done",
        path.display()
    )]
    Locked {
        /// Which file.
        path: PathBuf,
        /// How long this program waited.
        waited: Duration,
    },
    /// It is damaged.
    #[error("the database {} is damaged ({detail}); restore it from a copy", path.display())]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What SQLite found.
        detail: String,
    },
    /// It is not there any more.
    #[error(
        "the database {} was removed, or another file was put in its place, while this program had it open: nothing more is written to it; \
         put it back, or begin again with the new one",
        .0.display()
    )]
    Removed(PathBuf),
    /// It is a file of another program.
    #[error("{} is no database of `vreader cms`", .0.display())]
    Foreign(PathBuf),
    /// It is of a newer version.
    #[error(
        "the database {} has version {found}, and this program knows versions up to {VERSION}; use a newer vreader",
        path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// SQLite says no.
    #[error("the database says: {0}")]
    Sqlite(rusqlite::Error),
}

/// A database that is open.
pub struct Database {
    connection: Connection,
    path: PathBuf,
    patience: Duration,
    /// Which file it is: device and number, as the system has them.
    file: (u64, u64),
}

impl Database {
    /// How long a database is waited for that somebody else writes to.
    pub const PATIENCE: Duration = Duration::from_secs(2);

    /// Makes a new one.
    pub fn create(path: &Path) -> Result<Self, DatabaseError> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        file.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => DatabaseError::Exists(path.to_owned()),
            _ => DatabaseError::Create { path: path.to_owned(), source },
        })?;
        let mut database = Self::connect(path, Self::PATIENCE)?;
        database.settle()?;
        let tables = |transaction: &Transaction<'_>| {
            transaction.execute_batch(include_str!("schema.sql"))?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", VERSION)
        };
        let made = database.connection.transaction().and_then(|transaction| {
            tables(&transaction)?;
            transaction.commit()
        });
        made.map_err(|error| database.error(error))?;
        Ok(database)
    }

    /// Opens one. `patience` is how long it is waited for when somebody else writes to it.
    pub fn open(path: &Path, patience: Duration) -> Result<Self, DatabaseError> {
        if !path.exists() {
            return Err(DatabaseError::Missing(path.to_owned()));
        }
        let database = Self::connect(path, patience)?;
        let number = |name| database.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let [application, version] = ["application_id", "user_version"]
            .map(|name| number(name).map_err(|error| database.error(error)));
        match (application?, version?) {
            (APPLICATION, VERSION) => {
                database.settle()?;
                Ok(database)
            }
            (APPLICATION, found) if found > VERSION => {
                Err(DatabaseError::Newer { path: path.to_owned(), found })
            }
            _ => Err(DatabaseError::Foreign(path.to_owned())),
        }
    }

    /// Opens a file, and changes nothing in it.
    fn connect(path: &Path, patience: Duration) -> Result<Self, DatabaseError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let failed = |error| translate(error, path, patience);
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(patience).map_err(failed)?;
        let file = identify(path).ok_or_else(|| DatabaseError::Missing(path.to_owned()))?;
        Ok(Self { connection, path: path.to_owned(), patience, file })
    }

    /// Settings, of which one is written into the file: it has to be known by now whose it is.
    fn settle(&self) -> Result<(), DatabaseError> {
        self.read(|connection| {
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "secure_delete", true)
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads every page, and every row against the tables' rules.
    pub fn check(&self) -> Result<(), DatabaseError> {
        let answer: String =
            self.read(|connection| connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)))?;
        if answer == "ok" {
            Ok(())
        } else {
            Err(DatabaseError::Corrupt { path: self.path.clone(), detail: answer })
        }
    }

    /// Asks the database something.
    pub fn read<T>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, DatabaseError> {
        question(&self.connection).map_err(|error| self.error(error))
    }

    /// Changes the database: all of it or, after an error, nothing.
    pub fn write<T, E: From<DatabaseError>>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.is_removed() {
            // A file that has no name any more would take everything, and keep nothing.
            return Err(DatabaseError::Removed(self.path.clone()).into());
        }
        let (path, patience) = (&self.path, self.patience);
        let failed = |error| E::from(translate(error, path, patience));
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let result = change(&transaction)?;
        transaction.commit().map_err(failed)?;
        Ok(result)
    }

    fn error(&self, error: rusqlite::Error) -> DatabaseError {
        if self.is_removed() {
            return DatabaseError::Removed(self.path.clone());
        }
        translate(error, &self.path, self.patience)
    }

    fn is_removed(&self) -> bool {
        identify(&self.path) != Some(self.file)
    }

    /// What an error inside a change says of the database.
    pub(super) fn explain(&self, error: DatabaseError) -> DatabaseError {
        match error {
            DatabaseError::Sqlite(error) => self.error(error),
            other => other,
        }
    }

    /// A setting.
    pub fn setting(&self, name: &str) -> Result<Option<String>, DatabaseError> {
        self.read(|connection| {
            connection
                .query_row("SELECT value FROM setting WHERE name = ?1", [name], |row| row.get(0))
                .optional()
        })
    }

    /// Sets a setting.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), DatabaseError> {
        self.write(|transaction| {
            let statement = "INSERT INTO setting VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
            transaction.execute(statement, [name, value])?;
            Ok::<_, DatabaseError>(())
        })
    }
}

/// Device and number of a file.
fn identify(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn translate(error: rusqlite::Error, path: &Path, waited: Duration) -> DatabaseError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => DatabaseError::Locked { path, waited },
        Some(ErrorCode::DatabaseCorrupt) => DatabaseError::Corrupt { path, detail: error.to_string() },
        Some(ErrorCode::NotADatabase) => DatabaseError::Foreign(path),
        None if is_misread(&error) => DatabaseError::Corrupt { path, detail: error.to_string() },
        _ => DatabaseError::Sqlite(error),
    }
}

/// A value that was there, and is none that this program ever writes.
fn is_misread(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    matches!(
        error,
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..)
    )
}

/// Reads a state or kind from its name.
fn named<T>(
    row: &rusqlite::Row<'_>,
    column: &str,
    find: impl Fn(&str) -> Option<T>,
) -> Result<T, rusqlite::Error> {
    let name: String = row.get(column)?;
    find(&name).ok_or_else(|| {
        let error = format!("'{name}' is no value of {column}");
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
    })
}

/// Reads a value that is written as text, as days and identities are.
fn parsed<T: std::str::FromStr>(row: &rusqlite::Row<'_>, column: &str) -> Result<Option<T>, rusqlite::Error> {
    let text: Option<String> = row.get(column)?;
    let parse = |text: String| {
        text.parse().map_err(|_| {
            let error = format!("'{text}' is no value of {column}");
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
        })
    };
    text.map(parse).transpose()
}

/// A value that breaks a rule of the tables.
fn broken(column: &'static str) -> rusqlite::Error {
    let error = format!("the value of {column} cannot be read");
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, error.into())
}
