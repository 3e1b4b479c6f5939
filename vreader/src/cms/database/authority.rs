//! Those who sign certificates and objects, and the private keys that are kept for holders.

use card_sim::key::{AsymmetricAlgorithm, PrivateKey};
use rusqlite::{Connection, OptionalExtension, Row, params};
use zeroize::Zeroizing;

use super::{broken, named};
use crate::{cms::state::named as state_named, issue::Authority};

state_named! {
    /// What an authority does.
    Role {
        /// Certifies the other authorities.
        Root = "root",
        /// Issues certificates for cards.
        Issuing = "issuing",
        /// Signs the objects on cards.
        Signer = "signer",
        /// Issues certificates of Common Access Cards.
        Cac = "cac",
    }
}

/// Somebody who signs.
#[derive(Clone)]
pub struct AuthorityRow {
    /// Number in the database.
    pub id: i64,
    /// What it does.
    pub role: Role,
    /// Its distinguished name.
    pub name: String,
    /// Its certificate in DER.
    pub certificate: Vec<u8>,
    /// Certificate and private key, if the key is here.
    pub authority: Option<Authority>,
    /// It was revoked: since when, in seconds since 1970.
    pub revoked: Option<i64>,
    /// The number of the last revocation list.
    pub crl_number: i64,
}

/// What a new row is made of.
pub(in crate::cms) struct NewAuthority<'a> {
    pub(in crate::cms) role: Role,
    pub(in crate::cms) name: &'a str,
    pub(in crate::cms) authority: &'a Authority,
}

fn read(row: &Row<'_>) -> rusqlite::Result<AuthorityRow> {
    let certificate: Vec<u8> = row.get("certificate")?;
    let key = private_key(row)?;
    let authority = key.map(|key| Authority::new(certificate.clone(), key)).transpose();
    Ok(AuthorityRow {
        id: row.get("id")?,
        role: named(row, "role", Role::find)?,
        name: row.get("name")?,
        authority: authority.map_err(|_| broken("authority.certificate"))?,
        certificate,
        revoked: row.get("revoked")?,
        crl_number: row.get("crl_number")?,
    })
}

fn private_key(row: &Row<'_>) -> rusqlite::Result<Option<PrivateKey>> {
    let material: Option<Vec<u8>> = row.get("private_key")?;
    let Some(material) = material.map(Zeroizing::new) else { return Ok(None) };
    let algorithm = AsymmetricAlgorithm::from_id(row.get("algorithm")?);
    let key = algorithm.and_then(|algorithm| PrivateKey::from_material(algorithm, &material));
    key.map(Some).ok_or_else(|| broken("private_key"))
}

impl AuthorityRow {
    /// Writes a new authority, or finds the one of this name.
    pub(in crate::cms) fn insert(connection: &Connection, new: &NewAuthority<'_>) -> rusqlite::Result<i64> {
        if let Some(found) = Self::by_name(connection, new.name)? {
            return Ok(found.id);
        }
        let key = new.authority.key();
        connection.execute(
            "INSERT INTO authority (role, name, certificate, algorithm, private_key) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                new.role.name(),
                new.name,
                new.authority.certificate_der(),
                key.algorithm().id(),
                key.material()
            ],
        )?;
        Ok(connection.last_insert_rowid())
    }

    pub(in crate::cms) fn find(connection: &Connection, id: i64) -> rusqlite::Result<Option<Self>> {
        connection.query_row("SELECT * FROM authority WHERE id = ?1", [id], read).optional()
    }

    pub(in crate::cms) fn by_name(connection: &Connection, name: &str) -> rusqlite::Result<Option<Self>> {
        connection.query_row("SELECT * FROM authority WHERE name = ?1", [name], read).optional()
    }

    /// The one that this management system was made with.
    pub(in crate::cms) fn by_role(connection: &Connection, role: Role) -> rusqlite::Result<Option<Self>> {
        let statement = "SELECT * FROM authority WHERE role = ?1 ORDER BY id LIMIT 1";
        connection.query_row(statement, [role.name()], read).optional()
    }

    pub(in crate::cms) fn all(connection: &Connection) -> rusqlite::Result<Vec<Self>> {
        connection.prepare("SELECT * FROM authority ORDER BY id")?.query_map([], read)?.collect()
    }

    /// Writes what may change.
    pub(in crate::cms) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute(
            "UPDATE authority SET revoked = ?2, crl_number = ?3 WHERE id = ?1",
            params![self.id, self.revoked, self.crl_number],
        )?;
        Ok(())
    }

    /// Forgets the private key.
    pub(in crate::cms) fn forget_key(connection: &Connection, id: i64) -> rusqlite::Result<()> {
        connection.execute("UPDATE authority SET private_key = NULL WHERE id = ?1", [id])?;
        Ok(())
    }
}

/// Keeps a private key for its holder.
pub(in crate::cms) fn keep(connection: &Connection, holder: i64, key: &PrivateKey) -> rusqlite::Result<i64> {
    connection.execute(
        "INSERT INTO escrow (holder, algorithm, private_key) VALUES (?1, ?2, ?3)",
        params![holder, key.algorithm().id(), key.material()],
    )?;
    Ok(connection.last_insert_rowid())
}

/// A private key that was kept.
pub(in crate::cms) fn kept(connection: &Connection, id: i64) -> rusqlite::Result<PrivateKey> {
    let key = connection.query_row("SELECT * FROM escrow WHERE id = ?1", [id], private_key)?;
    key.ok_or_else(|| broken("escrow.private_key"))
}
