//! Running a session: begin, steps, end.

use std::time::Instant;

use card_sim::key::{AsymmetricAlgorithm, KeyReference};
use rand_core::Rng;
use rusqlite::Connection;
use zeroize::Zeroizing;

use super::{Access, Draft, Effect, Plan, Step, temporary_pin};
use crate::{
    card_client::{CardClient, ClientError, Reference},
    clock::Time,
    cms::{
        Cms, CmsError,
        authority::{Signing, algorithm_of},
        database::{
            AuditEntry, CardRow, CredentialRow, NewCredential, NewSession, Outcome, RequestRow, SessionRow,
            Suspension, clear, keep, kept, place, placed,
        },
        state::{CredentialEvent, DeviceEvent, Reason, RequestEvent},
    },
    issue::{Date, certificate_tag, managed},
};

impl Cms {
    /// Writes a session down. From here on it is run to its end, by this process or by another.
    pub(in crate::cms) fn begin(
        &mut self,
        card: &CardRow,
        request: &RequestRow,
        plan: Plan,
    ) -> Result<SessionRow, CmsError> {
        let (now, operator) = (self.now(), self.operator.clone());
        let started = Instant::now();
        let session = self.database.write(|connection| {
            let mut card = CardRow::find(connection, card.id)?.ok_or_else(|| gone(card))?;
            // While this was planned, somebody else may have taken the request back.
            let request = RequestRow::find(connection, request.id)?
                .ok_or_else(|| CmsError::NotFound(request.name()))?;
            request.state.after(RequestEvent::Execute, &request.name())?;
            if let Some(event) = plan.at_once {
                card.state = card.state.after(event, &card.name())?;
            }
            if let Some((numbers, issued, expires)) = plan.identity {
                (card.numbers, card.issued, card.expires) = (Some(numbers), Some(issued), Some(expires));
            }
            if plan.next_puk.is_some() {
                card.next_puk = plan.next_puk;
            }
            card.save(connection)?;
            let mut steps = plan.steps;
            for planned in plan.keys {
                let holder =
                    card.holder.ok_or_else(|| CmsError::NotFound(format!("holder of {}", card.name())))?;
                let escrow = keep(connection, holder, &planned.key)?;
                let credential = CredentialRow::insert(
                    connection,
                    &NewCredential {
                        card: card.id,
                        authority: planned.authority,
                        certificate: &planned.certificate,
                        since: now,
                        escrow: Some(escrow),
                    },
                )?;
                if let Some(step) = steps.get_mut(planned.step) {
                    *step = Step::Import { slot: planned.slot.to_byte(), escrow, credential };
                }
            }
            SessionRow::insert(
                connection,
                &NewSession {
                    card: card.id,
                    request: request.id,
                    action: &plan.action,
                    operator: &operator,
                    started: now,
                    steps: &steps,
                    effects: &plan.effects,
                },
            )?;
            audit(connection, now, &operator, card.id, request.id, &plan.action, Outcome::Begun, "")?;
            SessionRow::of_card(connection, card.id)?.ok_or_else(|| gone(&card))
        })?;
        self.timing.database += started.elapsed();
        Ok(session)
    }

    /// Runs a session from its first step to its end. The administrator is authenticated.
    pub(in crate::cms) fn run(
        &mut self,
        client: &mut CardClient<'_, '_>,
        session: &mut SessionRow,
        access: &Access,
    ) -> Result<(), CmsError> {
        let card = self.database.write(|connection| {
            session.begin(connection)?;
            Ok::<_, CmsError>(CardRow::find(connection, session.card)?)
        })?;
        let card = card.ok_or_else(|| CmsError::NotFound(format!("card {}", session.card)))?;
        for number in 0..session.steps.len() {
            self.step(client, &card, session, number, access)?;
        }
        self.end(&card, session)
    }

