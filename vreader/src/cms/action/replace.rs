//! Replacement: another card in the place of one that is forgotten, lost, stolen, damaged or at its end.
//!
//! The request suspends the old card at once. It takes effect when the new card is issued: a permanent replacement ends the old card's
//! life; while a temporary one lives, the old card waits, and comes back when it is terminated.

use crate::cms::{
    Cms, CmsError,
    database::{AuditEntry, CardRow, CredentialRow, RequestRow, SessionRow, Suspension},
    session::{Effect, Plan, device},
    state::{CredentialEvent, CredentialState, DeviceEvent, Reason, RequestEvent, RequestKind, RequestState},
};

impl Cms {
    /// A card in stock is to take the place of one for which a replacement was requested and approved.
    pub fn assign_replacement(&mut self, new: i64, old: i64) -> Result<CardRow, CmsError> {
        let action = "assign replacement";
        self.audited(action, Some(new), |cms| {
            let (request, replaced) = cms.database.read(|connection| {
                Ok((RequestRow::open_of(connection, old)?, CardRow::find(connection, old)?))
            })?;
            let replaced = replaced.ok_or_else(|| CmsError::NotFound(format!("card {old}")))?;
            let request = request.filter(|request| request.kind == RequestKind::Replacement);
            let none = || CmsError::NotFound(format!("request for the replacement of {}", replaced.name()));
            let request = request.ok_or_else(none)?;
            if request.state == RequestState::Pending {
                return Err(CmsError::NotApproved(request.name()));
            }
            let detail = format!("for {}, {}", replaced.name(), request.reason);
            let entry = cms.done(action, Some(new), Some(request.id), &detail);
            cms.change_card(new, &entry, |connection, card| {
                if let Some(other) = CardRow::replacement_of(connection, old)? {
                    let text = format!("{} is to replace {} already", other.name(), replaced.name());
                    return Err(CmsError::Unsupported(text));
                }
                device(card, DeviceEvent::Assign)?;
                (card.holder, card.replaces) = (replaced.holder, Some(old));
                card.temporary = request.reason.is_temporary();
                Ok(())
            })
        })
    }

    /// What issuing a replacement does to the card that it replaces.
    pub(super) fn take_effect_of_replacement(&self, card: &CardRow, plan: &mut Plan) -> Result<(), CmsError> {
        let Some(old) = card.replaces else { return Ok(()) };
        let (request, credentials) = self.database.read(|connection| {
            Ok((RequestRow::open_of(connection, old)?, CredentialRow::of_card(connection, old)?))
        })?;
        let request = request.filter(|request| request.kind == RequestKind::Replacement);
        let request = request
            .ok_or_else(|| CmsError::NotFound(format!("request for the replacement of card {old}")))?;
        plan.effects.push(Effect::Request { id: request.id });
        if card.temporary {
            return Ok(());
        }
        plan.effects.push(Effect::OtherDevice { card: old, event: DeviceEvent::Terminate });
        for credential in credentials {
            if credential.state != CredentialState::Revoked {
                let (event, reason) = (CredentialEvent::Revoke, request.reason);
                plan.effects.push(Effect::Credential { id: credential.id, event, reason });
            }
        }
        Ok(())
    }

    /// The end of a card's life. Nothing is written on the card, which may be lost. An update of it that was begun is given up. When it
    /// was a temporary replacement, the old card comes back.
    pub fn terminate(&mut self, id: i64, reason: Reason) -> Result<CardRow, CmsError> {
        let action = "terminate";
        self.audited(action, Some(id), |cms| {
            let now = cms.now();
            let entry = cms.done(action, Some(id), None, reason.name());
            let _alone = cms.lock(id)?;
            cms.database.write(|connection| {
                let card = CardRow::find(connection, id)?;
                let mut card = card.ok_or_else(|| CmsError::NotFound(format!("card {id}")))?;
                device(&mut card, DeviceEvent::Terminate)?;
                card.save(connection)?;
                give_up(connection, id, &entry)?;
                if let Some(open) = RequestRow::open_of(connection, id)? {
                    let card = card.name();
                    return Err(CmsError::OpenRequest { card, request: open.name() });
                }
                crate::cms::request::credentials(connection, id, CredentialEvent::Revoke, reason, now)?;
                let old = card.replaces.filter(|_| card.temporary);
                if let Some(old) = old.map(|old| CardRow::find(connection, old)).transpose()?.flatten()
                    && old.suspended_for == Some(Suspension::Replacement)
                {
                    crate::cms::request::give_back(connection, old.id, now)?;
                    AuditEntry { card: Some(old.id), action: "give back".into(), ..entry.clone() }
                        .insert(connection)?;
                }
                entry.insert(connection)?;
                Ok(card)
            })
        })
    }
}

/// The session that was left open for a card will never come to its end.
fn give_up(connection: &rusqlite::Connection, card: i64, entry: &AuditEntry) -> Result<(), CmsError> {
    let Some(session) = SessionRow::of_card(connection, card)? else { return Ok(()) };
    SessionRow::delete(connection, session.id)?;
    if let Some(mut request) = RequestRow::find(connection, session.request)? {
        request.state = request.state.after(RequestEvent::Fail, &request.name())?;
        request.save(connection)?;
    }
    let action = format!("give up: {}", session.action);
    Ok(AuditEntry { action, request: Some(session.request), ..entry.clone() }.insert(connection)?)
}
