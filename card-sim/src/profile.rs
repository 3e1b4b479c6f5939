//! Card stocks: what a card is before anybody's data is on it.
//!
//! A profile is one row of data: answer to reset, label, algorithms, and the choices that SP 800-73-5 leaves to the
//! card. A card file names its profile; see [`Profile::find`].

pub mod yubico;

use apdu::Status;

use crate::{
    key::AsymmetricAlgorithm,
    object::{Container, ObjectTag},
    reference::{LENGTH, Reference},
    security::AccessRule,
};
use yubico::{Feature, Yubico};

/// A card stock.
#[derive(Debug)]
pub struct Profile {
    /// Name in card files and on the command line.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// Answer to reset through the contacts.
    pub atr: &'static [u8],
    /// Answer to reset through the antenna, as a reader makes it up.
    pub contactless_atr: &'static [u8],
    /// Application label, tag 50 of the SELECT answer, if that has one.
    pub label: &'static str,
    /// The longest command and answer that SELECT states, if not those of this card's buffers.
    pub stated_lengths: Option<[u16; 2]>,
    /// Mechanisms of GENERATE ASYMMETRIC KEY PAIR.
    pub algorithms: &'static [AsymmetricAlgorithm],
    /// Tries of a fresh PIN or PUK counter, unless the issuer says otherwise.
    pub default_tries: u8,
    /// Tries that are kept for the contacts: at so many left, a PIN is blocked for the antenna (part 2, 3.2.1).
    pub tries_kept_for_contact: u8,
    /// What the standard leaves open.
    pub choices: Choices,
    /// Yubico's commands, if the card has them.
    pub yubico: Option<&'static Yubico>,
    /// The CAC applets, if the card has them.
    #[cfg(feature = "cac")]
    pub cac: Option<&'static crate::cac::Stock>,
}

/// What SP 800-73-5 leaves to the card, or real cards do differently.
#[derive(Debug)]
pub struct Choices {
    /// An object whose container exists but was never filled, or was emptied.
    pub empty_container: EmptyContainer,
    /// Reference data of a wrong format.
    pub malformed_reference: MalformedReference,
    /// VERIFY without data when no try is left.
    pub blocked_status: Status,
    /// GENERAL AUTHENTICATE with a key that the card does not hold.
    pub empty_slot: Status,
    /// GENERAL AUTHENTICATE with another algorithm than the key's.
    pub other_algorithm: Status,
    /// A wrong or late answer to a card management challenge.
    pub wrong_administrator_proof: Status,
    /// What SELECT answers.
    pub select_answer: SelectAnswer,
    /// SELECT of the application that is selected already.
    pub reselection: Reselection,
    /// What a PIN and a PUK are made of.
    pub reference_format: ReferenceFormat,
    /// What may be done through the antenna.
    pub antenna: Antenna,
    /// The card manager may give the PIN a new value without the PUK: RESET RETRY COUNTER with P1 `02`. It is in no standard for PIV;
    /// cards whose holders are helped by a challenge and its response have it.
    pub administrator_unblock: bool,
    /// The card manager may import keys for key management, by Yubico's IMPORT ASYMMETRIC KEY (feature `key-import`). YubiKeys
    /// have the command for all keys, whatever this says.
    pub key_import: bool,
}

/// The application property template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectAnswer {
    /// The whole identifier, a label and the longest command and answer.
    Full,
    /// The identifier without its first five bytes, and nothing of the rest.
    Short,
}

/// What becomes of the security status when the application is selected that is selected already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reselection {
    /// It stays (part 2, 3.1.1).
    Keeps,
    /// It is cleared.
    Clears,
}

/// What a PIN and a PUK are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceFormat {
    /// A PIN of 6 to 8 digits, a PUK of any 8 bytes (part 2, 2.4.3).
    Digits,
    /// 6 to 8 bytes of any kind but `FF`, both.
    AnyBytes,
}

/// What may be done through the antenna.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Antenna {
    /// What the standard's columns for it say.
    Restricted,
    /// All that may be done through the contacts.
    LikeContacts,
}

/// How an empty container reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyContainer {
    /// `53 00` and `9000`, as the genuine NIST test cards answer.
    ZeroLength,
    /// `6A82`, as if there were no container.
    NotFound,
}

/// What a PIN or PUK of a wrong format costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MalformedReference {
    /// `6A80`; nothing changes.
    Refused,
    /// It counts as a wrong one: `63CX`.
    SpendsTry,
}