    fn step(
        &mut self,
        client: &mut CardClient<'_, '_>,
        card: &CardRow,
        session: &SessionRow,
        number: usize,
        access: &Access,
    ) -> Result<(), CmsError> {
        let Some(step) = session.steps.get(number) else { return Ok(()) };
        match step {
            Step::Object { tag, contents } => Ok(client.put(*tag, contents)?),
            Step::Generate { slot, algorithm, draft } => {
                let slot = reference(*slot)?;
                let algorithm = AsymmetricAlgorithm::from_id(*algorithm)
                    .ok_or(CmsError::Client(ClientError::Malformed("the session's journal")))?;
                self.generate(client, card, session, number, (slot, algorithm), draft)
            }
            Step::Import { slot, escrow, credential } => {
                self.import(client, reference(*slot)?, *escrow, *credential)
            }
            Step::Remove { slot } => self.remove(client, card, reference(*slot)?),
            Step::Puk => set_puk(client, card, session.attempts),
            Step::Pin { temporary: Some(digits) } => set_pin(client, card, &temporary_pin(digits)),
            Step::Pin { temporary: None } => {
                let pin = access.new_pin.as_ref().or(access.pin.as_ref()).ok_or(CmsError::PinNeeded)?;
                set_pin(client, card, pin)
            }
            Step::OwnPin { temporary } => {
                let new = access.new_pin.as_ref().ok_or(CmsError::NewPinNeeded)?;
                Ok(client.change_pin(&temporary_pin(temporary), new)?)
            }
            Step::Block => self.block(client, card),
            Step::Prove => self.prove(client, session, access),
        }
    }

    /// A key that the card makes, and its certificate.
    fn generate(
        &mut self,
        client: &mut CardClient<'_, '_>,
        card: &CardRow,
        session: &SessionRow,
        number: usize,
        (slot, algorithm): (KeyReference, AsymmetricAlgorithm),
        draft: &Draft,
    ) -> Result<(), CmsError> {
        let known = self.database.read(|connection| {
            let id = session.credential(connection, number)?;
            id.map_or(Ok(None), |id| CredentialRow::find(connection, id))
        })?;
        if let Some(known) = known {
            return put_certificate(client, slot, &known.certificate);
        }
        empty(client, slot)?;
        let started = Instant::now();
        let public = client.generate(slot, algorithm)?;
        self.timing.key_generation += started.elapsed();
        let certificate = self.certify(card, (slot, algorithm), &public, draft)?;
        let (now, started) = (self.now(), Instant::now());
        self.database.write(|connection| {
            let credential = CredentialRow::insert(
                connection,
                &NewCredential {
                    card: card.id,
                    authority: draft.authority,
                    certificate: &certificate,
                    since: now,
                    escrow: None,
                },
            )?;
            Ok::<_, CmsError>(session.remember(connection, number, credential)?)
        })?;
        self.timing.database += started.elapsed();
        put_certificate(client, slot, &certificate)
    }

    fn certify(
        &mut self,
        card: &CardRow,
        (slot, algorithm): (KeyReference, AsymmetricAlgorithm),
        public: &card_sim::key::PublicKey,
        draft: &Draft,
    ) -> Result<Vec<u8>, CmsError> {
        let started = Instant::now();
        let days = (day(&draft.from)?, day(&draft.until)?);
        let like = match draft.like {
            Some(id) => self.database.read(|connection| CredentialRow::find(connection, id))?,
            None => None,
        };
        let signing = Signing { authority: draft.authority, like, days };
        let certificate = self.sign(card, (slot, algorithm), public, &signing)?;
        self.timing.signing += started.elapsed();
        Ok(certificate)
    }

    /// A key from escrow, and its certificate.
    fn import(
        &mut self,
        client: &mut CardClient<'_, '_>,
        slot: KeyReference,
        escrow: i64,
        credential: i64,
    ) -> Result<(), CmsError> {
        let (key, credential) = self.database.read(|connection| {
            Ok((kept(connection, escrow)?, CredentialRow::find(connection, credential)?))
        })?;
        let credential = credential.ok_or_else(|| CmsError::NotFound("credential of the session".into()))?;
        // The certificate that is there may be the old key's; the new one is there only after the new key.
        if client.certificate(slot)?.as_ref() != Some(&credential.certificate) {
            empty(client, slot)?;
        }
        client.import(slot, &key)?;
        put_certificate(client, slot, &credential.certificate)
    }

