//! The Key History Object, `5FC10C` (SP 800-73-5 part 1, 3.3.3 and table 21).

use super::tlv::elements;

/// The container of a card whose retired keys all have their certificates on the card. The URL `F3` is only for
/// certificates elsewhere.
pub(crate) fn key_history(retired_keys: u8) -> Vec<u8> {
    elements([(0xC1, &[retired_keys]), (0xC2, &[0]), (0xFE, &[])])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_those_of_real_cards() {
        assert_eq!(hex::encode_upper(key_history(1)), "C10101C20100FE00");
        assert_eq!(hex::encode_upper(key_history(0)), "C10100C20100FE00");
    }
}
