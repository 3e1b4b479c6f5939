//! Requests: made, approved, denied, cancelled; and whether an update is pending for a card.

use std::time::Duration;

use card_sim::key::KeyReference;
use serde::Serialize;

use super::{
    Cms, CmsError,
    database::{AuditEntry, CardRow, CredentialRow, NewRequest, RequestRow, SessionRow, Suspension, placed},
    session::device,
    state::{CredentialEvent, CredentialState, DeviceEvent, Reason, RequestEvent, RequestKind, RequestState},
};
use crate::{card_client::CardIdentity, clock::Time};

/// How long a request for unlocking may be executed.
pub const UNLOCK_VALIDITY: Duration = Duration::from_mins(10);

/// How long before its end a certificate is renewed.
pub const RENEWAL_WINDOW: Duration = Duration::from_hours(30 * 24);

/// An update that waits for its card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PendingUpdate {
    /// Number of the card.
    pub card: i64,
    /// Number of the request.
    pub request: i64,
    /// What for.
    pub kind: RequestKind,
    /// Why.
    pub reason: Reason,
    /// The last second in which it may be done.
    pub expires: Option<Time>,
    /// It was begun, and interrupted.
    pub interrupted: bool,
}

/// A request that is to be made.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Number of the card.
    pub card: i64,
    /// What for.
    pub kind: RequestKind,
    /// Why.
    pub reason: Reason,
    /// Which keys; none for all that apply.
    pub slots: Vec<KeyReference>,
    /// How long it may be executed; nothing for ever, ten minutes for unlocking.
    pub validity: Option<Duration>,
    /// It needs nobody's approval.
    pub approved: bool,
}

impl Wish {
    /// A request that needs no approval.
    pub fn new(card: i64, kind: RequestKind, reason: Reason) -> Self {
        let validity = (kind == RequestKind::Unlock).then_some(UNLOCK_VALIDITY);
        Self { card, kind, reason, slots: Vec::new(), validity, approved: true }
    }
}

impl Cms {
    /// Makes a request. A request for a replacement suspends the card at once.
    pub fn request(&mut self, wish: &Wish) -> Result<RequestRow, CmsError> {
        let action = format!("request {}", wish.kind);
        self.audited(&action, Some(wish.card), |cms| {
            if let Some(retired) = wish.slots.iter().find(|slot| is_retired(**slot)) {
                return Err(CmsError::Unsupported(format!(
                    "{:02X} is a retired key, which stays as it is: old mail is read with it",
                    retired.to_byte()
                )));
            }
            let (now, operator) = (cms.now(), cms.operator.clone());
            let details: Vec<_> = wish.slots.iter().map(|slot| format!("{:02X}", slot.to_byte())).collect();
            let details = details.join(" ");
            cms.database.write(|connection| {
                let card = CardRow::find(connection, wish.card)?;
                let mut card = card.ok_or_else(|| CmsError::NotFound(format!("card {}", wish.card)))?;
                if !wish.kind.states().contains(&card.state) {
                    let (card, state) = (card.name(), card.state);
                    return Err(CmsError::NotRequestable { card, state, kind: wish.kind });
                }
                if let Some(open) = RequestRow::open_of(connection, card.id)? {
                    expire(connection, open, now, &card)?;
                }
                let state = if wish.approved { RequestState::Approved } else { RequestState::Pending };
                let id = RequestRow::insert(
                    connection,
                    &NewRequest {
                        card: card.id,
                        kind: wish.kind,
                        reason: wish.reason,
                        state,
                        details: &details,
                        created: now,
                        expires: wish.validity.map(|validity| now.plus(validity)),
                        operator: &operator,
                    },
                )?;
                if wish.kind == RequestKind::Replacement {
                    card.suspended_for = Some(Suspension::Replacement);
                    device(&mut card, DeviceEvent::Suspend)?;
                    card.save(connection)?;
                    credentials(connection, card.id, CredentialEvent::Hold, wish.reason, now)?;
                }
                let entry = AuditEntry {
                    time: now,
                    operator: operator.clone(),
                    action: action.clone(),
                    card: Some(card.id),
                    request: Some(id),
                    outcome: super::database::Outcome::Done,
                    detail: wish.reason.name().to_owned(),
                };
                entry.insert(connection)?;
                RequestRow::find(connection, id)?.ok_or_else(|| CmsError::NotFound(format!("request {id}")))
            })
        })
    }

    /// Every request.
    pub fn requests(&self) -> Result<Vec<RequestRow>, CmsError> {
        Ok(self.database.read(RequestRow::all)?)
    }

    /// Approves, denies or cancels a request. A cancelled or denied replacement brings the card back.
    pub fn decide(&mut self, id: i64, event: RequestEvent) -> Result<RequestRow, CmsError> {
        let action = format!("{event} request");
        self.audited(&action, None, |cms| {
            let (now, entry) = (cms.now(), cms.done(&action, None, Some(id), ""));
            cms.database.write(|connection| {
                let request = RequestRow::find(connection, id)?;
                let mut request = request.ok_or_else(|| CmsError::NotFound(format!("request {id}")))?;
                not_begun(connection, &request)?;
                if let (RequestEvent::Approve, true, Some(expired)) =
                    (event, request.is_over(now), request.expires)
                {
                    return Err(CmsError::RequestExpired { request: request.name(), expired, now });
                }
                request.state = request.state.after(event, &request.name())?;
                request.save(connection)?;
                let taken_back = matches!(event, RequestEvent::Cancel | RequestEvent::Deny);
                if request.kind == RequestKind::Replacement && taken_back {
                    give_back(connection, request.card, now)?;
                }
                AuditEntry { card: Some(request.card), ..entry }.insert(connection)?;
                Ok(request)
            })
        })
    }

