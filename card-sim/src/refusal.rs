//! Why a command was refused: the status word, and the rule in the standard that asks for it.
//!
//! [`rules`] is the list of all rules that this card enforces, in the order of the commands of SP 800-73-5 part 2.

use core::fmt;

use apdu::Status;

use crate::{crypto::CryptoError, sm::ProtectionError, store::StoreError};

/// Where a rule is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// SP 800-73-5 part 1: data model.
    Sp80073Part1,
    /// SP 800-73-5 part 2: card commands.
    Sp80073Part2,
    /// ISO/IEC 7816-4.
    Iso7816Part4,
    /// GlobalPlatform Card Specification.
    GlobalPlatform,
    /// Yubico's documentation of the PIV commands of its `YubiKey`.
    YubicoPiv,
    /// NIST IR 6887: Government Smart Card Interoperability Specification 2.1.
    GscIs,
    /// How the DoD uses these cards.
    DodPractice,
    /// FIPS 201-3: the PIV card and its life.
    Fips201,
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sp80073Part1 => "SP 800-73-5 part 1",
            Self::Sp80073Part2 => "SP 800-73-5 part 2",
            Self::Iso7816Part4 => "ISO/IEC 7816-4",
            Self::GlobalPlatform => "GlobalPlatform",
            Self::YubicoPiv => "Yubico PIV",
            Self::GscIs => "GSC-IS 2.1",
            Self::DodPractice => "DoD practice",
            Self::Fips201 => "FIPS 201-3",
        })
    }
}

/// A rule whose violation makes the card refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What the card answers.
    pub status: Status,
    /// Where the rule is written.
    pub document: Document,
    /// Clause or table there.
    pub clause: &'static str,
    /// The rule in words.
    pub text: &'static str,
}

/// A refusal: what the card answers, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status word; differs from the rule's own where a profile decides or a counter is inside.
    pub status: Status,
    /// The rule.
    pub rule: &'static Rule,
}

impl Rule {
    pub(crate) const fn refuse(&'static self) -> Refusal {
        Refusal { status: self.status, rule: self }
    }

    pub(crate) const fn refuse_with(&'static self, status: Status) -> Refusal {
        Refusal { status, rule: self }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { document, clause, text, .. } = self;
        write!(f, "{text} ({document}, {clause})")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.rule)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full | StoreError::BufferTooSmall => rules::MEMORY_FULL.refuse(),
            StoreError::Medium | StoreError::WornOut | StoreError::RepeatedRecord => {
                rules::MEMORY_FAILURE.refuse()
            }
        }
    }
}

impl From<CryptoError> for Refusal {
    fn from(error: CryptoError) -> Self {
        match error {
            CryptoError::InvalidInput => rules::INPUT_NOT_PROCESSABLE.refuse(),
            CryptoError::Unsupported => rules::ALGORITHM_UNSUPPORTED.refuse(),
            CryptoError::InvalidKey | CryptoError::Failed => rules::MEMORY_FAILURE.refuse(),
        }
    }
}

impl From<ProtectionError> for Refusal {
    fn from(error: ProtectionError) -> Self {
        match error {
            ProtectionError::Missing => rules::SM_MISSING.refuse(),
            ProtectionError::Incorrect => rules::SM_INCORRECT.refuse(),
            ProtectionError::TooLong => rules::MEMORY_FULL.refuse(),
        }
    }
}

impl From<heapless::CapacityError> for Refusal {
    fn from(_: heapless::CapacityError) -> Self {
        rules::MEMORY_FULL.refuse()
    }
}

/// Every rule that this card enforces.
pub mod rules {
    use super::Document::{
        DodPractice, Fips201, GlobalPlatform, GscIs, Iso7816Part4, Sp80073Part1, Sp80073Part2, YubicoPiv,
    };
    use super::{Document, Rule, Status};

    const fn rule(status: Status, document: Document, clause: &'static str, text: &'static str) -> Rule {
        Rule { status, document, clause, text }
    }

