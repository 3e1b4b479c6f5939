//! PUT DATA and GENERATE ASYMMETRIC KEY PAIR (SP 800-73-5 part 2, 3.3).

use apdu::tlv_ber::{Reader, Tag};
use der::{Any, asn1::BitString};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::{Assertion, Need, Trial, Tried, authenticate::administrate, check, one_of};
use crate::{
    check::{
        evidence::Found,
        look::{Challenge, template_value},
        outcome::{failed, hex, not_applicable},
    },
    issue::{oid, tlv::elements},
};

const PUT: [u8; 4] = [0x00, 0xDB, 0x3F, 0xFF];
const SECURITY_OBJECT: u32 = 0x5F_C106;

const PUT_DATA: &str = "PUT DATA";
const GENERATE: &str = "GENERATE ASYMMETRIC KEY PAIR";

pub(super) const ROWS: &[Assertion] = &[
    Assertion {
        id: "05.37a",
        about: PUT_DATA,
        text: "Without the card management key nothing is written (6982)",
        needs: &[],
        // The object as it is, so that nothing is lost on a card that takes it.
        run: |trial| {
            let data = put(&current(trial)?);
            trial.expect(PUT, &data, &[0x6982], "PUT DATA without the card management key")
        },
    },
    Assertion {
        id: "05.37b",
        about: PUT_DATA,
        text: "With it, an object is replaced, in a chain of commands if it is long",
        needs: &[Need::ManagementKey, Need::Change],
        run: |trial| {
            let before = current(trial)?;
            let other = elements([(0x53, &vec![0xA5; 900])]);
            administrate(trial)?;
            for object in [other, before] {
                trial.expect(PUT, &put(&object), &[0x9000], "PUT DATA")?;
                let found = current(trial)?;
                check(found == object, || "what was written".to_owned(), || hex(&found))?;
            }
            Ok(())
        },
    },
    Assertion {
        id: "05.37c",
        about: PUT_DATA,
        text: "Over the contactless interface it is not supported (6A81)",
        needs: &[Need::Contactless],
        run: |trial| {
            let data = put(&elements([(0x53, &[])]));
            trial.expect(PUT, &data, &[0x6A81, 0x6982], "PUT DATA")
        },
    },
    Assertion {
        id: "05.38a",
        about: GENERATE,
        text: "Without the card management key no key is made (6982)",
        needs: &[Need::Change],
        run: |trial| trial.expect(generate(0x9A), &mechanism(0x11), &[0x6982], "GENERATE for the key 9A"),
    },
    Assertion {
        id: "05.38b",
        about: GENERATE,
        text: "An unknown mechanism is answered with 6A80",
        needs: &[Need::ManagementKey],
        run: |trial| {
            administrate(trial)?;
            trial.expect(generate(0x9A), &mechanism(0xAA), &[0x6A80], "mechanism AA")
        },
    },
    Assertion {
        id: "05.38c",
        about: GENERATE,
        text: "A key reference that no key has is answered with 6A86",
        needs: &[Need::ManagementKey],
        run: |trial| {
            administrate(trial)?;
            trial.expect(generate(0x77), &mechanism(0x11), &[0x6A86], "the key 77")
        },
    },
    Assertion {
        id: "05.38d",
        about: GENERATE,
        text: "A new key on P-256 is the one whose public half is answered",
        needs: &[Need::ManagementKey, Need::Change, Need::Ruin],
        run: new_key,
    },
    Assertion {
        id: "05.38e",
        about: GENERATE,
        text: "Over the contactless interface it is not supported (6A81)",
        needs: &[Need::Contactless],
        run: |trial| trial.expect(generate(0x9A), &mechanism(0x11), &[0x6A81, 0x6982], "GENERATE"),
    },
];

/// The Security Object as it is: everybody may read it, and it is longer than a command.
fn current(trial: &mut Trial<'_>) -> Tried<Vec<u8>> {
    match trial.get_data(SECURITY_OBJECT)? {
        Found::Object(object) => Ok(object),
        Found::Refused(status) => Ok(not_applicable(format!(
            "the Security Object, which is to be written, was refused with {status:04X}"
        ))?),
    }
}

fn put(object: &[u8]) -> Vec<u8> {
    [elements([(0x5C, &[0x5F, 0xC1, 0x06])]), object.to_vec()].concat()
}

fn generate(reference: u8) -> [u8; 4] {
    [0x00, 0x47, 0x00, reference]
}

fn mechanism(id: u8) -> Vec<u8> {
    elements([(0xAC, &[0x80, 0x01, id])])
}

/// Makes a card authentication key, which needs no PIN, and lets it sign.
fn new_key(trial: &mut Trial<'_>) -> Tried {
    const KEY: u8 = 0x9E;
    administrate(trial)?;
    let answer = trial.send(generate(KEY), &mechanism(0x11))?;
    one_of(answer.status, &[0x9000], "GENERATE")?;
    let contents = Reader::new(&answer.data).expect(Tag::new(0x7F49)).unwrap_or_default();
    let point = Reader::new(contents).find(Tag::new(0x86)).ok().flatten().unwrap_or_default();
    check(point.len() == 65, || "a point of 65 bytes in 7F49, 86".to_owned(), || hex(&answer.data))?;
    let Some(key) = public_key(point) else { return Ok(failed("a point on P-256", hex(point))?) };
    let Some(challenge) = Challenge::new(&key, KEY, trial.rng) else {
        return Ok(failed("a point on P-256", hex(point))?);
    };
    let answer = trial.send([0x00, 0x87, challenge.algorithm, KEY], &challenge.template)?;
    one_of(answer.status, &[0x9000], "the use of the new key")?;
    let right = template_value(&answer.data, 0x82).is_some_and(|response| challenge.is_met(&key, response));
    check(right, || "a signature of the new key".to_owned(), || "another".to_owned())
}

fn public_key(point: &[u8]) -> Option<SubjectPublicKeyInfoOwned> {
    let parameters = Some(Any::encode_from(&oid::CURVE_P256).ok()?);
    let algorithm = AlgorithmIdentifierOwned { oid: oid::EC_PUBLIC_KEY, parameters };
    Some(SubjectPublicKeyInfoOwned { algorithm, subject_public_key: BitString::from_bytes(point).ok()? })
}
