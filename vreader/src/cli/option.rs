//! What the options that name profiles and algorithms take.

use card_sim::{
    key::{AsymmetricAlgorithm, SymmetricAlgorithm},
    profile::{self, Profile},
};

/// `--profile`
pub(super) fn parse_profile(text: &str) -> Result<&'static Profile, String> {
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