    macro_rules! rules {
        ($($(#[$doc:meta])* $name:ident = $status:expr, $document:expr, $clause:literal, $text:literal;)*) => {
            $(
                #[doc = $text]
                pub static $name: Rule = rule($status, $document, $clause, $text);
            )*
            /// All of them.
            pub static ALL: &[&Rule] = &[$(&$name),*];
        };
    }

    rules! {
        // Transport.
        LENGTHS = Status::WrongLength, Iso7816Part4, "5.2", "the length fields fit the bytes of the command";
        CLASS = Status::ClassNotSupported, Iso7816Part4, "5.4.1", "the class is 00 or 10";
        CHANNEL = Status::LogicalChannelNotSupported, Iso7816Part4, "5.4.1", "the card has the basic logical channel only";
        SECURE_MESSAGING = Status::SecureMessagingNotSupported, Sp80073Part2, "4.2.7", "the card has secure messaging, with class 0C or 1C";
        SM_COMMAND = Status::SecureMessagingNotSupported, Sp80073Part2, "table 2", "this command is sent under secure messaging";
        SM_SESSION = Status::SecurityStatusNotSatisfied, Sp80073Part2, "4.2.7", "session keys are established";
        SM_MISSING = Status::SmObjectsMissing, Sp80073Part2, "4.2.7", "a protected command ends with its code";
        SM_INCORRECT = Status::SmObjectsIncorrect, Sp80073Part2, "4.2.7", "objects, padding and code of a protected command are right";
        CONTACT_ONLY = Status::FunctionNotSupported, Sp80073Part2, "table 2", "this command comes through the contacts";
        CHAINING = Status::ChainingNotSupported, Sp80073Part2, "table 2", "this command is not sent in a chain";
        CHAIN_TOO_LONG = Status::NotEnoughMemory, Sp80073Part2, "3.3.1", "a chain fits the card's buffer";
        NOTHING_PENDING = Status::ConditionsNotSatisfied, Iso7816Part4, "11.7.1", "GET RESPONSE follows an answer of 61xx";
        INSTRUCTION = Status::InstructionNotSupported, Sp80073Part2, "table 2", "the selected application has this command";
        UNPOWERED = Status::NoDiagnosis, Iso7816Part4, "5.1", "the card has power";
        MEMORY_FAILURE = Status::MemoryFailure, Iso7816Part4, "table 6", "the card's memory works";
        MEMORY_FULL = Status::NotEnoughMemory, Sp80073Part2, "3.3.1", "the contents fit the card's memory";
        // SELECT.
        SELECT_P1P2 = Status::IncorrectP1P2, Sp80073Part2, "3.1.1", "P1 is 04 and P2 is 00 (or 0C, for no answer)";
        SELECT_FILE = Status::FunctionNotSupported, Sp80073Part2, "3.1.1", "applications are selected by name; there are no files";
        SELECT_UNKNOWN = Status::NotFound, Sp80073Part2, "3.1.1", "the application is on the card";
        ISSUER_DOMAIN = Status::InstructionNotSupported, GlobalPlatform, "11", "the issuer security domain of this card is selectable only";
        // GET DATA.
        GET_DATA_P1P2 = Status::IncorrectP1P2, Sp80073Part2, "3.1.2", "P1 P2 is 3FFF";
        GET_DATA_FORM = Status::IncorrectData, Sp80073Part2, "3.1.2", "the data field is one tag list 5C";
        OBJECT_NOT_FOUND = Status::NotFound, Sp80073Part2, "3.1.2", "the data object is on the card";
        OBJECT_READ = Status::SecurityStatusNotSatisfied, Sp80073Part1, "table 2", "the access rule for reading the object is satisfied";
        // VERIFY.
        VERIFY_P1 = Status::IncorrectP1P2, Sp80073Part2, "3.2.1", "P1 is 00, or FF without data";
        REFERENCE_NOT_FOUND = Status::ReferenceNotFound, Sp80073Part2, "3.2.1", "the card has this key reference and allows the command for it";
        VERIFY_CHANNEL = Status::SecurityStatusNotSatisfied, Sp80073Part2, "3.2.1", "through the antenna, a PIN comes over the virtual contact interface, a finger or pairing code under secure messaging";
        PAIRING_CODE = Status::VerificationFailed, Sp80073Part2, "3.2.1", "the pairing code is verified";
        PAIRING_CODE_FORM = Status::IncorrectData, Sp80073Part2, "3.2.1", "a pairing code is 8 digits";
        BLOCKED = Status::AuthenticationMethodBlocked, Sp80073Part2, "3.2.1", "tries are left";
        TRIES_LEFT = Status::TriesLeft(0), Sp80073Part2, "3.2.1", "the reference data is verified";
        REFERENCE_FORM = Status::IncorrectData, Sp80073Part2, "2.4.3", "a PIN is 6 to 8 digits padded with FF to 8 bytes, a PUK is 8 bytes";
        FINGER_FORM = Status::IncorrectData, Sp80073Part2, "3.2.1", "a finger is 12 to 60 minutiae of 3 bytes";
        // CHANGE REFERENCE DATA, RESET RETRY COUNTER.
        CHANGE_P1 = Status::IncorrectP1P2, Sp80073Part2, "3.2.2", "P1 is 00";
        CHANGE_FORM = Status::IncorrectData, Sp80073Part2, "3.2.2", "the data field is the old and the new reference data, 8 bytes each and well formed";
        RESET_P1 = Status::IncorrectP1P2, Sp80073Part2, "3.2.3", "P1 is 00, or 02 for the card manager of a card that has it";
        RESET_FORM = Status::IncorrectData, Sp80073Part2, "3.2.3", "the data field is the PUK and a well-formed new PIN, 8 bytes each";
        RESET_BY_ADMINISTRATOR_FORM = Status::IncorrectData, Iso7816Part4, "RESET RETRY COUNTER", "with P1 02, the data field is a well-formed new PIN of 8 bytes";
        // GENERAL AUTHENTICATE.
        ALGORITHM_KEY = Status::IncorrectP1P2, Sp80073Part2, "3.2.4", "P1 is the algorithm of the key that P2 names";
        EMPTY_SLOT = Status::IncorrectP1P2, Sp80073Part2, "3.2.4", "the key that P2 names is on the card";
        KEY_USE = Status::SecurityStatusNotSatisfied, Sp80073Part1, "table 5", "the access rule for using the key is satisfied";
        TEMPLATE = Status::IncorrectData, Sp80073Part2, "3.2.4", "the data field is a dynamic authentication template 7C that fits the key";
        OPERATION = Status::IncorrectData, Sp80073Part2, "3.2.4", "the key may be used for this operation";
        INPUT_LENGTH = Status::IncorrectData, Sp80073Part2, "3.2.4", "the input is as long as the key's block, digest or point";
        CONTROL_BYTE = Status::IncorrectData, Sp80073Part2, "4.1.3", "the host's control byte asks for what the card does";
        INPUT_NOT_PROCESSABLE = Status::IncorrectData, Sp80073Part2, "3.2.4", "the input is below the modulus, or a point on the curve";
        ADMINISTRATOR_PROOF = Status::SecurityStatusNotSatisfied, Sp80073Part2, "3.2.4", "the answer proves the card management key and follows its challenge immediately";
        // PUT DATA, GENERATE ASYMMETRIC KEY PAIR.
        ADMINISTRATOR = Status::SecurityStatusNotSatisfied, Sp80073Part2, "table 2", "the card management key is authenticated";
        PUT_DATA_P1P2 = Status::IncorrectP1P2, Sp80073Part2, "3.3.1", "P1 P2 is 3FFF";
        PUT_DATA_FORM = Status::IncorrectData, Sp80073Part2, "3.3.1", "the data field is 5C and 53, or a whole 7E or 7F61";
        GENERATE_P1P2 = Status::IncorrectP1P2, Sp80073Part2, "3.3.2", "P1 is 00 and P2 is a key that the card may generate";
        GENERATE_FORM = Status::IncorrectData, Sp80073Part2, "3.3.2", "the data field is a control template AC with a mechanism";
        ALGORITHM_UNSUPPORTED = Status::IncorrectData, Sp80073Part1, "table 6", "the card has the mechanism and the exponent";
        // IMPORT ASYMMETRIC KEY of other cards than YubiKeys.
        IMPORT_REFERENCE = Status::IncorrectP1P2, Fips201, "4.2.2", "only keys for key management come from outside: P2 is 9D or a retired key";
        // Yubico's commands.
        YUBICO_P1P2 = Status::IncorrectP1P2, YubicoPiv, "commands", "P1 and P2 are those of the command";
        KEY_POLICY = Status::IncorrectData, YubicoPiv, "key policies", "a PIN policy AA is one byte from 00 to 05, a touch policy AB one from 00 to 03";
        KEY_POLICY_TAKEN = Status::IncorrectData, YubicoPiv, "key policies", "firmware and series have the policies that are asked for";
        PIN_COMPLEXITY = Status::ConditionsNotSatisfied, YubicoPiv, "PIN complexity", "a new PIN or PUK is long enough and not trivial";
        TOUCH = Status::SecurityStatusNotSatisfied, YubicoPiv, "key policies", "the holder touches the card in time";
        FINGERPRINT_FORM = Status::IncorrectData, YubicoPiv, "VERIFY of fingerprints", "03 00 or 02 00 asks for the finger, 01 10 is before a temporary PIN";
        FINGERPRINT = Status::TriesLeft(0), YubicoPiv, "VERIFY of fingerprints", "the sensor sees an enrolled finger";
        FINGERPRINT_BLOCKED = Status::AuthenticationMethodBlocked, YubicoPiv, "VERIFY of fingerprints", "tries are left; the PIN gives them back";
        TEMPORARY_PIN = Status::TriesLeft(0), YubicoPiv, "VERIFY of fingerprints", "the temporary PIN is the one that the card gave last";
        NO_KEY = Status::ReferenceNotFound, YubicoPiv, "GET METADATA, MOVE KEY", "the card has the key or the reference data";
        MOVE_TARGET = Status::IncorrectData, YubicoPiv, "MOVE KEY", "no key is where the key is to go";
        IMPORT_FORM = Status::IncorrectData, YubicoPiv, "IMPORT ASYMMETRIC KEY", "the data field is the parts of a valid key of the algorithm in P1";
        MANAGEMENT_KEY_FORM = Status::IncorrectData, YubicoPiv, "SET MANAGEMENT KEY", "the data field is an algorithm that the firmware has, 9B, and a key of its length";
        ATTEST_ORIGIN = Status::IncorrectData, YubicoPiv, "ATTEST", "the key was generated on the card";
        ATTEST_KEY = Status::ConditionsNotSatisfied, YubicoPiv, "ATTEST", "the card has an attestation key and its certificate";
        RETRIES_PIN = Status::SecurityStatusNotSatisfied, YubicoPiv, "SET PIN RETRIES", "the PIN is verified";
        RESET_BLOCKED = Status::ConditionsNotSatisfied, YubicoPiv, "RESET", "PIN and PUK are blocked";
        // The CAC applets.
        CAC_INSTRUCTION = Status::InstructionNotSupported, GscIs, "5.3.3", "the selected applet has this command";
        CAC_P1P2 = Status::IncorrectP1P2, GscIs, "5.3.3", "P1, P2 and data field are among those of the command";
        CAC_OBJECT_NAME = Status::IncorrectData, GscIs, "5.3.3", "an object is named by two bytes";
        CAC_OBJECT = Status::NotFound, GscIs, "5.3.3", "the object is one of the selected applet's";
        CAC_BUFFER_FORM = Status::IncorrectData, GscIs, "5.3.3", "the data field is a buffer, 01 or 02, and a number of bytes";
        CAC_READ = Status::SecurityStatusNotSatisfied, GscIs, "5.3.3", "the access rule for reading the container is satisfied";
        CAC_OFFSET = Status::IncorrectP1P2, GscIs, "5.3.3", "the offset is inside the buffer";
        CAC_UPDATE = Status::SecurityStatusNotSatisfied, GscIs, "5.3.3", "buffers are written by the issuer, over a secure channel that this card does not open";
        CAC_PROPERTY = Status::ReferenceNotFound, GscIs, "5.3.3", "the applet has the properties that are asked for";
        CAC_ACR = Status::ReferenceNotFound, GscIs, "5.3.3.5", "the rule, applet or object that is asked for is there";
        CAC_KEY_USE = Status::SecurityStatusNotSatisfied, GscIs, "5.3.3", "the PIN is verified";
        CAC_KEY = Status::ReferenceNotFound, GscIs, "5.3.3", "the applet has an RSA key";
        CAC_BLOCK = Status::IncorrectData, GscIs, "5.3.3", "the pieces together are as long as the key's modulus";
        CAC_REFERENCE = Status::ReferenceNotFound, GscIs, "5.3.3", "the PIN is called 00";
        CARD_DATA = Status::ReferenceNotFound, GlobalPlatform, "11.3", "the card manager has the data that are asked for";
        CAC_UNBLOCK = Status::SecurityStatusNotSatisfied, DodPractice, "PIN reset", "a blocked PIN is reset by the issuer, over a secure channel that this card does not open";
        PIV_AUTHENTICATION_HIDDEN = Status::ReferenceNotFound, DodPractice, "PIV activation", "the PIV Authentication key is activated";
    }
}
