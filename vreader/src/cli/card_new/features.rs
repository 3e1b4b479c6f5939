//! The options of `card new` that say what the card has beyond the mandatory.

use card_sim::{key::AsymmetricAlgorithm, profile::Profile, sm::CipherSuite};
use vreader::issue::{
    DEFAULT_GLOBAL_PIN, Features, Finger, GlobalPin, OnCardComparison, Request, SecureMessaging,
    VirtualContact,
};
use zeroize::Zeroizing;

use crate::cli::option::{
    Rank, parse_algorithm, parse_finger, parse_rank, parse_suite, parse_virtual_contact,
};

/// What the card has.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[derive(clap::Args)]
pub(super) struct FeatureOptions {
    /// Algorithm of the keys 9A 9C 9D 9E: rsa2048, rsa3072, rsa4096, p256 or p384 [default: p256; Common Access Cards rsa2048]
    #[arg(long, value_parser = parse_algorithm)]
    algorithm: Option<AsymmetricAlgorithm>,
    /// Secure messaging: cs2 (P-256) or cs7 (P-384)
    #[arg(long, value_name = "SUITE", value_parser = parse_suite)]
    sm: Option<CipherSuite>,
    /// The key for secure messaging is certified by an intermediate key, which an RSA signer vouches for
    #[arg(long, requires = "sm")]
    intermediate_cvc: bool,
    /// Virtual contact interface: pairing (readers show the pairing code) or open
    #[arg(long, value_name = "WHO", value_parser = parse_virtual_contact, requires = "sm")]
    vci: Option<VirtualContact>,
    /// A Global PIN beside the PIV PIN: primary (holders are asked for it) or secondary
    #[arg(long, value_name = "RANK", value_parser = parse_rank)]
    global_pin: Option<Rank>,
    /// The Global PIN's digits, 6 to 8
    #[arg(long, value_name = "DIGITS", default_value = DEFAULT_GLOBAL_PIN, requires = "global_pin")]
    global_pin_value: String,
    /// On-card biometric comparison with both fingers of the sample person, which are printed
    #[arg(long)]
    occ: bool,
    /// A finger to enrol in place of the sample person's, the primary one first: minutiae in hex (x, y, type and direction)
    #[arg(long = "finger", value_name = "HEX", value_parser = parse_finger, requires = "occ")]
    fingers: Vec<Finger>,
    /// Number of retired key-management keys with certificates on the card, 0 to 20
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=20))]
    retired: u8,
    /// Number of retired keys with certificates elsewhere, with the others 20 at most
    #[arg(long, value_name = "M", group = "off_card", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=20))]
    retired_off_card: u8,
    /// Store certificates as gzip files
    #[arg(long)]
    compress_certificates: bool,
    /// Store the certificate of secure messaging's signer as a gzip file
    #[arg(long, requires = "sm")]
    compress_signer: bool,
}

impl FeatureOptions {
    /// A request for such a card on this stock, with nothing else chosen.
    pub(super) fn request(&self, profile: &Profile) -> Request {
        let request = Request::for_profile(profile);
        Request {
            algorithm: self.algorithm.unwrap_or(request.algorithm),
            features: self.features(),
            ..request
        }
    }

    /// Whether none of them was chosen.
    pub(super) fn are_none(&self) -> bool {
        let Self { algorithm, sm, global_pin, occ, retired, retired_off_card, compress_certificates, .. } =
            self;
        // The others need one of these.
        algorithm.is_none()
            && sm.is_none()
            && global_pin.is_none()
            && !(*occ || *compress_certificates)
            && *retired == 0
            && *retired_off_card == 0
    }

    fn features(&self) -> Features {
        let global_pin = self.global_pin.map(|rank| GlobalPin {
            pin: Zeroizing::new(self.global_pin_value.clone()),
            primary: rank == Rank::Primary,
        });
        Features {
            secure_messaging: self
                .sm
                .map(|suite| SecureMessaging { suite, intermediate: self.intermediate_cvc }),
            virtual_contact: self.vci,
            global_pin,
            on_card_comparison: self.occ.then(|| OnCardComparison { fingers: self.fingers.clone() }),
            retired_keys: self.retired,
            retired_off_card: self.retired_off_card,
            compressed_certificates: self.compress_certificates,
            compressed_signer: self.compress_signer,
        }
    }
}
