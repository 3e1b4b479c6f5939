//! Cards.

use card_sim::key::{SymmetricAlgorithm, SymmetricKey};
use rusqlite::{Connection, OptionalExtension, Row, params};
use zeroize::Zeroizing;

use super::{broken, named, parsed};
use crate::{
    card_client::{CardIdentity, Reference},
    cms::state::DeviceState,
    issue::{CardNumbers, Date, fascn::Fascn, uuid::Uuid},
};

/// A card.
pub struct CardRow {
    /// Number in the database.
    pub id: i64,
    /// By what the card is known.
    pub identity: CardIdentity,
    /// State.
    pub state: DeviceState,
    /// Whose it is.
    pub holder: Option<i64>,
    /// First day.
    pub issued: Option<Date>,
    /// Last day.
    pub expires: Option<Date>,
    /// FASC-N and GUID.
    pub numbers: Option<CardNumbers>,
    /// Card management key, 9B.
    pub management_key: SymmetricKey,
    /// PUK, if the card has one that is known.
    pub puk: Option<Reference>,
    /// The PUK that is being set.
    pub next_puk: Option<Reference>,
    /// Why it is suspended.
    pub suspended_for: Option<Suspension>,
    /// The card in whose place it is.
    pub replaces: Option<i64>,
    /// It is for some days only.
    pub temporary: bool,
    /// The PIV Authentication credential that is on the card, and hidden.
    pub hidden: Option<i64>,
}

/// Why a card is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspension {
    /// It was locked.
    Lock,
    /// A replacement was requested.
    Replacement,
}

impl Suspension {
    const fn name(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Replacement => "replacement",
        }
    }

    fn find(name: &str) -> Option<Self> {
        [Self::Lock, Self::Replacement].into_iter().find(|value| value.name() == name)
    }
}

/// The last 14 bytes of a card identifier.
pub(in crate::cms) fn card_id(identity: &CardIdentity) -> [u8; 14] {
    match identity {
        CardIdentity::CardIdentifier(bytes) => bytes.last_chunk().copied().unwrap_or_default(),
        CardIdentity::Serial(number) => {
            let mut id = [0; 14];
            if let Some(end) = id.last_chunk_mut() {
                *end = number.to_be_bytes();
            }
            id
        }
        CardIdentity::Guid(guid) => guid.last_chunk().copied().unwrap_or_default(),
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<CardRow> {
    let identity: Option<CardIdentity> = parsed(row, "identity")?;
    let identity = identity.ok_or_else(|| broken("card.identity"))?;
    let reference = |column: &'static str| {
        let value: Option<Vec<u8>> = row.get(column)?;
        let fixed = |value: Vec<u8>| {
            Zeroizing::new(value).as_slice().try_into().map(Zeroizing::new).map_err(|_| broken(column))
        };
        value.map(fixed).transpose()
    };
    let key: Zeroizing<Vec<u8>> = Zeroizing::new(row.get("management_key")?);
    let algorithm = SymmetricAlgorithm::from_id(row.get("management_algorithm")?);
    let key = algorithm.and_then(|algorithm| SymmetricKey::new(algorithm, &key));
    let suspended: Option<String> = row.get("suspended_for")?;
    Ok(CardRow {
        id: row.get("id")?,
        state: named(row, "state", DeviceState::find)?,
        holder: row.get("holder")?,
        issued: parsed(row, "issued")?,
        expires: parsed(row, "expires")?,
        numbers: numbers(row, &identity)?,
        management_key: key.ok_or_else(|| broken("card.management_key"))?,
        puk: reference("puk")?,
        next_puk: reference("next_puk")?,
        suspended_for: suspended.as_deref().and_then(Suspension::find),
        replaces: row.get("replaces")?,
        temporary: row.get("temporary")?,
        hidden: row.get("hidden")?,
        identity,
    })
}

fn numbers(row: &Row<'_>, identity: &CardIdentity) -> rusqlite::Result<Option<CardNumbers>> {
    let fascn: Option<Vec<u8>> = row.get("fascn")?;
    let guid: Option<Vec<u8>> = row.get("guid")?;
    let (Some(fascn), Some(guid)) = (fascn, guid) else { return Ok(None) };
    Ok(Some(CardNumbers {
        fascn: Fascn::decode(&fascn).map_err(|_| broken("card.fascn"))?,
        fascn_bytes: fascn.try_into().map_err(|_| broken("card.fascn"))?,
        guid: Uuid(guid.try_into().map_err(|_| broken("card.guid"))?),
        card_id: card_id(identity),
    }))
}

impl CardRow {
    /// Writes a new card in stock; the number that it got.
    pub(in crate::cms) fn insert(
        connection: &Connection,
        identity: &CardIdentity,
        management_key: &SymmetricKey,
        puk: Option<&Reference>,
    ) -> rusqlite::Result<i64> {
        connection.execute(
            "INSERT INTO card (identity, state, management_algorithm, management_key, puk) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                identity.to_string(),
                DeviceState::Available.name(),
                management_key.algorithm().id(),
                management_key.material(),
                puk.map(|puk| puk.to_vec())
            ],
        )?;
        Ok(connection.last_insert_rowid())
    }

    pub(in crate::cms) fn find(connection: &Connection, id: i64) -> rusqlite::Result<Option<Self>> {
        connection.query_row("SELECT * FROM card WHERE id = ?1", [id], read).optional()
    }

    pub(in crate::cms) fn by_identity(
        connection: &Connection,
        identity: &CardIdentity,
    ) -> rusqlite::Result<Option<Self>> {
        let statement = "SELECT * FROM card WHERE identity = ?1";
        connection.query_row(statement, [identity.to_string()], read).optional()
    }

    pub(in crate::cms) fn all(connection: &Connection) -> rusqlite::Result<Vec<Self>> {
        connection.prepare("SELECT * FROM card ORDER BY id")?.query_map([], read)?.collect()
    }

    /// The card that was issued in this one's place, or is to be, and is not at its end.
    pub(in crate::cms) fn replacement_of(connection: &Connection, id: i64) -> rusqlite::Result<Option<Self>> {
        let statement = "SELECT * FROM card WHERE replaces = ?1 AND state <> ?2";
        connection.query_row(statement, params![id, DeviceState::Terminated.name()], read).optional()
    }

    /// Writes everything of the card that may change.
    pub(in crate::cms) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute(
            "UPDATE card SET state = ?2, holder = ?3, issued = ?4, expires = ?5, fascn = ?6, guid = ?7, puk = ?8, \
             next_puk = ?9, suspended_for = ?10, replaces = ?11, temporary = ?12, hidden = ?13 WHERE id = ?1",
            params![
                self.id,
                self.state.name(),
                self.holder,
                self.issued.map(|day| day.to_string()),
                self.expires.map(|day| day.to_string()),
                self.numbers.as_ref().map(|numbers| numbers.fascn_bytes),
                self.numbers.as_ref().map(|numbers| numbers.guid.0),
                self.puk.as_ref().map(|puk| puk.to_vec()),
                self.next_puk.as_ref().map(|puk| puk.to_vec()),
                self.suspended_for.map(Suspension::name),
                self.replaces,
                self.temporary,
                self.hidden,
            ],
        )?;
        Ok(())
    }

    /// What people call it.
    pub fn name(&self) -> String {
        name(self.id)
    }
}

/// What people call the card with this number.
pub(in crate::cms) fn name(id: i64) -> String {
    format!("card {id}")
}
