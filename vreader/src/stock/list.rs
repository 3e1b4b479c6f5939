//! What the built-in stocks are and can do, for people who choose one.

use card_sim::{
    key::SymmetricAlgorithm,
    profile::{
        self, Profile,
        yubico::{Feature, Yubico},
    },
};
use serde::Serialize;

use crate::{
    issue::algorithm_name,
    reader::{Protocol, atr},
};

/// One stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// One line about it.
    pub description: &'static str,
    /// Its applications: PIV, CAC, Yubico's commands.
    pub faces: Vec<&'static str>,
    /// Protocols through the contacts.
    pub protocols: Vec<&'static str>,
    /// Algorithms of the keys that the card makes.
    pub algorithms: Vec<&'static str>,
    /// What else it can do.
    pub features: Vec<&'static str>,
    /// Firmware version of a YubiKey.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Algorithm of the card management key of a new card.
    pub management_key: &'static str,
    /// Tries of PIN and PUK of a new card.
    pub tries: u8,
    /// Answer to reset through the contacts, in hex.
    pub atr: String,
    /// Answer to reset through the antenna, in hex.
    pub contactless_atr: String,
    /// The page that says where it differs from the real card.
    pub page: &'static str,
}

/// Every built-in stock.
pub fn list() -> Vec<Entry> {
    profile::ALL.iter().map(|profile| entry(profile)).collect()
}

fn entry(profile: &Profile) -> Entry {
    let protocols = atr::protocols(profile.atr);
    let protocols = [(Protocol::T0, "T=0"), (Protocol::T1, "T=1")]
        .map(|(protocol, name)| protocols.contains(protocol).then_some(name));
    let (faces, page) = match (profile.yubico, profile.cac) {
        (Some(_), _) => (vec!["PIV", "Yubico's commands"], "docs/yubikeys.md"),
        (None, Some(_)) if profile.has_piv() => (vec!["PIV", "CAC"], "docs/common-access-cards.md"),
        (None, Some(_)) => (vec!["CAC"], "docs/common-access-cards.md"),
        (None, None) => (vec!["PIV"], "docs/piv-cards.md"),
    };
    let management = profile.yubico.map_or(SymmetricAlgorithm::Aes192, Yubico::default_management_algorithm);
    Entry {
        name: profile.name,
        description: profile.description,
        faces,
        protocols: protocols.into_iter().flatten().collect(),
        algorithms: profile.algorithms.iter().map(|algorithm| algorithm_name(*algorithm)).collect(),
        features: features(profile),
        firmware: profile.yubico.map(|yubico| yubico.version.to_string()),
        management_key: symmetric_name(management),
        tries: profile.default_tries,
        atr: hex::encode_upper(profile.atr),
        contactless_atr: hex::encode_upper(profile.contactless_atr),
        page,
    }
}

/// What the stock can do beside the commands of its faces.
fn features(profile: &Profile) -> Vec<&'static str> {
    match profile.yubico {
        Some(yubico) => {
            Feature::ALL.into_iter().filter(|feature| yubico.has(*feature)).map(Feature::name).collect()
        }
        None if profile.has_piv() => {
            vec!["secure messaging", "virtual contact interface", "Global PIN", "on-card comparison"]
        }
        None => Vec::new(),
    }
}

/// The usual name of an algorithm of card management keys.
pub fn symmetric_name(algorithm: SymmetricAlgorithm) -> &'static str {
    match algorithm {
        SymmetricAlgorithm::TripleDes => "3DES",
        SymmetricAlgorithm::Aes128 => "AES-128",
        SymmetricAlgorithm::Aes192 => "AES-192",
        SymmetricAlgorithm::Aes256 => "AES-256",
    }
}
