//! The commands that Yubico added to PIV: one file a command.
//!
//! Follows Yubico's documentation of its PIV commands. Which of them a card has, its firmware's version decides; the others
//! are unknown instructions, as on a genuine `YubiKey`. Each change is one transaction.

mod attest;
mod fingerprint;
mod get_metadata;
mod get_serial;
mod get_version;
mod move_key;
pub(super) mod object;
mod reset;
mod set_management_key;
mod set_pin_retries;

pub(crate) use reset::to_factory;

pub(super) use fingerprint::{pin_was_right, pin_was_wrong};

use super::{Context, command::ImportAsymmetricKey, import_asymmetric_key};
use crate::{
    key::{KeyReference, policy::TouchPolicy},
    platform::Platform,
    profile::yubico::{Feature, Yubico},
    refusal::{Refusal, rules},
};

/// Instruction bytes.
mod instruction {
    pub(super) const MOVE_KEY: u8 = 0xF6;
    pub(super) const GET_METADATA: u8 = 0xF7;
    pub(super) const GET_SERIAL: u8 = 0xF8;
    pub(super) const ATTEST: u8 = 0xF9;
    pub(super) const SET_PIN_RETRIES: u8 = 0xFA;
    pub(super) const RESET: u8 = 0xFB;
    pub(super) const GET_VERSION: u8 = 0xFD;
    pub(super) use super::super::command::instruction::{IMPORT_ASYMMETRIC_KEY, VERIFY};
    pub(super) const SET_MANAGEMENT_KEY: u8 = 0xFF;
}

/// A command of Yubico's.
#[derive(Clone, Copy)]
pub(crate) enum Command<'a> {
    /// To another reference, or away.
    MoveKey {
        from: KeyReference,
        to: Option<KeyReference>,
    },
    /// Of a key, a PIN or a PUK.
    GetMetadata {
        reference: u8,
    },
    GetSerial,
    Attest {
        reference: KeyReference,
    },
    SetPinRetries {
        pin: u8,
        puk: u8,
    },
    Reset,
    GetVersion,
    ImportAsymmetricKey(ImportAsymmetricKey<'a>),
    /// The data field: what is presented.
    VerifyFingerprint {
        data: &'a [u8],
    },
    /// The data field: algorithm, `9B`, length, key.
    SetManagementKey {
        touch: TouchPolicy,
        data: &'a [u8],
    },
}

impl<'a> Command<'a> {
    /// The command, if it is one of these and the firmware has it.
    pub(super) fn parse(command: &apdu::Command<'a>, yubico: &Yubico) -> Result<Option<Self>, Refusal> {
        let apdu::Command { instruction, p1, p2, data, .. } = *command;
        let wrong = rules::YUBICO_P1P2.refuse();
        Ok(Some(match (instruction, p1, p2) {
            (instruction::MOVE_KEY, to, from) if yubico.has(Feature::MoveKey) => Self::MoveKey {
                from: holders_key(yubico, from).ok_or(wrong)?,
                to: if to == 0xFF { None } else { Some(holders_key(yubico, to).ok_or(wrong)?) },
            },
            (instruction::GET_METADATA, 0x00, reference) if yubico.has(Feature::Metadata) => {
                Self::GetMetadata { reference }
            }
            (instruction::GET_METADATA, ..) if yubico.has(Feature::Metadata) => return Err(wrong),
            (instruction::GET_SERIAL, 0x00, 0x00) if yubico.has(Feature::SerialNumber) => Self::GetSerial,
            (instruction::GET_SERIAL, ..) if yubico.has(Feature::SerialNumber) => return Err(wrong),
            (instruction::ATTEST, reference, 0x00) if yubico.has(Feature::Attestation) => {
                Self::Attest { reference: holders_key(yubico, reference).ok_or(wrong)? }
            }
            (instruction::ATTEST, ..) if yubico.has(Feature::Attestation) => return Err(wrong),
            (instruction::SET_PIN_RETRIES, 1.., 1..) => Self::SetPinRetries { pin: p1, puk: p2 },
            (instruction::RESET, 0x00, 0x00) => Self::Reset,
            (instruction::GET_VERSION, 0x00, 0x00) => Self::GetVersion,
            (instruction::IMPORT_ASYMMETRIC_KEY, algorithm, reference) => {
                let reference = holders_key(yubico, reference).ok_or(wrong)?;
                Self::ImportAsymmetricKey(ImportAsymmetricKey { algorithm, reference, data })
            }
            (instruction::VERIFY, 0x00, fingerprint::KEY_REFERENCE) if yubico.fingerprint => {
                Self::VerifyFingerprint { data }
            }
            (instruction::SET_MANAGEMENT_KEY, 0xFF, touch) => {
                let touch = match touch {
                    0xFF => TouchPolicy::Never,
                    0xFE => TouchPolicy::Always,
                    0xFD => TouchPolicy::Cached,
                    _ => return Err(wrong),
                };
                Self::SetManagementKey { touch, data }
            }
            (
                instruction::SET_PIN_RETRIES
                | instruction::RESET
                | instruction::GET_VERSION
                | instruction::SET_MANAGEMENT_KEY,
                ..,
            ) => return Err(wrong),
            _ => return Ok(None),
        }))
    }
}

/// A key that the holder can have made, imported and moved.
fn holders_key(yubico: &Yubico, byte: u8) -> Option<KeyReference> {
    KeyReference::from_byte(byte).filter(|reference| {
        KeyReference::ASYMMETRIC.contains(reference)
            || (yubico.has(Feature::RetiredKeys) && matches!(reference, KeyReference::Retired(_)))
    })
}

/// Runs one of Yubico's commands.
pub(super) fn run<P: Platform>(
    context: &mut Context<'_, P>,
    yubico: &Yubico,
    command: &Command<'_>,
) -> Result<(), Refusal> {
    match *command {
        Command::MoveKey { from, to } => move_key::run(context, from, to),
        Command::GetMetadata { reference } => get_metadata::run(context, yubico, reference),
        Command::GetSerial => get_serial::run(context),
        Command::Attest { reference } => attest::run(context, yubico, reference),
        Command::SetPinRetries { pin, puk } => set_pin_retries::run(context, pin, puk),
        Command::Reset => reset::run(context, yubico),
        Command::GetVersion => get_version::run(context, yubico),
        Command::ImportAsymmetricKey(ref import) => import_asymmetric_key::import(context, import),
        Command::VerifyFingerprint { data } => fingerprint::verify(context, data),
        Command::SetManagementKey { touch, data } => set_management_key::run(context, yubico, touch, data),
    }
}