/// Strict SP 800-73-5; where it leaves a choice, as the genuine NIST test cards (SD33, ID-One PIV on Cosmo V8.1). Beyond it, what
/// card management systems need.
pub static PIV: Profile = Profile {
    name: "piv",
    description: "PIV card after SP 800-73-5, with the habits of the NIST test cards",
    // 512/32, T=1, IFSC FE; historical bytes 80 31 C1 52 41 1A.
    atr: &[
        0x3B, 0xD6, 0x97, 0x00, 0x81, 0xB1, 0xFE, 0x45, 0x1F, 0x87, 0x80, 0x31, 0xC1, 0x52, 0x41, 0x1A, 0x2B,
    ],
    // Of a sister of those cards: OpenSC takes their own, which ends in 1A 7E, for an older card's, and then never looks for
    // secure messaging.
    contactless_atr: &[0x3B, 0x86, 0x80, 0x01, 0x80, 0x31, 0xC1, 0x52, 0x41, 0x12, 0x76],
    label: "card-sim PIV",
    stated_lengths: None,
    algorithms: &AsymmetricAlgorithm::OF_PIV,
    default_tries: 3,
    tries_kept_for_contact: 1,
    choices: Choices { administrator_unblock: true, key_import: true, ..NIST_CHOICES },
    yubico: None,
    #[cfg(feature = "cac")]
    cac: None,
};

/// Stock of the genuine NIST test cards (SD33), as they answer SELECT.
pub static NIST_SD33: Profile = Profile {
    name: "nist-sd33",
    description: "NIST test card SD33: ID-One PIV on Cosmo V8.1",
    // 512/32, T=1, IFSC FE; historical bytes 80 31 C1 52 41 1A.
    atr: &[
        0x3B, 0xD6, 0x97, 0x00, 0x81, 0xB1, 0xFE, 0x45, 0x1F, 0x87, 0x80, 0x31, 0xC1, 0x52, 0x41, 0x1A, 0x2B,
    ],
    contactless_atr: &[0x3B, 0x86, 0x80, 0x01, 0x80, 0x31, 0xC1, 0x52, 0x41, 0x1A, 0x7E],
    label: "ID-One PIV",
    // 1,016 and 32,767 bytes.
    stated_lengths: Some([0x03F8, 0x7FFF]),
    algorithms: &AsymmetricAlgorithm::OF_PIV,
    default_tries: 3,
    tries_kept_for_contact: 1,
    choices: NIST_CHOICES,
    yubico: None,
    #[cfg(feature = "cac")]
    cac: None,
};

/// What the NIST test cards make of the standard's choices.
const NIST_CHOICES: Choices = Choices {
    empty_container: EmptyContainer::ZeroLength,
    malformed_reference: MalformedReference::Refused,
    blocked_status: Status::AuthenticationMethodBlocked,
    empty_slot: Status::IncorrectP1P2,
    other_algorithm: Status::IncorrectP1P2,
    wrong_administrator_proof: Status::SecurityStatusNotSatisfied,
    select_answer: SelectAnswer::Full,
    reselection: Reselection::Keeps,
    reference_format: ReferenceFormat::Digits,
    antenna: Antenna::Restricted,
    administrator_unblock: false,
    key_import: false,
};

/// Every profile.
pub static ALL: &[&Profile] = &[
    &PIV,
    &NIST_SD33,
    #[cfg(feature = "yubico")]
    &yubico::YUBIKEY_NEO,
    #[cfg(feature = "yubico")]
    &yubico::YUBIKEY_4,
    #[cfg(feature = "yubico")]
    &yubico::YUBIKEY_5_2,
    #[cfg(feature = "yubico")]
    &yubico::YUBIKEY_5_4,
    #[cfg(feature = "yubico")]
    &yubico::YUBIKEY_5,
    #[cfg(feature = "yubico")]
    &yubico::YUBIKEY_4_FIPS,
    #[cfg(feature = "yubico")]
    &yubico::YUBIKEY_5_FIPS,
    #[cfg(feature = "yubico")]
    &yubico::YUBIKEY_BIO,
    #[cfg(feature = "cac")]
    crate::cac::PROFILES[0],
    #[cfg(feature = "cac")]
    crate::cac::PROFILES[1],
    #[cfg(feature = "cac")]
    crate::cac::PROFILES[2],
    #[cfg(feature = "cac")]
    crate::cac::PROFILES[3],
    #[cfg(feature = "cac")]
    crate::cac::PROFILES[4],
    #[cfg(feature = "cac")]
    crate::cac::PROFILES[5],
    #[cfg(feature = "cac")]
    crate::cac::PROFILES[6],
    #[cfg(feature = "cac")]
    crate::cac::PROFILES[7],
    #[cfg(feature = "cac")]
    crate::cac::PROFILES[8],
    #[cfg(feature = "cac")]
    crate::cac::PROFILES[9],
];

