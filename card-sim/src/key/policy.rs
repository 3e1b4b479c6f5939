//! What a YubiKey asks of its holder before it uses a key: the PIN policy and the touch policy.
//!
//! Follows Yubico's documentation of its PIV commands (tags `AA` and `AB` of key generation and import). A policy is part of
//! the key's record, and goes with the key when that is moved. Who is asked for a touch is the platform's
//! [`Holder`](crate::holder::Holder).

use core::time::Duration;

use super::{KeyReference, KeyUse, Operation};
use crate::security::AccessRule;

/// When a key needs the PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PinPolicy {
    /// `00`: as its key reference has it.
    #[default]
    Default,
    /// `01`: never.
    Never,
    /// `02`: once in a session.
    Once,
    /// `03`: immediately before each use.
    Always,
    /// `04`: once in a session, or the fingerprint; on a YubiKey Bio.
    MatchOnce,
    /// `05`: immediately before each use, or the fingerprint; on a YubiKey Bio.
    MatchAlways,
}

impl PinPolicy {
    /// The policy with this byte.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Default,
            1 => Self::Never,
            2 => Self::Once,
            3 => Self::Always,
            4 => Self::MatchOnce,
            5 => Self::MatchAlways,
            _ => return None,
        })
    }

    /// The byte that stands for it in commands.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Default => 0,
            Self::Never => 1,
            Self::Once => 2,
            Self::Always => 3,
            Self::MatchOnce => 4,
            Self::MatchAlways => 5,
        }
    }

    /// The policy, with the default replaced by what it is for this key.
    #[must_use]
    pub const fn for_key(self, reference: KeyReference) -> Self {
        match (self, reference) {
            (Self::Default, KeyReference::DigitalSignature) => Self::Always,
            (Self::Default, KeyReference::CardAuthentication) => Self::Never,
            (Self::Default, _) => Self::Once,
            (chosen, _) => chosen,
        }
    }
}

/// How long a touch is good for keys whose policy is [`TouchPolicy::Cached`].
pub const CACHED_TOUCH: Duration = Duration::from_secs(15);

/// When a key needs a touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TouchPolicy {
    /// `00`: never.
    #[default]
    Default,
    /// `01`: never.
    Never,
    /// `02`: for each use.
    Always,
    /// `03`: for each use, but not within 15 seconds after another.
    Cached,
}

impl TouchPolicy {
    /// The policy with this byte.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Default,
            1 => Self::Never,
            2 => Self::Always,
            3 => Self::Cached,
            _ => return None,
        })
    }

    /// The byte that stands for it in commands.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Default => 0,
            Self::Never => 1,
            Self::Always => 2,
            Self::Cached => 3,
        }
    }

    /// The policy, with the default replaced by what it is.
    #[must_use]
    pub const fn resolved(self) -> Self {
        match self {
            Self::Default => Self::Never,
            chosen => chosen,
        }
    }
}

/// Both policies of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Policy {
    /// When it needs the PIN.
    pub pin: PinPolicy,
    /// When it needs a touch.
    pub touch: TouchPolicy,
}

impl Policy {
    /// The policies, with the defaults replaced by what they are for this key.
    #[must_use]
    pub const fn for_key(self, reference: KeyReference) -> Self {
        Self { pin: self.pin.for_key(reference), touch: self.touch.resolved() }
    }

    /// Who may use a key under these policies, through either interface, for any operation.
    pub(crate) const fn key_use(self) -> KeyUse {
        let rule = match self.pin {
            PinPolicy::Never => AccessRule::Always,
            PinPolicy::Default | PinPolicy::Once => AccessRule::Pin,
            PinPolicy::Always => AccessRule::PinOrOccAlways,
            #[cfg(feature = "yubico")]
            PinPolicy::MatchOnce => AccessRule::PinOrFingerprint,
            #[cfg(feature = "yubico")]
            PinPolicy::MatchAlways => AccessRule::PinOrFingerprintAlways,
            // No card of such a build takes them.
            #[cfg(not(feature = "yubico"))]
            PinPolicy::MatchOnce | PinPolicy::MatchAlways => AccessRule::Never,
        };
        let operations = &[Operation::RsaPrivate, Operation::Ecdsa, Operation::Ecdh, Operation::Ed25519];
        KeyUse { contact: rule, contactless: rule, operations, touch: self.touch }
    }

    /// In the upper six bits of a record's byte.
    pub(super) const fn to_bits(self) -> u8 {
        (self.pin.to_byte() << 2) | (self.touch.to_byte() << 5)
    }

    pub(super) const fn from_bits(byte: u8) -> Option<Self> {
        let (Some(pin), Some(touch)) =
            (PinPolicy::from_byte((byte >> 2) & 0x07), TouchPolicy::from_byte(byte >> 5))
        else {
            return None;
        };
        Some(Self { pin, touch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_round_trip() {
        for (pin, touch) in (0..6).flat_map(|pin| (0..4).map(move |touch| (pin, touch))) {
            let policy = Policy {
                pin: PinPolicy::from_byte(pin).unwrap(),
                touch: TouchPolicy::from_byte(touch).unwrap(),
            };
            assert_eq!((policy.pin.to_byte(), policy.touch.to_byte()), (pin, touch));
            assert_eq!(Policy::from_bits(policy.to_bits() | 0x02), Some(policy));
        }
        assert_eq!((PinPolicy::from_byte(6), TouchPolicy::from_byte(4)), (None, None));
        // A record without a policy is one of a card that knew of none.
        assert_eq!(Policy::from_bits(0x01), Some(Policy::default()));
    }
}
