//! The PIV card application: one file a command, in the order of SP 800-73-5 part 2.
//!
//! A command becomes a [`Command`] before a handler sees it. A handler reads and changes the card only through a
//! [`Context`], appends its answer to `response`, and refuses with a [`Refusal`].

mod change_reference_data;
mod command;
mod general_authenticate;
mod generate_asymmetric_key_pair;
mod get_data;
#[cfg(feature = "key-import")]
mod import_asymmetric_key;
mod put_data;
mod reset_retry_counter;
mod select;
mod verify;
#[cfg(feature = "yubico")]
mod yubico;

pub(crate) use command::{may_be_chained, may_be_protected, passes_on_proofs};
pub(crate) use select::{AID, application_property_template};
#[cfg(feature = "yubico")]
pub(crate) use yubico::to_factory;

use command::Command;
use heapless::VecView;

#[cfg(feature = "yubico")]
use crate::{holder::Holder, key::policy::TouchPolicy};
use crate::{
    interface::Interface,
    platform::{Parts, Platform},
    profile::Profile,
    refusal::{Refusal, rules},
    security::SecurityStatus,
    sm::{CipherSuite, Session},
};

/// What a handler may use.
pub(crate) struct Context<'a, P: Platform> {
    pub(crate) platform: &'a mut Parts<P::Rng, P::Store, P::Crypto, P::Holder>,
    pub(crate) security: &'a mut SecurityStatus,
    pub(crate) profile: &'static Profile,
    /// The suite of the card's secure messaging, if it has that.
    pub(crate) secure_messaging: Option<CipherSuite>,
    /// Secure messaging, if keys are established.
    pub(crate) session: &'a mut Option<Session>,
    /// The answer's data field; empty when a handler starts.
    pub(crate) response: &'a mut VecView<u8>,
}

#[cfg(feature = "yubico")]
impl<P: Platform> Context<'_, P> {
    /// Waits for the touch that a key's policy wants, if it wants one. This comes last before the key is used: what is
    /// refused for another reason asks nobody.
    fn ask_for_touch(&mut self, policy: TouchPolicy) -> Result<(), Refusal> {
        let wanted = matches!(policy, TouchPolicy::Always | TouchPolicy::Cached);
        if wanted && !self.platform.holder.touches(policy) { Err(rules::TOUCH.refuse()) } else { Ok(()) }
    }
}

/// Runs one command of the PIV card application.
pub(crate) fn run<P: Platform>(
    context: &mut Context<'_, P>,
    command: &apdu::Command<'_>,
) -> Result<(), Refusal> {
    #[cfg(feature = "yubico")]
    if let Some(dialect) = context.profile.yubico
        && let Some(command) = yubico::Command::parse(command, dialect)?
    {
        return yubico::run(context, dialect, &command);
    }
    let command = &Command::parse(command, context.profile)?;
    if context.security.interface() == Interface::Contactless && command.needs_contact() {
        return Err(rules::CONTACT_ONLY.refuse());
    }
    match command {
        Command::GetData(tag_list) => get_data::get_data(context, tag_list),
        Command::Verify(verify) => verify::verify(context, verify),
        Command::ChangeReferenceData(change) => change_reference_data::change(context, change),
        Command::ResetRetryCounter(data) => reset_retry_counter::reset(context, data),
        Command::ResetByAdministrator(data) => reset_retry_counter::reset_by_administrator(context, data),
        Command::GeneralAuthenticate(authenticate) => general_authenticate::run(context, authenticate),
        Command::PutData(data) => put_data::put_data(context, data),
        Command::GenerateAsymmetricKeyPair(generate) => {
            generate_asymmetric_key_pair::generate(context, generate)
        }
        #[cfg(feature = "key-import")]
        Command::ImportAsymmetricKey(import) => import_asymmetric_key::import(context, import),
    }
}
