//! Lengths of time as people write them: `7d`, `36h`, `10min`, `5s`, `0s`.

use std::time::Duration;

/// Text that is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no length of time; write a number and s, min, h or d, for example 10min or 7d")]
pub struct SpanError(String);

/// The units and their seconds.
const UNITS: [(&str, u64); 4] = [("s", 1), ("min", 60), ("h", 60 * 60), ("d", 24 * 60 * 60)];

/// Reads a length of time.
pub fn parse(text: &str) -> Result<Duration, SpanError> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let seconds = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, seconds)| *seconds);
    let number = number.parse::<u64>().ok();
    let span = seconds.and_then(|seconds| number?.checked_mul(seconds));
    span.map(Duration::from_secs).ok_or_else(|| SpanError(text.to_owned()))
}

/// The same in a settings file.
pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text: String = serde::Deserialize::deserialize(deserializer)?;
    parse(&text).map_err(serde::de::Error::custom)
}

/// In words, in the largest unit that needs no fraction.
pub(super) fn in_words(span: Duration) -> String {
    const WORDS: [(&str, u64); 4] =
        [("day", UNITS[3].1), ("hour", UNITS[2].1), ("minute", UNITS[1].1), ("second", 1)];
    let seconds = span.as_secs();
    // Zero is a number of seconds; every number is.
    let fits = |(_, unit): &&(&str, u64)| *unit == 1 || (seconds >= *unit && seconds.is_multiple_of(*unit));
    let (word, unit) = WORDS.iter().find(fits).copied().unwrap_or(("second", 1));
    let number = seconds / unit;
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_said_in_their_largest_unit() {
        for (text, seconds, words) in [
            ("0s", 0, "0 seconds"),
            ("1s", 1, "1 second"),
            ("90s", 90, "90 seconds"),
            ("10min", 600, "10 minutes"),
            ("600s", 600, "10 minutes"),
            ("36h", 129_600, "36 hours"),
            ("7d", 604_800, "7 days"),
        ] {
            let span = parse(text).unwrap();
            assert_eq!(span, Duration::from_secs(seconds));
            assert_eq!(in_words(span), words);
        }
        for wrong in ["", "7", "d", "-7d", "7 d", "7w", "1.5h", "7D", "18446744073709551615d", "7dd"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
