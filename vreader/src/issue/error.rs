//! Why a card cannot be issued, said so that the reader knows what to change.

use card_sim::crypto::CryptoError;

use super::{date::Date, fascn::FascnError, person::MAX_NAME};

/// Why a card cannot be issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The holder's name is empty.
    #[error("the holder's name is empty; give a name, or none at all for a sample person")]
    HolderEmpty,
    /// The holder's name has a control character.
    #[error("the holder's name contains the control character {0:?}; names are one line of printable text")]
    HolderCharacter(char),
    /// The holder's name does not fit.
    #[error(
        "the holder's name has {bytes} bytes in UTF-8; the card has room for {MAX_NAME} (SP 800-73-5 part 1, table 14)"
    )]
    HolderTooLong {
        /// Length of the name in bytes.
        bytes: usize,
    },
    /// The holder of a Common Access Card has a name with other than ASCII characters.
    #[error(
        "a Common Access Card writes names in ASCII; give the holder's name without accents and other scripts"
    )]
    HolderNotAscii,
    /// The holder of a Common Access Card has a name of one word.
    #[error("a Common Access Card has a first and a last name; give the holder's name in two words or more")]
    HolderOneWord,
    /// A Common Access Card with other keys than RSA-2048.
    #[error(
        "a Common Access Card has RSA keys of 2048 bits; leave out --algorithm, or choose another profile"
    )]
    CacAlgorithm,
    /// A blank `YubiKey`.
    #[error("a YubiKey is never blank: it comes from the factory with keys of its own, and empty")]
    BlankYubiKey,
    /// A blank Common Access Card.
    #[error(
        "a Common Access Card cannot be blank: its CAC applets are filled before it leaves the issuer, and no command here could fill \
         them later; choose a stock that has PIV alone, such as piv"
    )]
    BlankCommonAccess,
    /// The day of issue is too far away.
    #[error("the day of issue {0} is out of range; it may be from 1980-01-01 to 2099-12-31")]
    IssuedOutOfRange(Date),
    /// The card would expire before it is issued.
    #[error(
        "the card would expire on {expires}, before it is issued on {issued}; give a later expiration or an earlier day of issue"
    )]
    ExpiresBeforeIssued {
        /// First day of the card.
        issued: Date,
        /// Its last day.
        expires: Date,
    },
    /// The card would live too long.
    #[error(
        "a card issued on {issued} may expire on {latest} at the latest, not on {expires}: six years are the limit (FIPS 201-3, 2.8)"
    )]
    LifeTooLong {
        /// First day of the card.
        issued: Date,
        /// The wanted last day.
        expires: Date,
        /// The latest possible last day.
        latest: Date,
    },
    /// The PIN has a wrong form.
    #[error("the PIN must be 6 to 8 decimal digits (SP 800-73-5 part 2, 2.4.3)")]
    Pin,
    /// The PUK has a wrong form.
    #[error("the PUK must be exactly 8 ASCII characters (SP 800-73-5 part 2, 2.4.3)")]
    Puk,
    /// Too many retired keys.
    #[error(
        "a card has at most 20 retired keys, on-card and off-card together, not {0} (SP 800-73-5 part 1, table 5)"
    )]
    RetiredKeys(u8),
    /// A signer of secure messaging to compress, and no secure messaging.
    #[error(
        "a card without secure messaging has no certificate of its signer to compress; choose a cipher suite too"
    )]
    NoSigner,
    /// A virtual contact interface without secure messaging.
    #[error(
        "a virtual contact interface is made of secure messaging; choose a cipher suite too (SP 800-73-5 part 1, 5.5)"
    )]
    VirtualContact,
    /// A virtual contact interface that is weaker than the keys behind it.
    #[error(
        "a card with P-384 keys and a virtual contact interface needs cipher suite CS7 (SP 800-78-5, 3.1); choose cs7"
    )]
    WeakSuite,
    /// A content signer whose key does not fit the cipher suite.
    #[error(
        "the content signer's key is not on the curve of the cipher suite; choose another algorithm for the PKI, or an intermediate certificate"
    )]
    Suite,
    /// A fault that such a card cannot have.
    #[error("a card with the fault {fault} {reason}")]
    Fault {
        /// Name of the fault.
        fault: &'static str,
        /// What is in the way, as it follows the name, and what to do.
        reason: &'static str,
    },
    /// A certification authority cannot serve this card.
    #[error(
        "the {authority} cannot serve a card that lives from {issued} to {expires}: its certificate is valid from {from} to {until}; issue with a new PKI or other dates"
    )]
    AuthorityValidity {
        /// Which authority.
        authority: &'static str,
        /// First day of the card.
        issued: Date,
        /// Its last day.
        expires: Date,
        /// First day of the authority's certificate.
        from: Date,
        /// Its last day.
        until: Date,
    },
    /// A cryptographic operation failed.
    #[error("could not {operation}: {}", describe(*.error))]
    Crypto {
        /// What was tried, as it follows "could not".
        operation: &'static str,
        /// What the library said.
        error: CryptoError,
    },
    /// A structure could not be encoded.
    #[error("could not encode the {what}")]
    Encoding {
        /// Which structure.
        what: &'static str,
        /// What the encoder said.
        #[source]
        source: der::Error,
    },
    /// Fingers that cannot be enrolled.
    #[error(
        "on-card comparison takes one or two fingers of 12 to 60 minutiae, three bytes each (x, y, type and direction)"
    )]
    Fingers,
    /// A FASC-N could not be encoded.
    #[error("could not encode the FASC-N")]
    Fascn(#[from] FascnError),
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness")]
    Random(#[from] getrandom::Error),
}

/// For `map_err`: encoding of `what` failed.
pub(crate) fn encoding(what: &'static str) -> impl FnOnce(der::Error) -> IssueError {
    move |source| IssueError::Encoding { what, source }
}

/// For `map_err`: a cryptographic operation failed.
pub(crate) fn crypto(operation: &'static str) -> impl FnOnce(CryptoError) -> IssueError {
    move |error| IssueError::Crypto { operation, error }
}

fn describe(error: CryptoError) -> &'static str {
    match error {
        CryptoError::Unsupported => "this build has no implementation of the algorithm",
        CryptoError::InvalidKey => "the key is not valid",
        CryptoError::InvalidInput => "the input cannot be processed",
        _ => "the cryptographic library failed",
    }
}
