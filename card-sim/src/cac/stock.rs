//! Stocks of Common Access Cards, as data: the profiles of cards with this face.

use apdu::Status;

use crate::{
    key::AsymmetricAlgorithm,
    profile::{
        Antenna, Choices, EmptyContainer, MalformedReference, Profile, ReferenceFormat, Reselection,
        SelectAnswer,
    },
};

/// What a stock with this face is like.
#[derive(Debug)]
pub struct Stock {
    /// It has the PIV application too.
    pub piv: bool,
    /// Which applets it has.
    pub applets: Applets,
    /// How GET PROPERTIES describes objects without a key.
    pub properties: PropertiesEntry,
}

/// Which applets a stock has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applets {
    /// All of a Common Access Card.
    All,
    /// Those of an alternate token, with which people sign in who have two roles: PKI applets, and the access control applet under
    /// another name. There is no capability container, and nothing personal.
    Alternate,
}

/// How GET PROPERTIES describes objects without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertiesEntry {
    /// In 17 bytes, the last four of them zero: the only form in which OpenSC reads such objects.
    Padded,
    /// In 11 bytes, as on the cards whose answers are public.
    Short,
}

/// Both faces; the default of what is open.
static DUAL: Stock = Stock { piv: true, applets: Applets::All, properties: PropertiesEntry::Padded };

/// The older face alone, with the answers of public dumps: OpenSC does not read its Person Instance.
static CAC_ONLY: Stock = Stock { piv: false, applets: Applets::All, properties: PropertiesEntry::Short };

/// Certificates and keys of the older face, and nothing else.
static ALTERNATE: Stock =
    Stock { piv: false, applets: Applets::Alternate, properties: PropertiesEntry::Padded };

/// What these stocks make of the choices that SP 800-73 leaves.
const CHOICES: Choices = Choices {
    empty_container: EmptyContainer::NotFound,
    malformed_reference: MalformedReference::Refused,
    blocked_status: Status::AuthenticationMethodBlocked,
    empty_slot: Status::ReferenceNotFound,
    other_algorithm: Status::IncorrectP1P2,
    wrong_administrator_proof: Status::SecurityStatusNotSatisfied,
    select_answer: SelectAnswer::Full,
    reselection: Reselection::Keeps,
    reference_format: ReferenceFormat::Digits,
    antenna: Antenna::Restricted,
    administrator_unblock: true,
    key_import: true,
};

/// What a reader makes up for a card without historical bytes of its own at the antenna.
const CONTACTLESS_ATR: &[u8] = &[0x3B, 0x80, 0x80, 0x01, 0x01];

/// A stock with the algorithms of a CAC.
const fn stock(
    name: &'static str,
    description: &'static str,
    atr: &'static [u8],
    cac: &'static Stock,
) -> Profile {
    Profile {
        name,
        description,
        atr,
        contactless_atr: CONTACTLESS_ATR,
        label: "PIV",
        stated_lengths: None,
        algorithms: &AsymmetricAlgorithm::OF_PIV,
        default_tries: 3,
        tries_kept_for_contact: 1,
        choices: CHOICES,
        yubico: None,
        cac: Some(cac),
    }
}

/// Gemalto's card of about 2010.
static GEMALTO_GX4_144: Profile = stock(
    "cac-gemalto-gx4-144",
    "Common Access Card: Gemalto TOP DL GX4 144K, CAC applets and PIV",
    // T=0; historical bytes 80 31 80 65 B0 83 11 17 D6 83 00 90 00.
    &[
        0x3B, 0x7D, 0x96, 0x00, 0x00, 0x80, 0x31, 0x80, 0x65, 0xB0, 0x83, 0x11, 0x17, 0xD6, 0x83, 0x00, 0x90,
        0x00,
    ],
    &DUAL,
);

/// Oberthur's card of about 2012.
static OBERTHUR_V55: Profile = stock(
    "cac-oberthur-v55",
    "Common Access Card: Oberthur ID One 128 v5.5 Dual, CAC applets and PIV",
    // T=0; historical bytes 00 31 C0 64 B0 F3 10 00 07 90 00.
    &[
        0x3B, 0xDB, 0x96, 0x00, 0x80, 0x1F, 0x03, 0x00, 0x31, 0xC0, 0x64, 0xB0, 0xF3, 0x10, 0x00, 0x07, 0x90,
        0x00, 0x80,
    ],
    &DUAL,
);

