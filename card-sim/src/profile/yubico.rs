//! YubiKeys: their card stocks, and what each version of their firmware can do.
//!
//! Follows Yubico's documentation of its PIV commands and the checks of its programs `ykman` and `yubico-piv-tool`.

use core::fmt;

use apdu::Status;

use super::{
    Antenna, Choices, EmptyContainer, MalformedReference, Profile, ReferenceFormat, Reselection, SelectAnswer,
};
use crate::{
    key::{AsymmetricAlgorithm, SymmetricAlgorithm, SymmetricKey},
    reference::LENGTH,
};

/// The PIN of a YubiKey from the factory: `123456`.
pub const DEFAULT_PIN: [u8; LENGTH] = *b"123456\xFF\xFF";

/// The PUK of a YubiKey from the factory: `12345678`.
pub const DEFAULT_PUK: [u8; LENGTH] = *b"12345678";

/// The bytes of the card management key of a YubiKey from the factory.
pub const DEFAULT_MANAGEMENT_KEY: [u8; 24] =
    [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];

/// What the attestations and the management application say of a key's form: a key for the USB-A socket.
#[cfg(feature = "yubico")]
pub(crate) const FORM_FACTOR: u8 = 0x01;

/// Yubico's dialect of PIV.
#[derive(Clone, Debug)]
pub struct Yubico {
    /// The firmware's version, which GET VERSION answers.
    pub version: Version,
    /// Longest contents of a data object, in bytes.
    pub longest_object: usize,
    /// Bytes that all data objects together may take.
    pub object_memory: usize,
}

impl Yubico {
    /// A YubiKey 5 with this firmware.
    const fn five(version: Version) -> Self {
        Self { version, longest_object: 3052, object_memory: OBJECT_MEMORY }
    }
}

/// About 51 kilobytes.
const OBJECT_MEMORY: usize = 51_200;

/// A version of the firmware; an earlier one is the smaller one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u8,
    /// The second.
    pub minor: u8,
    /// The third.
    pub patch: u8,
}

impl Version {
    /// The version with these numbers.
    pub const fn new(major: u8, minor: u8, patch: u8) -> Self {
        Self { major, minor, patch }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, patch } = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// What came with a version of the firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// The management application, which tells what the key is.
    Management,
    /// ATTEST.
    Attestation,
    /// GET SERIAL.
    SerialNumber,
    /// GET METADATA.
    Metadata,
    /// Card management keys of AES.
    AesManagementKey,
    /// MOVE KEY and DELETE KEY.
    MoveKey,
    /// A card management key of AES-192 from the factory.
    AesDefault,
}

impl Feature {
    /// Every one, in the order of their appearance.
    pub const ALL: [Self; 7] = [
        Self::Management,
        Self::Attestation,
        Self::SerialNumber,
        Self::Metadata,
        Self::AesManagementKey,
        Self::MoveKey,
        Self::AesDefault,
    ];

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Management => "management application",
            Self::Attestation => "attestation",
            Self::SerialNumber => "serial number",
            Self::Metadata => "metadata",
            Self::AesManagementKey => "AES management keys",
            Self::MoveKey => "moving and deleting keys",
            Self::AesDefault => "AES-192 from the factory",
        }
    }

    /// The first version that has it.
    pub const fn since(self) -> Version {
        match self {
            Self::Management => Version::new(4, 1, 0),
            Self::Attestation => Version::new(4, 3, 0),
            Self::SerialNumber => Version::new(5, 0, 3),
            Self::Metadata => Version::new(5, 3, 0),
            Self::AesManagementKey => Version::new(5, 4, 2),
            Self::MoveKey | Self::AesDefault => Version::new(5, 7, 0),
        }
    }
}

impl Yubico {
    /// Whether the firmware has it.
    pub fn has(&self, feature: Feature) -> bool {
        self.version >= feature.since()
    }

    /// The card management key from the factory. There always is one.
    pub fn default_management_key(&self) -> Option<SymmetricKey> {
        SymmetricKey::new(self.default_management_algorithm(), &DEFAULT_MANAGEMENT_KEY)
    }

