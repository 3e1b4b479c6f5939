//! Recordings of cards: GENERAL AUTHENTICATE pairs and data objects, in JSON.
//!
//! The form is that of the recordings in `../shared/vectors/`; the files in `known/` have it too.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

use crate::oracle;
use crate::scenario::read_ber_length;

/// A file of GENERAL AUTHENTICATE pairs.
#[derive(Debug, Deserialize)]
pub struct Authentications {
    /// Where they come from.
    pub source: String,
    /// The pairs.
    pub vectors: Vec<Authentication>,
}

/// One GENERAL AUTHENTICATE command with its answer (SP 800-73-5 part 2, 3.2.4).
#[derive(Debug, Deserialize)]
pub struct Authentication {
    /// The card's number; 0 for the card of `cards/piv.card`.
    pub card: u32,
    /// Algorithm identifier, P1, as hex.
    #[serde(rename = "alg")]
    pub algorithm: String,
    /// Key reference, P2, as hex.
    #[serde(rename = "keyref")]
    pub key_reference: String,
    /// The whole command.
    #[serde(rename = "plain_command", deserialize_with = "bytes")]
    pub command: Vec<u8>,
    /// The answer's data field.
    #[serde(rename = "plain_response", deserialize_with = "bytes")]
    pub response: Vec<u8>,
    /// What the card did.
    #[serde(flatten)]
    pub operation: Operation,
}

/// What a card did with a key, with the key's public half.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind")]
pub enum Operation {
    /// The RSA private operation on a block.
    #[serde(rename = "rsa_raw")]
    Rsa {
        /// Modulus.
        #[serde(rename = "n", deserialize_with = "bytes")]
        modulus: Vec<u8>,
        /// Public exponent.
        #[serde(rename = "e", deserialize_with = "bytes")]
        exponent: Vec<u8>,
        /// The block.
        #[serde(deserialize_with = "bytes")]
        block: Vec<u8>,
        /// The result.
        #[serde(deserialize_with = "bytes")]
        result: Vec<u8>,
    },
    /// A signature over a digest.
    #[serde(rename = "ecdsa")]
    Ecdsa {
        /// The public key.
        #[serde(rename = "public_Q", deserialize_with = "bytes")]
        point: Vec<u8>,
        /// The digest.
        #[serde(deserialize_with = "bytes")]
        digest: Vec<u8>,
        /// The signature in DER.
        #[serde(rename = "sig_der", deserialize_with = "bytes")]
        signature: Vec<u8>,
    },
    /// Key agreement.
    #[serde(rename = "ecdh")]
    Ecdh {
        /// The card's public key.
        #[serde(rename = "public_Q", deserialize_with = "bytes")]
        point: Vec<u8>,
        /// The host's public key.
        #[serde(deserialize_with = "bytes")]
        peer: Vec<u8>,
        /// The host's private key, if it is known.
        #[serde(default, deserialize_with = "optional_bytes")]
        scalar: Option<Vec<u8>>,
        /// The shared x-coordinate.
        #[serde(rename = "Z", deserialize_with = "bytes")]
        shared: Vec<u8>,
    },
}

/// A card's data objects, by their tags in hex, as GET DATA answers them.
#[derive(Debug, Deserialize)]
pub struct CardObjects {
    /// Where they come from.
    pub source: String,
    /// The objects.
    #[serde(deserialize_with = "objects")]
    pub objects: BTreeMap<String, Vec<u8>>,
}

/// Why a recording could not be read.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// The file could not be read.
    #[error("{file}: cannot be read: {source}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a recording of the form that was asked for.
    #[error("{file}: not a recording of this form: {source}")]
    Form {
        /// The file.
        file: String,
        /// Why.
        source: serde_json::Error,
    },
}

