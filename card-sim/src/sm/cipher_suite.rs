//! The two cipher suites (SP 800-73-5 part 2, table 14).

use crate::key::{AsymmetricAlgorithm, SymmetricAlgorithm};

/// A cipher suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CipherSuite {
    /// `27`: P-256, AES-128, SHA-256.
    Cs2,
    /// `2E`: P-384, AES-256, SHA-384.
    Cs7,
}

/// Longest nonce, in bytes.
pub const MAX_NONCE: usize = 24;
/// Longest uncompressed point, in bytes.
pub const MAX_POINT: usize = 97;
/// Longest shared secret, in bytes.
pub const MAX_SECRET: usize = 48;

impl CipherSuite {
    /// The suite with this algorithm identifier.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0x27 => Some(Self::Cs2),
            0x2E => Some(Self::Cs7),
            _ => None,
        }
    }

    /// The suite of a key `04` on this curve.
    pub const fn of_key(algorithm: AsymmetricAlgorithm) -> Option<Self> {
        match algorithm {
            AsymmetricAlgorithm::EccP256 => Some(Self::Cs2),
            AsymmetricAlgorithm::EccP384 => Some(Self::Cs7),
            _ => None,
        }
    }

    /// The algorithm identifier: P1 of GENERAL AUTHENTICATE, and in the answer to SELECT.
    pub const fn id(self) -> u8 {
        match self {
            Self::Cs2 => 0x27,
            Self::Cs7 => 0x2E,
        }
    }

    /// The curve of both parties' keys.
    pub const fn curve(self) -> AsymmetricAlgorithm {
        match self {
            Self::Cs2 => AsymmetricAlgorithm::EccP256,
            Self::Cs7 => AsymmetricAlgorithm::EccP384,
        }
    }

    /// The cipher of the session keys.
    pub const fn cipher(self) -> SymmetricAlgorithm {
        match self {
            Self::Cs2 => SymmetricAlgorithm::Aes128,
            Self::Cs7 => SymmetricAlgorithm::Aes256,
        }
    }

    /// Length of the card's nonce in bytes.
    pub const fn nonce_length(self) -> usize {
        match self {
            Self::Cs2 => 16,
            Self::Cs7 => 24,
        }
    }

    /// Length of an uncompressed point in bytes.
    pub const fn point_length(self) -> usize {
        match self {
            Self::Cs2 => 65,
            Self::Cs7 => 97,
        }
    }

    /// What stands for each session key in the key derivation's "other information".
    pub(crate) const fn key_identifier(self) -> u8 {
        match self {
            Self::Cs2 => 0x09,
            Self::Cs7 => 0x0D,
        }
    }
}
