//! The CAC applets: the older face of a Common Access Card, one file a command.
//!
//! Follows the card edge of GSC-IS 2.1 (NIST IR 6887) for "virtual machine" cards, as the DoD's cards and their clients speak
//! it: an applet a container, each with a buffer of tags and one of values. The PIN and its counter are those of the PIV
//! application; here they are called `00`.
//!
//! Promises: selecting another applet of this face keeps the login, selecting PIV or the issuer's domain ends it; a command that
//! fails forgets the block that waits to be signed; nothing here unblocks a PIN (the card manager does, by PIV).
//!
//! Which keys both faces share: the e-mail signature applet `0101` has the key of PIV's 9C, the encryption applet `0102` that of
//! 9D, as the DoD issues them. The ID key of `0100` belongs to this face alone, and 9A to PIV alone: a card whose PIV
//! Authentication certificate is not activated shows three certificates, one that is activated four.

mod applet;
pub(crate) mod card_manager;
mod container;
mod get_acr;
mod get_challenge;
mod get_properties;
mod pin;
mod private_sign_decrypt;
mod read_buffer;
mod select;
mod stock;

pub use container::{BufferForm, CONTAINERS, Container, ObjectId, split};
pub use stock::{Applets, PROFILES, PropertiesEntry, Stock};

pub(crate) use select::{select_applet, select_object};

use heapless::Vec;
use zeroize::{Zeroize, Zeroizing};

use self::applet::Applet;
use crate::{
    crypto::MAX_RESULT,
    piv::Context,
    platform::Platform,
    refusal::{Refusal, rules},
    store::{Record, Store, StoreError},
};

/// Instruction bytes of this face (GSC-IS 2.1, 5.3.3).
mod instruction {
    pub(super) const VERIFY: u8 = 0x20;
    pub(super) const CHANGE_REFERENCE_DATA: u8 = 0x24;
    pub(super) const PRIVATE_SIGN_DECRYPT: u8 = 0x42;
    pub(super) const GET_ACR: u8 = 0x4C;
    pub(super) const READ_BUFFER: u8 = 0x52;
    pub(super) const GET_PROPERTIES: u8 = 0x56;
    pub(super) const UPDATE_BUFFER: u8 = 0x58;
    pub(super) const GET_CHALLENGE: u8 = 0x84;
}

/// What this face remembers until the power goes.
pub(crate) struct State {
    /// The selected applet, while this face is selected.
    applet: &'static Applet,
    /// The selected object of that applet.
    object: Option<ObjectId>,
    /// What PRIVATE SIGN/DECRYPT has got so far.
    block: Zeroizing<Vec<u8, MAX_RESULT>>,
}

impl Default for State {
    fn default() -> Self {
        Self { applet: &applet::CCC, object: None, block: Zeroizing::default() }
    }
}

impl State {
    /// Forgets everything, in place.
    pub(crate) fn clear(&mut self) {
        self.applet = &applet::CCC;
        self.object = None;
        self.forget_block();
    }

    /// Forgets what waits to be signed.
    pub(crate) fn forget_block(&mut self) {
        self.block.zeroize();
    }
}

/// Whether this face takes a command for its class: it takes `80` too for those of GSC-IS that ISO has no meaning for.
pub(crate) fn takes_class(command: &apdu::Command<'_>) -> bool {
    const PROPRIETARY: u8 = 0x80;
    command.class.raw() == PROPRIETARY
        && matches!(
            command.instruction,
            instruction::PRIVATE_SIGN_DECRYPT
                | instruction::GET_ACR
                | instruction::READ_BUFFER
                | instruction::GET_PROPERTIES
                | instruction::UPDATE_BUFFER
        )
}

/// Whether the PIV Authentication certificate and key are on the card and not activated: clients see three certificates then.
/// PUT DATA of a certificate activates them.
pub(crate) fn piv_authentication_is_hidden(store: &impl Store) -> Result<bool, StoreError> {
    let mut state = Vec::<u8, 1>::new();
    store.read(Record::PivAuthenticationHidden, &mut state)
}

/// Runs one command of the selected applet.
pub(crate) fn run<P: Platform>(
    context: &mut Context<'_, P>,
    state: &mut State,
    command: &apdu::Command<'_>,
) -> Result<(), Refusal> {
    let result = match command.instruction {
        instruction::VERIFY => pin::verify(context, command),
        instruction::CHANGE_REFERENCE_DATA => pin::change(context, command),
        instruction::PRIVATE_SIGN_DECRYPT => private_sign_decrypt::run(context, state, command),
        instruction::GET_ACR => get_acr::run(context, state, command),
        instruction::READ_BUFFER => read_buffer::run(context, state, command),
        instruction::GET_PROPERTIES => get_properties::run(context, state, command),
        instruction::UPDATE_BUFFER => Err(rules::CAC_UPDATE.refuse()),
        instruction::GET_CHALLENGE => get_challenge::run(context, command),
        _ => Err(rules::CAC_INSTRUCTION.refuse()),
    };
    if result.is_err() {
        state.forget_block();
    }
    result
}
