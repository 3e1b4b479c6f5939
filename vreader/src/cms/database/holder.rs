//! People.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::broken;
use crate::issue::{Person, uuid::Uuid};

/// A person who has cards, or will.
#[derive(Clone, Debug, Serialize)]
pub struct HolderRow {
    /// Number in the database.
    pub id: i64,
    /// Name as in certificates.
    pub name: String,
    /// Person identifier of the FASC-N; the EDIPI of a Common Access Card's holder.
    pub identifier: u64,
    /// Cardholder UUID.
    pub uuid: Uuid,
    /// Mail address.
    pub email: String,
    /// User principal name.
    pub principal_name: String,
}

const COLUMNS: &str = "SELECT id, name, identifier, uuid, email, principal_name FROM holder";

fn read(row: &Row<'_>) -> rusqlite::Result<HolderRow> {
    let uuid: Vec<u8> = row.get("uuid")?;
    let identifier: i64 = row.get("identifier")?;
    Ok(HolderRow {
        id: row.get("id")?,
        name: row.get("name")?,
        identifier: u64::try_from(identifier).map_err(|_| broken("holder.identifier"))?,
        uuid: Uuid(uuid.try_into().map_err(|_| broken("holder.uuid"))?),
        email: row.get("email")?,
        principal_name: row.get("principal_name")?,
    })
}

impl HolderRow {
    /// Writes a new holder; the number that it got.
    pub(in crate::cms) fn insert(connection: &Connection, person: &Person) -> rusqlite::Result<i64> {
        connection.execute(
            "INSERT INTO holder (name, identifier, uuid, email, principal_name) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                person.name,
                i64::try_from(person.identifier).unwrap_or(i64::MAX),
                person.uuid.0,
                person.email,
                person.principal_name
            ],
        )?;
        Ok(connection.last_insert_rowid())
    }

    pub(in crate::cms) fn find(connection: &Connection, id: i64) -> rusqlite::Result<Option<Self>> {
        connection.query_row(&format!("{COLUMNS} WHERE id = ?1"), [id], read).optional()
    }

    pub(in crate::cms) fn by_identifier(
        connection: &Connection,
        identifier: u64,
    ) -> rusqlite::Result<Option<Self>> {
        let identifier = i64::try_from(identifier).unwrap_or(i64::MAX);
        connection.query_row(&format!("{COLUMNS} WHERE identifier = ?1"), [identifier], read).optional()
    }

    pub(in crate::cms) fn all(connection: &Connection) -> rusqlite::Result<Vec<Self>> {
        connection.prepare(&format!("{COLUMNS} ORDER BY id"))?.query_map([], read)?.collect()
    }

    /// The same as a person of `issue`.
    pub fn person(&self) -> Person {
        Person {
            name: self.name.clone(),
            email: self.email.clone(),
            principal_name: self.principal_name.clone(),
            uuid: self.uuid,
            identifier: self.identifier,
        }
    }
}
