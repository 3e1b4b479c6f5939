//! Requests as bytes: from a few bytes of the script, and what the client has seen so far.

use super::{
    raw::{message, words},
    step::Request,
};

/// Every command with the size of its structure.
pub(super) const COMMANDS: [(u32, usize); 20] = [
    (0x01, 12),
    (0x02, 8),
    (0x04, 152),
    (0x05, 24),
    (0x06, 12),
    (0x07, 8),
    (0x08, 12),
    (0x09, 32),
    (0x0A, 24),
    (0x0B, 8),
    (0x0D, 8),
    (0x0F, 280),
    (0x10, 280),
    (0x11, 12),
    (0x12, 0),
    (0x13, 0),
    (0x14, 0),
    (0x15, 0),
    (0x16, 0),
    (0x17, 0),
];

/// Numbers at which something changes.
const EDGES: [u32; 16] = [
    127,
    128,
    255,
    256,
    264,
    265,
    300,
    4096,
    65_535,
    65_547,
    65_548,
    65_549,
    100_000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
];

/// Lengths of payloads.
const LENGTHS: [usize; 8] = [255, 261, 2007, 2008, 2048, 65_548, 65_549, 90_000];

/// Names of readers: those that there are and may be, and others.
const NAMES: [&str; 6] =
    ["Echo 00 00", "Second 01 00", "", "Echo", "Echo 00 00 and more", "\\\\?PnP?\\Notification"];

/// Codes of the reader's features, and one that it does not have.
const CODES: [u32; 6] = [0x4200_0D48, 0x4233_0006, 0x4233_0007, 0x4233_000A, 0x4233_0012, 0x4200_0001];

/// Attributes: vendor name, ATR, friendly name, a number, and one that there is not.
const ATTRIBUTES: [u32; 5] = [0x0001_0100, 0x0009_0303, 0x7FFF_0003, 0x0007_A007, 0x0001_0199];

/// PIN_VERIFY_STRUCTURE and PIN_MODIFY_STRUCTURE of PIV.
const VERIFY: [u8; 32] = [
    0, 0, 0x82, 0, 0, 8, 6, 2, 0, 0, 0, 0, 0, 0, 0, 13, 0, 0, 0, 0x00, 0x20, 0x00, 0x80, 8, 255, 255, 255,
    255, 255, 255, 255, 255,
];
const MODIFY: [u8; 45] = [
    0, 0, 0x82, 0, 0, 0, 8, 8, 6, 3, 2, 3, 0, 0, 0, 1, 2, 0, 0, 0, 21, 0, 0, 0, 0x00, 0x24, 0x00, 0x80, 16,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
];

/// What may stand where a context or a handle belongs.
pub(super) struct Numbers<'a> {
    /// Those of the client itself.
    pub(super) own: &'a [u32],
    /// Those of the other clients of the script.
    pub(super) others: &'a [u32],
    /// That of the client which nothing may happen to.
    pub(super) witness: u32,
}

impl Numbers<'_> {
    fn pick(&self, byte: u8) -> u32 {
        let from = |known: &[u32]| known.get(usize::from(byte & 0x3F) % known.len().max(1)).copied();
        match byte >> 6 {
            0 | 1 => from(self.own),
            2 => from(self.others),
            _ if byte & 1 == 0 => Some(self.witness),
            _ => None,
        }
        .unwrap_or_else(|| number(byte & 0x3F))
    }
}

/// A request, ready to be sent.
pub(super) struct Message {
    /// The command's number.
    pub(super) command: u32,
    /// Its structure.
    pub(super) structure: Vec<u8>,
    /// What follows it.
    pub(super) payload: Vec<u8>,
}

