//! The update: whatever is open for the card in the reader is done.

use serde::Serialize;

use super::IssueOptions;
use crate::{
    card_client::{CardClient, Line},
    cms::{
        Cms, CmsError,
        database::{CardRow, RequestRow},
        request::Wish,
        session::{Access, Plan},
        state::{RequestEvent, RequestKind},
    },
};

/// Choices of an update.
#[derive(Clone, Debug, Default)]
pub struct UpdateOptions {
    /// The number of the card that is meant.
    pub card: Option<i64>,
    /// The holder who is meant: number, identifier or name.
    pub holder: Option<String>,
    /// The kind of request that is meant.
    pub kind: Option<RequestKind>,
    /// An encryption key that nobody kept is replaced nevertheless.
    pub lose_old_key: bool,
    /// Choices of issuance.
    pub issue: IssueOptions,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Updated {
    /// Number of the card.
    pub card: i64,
    /// What was done, in words.
    pub action: String,
    /// An earlier session, that was interrupted, was brought to its end.
    pub resumed: bool,
    /// The commands went under secure messaging.
    pub protected: bool,
}

impl Cms {
    /// Does what is open for the card on a line: the request that is approved, or the rest of a session that was interrupted.
    pub fn update(
        &mut self,
        line: &mut Line<'_>,
        access: &Access,
        options: &UpdateOptions,
    ) -> Result<Updated, CmsError> {
        self.with_card(line, "update", access, options, |cms, client, card, resumed| {
            if let Some(resumed) = resumed {
                return Ok(resumed.updated);
            }
            let request = cms.executable(&card)?;
            if let Some(kind) = options.kind.filter(|kind| *kind != request.kind) {
                let (card, request) = (card.name(), request.name());
                return Err(CmsError::Unsupported(format!("{card} waits for {request}, not for {kind}")));
            }
            cms.execute(client, &card, &request, access, options)
        })
    }

    /// Makes a request for the card on a line, and does it. If such a request is open already, that one is done. The rest of a session that
    /// was interrupted is done first, and is all if it was of this kind.
    pub fn request_and_update(
        &mut self,
        line: &mut Line<'_>,
        wish: &dyn Fn(i64) -> Wish,
        access: &Access,
        options: &UpdateOptions,
    ) -> Result<Updated, CmsError> {
        let action = options.kind.map_or("update", RequestKind::name);
        self.with_card(line, action, access, options, |cms, client, card, resumed| {
            let wish = wish(card.id);
            // What was asked for is done; or something else was, and this comes now.
            if let Some(resumed) = resumed.filter(|resumed| resumed.kind == Some(wish.kind)) {
                return Ok(resumed.updated);
            }
            let now = cms.now();
            let open = cms.database.read(|connection| RequestRow::open_of(connection, card.id))?;
            let same = |open: &RequestRow| open.kind == wish.kind && !open.is_over(now);
            let (request, made) = match open.filter(same) {
                Some(_) => (cms.executable(&card)?, false),
                None => (cms.request(&wish)?, true),
            };
            let result = cms.execute(client, &card, &request, access, options);
            cms.withdraw(made, &request, result)
        })
    }

    /// A request that was only made for this update goes when nothing was begun.
    fn withdraw(
        &mut self,
        made: bool,
        request: &RequestRow,
        result: Result<Updated, CmsError>,
    ) -> Result<Updated, CmsError> {
        if result.is_err() && made {
            // Not if the session was begun, which is what refuses then.
            let _ = self.decide(request.id, RequestEvent::Cancel);
        }
        result
    }

    /// Plans a request and runs it.
    pub(in crate::cms) fn execute(
        &mut self,
        client: &mut CardClient<'_, '_>,
        card: &CardRow,
        request: &RequestRow,
        access: &Access,
        options: &UpdateOptions,
    ) -> Result<Updated, CmsError> {
        check_pins(request.kind, access, options)?;
        let plan = self.plan(client, card, request, options)?;
        // Before anything is written: a session that is begun is brought to its end, and with another key or PIN it never would be. The
        // PIN is not asked for when it is what is to be set.
        client.authenticate(&card.management_key, &mut self.crypto)?;
        let sets_pin = matches!(
            request.kind,
            RequestKind::Issuance | RequestKind::Unlock | RequestKind::Lock | RequestKind::Recycling
        );
        if let Some(pin) = access.pin.as_ref().filter(|_| !sets_pin) {
            client.verify_pin(pin)?;
        }
        let action = plan.action.clone();
        let mut session = self.begin(card, request, plan)?;
        self.run(client, &mut session, access)?;
        let protected = client.is_protected();
        Ok(Updated { card: card.id, action, resumed: false, protected })
    }

    fn plan(
        &mut self,
        client: &mut CardClient<'_, '_>,
        card: &CardRow,
        request: &RequestRow,
        options: &UpdateOptions,
    ) -> Result<Plan, CmsError> {
        match request.kind {
            RequestKind::Issuance => self.plan_issuance(client, card, &options.issue),
            RequestKind::Renewal => self.plan_renewal(client, card, request, options),
            RequestKind::Addition => self.plan_addition(client, card, request),
            RequestKind::Removal => self.plan_removal(card, request),
            RequestKind::Activation => self.plan_activation(client, card),
            RequestKind::Unlock => self.plan_unlock(card),
            RequestKind::Lock => self.plan_lock(card),
            RequestKind::Recycling => Plan::recycling(client, card),
            RequestKind::Replacement => Err(CmsError::Unsupported(format!(
                "{} is done by issuing the replacement, not on {}: put in the new card",
                request.name(),
                card.name()
            ))),
        }
    }

    /// That the card in the reader is the one that is meant.
    pub(in crate::cms) fn check_meant(
        &mut self,
        card: &CardRow,
        options: &UpdateOptions,
    ) -> Result<(), CmsError> {
        if let Some(wanted) = options.card.filter(|wanted| *wanted != card.id) {
            return Err(CmsError::WrongCard { wanted, found: card.id });
        }
        match &options.holder {
            Some(holder) => self.check_holder(card, holder),
            None => Ok(()),
        }
    }
}

/// That the PINs are given without which a session could not come to its end.
fn check_pins(kind: RequestKind, access: &Access, options: &UpdateOptions) -> Result<(), CmsError> {
    let missing = match kind {
        RequestKind::Issuance => !options.issue.produce && access.pin.is_none() && access.new_pin.is_none(),
        RequestKind::Unlock => access.new_pin.is_none(),
        _ => false,
    };
    if missing { Err(CmsError::PinNeeded) } else { Ok(()) }
}

/// The key references that a request is about.
pub(super) fn slots(request: &RequestRow) -> Vec<card_sim::key::KeyReference> {
    let bytes = request.details.split_whitespace().filter_map(|slot| u8::from_str_radix(slot, 16).ok());
    bytes.filter_map(card_sim::key::KeyReference::from_byte).collect()
}
