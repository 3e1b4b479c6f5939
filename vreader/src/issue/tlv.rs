//! Writing the elements of PIV containers: one-byte tags, BER lengths (SP 800-73-5 part 1, 4.1.1 and appendix A).

use apdu::tlv_ber::{Header, Tag};

/// Tag of the wrapping in which GET DATA and PUT DATA carry a container.
pub(crate) const WRAPPING: u8 = 0x53;

/// One element.
pub(crate) fn element(tag: u8, value: &[u8]) -> Vec<u8> {
    let header = Header::new(Tag::from(tag), value.len());
    // A length field is missing only above 16 MB; what is issued here is a thousand times smaller.
    let header = header.expect("elements of a card are shorter than 16 MB");
    [header.as_slice(), value].concat()
}

/// One element with a tag of two bytes.
pub(crate) fn long_element(tag: u16, value: &[u8]) -> Vec<u8> {
    let header = Header::new(Tag::new(tag.into()), value.len());
    let header = header.expect("elements of a card are shorter than 16 MB");
    [header.as_slice(), value].concat()
}

/// The elements one after the other.
pub(crate) fn elements<const N: usize>(parts: [(u8, &[u8]); N]) -> Vec<u8> {
    parts.into_iter().flat_map(|(tag, value)| element(tag, value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_the_shortest() {
        assert_eq!(element(0xFE, &[]), [0xFE, 0x00]);
        assert_eq!(element(0x30, &[7; 0x7F])[..3], [0x30, 0x7F, 7]);
        assert_eq!(element(0x3E, &[7; 0x80])[..3], [0x3E, 0x81, 0x80]);
        assert_eq!(element(WRAPPING, &[7; 0x1234])[..4], [0x53, 0x82, 0x12, 0x34]);
        assert_eq!(elements([(0x70, &[1, 2]), (0xFE, &[])]), [0x70, 0x02, 1, 2, 0xFE, 0x00]);
    }
}
