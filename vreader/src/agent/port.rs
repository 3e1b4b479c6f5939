//! The way from an agent to a management system of this project: its database, opened for each question.
//!
//! So no question waits for another, and whoever else uses the database meanwhile is not kept out.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use zeroize::Zeroizing;

use super::{
    CheckError, IdentifyError, ManagementSystem, Order, PendingNotice, Session, Unreachable, UpdateError,
    Updated, Version,
};
use crate::{
    attach::pcsc::RemoteCard,
    card_client::{CardClient, CardIdentity, ClientError, Line, LinkError},
    clock::{Clock, Time},
    cms::{Access, Cms, CmsError, PendingUpdate, UpdateOptions},
    reader::{Disposition, ReturnCode},
};

/// How long a database is waited for that somebody else writes to.
const PATIENCE: Duration = Duration::from_secs(2);

/// For the audit log.
const OPERATOR: &str = "agent";

/// A management system's database, and the socket behind which its cards are.
pub struct Port {
    database: PathBuf,
    socket: PathBuf,
    clock: Clock,
}

impl Port {
    /// A way to the management system with this database, for cards behind this socket.
    pub fn new(database: &Path, socket: &Path, clock: Clock) -> Self {
        Self { database: database.to_owned(), socket: socket.to_owned(), clock }
    }

    fn open(&self) -> Result<Cms, Unreachable> {
        Cms::open(&self.database, self.clock, OPERATOR, PATIENCE)
            .map_err(|error| Unreachable(error.to_string()))
    }

    /// Runs an update on the card in a reader, which no other program reaches meanwhile. The card is reset afterwards: nobody finds
    /// the administrator's login, and who has it open sees that it changed.
    fn run(&self, order: &Order<'_>, session: &Session) -> Result<Updated, UpdateError> {
        let mut cms = self.open()?;
        cms.set_clock(Clock::At(order.now));
        let identity: CardIdentity = order.card.parse().map_err(UpdateError::Refused)?;
        let pending = cms.check(&identity).map_err(of_update)?;
        let pending = pending.filter(|pending| pending.request.to_string() == order.request);
        let Some(PendingUpdate { card: number, .. }) = pending else {
            let gone =
                format!("the request {} is not pending any more; check for updates again", order.request);
            return Err(UpdateError::Refused(gone));
        };
        let access = Access::new(text(order.pin), text(order.new_pin)).map_err(of_update)?;
        let mut card =
            RemoteCard::connect(&self.socket, order.reader).map_err(|error| of_link(&error.into()))?;
        let mut transaction = card.transaction(Disposition::Reset).map_err(|error| of_link(&error.into()))?;
        let mut line = Line::new(|command| {
            // To the management system it is as if the card were gone: it takes up the session when it is back.
            if session.is_stopped() { Err(LinkError::Removed) } else { Ok(transaction.transmit(command)?) }
        });
        let options = UpdateOptions { card: Some(number), ..UpdateOptions::default() };
        let updated = cms.update(&mut line, &access, &options).map_err(of_update)?;
        Ok(Updated { changes: vec![updated.action] })
    }
}

impl ManagementSystem for Port {
    /// That of this program, which runs the management system.
    fn version(&self) -> Result<Version, Unreachable> {
        self.open()?;
        let number = |text: &str| text.parse().unwrap_or_default();
        let (major, minor) = (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
        Ok(Version { major: number(major), minor: number(minor) })
    }

    fn root(&self) -> Result<Vec<u8>, Unreachable> {
        self.open()?.root().map_err(|error| Unreachable(error.to_string()))
    }

    fn identify(&self, reader: &str) -> Result<Option<String>, IdentifyError> {
        let identity =
            RemoteCard::connect(&self.socket, reader).map_err(|error| ClientError::Link(error.into()));
        let identity = identity.and_then(|mut card| {
            let mut transaction =
                card.transaction(Disposition::Leave).map_err(|error| ClientError::Link(error.into()))?;
            CardClient::plain(&mut Line::remote(&mut transaction))?.identity()
        });
        match identity {
            Ok(identity) => Ok(Some(identity.to_string())),
            Err(ClientError::NotPiv(_) | ClientError::Nameless) => Ok(None),
            Err(ClientError::Link(error)) if is_removal(&error) => Ok(None),
            Err(error) => Err(IdentifyError(error.to_string())),
        }
    }

    fn check(&self, card: &str, now: Time) -> Result<Option<PendingNotice>, CheckError> {
        let identity: CardIdentity = card.parse().map_err(CheckError::Refused)?;
        let mut cms = self.open()?;
        cms.set_clock(Clock::At(now));
        match cms.check(&identity) {
            Ok(pending) => Ok(pending.map(|pending| notice(&pending))),
            Err(CmsError::ForeignCard(card)) => Err(CheckError::UnknownCard { card: card.to_string() }),
            Err(error) => Err(CheckError::Refused(error.to_string())),
        }
    }

    fn update(&self, order: &Order<'_>, session: &Session) -> Result<Updated, UpdateError> {
        match self.run(order, session) {
            Err(UpdateError::CardRemoved) if session.is_stopped() => Err(UpdateError::Stopped),
            outcome => outcome,
        }
    }
}

fn text(pin: Option<&Zeroizing<String>>) -> Option<&str> {
    pin.map(|pin| pin.as_str())
}

fn notice(pending: &PendingUpdate) -> PendingNotice {
    let begun = if pending.interrupted { ", begun and interrupted" } else { "" };
    PendingNotice { request: pending.request.to_string(), what: format!("{}{begun}", pending.kind) }
}

fn of_update(error: CmsError) -> UpdateError {
    match error {
        CmsError::Client(ClientError::Link(error)) => of_link(&error),
        error => UpdateError::Refused(error.to_string()),
    }
}

fn of_link(error: &LinkError) -> UpdateError {
    if is_removal(error) { UpdateError::CardRemoved } else { UpdateError::Refused(error.to_string()) }
}

/// Whether the card was taken out, or its reader was.
fn is_removal(error: &LinkError) -> bool {
    use crate::attach::pcsc::RemoteError::Refused;
    const GONE: [ReturnCode; 4] = [
        ReturnCode::RemovedCard,
        ReturnCode::NoSmartcard,
        ReturnCode::ReaderUnavailable,
        ReturnCode::UnknownReader,
    ];
    match error {
        LinkError::Removed => true,
        LinkError::Remote(Refused { code, .. }) => GONE.iter().any(|gone| gone.value() == *code),
        _ => false,
    }
}
