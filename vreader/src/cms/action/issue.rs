//! Issuance: a blank card gets its holder's objects, keys, certificates and PIN.

use card_sim::crypto::Crypto;
use card_sim::{
    key::{AsymmetricAlgorithm, DEFAULT_EXPONENT, KeyReference},
    reference,
};
use rand_core::Rng;
use std::time::Instant;
use zeroize::Zeroizing;

use crate::{
    card_client::{CardClient, CardIdentity, ClientError, Line, Reference},
    cms::{
        Cms, CmsError, UpdateOptions, Updated,
        authority::Signing,
        database::{CardRow, CredentialRow, HolderRow, card_id, placed},
        request::{Wish, is_retired},
        session::{Access, Draft, Effect, Plan, Step, device},
        state::{DeviceEvent, Reason, RequestKind},
    },
    issue::{CardNumbers, Date, managed::SECURITY_OBJECT},
};

/// Choices of issuance.
#[derive(Clone, Debug)]
pub struct IssueOptions {
    /// Algorithm of the keys.
    pub algorithm: AsymmetricAlgorithm,
    /// The card is written now, and its holder chooses the PIN when the card is handed over.
    pub produce: bool,
    /// Encryption keys are made here and kept, and those of the card that this one replaces are put on it.
    pub recover: bool,
    /// Last day of the card; six years if nothing is said, two weeks for a temporary replacement.
    pub expires: Option<Date>,
}

impl Default for IssueOptions {
    fn default() -> Self {
        Self { algorithm: AsymmetricAlgorithm::EccP256, produce: false, recover: true, expires: None }
    }
}

/// FIPS 201-3, 2.8: the longest life of a card, in years; and that of a certificate here.
const CARD_YEARS: u16 = 6;
const CERTIFICATE_YEARS: u16 = 3;

/// Days that a temporary replacement lives.
const TEMPORARY_DAYS: u64 = 14;

const DISCOVERY: u32 = 0x7E;

impl Cms {
    /// Issues the card on a line, which is assigned to somebody. `access` has the PIN that the holder chooses.
    pub fn issue(
        &mut self,
        line: &mut Line<'_>,
        access: &Access,
        options: &UpdateOptions,
    ) -> Result<Updated, CmsError> {
        let options = UpdateOptions { kind: Some(RequestKind::Issuance), ..options.clone() };
        let wish = |card| Wish::new(card, RequestKind::Issuance, Reason::None);
        self.request_and_update(line, &wish, access, &options)
    }

    /// The holder of a card that was produced gets it, and chooses the PIN.
    pub fn hand_over(&mut self, line: &mut Line<'_>, access: &Access) -> Result<CardRow, CmsError> {
        self.with_card(line, "hand over", access, &UpdateOptions::default(), |cms, client, card, _| {
            let pin = access.new_pin.as_ref().or(access.pin.as_ref()).ok_or(CmsError::PinNeeded)?;
            card.state.after(DeviceEvent::HandOver, &card.name())?;
            client.authenticate(&card.management_key, &mut cms.crypto)?;
            crate::cms::session::set_pin(client, &card, pin)?;
            let entry = cms.done("hand over", Some(card.id), None, "");
            cms.change_card(card.id, &entry, |_, card| device(card, DeviceEvent::HandOver))
        })
    }

    pub(super) fn plan_issuance(
        &mut self,
        client: &mut CardClient<'_, '_>,
        card: &CardRow,
        options: &IssueOptions,
    ) -> Result<Plan, CmsError> {
        let (authority, _) = self.usable(self.issuing_authority()?)?;
        if options.recover && !client.imports_keys()? {
            return Err(CmsError::NoImport);
        }
        let person = self.holder_of(card)?.person();
        let life = (self.now().date(), options.expires.unwrap_or_else(|| self.end_of_life(card)));
        let mut numbers = CardNumbers::sample(&mut self.rng, &person)?;
        numbers.card_id = card_id(&card.identity);
        let mut plan = Plan::new(format!("issue to {}", person.name));
        plan.at_once = Some(DeviceEvent::BeginIssuance);
        plan.identity = Some((numbers.clone(), life.0, life.1));
        let new = CardRow {
            issued: Some(life.0),
            expires: Some(life.1),
            numbers: Some(numbers),
            ..self.card(card.id)?
        };
        let recovered = if options.recover { self.recoverable(card)? } else { Vec::new() };
        let objects = self.objects(client, &new, recovered.len())?;
        // The Security Object is last: the hashes of what is there then.
        let (last, first): (Vec<_>, Vec<_>) =
            objects.into_iter().partition(|(tag, _)| *tag == SECURITY_OBJECT);
        let object = |(tag, contents)| Step::Object { tag, contents };
        plan.steps.extend(first.into_iter().map(object));
        let retired = (0x82_u8..=0x95).zip(recovered);
        plan.steps.extend(retired.map(|(slot, (escrow, credential))| Step::Import {
            slot,
            escrow,
            credential,
        }));
        self.plan_keys(&new, authority.id, options, &mut plan)?;
        plan.steps.extend(last.into_iter().map(object));
        self.finish_issuance(card, options, &mut plan)?;
        Ok(plan)
    }