/// Gemalto's card of about 2020.
static GEMALTO_V21: Profile = stock(
    "cac-gemalto-v21",
    "Common Access Card: Gemalto TOP DL V2.1 144K, CAC applets and PIV",
    // T=0.
    &[
        0x3B, 0x7D, 0x96, 0x00, 0x00, 0x80, 0x31, 0x80, 0x65, 0xB0, 0x75, 0x49, 0x17, 0x0F, 0x83, 0x00, 0x90,
        0x00,
    ],
    &DUAL,
);

/// An older card of Gemalto's.
static GEMALTO_GCX4_72: Profile = stock(
    "cac-gemalto-gcx4-72",
    "Common Access Card: Gemalto GCX4 72K DI, CAC applets and PIV",
    // T=0.
    &[
        0x3B, 0x7D, 0x96, 0x00, 0x00, 0x80, 0x31, 0x80, 0x65, 0xB0, 0x83, 0x11, 0x13, 0xAC, 0x83, 0x00, 0x90,
        0x00,
    ],
    &DUAL,
);

/// An older card of Oberthur's.
static OBERTHUR_V52: Profile = stock(
    "cac-oberthur-v52",
    "Common Access Card: Oberthur Cosmo v5.2D, CAC applets and PIV",
    // T=0.
    &[
        0x3B, 0xDB, 0x96, 0x00, 0x80, 0x1F, 0x03, 0x00, 0x31, 0xC0, 0x64, 0x77, 0xE3, 0x03, 0x00, 0x82, 0x90,
        0x00, 0xC1,
    ],
    &DUAL,
);

/// Giesecke & Devrient's card of about 2019.
static GD_SCE7: Profile = stock(
    "cac-gd-sce7",
    "Common Access Card: Giesecke & Devrient SCE7, CAC applets and PIV",
    // T=0.
    &[0x3B, 0xF9, 0x18, 0x00, 0x00, 0x00, 0x53, 0x43, 0x45, 0x37, 0x20, 0x03, 0x00, 0x20, 0x46],
    &DUAL,
);

/// IDEMIA's card.
static IDEMIA_V8: Profile = stock(
    "cac-idemia-v8",
    "Common Access Card: IDEMIA Cosmo v8, CAC applets and PIV",
    // T=0.
    &[0x3B, 0xD8, 0x18, 0x00, 0x80, 0x1F, 0x07, 0x80, 0x31, 0xC1, 0x64, 0x08, 0x06, 0x92, 0x0F, 0xDF],
    &DUAL,
);

/// A card from before PIV.
static CAC: Profile = stock(
    "cac-only",
    "Common Access Card without the PIV application, on a Giesecke & Devrient card",
    // T=0; historical bytes "sfte cd144".
    &[0x3B, 0x7A, 0x18, 0x00, 0x00, 0x73, 0x66, 0x74, 0x65, 0x20, 0x63, 0x64, 0x31, 0x34, 0x34],
    &CAC_ONLY,
);

/// Giesecke & Devrient's alternate token of about 2025.
static TOKEN_GD_SCE7: Profile = stock(
    "cac-token-gd-sce7",
    "Alternate token of the DoD: Giesecke & Devrient SCE7 v7 144K, CAC certificates only",
    // T=0 and T=1.
    &[
        0x3B, 0xF9, 0x96, 0x00, 0x00, 0x80, 0x31, 0xFE, 0x45, 0x53, 0x43, 0x45, 0x37, 0x20, 0x0F, 0x00, 0x20,
        0x46, 0x4E,
    ],
    &ALTERNATE,
);

/// IDEMIA's alternate token of about 2025.
static TOKEN_IDEMIA_V8: Profile = stock(
    "cac-token-idemia-v8",
    "Alternate token of the DoD: IDEMIA Cosmo V8.0, CAC certificates only",
    // T=0 and T=1.
    &[
        0x3B, 0xD8, 0x18, 0x00, 0x80, 0xB1, 0xFE, 0x45, 0x1F, 0x07, 0x80, 0x31, 0xC1, 0x64, 0x08, 0x06, 0x92,
        0x0F, 0xD5,
    ],
    &ALTERNATE,
);

/// Every profile with this face.
pub const PROFILES: [&Profile; 10] = [
    &GEMALTO_GX4_144,
    &OBERTHUR_V55,
    &GEMALTO_V21,
    &GEMALTO_GCX4_72,
    &OBERTHUR_V52,
    &GD_SCE7,
    &IDEMIA_V8,
    &CAC,
    &TOKEN_GD_SCE7,
    &TOKEN_IDEMIA_V8,
];
