//! What a card may have beyond what every card has (SP 800-73-5 part 1, 3.3 and 5.5), and which of it goes together.

use card_sim::{key::AsymmetricAlgorithm, on_card_comparison::is_well_formed, reference, sm::CipherSuite};
use zeroize::Zeroizing;

use super::{
    error::IssueError,
    on_card_comparison::{self, Finger},
};

/// Most retired keys of a card.
pub const MAX_RETIRED_KEYS: u8 = 20;

/// Optional features. [`Features::default`] has none of them.
#[derive(Clone, Default)]
pub struct Features {
    /// Secure messaging.
    pub secure_messaging: Option<SecureMessaging>,
    /// The virtual contact interface, which needs secure messaging.
    pub virtual_contact: Option<VirtualContact>,
    /// A Global PIN beside the PIV PIN.
    pub global_pin: Option<GlobalPin>,
    /// Fingers that the card compares.
    pub on_card_comparison: Option<OnCardComparison>,
    /// Number of retired key-management keys with certificates on the card, 0 to 20.
    pub retired_keys: u8,
    /// Number of retired key-management keys with certificates elsewhere; with the others 20 at most.
    pub retired_off_card: u8,
    /// Certificates are stored as gzip files.
    pub compressed_certificates: bool,
    /// So is the one of secure messaging's signer.
    pub compressed_signer: bool,
}

/// Secure messaging on a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecureMessaging {
    /// The cipher suite, and with it the curve of the key `04`.
    pub suite: CipherSuite,
    /// The key's certificate is signed by an intermediate key, which an RSA content signer vouches for.
    pub intermediate: bool,
}

/// Who may use the virtual contact interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VirtualContact {
    /// Readers that know the pairing code.
    Pairing,
    /// Every reader with secure messaging.
    Open,
}

/// A Global PIN.
#[derive(Clone)]
pub struct GlobalPin {
    /// 6 to 8 digits.
    pub pin: Zeroizing<String>,
    /// Holders are asked for it rather than for the PIV PIN.
    pub primary: bool,
}

/// On-card biometric comparison.
#[derive(Clone, Default)]
pub struct OnCardComparison {
    /// The primary finger, or that and the secondary one; none for both of the sample person's.
    pub fingers: Vec<Finger>,
}

impl OnCardComparison {
    /// How many fingers are enrolled.
    pub(crate) fn count(&self) -> usize {
        if self.fingers.is_empty() { 2 } else { self.fingers.len() }
    }
}

impl Features {
    /// That the features go together, on a card whose keys have this algorithm.
    pub(crate) fn check(&self, algorithm: AsymmetricAlgorithm) -> Result<(), IssueError> {
        let retired = self.retired_keys.saturating_add(self.retired_off_card);
        if retired > MAX_RETIRED_KEYS {
            return Err(IssueError::RetiredKeys(retired));
        }
        if self.compressed_signer && self.secure_messaging.is_none() {
            return Err(IssueError::NoSigner);
        }
        let fingers = self.on_card_comparison.as_ref().map_or(&[][..], |comparison| &comparison.fingers);
        if fingers.len() > 2 || !fingers.iter().all(|finger| is_well_formed(finger)) {
            return Err(IssueError::Fingers);
        }
        match (self.secure_messaging, self.virtual_contact) {
            (None, Some(_)) => Err(IssueError::VirtualContact),
            (Some(SecureMessaging { suite: CipherSuite::Cs2, .. }), Some(_))
                if algorithm == AsymmetricAlgorithm::EccP384 =>
            {
                Err(IssueError::WeakSuite)
            }
            _ => Ok(()),
        }
    }

    /// The Global PIN as the card compares it: padded with `FF`.
    pub(crate) fn padded_global_pin(&self) -> Result<Option<Zeroizing<[u8; reference::LENGTH]>>, IssueError> {
        let padded = |global: &GlobalPin| reference::pad_pin(&global.pin).ok_or(IssueError::Pin);
        self.global_pin.as_ref().map(padded).transpose()
    }

