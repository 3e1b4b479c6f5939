//! One key with its certificate more, or less.

use card_sim::key::{AsymmetricAlgorithm, KeyReference};

use super::update::slots;
use crate::{
    card_client::CardClient,
    cms::{
        Cms, CmsError,
        authority::{Signing, algorithm_of},
        database::{CardRow, RequestRow, placed},
        session::{Draft, Effect, Plan, Step},
        state::{CredentialEvent, CredentialState, Reason},
    },
};

impl Cms {
    pub(super) fn plan_addition(
        &mut self,
        client: &mut CardClient<'_, '_>,
        card: &CardRow,
        request: &RequestRow,
    ) -> Result<Plan, CmsError> {
        self.check_life(card)?;
        let (authority, _) = self.usable(self.issuing_authority()?)?;
        let placed = self.database.read(|connection| placed(connection, card.id))?;
        // Like the keys that the card has.
        let algorithm = match placed.first() {
            Some((_, credential)) => algorithm_of(&credential.certificate)?,
            None => AsymmetricAlgorithm::EccP256,
        };
        let mut plan = Plan::new(format!("add {}", request.details));
        let (from, until) = (self.now().date(), self.end_of_certificate(card));
        for slot in slots(request) {
            if placed.iter().any(|(found, _)| *found == slot) {
                return Err(CmsError::CredentialExists { card: card.name(), slot: slot.to_byte() });
            }
            if slot == KeyReference::KeyManagement {
                if !client.imports_keys()? {
                    return Err(CmsError::NoImport);
                }
                let signing = Signing { authority: authority.id, like: None, days: (from, until) };
                let (key, certificate) = self.key_management(card, algorithm, &signing)?;
                plan.import_new(slot, key, certificate, authority.id);
            } else {
                let (from, until) = (from.to_string(), until.to_string());
                plan.generate(slot, algorithm, Draft { authority: authority.id, like: None, from, until });
            }
        }
        plan.steps.push(Step::Prove);
        Ok(plan)
    }

    pub(super) fn plan_removal(&mut self, card: &CardRow, request: &RequestRow) -> Result<Plan, CmsError> {
        let placed = self.database.read(|connection| placed(connection, card.id))?;
        let mut plan = Plan::new(format!("remove {}", request.details));
        for slot in slots(request) {
            let found = placed.iter().find(|(found, _)| *found == slot);
            let none = || CmsError::NoCredential { card: card.name(), slot: slot.to_byte() };
            let (_, credential) = found.ok_or_else(none)?;
            plan.steps.push(Step::Remove { slot: slot.to_byte() });
            plan.effects.push(Effect::Remove { slot: slot.to_byte() });
            if credential.state != CredentialState::Revoked {
                let event = CredentialEvent::Revoke;
                plan.effects.push(Effect::Credential { id: credential.id, event, reason: Reason::None });
            }
        }
        Ok(plan)
    }
}
