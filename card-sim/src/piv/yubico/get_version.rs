//! GET VERSION: three bytes, by which programs know a `YubiKey`.

use super::super::Context;
use crate::{
    platform::Platform,
    profile::yubico::{Version, Yubico},
    refusal::Refusal,
};

pub(super) fn run<P: Platform>(context: &mut Context<'_, P>, yubico: &Yubico) -> Result<(), Refusal> {
    let Version { major, minor, patch } = yubico.version;
    Ok(context.response.extend_from_slice(&[major, minor, patch])?)
}
