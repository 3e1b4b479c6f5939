//! The applications of a YubiKey by which programs learn what it is: the management application and, on those without GET
//! SERIAL, so much of the OTP application as tells the serial number.
//!
//! Follows Yubico's documentation of READ CONFIG and of the OTP application's GET SERIAL NUMBER, and its program `ykman` for
//! the reset of a whole YubiKey Bio. Of what they can set, nothing is here; of the applications that a YubiKey has, this card
//! has PIV, and says so.

use apdu::tlv_ber::{Tag, Writer};
use heapless::Vec;

use crate::{
    piv::{self, Context},
    platform::Platform,
    profile::{
        Profile,
        yubico::{DEFAULT_PIN, DEFAULT_PUK, Feature, Version, Yubico},
    },
    reference::{self, Reference},
    refusal::{Refusal, rules},
    store::{Record, Store},
};

/// The management application.
const MANAGEMENT: [u8; 8] = [0xA0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17];

/// The OTP application; programs leave out its last byte.
const OTP: [u8; 8] = [0xA0, 0x00, 0x00, 0x05, 0x27, 0x20, 0x01, 0x01];

/// What the management application calls itself, before its version.
const NAME: &[u8] = b"Virtual mgr - FW version ";

/// Instruction bytes, each of one application.
mod instruction {
    pub(super) const READ_CONFIG: u8 = 0x1D;
    pub(super) const DEVICE_RESET: u8 = 0x1F;
    pub(super) const OTP: u8 = 0x01;
}

/// P1 of the OTP application's one instruction: the serial number is wanted.
const SERIAL_NUMBER: u8 = 0x10;

/// Tags in the answer to READ CONFIG.
mod tag {
    use super::Tag;

    pub(super) const USB_SUPPORTED: Tag = Tag::new(0x01);
    pub(super) const SERIAL_NUMBER: Tag = Tag::new(0x02);
    pub(super) const USB_ENABLED: Tag = Tag::new(0x03);
    pub(super) const FORM_FACTOR: Tag = Tag::new(0x04);
    pub(super) const VERSION: Tag = Tag::new(0x05);
    pub(super) const CONFIGURATION_LOCK: Tag = Tag::new(0x0A);
    pub(super) const NFC_SUPPORTED: Tag = Tag::new(0x0D);
    pub(super) const NFC_ENABLED: Tag = Tag::new(0x0E);
    pub(super) const FIPS_CAPABLE: Tag = Tag::new(0x14);
    pub(super) const FIPS_APPROVED: Tag = Tag::new(0x15);
    pub(super) const PIN_COMPLEXITY: Tag = Tag::new(0x16);
}

/// The bit of the PIV application among those that a YubiKey can have.
const PIV: u8 = 0x10;

/// Its bit where the FIPS series is concerned.
const PIV_OF_FIPS: u8 = 0x02;

/// What the form factor of a key of that series has besides.
const FIPS_SERIES: u8 = 0x80;

/// An application beside PIV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applet {
    Management,
    Otp,
}

impl Applet {
    /// The application with this name, if cards of this stock have it.
    pub(crate) fn by_name(profile: &Profile, name: &[u8]) -> Option<Self> {
        let yubico = profile.yubico?;
        if name == MANAGEMENT && yubico.has(Feature::Management) {
            return Some(Self::Management);
        }
        let otp = OTP.starts_with(name) && name.len() >= OTP.len().saturating_sub(1);
        (otp && !yubico.has(Feature::SerialNumber)).then_some(Self::Otp)
    }

    /// What SELECT answers.
    pub(crate) fn select<P: Platform>(self, context: &mut Context<'_, P>) -> Result<(), Refusal> {
        let Version { major, minor, patch } = yubico(context.profile)?.firmware;
        match self {
            Self::Management => {
                context.response.extend_from_slice(NAME)?;
                for (number, end) in [(major, &b"."[..]), (minor, b"."), (patch, b"")] {
                    append_decimal(number, context)?;
                    context.response.extend_from_slice(end)?;
                }
            }
            // The version, and a configuration in which nothing is set.
            Self::Otp => context.response.extend_from_slice(&[major, minor, patch, 0, 0, 0, 0])?,
        }
        Ok(())
    }

