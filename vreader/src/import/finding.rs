//! What is missing in a folder, or does not fit together.

use std::fmt;

use serde::Serialize;

use crate::inspect::Problem;

/// Something that a person should know about a card from a folder. None of it has kept the card from being made.
///
/// The names of variants and fields are a promise to programs that read the JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// There is no file for an object.
    MissingObject {
        /// What its name would begin with.
        number: u8,
        /// Name of the object in the standard.
        object: &'static str,
    },
    /// There is no private key.
    MissingKey {
        /// What the name of its file would begin with.
        number: u8,
        /// Key reference in hex.
        key: String,
    },
    /// There is no certificate.
    MissingCertificate {
        /// What the name of its file would begin with.
        number: u8,
        /// Key reference in hex.
        key: String,
    },
    /// The Discovery Object is empty: the card has none.
    EmptyDiscovery {
        /// The file.
        file: String,
    },
    /// Several files of one number, which are not the same.
    Generations {
        /// The one that is on the card.
        taken: String,
        /// The others.
        left: Vec<String>,
    },
    /// A file whose name is like those of a card's files, but which means nothing.
    NotUsed {
        /// The file.
        file: String,
    },
    /// A private key of a kind that PIV cards do not have.
    UnsupportedKey {
        /// The file.
        file: String,
        /// Key reference in hex.
        key: String,
        /// What kind it is.
        algorithm: String,
    },
    /// A private key that is no key: its numbers are not those of one.
    BrokenKey {
        /// Key reference in hex.
        key: String,
    },
    /// The file `.crt` is not the certificate that is in the PKCS #12 file.
    TwoCertificates {
        /// Key reference in hex.
        key: String,
        /// The file `.crt`.
        file: String,
    },
    /// Private key and certificate do not belong together.
    KeyMismatch {
        /// Key reference in hex.
        key: String,
    },
    /// The Security Object has another hash of an object than the object itself.
    WrongHash {
        /// Name of the object in the standard.
        object: &'static str,
    },
    /// The Security Object has the hash of an object that is not there.
    HashOfNothing {
        /// Container identifier in hex.
        container: String,
    },
    /// What the signature of the CHUID is over is not what the CHUID says.
    ChuidChanged,
    /// A certificate names another FASC-N than the CHUID.
    OtherFascn {
        /// Key reference in hex.
        key: String,
    },
    /// The Discovery Object promises something that no file of the folder gives.
    Promised {
        /// What it is.
        what: &'static str,
    },
    /// An object that cannot be read as the standard describes it.
    Object(Problem),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingObject { number, object } => write!(f, "no file `{number} - …`: no {object}"),
            Self::MissingKey { number, key } => {
                write!(f, "no private key in a file `{number} - ….p12`: no key {key}")
            }
            Self::MissingCertificate { number, key } => {
                write!(f, "no certificate in a file `{number} - …`: none for key {key}")
            }
            Self::EmptyDiscovery { file } => {
                write!(f, "`{file}` is empty: the card has no Discovery Object")
            }
            Self::Generations { taken, left } => {
                write!(f, "different files of one number: `{taken}` is on the card, not ")?;
                for (index, name) in left.iter().enumerate() {
                    write!(f, "{}`{name}`", if index == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Self::NotUsed { file } => write!(f, "`{file}` is not used: no file of a card has this name"),
            Self::UnsupportedKey { file, key, algorithm } => {
                write!(f, "`{file}`: PIV cards hold no key of this kind ({algorithm}); no key {key}")
            }
            Self::BrokenKey { key } => {
                write!(f, "the numbers of key {key} are not those of a key; no key {key}")
            }
            Self::TwoCertificates { key, file } => {
                write!(f, "`{file}` is not the certificate in the .p12, which is on the card for key {key}")
            }
            Self::KeyMismatch { key } => write!(f, "key {key} is not the key in its certificate"),
            Self::WrongHash { object } => write!(f, "the Security Object's hash of the {object} is wrong"),
            Self::HashOfNothing { container } => {
                write!(f, "the Security Object covers container {container}, which is not there")
            }
            Self::ChuidChanged => {
                f.write_str("the CHUID is not what was signed: the digest in its signature is another")
            }
            Self::OtherFascn { key } => {
                write!(f, "the certificate of key {key} has another FASC-N than the CHUID")
            }
            Self::Promised { what } => {
                write!(f, "the Discovery Object promises {what}, and the folder has nothing for it")
            }
            Self::Object(problem) => write!(f, "{}: {}", problem.object, problem.problem),
        }
    }
}
