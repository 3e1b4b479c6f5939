//! What a reader sends to the board, and what the board answers.
//!
//! A message is its kind in one byte, its length in two (big-endian), and data. Only commands and questions are answered: with
//! length and data.
//!
//! | kind | message | answer |
//! |---|---|---|
//! | 0, 1, 2 | power off, power on, reset | |
//! | 3 | a command | data and status word |
//! | 4 | how many instructions did the last command take, or the start if there was none? | 8 bytes |
//! | 5 | how much stack, heap and static memory was needed so far? | 4 bytes each |
//! | 6 | power on, through the antenna | |

use apdu::Response;
use card_sim::{Card, interface::Interface, platform::Platform};

use crate::board::{self, Line};

/// Longest command: an extended one with as much data as a card of this build takes, or the longest that there is.
const LONGEST: usize = if cfg!(feature = "all") { 0x1_0000 } else { card_sim::card::COMMAND_CAPACITY + 9 };

/// What a reader can do with a card.
pub trait Reader {
    /// Gives it power.
    fn power_on(&mut self, interface: Interface);
    /// Warm reset.
    fn reset(&mut self);
    /// Takes the power away.
    fn power_off(&mut self);
    /// Sends it a command.
    fn transmit(&mut self, command: &[u8]) -> Response<'_>;
}

impl<P: Platform> Reader for Card<P> {
    fn power_on(&mut self, interface: Interface) {
        Card::power_on_through(self, interface);
    }

    fn reset(&mut self) {
        Card::reset(self);
    }

    fn power_off(&mut self) {
        Card::power_off(self);
    }

    fn transmit(&mut self, command: &[u8]) -> Response<'_> {
        Card::transmit(self, command)
    }
}

/// Serves a card until the line ends. The start took so many `instructions`.
pub fn serve(card: &mut impl Reader, mut instructions: u64) {
    let mut line = Line::open();
    let mut buffer = [0; LONGEST];
    let mut header = [0; 3];
    while line.read(&mut header) {
        let [kind, high, low] = header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        // What does not fit is read and lost, and the card refuses the rest for its length.
        let kept = length.min(buffer.len());
        let data = &mut buffer[..kept];
        line.read(data);
        line.skip(length - kept);
        match kind {
            0 => card.power_off(),
            1 => card.power_on(Interface::Contact),
            2 => card.reset(),
            3 => {
                let (answer, count) = board::count(|| card.transmit(data));
                instructions = count;
                line.answer(&[answer.data, &answer.status.to_bytes()]);
            }
            4 => line.answer(&[&instructions.to_be_bytes()]),
            5 => line.answer(&board::memory_used().map(u32::to_be_bytes).each_ref().map(<[u8; 4]>::as_slice)),
            6 => card.power_on(Interface::Contactless),
            _ => panic!("there is no message of kind {kind}"),
        }
    }
}

impl Line {
    fn answer(&mut self, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        // No answer of a card is longer than 65,535 bytes and a status word; cards here give less.
        self.write(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        for part in parts {
            self.write(part);
        }
    }

    fn skip(&mut self, length: usize) {
        for _ in 0..length {
            self.read(&mut [0]);
        }
    }
}