    /// Whether an update is pending for this card: a request that was approved, one that was begun and interrupted, or a certificate
    /// that will soon be over, for which a request is made now.
    pub fn check(&mut self, identity: &CardIdentity) -> Result<Option<PendingUpdate>, CmsError> {
        let card = self.database.read(|connection| CardRow::by_identity(connection, identity))?;
        let Some(card) = card else {
            return self.audited("check for updates", None, |_| Err(CmsError::ForeignCard(identity.clone())));
        };
        let now = self.now();
        let (request, session) = self.database.read(|connection| {
            Ok((RequestRow::open_of(connection, card.id)?, SessionRow::of_card(connection, card.id)?))
        })?;
        let interrupted = session.is_some();
        if let Some(request) = request.filter(|request| interrupted || !request.is_over(now)) {
            // What nobody approved is nothing for the holder yet, and a replacement is done on another card.
            let waits = request.state == RequestState::Approved && request.kind != RequestKind::Replacement;
            return Ok(waits.then(|| pending(&request, interrupted)));
        }
        let slots = self.due(&card)?;
        if slots.is_empty() {
            return Ok(None);
        }
        let wish = Wish { slots, ..Wish::new(card.id, RequestKind::Renewal, Reason::Expired) };
        Ok(Some(pending(&self.request(&wish)?, false)))
    }

    /// The keys of a card whose certificates will soon be over, as long as the card itself lives longer.
    pub(super) fn due(&self, card: &CardRow) -> Result<Vec<KeyReference>, CmsError> {
        if !RequestKind::Renewal.states().contains(&card.state) || self.check_life(card).is_err() {
            return Ok(Vec::new());
        }
        let soon = self.now().plus(RENEWAL_WINDOW);
        let last = card.expires.map(Time::end_of);
        let placed = self.database.read(|connection| placed(connection, card.id))?;
        let due = placed.into_iter().filter(|(slot, credential)| {
            let lives_longer = last.is_some_and(|last| credential.not_after < last);
            let good = credential.state == CredentialState::Issued && !is_retired(*slot);
            good && credential.not_after <= soon && lives_longer
        });
        Ok(due.map(|(slot, _)| slot).collect())
    }

    /// The approved request that is to be executed on a card now.
    pub(super) fn executable(&mut self, card: &CardRow) -> Result<RequestRow, CmsError> {
        let request = self.database.read(|connection| RequestRow::open_of(connection, card.id))?;
        let request = request.ok_or_else(|| CmsError::NothingPending(card.name()))?;
        let now = self.now();
        if let (true, Some(expired)) = (request.is_over(now), request.expires) {
            let name = request.name();
            self.database.write(|connection| expire(connection, request, now, card))?;
            return Err(CmsError::RequestExpired { request: name, expired, now });
        }
        if request.state == RequestState::Pending {
            return Err(CmsError::NotApproved(request.name()));
        }
        Ok(request)
    }
}

fn pending(request: &RequestRow, interrupted: bool) -> PendingUpdate {
    PendingUpdate {
        card: request.card,
        request: request.id,
        kind: request.kind,
        reason: request.reason,
        expires: request.expires,
        interrupted,
    }
}

/// That no session of a request waits for its end: what was begun is finished, however late it is. A replacement is begun with the session
/// of the card that takes the place.
pub(super) fn not_begun(connection: &rusqlite::Connection, request: &RequestRow) -> Result<(), CmsError> {
    let session = match request.kind {
        RequestKind::Replacement => CardRow::replacement_of(connection, request.card)?
            .map_or(Ok(None), |new| SessionRow::of_card(connection, new.id))?,
        _ => SessionRow::of_card(connection, request.card)?,
    };
    match session {
        Some(_) => Err(CmsError::Begun(request.name())),
        None => Ok(()),
    }
}

/// A request whose time is over makes room; another one is in the way.
fn expire(
    connection: &rusqlite::Connection,
    mut request: RequestRow,
    now: Time,
    card: &CardRow,
) -> Result<(), CmsError> {
    if !request.is_over(now) {
        return Err(CmsError::OpenRequest { card: card.name(), request: request.name() });
    }
    not_begun(connection, &request)?;
    request.state = request.state.after(RequestEvent::Expire, &request.name())?;
    Ok(request.save(connection)?)
}

/// What happens to all credentials of a card to which it can happen.
pub(super) fn credentials(
    connection: &rusqlite::Connection,
    card: i64,
    event: CredentialEvent,
    reason: Reason,
    now: Time,
) -> Result<(), CmsError> {
    for mut credential in CredentialRow::of_card(connection, card)? {
        if credential.state.after(event, "").is_ok() {
            super::session::happen(&mut credential, event, reason, now)?;
            credential.save(connection)?;
        }
    }
    Ok(())
}

/// A suspended card comes back.
pub(super) fn give_back(connection: &rusqlite::Connection, id: i64, now: Time) -> Result<(), CmsError> {
    let card = CardRow::find(connection, id)?;
    let mut card = card.ok_or_else(|| CmsError::NotFound(format!("card {id}")))?;
    device(&mut card, DeviceEvent::Resume)?;
    card.save(connection)?;
    credentials(connection, id, CredentialEvent::Release, Reason::None, now)
}

/// Whether a key is one of the retired ones.
pub(super) fn is_retired(slot: KeyReference) -> bool {
    matches!(slot, KeyReference::Retired(_))
}
