//! A card comes into stock, becomes somebody's, or nobody's again.

use card_sim::key::SymmetricKey;
use rusqlite::Connection;

use crate::{
    card_client::{Line, Reference},
    cms::{
        Cms, CmsError,
        database::{CardRow, RequestRow},
        session::device,
        state::DeviceEvent,
    },
};

impl Cms {
    /// Takes a card into stock. Its card management key is tried, so that a wrong one is found now.
    pub fn register(
        &mut self,
        line: &mut Line<'_>,
        management_key: &SymmetricKey,
        puk: Option<&Reference>,
    ) -> Result<CardRow, CmsError> {
        self.audited("register", None, |cms| {
            let mut client = cms.client(line)?;
            let identity = client.identity()?;
            if let Some(known) =
                cms.database.read(|connection| CardRow::by_identity(connection, &identity))?
            {
                let text = format!("the card {identity} is registered already: it is {}", known.name());
                return Err(CmsError::Unsupported(text));
            }
            client.authenticate(management_key, &mut cms.crypto)?;
            let entry = cms.done("register", None, None, &identity.to_string());
            cms.database.write(|connection| {
                let id = CardRow::insert(connection, &identity, management_key, puk)?;
                super::super::database::AuditEntry { card: Some(id), ..entry }.insert(connection)?;
                CardRow::find(connection, id)?.ok_or_else(|| CmsError::NotFound(format!("card {id}")))
            })
        })
    }

    /// The card in the reader is to be this holder's.
    pub fn assign(&mut self, card: i64, holder: &str) -> Result<CardRow, CmsError> {
        let action = "assign";
        self.audited(action, Some(card), |cms| {
            let holder = cms.holder(holder)?;
            let entry = cms.done(action, Some(card), None, &holder.name);
            cms.change_card(card, &entry, |_, card| {
                device(card, DeviceEvent::Assign)?;
                card.holder = Some(holder.id);
                Ok(())
            })
        })
    }

    /// A card that is still blank, and of which nothing is wanted, goes back into stock.
    pub fn unassign(&mut self, card: i64) -> Result<CardRow, CmsError> {
        let action = "unassign";
        self.audited(action, Some(card), |cms| {
            let entry = cms.done(action, Some(card), None, "");
            cms.change_card(card, &entry, |connection, card| {
                device(card, DeviceEvent::Unassign)?;
                if let Some(open) = RequestRow::open_of(connection, card.id)? {
                    return Err(CmsError::OpenRequest { card: card.name(), request: open.name() });
                }
                (card.holder, card.replaces, card.temporary) = (None, None, false);
                Ok(())
            })
        })
    }

    /// Changes a row, with a line in the log.
    pub(in crate::cms) fn change_card(
        &mut self,
        id: i64,
        entry: &crate::cms::database::AuditEntry,
        change: impl FnOnce(&Connection, &mut CardRow) -> Result<(), CmsError>,
    ) -> Result<CardRow, CmsError> {
        self.database.write(|connection| {
            let card = CardRow::find(connection, id)?;
            let mut card = card.ok_or_else(|| CmsError::NotFound(format!("card {id}")))?;
            change(connection, &mut card)?;
            card.save(connection)?;
            entry.insert(connection)?;
            Ok(card)
        })
    }
}
