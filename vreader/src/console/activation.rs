//! Whether the PIV Authentication certificate of a Common Access Card waits to be activated.
//!
//! Cards that were issued before 28 February 2018 have it hidden until their holder activates it; from that day on cards come
//! with it activated. The day is the DoD's, and can be another one.

use std::fmt;

use serde::Serialize;

use crate::issue::Date;

/// The first day whose cards need no activation.
pub use crate::issue::PIV_ACTIVATION_CUTOFF as CUTOFF;

/// Whether a card that was issued on this day came with the certificate hidden.
pub fn is_needed(issued: Date, cutoff: Date) -> bool {
    issued < cutoff
}

/// What the rule says of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// The certificate can be read: it is activated.
    Active,
    /// The certificate is hidden, as on all cards of that time.
    Needed,
    /// There is no certificate, although cards of that time have it.
    Missing,
    /// There is no certificate, and the day of issue, which decides, is not known without the PIN.
    Unknown,
}

impl Activation {
    /// Of a card whose PIV Authentication certificate can be read or not, and that says its day of issue or does not.
    pub fn of(certificate_is_visible: bool, issued: Option<Date>, cutoff: Date) -> Self {
        match issued {
            _ if certificate_is_visible => Self::Active,
            Some(issued) if is_needed(issued, cutoff) => Self::Needed,
            Some(_) => Self::Missing,
            None => Self::Unknown,
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "activated",
            Self::Needed => "not activated: activate it, or programs that want it will not find it",
            Self::Missing => "not on the card, although cards of its time have it: contact the issuer",
            Self::Unknown => {
                "not visible; the day of issue decides whether it can be activated, and needs the PIN"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn row_10_cards_of_before_28_february_2018_need_it() {
        for (issued, needed) in [
            ("2017-06-01", true),
            ("2018-02-27", true),
            ("2018-02-28", false),
            ("2018-03-01", false),
            ("2026-01-01", false),
        ] {
            assert_eq!(is_needed(day(issued), CUTOFF), needed, "{issued}");
        }
        // The day that a Defense agency's sheet names instead.
        assert!(is_needed(day("2018-02-23"), day("2018-02-24")));
        assert!(!is_needed(day("2018-02-24"), day("2018-02-24")));
        for invalid in ["2018-02-29", "2018-2-27", "20180227", "", "today"] {
            assert!(invalid.parse::<Date>().is_err(), "{invalid}");
        }
    }

    #[test]
    fn what_is_seen_comes_before_what_the_rule_expects() {
        let (old, new) = (Some(day("2018-02-27")), Some(day("2018-02-28")));
        for (visible, issued, expected) in [
            (true, old, Activation::Active),
            (true, None, Activation::Active),
            (false, old, Activation::Needed),
            (false, new, Activation::Missing),
            (false, None, Activation::Unknown),
        ] {
            assert_eq!(Activation::of(visible, issued, CUTOFF), expected, "{visible} {issued:?}");
        }
    }
}
