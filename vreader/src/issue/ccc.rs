//! The Card Capability Container, `5FC107` (SP 800-73-5 part 1, 3.1.1 and table 8).

use super::tlv::{element, elements};

/// The card identifier of GSC-IS (NISTIR 6887, 6.4) up to the card's own number: registered application provider of
/// NIST, manufacturer, and card type 02, a Java card.
const CARD_IDENTIFIER: [u8; 7] = [0xA0, 0x00, 0x00, 0x01, 0x16, 0xFF, 0x02];

/// Length of a card's own number.
pub(crate) const CARD_ID_LENGTH: usize = 14;

/// The card identifier of the card with this number: the value of `F0`.
pub(crate) fn card_identifier(card_id: &[u8; CARD_ID_LENGTH]) -> Vec<u8> {
    [&CARD_IDENTIFIER[..], card_id].concat()
}

/// The container of the card with this number. PIV fixes only the data model number; container and grammar version are those of GSC-IS 2.1.
pub(crate) fn card_capability_container(card_id: &[u8; CARD_ID_LENGTH]) -> Vec<u8> {
    elements([
        (0xF0, &card_identifier(card_id)),
        (0xF1, &[0x21]),
        (0xF2, &[0x21]),
        (0xF3, &[]),
        (0xF4, &[]),
        (0xF5, &[0x10]),
        (0xF6, &[]),
        (0xF7, &[]),
        (0xFA, &[]),
        (0xFB, &[]),
        (0xFC, &[]),
        (0xFD, &[]),
        (0xFE, &[]),
    ])
}

/// The container with nothing in it but the data model, as NIST's test cards have it.
pub(crate) fn minimal_card_capability_container() -> Vec<u8> {
    let before = [0xF0, 0xF1, 0xF2, 0xF3, 0xF4].map(|tag| element(tag, &[]));
    let after = [0xF6, 0xF7, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE].map(|tag| element(tag, &[]));
    [before.concat(), element(0xF5, &[0x10]), after.concat()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimal_container_is_that_of_real_cards() {
        let expected = "F000F100F200F300F400F50110F600F700FA00FB00FC00FD00FE00";
        assert_eq!(hex::encode_upper(minimal_card_capability_container()), expected);
    }

    #[test]
    fn elements_stand_in_the_order_of_table_8() {
        let container = card_capability_container(&[0x5A; CARD_ID_LENGTH]);
        let elements: Vec<_> = apdu::tlv_ber::Reader::single_byte_tags(&container)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap();
        let shape: Vec<_> = elements.iter().map(|tlv| (tlv.tag.number(), tlv.value.len())).collect();
        let expected = [
            (0xF0, 21),
            (0xF1, 1),
            (0xF2, 1),
            (0xF3, 0),
            (0xF4, 0),
            (0xF5, 1),
            (0xF6, 0),
            (0xF7, 0),
            (0xFA, 0),
            (0xFB, 0),
            (0xFC, 0),
            (0xFD, 0),
            (0xFE, 0),
        ];
        assert_eq!(shape, expected);
        assert_eq!(elements[5].value, [0x10]);
    }
}
