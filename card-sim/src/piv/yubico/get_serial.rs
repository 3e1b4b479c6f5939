//! GET SERIAL: the serial number as four bytes.

use super::super::Context;
use crate::{
    platform::Platform,
    refusal::{Refusal, rules},
    store::{Record, Store},
};

pub(super) fn run<P: Platform>(context: &mut Context<'_, P>) -> Result<(), Refusal> {
    if context.platform.store.read(Record::SerialNumber, context.response)? {
        Ok(())
    } else {
        // A card that was made without one.
        Err(rules::NO_KEY.refuse())
    }
}
