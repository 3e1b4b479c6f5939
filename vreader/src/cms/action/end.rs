//! Recycling: a card at its end is wiped, gets the PIN and PUK of a blank card, and comes back into stock.

use card_sim::key::{KeyReference, RetiredNumber};

use crate::{
    card_client::CardClient,
    cms::{
        CmsError,
        database::CardRow,
        session::{Effect, Plan, Step},
        state::DeviceEvent,
    },
    issue::{DEFAULT_PIN, DEFAULT_PUK, managed},
};

impl Plan {
    pub(super) fn recycling(client: &mut CardClient<'_, '_>, card: &CardRow) -> Result<Self, CmsError> {
        let mut plan = Self::new("recycle".to_owned());
        let retired = (1..=20).filter_map(RetiredNumber::new).map(KeyReference::Retired);
        for slot in KeyReference::ASYMMETRIC.into_iter().chain(retired) {
            if client.certificate(slot)?.is_some() || !matches!(slot, KeyReference::Retired(_)) {
                plan.steps.push(Step::Remove { slot: slot.to_byte() });
            }
        }
        for tag in managed::PERSONAL {
            plan.steps.push(Step::Object { tag, contents: Vec::new() });
        }
        if card.puk.is_some() {
            // How far an issuance came that was given up, nobody knows: its PUK is tried too, and stays.
            plan.next_puk = card.next_puk.clone().or_else(|| crate::issue::puk_bytes(DEFAULT_PUK).ok());
            plan.steps.push(Step::Puk);
            plan.effects.push(Effect::Puk);
        }
        plan.steps.push(Step::Pin { temporary: Some(DEFAULT_PIN.to_owned()) });
        plan.effects.push(Effect::Device(DeviceEvent::Recycle));
        plan.effects.push(Effect::Forget);
        Ok(plan)
    }
}