    /// The fingers that are enrolled; the sample person's are in this minutiae record.
    pub(crate) fn fingers(&self, record: &[u8]) -> Vec<Finger> {
        match &self.on_card_comparison {
            None => Vec::new(),
            Some(OnCardComparison { fingers }) if fingers.is_empty() => on_card_comparison::fingers(record),
            Some(OnCardComparison { fingers }) => fingers.clone(),
        }
    }

    /// The PIN usage policy of the Discovery Object (part 1, table 1).
    pub(crate) fn pin_usage_policy(&self) -> [u8; 2] {
        let virtual_contact = match self.virtual_contact {
            None => 0x00,
            Some(VirtualContact::Pairing) => 0x08,
            Some(VirtualContact::Open) => 0x0C,
        };
        let (global_pin, preference) = match &self.global_pin {
            None => (0x00, 0x00),
            Some(GlobalPin { primary: false, .. }) => (0x20, 0x10),
            Some(GlobalPin { primary: true, .. }) => (0x20, 0x20),
        };
        let comparison = if self.on_card_comparison.is_some() { 0x10 } else { 0x00 };
        [0x40 | global_pin | comparison | virtual_contact, preference]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(suite: Option<CipherSuite>, virtual_contact: Option<VirtualContact>) -> Features {
        let secure_messaging = suite.map(|suite| SecureMessaging { suite, intermediate: false });
        Features { secure_messaging, virtual_contact, ..Features::default() }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        use AsymmetricAlgorithm::{EccP256, EccP384, Rsa2048};
        let open = Some(VirtualContact::Open);
        assert!(matches!(features(None, open).check(EccP256), Err(IssueError::VirtualContact)));
        assert!(matches!(features(Some(CipherSuite::Cs2), open).check(EccP384), Err(IssueError::WeakSuite)));
        assert!(features(Some(CipherSuite::Cs2), None).check(EccP384).is_ok());
        assert!(features(Some(CipherSuite::Cs7), open).check(EccP384).is_ok());
        assert!(features(Some(CipherSuite::Cs2), open).check(Rsa2048).is_ok());
        for fingers in [vec![0; 35], vec![0; 183]] {
            let on_card_comparison = Some(OnCardComparison { fingers: vec![Zeroizing::new(fingers)] });
            let features = Features { on_card_comparison, ..Features::default() };
            assert!(matches!(features.check(EccP256), Err(IssueError::Fingers)));
        }
        let many = Features { retired_keys: 21, ..Features::default() };
        assert!(matches!(many.check(EccP256), Err(IssueError::RetiredKeys(21))));
        let many = Features { retired_keys: 11, retired_off_card: 10, ..Features::default() };
        assert!(matches!(many.check(EccP256), Err(IssueError::RetiredKeys(21))));
        let signer = Features { compressed_signer: true, ..Features::default() };
        assert!(matches!(signer.check(EccP256), Err(IssueError::NoSigner)));
    }

    #[test]
    fn policies_are_the_legal_ones() {
        // SP 800-73-5 part 1, table 1.
        let mut policies = Vec::new();
        for comparison in [None, Some(OnCardComparison::default())] {
            for virtual_contact in [None, Some(VirtualContact::Pairing), Some(VirtualContact::Open)] {
                for primary in [None, Some(false), Some(true)] {
                    let pin = Zeroizing::new(String::from("777777"));
                    let global_pin = primary.map(|primary| GlobalPin { pin: pin.clone(), primary });
                    let on_card_comparison = comparison.clone();
                    let features =
                        Features { virtual_contact, global_pin, on_card_comparison, ..Features::default() };
                    policies.push(features.pin_usage_policy());
                }
            }
        }
        let expected = [
            [0x40, 0x00],
            [0x60, 0x10],
            [0x60, 0x20],
            [0x48, 0x00],
            [0x68, 0x10],
            [0x68, 0x20],
            [0x4C, 0x00],
            [0x6C, 0x10],
            [0x6C, 0x20],
            [0x50, 0x00],
            [0x70, 0x10],
            [0x70, 0x20],
            [0x58, 0x00],
            [0x78, 0x10],
            [0x78, 0x20],
            [0x5C, 0x00],
            [0x7C, 0x10],
            [0x7C, 0x20],
        ];
        assert_eq!(policies, expected);
    }
}