    /// Its algorithm; a key of either has 24 bytes.
    pub fn default_management_algorithm(&self) -> SymmetricAlgorithm {
        let aes = self.has(Feature::AesDefault);
        if aes { SymmetricAlgorithm::Aes192 } else { SymmetricAlgorithm::TripleDes }
    }
}

/// What YubiKeys make of the standard's choices.
const CHOICES: Choices = Choices {
    empty_container: EmptyContainer::NotFound,
    malformed_reference: MalformedReference::SpendsTry,
    blocked_status: Status::AuthenticationMethodBlocked,
    empty_slot: Status::IncorrectData,
    // `ykman` takes it for "not this key", and gives up on others.
    other_algorithm: Status::IncorrectData,
    wrong_administrator_proof: Status::SecurityStatusNotSatisfied,
    select_answer: SelectAnswer::Short,
    reselection: Reselection::Clears,
    reference_format: ReferenceFormat::AnyBytes,
    antenna: Antenna::LikeContacts,
};

/// Through USB: 372/4, T=1, IFSC FE; historical bytes `Yubikey4`.
const ATR_4: &[u8] = &[
    0x3B, 0xF8, 0x13, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x15, 0x59, 0x75, 0x62, 0x69, 0x6B, 0x65, 0x79, 0x34,
    0xD4,
];

/// Through USB: 372/4, T=1, IFSC FE; historical bytes 80, 73 C0 21 C0, 57 `YubiKey`.
const ATR_5: &[u8] = &[
    0x3B, 0xFD, 0x13, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x15, 0x80, 0x73, 0xC0, 0x21, 0xC0, 0x57, 0x59, 0x75,
    0x62, 0x69, 0x4B, 0x65, 0x79, 0x40,
];

/// Through the antenna: the same historical bytes.
const CONTACTLESS_ATR_5: &[u8] = &[
    0x3B, 0x8D, 0x80, 0x01, 0x80, 0x73, 0xC0, 0x21, 0xC0, 0x57, 0x59, 0x75, 0x62, 0x69, 0x4B, 0x65, 0x79,
    0xF9,
];

const BEFORE_5_7: &[AsymmetricAlgorithm] = &[
    AsymmetricAlgorithm::Rsa1024,
    AsymmetricAlgorithm::Rsa2048,
    AsymmetricAlgorithm::EccP256,
    AsymmetricAlgorithm::EccP384,
];

const fn stock(
    name: &'static str,
    description: &'static str,
    atr: &'static [u8],
    algorithms: &'static [AsymmetricAlgorithm],
    yubico: &'static Yubico,
) -> Profile {
    Profile {
        name,
        description,
        atr,
        contactless_atr: CONTACTLESS_ATR_5,
        label: "",
        stated_lengths: None,
        algorithms,
        default_tries: 3,
        tries_kept_for_contact: 0,
        choices: CHOICES,
        yubico: Some(yubico),
        #[cfg(feature = "cac")]
        cac: None,
    }
}

/// `YubiKey` 4 of firmware 4.3.5. It has no antenna; the answer to reset through one is that of a `YubiKey` 5.
pub static YUBIKEY_4: Profile = stock(
    "yubikey4",
    "YubiKey 4, firmware 4.3.5",
    ATR_4,
    BEFORE_5_7,
    &Yubico { version: Version::new(4, 3, 5), longest_object: 3049, object_memory: OBJECT_MEMORY },
);

/// `YubiKey` 5 of firmware 5.2.4: without GET METADATA.
pub static YUBIKEY_5_2: Profile =
    stock("yubikey5-2", "YubiKey 5, firmware 5.2.4", ATR_5, BEFORE_5_7, &Yubico::five(Version::new(5, 2, 4)));

/// `YubiKey` 5 of firmware 5.4.3.
pub static YUBIKEY_5_4: Profile =
    stock("yubikey5-4", "YubiKey 5, firmware 5.4.3", ATR_5, BEFORE_5_7, &Yubico::five(Version::new(5, 4, 3)));

/// `YubiKey` 5 of firmware 5.7.1.
pub static YUBIKEY_5: Profile = stock(
    "yubikey5",
    "YubiKey 5, firmware 5.7.1",
    ATR_5,
    &AsymmetricAlgorithm::ALL,
    &Yubico::five(Version::new(5, 7, 1)),
);
