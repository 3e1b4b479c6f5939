//! What `--card` takes: a card file, or the name of a profile for a new card in memory.

use std::path::PathBuf;

use card_sim::{
    key::{AsymmetricAlgorithm, SymmetricAlgorithm},
    profile::{self, Profile},
};
use vreader::{
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    issue::{Request, issue},
};

use super::Failure;

/// A card file or a profile.
#[derive(Clone)]
pub(super) enum CardSource {
    File(PathBuf),
    Profile(&'static Profile),
}

impl CardSource {
    /// The name of a profile, otherwise a file. A file with the name of a profile is `./piv`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("name a card file or a profile".into()) } else { Ok(Self::named(text)) }
    }

    /// The same for a name that is known not to be empty.
    pub(super) fn named(text: &str) -> Self {
        Profile::find(text).map_or_else(|| Self::File(text.into()), Self::Profile)
    }

    /// The card, without power.
    pub(super) fn open(&self, seed: Option<u64>) -> Result<EmulatedCard, Failure> {
        let mut card = match self {
            Self::File(path) => EmulatedCard::open(path)?,
            Self::Profile(profile) => {
                let request = Request { seed, ..Request::default() };
                let issued = issue(&request, &mut DefaultCrypto::default(), &mut |_| {})?;
                EmulatedCard::in_memory(profile, profile.default_tries, &issued)?
            }
        };
        if let Some(seed) = seed {
            card.seed(seed);
        }
        Ok(card)
    }
}

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
