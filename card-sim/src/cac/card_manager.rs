//! The card manager (GlobalPlatform Card Specification 2.2.1, 9.9, 11.3 and annex H): the issuer security domain under the name that it
//! has on Common Access Cards.
//!
//! It tells everybody which card this is, and opens no secure channel. Its production data name the card by the number that the
//! card capability container has, and nobody who made it: those bytes are zero.

use apdu::Command;
use heapless::VecView;

use super::container::{self, Buffer, ObjectId};
use crate::{
    piv::Context,
    platform::Platform,
    refusal::{Refusal, rules},
};

/// Its name.
const NAME: [u8; 8] = [0xA0, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00];

/// Fewest bytes by which it can be named: its RID.
const SHORTEST_NAME: usize = 5;

/// Its file control information: name, the operating system as the production data have it, longest command.
const INFORMATION: [u8; 27] = [
    0x6F, 0x19, 0x84, 0x08, 0xA0, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0xA5, 0x0D, 0x9F, 0x6E, 0x06,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9F, 0x65, 0x01, 0xFF,
];

/// Card recognition data: GlobalPlatform 2.2.1, no card identification scheme but its own, SCP03 with i = 10.
const RECOGNITION: [u8; 51] = [
    0x66, 0x31, 0x73, 0x2F, 0x06, 0x07, 0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x01, 0x60, 0x0C, 0x06, 0x0A,
    0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x02, 0x02, 0x02, 0x01, 0x63, 0x09, 0x06, 0x07, 0x2A, 0x86, 0x48,
    0x86, 0xFC, 0x6B, 0x03, 0x64, 0x0B, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x04, 0x03, 0x10,
];

/// Tag and length of the card production life cycle data.
const PRODUCTION: [u8; 3] = [0x9F, 0x7F, 0x2A];
/// What of them comes before the card's number, and after it.
const BEFORE_NUMBER: usize = 12;
const AFTER_NUMBER: usize = 24;
/// Serial number and batch.
const NUMBER: usize = 6;

/// Where the card capability container's values have the last bytes of the card's own number: after length, RID, manufacturer, kind,
/// and eight bytes more.
const NUMBER_IN_CCC: core::ops::Range<usize> = 17..17 + NUMBER;

const GET_DATA: u8 = 0xCA;

/// Whether this names it, whole or by its beginning.
pub(crate) fn is_named(name: &[u8]) -> bool {
    name.len() >= SHORTEST_NAME && NAME.starts_with(name)
}

/// Appends its file control information.
pub(crate) fn information(response: &mut VecView<u8>) -> Result<(), Refusal> {
    Ok(response.extend_from_slice(&INFORMATION)?)
}

/// Whether it takes a command for its class: GET DATA comes with `80` too.
pub(crate) fn takes_class(command: &Command<'_>) -> bool {
    command.class.raw() == 0x80 && command.instruction == GET_DATA
}

/// Runs one command: GET DATA, or nothing.
pub(crate) fn run<P: Platform>(context: &mut Context<'_, P>, command: &Command<'_>) -> Result<(), Refusal> {
    match (command.instruction, command.p1p2()) {
        (GET_DATA, 0x0066) => Ok(context.response.extend_from_slice(&RECOGNITION)?),
        (GET_DATA, 0x9F7F) => production(context),
        (GET_DATA, _) => Err(rules::CARD_DATA.refuse()),
        _ => Err(rules::ISSUER_DOMAIN.refuse()),
    }
}

/// Card production life cycle data.
fn production<P: Platform>(context: &mut Context<'_, P>) -> Result<(), Refusal> {
    container::read(&context.platform.store, ObjectId::CCC, Buffer::Values, context.response)?;
    let number = context.response.get(NUMBER_IN_CCC).and_then(|number| number.try_into().ok());
    let number: [u8; NUMBER] = number.unwrap_or_default();
    context.response.clear();
    context.response.extend_from_slice(&PRODUCTION)?;
    context.response.extend_from_slice(&[0x00; BEFORE_NUMBER])?;
    context.response.extend_from_slice(&number)?;
    context.response.extend_from_slice(&[0x00; AFTER_NUMBER])?;
    Ok(())
}
