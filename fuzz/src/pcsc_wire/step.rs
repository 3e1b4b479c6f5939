//! The script of one input: eight bytes a step, and every eight bytes are one.
//!
//! | byte | says |
//! |---|---|
//! | 0 | how the request is sent, or that there is none |
//! | 1 | on which connection |
//! | 2 | the command |
//! | 3 to 7 | its fields |

use super::message::COMMANDS;

/// Bytes of a step.
pub(super) const LENGTH: usize = 8;
/// Steps of the longest script.
pub(super) const MOST: usize = 48;
/// Clients that play it.
pub(super) const CONNECTIONS: usize = 3;

/// One step.
pub(super) enum Step {
    /// A request is sent.
    Request {
        /// Who sends it.
        connection: usize,
        /// How.
        form: Form,
        /// Which.
        request: Request,
    },
    /// Bytes are sent that are no request.
    Noise {
        /// Who sends them.
        connection: usize,
        /// The bytes.
        bytes: [u8; 6],
    },
    /// A client closes its connection.
    Close(usize),
    /// Somebody touches readers and cards.
    Hand(Hand),
}

/// A request, before it is known what contexts and handles there are.
#[derive(Clone, Copy)]
pub(super) struct Request {
    /// The command's number.
    pub(super) command: u32,
    /// What to make its fields of.
    pub(super) fields: [u8; 5],
}

/// How a request is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As libpcsclite does it.
    Whole,
    /// In small pieces.
    Pieces,
    /// With this size in its header.
    Size(u8),
    /// With this length of its payload in its structure.
    Claim(u8),
    /// Up to here, and then the client is gone.
    Cut(u16),
}

/// What may be done to readers and cards.
#[derive(Clone, Copy)]
pub(super) enum Hand {
    Remove,
    Insert,
    Reset,
    Plug,
    Unplug,
    Fail,
    Mend,
}

const HANDS: [Hand; 7] =
    [Hand::Remove, Hand::Insert, Hand::Reset, Hand::Plug, Hand::Unplug, Hand::Fail, Hand::Mend];

/// The steps of an input.
pub(super) fn script(input: &[u8]) -> impl Iterator<Item = Step> {
    input.as_chunks::<LENGTH>().0.iter().take(MOST).map(|bytes| read(*bytes))
}

fn read(bytes: [u8; LENGTH]) -> Step {
    let [how, connection, noise @ ..] = bytes;
    let [command, fields @ ..] = noise;
    let [.., d, e] = fields;
    let connection = usize::from(connection) % CONNECTIONS;
    let form = match how % 16 {
        0..=7 => Form::Whole,
        8 => Form::Pieces,
        9 => Form::Size(e),
        10 => Form::Claim(e),
        11 | 12 => Form::Cut(u16::from_be_bytes([d, e])),
        13 => return Step::Noise { connection, bytes: noise },
        14 => return Step::Close(connection),
        _ => return Step::Hand(HANDS[usize::from(command) % HANDS.len()]),
    };
    // A few numbers that are no command are among them.
    let command = COMMANDS.get(usize::from(command)).map_or(u32::from(command), |(command, _)| *command);
    Step::Request { connection, form, request: Request { command, fields } }
}

/// The eight bytes of a whole request, for seeds.
pub(super) fn write(connection: u8, command: u32, fields: [u8; 5]) -> [u8; LENGTH] {
    let place = COMMANDS.iter().position(|(known, _)| *known == command).expect("a command");
    let mut step = [0; LENGTH];
    step[1] = connection;
    step[2] = u8::try_from(place).expect("few commands");
    step[3..].copy_from_slice(&fields);
    step
}

/// The eight bytes of something that is done by hand, for seeds.
pub(super) fn write_hand(hand: Hand) -> [u8; LENGTH] {
    [15, 0, hand as u8, 0, 0, 0, 0, 0]
}
