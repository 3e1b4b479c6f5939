//! What the options that name profiles and algorithms take.

use std::path::Path;

use card_sim::{
    key::{AsymmetricAlgorithm, SymmetricAlgorithm},
    profile::{self, Profile},
    sm::CipherSuite,
};
use vreader::{
    issue::{Finger, VirtualContact},
    stock,
};

/// `--profile`
pub(super) fn parse_profile(text: &str) -> Result<&'static Profile, String> {
    if let Some(described) = stock::from_file(Path::new(text)) {
        return described;
    }
    Profile::find(text).ok_or_else(|| {
        let names: Vec<_> = profile::ALL.iter().map(|profile| profile.name).collect();
        format!("there is no such profile; there is {}", names.join(", "))
    })
}

/// `--algorithm`
pub(super) fn parse_algorithm(text: &str) -> Result<AsymmetricAlgorithm, String> {
    Ok(match text {
        "rsa2048" => AsymmetricAlgorithm::Rsa2048,
        "rsa3072" => AsymmetricAlgorithm::Rsa3072,
        "rsa4096" => AsymmetricAlgorithm::Rsa4096,
        "p256" => AsymmetricAlgorithm::EccP256,
        "p384" => AsymmetricAlgorithm::EccP384,
        _ => return Err("choose rsa2048, rsa3072, rsa4096, p256 or p384".into()),
    })
}

/// `--sm`
pub(super) fn parse_suite(text: &str) -> Result<CipherSuite, String> {
    match text {
        "cs2" => Ok(CipherSuite::Cs2),
        "cs7" => Ok(CipherSuite::Cs7),
        _ => Err("choose cs2 or cs7".into()),
    }
}

/// `--vci`
pub(super) fn parse_virtual_contact(text: &str) -> Result<VirtualContact, String> {
    match text {
        "pairing" => Ok(VirtualContact::Pairing),
        "open" => Ok(VirtualContact::Open),
        _ => Err("choose pairing or open".into()),
    }
}

/// `--finger`
pub(super) fn parse_finger(text: &str) -> Result<Finger, String> {
    let bytes =
        hex::decode(text).map_err(|error| format!("{error}; write the minutiae as pairs of 0-9 and A-F"))?;
    Ok(Finger::new(bytes))
}

/// Which PIN holders are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    Primary,
    Secondary,
}

/// `--global-pin`
pub(super) fn parse_rank(text: &str) -> Result<Rank, String> {
    match text {
        "primary" => Ok(Rank::Primary),
        "secondary" => Ok(Rank::Secondary),
        _ => Err("choose primary or secondary".into()),
    }
}

/// `--management-algorithm`
pub(super) fn parse_management_algorithm(text: &str) -> Result<SymmetricAlgorithm, String> {
    Ok(match text {
        "3des" => SymmetricAlgorithm::TripleDes,
        "aes128" => SymmetricAlgorithm::Aes128,
        "aes192" => SymmetricAlgorithm::Aes192,
        "aes256" => SymmetricAlgorithm::Aes256,
        _ => return Err("choose 3des, aes128, aes192 or aes256".into()),
    })
}
