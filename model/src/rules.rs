//! What each command may do, and what changes by it: counters, status, access.

use std::mem::take;

use crate::{
    Answer::{self, Anything, Only, Refusal},
    Model, Next, SUCCESS, access,
    access::Proof,
    administrator::{self, Asked},
    persistent::{GLOBAL_PIN, PIV_PIN, PUK, Reference, value},
    request::{Present, Purpose, Request, Step},
};

const NOT_SATISFIED: u16 = 0x6982;
const BLOCKED: u16 = 0x6983;
const MALFORMED: u16 = 0x6A80;
const NO_OBJECT: u16 = 0x6A82;
const NO_REFERENCE: u16 = 0x6A88;

/// The full name of the PIV application (SP 800-73-5 part 1, 2.2).
const PIV: [u8; 11] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];

impl Model {
    /// What the card may answer. What changes whatever it answers has changed then.
    pub(crate) fn expect(&mut self, request: &Request, next: &Next) -> Answer {
        let only = |status| Only(status, Vec::new());
        if self.volatile.elsewhere && !matches!(request, Request::Select { .. }) {
            return Refusal;
        }
        match request {
            Request::Read { tag } => match access::reading(*tag) {
                None => Refusal,
                Some(proof) if !self.proved(proof, next) => only(NOT_SATISFIED),
                Some(_) => match self.persistent.objects.get(tag) {
                    Some(object) => Only(SUCCESS, object.clone()),
                    None => only(NO_OBJECT),
                },
            },
            Request::Status { reference } => only(self.status(*reference)),
            Request::Forget { reference } if self.verifiable(*reference) => {
                self.set_verified(*reference, false);
                only(SUCCESS)
            }
            Request::Present(present) => only(self.present(present)),
            Request::NewPin { data } => only(self.new_pin(data)),
            Request::Use { reference, algorithm, exponentiation } => {
                if self.persistent.keys.get(reference) != Some(algorithm) {
                    return Refusal;
                }
                let is_rsa = matches!(algorithm, 0x05 | 0x06 | 0x07 | 0x16);
                match access::using(*reference) {
                    Some(proof) if !self.proved(proof, next) => only(NOT_SATISFIED),
                    Some(_) if *exponentiation != (is_rsa || access::signs(*reference)) => Anything,
                    _ => Refusal,
                }
            }
            Request::Administrator { algorithm, step } if *algorithm == administrator::ALGORITHM => {
                self.prove_administrator(step, next)
            }
            Request::Write { .. } | Request::Generate { .. } | Request::Import { .. }
                if !self.volatile.administrator =>
            {
                only(NOT_SATISFIED)
            }
            Request::Write { tag, .. } if access::reading(*tag).is_some() => Anything,
            Request::Select { .. } | Request::Generate { .. } | Request::Import { .. } => Anything,
            _ => Refusal,
        }
    }

    /// What a command changes that was successful.
    pub(crate) fn succeed(&mut self, request: Request, answer: &[u8]) {
        match request {
            Request::Select { name } => {
                let elsewhere = name.is_empty() || !PIV.starts_with(&name);
                if elsewhere != self.volatile.elsewhere {
                    // The Global PIN is the card's, not the application's.
                    let mut left = take(&mut self.volatile);
                    left.verified.retain(|reference| *reference == GLOBAL_PIN);
                    self.volatile.elsewhere = elsewhere;
                    (self.volatile.verified, self.volatile.rest) = (left.verified, left.rest);
                }
            }
            Request::Write { tag, object } => {
                self.persistent.objects.insert(tag, object);
                // What the Discovery Object takes back opens nothing any more.
                if !self.persistent.global_pin_enabled() {
                    self.volatile.verified.remove(&GLOBAL_PIN);
                }
            }
            Request::Generate { reference, algorithm } | Request::Import { reference, algorithm } => {
                self.persistent.keys.insert(reference, algorithm);
            }
            Request::Administrator { step: step @ (Step::AskChallenge | Step::AskWitness), .. } => {
                self.volatile.next.asked = Some(Asked { step, answer: answer.to_vec() });
            }
            Request::Administrator { step: Step::Mutual { .. }, .. } => self.volatile.administrator = true,
            _ => {}
        }
    }

    fn proved(&self, proof: Proof, next: &Next) -> bool {
        match proof {
            Proof::None => true,
            Proof::Pin => !self.volatile.verified.is_empty(),
            Proof::PinAlways => next.fresh,
        }
    }

