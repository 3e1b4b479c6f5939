//! Fingers for on-card comparison: what is enrolled, and the group of biometric information templates `7F61` that tells
//! readers which minutiae to send (SP 800-73-5 part 1, 3.3.6; SP 800-76-2, 5.5 and table 7).
//!
//! The fingers are those of the off-card fingerprints in `5FC103`, in the compact card format: whoever may read these can
//! work out what the card compares with. They are nobody's.

use card_sim::{
    on_card_comparison::{FEWEST, MOST},
    reference::Reference,
};
use zeroize::Zeroizing;

use super::tlv::{element, elements, long_element};

/// What is compared with a presented finger: see [`card_sim::on_card_comparison`].
pub type Finger = Zeroizing<Vec<u8>>;

/// Minutiae that are enrolled of a sample finger. A command holds them, and a line of text.
const ENROLLED: usize = 24;

/// The header of a minutiae record, and of one view (ANSI INCITS 378-2004, tables 3 and 4).
const RECORD_HEADER: usize = 26;
const VIEW_HEADER: usize = 4;
const MINUTIA: usize = 6;
const EXTENDED_DATA: usize = 2;

/// Pixels for a centimetre of the sample fingers.
const RESOLUTION: u32 = 197;

/// The two fingers of a minutiae record, in the compact card format.
pub(crate) fn fingers(record: &[u8]) -> Vec<Finger> {
    let mut views = record.get(RECORD_HEADER..).unwrap_or_default();
    let mut fingers = Vec::new();
    while let Some((&[.., count], rest)) = views.split_first_chunk::<VIEW_HEADER>() {
        let length = usize::from(count) * MINUTIA;
        let (minutiae, _) = rest.get(..length).unwrap_or_default().as_chunks::<MINUTIA>();
        fingers.push(Zeroizing::new(minutiae.iter().take(ENROLLED).flat_map(|one| compact(*one)).collect()));
        views = rest.get(length + EXTENDED_DATA..).unwrap_or_default();
    }
    fingers
}

/// One minutia: pixels become tenths of a millimetre, steps of two degrees become steps of 360°/64.
fn compact([x_high, x_low, y_high, y_low, angle, _quality]: [u8; MINUTIA]) -> [u8; 3] {
    let tenths = |high: u8, low: u8| {
        let pixels = u32::from(u16::from_be_bytes([high & 0x3F, low]));
        u8::try_from(pixels * 100 / RESOLUTION).unwrap_or(u8::MAX)
    };
    let kind = x_high & 0xC0;
    // Of 180 steps to a circle; 63.6 is the last.
    let direction = u8::try_from(u16::from(angle) * 64 / 180).unwrap_or(0) & 0x3F;
    [tenths(x_high, x_low), tenths(y_high, y_low), kind | direction]
}

/// Right and left index finger as ISO/IEC 19785-3 numbers them.
const FINGER_SUBTYPES: [u8; 2] = [0x09, 0x0A];

/// The contents of the group, without its own tag `7F61`: a template for each finger. Without any: `02 01 00`.
pub(crate) fn information_templates(fingers: usize) -> Vec<u8> {
    let references = [Reference::PrimaryFinger, Reference::SecondaryFinger];
    let templates = references.into_iter().zip(FINGER_SUBTYPES).take(fingers);
    let count = u8::try_from(templates.len()).unwrap_or(u8::MAX);
    let templates = templates.flat_map(|(reference, subtype)| {
        // Fewest and most minutiae; no order is asked for.
        let requirements = elements([(0x81, &[FEWEST, MOST]), (0x82, &[0x00])]);
        // Type fingerprint, subtype, format owner ISO/IEC JTC 1/SC 37, format compact card.
        let about = elements([
            (0x81, &[0x08]),
            (0x82, &[subtype]),
            (0x87, &[0x01, 0x01]),
            (0x88, &[0x00, 0x05]),
            (0xB1, &requirements),
        ]);
        long_element(0x7F60, &elements([(0x83, &[reference.to_byte()]), (0xA1, &about)]))
    });
    [element(0x02, &[count]), templates.collect()].concat()
}

#[cfg(test)]
mod tests {
    use card_sim::on_card_comparison::{is_well_formed, matches};

    use super::*;
    use crate::{issue::fingerprint::minutiae_record, random};

    #[test]
    fn sample_fingers_are_two_different_ones() {
        let record = minutiae_record(&mut random::from_seed("fingers", 1));
        let fingers = fingers(&record);
        let [right, left] = fingers.as_slice() else { panic!("{} fingers", fingers.len()) };
        assert!(is_well_formed(right) && is_well_formed(left));
        assert!(matches(right, right) && matches(left, left));
        assert!(!matches(right, left) && !matches(left, right));
    }

    #[test]
    fn minutiae_are_converted_by_hand() {
        // Ridge ending at 197, 394 pixels, 90 degrees: 10 mm, 20 mm, a quarter of the circle.
        assert_eq!(compact([0x40, 197, 0x01, 0x8A, 45, 60]), [100, 200, 0x50]);
        // Bifurcation at the end of everything.
        assert_eq!(compact([0x81, 0x90, 0x01, 0xF4, 179, 60]), [203, 253, 0xBF]);
    }

    #[test]
    fn the_group_has_the_length_that_its_container_has_room_for() {
        assert_eq!(hex::encode_upper(information_templates(0)), "020100");
        let group = information_templates(2);
        assert_eq!(group.len(), 65);
        assert_eq!(
            hex::encode_upper(&group[..34]),
            "0201027F601C830196A117810108820109870201018802000 5B107810 20C3C820100".replace(' ', "")
        );
    }

    #[test]
    fn records_that_are_cut_short_give_what_is_whole() {
        let record = minutiae_record(&mut random::from_seed("fingers", 1));
        for length in 0..record.len() {
            assert!(fingers(&record[..length]).len() <= 2);
        }
    }
}
