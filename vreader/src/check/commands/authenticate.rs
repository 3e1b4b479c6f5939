//! GENERAL AUTHENTICATE (SP 800-73-5 part 2, 3.2.4).

use card_sim::{
    crypto::Crypto,
    key::{SymmetricAlgorithm, SymmetricKey},
};
use spki::SubjectPublicKeyInfoOwned;

use super::{Assertion, Need, Subject, Trial, Tried, VERIFY_PIN, check, one_of};
use crate::{
    check::{
        certificate::SLOTS,
        look::{Challenge, template, template_value},
        outcome::{failed, not_applicable},
    },
    crypto::DefaultCrypto,
    issue::Date,
};

const ABOUT: &str = "GENERAL AUTHENTICATE";

pub(super) const ROWS: &[Assertion] = &[
    Assertion {
        id: "05.34a",
        about: ABOUT,
        text: "The card authentication key signs without the PIN",
        needs: &[],
        run: |trial| use_key(trial, 0x9E),
    },
    Assertion {
        id: "05.34b",
        about: ABOUT,
        text: "The PIV authentication key signs with the PIN",
        needs: &[Need::Pin],
        run: |trial| {
            trial.log_in()?;
            use_key(trial, 0x9A)?;
            // Once verified is enough.
            use_key(trial, 0x9A)
        },
    },
    Assertion {
        id: "05.34c",
        about: ABOUT,
        text: "The digital signature key needs the PIN directly before each signature",
        needs: &[Need::Pin],
        run: |trial| {
            trial.log_in()?;
            use_key(trial, 0x9C)?;
            let (status, _) = answer_of(trial, 0x9C)?;
            one_of(status, &[0x6982], "a second signature without VERIFY")
        },
    },
    Assertion {
        id: "05.34d",
        about: ABOUT,
        text: "The key management key decrypts or agrees with the PIN",
        needs: &[Need::Pin],
        run: |trial| {
            trial.log_in()?;
            use_key(trial, 0x9D)
        },
    },
    Assertion {
        id: "05.34e",
        about: ABOUT,
        text: "Retired key management keys do too",
        needs: &[Need::Pin],
        run: |trial| {
            trial.log_in()?;
            let there: Vec<u8> = (0x82..=0x95).filter(|key| certificate_key(trial, *key).is_ok()).collect();
            if there.is_empty() {
                return Ok(not_applicable("the card has no retired certificates")?);
            }
            there.into_iter().try_for_each(|key| use_key(trial, key))
        },
    },
    Assertion {
        id: "05.34f",
        about: ABOUT,
        text: "The card management key is proved by the answer to a challenge",
        needs: &[Need::ManagementKey],
        run: administrate,
    },
    Assertion {
        id: "05.34g",
        about: ABOUT,
        text: "A wrong answer to the challenge is refused",
        // Some cards count wrong answers.
        needs: &[Need::Change],
        run: wrong_proof,
    },
    Assertion {
        id: "05.36a",
        about: ABOUT,
        text: "An algorithm that the key does not have is answered with 6A86",
        needs: &[],
        run: |trial| {
            let data = template([(0x82, &[]), (0x81, &[0; 32])]);
            trial.expect([0x00, 0x87, 0xAA, 0x9E], &data, &[0x6A86], "algorithm AA with the key 9E")
        },
    },
    Assertion {
        id: "05.36b",
        about: ABOUT,
        text: "A key reference that no key has is answered with 6A86 or 6A88",
        needs: &[],
        run: |trial| {
            let data = template([(0x82, &[]), (0x81, &[0; 32])]);
            trial.expect([0x00, 0x87, 0x11, 0x77], &data, &[0x6A86, 0x6A88], "the key 77")
        },
    },
    Assertion {
        id: "05.36A",
        about: ABOUT,
        text: "Data that are no template are answered with 6A80",
        needs: &[],
        run: |trial| {
            let algorithm = algorithm_of_key(trial, 0x9E)?;
            for data in [&[0x7C, 0x05, 0x81][..], &[0x30, 0x02, 0x81, 0x00], &[0x7C, 0x02, 0x81, 0x00]] {
                let what = format!("the data {}", hex::encode_upper(data));
                trial.expect([0x00, 0x87, algorithm, 0x9E], data, &[0x6A80], &what)?;
            }
            Ok(())
        },
    },
    Assertion {
        id: "05.36B",
        about: ABOUT,
        text: "Keys that need the PIN are refused without it (6982)",
        needs: &[],
        run: |trial| {
            let there = [0x9A, 0x9C, 0x9D].map(|key| (key, certificate_key(trial, key).is_ok()));
            for (key, _) in there.into_iter().filter(|(_, there)| *there) {
                let (status, _) = answer_of(trial, key)?;
                one_of(status, &[0x6982], &format!("the key {key:02X} without the PIN"))?;
            }
            Ok(())
        },
    },
    Assertion {
        id: "05.36C",
        about: ABOUT,
        text: "A chain that another command interrupts is as if it had never begun",
        needs: &[],
        run: interrupted,
    },
];

