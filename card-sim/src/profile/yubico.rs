//! YubiKeys: their card stocks, and what each version of their firmware can do.
//!
//! Follows Yubico's documentation of its PIV commands and the checks of its programs `ykman` and `yubico-piv-tool`.

mod rules;

use core::fmt;

use apdu::Status;

use super::{
    Antenna, Choices, EmptyContainer, MalformedReference, Profile, ReferenceFormat, Reselection, SelectAnswer,
};
use crate::{
    key::{AsymmetricAlgorithm, SymmetricAlgorithm, SymmetricKey},
    reference::LENGTH,
};
#[cfg(feature = "yubico")]
use crate::{
    key::{KeyReference, load_symmetric},
    store::{Store, StoreError},
};
#[cfg(feature = "yubico")]
use subtle::ConstantTimeEq;

/// The PIN of a YubiKey from the factory: `123456`.
pub const DEFAULT_PIN: [u8; LENGTH] = *b"123456\xFF\xFF";

/// The PUK of a YubiKey from the factory: `12345678`.
pub const DEFAULT_PUK: [u8; LENGTH] = *b"12345678";

/// The bytes of the card management key of a YubiKey from the factory.
pub const DEFAULT_MANAGEMENT_KEY: [u8; 24] =
    [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];

/// Yubico's dialect of PIV.
#[derive(Clone, Debug)]
pub struct Yubico {
    /// The version that GET VERSION answers: that of the PIV application, and since the YubiKey 4 of all firmware.
    pub version: Version,
    /// The version of all firmware.
    pub firmware: Version,
    /// What its reader is called: the key is one.
    pub reader: &'static str,
    /// Longest contents of a data object, in bytes.
    pub longest_object: usize,
    /// Bytes that all data objects together may take.
    pub object_memory: usize,
    /// It is of the FIPS series: no key is used without the PIN, and with PIN complexity a PIN has 8 characters.
    pub fips: bool,
    /// Trivial PINs and PUKs are refused.
    pub pin_complexity: bool,
    /// It is of the Bio series: its sensor knows its holder's finger.
    pub fingerprint: bool,
}

impl Yubico {
    /// A YubiKey 5 with this firmware.
    const fn five(version: Version) -> Self {
        Self {
            version,
            firmware: version,
            reader: "Yubico YubiKey OTP+FIDO+CCID",
            longest_object: 3052,
            object_memory: OBJECT_MEMORY,
            fips: false,
            pin_complexity: false,
            fingerprint: false,
        }
    }

