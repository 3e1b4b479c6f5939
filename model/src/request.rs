//! A command as the model sees it: what it would do, if it may.

use apdu::{
    Command,
    tlv_ber::{Reader, Tag},
};

use crate::{
    access,
    persistent::{GLOBAL_PIN, PIV_PIN, PUK},
};

/// What a well-formed command asks for. Everything that the model has no opinion on is [`Other`](Self::Other).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// SELECT by name.
    Select {
        name: Vec<u8>,
    },
    GetResponse,
    /// GET DATA of one object.
    Read {
        tag: u32,
    },
    /// VERIFY without data: is it verified?
    Status {
        reference: u8,
    },
    /// VERIFY with P1 `FF`: no longer verified.
    Forget {
        reference: u8,
    },
    /// VERIFY, CHANGE REFERENCE DATA and RESET RETRY COUNTER: a value is presented.
    Present(Present),
    /// RESET RETRY COUNTER with P1 `02`: the card manager gives the PIN a new value.
    NewPin {
        data: Vec<u8>,
    },
    /// GENERAL AUTHENTICATE with a private key.
    Use {
        reference: u8,
        algorithm: u8,
        exponentiation: bool,
    },
    /// GENERAL AUTHENTICATE with the card management key.
    Administrator {
        algorithm: u8,
        step: Step,
    },
    /// PUT DATA.
    Write {
        tag: u32,
        object: Vec<u8>,
    },
    /// GENERATE ASYMMETRIC KEY PAIR.
    Generate {
        reference: u8,
        algorithm: u8,
    },
    /// Yubico's IMPORT ASYMMETRIC KEY, as other cards have it.
    Import {
        reference: u8,
        algorithm: u8,
    },
    /// Not well formed, or unknown.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Present {
    /// The reference that is compared.
    pub(crate) reference: u8,
    /// What the comparison is for.
    pub(crate) purpose: Purpose,
    /// The data field.
    pub(crate) data: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Verify,
    Change,
    /// The PUK gives the PIN a new value.
    Unblock,
}

/// Steps with the card management key (SP 800-73-5 part 2, appendix A).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    AskChallenge,
    AskWitness,
    External { response: Vec<u8> },
    Mutual { witness: Vec<u8>, challenge: Vec<u8> },
    Internal,
    Malformed,
}

impl Request {
    /// What the command asks for; `data` is its data field with those of the chain before it.
    pub(crate) fn new(command: &Command<'_>, data: &[u8]) -> Self {
        let (p1, p2) = (command.p1, command.p2);
        match command.instruction {
            0xA4 if p1 == 0x04 => Self::Select { name: data.to_vec() },
            0xC0 => Self::GetResponse,
            0xCB if (p1, p2) == (0x3F, 0xFF) => read(data),
            0x20 if p1 == 0x00 && data.is_empty() => Self::Status { reference: p2 },
            0x20 if p1 == 0xFF && data.is_empty() => Self::Forget { reference: p2 },
            // The PUK is not verified: it opens nothing by itself.
            0x20 if p1 == 0x00 && matches!(p2, GLOBAL_PIN | PIV_PIN) => present(p2, Purpose::Verify, data),
            0x24 if p1 == 0x00 => present(p2, Purpose::Change, data),
            0x2C if (p1, p2) == (0x00, PIV_PIN) => present(PUK, Purpose::Unblock, data),
            0x2C if (p1, p2) == (0x02, PIV_PIN) => Self::NewPin { data: data.to_vec() },
            0x87 => authenticate(p1, p2, data),
            0xDB if (p1, p2) == (0x3F, 0xFF) => write(data).unwrap_or(Self::Other),
            0x47 if p1 == 0x00 && access::generated(p2) => generate(p2, data).unwrap_or(Self::Other),
            0xFE if access::imported(p2) => Self::Import { reference: p2, algorithm: p1 },
            _ => Self::Other,
        }
    }
}

fn present(reference: u8, purpose: Purpose, data: &[u8]) -> Request {
    Request::Present(Present { reference, purpose, data: data.to_vec() })
}

fn number(bytes: &[u8]) -> Option<u32> {
    (1..=3)
        .contains(&bytes.len())
        .then(|| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

fn read(data: &[u8]) -> Request {
    let tag = match data {
        [0x5C, length, tag @ ..] if usize::from(*length) == tag.len() => number(tag),
        _ => None,
    };
    tag.map_or(Request::Other, |tag| Request::Read { tag })
}

fn write(data: &[u8]) -> Option<Request> {
    let mut reader = Reader::new(data);
    let first = reader.next().ok()??;
    let (tag, object) = match first.tag.number() {
        0x5C => (number(first.value)?, reader.remaining()),
        tag => (tag, data),
    };
    Some(Request::Write { tag, object: object.to_vec() })
}

fn generate(reference: u8, data: &[u8]) -> Option<Request> {
    let control = Reader::new(data).expect(Tag::new(0xAC)).ok()?;
    let &[algorithm] = Reader::new(control).expect(Tag::new(0x80)).ok()? else { return None };
    Some(Request::Generate { reference, algorithm })
}

fn authenticate(algorithm: u8, reference: u8, data: &[u8]) -> Request {
    let template = template(data);
    if access::using(reference).is_some() {
        let exponentiation = template.is_some_and(|[_, _, _, point]| point.is_some());
        return Request::Use { reference, algorithm, exponentiation };
    }
    if reference != 0x9B {
        return Request::Other;
    }
    let step = match template {
        Some([None, Some([]), None, None]) => Step::AskChallenge,
        Some([Some([]), None, None, None]) => Step::AskWitness,
        Some([None, None, Some(response @ [_, ..]), None]) => Step::External { response: response.to_vec() },
        Some([Some(witness), Some(challenge), None | Some([]), None]) => {
            Step::Mutual { witness: witness.to_vec(), challenge: challenge.to_vec() }
        }
        Some([None, Some(_), Some([]), None]) => Step::Internal,
        _ => Step::Malformed,
    };
    Request::Administrator { algorithm, step }
}

/// Witness, challenge, response and exponentiation of a dynamic authentication template (part 2, table 8): each once at
/// most, and nothing else.
fn template(data: &[u8]) -> Option<[Option<&[u8]>; 4]> {
    let mut outer = Reader::new(data);
    let mut elements = Reader::new(outer.expect(Tag::new(0x7C)).ok()?);
    outer.finish().ok()?;
    let mut template = [None; 4];
    while let Some(element) = elements.next().ok()? {
        let place = [0x80, 0x81, 0x82, 0x85].iter().position(|tag| *tag == element.tag.number())?;
        if template[place].replace(element.value).is_some() {
            return None;
        }
    }
    Some(template)
}