impl Profile {
    /// The profile with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|profile| profile.name == name).copied()
    }

    /// Whether `data` has the format of this reference on a card of this stock.
    pub fn is_well_formed(&self, reference: Reference, data: &[u8]) -> bool {
        match self.choices.reference_format {
            ReferenceFormat::AnyBytes if !reference.is_finger() => {
                let length = data.iter().take_while(|byte| **byte != 0xFF).count();
                data.len() == LENGTH && length >= 6 && data.iter().skip(length).all(|byte| *byte == 0xFF)
            }
            _ => reference.is_well_formed(data),
        }
    }

    /// Whether a card of this stock has this container.
    pub(crate) fn has_container(&self, container: &Container) -> bool {
        self.yubico.is_some() || !container.is_yubico()
    }

    /// Who may read the object in this container, through the contacts and through the antenna.
    pub(crate) fn read_rules(&self, container: &Container) -> (AccessRule, AccessRule) {
        if self.dialect().is_some() && container.tag == ObjectTag::PAIRING_CODE {
            // To a YubiKey it is an object like any other.
            return (AccessRule::Always, AccessRule::Always);
        }
        (container.contact_read, container.contactless_read)
    }

    /// Yubico's dialect, if the card has it and this build knows it: without the feature, nothing of what asks for it is left.
    pub(crate) fn dialect(&self) -> Option<&'static Yubico> {
        if cfg!(feature = "yubico") { self.yubico } else { None }
    }

    /// Whether a card of this stock has IMPORT ASYMMETRIC KEY.
    pub(crate) fn takes_keys(&self) -> bool {
        self.dialect().is_some() || (cfg!(feature = "key-import") && self.choices.key_import)
    }

    /// Whether a card of this stock lets its holder choose this well-formed PIN or PUK.
    pub(crate) fn takes_new_reference(&self, value: &[u8]) -> bool {
        self.dialect().is_none_or(|yubico| yubico.takes_new_reference(value))
    }

    /// What says that so many tries are left.
    pub(crate) fn tries_left(&self, left: u8) -> Status {
        match self.dialect() {
            Some(yubico) if !yubico.has(Feature::TriesInNibble) => Status::Other(0x6300 | u16::from(left)),
            _ => Status::TriesLeft(left),
        }
    }

    /// Whether cards of this stock have the PIV application.
    pub fn has_piv(&self) -> bool {
        #[cfg(feature = "cac")]
        let has_piv = self.cac.is_none_or(|stock| stock.piv);
        #[cfg(not(feature = "cac"))]
        let has_piv = true;
        has_piv
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ISO/IEC 7816-3, 8.2.5: a card that names no protocol but T=0 has no check byte.
    fn has_check_byte(atr: &[u8]) -> bool {
        let mut at = 1;
        loop {
            let present = atr[at] >> 4;
            at += present.count_ones() as usize;
            if present & 0x8 == 0 {
                return false;
            }
            if atr[at] & 0x0F != 0 {
                return true;
            }
        }
    }

    #[test]
    #[cfg(feature = "cac")]
    fn every_common_access_card_is_a_profile() {
        for stock in crate::cac::PROFILES {
            assert!(Profile::find(stock.name).is_some(), "{} is missing in ALL", stock.name);
        }
    }

    #[test]
    fn answers_to_reset_check() {
        for profile in ALL {
            for atr in [profile.atr, profile.contactless_atr] {
                let check = atr.iter().skip(1).fold(0, |sum, byte| sum ^ byte);
                assert!(!has_check_byte(atr) || check == 0, "TCK of {}", profile.name);
                assert!(atr.len() <= 33);
            }
            assert!(profile.default_tries <= 15);
            assert_eq!(Profile::find(profile.name).map(|found| found.name), Some(profile.name));
        }
    }
}
