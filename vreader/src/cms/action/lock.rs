//! Locking a card: nobody knows its PIN, no try is left, and its credentials are on hold.
//!
//! No command of PIV locks a card. What needs no PIN, the card authentication key, still works; its certificate is on the
//! revocation list.

use crate::cms::{
    Cms, CmsError,
    database::{CardRow, CredentialRow},
    session::{Effect, Plan, Step},
    state::{CredentialEvent, CredentialState, DeviceEvent, Reason},
};

impl Cms {
    pub(super) fn plan_lock(&mut self, card: &CardRow) -> Result<Plan, CmsError> {
        let mut plan = Plan::new("lock".to_owned());
        plan.steps.push(Step::Block);
        plan.effects.push(Effect::Device(DeviceEvent::Suspend));
        for credential in self.database.read(|connection| CredentialRow::of_card(connection, card.id))? {
            if credential.state == CredentialState::Issued {
                let event = CredentialEvent::Hold;
                plan.effects.push(Effect::Credential { id: credential.id, event, reason: Reason::None });
            }
        }
        Ok(plan)
    }
}
