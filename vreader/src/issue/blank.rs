//! A blank card, as it comes from the maker: for a card management system to issue.
//!
//! Nobody's keys, certificates and identifiers are on it, and no CHUID. It has PIN, PUK and management key of its way from the maker,
//! a Discovery Object, and a Card Capability Container whose card identifier (SP 800-73-5 part 1, 3.1.1) no other card has: by
//! that, a management system knows a card that is nobody's yet.

use card_sim::{key::SymmetricKey, object::ObjectTag, profile::Profile, reference};
use rand_core::Rng;
use zeroize::Zeroizing;

use super::{
    Features, Request, ccc, complete, discovery::discovery_object, error::IssueError, padded_pin, puk_bytes,
    randomness::Randomness, tag,
};

/// A card that is nobody's yet.
pub struct BlankCard {
    /// What tells it from all others: the element `F0` of its Card Capability Container.
    pub card_identifier: Vec<u8>,
    /// That container and the Discovery Object, as GET DATA answers them.
    pub objects: Vec<(ObjectTag, Vec<u8>)>,
    /// PIN, padded with `FF`.
    pub pin: Zeroizing<[u8; reference::LENGTH]>,
    /// PUK.
    pub puk: Zeroizing<[u8; reference::LENGTH]>,
    /// Card management key, 9B.
    pub management_key: SymmetricKey,
}

/// A blank card of this stock, with the secrets of every sample card. The same seed gives the same card; without one, no two are the
/// same. Nothing is computed for it, so that thousands of them cost little.
///
/// # Errors
/// A `YubiKey` or a Common Access Card, which do not come blank; or the operating system gives no randomness.
pub fn blank(profile: &Profile, seed: Option<u64>) -> Result<BlankCard, IssueError> {
    if profile.yubico.is_some() {
        return Err(IssueError::BlankYubiKey);
    }
    if profile.cac.is_some() {
        return Err(IssueError::BlankCommonAccess);
    }
    let mut card_id = [0; ccc::CARD_ID_LENGTH];
    Randomness::new(seed).source("blank card")?.fill_bytes(&mut card_id);
    let sample = Request::default();
    Ok(BlankCard {
        card_identifier: ccc::card_identifier(&card_id),
        objects: vec![
            complete(tag::CCC, &ccc::card_capability_container(&card_id)),
            complete(tag::DISCOVERY, &discovery_object(Features::default().pin_usage_policy())),
        ],
        pin: sample.padded_pin()?,
        puk: sample.puk_bytes()?,
        management_key: sample.management_key,
    })
}

impl BlankCard {
    /// The same with other secrets: a PIN of 6 to 8 digits, a PUK of 8 characters, a card management key.
    ///
    /// # Errors
    /// When PIN or PUK have another form.
    pub fn with_secrets(
        self,
        pin: &str,
        puk: &str,
        management_key: SymmetricKey,
    ) -> Result<Self, IssueError> {
        Ok(Self { pin: padded_pin(pin)?, puk: puk_bytes(puk)?, management_key, ..self })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use card_sim::profile;

    use super::*;
    use crate::{emulated::EmulatedCard, inspect};

    #[test]
    fn no_two_are_the_same_unless_a_seed_says_so() {
        let identifier = |seed| blank(&profile::PIV, seed).unwrap().card_identifier;
        let of_seeds: BTreeSet<_> = (0..500).map(Some).map(identifier).collect();
        let of_chance: BTreeSet<_> = (0..500).map(|_| identifier(None)).collect();
        assert_eq!((of_seeds.len(), of_chance.len()), (500, 500));
        assert!(of_seeds.is_disjoint(&of_chance) && of_seeds.contains(&identifier(Some(499))));
    }

    #[test]
    fn a_management_system_finds_its_identifier_and_nothing_of_anybody() {
        for profile in [&profile::PIV, &profile::NIST_SD33] {
            let blank = blank(profile, None).unwrap();
            let mut card = EmulatedCard::in_memory(profile, 3, &blank).unwrap();
            let report = inspect::inspect(&card.contents().unwrap());
            assert_eq!(report.identifiers.card_identifier, Some(hex::encode_upper(&blank.card_identifier)));
            assert!(report.slots.is_empty() && report.certificates.is_empty() && report.problems.is_empty());
            assert!(report.holder.is_none() && report.expires.is_none());
        }
    }

    #[test]
    fn stocks_that_do_not_come_blank_are_refused() {
        for profile in profile::ALL {
            let refused = blank(profile, Some(1)).is_err();
            assert_eq!(refused, profile.yubico.is_some() || profile.cac.is_some(), "{}", profile.name);
        }
    }
}
