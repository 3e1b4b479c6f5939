//! On-card biometric comparison, `96` and `97` (SP 800-73-5 part 2, 3.2.1), as a simulation with a rule that can be
//! computed by hand.
//!
//! A finger is a list of minutiae in the compact card format of ISO/IEC 19794-2 (SP 800-76-2, 5): three bytes each,
//!
//! | byte | content |
//! |---|---|
//! | 1 | x in tenths of a millimetre |
//! | 2 | y in tenths of a millimetre |
//! | 3 | type in bits 8 and 7 (00 other, 01 ridge ending, 10 bifurcation), direction in the other six, in steps of 360°/64 |
//!
//! The rule: a presented minutia agrees with an enrolled one if x and y differ by [`NEAR`] at most, the directions by
//! [`ALIKE`] steps at most, and the types are equal or one of them is "other". Enrolled minutiae choose in their order, each
//! the first that agrees and was not chosen before. The finger is the enrolled one if three quarters of the enrolled
//! minutiae, rounded up, found theirs. Nothing is shifted or turned. Real cards are more forgiving, and say less.
//!
//! Promise: the time of a comparison depends on the two numbers of minutiae only.

use heapless::Vec;
use subtle::{Choice, ConstantTimeEq, ConstantTimeGreater};

/// Bytes of one minutia.
const MINUTIA: usize = 3;

/// Fewest minutiae of a finger.
pub const FEWEST: u8 = 12;

/// Most minutiae of a finger.
pub const MOST: u8 = 60;

/// Most bytes of a finger.
pub const MAX_LENGTH: usize = (MOST as usize).saturating_mul(MINUTIA);

/// How far two minutiae may lie apart in x and in y, in tenths of a millimetre.
pub const NEAR: u8 = 4;

/// How many steps of 360°/64 two directions may differ.
pub const ALIKE: u8 = 2;

/// Bits of the third byte.
const DIRECTION: u8 = 0x3F;
const TYPE: u8 = 0xC0;

/// Whether these bytes are [`FEWEST`] to [`MOST`] minutiae.
pub fn is_well_formed(finger: &[u8]) -> bool {
    let fewest = usize::from(FEWEST).saturating_mul(MINUTIA);
    finger.len().is_multiple_of(MINUTIA) && (fewest..=MAX_LENGTH).contains(&finger.len())
}

/// Whether the presented finger is the enrolled one.
///
/// ```
/// use card_sim::on_card_comparison::matches;
/// let enrolled: Vec<u8> = (0..16).flat_map(|n| [n * 9, n * 7, 0x40 | n]).collect();
/// assert!(matches(&enrolled, &enrolled));
/// let shifted: Vec<u8> = enrolled.chunks(3).flat_map(|m| [m[0] + 5, m[1], m[2]]).collect();
/// assert!(!matches(&enrolled, &shifted));
/// ```
pub fn matches(enrolled: &[u8], presented: &[u8]) -> bool {
    let (enrolled, _) = enrolled.as_chunks::<MINUTIA>();
    let (presented, _) = presented.as_chunks::<MINUTIA>();
    // One for each presented minutia: whether it was chosen.
    let mut chosen: Vec<Choice, { MOST as usize }> =
        presented.iter().take(usize::from(MOST)).map(|_| Choice::from(0)).collect();
    let mut found: u8 = 0;
    for one in enrolled {
        let mut has_its_own = Choice::from(0);
        for (other, taken) in presented.iter().zip(&mut chosen) {
            let takes = agree(*one, *other) & !*taken & !has_its_own;
            *taken |= takes;
            has_its_own |= takes;
        }
        found = found.saturating_add(has_its_own.unwrap_u8());
    }
    !enrolled.is_empty() && usize::from(found).saturating_mul(4) >= enrolled.len().saturating_mul(3)
}

