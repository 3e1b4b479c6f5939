//! A face record (ANSI INCITS 385-2004, restricted by SP 800-76-2, table 12) with a drawn portrait.

use rand_core::CryptoRng;

use super::{jpeg, portrait};

/// Image type 1: full frontal.
const FULL_FRONTAL: u8 = 0x01;
/// Image data type 0: JPEG.
const JPEG: u8 = 0x00;
/// Colour space 1: sRGB, 24 bits.
const SRGB: u8 = 0x01;
/// Source type 2: still image from a digital camera.
const DIGITAL_CAMERA: u8 = 0x02;

/// The record: facial header, one image without feature points, the image.
pub(crate) fn face_record(rng: &mut dyn CryptoRng) -> Vec<u8> {
    let picture = portrait::portrait(rng);
    let image = jpeg::encode(&picture);
    let information = [
        // No feature points; gender, eyes and hair not specified; no properties; expression, pose and its uncertainty
        // not specified.
        &[0; 16][..],
        &[FULL_FRONTAL, JPEG],
        &picture.width.to_be_bytes(),
        &picture.height.to_be_bytes(),
        &[SRGB, DIGITAL_CAMERA],
        // Device and quality not specified.
        &[0; 4],
        &image,
    ]
    .concat();
    let block_length = length(information.len() + 4);
    let record_length = length(information.len() + 18);
    [b"FAC\x00010\0".as_slice(), &record_length, &[0x00, 0x01], &block_length, &information].concat()
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    /// The assertions of SP 800-85B, 9.6, and the lengths.
    #[test]
    fn the_record_meets_the_conformance_test() {
        let record = face_record(&mut random::from_seed("test of faces", 1));
        assert_eq!(hex::encode_upper(&record[..8]), "4641430030313000");
        assert_eq!(record[8..12], u32::try_from(record.len()).unwrap().to_be_bytes());
        assert_eq!(record[12..14], [0, 1]);
        assert_eq!(record[14..18], u32::try_from(record.len() - 14).unwrap().to_be_bytes());
        assert_eq!(record[18..34], [0; 16]);
        assert_eq!(record[34..46], [0x01, 0x00, 0x01, 0xA4, 0x02, 0x30, 0x01, 0x02, 0, 0, 0, 0]);
        assert_eq!(record[46..48], [0xFF, 0xD8]);
        assert_eq!(record[record.len() - 2..], [0xFF, 0xD9]);
    }
}
