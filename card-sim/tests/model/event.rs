//! What can happen to a card, told so that it makes sense in any state: "the right PIN" and not its digits.

use model::{
    Model,
    persistent::{GLOBAL_PIN, PIV_PIN, PUK},
};
use proptest::prelude::*;

use crate::support::cut_flash::Tear;

/// The value of a fresh card's Global PIN.
pub(crate) const FIRST_GLOBAL_PIN: &[u8; 8] = b"445566\xFF\xFF";

/// A command in some form, perhaps with a loss of power in it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    what: What,
    form: Form,
    pub(crate) cut: Option<Cut>,
}

/// The power fails after so many operations of the flash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) after: usize,
    pub(crate) tear: Tear,
}

/// How a command is sent.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// In one piece, as long as it takes, asking for as much as there is.
    Whole,
    /// Asking for so many bytes.
    Asking(u8),
    /// In a chain of parts of so many bytes.
    Chain(u8),
    /// The same, and its last part does not come.
    BrokenChain(u8),
    /// With a header that has these bits changed.
    Spoiled(usize, u8),
}

#[derive(Clone, Debug)]
enum What {
    Reset,
    Select(Vec<u8>),
    GetResponse,
    Status(u8),
    Forget(u8),
    Verify(u8, Value),
    Change(u8, Value, Value),
    Unblock(Value, Value),
    /// RESET RETRY COUNTER by the card manager.
    NewPin(Value),
    Read(Vec<u8>),
    Write(Vec<u8>, usize),
    Use {
        reference: u8,
        algorithm: u8,
        tag: u8,
        length: usize,
    },
    Generate(u8, u8),
    /// A scalar of so many bytes.
    Import(u8, u8, usize),
    /// GENERAL AUTHENTICATE with the card management key and this template.
    Administrator(Vec<u8>),
    /// The proof that the last challenge or witness asks for, or one with a wrong bit.
    Prove {
        mutual: bool,
        right: bool,
    },
    Noise(Vec<u8>),
}

/// A PIN or PUK.
#[derive(Clone, Debug)]
enum Value {
    Right,
    /// The right one but for a bit.
    NearlyRight,
    /// Another one, well formed.
    Other(u8),
    Malformed(Vec<u8>),
    /// What is right for this reference.
    Of(u8),
}

/// Any event, good commands more often than others.
pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    let cut = prop_oneof![
        9 => Just(None),
        1 => (prop_oneof![0..4_usize, 0..400_usize], tear()).prop_map(|(after, tear)| Some(Cut { after, tear })),
    ];
    (what(), form(), cut).prop_map(|(what, form, cut)| Event { what, form, cut })
}

fn tear() -> impl Strategy<Value = Tear> {
    prop_oneof![Just(Tear::Clean), Just(Tear::Half), any::<u64>().prop_map(Tear::Bits)]
}

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![
        12 => Just(Form::Whole),
        2 => any::<u8>().prop_map(Form::Asking),
        2 => (1..=255_u8).prop_map(Form::Chain),
        1 => (1..=255_u8).prop_map(Form::BrokenChain),
        1 => (0..4_usize, any::<u8>()).prop_map(|(place, bits)| Form::Spoiled(place, bits)),
    ]
}

fn reference() -> impl Strategy<Value = u8> {
    prop_oneof![8 => Just(PIV_PIN), 3 => Just(GLOBAL_PIN), 2 => Just(PUK), 1 => any::<u8>()]
}

fn key() -> impl Strategy<Value = u8> {
    prop_oneof![
        12 => prop::sample::select(vec![0x9A, 0x9C, 0x9C, 0x9D, 0x9E, 0x82]),
        1 => prop_oneof![0x80..0xA0_u8, any::<u8>()],
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => Just(Value::Right),
        3 => Just(Value::NearlyRight),
        2 => any::<u8>().prop_map(Value::Other),
        1 => prop::collection::vec(any::<u8>(), 0..12).prop_map(Value::Malformed),
        1 => reference().prop_map(Value::Of),
    ]
}

fn tag() -> impl Strategy<Value = Vec<u8>> {
    let known = vec![
        vec![0x5F, 0xC1, 0x02],
        vec![0x5F, 0xC1, 0x09],
        vec![0x5F, 0xC1, 0x03],
        vec![0x5F, 0xC1, 0x0D],
        vec![0x7E],
        vec![0x7F, 0x61],
    ];
    prop_oneof![
        6 => prop::sample::select(known),
        3 => (0x00..0x26_u8).prop_map(|last| vec![0x5F, 0xC1, last]),
        1 => prop::collection::vec(any::<u8>(), 0..5),
    ]
}