    /// A certificate and its key go. Where keys cannot be deleted, another one takes its place, which has no certificate.
    fn remove(
        &mut self,
        client: &mut CardClient<'_, '_>,
        card: &CardRow,
        slot: KeyReference,
    ) -> Result<(), CmsError> {
        const NO_SUCH_COMMAND: u16 = 0x6D00;
        empty(client, slot)?;
        match client.delete(slot) {
            Err(ClientError::Refused { status: NO_SUCH_COMMAND, .. }) => {}
            result => return Ok(result?),
        }
        let placed = self.database.read(|connection| placed(connection, card.id))?;
        if let Some((_, credential)) = placed.iter().find(|(found, _)| *found == slot) {
            client.generate(slot, algorithm_of(&credential.certificate)?)?;
        }
        Ok(())
    }

    /// A PIN that nobody knows, and no try left.
    fn block(&mut self, client: &mut CardClient<'_, '_>, card: &CardRow) -> Result<(), CmsError> {
        let unknown = self.random_digits();
        set_pin(client, card, &temporary_pin(&unknown))?;
        let wrong: String = unknown.chars().map(|digit| if digit == '0' { '1' } else { '0' }).collect();
        loop {
            match client.verify_pin(&temporary_pin(&wrong)) {
                Err(ClientError::Wrong { .. }) => {}
                Err(ClientError::Blocked(_)) => return Ok(()),
                Err(other) => return Err(other.into()),
                // Eight digits that all differ from the PIN's are not the PIN.
                Ok(()) => return Err(ClientError::Malformed("VERIFY").into()),
            }
        }
    }

    /// Eight digits.
    pub(in crate::cms) fn random_digits(&mut self) -> Zeroizing<String> {
        Zeroizing::new(format!("{:08}", self.rng.next_u32() % 100_000_000))
    }