/// Why a recorded pair is not a right answer to a right question.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PairError {
    /// Class, instruction, P1 or P2.
    #[error("the command is not GENERAL AUTHENTICATE with this algorithm and key")]
    Header,
    /// The command's template.
    #[error("the command's template does not carry the operation's input")]
    CommandTemplate,
    /// The answer's template.
    #[error("the answer's template does not carry the operation's result")]
    ResponseTemplate,
    /// The cryptography.
    #[error("the result is not what this key makes of this input")]
    Result,
}

/// Reads a file of GENERAL AUTHENTICATE pairs.
pub fn authentications(path: &Path) -> Result<Authentications, RecordingError> {
    read(path)
}

/// Reads a file of data objects.
pub fn card_objects(path: &Path) -> Result<CardObjects, RecordingError> {
    read(path)
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, RecordingError> {
    let file = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(source) => return Err(RecordingError::Unreadable { file, source }),
    };
    serde_json::from_str(&text).map_err(|source| RecordingError::Form { file, source })
}

impl Authentication {
    /// Checks that command and answer carry the operation, and that the answer is right for the public key.
    ///
    /// Key agreement without the host's private key can only be checked for its form.
    pub fn check(&self) -> Result<(), PairError> {
        let header = hex::decode(format!("0087{}{}", self.algorithm, self.key_reference));
        if header.is_err() || header.ok().as_deref() != self.command.get(..4) {
            return Err(PairError::Header);
        }
        let (tag, input, result) = match &self.operation {
            Operation::Rsa { block, result, .. } => (0x81, block, result),
            Operation::Ecdsa { digest, signature, .. } => (0x81, digest, signature),
            Operation::Ecdh { peer, shared, .. } => (0x85, peer, shared),
        };
        let sent = command_data(&self.command).and_then(|data| template_element(data, tag));
        if sent != Some(input) {
            return Err(PairError::CommandTemplate);
        }
        if template_element(&self.response, 0x82) != Some(result) {
            return Err(PairError::ResponseTemplate);
        }
        let right = match &self.operation {
            Operation::Rsa { modulus, exponent, block, result } => {
                oracle::rsa(modulus, exponent, block, result)
            }
            Operation::Ecdsa { point, digest, signature } => oracle::ecdsa(point, digest, signature),
            Operation::Ecdh { point, peer, scalar: Some(scalar), shared } => {
                oracle::on_curve(peer) && oracle::ecdh(point, scalar).as_ref() == Some(shared)
            }
            Operation::Ecdh { point, peer, scalar: None, shared } => {
                oracle::on_curve(point) && oracle::on_curve(peer) && shared.len() == point.len() / 2
            }
        };
        if right { Ok(()) } else { Err(PairError::Result) }
    }
}

/// The data field of a command with Lc, short or extended.
fn command_data(command: &[u8]) -> Option<&[u8]> {
    match command.get(4..)? {
        [0, high, low, rest @ ..] => rest.get(..usize::from(u16::from_be_bytes([*high, *low]))),
        [length, rest @ ..] => rest.get(..usize::from(*length)),
        [] => None,
    }
}

/// The value of the element `tag` in a template `7C` that fills `data`.
fn template_element(data: &[u8], tag: u8) -> Option<&[u8]> {
    let (length, mut elements) = read_ber_length(data.strip_prefix(&[0x7C])?)?;
    if length != elements.len() {
        return None;
    }
    let mut found = None;
    while let [name, rest @ ..] = elements {
        let (length, rest) = read_ber_length(rest)?;
        let (value, rest) = rest.split_at_checked(length)?;
        if *name == tag {
            found = Some(value);
        }
        elements = rest;
    }
    found
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    hex::decode(String::deserialize(deserializer)?).map_err(de::Error::custom)
}

fn optional_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    bytes(deserializer).map(Some)
}

fn objects<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Vec<u8>>, D::Error> {
    BTreeMap::<String, String>::deserialize(deserializer)?
        .into_iter()
        .map(|(tag, object)| Ok((tag, hex::decode(object).map_err(de::Error::custom)?)))
        .collect()
}
