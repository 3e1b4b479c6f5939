//! From a shared secret to session keys (SP 800-73-5 part 2, 4.1.1 to 4.1.6).
//!
//! Both parties derive the same keys from the same transcript; the card proves that it did by a cryptogram over it.

use heapless::Vec;
use sha2::{Digest, Sha256, Sha384};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{
    CipherSuite, Session, cipher,
    cipher_suite::{MAX_POINT, MAX_SECRET},
};

/// Length of an identifier of a party, in bytes.
pub const IDENTIFIER_LENGTH: usize = 8;

/// Length of the card's cryptogram, in bytes, in both suites.
pub const CRYPTOGRAM_LENGTH: usize = 16;

/// What the two parties told each other, from which the keys are derived.
#[derive(Clone, Copy)]
pub struct Transcript<'a> {
    /// The suite.
    pub suite: CipherSuite,
    /// The host's control byte.
    pub host_control: u8,
    /// The host's identifier, which may be anything.
    pub host_id: &'a [u8; IDENTIFIER_LENGTH],
    /// The host's ephemeral public key, an uncompressed point.
    pub host_key: &'a [u8],
    /// The card's identifier: [`card_id`] of its certificate.
    pub card_id: &'a [u8; IDENTIFIER_LENGTH],
    /// The card's control byte.
    pub card_control: u8,
    /// The card's nonce.
    pub nonce: &'a [u8],
}

/// What comes of a key establishment: the cryptogram by which the card proves itself, and the session.
pub struct Established {
    /// The card's cryptogram.
    pub cryptogram: [u8; CRYPTOGRAM_LENGTH],
    /// The session, at its beginning.
    pub session: Session,
}

/// The session keys, in the order in which they are derived.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct SessionKeys {
    /// SK_MAC: codes of commands.
    pub(super) command_code: Key,
    /// SK_ENC.
    pub(super) encryption: Key,
    /// SK_RMAC: codes of answers.
    pub(super) response_code: Key,
}

/// 16 or 32 bytes.
pub(super) type Key = Vec<u8, 32>;

/// The card's identifier: the first bytes of SHA-256 of its whole certificate, with tag and length, in both suites.
pub fn card_id(certificate: &[u8]) -> [u8; IDENTIFIER_LENGTH] {
    let digest = <[u8; 32]>::from(Sha256::digest(certificate));
    digest.first_chunk().copied().unwrap_or_default()
}

/// Derives the session from the shared secret `z`, an x-coordinate with its leading zeros.
///
/// `None` if a length does not fit the suite.
#[inline(never)]
pub fn establish(transcript: &Transcript<'_>, z: &[u8]) -> Option<Established> {
    let suite = transcript.suite;
    let fits = z.len() == suite.curve().size()
        && transcript.host_key.len() == suite.point_length()
        && transcript.nonce.len() == suite.nonce_length();
    if !fits {
        return None;
    }
    let keys = derive(transcript, z)?;
    let length = suite.cipher().key_length();
    let mut parts = keys.chunks_exact(length);
    let mut next = || Key::from_slice(parts.next()?).ok();
    let confirmation = Zeroizing::new(next()?);
    let keys = SessionKeys { command_code: next()?, encryption: next()?, response_code: next()? };
    let cryptogram = cryptogram(&confirmation, transcript)?;
    Some(Established { cryptogram, session: Session::new(keys) })
}

/// The single-step key derivation of SP 800-56A (part 2, 4.1.6): hashes of a counter, the secret and what both know.
fn derive(transcript: &Transcript<'_>, z: &[u8]) -> Option<Zeroizing<Vec<u8, 144>>> {
    let information = other_information(transcript)?;
    let mut input = Zeroizing::new(Vec::<u8, { 4 + MAX_SECRET + 69 }>::new());
    input.extend_from_slice(&[0; 4]).ok()?;
    input.extend_from_slice(z).ok()?;
    input.extend_from_slice(&information).ok()?;
    let mut keys = Zeroizing::new(Vec::new());
    let rounds = match transcript.suite {
        CipherSuite::Cs2 => 1..=2_u32,
        CipherSuite::Cs7 => 1..=3,
    };
    for round in rounds {
        *input.first_chunk_mut()? = round.to_be_bytes();
        match transcript.suite {
            CipherSuite::Cs2 => {
                keys.extend_from_slice(&Zeroizing::new(<[u8; 32]>::from(Sha256::digest(&input)))[..])
            }
            CipherSuite::Cs7 => {
                keys.extend_from_slice(&Zeroizing::new(<[u8; 48]>::from(Sha384::digest(&input)))[..])
            }
        }
        .ok()?;
    }
    Some(keys)
}

/// What the derivation binds the keys to: the identifiers of keys and parties, the host's key and the card's nonce.
fn other_information(transcript: &Transcript<'_>) -> Option<Vec<u8, 69>> {
    let Transcript { suite, host_control, host_id, host_key, card_id, card_control, nonce } = transcript;
    let [_, x @ ..] = host_key else { return None };
    let nonce_length = u8::try_from(nonce.len()).ok()?;
    let parts: [&[u8]; 11] = [
        &[0x04],
        &[suite.key_identifier(); 4],
        &[0x08],
        *host_id,
        &[0x01, *host_control],
        &[0x10],
        x.get(..16)?,
        &[0x08],
        *card_id,
        &[nonce_length],
        nonce,
    ];
    let mut information = Vec::new();
    for part in parts {
        information.extend_from_slice(part).ok()?;
    }
    information.extend_from_slice(&[0x01, *card_control]).ok()?;
    Some(information)
}

/// The card's cryptogram: a code over both identifiers and the host's key without its first byte.
fn cryptogram(confirmation: &[u8], transcript: &Transcript<'_>) -> Option<[u8; CRYPTOGRAM_LENGTH]> {
    let Transcript { host_id, host_key, card_id, .. } = transcript;
    let [_, coordinates @ ..] = host_key else { return None };
    let mut message = Vec::<u8, { 6 + 2 * IDENTIFIER_LENGTH + MAX_POINT }>::new();
    for part in [b"KC_1_V", &card_id[..], &host_id[..], coordinates] {
        message.extend_from_slice(part).ok()?;
    }
    Some(cipher::code(confirmation, &[], &message))
}
