//! The Discovery Object, `7E` (SP 800-73-5 part 1, 3.3.2). It is not wrapped in `53`.

use super::tlv::element;

/// The PIV card application's full AID.
const AID: [u8; 11] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];

/// PIN usage policy, first byte: the PIV PIN opens the card; no Global PIN, no on-card comparison, no VCI.
const PIV_PIN_ONLY: u8 = 0x40;
/// PIN usage policy, second byte: no preference, because there is no Global PIN.
const NO_PREFERENCE: u8 = 0x00;

/// The object's contents, without its own tag `7E`.
pub(crate) fn discovery_object() -> Vec<u8> {
    // 5F2F is the one element of two tag bytes on a PIV card.
    let pin_usage_policy = [0x5F, 0x2F, 0x02, PIV_PIN_ONLY, NO_PREFERENCE];
    [element(0x4F, &AID), pin_usage_policy.to_vec()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_those_of_real_cards() {
        // A NIST SD33 card, and its policy 48 00 (PIV PIN and VCI) without the VCI.
        let expected = "4F0BA0000003080000100001005F2F024000";
        assert_eq!(hex::encode_upper(discovery_object()), expected);
    }
}
