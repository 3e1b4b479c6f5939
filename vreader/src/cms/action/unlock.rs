//! Unlocking: a new PIN for a card whose PIN is blocked or forgotten.
//!
//! | way | who does what |
//! |---|---|
//! | unlock code | the operator reads the PUK out ([`Cms::unlock_code`]); `vreader card unlock --puk` |
//! | online | an approved request, ten minutes; a temporary PIN; the holder changes it in the same session |
//! | challenge and response | the holder reads out what the card says, the operator what the card management key makes of it ([`Cms::respond`]) |

use card_sim::crypto::Crypto;

use crate::card_client::{ClientError, Reference};
use crate::cms::{
    Cms, CmsError,
    database::{AuditEntry, CardRow, CredentialRow, RequestRow, Suspension},
    session::{Effect, Plan, Step},
    state::{CredentialEvent, CredentialState, DeviceEvent, Reason, RequestEvent, RequestKind},
};

impl Cms {
    pub(super) fn plan_unlock(&mut self, card: &CardRow) -> Result<Plan, CmsError> {
        check_not_replaced(card)?;
        let temporary = self.random_digits().to_string();
        let mut plan = Plan::new("unlock".to_owned());
        plan.steps.push(Step::Pin { temporary: Some(temporary.clone()) });
        plan.steps.push(Step::OwnPin { temporary });
        if card.suspended_for == Some(Suspension::Lock) {
            plan.effects.push(Effect::Device(DeviceEvent::Resume));
            for credential in self.database.read(|connection| CredentialRow::of_card(connection, card.id))? {
                if credential.state == CredentialState::OnHold {
                    let event = CredentialEvent::Release;
                    plan.effects.push(Effect::Credential { id: credential.id, event, reason: Reason::None });
                }
            }
        }
        Ok(plan)
    }

    /// The PUK of a card, for whoever may tell it to the holder. Not of a card that was locked or is being replaced.
    pub fn unlock_code(&mut self, card: i64) -> Result<Reference, CmsError> {
        let action = "view unlock code";
        self.audited(action, Some(card), |cms| {
            let row = cms.card(card)?;
            if let Some(suspension) = row.suspended_for {
                let why = if suspension == Suspension::Lock { "locked" } else { "being replaced" };
                let text = format!("{} is {why}: its unlock code is told to nobody", row.name());
                return Err(CmsError::Unsupported(text));
            }
            let puk = row.puk.clone().ok_or_else(|| CmsError::NoUnlockCode(row.name()))?;
            cms.note(action, Some(card), "")?;
            Ok(puk)
        })
    }

    /// The answer to a challenge of a card for which an unlock request is approved: the challenge under the card management key.
    pub fn respond(&mut self, card: i64, challenge: &[u8]) -> Result<Vec<u8>, CmsError> {
        let action = "answer a challenge";
        self.audited(action, Some(card), |cms| {
            let row = cms.card(card)?;
            check_not_replaced(&row)?;
            let request = cms.executable(&row)?;
            if request.kind != RequestKind::Unlock {
                let text = format!("{} waits for {}, not for unlocking", row.name(), request.name());
                return Err(CmsError::Unsupported(text));
            }
            let wanted = row.management_key.algorithm().block_length();
            cms.database.read(|connection| Ok(crate::cms::request::not_begun(connection, &request)))??;
            if challenge.len() != wanted {
                return Err(CmsError::Challenge { found: challenge.len(), wanted });
            }
            let mut response = challenge.to_vec();
            let failed = |_| CmsError::Client(ClientError::Crypto);
            cms.crypto.encrypt_block(&row.management_key, &mut response).map_err(failed)?;
            let (now, entry) = (cms.now(), cms.done(action, Some(card), Some(request.id), ""));
            cms.database.write(|connection| {
                released(connection, &row, request, now)?;
                Ok::<_, CmsError>(AuditEntry { ..entry }.insert(connection)?)
            })?;
            Ok(response)
        })
    }
}

/// What unlocking changes in the database.
fn released(
    connection: &rusqlite::Connection,
    card: &CardRow,
    mut request: RequestRow,
    now: crate::clock::Time,
) -> Result<(), CmsError> {
    request.state = request.state.after(RequestEvent::Execute, &request.name())?;
    request.save(connection)?;
    if card.suspended_for == Some(Suspension::Lock) {
        crate::cms::request::give_back(connection, card.id, now)?;
    }
    Ok(())
}

/// A card that is being replaced is not unlocked: the request for its replacement is cancelled instead.
fn check_not_replaced(card: &CardRow) -> Result<(), CmsError> {
    if card.suspended_for == Some(Suspension::Replacement) {
        let text = format!("{} is being replaced; cancel the replacement to use it again", card.name());
        return Err(CmsError::Unsupported(text));
    }
    Ok(())
}
