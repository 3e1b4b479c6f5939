//! Credentials: certificates, and where their keys are.

use card_sim::key::KeyReference;
use der::Decode;
use rusqlite::{Connection, OptionalExtension, Row, params};
use x509_cert::Certificate;

use super::{broken, named};
use crate::{
    clock::Time,
    cms::state::{CredentialState, Reason},
};

/// A certificate that was issued.
#[derive(Clone)]
pub struct CredentialRow {
    /// Number in the database.
    pub id: i64,
    /// For which card it was issued.
    pub card: i64,
    /// Who issued it.
    pub authority: i64,
    /// In DER.
    pub certificate: Vec<u8>,
    /// Serial number in hex.
    pub serial: String,
    /// Its last second.
    pub not_after: Time,
    /// State.
    pub state: CredentialState,
    /// Why it is on hold or revoked.
    pub reason: Reason,
    /// Since when it is in its state.
    pub since: Time,
    /// The private key, if it is kept.
    pub escrow: Option<i64>,
}

/// What a new row is made of.
pub(in crate::cms) struct NewCredential<'a> {
    pub(in crate::cms) card: i64,
    pub(in crate::cms) authority: i64,
    pub(in crate::cms) certificate: &'a [u8],
    pub(in crate::cms) since: Time,
    pub(in crate::cms) escrow: Option<i64>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<CredentialRow> {
    let time = |column: &'static str| {
        let seconds: i64 = row.get(column)?;
        u64::try_from(seconds).map(Time::from_seconds).map_err(|_| broken(column))
    };
    Ok(CredentialRow {
        id: row.get("id")?,
        card: row.get("card")?,
        authority: row.get("authority")?,
        certificate: row.get("certificate")?,
        serial: row.get("serial")?,
        not_after: time("not_after")?,
        state: named(row, "state", CredentialState::find)?,
        reason: named(row, "reason", Reason::find)?,
        since: time("since")?,
        escrow: row.get("escrow")?,
    })
}

/// Serial number in hex and last second of a certificate.
pub(in crate::cms) fn facts(der: &[u8]) -> Result<(String, Time), der::Error> {
    let certificate = Certificate::from_der(der)?;
    let tbs = certificate.tbs_certificate();
    let serial = hex::encode_upper(tbs.serial_number().as_bytes());
    let last = tbs.validity().not_after.to_unix_duration().as_secs();
    Ok((serial, Time::from_seconds(last)))
}

impl CredentialRow {
    /// Writes a new credential, in the state ISSUED; the number that it got.
    pub(in crate::cms) fn insert(connection: &Connection, new: &NewCredential<'_>) -> rusqlite::Result<i64> {
        let (serial, not_after) = facts(new.certificate).map_err(|_| broken("credential.certificate"))?;
        connection.execute(
            "INSERT INTO credential (card, authority, certificate, serial, not_after, state, reason, since, escrow) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                new.card,
                new.authority,
                new.certificate,
                serial,
                seconds(not_after),
                CredentialState::Issued.name(),
                Reason::None.name(),
                seconds(new.since),
                new.escrow
            ],
        )?;
        Ok(connection.last_insert_rowid())
    }

    pub(in crate::cms) fn find(connection: &Connection, id: i64) -> rusqlite::Result<Option<Self>> {
        connection.query_row("SELECT * FROM credential WHERE id = ?1", [id], read).optional()
    }

    /// All that were issued for a card, the oldest first.
    pub(in crate::cms) fn of_card(connection: &Connection, card: i64) -> rusqlite::Result<Vec<Self>> {
        let mut statement =
            connection.prepare_cached("SELECT * FROM credential WHERE card = ?1 ORDER BY id")?;
        statement.query_map([card], read)?.collect()
    }

    /// All of an authority that are on hold or revoked.
    pub(in crate::cms) fn not_good(connection: &Connection, authority: i64) -> rusqlite::Result<Vec<Self>> {
        let statement = "SELECT * FROM credential WHERE authority = ?1 AND state <> ?2 ORDER BY serial";
        let mut statement = connection.prepare(statement)?;
        statement.query_map(params![authority, CredentialState::Issued.name()], read)?.collect()
    }

    /// The one with this serial number, in hex.
    pub(in crate::cms) fn by_serial(
        connection: &Connection,
        authority: i64,
        serial: &str,
    ) -> rusqlite::Result<Option<Self>> {
        let statement = "SELECT * FROM credential WHERE authority = ?1 AND serial = ?2";
        connection.query_row(statement, params![authority, serial], read).optional()
    }

    /// Writes the state.
    pub(in crate::cms) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute(
            "UPDATE credential SET state = ?2, reason = ?3, since = ?4 WHERE id = ?1",
            params![self.id, self.state.name(), self.reason.name(), seconds(self.since)],
        )?;
        Ok(())
    }
}

/// What is on a card, in the order of its key references.
pub(in crate::cms) fn placed(
    connection: &Connection,
    card: i64,
) -> rusqlite::Result<Vec<(KeyReference, CredentialRow)>> {
    let mut statement = connection.prepare_cached(
        "SELECT placement.slot, credential.* FROM placement JOIN credential ON credential.id = placement.credential \
         WHERE placement.card = ?1 ORDER BY placement.slot",
    )?;
    let both = |row: &Row<'_>| {
        let slot = KeyReference::from_byte(row.get("slot")?).ok_or_else(|| broken("placement.slot"))?;
        Ok((slot, read(row)?))
    };
    statement.query_map([card], both)?.collect()
}

/// A credential is on a card, in the place of another.
pub(in crate::cms) fn place(
    connection: &Connection,
    card: i64,
    slot: KeyReference,
    credential: i64,
) -> rusqlite::Result<()> {
    let statement = "INSERT OR REPLACE INTO placement VALUES (?1, ?2, ?3)";
    connection.execute(statement, params![card, slot.to_byte(), credential])?;
    Ok(())
}

/// Nothing is in a slot of a card any more, or in all of them.
pub(in crate::cms) fn clear(
    connection: &Connection,
    card: i64,
    slot: Option<KeyReference>,
) -> rusqlite::Result<()> {
    let statement = "DELETE FROM placement WHERE card = ?1 AND (?2 IS NULL OR slot = ?2)";
    connection.execute(statement, params![card, slot.map(KeyReference::to_byte)])?;
    Ok(())
}

/// A time as the tables have it.
pub(in crate::cms) fn seconds(time: Time) -> i64 {
    // A `Time` ends in the year 9999.
    i64::try_from(time.seconds()).unwrap_or(i64::MAX)
}
