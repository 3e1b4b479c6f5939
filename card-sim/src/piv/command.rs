//! The commands of the PIV card application as types (SP 800-73-5 part 2, table 2).
//!
//! Parsing fixes everything that does not depend on the card's state: instruction, P1 and P2. What depends on it,
//! for example whether a key reference may be used now, is the handlers' work.

use crate::{
    key::KeyReference,
    profile::Profile,
    reference::Reference,
    refusal::{Refusal, rules},
};

/// Instruction bytes (SP 800-73-5 part 2, table 2).
pub(crate) mod instruction {
    pub(crate) const VERIFY: u8 = 0x20;
    pub(crate) const CHANGE_REFERENCE_DATA: u8 = 0x24;
    pub(crate) const RESET_RETRY_COUNTER: u8 = 0x2C;
    pub(crate) const GENERATE_ASYMMETRIC_KEY_PAIR: u8 = 0x47;
    pub(crate) const GENERAL_AUTHENTICATE: u8 = 0x87;
    pub(crate) const GET_DATA: u8 = 0xCB;
    pub(crate) const PUT_DATA: u8 = 0xDB;
    /// Yubico's, and here also of other cards.
    pub(crate) const IMPORT_ASYMMETRIC_KEY: u8 = 0xFE;
}

/// A command of the PIV card application.
#[derive(Clone, Copy)]
pub(crate) enum Command<'a> {
    /// The data field: a tag list `5C`.
    GetData(&'a [u8]),
    Verify(Verify<'a>),
    ChangeReferenceData(ChangeReferenceData<'a>),
    /// The data field: PUK and new PIN.
    ResetRetryCounter(&'a [u8]),
    /// The same without the PUK; the data field: new PIN.
    ResetByAdministrator(&'a [u8]),
    GeneralAuthenticate(GeneralAuthenticate<'a>),
    /// The data field: `5C` and `53`, or a whole `7E` or `7F61`.
    PutData(&'a [u8]),
    GenerateAsymmetricKeyPair(GenerateAsymmetricKeyPair<'a>),
    /// Beyond the standard.
    #[cfg(feature = "key-import")]
    ImportAsymmetricKey(ImportAsymmetricKey<'a>),
}

/// VERIFY in its three forms.
#[derive(Clone, Copy)]
pub(crate) enum Verify<'a> {
    /// Is the reference verified, and how many tries are left?
    Status { key_reference: u8 },
    /// Compare.
    Compare { key_reference: u8, candidate: &'a [u8] },
    /// Set the status to not verified.
    Reset { key_reference: u8 },
}

#[derive(Clone, Copy)]
pub(crate) struct ChangeReferenceData<'a> {
    pub(crate) key_reference: u8,
    /// Old and new reference data.
    pub(crate) data: &'a [u8],
}

#[derive(Clone, Copy)]
pub(crate) struct GeneralAuthenticate<'a> {
    /// Algorithm identifier, P1.
    pub(crate) algorithm: u8,
    pub(crate) key_reference: u8,
    /// The data field: a dynamic authentication template `7C`.
    pub(crate) template: &'a [u8],
}

#[derive(Clone, Copy)]
pub(crate) struct GenerateAsymmetricKeyPair<'a> {
    pub(crate) key_reference: u8,
    /// The data field: a control reference template `AC`.
    pub(crate) template: &'a [u8],
}

#[cfg(feature = "key-import")]
#[derive(Clone, Copy)]
pub(crate) struct ImportAsymmetricKey<'a> {
    /// Algorithm identifier, P1.
    pub(crate) algorithm: u8,
    pub(crate) reference: KeyReference,
    /// The data field: the key's parts, and on a YubiKey its policies.
    pub(crate) data: &'a [u8],
}

impl<'a> Command<'a> {
    /// The command, on a card of this stock.
    pub(crate) fn parse(command: &apdu::Command<'a>, profile: &Profile) -> Result<Self, Refusal> {
        let apdu::Command { instruction, p1, p2, data, .. } = *command;
        Ok(match instruction {
            instruction::GET_DATA if (p1, p2) == (0x3F, 0xFF) => Self::GetData(data),
            instruction::GET_DATA => return Err(rules::GET_DATA_P1P2.refuse()),
            instruction::VERIFY => Self::Verify(match (p1, data.is_empty()) {
                (0x00, true) => Verify::Status { key_reference: p2 },
                (0x00, false) => Verify::Compare { key_reference: p2, candidate: data },
                (0xFF, true) => Verify::Reset { key_reference: p2 },
                _ => return Err(rules::VERIFY_P1.refuse()),
            }),
            instruction::CHANGE_REFERENCE_DATA if p1 == 0x00 => {
                Self::ChangeReferenceData(ChangeReferenceData { key_reference: p2, data })
            }
            instruction::CHANGE_REFERENCE_DATA => return Err(rules::CHANGE_P1.refuse()),
            instruction::RESET_RETRY_COUNTER => match (p1, p2) {
                (0x00, 0x80) => Self::ResetRetryCounter(data),
                (0x02, 0x80) if profile.choices.administrator_unblock => Self::ResetByAdministrator(data),
                (0x02, _) if !profile.choices.administrator_unblock => return Err(rules::RESET_P1.refuse()),
                (0x00 | 0x02, _) => return Err(rules::REFERENCE_NOT_FOUND.refuse()),
                _ => return Err(rules::RESET_P1.refuse()),
            },
            instruction::GENERAL_AUTHENTICATE => Self::GeneralAuthenticate(GeneralAuthenticate {
                algorithm: p1,
                key_reference: p2,
                template: data,
            }),
            instruction::PUT_DATA if (p1, p2) == (0x3F, 0xFF) => Self::PutData(data),
            instruction::PUT_DATA => return Err(rules::PUT_DATA_P1P2.refuse()),
            instruction::GENERATE_ASYMMETRIC_KEY_PAIR if p1 == 0x00 => {
                Self::GenerateAsymmetricKeyPair(GenerateAsymmetricKeyPair {
                    key_reference: p2,
                    template: data,
                })
            }
            instruction::GENERATE_ASYMMETRIC_KEY_PAIR => return Err(rules::GENERATE_P1P2.refuse()),
            #[cfg(feature = "key-import")]
            instruction::IMPORT_ASYMMETRIC_KEY if profile.choices.key_import => {
                let reference =
                    KeyReference::from_byte(p2).filter(|reference| reference.is_for_key_management());
                let reference = reference.ok_or(rules::IMPORT_REFERENCE.refuse())?;
                Self::ImportAsymmetricKey(ImportAsymmetricKey { algorithm: p1, reference, data })
            }
            _ => return Err(rules::INSTRUCTION.refuse()),
        })
    }

    /// Whether the command is for the contacts only (SP 800-73-5 part 2, table 2).
    pub(crate) fn needs_contact(&self) -> bool {
        match self {
            Self::GetData(_)
            | Self::Verify(_)
            | Self::ChangeReferenceData(_)
            | Self::GeneralAuthenticate(_) => false,
            Self::ResetRetryCounter(_)
            | Self::ResetByAdministrator(_)
            | Self::PutData(_)
            | Self::GenerateAsymmetricKeyPair(_) => true,
            #[cfg(feature = "key-import")]
            Self::ImportAsymmetricKey(_) => true,
        }
    }
}

/// Whether a command may come in a chain (SP 800-73-5 part 2, table 2; VERIFY only with a finger).
pub(crate) fn may_be_chained(command: &apdu::Command<'_>, profile: &Profile) -> bool {
    match command.instruction {
        instruction::GENERAL_AUTHENTICATE
        | instruction::PUT_DATA
        | instruction::GENERATE_ASYMMETRIC_KEY_PAIR => true,
        instruction::IMPORT_ASYMMETRIC_KEY => profile.takes_keys(),
        instruction::VERIFY => Reference::from_byte(command.p2).is_some_and(Reference::is_finger),
        _ => false,
    }
}

/// Whether a command may come under secure messaging (SP 800-73-5 part 2, table 2). A session is not made inside
/// another.
pub(crate) fn may_be_protected(command: &apdu::Command<'_>) -> bool {
    match command.instruction {
        instruction::VERIFY | instruction::CHANGE_REFERENCE_DATA | instruction::GET_DATA => true,
        instruction::GENERAL_AUTHENTICATE => command.p2 != KeyReference::SecureMessaging.to_byte(),
        _ => false,
    }
}

/// Whether a PIN verified for the next command only stays good over this one. OpenSC reads the Discovery Object
/// between VERIFY and GENERAL AUTHENTICATE, so GET DATA does not count as the next command.
pub(crate) fn passes_on_proofs(instruction: u8) -> bool {
    instruction == instruction::GET_DATA
}
