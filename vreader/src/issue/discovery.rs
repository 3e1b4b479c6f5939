//! The Discovery Object, `7E` (SP 800-73-5 part 1, 3.3.2). It is not wrapped in `53`.

use super::tlv::{element, long_element};

/// The PIV card application's full AID.
const AID: [u8; 11] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];

/// The object's contents, without its own tag `7E`, with this PIN usage policy.
pub(crate) fn discovery_object(policy: [u8; 2]) -> Vec<u8> {
    [element(0x4F, &AID), long_element(0x5F2F, &policy)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_those_of_real_cards() {
        // A NIST SD33 card.
        let expected = "4F0BA0000003080000100001005F2F024800";
        assert_eq!(hex::encode_upper(discovery_object([0x48, 0x00])), expected);
    }
}
