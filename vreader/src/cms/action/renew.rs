//! Renewal: new keys and certificates in the place of old ones. The old encryption key stays on the card, among the retired ones.

use card_sim::key::KeyReference;

use super::update::slots;
use crate::{
    card_client::CardClient,
    cms::{
        Cms, CmsError, UpdateOptions,
        authority::{Signing, algorithm_of},
        database::{CardRow, CredentialRow, RequestRow, placed},
        request::is_retired,
        session::{Draft, Effect, Plan, Step},
        state::{CredentialEvent, CredentialState, Reason},
    },
    issue::managed::{KEY_HISTORY, SECURITY_OBJECT, key_history_with, renewed_security_object},
};

/// Tag of the number of keys with certificates on the card, in the Key History Object.
const KEYS_ON_CARD: u32 = 0xC1;

/// Places for retired keys.
const RETIRED: u8 = 20;

impl Cms {
    pub(super) fn plan_renewal(
        &mut self,
        client: &mut CardClient<'_, '_>,
        card: &CardRow,
        request: &RequestRow,
        options: &UpdateOptions,
    ) -> Result<Plan, CmsError> {
        self.check_life(card)?;
        let placed = self.database.read(|connection| placed(connection, card.id))?;
        let wanted = slots(request);
        let all = wanted.is_empty();
        let chosen = |slot: KeyReference| if all { !is_retired(slot) } else { wanted.contains(&slot) };
        if let Some(missing) = wanted.iter().find(|slot| placed.iter().all(|(found, _)| found != *slot)) {
            return Err(CmsError::NoCredential { card: card.name(), slot: missing.to_byte() });
        }
        let renewed: Vec<_> = placed.into_iter().filter(|(slot, _)| chosen(*slot)).collect();
        let names: Vec<_> = renewed.iter().map(|(slot, _)| format!("{:02X}", slot.to_byte())).collect();
        let mut plan = Plan::new(format!("renew {}", names.join(", ")));
        for (slot, old) in &renewed {
            if *slot == KeyReference::KeyManagement {
                self.plan_encryption(client, card, old, options, &mut plan)?;
            } else {
                let draft = self.draft_like(card, old)?;
                plan.generate(*slot, algorithm_of(&old.certificate)?, draft);
            }
            if old.state != CredentialState::Revoked {
                let event = CredentialEvent::Revoke;
                plan.effects.push(Effect::Credential { id: old.id, event, reason: Reason::Renew });
            }
        }
        plan.steps.push(Step::Prove);
        Ok(plan)
    }

    /// A certificate like an old one, from today on.
    fn draft_like(&self, card: &CardRow, old: &CredentialRow) -> Result<Draft, CmsError> {
        let (authority, _) = self.usable_issuer(&old.certificate)?;
        Ok(Draft {
            authority: authority.id,
            like: Some(old.id),
            from: self.now().date().to_string(),
            until: self.end_of_certificate(card).to_string(),
        })
    }

    /// The old key goes among the retired ones, and a new one, which is kept here too, takes its place.
    fn plan_encryption(
        &mut self,
        client: &mut CardClient<'_, '_>,
        card: &CardRow,
        old: &CredentialRow,
        options: &UpdateOptions,
        plan: &mut Plan,
    ) -> Result<(), CmsError> {
        let algorithm = algorithm_of(&old.certificate)?;
        let escrow = match old.escrow {
            Some(escrow) if client.imports_keys()? => escrow,
            _ if options.lose_old_key => {
                plan.generate(KeyReference::KeyManagement, algorithm, self.draft_like(card, old)?);
                return Ok(());
            }
            Some(_) => return Err(CmsError::NoImport),
            None => return Err(CmsError::NotEscrowed { serial: old.serial.clone() }),
        };
        let (authority, _) = self.usable_issuer(&old.certificate)?;
        let counted = client.element(KEY_HISTORY, KEYS_ON_CARD)?;
        let kept = counted.and_then(|count| count.first().copied()).unwrap_or(0);
        if kept >= RETIRED {
            return Err(CmsError::HistoryFull);
        }
        plan.steps.push(Step::Import { slot: 0x82 + kept, escrow, credential: old.id });
        let history = key_history_with(kept + 1);
        let hashes = match client.read(SECURITY_OBJECT)? {
            Some(hashes) => {
                let signer = self.content_signer()?;
                renewed_security_object(&hashes, (KEY_HISTORY, &history), &signer, &mut self.crypto)?
            }
            None => None,
        };
        plan.steps.push(Step::Object { tag: KEY_HISTORY, contents: history });
        plan.steps.extend(hashes.map(|contents| Step::Object { tag: SECURITY_OBJECT, contents }));
        let days = (self.now().date(), self.end_of_certificate(card));
        let signing = Signing { authority: authority.id, like: Some(old.clone()), days };
        let (key, certificate) = self.key_management(card, algorithm, &signing)?;
        plan.import_new(KeyReference::KeyManagement, key, certificate, authority.id);
        Ok(())
    }
}
