//! The options of `card new` and `card import` that have nothing to do with what is on the card: stock, memory, secrets.

use std::{fmt::Write as _, fs, path::Path};

use card_sim::{
    key::{SymmetricAlgorithm, SymmetricKey},
    profile::{Profile, yubico::Yubico},
};
use vreader::{
    image::{FlashSize, ImageError},
    issue::{DEFAULT_MANAGEMENT_KEY, DEFAULT_PIN, DEFAULT_PUK},
    stock::symmetric_name,
};
use zeroize::Zeroizing;

use super::{
    Failure, Outcome,
    option::{parse_management_algorithm, parse_profile},
};

/// What a new card is made of, and its secrets.
#[derive(clap::Args)]
pub(super) struct Stock {
    /// Card stock: a name (`vreader card new --list` shows them), or a file ending in .toml that describes one
    #[arg(long, value_name = "STOCK", default_value = "piv", value_parser = parse_profile)]
    pub(super) profile: &'static Profile,
    #[command(flatten)]
    pub(super) secrets: Secrets,
}

/// The memory of a new card, and its secrets.
#[derive(clap::Args)]
pub(super) struct Secrets {
    /// Size of the card's flash in KiB, 12 to 256 in steps of 4: the size of the file
    #[arg(long, value_name = "KIB", default_value_t = FlashSize::DEFAULT)]
    pub(super) flash_size: FlashSize,
    /// PIN, 6 to 8 digits
    #[arg(long, default_value = DEFAULT_PIN)]
    pub(super) pin: String,
    /// PUK, 8 characters
    #[arg(long, default_value = DEFAULT_PUK)]
    pub(super) puk: String,
    /// Tries of PIN and PUK, 1 to 15 [default: the stock's, 3]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=15))]
    tries: Option<u8>,
    /// Algorithm of the card management key 9B: 3des, aes128, aes192 or aes256 [default: aes192; a YubiKey's own]
    #[arg(long, value_parser = parse_management_algorithm)]
    management_algorithm: Option<SymmetricAlgorithm>,
    /// Card management key in hex [default: 0102030405060708 repeated]
    #[arg(long)]
    management_key: Option<String>,
}

/// That there is no such file yet. Asked before the long work, so that a name that is taken is told at once.
pub(super) fn refuse_existing(file: &Path) -> Outcome {
    match fs::symlink_metadata(file) {
        Ok(_) => Err(ImageError::Exists { path: file.to_owned() }.into()),
        Err(_) => Ok(()),
    }
}

impl Stock {
    /// Tries of PIN and PUK.
    pub(super) fn tries(&self) -> u8 {
        self.secrets.tries(self.profile)
    }

    /// The key that was given, or as many bytes of the sample key as the algorithm takes.
    pub(super) fn management_key(&self) -> Result<SymmetricKey, Failure> {
        self.secrets.management_key(self.profile)
    }

    /// Name of the card management key's algorithm.
    pub(super) fn management_algorithm(&self) -> &'static str {
        self.secrets.management_algorithm(self.profile)
    }

    /// A line that says the secrets, as far as they are those of every sample card.
    pub(super) fn secrets_in_words(&self, text: &mut String) {
        self.secrets.in_words(self.profile, text);
    }
}

impl Secrets {
    /// Tries of PIN and PUK on a card of this stock.
    pub(super) fn tries(&self, profile: &Profile) -> u8 {
        self.tries.unwrap_or(profile.default_tries)
    }

    fn chosen_management_algorithm(&self, profile: &Profile) -> SymmetricAlgorithm {
        let of_the_stock =
            || profile.yubico.map_or(SymmetricAlgorithm::Aes192, Yubico::default_management_algorithm);
        self.management_algorithm.unwrap_or_else(of_the_stock)
    }

    /// The key that was given, or as many bytes of the sample key as the algorithm takes.
    pub(super) fn management_key(&self, profile: &Profile) -> Result<SymmetricKey, Failure> {
        let algorithm = self.chosen_management_algorithm(profile);
        let length = algorithm.key_length();
        let bytes = match &self.management_key {
            Some(text) => Zeroizing::new(hex::decode(text).map_err(|error| {
                Failure(format!(
                    "the card management key is not hex ({error}); write it as pairs of 0-9 and A-F"
                ))
            })?),
            None => Zeroizing::new(DEFAULT_MANAGEMENT_KEY.iter().copied().cycle().take(length).collect()),
        };
        SymmetricKey::new(algorithm, &bytes).ok_or_else(|| {
            Failure(format!(
                "the card management key has {} bytes, and this algorithm takes {length}; \
                 change --management-key or --management-algorithm",
                bytes.len()
            ))
        })
    }

    /// Name of the card management key's algorithm.
    pub(super) fn management_algorithm(&self, profile: &Profile) -> &'static str {
        symmetric_name(self.chosen_management_algorithm(profile))
    }

    /// A line that says the secrets, as far as they are those of every sample card.
    pub(super) fn in_words(&self, profile: &Profile, text: &mut String) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  PIN {}, PUK {}, management key {} ({})",
            known(self.pin != DEFAULT_PIN, DEFAULT_PIN),
            known(self.puk != DEFAULT_PUK, DEFAULT_PUK),
            known(self.management_key.is_some(), "0102030405060708 repeated"),
            self.management_algorithm(profile)
        );
    }
}

/// What is said of a secret: that it is the given one, or the sample.
pub(super) fn known(given: bool, sample: &str) -> &str {
    if given { "as given" } else { sample }
}
