//! Card management: who has which card, what is on it, and what is to happen to it.
//!
//! | module | what |
//! |---|---|
//! | [`state`] | states, events, and the tables of what may follow what |
//! | [`database`] | the rows, in one SQLite file |
//! | [`session`] | update sessions: the change of a card and of the database as one unit |
//! | `authority`, [`publish`] | the test authority, its revocation lists and status answers |
//! | `action` | issue, renew, add, remove, lock, unlock, activate, replace, recycle, terminate |
//! | `request` | requests, and whether an update is pending |
//! | `audit` | the log of everything that was done or refused |
//!
//! Cards are spoken to through [`card_client`](crate::card_client) only, so that a card in `vreader run`, one in pcscd and a real
//! one are all the same. The one exception is [`Cms::produce`], a card maker's machine, which writes card files.
//!
//! Promises: what is refused changes nothing and is in the audit log with its reason; an update session that was interrupted is
//! brought to its end by the next run; one process at a time works on a card.

mod action;
mod audit;
mod authority;
pub mod database;
mod error;
pub mod publish;
mod request;
pub mod session;
pub mod state;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use card_sim::key::{AsymmetricAlgorithm, KeyReference};
use x509_cert::Certificate;

use self::database::{
    AuthorityRow, CardRow, CredentialRow, Database, HolderRow, NewAuthority, RequestRow, Role, SessionRow,
    placed,
};
pub use self::{
    action::*,
    error::CmsError,
    request::{PendingUpdate, RENEWAL_WINDOW, UNLOCK_VALIDITY, Wish},
    session::Access,
};
use crate::{
    card_client::{CardClient, Line},
    clock::{Clock, Time},
    crypto::DefaultCrypto,
    image::{CardLock, ImageError},
    issue::{Biometrics, Person, Pki},
    random::{self, CardRng},
};

/// A card management system: a database, a clock, and somebody who operates it.
pub struct Cms {
    database: Database,
    clock: Clock,
    operator: String,
    crypto: DefaultCrypto,
    rng: CardRng,
    timing: Timing,
    /// An action is running whose refusal will be logged.
    logging: bool,
    /// The card that it is about.
    subject: Option<i64>,
}

/// Where the time of update sessions went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// GENERATE ASYMMETRIC KEY PAIR, and keys that were made here.
    pub key_generation: Duration,
    /// Signing certificates and objects.
    pub signing: Duration,
    /// Writing to the database.
    pub database: Duration,
}

impl Cms {
    /// Makes a database with a test authority of its own, which is valid from the year before today.
    pub fn create(path: &Path, clock: Clock, operator: &str, seed: Option<u64>) -> Result<Self, CmsError> {
        let mut crypto = DefaultCrypto::default();
        let pki = Pki::create(seed, AsymmetricAlgorithm::EccP256, clock.today(), &mut crypto)?;
        let database = Database::create(path)?;
        let mut cms = Self::with(database, clock, operator)?;
        cms.database.write(|connection| {
            for (role, authority) in [
                (Role::Root, &pki.root),
                (Role::Issuing, &pki.issuing_ca),
                (Role::Signer, &pki.content_signer),
            ] {
                let name = authority.subject().to_string();
                AuthorityRow::insert(connection, &NewAuthority { role, name: &name, authority })?;
            }
            Ok::<_, CmsError>(())
        })?;
        cms.note("init", None, "")?;
        Ok(cms)
    }

    /// Opens a database. `patience` is how long it is waited for when somebody else writes to it.
    pub fn open(path: &Path, clock: Clock, operator: &str, patience: Duration) -> Result<Self, CmsError> {
        let opened = Database::open(path, patience).map_err(CmsError::from);
        let mut cms = match opened.and_then(|database| Self::with(database, clock, operator)) {
            Ok(cms) => cms,
            Err(error) => {
                audit::spill(path, &audit::refusal(clock.now(), operator, "open", None, &error));
                return Err(error);
            }
        };
        cms.take_in_spilled();
        Ok(cms)
    }

