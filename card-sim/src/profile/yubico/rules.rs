//! What a YubiKey demands of PINs and of keys' policies, by its firmware and its series.
//!
//! Follows Yubico's documentation of PIN complexity and of the FIPS series, and the checks of its program `ykman`.

use super::{Feature, Yubico};
use crate::key::{
    KeyReference,
    policy::{PinPolicy, Policy, TouchPolicy},
};

/// Fewest characters of a PIN and of a PUK.
const SHORTEST: usize = 6;

/// The same on a key of the FIPS series that has PIN complexity.
const SHORTEST_FIPS: usize = 8;

/// What PIN complexity refuses besides one character over and over; genuine keys refuse more.
const TRIVIAL: [&[u8]; 3] = [b"123456", b"12345678", b"password"];

impl Yubico {
    /// Whether the holder may choose this as a new PIN or PUK, which is well formed otherwise.
    pub(crate) fn takes_new_reference(&self, padded: &[u8]) -> bool {
        if !self.pin_complexity {
            return true;
        }
        let length = padded.iter().take_while(|byte| **byte != 0xFF).count();
        let value = padded.get(..length).unwrap_or_default();
        // What is no text is counted by bytes.
        let characters = core::str::from_utf8(value).map_or(length, |text| text.chars().count());
        let all_alike = value.iter().all(|byte| Some(byte) == value.first());
        let shortest = if self.fips { SHORTEST_FIPS } else { SHORTEST };
        characters >= shortest && !all_alike && !TRIVIAL.contains(&value)
    }

    /// The policies that a new key gets when these are asked for; nothing if the card does not take them.
    pub(crate) fn policy_of_new_key(&self, reference: KeyReference, asked: Policy) -> Option<Policy> {
        let cached = asked.touch == TouchPolicy::Cached;
        if (asked != Policy::default() && !self.has(Feature::Policies))
            || (cached && !self.has(Feature::CachedTouch))
            || (self.fips && asked.pin == PinPolicy::Never)
            || (!self.fingerprint && matches!(asked.pin, PinPolicy::MatchOnce | PinPolicy::MatchAlways))
        {
            return None;
        }
        let policy = asked.for_key(reference);
        let pin = if self.fips && policy.pin == PinPolicy::Never { PinPolicy::Once } else { policy.pin };
        Some(Policy { pin, ..policy })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{YUBIKEY_4_FIPS, YUBIKEY_5, YUBIKEY_5_FIPS, YUBIKEY_BIO, YUBIKEY_NEO};
    use super::*;

    #[test]
    fn trivial_and_short_values_are_refused_where_pin_complexity_is_on() {
        for (value, fips) in [
            (b"123456\xFF\xFF", false),
            (b"12345678", false),
            (b"password", false),
            (b"11111111", false),
            (b"777777\xFF\xFF", false),
            (b"918273\xFF\xFF", false),
            (b"9182736\xFF", false),
            (b"91827364", true),
            // Four characters of two bytes each.
            (&[0xC3, 0xA4, 0xC3, 0xB6, 0xC3, 0xBC, 0xC3, 0x9F], false),
        ] {
            assert_eq!(YUBIKEY_5_FIPS.yubico.unwrap().takes_new_reference(value), fips, "{value:02X?}");
            assert!(YUBIKEY_5.yubico.unwrap().takes_new_reference(value), "{value:02X?}");
        }
        let complex = Yubico { fips: false, ..YUBIKEY_5_FIPS.yubico.unwrap().clone() };
        assert!(complex.takes_new_reference(b"918273\xFF\xFF"));
        assert!(!complex.takes_new_reference(b"123456\xFF\xFF"));
    }

    #[test]
    fn policies_come_with_firmware_and_series() {
        let reference = KeyReference::CardAuthentication;
        let policy = |pin, touch| Policy { pin, touch };
        let never = policy(PinPolicy::Never, TouchPolicy::Never);
        let cached = policy(PinPolicy::Once, TouchPolicy::Cached);
        let once = policy(PinPolicy::Once, TouchPolicy::Never);
        let finger = policy(PinPolicy::MatchAlways, TouchPolicy::Never);
        for (profile, asked, got) in [
            (&YUBIKEY_5, Policy::default(), Some(never)),
            (&YUBIKEY_5, cached, Some(cached)),
            (&YUBIKEY_5_FIPS, Policy::default(), Some(once)),
            (&YUBIKEY_5_FIPS, never, None),
            (&YUBIKEY_4_FIPS, never, None),
            (&YUBIKEY_4_FIPS, cached, Some(cached)),
            (&YUBIKEY_NEO, Policy::default(), Some(never)),
            (&YUBIKEY_NEO, once, None),
            (&YUBIKEY_5, finger, None),
            (&YUBIKEY_BIO, finger, Some(finger)),
        ] {
            assert_eq!(profile.yubico.unwrap().policy_of_new_key(reference, asked), got, "{}", profile.name);
        }
    }
}