/// The public key of the certificate that belongs to a key.
fn certificate_key(trial: &Trial<'_>, reference: u8) -> Tried<SubjectPublicKeyInfoOwned> {
    let subject = Subject { evidence: trial.evidence, now: Date::today() };
    let slot = SLOTS.iter().find(|(_, slot)| *slot == reference).map(|(tag, _)| *tag);
    // Retired certificate n stands in 5FC10C + n, its key is 81 + n.
    let tag = slot.unwrap_or_else(|| 0x5F_C10C + u32::from(reference.saturating_sub(0x81)));
    let (certificate, _) = subject.certificate(tag)?;
    Ok(certificate.tbs_certificate().subject_public_key_info().clone())
}

fn challenge(trial: &mut Trial<'_>, reference: u8) -> Tried<(SubjectPublicKeyInfoOwned, Challenge)> {
    let key = certificate_key(trial, reference)?;
    match Challenge::new(&key, reference, trial.rng) {
        Some(challenge) => Ok((key, challenge)),
        None => Ok(not_applicable("the certificate's key is of a kind that no PIV card has")?),
    }
}

/// The algorithm of a key, as its certificate has it.
pub(super) fn algorithm_of_key(trial: &mut Trial<'_>, reference: u8) -> Tried<u8> {
    Ok(challenge(trial, reference)?.1.algorithm)
}

/// Status word, and whether the answer is right.
fn answer_of(trial: &mut Trial<'_>, reference: u8) -> Tried<(u16, bool)> {
    let (key, challenge) = challenge(trial, reference)?;
    let answer = trial.send([0x00, 0x87, challenge.algorithm, reference], &challenge.template)?;
    let right = template_value(&answer.data, 0x82).is_some_and(|response| challenge.is_met(&key, response));
    Ok((answer.status, right))
}

fn use_key(trial: &mut Trial<'_>, reference: u8) -> Tried {
    let (status, right) = answer_of(trial, reference)?;
    one_of(status, &[0x9000], &format!("the use of key {reference:02X}"))?;
    check(right, || format!("what only the key {reference:02X} can answer"), || "something else".to_owned())
}

/// Algorithms of a card management key of so many bytes.
fn algorithms(length: usize) -> &'static [SymmetricAlgorithm] {
    match length {
        16 => &[SymmetricAlgorithm::Aes128],
        24 => &[SymmetricAlgorithm::Aes192, SymmetricAlgorithm::TripleDes],
        32 => &[SymmetricAlgorithm::Aes256],
        _ => &[],
    }
}

/// Proves the card management key: the card then takes orders.
pub(super) fn administrate(trial: &mut Trial<'_>) -> Tried {
    let Some(key) = trial.secrets.management_key.clone() else {
        return Ok(not_applicable("it needs the card management key; give it with --management-key")?);
    };
    for algorithm in algorithms(key.len()) {
        let header = [0x00, 0x87, algorithm.id(), 0x9B];
        let answer = trial.send(header, &template([(0x81, &[])]))?;
        if answer.status == 0x6A86 {
            continue;
        }
        one_of(answer.status, &[0x9000], "the request of a challenge")?;
        let Some(mut block) = template_value(&answer.data, 0x81).map(<[u8]>::to_vec) else {
            return Ok(failed("a challenge in 81", "none")?);
        };
        let encrypted = SymmetricKey::new(*algorithm, &key)
            .is_some_and(|key| DefaultCrypto::default().encrypt_block(&key, &mut block).is_ok());
        check(encrypted, || "a challenge of one block".to_owned(), || format!("{} bytes", block.len()))?;
        return trial.expect(header, &template([(0x82, &block)]), &[0x9000], "the answer to the challenge");
    }
    Ok(not_applicable("the card management key that was given is of another algorithm than the card's")?)
}

fn wrong_proof(trial: &mut Trial<'_>) -> Tried {
    for algorithm in [0x08, 0x0A, 0x0C, 0x03] {
        let header = [0x00, 0x87, algorithm, 0x9B];
        let answer = trial.send(header, &template([(0x81, &[])]))?;
        if answer.status != 0x9000 {
            continue;
        }
        let length = template_value(&answer.data, 0x81).map_or(16, <[u8]>::len);
        let wrong = vec![0x5A; length];
        return trial.expect(header, &template([(0x82, &wrong)]), &[0x6982, 0x6A80], "a wrong answer");
    }
    Ok(not_applicable("the card has no card management key")?)
}

/// The first half of a chain, another command, the second half: no signature comes of it.
fn interrupted(trial: &mut Trial<'_>) -> Tried {
    let (_, challenge) = challenge(trial, 0x9E)?;
    let (first, second) = challenge.template.split_at(challenge.template.len().min(200) / 2);
    let header = |class| [class, 0x87, challenge.algorithm, 0x9E];
    let status = trial.status(header(0x10), first)?;
    one_of(status, &[0x9000], "the first part of a chain")?;
    trial.status(VERIFY_PIN, &[])?;
    let status = trial.status(header(0x00), second)?;
    check(status != 0x9000, || "a refusal of the second part alone".to_owned(), || format!("{status:04X}"))
}