impl Message {
    /// The request of a client that speaks 4:`minor`.
    #[allow(clippy::many_single_char_names, reason = "the bytes mean what the command makes of them")]
    pub(super) fn new(request: Request, minor: u32, contexts: &Numbers, handles: &Numbers) -> Self {
        let Request { command, fields: [a, b, c, d, e] } = request;
        let handle = || handles.pick(a);
        let context = || contexts.pick(a);
        let mut payload = Vec::new();
        let structure = match command {
            0x01 => words(&[number(a), number(b), 0]),
            0x02 | 0x0D => words(&[context(), 0]),
            0x04 => [words(&[context()]), name(b), words(&[number(c), number(d), number(e), 0, 0])].concat(),
            0x05 => words(&[handle(), number(b), number(c), number(d), 0, 0]),
            0x06 | 0x08 => words(&[handle(), number(b), 0]),
            0x07 | 0x0B => words(&[handle(), 0]),
            0x09 => {
                payload = counting(d, e);
                words(&[handle(), number(b), 16, length(&payload), 0, 16, number(c), 0])
            }
            0x0A => {
                payload = control(d, e);
                words(&[handle(), one_of(&CODES, b), length(&payload), number(c), 0, 0])
            }
            0x0F | 0x10 => {
                [words(&[handle(), one_of(&ATTRIBUTES, b)]), vec![d; 264], words(&[number(c), 0])].concat()
            }
            0x11 => words(&[if a < 0xF0 { 4 } else { number(a) }, version(b), 0]),
            0x13 | 0x14 if minor == 3 => words(&[0, 0]),
            _ => Vec::new(),
        };
        Self { command, structure, payload }
    }

    /// The context or handle that it is about.
    pub(super) fn subject(&self) -> u32 {
        super::raw::word(&self.structure, 0)
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        [message(self.command, &self.structure), self.payload.clone()].concat()
    }

    /// Its bytes with another size in the header.
    pub(super) fn with_size(&self, size: u8) -> Vec<u8> {
        let mut bytes = self.bytes();
        bytes[..4].copy_from_slice(&number(size).to_ne_bytes());
        bytes
    }

    /// Its bytes with another length of the payload in the structure.
    pub(super) fn with_claim(&self, claim: u8) -> Vec<u8> {
        let mut bytes = self.bytes();
        let place = match self.command {
            0x09 => 8 + 12,
            0x0A => 8 + 8,
            _ => return bytes,
        };
        bytes[place..place + 4].copy_from_slice(&number(claim).to_ne_bytes());
        bytes
    }
}

/// Small numbers mean themselves, others one of those at which something changes.
fn number(byte: u8) -> u32 {
    if byte < 32 { byte.into() } else { one_of(&EDGES, byte) }
}

fn version(byte: u8) -> u32 {
    if byte < 0xF0 { 3 + u32::from(byte) % 4 } else { number(byte) }
}

fn one_of(values: &[u32], byte: u8) -> u32 {
    values[usize::from(byte) % values.len()]
}

fn name(byte: u8) -> Vec<u8> {
    // The last one fills its field without a NUL.
    let mut name = NAMES.get(usize::from(byte) % 7).map_or(vec![b'x'; 128], |name| name.as_bytes().to_vec());
    name.resize(128, 0);
    name
}

fn counting(length: u8, first: u8) -> Vec<u8> {
    let length = match length {
        0..64 => usize::from(length),
        _ => LENGTHS[usize::from(length) % LENGTHS.len()],
    };
    (0..=u8::MAX).cycle().skip(first.into()).take(length).collect()
}

/// A payload for CONTROL: a structure for the key-pad with one byte changed, or anything.
fn control(kind: u8, byte: u8) -> Vec<u8> {
    let mut payload = match kind % 4 {
        0 => return counting(kind / 4, byte),
        1 => return Vec::new(),
        2 => VERIFY.to_vec(),
        _ => MODIFY.to_vec(),
    };
    if let Some(changed) = payload.get_mut(usize::from(kind / 4)) {
        *changed = byte;
    }
    payload
}

fn length(payload: &[u8]) -> u32 {
    u32::try_from(payload.len()).expect("a short payload")
}
