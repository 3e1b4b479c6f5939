//! Two runs compared by meaning: what was asked and what was answered, not the random values in it.
//!
//! Readers are compared in the order of their first appearance, whatever their names. Compared are exchanges
//! ([`Exchange`](super::Exchange): words, status, whether there is data, broken rule) and what hands do: insertions and
//! removals, resets, losses of power in the middle of a write. Not compared are times, programs, power, handles and transactions, which depend on who was quicker.

use similar::{Algorithm, DiffTag, capture_diff_slices};

use super::{Event, What, exchanges};

/// In which run something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// In both.
    Both,
    /// In the first only.
    First,
    /// In the second only.
    Second,
}

/// A line of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The reader, counted from 0 in the order of appearance.
    pub reader: usize,
    /// In which run it is.
    pub side: Side,
    /// What happened, in words.
    pub line: String,
}

/// All lines of both runs, in order. The runs mean the same if every line is in both.
pub fn compare(first: &[Event], second: &[Event]) -> Vec<Difference> {
    let (first, second) = (stories(first), stories(second));
    let none = Vec::new();
    let mut result = Vec::new();
    for reader in 0..first.len().max(second.len()) {
        let (old, new) = (first.get(reader).unwrap_or(&none), second.get(reader).unwrap_or(&none));
        let mut tell = |side, lines: &[String]| {
            result.extend(lines.iter().cloned().map(|line| Difference { reader, side, line }));
        };
        for operation in capture_diff_slices(Algorithm::Myers, old, new) {
            let (tag, old_range, new_range) = operation.as_tag_tuple();
            match tag {
                DiffTag::Equal => tell(Side::Both, &old[old_range]),
                DiffTag::Delete | DiffTag::Insert | DiffTag::Replace => {
                    tell(Side::First, &old[old_range]);
                    tell(Side::Second, &new[new_range]);
                }
            }
        }
    }
    result
}

/// What happened in each reader, in the order of their appearance.
fn stories(events: &[Event]) -> Vec<Vec<String>> {
    let mut readers: Vec<&str> = Vec::new();
    for event in events {
        if !readers.contains(&event.reader.as_str()) {
            readers.push(&event.reader);
        }
    }
    let mut lines: Vec<(u64, &str, String)> = exchanges(events)
        .into_iter()
        .filter_map(|exchange| {
            let reader = readers.iter().find(|reader| **reader == exchange.reader)?;
            Some((exchange.number, *reader, exchange.to_string()))
        })
        .collect();
    let hands = events.iter().filter(|event| {
        matches!(event.what, What::Inserted | What::Removed | What::Reset { .. } | What::Torn | What::Broken)
    });
    lines.extend(hands.map(|event| {
        let line = match &event.what {
            // Another stock has another answer to reset; that is told by its commands.
            What::Reset { .. } => "card reset".to_owned(),
            what => what.to_string(),
        };
        (event.number, event.reader.as_str(), line)
    }));
    lines.sort();
    let of = |reader: &&str| {
        lines.iter().filter(|(_, of, _)| of == reader).map(|(.., line)| line.clone()).collect()
    };
    readers.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::exchange::tests::recording;

    fn differences(first: &[(&str, &str, &str)], second: &[(&str, &str, &str)]) -> Vec<String> {
        compare(&recording(first), &recording(second))
            .into_iter()
            .filter(|difference| difference.side != Side::Both)
            .map(|difference| format!("{} {:?} {}", difference.reader, difference.side, difference.line))
            .collect()
    }

    const SIGN: &str = "0087119A077C0582008101AA00";

    #[test]
    fn random_values_names_and_power_are_no_difference() {
        let first = [
            ("a", "inserted", ""),
            ("a", "on", ""),
            ("a", "00CB3FFF055C035FC10500", "AABB6102"),
            ("a", "00C0000002", "CCDD9000"),
            ("a", SIGN, "7C01AA9000"),
            ("b", "00200080", "63C3"),
        ];
        let second = [
            ("x", "inserted", ""),
            ("y", "00200080", "63C3"),
            (">x", "00CB3FFF055C035FC10500", "1122339000"),
            ("x", SIGN, "7C02BBCC9000"),
            ("x", "on", ""),
        ];
        assert_eq!(differences(&first, &second), [""; 0]);
    }

    #[test]
    fn other_commands_answers_and_rules_are_differences() {
        let first = [("a", "inserted", ""), ("a", "00200080", "63C3"), ("b", SIGN, "7C01AA9000")];
        let second = [("a", "00200080", "63C2"), ("b", "0020FF80", "9000"), ("b", SIGN, "6982")];
        assert_eq!(
            differences(&first, &second),
            [
                "0 First card inserted",
                "0 First VERIFY PIV PIN: is it verified? -> 63C3 (verification failed, 3 tries left); rule: a rule",
                "0 Second VERIFY PIV PIN: is it verified? -> 63C2 (verification failed, 2 tries left); rule: a rule",
                "1 First GENERAL AUTHENTICATE 9A (PIV Authentication), P-256: sign, decrypt or answer -> 9000 (success), with data",
                "1 Second VERIFY PIV PIN: forget -> 9000 (success)",
                "1 Second GENERAL AUTHENTICATE 9A (PIV Authentication), P-256: sign, decrypt or answer -> 6982 (security status not satisfied); rule: a rule",
            ]
        );
    }

    #[test]
    fn a_reader_more_is_a_difference() {
        let one = [("a", "00200080", "9000")];
        let two = [("a", "00200080", "9000"), ("b", "removed", "")];
        assert_eq!(differences(&one, &two), ["1 Second card removed"]);
        assert_eq!(differences(&[], &[]), [""; 0]);
    }
}