fn what() -> impl Strategy<Value = What> {
    let names = vec![
        vec![0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00],
        vec![0xA0, 0x00, 0x00, 0x03, 0x08],
        vec![0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00],
        vec![],
        vec![0xA0, 0x00, 0x00, 0x00, 0x03],
    ];
    let ask =
        vec![vec![0x81, 0x00], vec![0x80, 0x00], vec![0x81, 0x10, 0x82, 0x00], vec![0x82, 0x00], vec![]];
    prop_oneof![
        1 => Just(What::Reset),
        2 => prop::sample::select(names).prop_map(What::Select),
        2 => Just(What::GetResponse),
        3 => reference().prop_map(What::Status),
        1 => reference().prop_map(What::Forget),
        10 => (reference(), value()).prop_map(|(reference, value)| What::Verify(reference, value)),
        3 => (reference(), value(), value()).prop_map(|(reference, old, new)| What::Change(reference, old, new)),
        3 => (value(), value()).prop_map(|(puk, new)| What::Unblock(puk, new)),
        3 => value().prop_map(What::NewPin),
        8 => tag().prop_map(What::Read),
        5 => (tag(), 0..700_usize).prop_map(|(tag, length)| What::Write(tag, length)),
        7 => (
            key(),
            prop_oneof![12 => Just(0x11), 1 => any::<u8>()],
            prop::sample::select(vec![0x81, 0x81, 0x85]),
            prop_oneof![6 => Just(32_usize), 1 => 0..70_usize],
        )
            .prop_map(|(reference, algorithm, tag, length)| What::Use { reference, algorithm, tag, length }),
        2 => (key(), prop::sample::select(vec![0x11, 0x14, 0x0A])).prop_map(|(key, algorithm)| What::Generate(key, algorithm)),
        2 => (
            prop_oneof![3 => Just(0x9D), 3 => 0x80..0x98_u8, 1 => key()],
            prop::sample::select(vec![0x11, 0x11, 0x14]),
            prop_oneof![4 => Just(32_usize), 1 => Just(48)],
        )
            .prop_map(|(key, algorithm, length)| What::Import(key, algorithm, length)),
        6 => prop::sample::select(ask).prop_map(What::Administrator),
        6 => (any::<bool>(), prop_oneof![5 => Just(true), 1 => Just(false)])
            .prop_map(|(mutual, right)| What::Prove { mutual, right }),
        1 => prop::collection::vec(any::<u8>(), 0..60).prop_map(What::Noise),
    ]
}

impl Event {
    pub(crate) fn resets(&self) -> bool {
        matches!(self.what, What::Reset)
    }

    /// The commands in this state, one or a chain of them.
    pub(crate) fn commands(&self, model: &Model) -> Vec<Vec<u8>> {
        if let What::Noise(bytes) = &self.what {
            return vec![bytes.clone()];
        }
        let (header, data) = self.what.command(model);
        match self.form {
            Form::Whole => vec![command(header, &data, Some(0))],
            Form::Asking(length) => vec![command(header, &data, Some(length))],
            Form::Chain(length) | Form::BrokenChain(length) => {
                let parts: Vec<_> = data.chunks(length.into()).collect();
                let kept = match self.form {
                    Form::BrokenChain(_) if parts.len() > 1 => parts.len() - 1,
                    _ => parts.len(),
                };
                let [_, rest @ ..] = header;
                let part = |(index, part): (usize, &&[u8])| {
                    let class = if index + 1 == parts.len() { 0x00 } else { 0x10 };
                    command([class, rest[0], rest[1], rest[2]], part, None)
                };
                if parts.is_empty() {
                    vec![command(header, &[], Some(0))]
                } else {
                    parts.iter().take(kept).enumerate().map(part).collect()
                }
            }
            Form::Spoiled(place, bits) => {
                let mut header = header;
                header[place] ^= bits;
                vec![command(header, &data, Some(0))]
            }
        }
    }
}

