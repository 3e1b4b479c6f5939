//! What came of a row, and how a check says it.

use serde::Serialize;

/// What came of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The card is as the row asks.
    Passed,
    /// It is not.
    Failed {
        /// What the row asks for.
        expected: String,
        /// What the card has instead.
        found: String,
    },
    /// The row asks for nothing that this card, or this way of looking at it, has.
    NotApplicable {
        /// Why.
        reason: String,
    },
}

/// Why a check did not pass.
#[derive(Debug)]
pub(super) enum Miss {
    Failed { expected: String, found: String },
    NotApplicable(String),
}

/// A check: it passes, or misses.
pub(super) type Check = Result<(), Miss>;

/// Something that a check needs to see first.
pub(super) type Seen<T> = Result<T, Miss>;

impl From<Check> for Outcome {
    fn from(check: Check) -> Self {
        match check {
            Ok(()) => Self::Passed,
            Err(Miss::Failed { expected, found }) => Self::Failed { expected, found },
            Err(Miss::NotApplicable(reason)) => Self::NotApplicable { reason },
        }
    }
}

/// The card fails the row.
pub(super) fn failed<T>(expected: impl Into<String>, found: impl Into<String>) -> Seen<T> {
    Err(Miss::Failed { expected: expected.into(), found: found.into() })
}

/// The row does not apply.
pub(super) fn not_applicable<T>(reason: impl Into<String>) -> Seen<T> {
    Err(Miss::NotApplicable(reason.into()))
}

/// The card fails the row unless `condition` holds.
pub(super) fn must(condition: bool, expected: &str, found: impl FnOnce() -> String) -> Check {
    if condition { Ok(()) } else { failed(expected, found()) }
}

/// Bytes in hex, the first of them if they are many.
pub(super) fn hex(bytes: &[u8]) -> String {
    const SHOWN: usize = 32;
    match bytes.get(..SHOWN) {
        Some(start) if bytes.len() > SHOWN => {
            format!("{}… ({} bytes)", hex::encode_upper(start), bytes.len())
        }
        _ if bytes.is_empty() => "nothing".to_owned(),
        _ => hex::encode_upper(bytes),
    }
}