    /// A YubiKey 4 with this firmware.
    const fn four(version: Version) -> Self {
        Self { reader: "Yubico Yubikey 4 OTP+U2F+CCID", longest_object: 3049, ..Self::five(version) }
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
    /// PIN and touch policies.
    Policies,
    /// The retired keys, 82 to 95.
    RetiredKeys,
    /// A wrong PIN is answered with `63CX`, and not with `630X`.
    TriesInNibble,
    /// The management application, which tells what the key is.
    Management,
    /// ATTEST.
    Attestation,
    /// Touch policies with a cache.
    CachedTouch,
    /// VERIFY without data is answered with `9000` when the PIN is verified.
    VerifyStatus,
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
    pub const ALL: [Self; 12] = [
        Self::Policies,
        Self::RetiredKeys,
        Self::TriesInNibble,
        Self::Management,
        Self::Attestation,
        Self::CachedTouch,
        Self::VerifyStatus,
        Self::SerialNumber,
        Self::Metadata,
        Self::AesManagementKey,
        Self::MoveKey,
        Self::AesDefault,
    ];

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Policies => "PIN and touch policies",
            Self::RetiredKeys => "retired keys",
            Self::TriesInNibble => "tries in 63CX",
            Self::Management => "management application",
            Self::Attestation => "attestation",
            Self::CachedTouch => "cached touch",
            Self::VerifyStatus => "9000 to VERIFY without data",
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
            Self::Policies | Self::RetiredKeys | Self::TriesInNibble => Version::new(4, 0, 0),
            Self::Management => Version::new(4, 1, 0),
            Self::Attestation | Self::CachedTouch => Version::new(4, 3, 0),
            Self::VerifyStatus => Version::new(4, 3, 2),
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

    /// Whether the card in this store still has it.
    #[cfg(feature = "yubico")]
    pub(crate) fn has_default_management_key(&self, store: &impl Store) -> Result<bool, StoreError> {
        let held = load_symmetric(store, KeyReference::CardManagement)?;
        Ok(match (held, self.default_management_key()) {
            (Some(held), Some(default)) => {
                held.algorithm() == default.algorithm()
                    && bool::from(ConstantTimeEq::ct_eq(held.material(), default.material()))
            }
            _ => false,
        })
    }

    /// What the attestations and the management application say of its form: a key for the USB-A socket.
    #[cfg(feature = "yubico")]
    pub(crate) const fn form_factor(&self) -> u8 {
        if self.fingerprint { 0x06 } else { 0x01 }
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
    administrator_unblock: false,
    key_import: false,
};

/// Through USB: 372/4, T=1, IFSC FE; historical bytes `YubikeyNEOr3`.
const ATR_NEO: &[u8] = &[
    0x3B, 0xFC, 0x13, 0x00, 0x00, 0x81, 0x31, 0xFE, 0x15, 0x59, 0x75, 0x62, 0x69, 0x6B, 0x65, 0x79, 0x4E,
    0x45, 0x4F, 0x72, 0x33, 0xE1,
];

/// Through the antenna: the same historical bytes.
const CONTACTLESS_ATR_NEO: &[u8] =
    &[0x3B, 0x8C, 0x80, 0x01, 0x59, 0x75, 0x62, 0x69, 0x6B, 0x65, 0x79, 0x4E, 0x45, 0x4F, 0x72, 0x33, 0x58];

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

/// `YubiKey` NEO of firmware 3.4.9, whose PIV application has a version of its own.
pub static YUBIKEY_NEO: Profile = Profile {
    contactless_atr: CONTACTLESS_ATR_NEO,
    ..stock(
        "yubikey-neo",
        "YubiKey NEO, firmware 3.4.9",
        ATR_NEO,
        &[AsymmetricAlgorithm::Rsa1024, AsymmetricAlgorithm::Rsa2048, AsymmetricAlgorithm::EccP256],
        &Yubico {
            firmware: Version::new(3, 4, 9),
            reader: "Yubico Yubikey NEO OTP+U2F+CCID",
            longest_object: 2025,
            ..Yubico::five(Version::new(1, 0, 4))
        },
    )
};

/// `YubiKey` 4 of firmware 4.3.5. It has no antenna; the answer to reset through one is that of a `YubiKey` 5.
pub static YUBIKEY_4: Profile =
    stock("yubikey4", "YubiKey 4, firmware 4.3.5", ATR_4, BEFORE_5_7, &Yubico::four(Version::new(4, 3, 5)));

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

/// `YubiKey` of the FIPS series, firmware 4.4.5.
pub static YUBIKEY_4_FIPS: Profile = stock(
    "yubikey4-fips",
    "YubiKey FIPS (4 series), firmware 4.4.5",
    ATR_4,
    &[AsymmetricAlgorithm::Rsa2048, AsymmetricAlgorithm::EccP256, AsymmetricAlgorithm::EccP384],
    &Yubico { fips: true, ..Yubico::four(Version::new(4, 4, 5)) },
);

/// `YubiKey` 5 of the FIPS series, firmware 5.7.4.
pub static YUBIKEY_5_FIPS: Profile = stock(
    "yubikey5-fips",
    "YubiKey 5 FIPS, firmware 5.7.4",
    ATR_5,
    &[
        AsymmetricAlgorithm::Rsa2048,
        AsymmetricAlgorithm::Rsa3072,
        AsymmetricAlgorithm::Rsa4096,
        AsymmetricAlgorithm::EccP256,
        AsymmetricAlgorithm::EccP384,
        // Not X25519, which its programs refuse too.
        AsymmetricAlgorithm::Ed25519,
    ],
    &Yubico { fips: true, pin_complexity: true, ..Yubico::five(Version::new(5, 7, 4)) },
);

/// `YubiKey` Bio, Multi-protocol Edition, of firmware 5.7.2. It has no antenna; the answer to reset through one is that of a
/// `YubiKey` 5.
pub static YUBIKEY_BIO: Profile = stock(
    "yubikey-bio",
    "YubiKey Bio (Multi-protocol Edition), firmware 5.7.2",
    ATR_5,
    &AsymmetricAlgorithm::ALL,
    &Yubico { reader: "Yubico YubiKey FIDO+CCID", fingerprint: true, ..Yubico::five(Version::new(5, 7, 2)) },
);