    /// Runs a command.
    pub(crate) fn run<P: Platform>(
        self,
        context: &mut Context<'_, P>,
        command: &apdu::Command<'_>,
    ) -> Result<(), Refusal> {
        match (self, command.instruction, command.p1, command.p2) {
            (Self::Management, instruction::READ_CONFIG, 0x00, 0x00) => read_config(context),
            (Self::Management, instruction::DEVICE_RESET, 0x00, 0x00)
                if yubico(context.profile)?.fingerprint =>
            {
                piv::to_factory(context, yubico(context.profile)?)
            }
            (Self::Otp, instruction::OTP, SERIAL_NUMBER, 0x00) => {
                let found = context.platform.store.read(Record::SerialNumber, context.response)?;
                if found { Ok(()) } else { Err(rules::NO_KEY.refuse()) }
            }
            (Self::Management, instruction::READ_CONFIG, ..) | (Self::Otp, instruction::OTP, ..) => {
                Err(rules::YUBICO_P1P2.refuse())
            }
            _ => Err(rules::INSTRUCTION.refuse()),
        }
    }
}

/// The card has these applications because its stock has this.
fn yubico(profile: &Profile) -> Result<&'static Yubico, Refusal> {
    profile.yubico.ok_or(rules::INSTRUCTION.refuse())
}

/// A number as it is written: without zeros before it.
fn append_decimal<P: Platform>(number: u8, context: &mut Context<'_, P>) -> Result<(), Refusal> {
    let digits = [number / 100, number / 10 % 10, number % 10].map(|digit| digit.saturating_add(b'0'));
    let zeros = digits.iter().take(2).take_while(|digit| **digit == b'0').count();
    Ok(context.response.extend_from_slice(digits.get(zeros..).unwrap_or_default())?)
}

/// READ CONFIG: one byte of length, then what the key is.
fn read_config<P: Platform>(context: &mut Context<'_, P>) -> Result<(), Refusal> {
    let yubico = yubico(context.profile)?;
    let approved = yubico.fips && is_approved(&context.platform.store, yubico)?;
    let mut serial_number = Vec::<u8, 4>::new();
    context.platform.store.read(Record::SerialNumber, &mut serial_number)?;
    let mut buffer = [0; 64];
    let mut writer = Writer::new(&mut buffer);
    write_config(&mut writer, yubico, &serial_number, approved).map_err(|_| rules::MEMORY_FULL.refuse())?;
    let config = writer.finish();
    let length = u8::try_from(config.len()).map_err(|_| rules::MEMORY_FULL.refuse())?;
    context.response.extend_from_slice(&[length])?;
    Ok(context.response.extend_from_slice(config)?)
}

/// Whether nothing that protects the keys is the factory's any more: FIPS 140-3 mode of operation.
fn is_approved(store: &impl Store, yubico: &Yubico) -> Result<bool, Refusal> {
    let default_pin = reference::is(store, Reference::PivPin, &DEFAULT_PIN)?;
    let default_puk = reference::is(store, Reference::Puk, &DEFAULT_PUK)?;
    Ok(!default_pin && !default_puk && !yubico.has_default_management_key(store)?)
}

fn write_config(
    writer: &mut Writer<'_>,
    yubico: &Yubico,
    serial_number: &[u8],
    approved: bool,
) -> Result<(), apdu::Full> {
    let version = yubico.firmware;
    writer.tlv(tag::USB_SUPPORTED, &[0x00, PIV])?;
    if !serial_number.is_empty() {
        writer.tlv(tag::SERIAL_NUMBER, serial_number)?;
    }
    if version < Version::new(5, 0, 0) {
        return Ok(());
    }
    writer.tlv(tag::USB_ENABLED, &[0x00, PIV])?;
    let series = if yubico.fips { FIPS_SERIES } else { 0x00 };
    writer.tlv(tag::FORM_FACTOR, &[yubico.form_factor() | series])?;
    writer.tlv(tag::VERSION, &[version.major, version.minor, version.patch])?;
    writer.tlv(tag::CONFIGURATION_LOCK, &[0x00])?;
    if !yubico.fingerprint {
        writer.tlv(tag::NFC_SUPPORTED, &[0x00, PIV])?;
        writer.tlv(tag::NFC_ENABLED, &[0x00, PIV])?;
    }
    if yubico.fips && version >= Version::new(5, 7, 0) {
        writer.tlv(tag::FIPS_CAPABLE, &[PIV_OF_FIPS])?;
        writer.tlv(tag::FIPS_APPROVED, &[if approved { PIV_OF_FIPS } else { 0x00 }])?;
    }
    if yubico.pin_complexity {
        writer.tlv(tag::PIN_COMPLEXITY, &[0x01])?;
    }
    Ok(())
}