    fn verifiable(&self, reference: u8) -> bool {
        reference != PUK && self.persistent.has(reference)
    }

    fn status(&self, reference: u8) -> u16 {
        if !self.verifiable(reference) {
            return NO_REFERENCE;
        }
        match self.persistent.references[&reference].left {
            _ if self.volatile.verified.contains(&reference) => SUCCESS,
            0 => BLOCKED,
            left => 0x63C0 | u16::from(left),
        }
    }

    fn set_verified(&mut self, reference: u8, verified: bool) {
        // The PUK opens nothing but the command that presents it.
        if reference != PUK {
            self.volatile.verified.remove(&reference);
            self.volatile.verified.extend(verified.then_some(reference));
            self.volatile.next.fresh = verified;
        }
    }

    /// The value to compare and the value to set, or the status word if nothing is compared.
    pub(crate) fn comparable(&self, present: &Present) -> Result<([u8; 8], Option<[u8; 8]>), u16> {
        let Present { reference, purpose, data } = present;
        if !self.persistent.has(*reference) {
            return Err(NO_REFERENCE);
        }
        if self.persistent.references[reference].left == 0 {
            return Err(BLOCKED);
        }
        let (old, new) = match (purpose, data.split_at_checked(8)) {
            (Purpose::Verify, _) => (value(*reference, data), None),
            (Purpose::Change, Some((old, new))) => (value(*reference, old), Some(value(*reference, new))),
            (Purpose::Unblock, Some((puk, new))) => (value(PUK, puk), Some(value(PIV_PIN, new))),
            (_, None) => (None, None),
        };
        match (old, new) {
            (Some(old), None) => Ok((old, None)),
            (Some(old), Some(Some(new))) => Ok((old, Some(new))),
            _ => Err(MALFORMED),
        }
    }

    /// A value is compared: the counters, and what is verified then (part 2, 3.2.1 to 3.2.3).
    fn present(&mut self, present: &Present) -> u16 {
        let (old, new) = match self.comparable(present) {
            Ok(values) => values,
            Err(status) => return status,
        };
        let verifies = if present.purpose == Purpose::Unblock { PIV_PIN } else { present.reference };
        let Reference { value, left, total } = self.persistent.spend(present.reference);
        if *value != old {
            let left = *left;
            self.set_verified(verifies, false);
            return 0x63C0 | u16::from(left);
        }
        *left = *total;
        if let Some(new) = new {
            let changed = if present.purpose == Purpose::Unblock { PIV_PIN } else { present.reference };
            if let Some(reference) = self.persistent.references.get_mut(&changed) {
                *reference = Reference { value: new, left: reference.total, total: reference.total };
            }
        }
        // RESET RETRY COUNTER verifies nothing, and leaves what is verified.
        if present.purpose != Purpose::Unblock {
            self.set_verified(verifies, true);
        }
        SUCCESS
    }

    /// The card manager gives the PIN a new value and all its tries; nothing is compared, and nothing verified
    /// (ISO/IEC 7816-4, RESET RETRY COUNTER with P1 `02`).
    fn new_pin(&mut self, data: &[u8]) -> u16 {
        if !self.volatile.administrator {
            return NOT_SATISFIED;
        }
        let Some(value) = value(PIV_PIN, data) else { return MALFORMED };
        let Some(pin) = self.persistent.references.get_mut(&PIV_PIN) else { return NO_REFERENCE };
        *pin = Reference { value, left: pin.total, total: pin.total };
        SUCCESS
    }

    fn prove_administrator(&mut self, step: &Step, next: &Next) -> Answer {
        let proves = |answer: &[u8], asked: &Step| {
            next.asked.as_ref().is_some_and(|question| {
                question.step == *asked && question.expected(&self.management_key).as_deref() == Some(answer)
            })
        };
        match step {
            Step::AskChallenge | Step::AskWitness | Step::Internal => Anything,
            Step::External { response } => {
                self.volatile.administrator = proves(response, &Step::AskChallenge);
                if self.volatile.administrator { Only(SUCCESS, Vec::new()) } else { Refusal }
            }
            Step::Mutual { witness, challenge } => {
                let proved = proves(witness, &Step::AskWitness) && challenge.len() == 16;
                self.volatile.administrator = false;
                if proved { Anything } else { Refusal }
            }
            Step::Malformed => Refusal,
        }
    }
}