    /// That the card has the keys of the session's certificates. Without the PIN, those that need none; so when it was blocked before a
    /// session was taken up again, for the unlock comes after that.
    fn prove(
        &mut self,
        client: &mut CardClient<'_, '_>,
        session: &SessionRow,
        access: &Access,
    ) -> Result<(), CmsError> {
        // The PIN that the session itself set, if it is a temporary one that stays.
        let own = session.steps.iter().any(|step| matches!(step, Step::OwnPin { .. }));
        let temporary = session.steps.iter().find_map(|step| match step {
            Step::Pin { temporary: Some(digits) } if !own => Some(temporary_pin(digits)),
            _ => None,
        });
        // A new PIN is for a session to come, if this one does not set it.
        let sets_pin = own || session.steps.iter().any(|step| matches!(step, Step::Pin { temporary: None }));
        let new_pin = access.new_pin.as_ref().filter(|_| sets_pin);
        let pin = temporary.as_ref().or(new_pin).or(access.pin.as_ref());
        for (number, step) in session.steps.iter().enumerate() {
            let (slot, id) = match step {
                Step::Generate { slot, .. } => {
                    (*slot, self.database.read(|connection| session.credential(connection, number))?)
                }
                Step::Import { slot, credential, .. } => (*slot, Some(*credential)),
                _ => continue,
            };
            let Some(id) = id else { continue };
            let Some(credential) = self.database.read(|connection| CredentialRow::find(connection, id))?
            else {
                continue;
            };
            match self.proves(client, reference(slot)?, &credential.certificate, pin) {
                Ok(Some(false)) => {
                    self.forget(session, number, &credential)?;
                    return Err(CmsError::KeyMismatch(slot));
                }
                Err(CmsError::Client(ClientError::Blocked(_))) if session.attempts > 1 => {}
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether the card has the key of a certificate. The PIN is verified when the key asks for it.
    pub(in crate::cms) fn proves(
        &mut self,
        client: &mut CardClient<'_, '_>,
        slot: KeyReference,
        certificate: &[u8],
        pin: Option<&Reference>,
    ) -> Result<Option<bool>, CmsError> {
        let proved = client.proves(slot, certificate, &mut self.rng)?;
        let (None, Some(pin)) = (proved, pin) else { return Ok(proved) };
        client.verify_pin(pin)?;
        Ok(client.proves(slot, certificate, &mut self.rng)?)
    }

    /// A certificate whose key the card does not have is revoked, and the next run makes another.
    fn forget(
        &mut self,
        session: &SessionRow,
        number: usize,
        credential: &CredentialRow,
    ) -> Result<(), CmsError> {
        let now = self.now();
        self.database.write(|connection| {
            let mut credential = credential.clone();
            happen(&mut credential, CredentialEvent::Revoke, Reason::Renew, now)?;
            credential.save(connection)?;
            Ok(session.forget(connection, number)?)
        })
    }

    /// Everything is on the card: now the database says so.
    fn end(&mut self, card: &CardRow, session: &SessionRow) -> Result<(), CmsError> {
        let (now, operator) = (self.now(), self.operator.clone());
        let started = Instant::now();
        self.database.write(|connection| {
            let mut card = CardRow::find(connection, card.id)?.ok_or_else(|| gone(card))?;
            for (number, step) in session.steps.iter().enumerate() {
                let (slot, id) = match step {
                    Step::Generate { slot, .. } => (*slot, session.credential(connection, number)?),
                    Step::Import { slot, credential, .. } => (*slot, Some(*credential)),
                    _ => continue,
                };
                if let Some(id) = id {
                    place(connection, card.id, reference(slot)?, id)?;
                }
            }
            for effect in &session.effects {
                apply(connection, &mut card, effect, now)?;
            }
            card.save(connection)?;
            if let Some(mut request) = RequestRow::find(connection, session.request)? {
                request.state = request.state.after(RequestEvent::Execute, &request.name())?;
                request.save(connection)?;
            }
            SessionRow::delete(connection, session.id)?;
            let detail = if session.operator == operator && session.attempts == 1 {
                String::new()
            } else {
                format!(
                    "run {} times; begun by {} on {}",
                    session.attempts, session.operator, session.started
                )
            };
            audit(
                connection,
                now,
                &operator,
                card.id,
                session.request,
                &session.action,
                Outcome::Done,
                &detail,
            )
        })?;
        self.timing.database += started.elapsed();
        Ok(())
    }
}

/// The certificate's container is empty before its key is replaced.
fn empty(client: &mut CardClient<'_, '_>, slot: KeyReference) -> Result<(), CmsError> {
    let Some(tag) = certificate_tag(slot) else { return Ok(()) };
    if client.read(tag)?.is_some() {
        client.put(tag, &[])?;
    }
    Ok(())
}

/// Puts a certificate where it belongs, unless it is there.
fn put_certificate(
    client: &mut CardClient<'_, '_>,
    slot: KeyReference,
    certificate: &[u8],
) -> Result<(), CmsError> {
    let Some(tag) = certificate_tag(slot) else { return Ok(()) };
    let contents = managed::certificate_container(certificate);
    if client.read(tag)?.as_ref() != Some(&contents) {
        client.put(tag, &contents)?;
    }
    Ok(())
}

/// A new PIN, by the PUK where it is known and the card takes it, else by the administrator, who is authenticated.
pub(in crate::cms) fn set_pin(
    client: &mut CardClient<'_, '_>,
    card: &CardRow,
    pin: &Reference,
) -> Result<(), CmsError> {
    let Some(puk) = card.next_puk.as_ref().or(card.puk.as_ref()) else {
        return Ok(client.reset_pin_as_administrator(pin)?);
    };
    match client.reset_pin(puk, pin) {
        Err(refused @ (ClientError::Wrong { .. } | ClientError::Blocked(_))) => {
            // A stock that knows no such administrator leaves it at what the PUK met with.
            match client.reset_pin_as_administrator(pin) {
                Err(ClientError::Refused { .. }) => Err(refused.into()),
                result => Ok(result?),
            }
        }
        result => Ok(result?),
    }
}

/// The PUK becomes the new one, whether it is the old one still or the new one already.
fn set_puk(client: &mut CardClient<'_, '_>, card: &CardRow, attempts: u32) -> Result<(), CmsError> {
    let (Some(old), Some(new)) = (&card.puk, &card.next_puk) else { return Ok(()) };
    let order = if attempts % 2 == 1 { [old, new] } else { [new, old] };
    match client.change_puk(order[0], new) {
        Err(ClientError::Wrong { .. }) => Ok(client.change_puk(order[1], new)?),
        result => Ok(result?),
    }
}

fn apply(connection: &Connection, card: &mut CardRow, effect: &Effect, now: Time) -> Result<(), CmsError> {
    match effect {
        Effect::Device(event) => device(card, *event),
        Effect::OtherDevice { card: id, event } => {
            let other = CardRow::find(connection, *id)?;
            let mut other = other.ok_or_else(|| CmsError::NotFound(format!("card {id}")))?;
            device(&mut other, *event)?;
            Ok(other.save(connection)?)
        }
        Effect::Credential { id, event, reason } => {
            let found = CredentialRow::find(connection, *id)?;
            let mut credential = found.ok_or_else(|| CmsError::NotFound(format!("credential {id}")))?;
            happen(&mut credential, *event, *reason, now)?;
            Ok(credential.save(connection)?)
        }
        Effect::Request { id } => {
            let found = RequestRow::find(connection, *id)?;
            let mut request = found.ok_or_else(|| CmsError::NotFound(format!("request {id}")))?;
            request.state = request.state.after(RequestEvent::Execute, &request.name())?;
            Ok(request.save(connection)?)
        }
        Effect::Activated => {
            if let Some(hidden) = card.hidden.take() {
                let effect =
                    Effect::Credential { id: hidden, event: CredentialEvent::Revoke, reason: Reason::Renew };
                apply(connection, card, &effect, now)?;
            }
            Ok(())
        }
        Effect::Remove { slot } => Ok(clear(connection, card.id, Some(reference(*slot)?))?),
        Effect::Puk => {
            if let Some(next) = card.next_puk.take() {
                card.puk = Some(next);
            }
            Ok(())
        }
        Effect::Forget => {
            (card.holder, card.numbers, card.issued, card.expires) = (None, None, None, None);
            (card.replaces, card.temporary) = (None, false);
            Ok(clear(connection, card.id, None)?)
        }
    }
}

/// An event in a card's life.
pub(in crate::cms) fn device(card: &mut CardRow, event: DeviceEvent) -> Result<(), CmsError> {
    card.state = card.state.after(event, &card.name())?;
    match event {
        DeviceEvent::Resume | DeviceEvent::Terminate => card.suspended_for = None,
        DeviceEvent::Suspend if card.suspended_for.is_none() => card.suspended_for = Some(Suspension::Lock),
        _ => {}
    }
    Ok(())
}

/// An event in a credential's life.
pub(in crate::cms) fn happen(
    credential: &mut CredentialRow,
    event: CredentialEvent,
    reason: Reason,
    now: Time,
) -> Result<(), CmsError> {
    let what = format!("credential {} (serial number {})", credential.id, credential.serial);
    credential.state = credential.state.after(event, &what)?;
    (credential.reason, credential.since) = (reason, now);
    Ok(())
}

fn reference(byte: u8) -> Result<KeyReference, CmsError> {
    let unreadable = CmsError::Client(ClientError::Malformed("the session's journal"));
    KeyReference::from_byte(byte).ok_or(unreadable)
}

fn day(text: &str) -> Result<Date, CmsError> {
    text.parse().map_err(|_| CmsError::Client(ClientError::Malformed("the session's journal")))
}

fn gone(card: &CardRow) -> CmsError {
    CmsError::NotFound(card.name())
}

#[expect(clippy::too_many_arguments, reason = "each is a column")]
fn audit(
    connection: &Connection,
    time: Time,
    operator: &str,
    card: i64,
    request: i64,
    action: &str,
    outcome: Outcome,
    detail: &str,
) -> Result<(), CmsError> {
    let entry = AuditEntry {
        time,
        operator: operator.to_owned(),
        action: action.to_owned(),
        card: Some(card),
        request: Some(request),
        outcome,
        detail: detail.to_owned(),
    };
    Ok(entry.insert(connection)?)
}