impl What {
    /// Header and data field.
    fn command(&self, model: &Model) -> ([u8; 4], Vec<u8>) {
        match self {
            Self::Reset | Self::Noise(_) => unreachable!("these are no commands"),
            Self::Select(name) => ([0x00, 0xA4, 0x04, 0x00], name.clone()),
            Self::GetResponse => ([0x00, 0xC0, 0x00, 0x00], vec![]),
            Self::Status(reference) => ([0x00, 0x20, 0x00, *reference], vec![]),
            Self::Forget(reference) => ([0x00, 0x20, 0xFF, *reference], vec![]),
            Self::Verify(reference, value) => {
                ([0x00, 0x20, 0x00, *reference], value.bytes(*reference, model))
            }
            Self::Change(reference, old, new) => (
                [0x00, 0x24, 0x00, *reference],
                [old, new].map(|value| value.bytes(*reference, model)).concat(),
            ),
            Self::Unblock(puk, new) => {
                ([0x00, 0x2C, 0x00, 0x80], [puk.bytes(PUK, model), new.bytes(PIV_PIN, model)].concat())
            }
            Self::NewPin(new) => ([0x00, 0x2C, 0x02, 0x80], new.bytes(PIV_PIN, model)),
            Self::Read(tag) => ([0x00, 0xCB, 0x3F, 0xFF], tlv(0x5C, tag)),
            Self::Write(tag, length) => ([0x00, 0xDB, 0x3F, 0xFF], object(tag, *length)),
            Self::Use { reference, algorithm, tag, length } => {
                let input = tlv(*tag, &vec![0x5A; *length]);
                ([0x00, 0x87, *algorithm, *reference], tlv(0x7C, &[&[0x82, 0x00], &input[..]].concat()))
            }
            Self::Generate(reference, algorithm) => {
                ([0x00, 0x47, 0x00, *reference], tlv(0xAC, &tlv(0x80, &[*algorithm])))
            }
            Self::Import(reference, algorithm, length) => {
                ([0x00, 0xFE, *algorithm, *reference], tlv(0x06, &vec![0x5A; *length]))
            }
            Self::Administrator(template) => {
                let block = if template.len() > 2 { vec![0x33; 16] } else { vec![] };
                let (asked, response) = template.split_at(template.len().min(2));
                ([0x00, 0x87, 0x0A, 0x9B], tlv(0x7C, &[asked, &block, response].concat()))
            }
            Self::Prove { mutual, right } => {
                let mut proof = model.proof().unwrap_or_else(|| vec![0x44; 16]);
                proof[3] ^= u8::from(!right);
                let template = if *mutual {
                    [tlv(0x80, &proof), tlv(0x81, &[0x77; 16])].concat()
                } else {
                    tlv(0x82, &proof)
                };
                ([0x00, 0x87, 0x0A, 0x9B], tlv(0x7C, &template))
            }
        }
    }
}

impl Value {
    fn bytes(&self, reference: u8, model: &Model) -> Vec<u8> {
        let right = |reference| {
            let found = model.persistent().references.get(&reference);
            found.map_or(*FIRST_GLOBAL_PIN, |reference| reference.value).to_vec()
        };
        match self {
            Self::Right => right(reference),
            Self::NearlyRight => {
                let mut value = right(reference);
                value[5] ^= 1;
                value
            }
            Self::Other(number) => format!("{:08}", u32::from(*number) * 1_001).into_bytes(),
            Self::Malformed(bytes) => bytes.clone(),
            Self::Of(other) => right(*other),
        }
    }
}

/// The data field of PUT DATA.
fn object(tag: &[u8], length: usize) -> Vec<u8> {
    match tag {
        // A Discovery Object whose policy comes and goes with the length.
        [0x7E] => {
            let policy = if length.is_multiple_of(2) { 0x60 } else { 0x40 };
            tlv(0x7E, &[&tlv(0x4F, &[0xA0; 11])[..], &[0x5F, 0x2F, 0x02, policy, 0x00]].concat())
        }
        [0x7F, 0x61] => [&[0x7F][..], &tlv(0x61, &vec![0x02; length])].concat(),
        _ => [tlv(0x5C, tag), tlv(0x53, &vec![0x21; length])].concat(),
    }
}

fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(value.len()).unwrap().to_be_bytes();
    let header = match value.len() {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [header.as_slice(), value].concat()
}

/// A command, short where it can be.
fn command(header: [u8; 4], data: &[u8], le: Option<u8>) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    let field = match u8::try_from(length) {
        Ok(0) => vec![],
        Ok(length) => [&[length], data].concat(),
        Err(_) => [&[0][..], &length.to_be_bytes(), data].concat(),
    };
    let le = match le {
        Some(le) if data.len() > 0xFF => vec![0, le],
        Some(le) => vec![le],
        None => vec![],
    };
    [&header[..], &field, &le].concat()
}
