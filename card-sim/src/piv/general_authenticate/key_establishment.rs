//! Key establishment: the card's half of OPACITY with zero key management (SP 800-73-5 part 2, 4.1).

use heapless::Vec;
use rand_core::Rng;
use zeroize::Zeroizing;

use super::{
    super::Context,
    template::{self, RESPONSE, Template},
};
use crate::{
    crypto::Crypto,
    key::{self, KeyReference},
    piv::command::GeneralAuthenticate,
    platform::Platform,
    refusal::{Refusal, rules},
    sm::{
        CipherSuite,
        cipher_suite::{MAX_NONCE, MAX_SECRET},
        key_establishment::{Established, IDENTIFIER_LENGTH, Transcript, card_id, establish},
    },
    store::{Record, Store},
};

/// Longest certificate of a key for secure messaging, in bytes.
const MAX_CERTIFICATE: usize = 384;

/// The card's control byte: it has persistent binding for nobody.
const CONTROL: u8 = 0x00;

/// Makes a session with the host, in place of the one before it, and answers with nonce, cryptogram and certificate.
///
/// Not inlined: what it needs of the stack, other commands would have to find too.
#[inline(never)]
pub(super) fn run<P: Platform>(
    context: &mut Context<'_, P>,
    command: &GeneralAuthenticate<'_>,
) -> Result<(), Refusal> {
    *context.session = None;
    context.security.set_paired(false);
    let suite = CipherSuite::from_id(command.algorithm).ok_or(rules::ALGORITHM_KEY.refuse())?;
    let store = &context.platform.store;
    let (key, _) = key::load_private(store, KeyReference::SecureMessaging)?
        .ok_or_else(|| rules::EMPTY_SLOT.refuse_with(context.profile.choices.empty_slot))?;
    let mut certificate = Vec::<u8, MAX_CERTIFICATE>::new();
    let certified = store.read(Record::CardVerifiableCertificate, &mut certificate)?;
    if CipherSuite::of_key(key.algorithm()) != Some(suite) || !certified {
        return Err(rules::ALGORITHM_KEY.refuse());
    }
    let Host { control, id, key: host_key } = host(command.template, suite)?;

    let mut z = Zeroizing::new([0; MAX_SECRET]);
    let z = z.get_mut(..suite.curve().size()).unwrap_or_default();
    context.platform.crypto.ecdh(&key, host_key, z)?;
    let mut nonce = [0; MAX_NONCE];
    let nonce = nonce.get_mut(..suite.nonce_length()).unwrap_or_default();
    context.platform.rng.fill_bytes(nonce);
    let transcript = Transcript {
        suite,
        host_control: control,
        host_id: id,
        host_key,
        card_id: &card_id(&certificate),
        card_control: CONTROL,
        nonce,
    };
    let Established { cryptogram, session } =
        establish(&transcript, z).ok_or(rules::INPUT_LENGTH.refuse())?;

    let parts: [&[u8]; 4] = [&[CONTROL], nonce, &cryptogram, &certificate];
    template::append_parts(RESPONSE, &parts, context.response)?;
    *context.session = Some(session);
    Ok(())
}

/// What the host says of itself.
struct Host<'a> {
    control: u8,
    id: &'a [u8; IDENTIFIER_LENGTH],
    key: &'a [u8],
}

fn host(data: &[u8], suite: CipherSuite) -> Result<Host<'_>, Refusal> {
    let Template { witness: None, challenge: Some(input), response: Some([]), exponentiation: None } =
        Template::parse(data)?
    else {
        return Err(rules::TEMPLATE.refuse());
    };
    let (&control, rest) = input.split_first().ok_or(rules::INPUT_LENGTH.refuse())?;
    let (id, key) = rest.split_first_chunk().ok_or(rules::INPUT_LENGTH.refuse())?;
    if key.len() != suite.point_length() {
        return Err(rules::INPUT_LENGTH.refuse());
    }
    // The upper half of the byte asks for what this card does not do (4.1.3).
    if control & 0xF0 != 0 {
        return Err(rules::CONTROL_BYTE.refuse());
    }
    Ok(Host { control, id, key })
}