    fn with(database: Database, clock: Clock, operator: &str) -> Result<Self, CmsError> {
        Ok(Self {
            database,
            clock,
            operator: operator.to_owned(),
            crypto: DefaultCrypto::default(),
            rng: random::from_system()?,
            timing: Timing::default(),
            logging: false,
            subject: None,
        })
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Another time, from now on.
    pub fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Where the time went since this was opened.
    pub fn timing(&self) -> Timing {
        self.timing
    }

    // People.

    /// A new holder: with a name, or a sample person.
    pub fn add_holder(&mut self, name: Option<&str>, identifier: Option<u64>) -> Result<HolderRow, CmsError> {
        let mut person = Person::sample(&mut self.rng, name)?;
        if let Some(identifier) = identifier {
            person.renumber(identifier);
        }
        let biometrics = Biometrics::random()?;
        self.audited("add holder", None, |cms| {
            let number = person.identifier;
            cms.database.write(|connection| {
                if HolderRow::by_identifier(connection, number)?.is_some() {
                    let text = format!("there is a holder with the identifier {number:010} already");
                    return Err(CmsError::Unsupported(text));
                }
                let id = HolderRow::insert(connection, &person, &biometrics)?;
                HolderRow::find(connection, id)?.ok_or_else(|| CmsError::NotFound("holder".into()))
            })
        })
    }

    /// Every holder.
    pub fn holders(&self) -> Result<Vec<HolderRow>, CmsError> {
        Ok(self.database.read(HolderRow::all)?)
    }

    /// The holder with this number, identifier or name.
    pub fn holder(&self, wanted: &str) -> Result<HolderRow, CmsError> {
        let holders = self.holders()?;
        let number: Option<u64> = wanted.parse().ok();
        let fits = |holder: &&HolderRow| {
            holder.name == wanted
                || number.is_some_and(|number| {
                    number == holder.identifier || i64::try_from(number) == Ok(holder.id)
                })
        };
        let mut found = holders.iter().filter(fits);
        match (found.next(), found.next()) {
            (Some(holder), None) => Ok(holder.clone()),
            (None, _) => Err(CmsError::NotFound(format!("holder '{wanted}'"))),
            (Some(_), Some(_)) => Err(CmsError::NotFound(format!(
                "single holder '{wanted}': several have this name; use the number"
            ))),
        }
    }

    /// The name of the holder with this number.
    pub fn holder_name(&self, id: i64) -> Result<String, CmsError> {
        let holder = self.database.read(|connection| HolderRow::find(connection, id))?;
        holder.map(|holder| holder.name).ok_or_else(|| CmsError::NotFound(format!("holder {id}")))
    }

    fn holder_of(&self, card: &CardRow) -> Result<HolderRow, CmsError> {
        let missing = || CmsError::NotFound(format!("holder of {}", card.name()));
        let id = card.holder.ok_or_else(missing)?;
        self.database.read(|connection| HolderRow::find(connection, id))?.ok_or_else(missing)
    }

    // Cards.

    /// Every card.
    pub fn cards(&self) -> Result<Vec<CardRow>, CmsError> {
        Ok(self.database.read(CardRow::all)?)
    }

    /// A card by its number.
    pub fn card(&self, id: i64) -> Result<CardRow, CmsError> {
        let card = self.database.read(|connection| CardRow::find(connection, id))?;
        card.ok_or_else(|| CmsError::NotFound(format!("card {id}")))
    }

    /// What is on a card, and what was issued for it.
    pub fn credentials(&self, card: i64) -> Result<Vec<Placed>, CmsError> {
        let (placed, all) = self
            .database
            .read(|connection| Ok((placed(connection, card)?, CredentialRow::of_card(connection, card)?)))?;
        let on_card: Vec<_> =
            placed.into_iter().map(|(slot, credential)| Placed { slot: Some(slot), credential }).collect();
        let known = |id| on_card.iter().any(|placed| placed.credential.id == id);
        let others: Vec<_> = all
            .into_iter()
            .filter(|credential| !known(credential.id))
            .map(|credential| Placed { slot: None, credential })
            .collect();
        Ok(on_card.into_iter().chain(others).collect())
    }

    /// Speaks to the card on a line: under secure messaging where the card has it.
    fn client<'a, 'b>(&mut self, line: &'a mut Line<'b>) -> Result<CardClient<'a, 'b>, CmsError> {
        let rows = self.authorities()?;
        let authorities: Vec<Certificate> =
            rows.iter().map(|row| authority::parse(&row.certificate)).collect::<Result<_, _>>()?;
        let mut rng = random::from_system()?;
        Ok(CardClient::protected_where_possible(line, &authorities, &mut self.crypto, &mut rng)?)
    }

    /// Which card of the database this is.
    fn recognise(&self, client: &mut CardClient<'_, '_>) -> Result<CardRow, CmsError> {
        let identity = client.identity()?;
        let card = self.database.read(|connection| CardRow::by_identity(connection, &identity))?;
        card.ok_or(CmsError::ForeignCard(identity))
    }

    /// Works on the card on a line, alone, if it is the one that is meant. What an earlier session left undone is done first.
    fn with_card<T>(
        &mut self,
        line: &mut Line<'_>,
        action: &str,
        access: &Access,
        meant: &UpdateOptions,
        work: impl FnOnce(&mut Self, &mut CardClient<'_, '_>, CardRow, Option<Resumed>) -> Result<T, CmsError>,
    ) -> Result<T, CmsError> {
        self.audited(action, None, |cms| {
            let mut client = cms.client(line)?;
            let card = cms.recognise(&mut client)?;
            let id = card.id;
            cms.audited(action, Some(id), |cms| {
                cms.check_meant(&card, meant)?;
                let _alone = cms.lock(id)?;
                let resumed = cms.resume(&mut client, id, access)?;
                let card = cms.card(id)?;
                work(cms, &mut client, card, resumed)
            })
        })
    }

    /// Ends the session that was left open for a card, if there is one, and says what it did.
    fn resume(
        &mut self,
        client: &mut CardClient<'_, '_>,
        card: i64,
        access: &Access,
    ) -> Result<Option<Resumed>, CmsError> {
        let session = self.database.read(|connection| SessionRow::of_card(connection, card))?;
        let Some(mut session) = session else { return Ok(None) };
        let row = self.card(card)?;
        client.authenticate(&row.management_key, &mut self.crypto)?;
        self.run(client, &mut session, access)?;
        let request = self.database.read(|connection| RequestRow::find(connection, session.request))?;
        let protected = client.is_protected();
        let updated = Updated { card, action: session.action, resumed: true, protected };
        Ok(Some(Resumed { updated, kind: request.map(|request| request.kind) }))
    }

    /// The sessions that wait for their cards.
    pub fn open_sessions(&self) -> Result<Vec<SessionRow>, CmsError> {
        Ok(self.database.read(SessionRow::all)?)
    }

    /// That nobody else works on a card.
    fn lock(&self, card: i64) -> Result<CardLock, CmsError> {
        let mut path = self.database.path().as_os_str().to_owned();
        path.push(format!(".card-{card}"));
        CardLock::acquire(&PathBuf::from(path)).map_err(|error| match error {
            ImageError::InUse { holder, .. } => {
                CmsError::CardInUse { card: format!("card {card}"), by: holder.to_string() }
            }
            other => CmsError::Lock(other),
        })
    }

    /// That a card may be used: it is not expired.
    fn check_life(&self, card: &CardRow) -> Result<(), CmsError> {
        match card.expires {
            Some(last) if self.now().date() > last => {
                Err(CmsError::CardExpired { card: card.name(), expired: last.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// That a card is of the holder that somebody said.
    pub fn check_holder(&mut self, card: &CardRow, wanted: &str) -> Result<(), CmsError> {
        let wanted = self.holder(wanted)?;
        let owner = match card.holder {
            Some(_) => Some(self.holder_of(card)?),
            None => None,
        };
        if owner.as_ref().is_some_and(|owner| owner.id == wanted.id) {
            return Ok(());
        }
        let owner = owner.map_or_else(|| "nobody".to_owned(), |owner| owner.name);
        Err(CmsError::WrongHolder { card: card.id, owner, wanted: wanted.name })
    }
}

/// A session that was brought to its end.
struct Resumed {
    /// What it did.
    updated: Updated,
    /// For what kind of request.
    kind: Option<state::RequestKind>,
}

/// A credential, and where its key is.
pub struct Placed {
    /// The key reference on the card; nothing if it is not there any more, or in no place of PIV.
    pub slot: Option<KeyReference>,
    /// The credential.
    pub credential: CredentialRow,
}
