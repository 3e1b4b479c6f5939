//! A synthetic finger minutiae record (ANSI INCITS 378-2004, restricted by SP 800-76-2, table 6).
//!
//! Two fingers, each with minutiae strewn over an oval like a finger tip. Nobody has these fingers: the positions come
//! from the random generator.

use rand_core::CryptoRng;

/// Size of the imagined finger image in pixels.
const WIDTH: u16 = 400;
const HEIGHT: u16 = 500;
/// Pixels per centimetre: 500 pixels per inch.
const RESOLUTION: u16 = 197;

/// Right and left index finger.
const FINGER_POSITIONS: [u8; 2] = [2, 7];
/// Finger quality: one of 20, 40, 60, 80 and 100.
const FINGER_QUALITY: u8 = 80;
const MINUTIA_QUALITY: u8 = 60;

/// Minutiae stand one to a cell of this grid, so that no two are in the same place.
const CELL: u16 = 50;
/// The margin within a cell.
const MARGIN: u16 = 8;

/// The record: header, and one view for each finger.
pub(crate) fn minutiae_record(rng: &mut dyn CryptoRng) -> Vec<u8> {
    let views: Vec<u8> = FINGER_POSITIONS.into_iter().flat_map(|position| view(position, rng)).collect();
    let length = u16::try_from(views.len() + 26).unwrap_or(u16::MAX);
    let header = [
        b"FMR\0 20\0".as_slice(),
        &length.to_be_bytes(),
        // CBEFF product identifier: an owner that is not assigned, and this program's first version.
        &[0xFF, 0xFF, 0x00, 0x01],
        // Certified capture equipment (8), device 001.
        &[0x80, 0x01],
        &WIDTH.to_be_bytes(),
        &HEIGHT.to_be_bytes(),
        &RESOLUTION.to_be_bytes(),
        &RESOLUTION.to_be_bytes(),
        // Two views, one reserved byte.
        &[0x02, 0x00],
    ]
    .concat();
    [header, views].concat()
}

/// Finger position, view 0 and live-scan plain impression, quality, minutiae, and no extended data.
fn view(position: u8, rng: &mut dyn CryptoRng) -> Vec<u8> {
    let minutiae: Vec<[u8; 6]> = cells().map(|cell| minutia(cell, rng)).collect();
    let count = u8::try_from(minutiae.len()).unwrap_or(u8::MAX);
    [&[position, 0x00, FINGER_QUALITY, count][..], &minutiae.concat(), &[0x00, 0x00]].concat()
}

/// The upper left corners of the cells whose centre lies within the oval.
fn cells() -> impl Iterator<Item = (u16, u16)> {
    let rows = (0..HEIGHT / CELL).map(|row| row * CELL);
    let corners = rows.flat_map(|y| (0..WIDTH / CELL).map(move |column| (column * CELL, y)));
    corners.filter(|(x, y)| {
        let across = i32::from(x + CELL / 2) - i32::from(WIDTH / 2);
        let down = i32::from(y + CELL / 2) - i32::from(HEIGHT / 2);
        // (across / 180)² + (down / 220)² <= 1
        (across * 22).pow(2) + (down * 18).pow(2) <= (22 * 180_i32).pow(2)
    })
}

/// Type and x, y, angle in steps of two degrees, quality.
fn minutia((left, top): (u16, u16), rng: &mut dyn CryptoRng) -> [u8; 6] {
    let mut random = [0; 4];
    rng.fill_bytes(&mut random);
    let [dx, dy, angle, ending] = random;
    let within = |offset: u8| MARGIN + u16::from(offset) % (CELL - 2 * MARGIN);
    // The two bits above x: 01 ridge ending, 10 bifurcation.
    let kind = if ending < 160 { 0x4000 } else { 0x8000 };
    let [x_high, x_low] = (kind | (left + within(dx))).to_be_bytes();
    let [y_high, y_low] = (top + within(dy)).to_be_bytes();
    [x_high, x_low, y_high, y_low, angle % 180, MINUTIA_QUALITY]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    /// The assertions of SP 800-85B, 9.4.
    #[test]
    fn the_record_meets_the_conformance_test() {
        for seed in 0..20 {
            let record = minutiae_record(&mut random::from_seed("test of fingerprints", seed));
            assert!((26..=1574).contains(&record.len()));
            assert_eq!(hex::encode_upper(&record[..8]), "464D520020323000");
            assert_eq!(record[8..10], u16::try_from(record.len()).unwrap().to_be_bytes());
            assert_ne!((&record[10..12], &record[12..14]), (&[0, 0][..], &[0, 0][..]));
            assert_eq!((record[14] >> 4, record[15]), (0b1000, 1));
            assert_eq!(hex::encode_upper(&record[16..26]), "019001F400C500C50200");
            let mut rest = &record[26..];
            for position in FINGER_POSITIONS {
                rest = check_view(rest, position);
            }
            assert!(rest.is_empty());
        }
    }

    fn check_view(view: &[u8], position: u8) -> &[u8] {
        let [found, 0x00, quality, count, rest @ ..] = view else { panic!("{view:02X?}") };
        assert_eq!(*found, position);
        assert!([20, 40, 60, 80, 100, 254, 255].contains(quality));
        assert!((30..=128).contains(count), "{count} minutiae");
        let (minutiae, rest) = rest.split_at(usize::from(*count) * 6);
        let mut places = std::collections::HashSet::new();
        for minutia in minutiae.chunks(6) {
            let x = u16::from_be_bytes([minutia[0] & 0x3F, minutia[1]]);
            let y = u16::from_be_bytes([minutia[2], minutia[3]]);
            assert!(matches!(minutia[0] >> 6, 0b01 | 0b10));
            assert!(x < WIDTH && y < HEIGHT && minutia[4] < 180 && minutia[5] <= 100);
            assert!(places.insert((x, y)), "two minutiae at {x}, {y}");
        }
        rest.strip_prefix(&[0, 0]).expect("no extended data")
    }
}