/// Whether two minutiae agree.
fn agree([x, y, about]: [u8; MINUTIA], [other_x, other_y, about_other]: [u8; MINUTIA]) -> Choice {
    let near = !x.abs_diff(other_x).ct_gt(&NEAR) & !y.abs_diff(other_y).ct_gt(&NEAR);
    // On the circle: from ALIKE steps before to ALIKE steps after is 0 to twice as many.
    let apart = about.wrapping_sub(about_other).wrapping_add(ALIKE) & DIRECTION;
    let alike = !apart.ct_gt(&ALIKE.saturating_mul(2));
    let (kind, other_kind) = (about & TYPE, about_other & TYPE);
    let same = kind.ct_eq(&other_kind) | kind.ct_eq(&0) | other_kind.ct_eq(&0);
    near & alike & same
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    fn finger(minutiae: u8) -> Vec<u8> {
        (0..minutiae).flat_map(|n| [n * 10, n * 3, 0x40 | ((n * 5) & 0x3F)]).collect()
    }

    #[test]
    fn sizes() {
        for (length, expected) in
            [(0, false), (33, false), (36, true), (37, false), (180, true), (183, false)]
        {
            assert_eq!(is_well_formed(&std::vec![0; length]), expected, "{length}");
        }
    }

    #[test]
    fn what_agrees_and_what_does_not() {
        let cases: [([u8; 3], [u8; 3], bool); 14] = [
            ([50, 50, 0x41], [50, 50, 0x41], true),
            ([50, 50, 0x41], [54, 46, 0x41], true),
            ([50, 50, 0x41], [55, 50, 0x41], false),
            ([50, 50, 0x41], [50, 45, 0x41], false),
            ([2, 254, 0x41], [254, 2, 0x41], false),
            ([50, 50, 0x41], [50, 50, 0x43], true),
            ([50, 50, 0x41], [50, 50, 0x44], false),
            // Around the circle: 01 and 3F are two steps apart, 01 and 3E three.
            ([50, 50, 0x41], [50, 50, 0x7F], true),
            ([50, 50, 0x41], [50, 50, 0x7E], false),
            ([50, 50, 0x7F], [50, 50, 0x41], true),
            // A ridge ending is no bifurcation; "other" is both.
            ([50, 50, 0x41], [50, 50, 0x81], false),
            ([50, 50, 0x41], [50, 50, 0x01], true),
            ([50, 50, 0x01], [50, 50, 0x81], true),
            ([50, 50, 0xC1], [50, 50, 0x41], false),
        ];
        for (one, other, expected) in cases {
            assert_eq!(bool::from(agree(one, other)), expected, "{one:02X?} {other:02X?}");
            assert_eq!(bool::from(agree(other, one)), expected, "{other:02X?} {one:02X?}");
        }
    }

    #[test]
    fn three_quarters_rounded_up_are_needed() {
        for (enrolled, needed) in [(12_u8, 9_u8), (13, 10), (14, 11), (15, 12), (16, 12), (60, 45)] {
            let enrolled_finger: Vec<u8> =
                (0..enrolled).flat_map(|n| [n % 16 * 16, n / 16 * 16, 0x40]).collect();
            for right in [needed - 1, needed] {
                // The others lie where nobody is.
                let mut presented = enrolled_finger.clone();
                for minutia in presented.chunks_mut(3).skip(usize::from(right)) {
                    minutia[1] += 0x80;
                }
                assert_eq!(matches(&enrolled_finger, &presented), right == needed, "{right} of {enrolled}");
            }
        }
    }

    #[test]
    fn one_presented_minutia_counts_once_and_order_does_not_matter() {
        let enrolled = finger(16);
        let mut reversed: Vec<u8> = enrolled.chunks(3).rev().flatten().copied().collect();
        assert!(matches(&enrolled, &reversed));
        // More minutiae than are enrolled do no harm.
        reversed.extend([0xF0, 0xF0, 0x40]);
        assert!(matches(&enrolled, &reversed));
        let heap = [50, 50, 0x41].repeat(12);
        assert!(!matches(&heap, &[&[50, 50, 0x41][..], &[200, 200, 0x41].repeat(11)].concat()));
        assert!(!matches(&[], &[]));
        assert!(!matches(&[], &enrolled));
        assert!(!matches(&enrolled, &[]));
    }
}
