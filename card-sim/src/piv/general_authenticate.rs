//! GENERAL AUTHENTICATE (SP 800-73-5 part 2, 3.2.4): which key, who may use it, and which of its protocols.

mod administrator;
mod key_establishment;
mod private_key;
mod template;

use super::{Context, command::GeneralAuthenticate};
#[cfg(feature = "cac")]
use crate::cac;
use crate::{
    key::{self, AsymmetricAlgorithm, KeyReference, KeyUse, SymmetricAlgorithm, policy::Policy},
    platform::Platform,
    refusal::{Refusal, rules},
};
use template::Template;

/// Finds the key, checks that it may be used now, and runs the protocol that the template asks for.
pub(super) fn run<P: Platform>(
    context: &mut Context<'_, P>,
    command: &GeneralAuthenticate<'_>,
) -> Result<(), Refusal> {
    let reference = KeyReference::from_byte(command.key_reference).ok_or(rules::ALGORITHM_KEY.refuse())?;
    match reference {
        KeyReference::SecureMessaging => return key_establishment::run(context, command),
        KeyReference::CardManagement => return with_management_key(context, command),
        _ => {}
    }
    let algorithm = AsymmetricAlgorithm::from_id(command.algorithm).ok_or(rules::ALGORITHM_KEY.refuse())?;
    #[cfg(feature = "cac")]
    if reference == KeyReference::PivAuthentication
        && cac::piv_authentication_is_hidden(&context.platform.store)?
    {
        return Err(rules::PIV_AUTHENTICATION_HIDDEN.refuse());
    }
    let (key, _) = key::load_private(&context.platform.store, reference)?
        .ok_or_else(|| rules::EMPTY_SLOT.refuse_with(context.profile.choices.empty_slot))?;
    if key.algorithm() != algorithm {
        return Err(rules::ALGORITHM_KEY.refuse_with(context.profile.choices.other_algorithm));
    }
    let key_use = key_use(context, reference)?;
    if !context.security.permits_here(key_use.contact, key_use.contactless) {
        return Err(rules::KEY_USE.refuse());
    }
    let template = Template::parse(command.template)?;
    private_key::run(context, &key, key_use, &template)
}

/// Who may use the key, and for what: the standard's row, or on a `YubiKey` what the key's policy says.
fn key_use<P: Platform>(context: &Context<'_, P>, reference: KeyReference) -> Result<KeyUse, Refusal> {
    if context.profile.yubico.is_none() {
        return Ok(reference.key_use());
    }
    let attributes = key::load_attributes(&context.platform.store, reference)?;
    let policy = attributes.map_or_else(Policy::default, |attributes| attributes.policy);
    Ok(policy.for_key(reference).key_use())
}

fn with_management_key<P: Platform>(
    context: &mut Context<'_, P>,
    command: &GeneralAuthenticate<'_>,
) -> Result<(), Refusal> {
    let KeyUse { contact, contactless, .. } = KeyReference::CardManagement.key_use();
    if !context.security.permits_here(contact, contactless) {
        return Err(rules::KEY_USE.refuse());
    }
    let algorithm = SymmetricAlgorithm::from_id(command.algorithm).ok_or(rules::ALGORITHM_KEY.refuse())?;
    let key = key::load_symmetric(&context.platform.store, KeyReference::CardManagement)?
        .ok_or_else(|| rules::EMPTY_SLOT.refuse_with(context.profile.choices.empty_slot))?;
    if key.algorithm() != algorithm {
        return Err(rules::ALGORITHM_KEY.refuse_with(context.profile.choices.other_algorithm));
    }
    let template = Template::parse(command.template)?;
    administrator::run(context, &key, &template)
}