    /// The objects of a card, with so many retired keys. What cards have from their maker is left alone.
    fn objects(
        &mut self,
        client: &mut CardClient<'_, '_>,
        card: &CardRow,
        retired: usize,
    ) -> Result<Vec<(u32, Vec<u8>)>, CmsError> {
        let holder = self.holder_of(card)?;
        let mut biometrics = self.database.read(|connection| HolderRow::biometrics(connection, holder.id))?;
        if matches!(card.identity, CardIdentity::Serial(_)) {
            // A YubiKey has 3 KB of room for an object, and no face is as small as that.
            biometrics.face.clear();
        }
        let retired = u8::try_from(retired).unwrap_or(u8::MAX);
        let has_discovery = client.read(DISCOVERY)?.is_some();
        let started = Instant::now();
        let mut objects =
            self.managed(card)?.objects(&biometrics, retired, &self.pki()?, &mut self.crypto)?;
        self.timing.signing += started.elapsed();
        objects.retain(|(tag, _)| *tag != DISCOVERY || !has_discovery);
        Ok(objects)
    }

    /// The four keys and their certificates: made on the card, but for the encryption key, which is made here and kept if it is to be
    /// recovered one day.
    fn plan_keys(
        &mut self,
        card: &CardRow,
        authority: i64,
        options: &IssueOptions,
        plan: &mut Plan,
    ) -> Result<(), CmsError> {
        let days = (self.now().date(), self.end_of_certificate(card));
        for slot in KeyReference::ASYMMETRIC {
            if slot == KeyReference::KeyManagement && options.recover {
                let signing = Signing { authority, like: None, days };
                let (key, certificate) = self.key_management(card, options.algorithm, &signing)?;
                plan.import_new(slot, key, certificate, authority);
            } else {
                let (from, until) = (days.0.to_string(), days.1.to_string());
                plan.generate(slot, options.algorithm, Draft { authority, like: None, from, until });
            }
        }
        Ok(())
    }

    /// PIN and PUK, and what the card is in the end.
    fn finish_issuance(
        &mut self,
        card: &CardRow,
        options: &IssueOptions,
        plan: &mut Plan,
    ) -> Result<(), CmsError> {
        if card.puk.is_some() {
            plan.next_puk = Some(self.random_puk());
            plan.steps.push(Step::Puk);
            plan.effects.push(Effect::Puk);
        }
        let temporary = options.produce.then(|| self.random_digits().to_string());
        plan.steps.push(Step::Pin { temporary });
        plan.steps.push(Step::Prove);
        let event = if options.produce { DeviceEvent::Produce } else { DeviceEvent::FinishIssuance };
        plan.effects.push(Effect::Device(event));
        self.take_effect_of_replacement(card, plan)
    }

    /// A key of key management that is kept here, with its certificate.
    pub(super) fn key_management(
        &mut self,
        card: &CardRow,
        algorithm: AsymmetricAlgorithm,
        signing: &Signing,
    ) -> Result<(card_sim::key::PrivateKey, Vec<u8>), CmsError> {
        let started = Instant::now();
        let failed = |_| CmsError::Client(ClientError::Crypto);
        let key = self.crypto.generate(algorithm, DEFAULT_EXPONENT, &mut self.rng).map_err(failed)?;
        let public = self.crypto.public_key(&key).map_err(failed)?;
        self.timing.key_generation += started.elapsed();
        let started = Instant::now();
        let certificate = self.sign(card, (KeyReference::KeyManagement, algorithm), &public, signing)?;
        self.timing.signing += started.elapsed();
        Ok((key, certificate))
    }

    /// The encryption keys on the card that this one replaces, the newest first, with their credentials.
    fn recoverable(&self, card: &CardRow) -> Result<Vec<(i64, i64)>, CmsError> {
        let Some(old) = card.replaces else { return Ok(Vec::new()) };
        let placed = self.database.read(|connection| placed(connection, old))?;
        let encrypts = |slot| slot == KeyReference::KeyManagement || is_retired(slot);
        let mut keys: Vec<&CredentialRow> =
            placed.iter().filter(|(slot, _)| encrypts(*slot)).map(|(_, credential)| credential).collect();
        keys.sort_by_key(|credential| std::cmp::Reverse(credential.id));
        let keys = keys.into_iter().filter_map(|credential| Some((credential.escrow?, credential.id)));
        // As many as a card has places for.
        Ok(keys.take(20).collect())
    }

    /// The last day of a card that is issued today.
    fn end_of_life(&self, card: &CardRow) -> Date {
        let now = self.now();
        if card.temporary {
            now.plus(std::time::Duration::from_hours(24 * TEMPORARY_DAYS)).date()
        } else {
            now.date().last_day_of(CARD_YEARS)
        }
    }

    /// The last day of a certificate that a card gets today.
    pub(super) fn end_of_certificate(&self, card: &CardRow) -> Date {
        let usual = self.now().date().last_day_of(CERTIFICATE_YEARS);
        card.expires.map_or(usual, |last| usual.min(last))
    }

    /// Eight digits, as the PUK of every card here.
    fn random_puk(&mut self) -> Reference {
        let mut puk = Zeroizing::new([0; reference::LENGTH]);
        self.rng.fill_bytes(&mut puk[..]);
        for byte in puk.iter_mut() {
            *byte = b'0' + *byte % 10;
        }
        puk
    }
}
