//! Printed Information, `5FC109` (SP 800-73-5 part 1, 3.3.1 and table 14): what stands on the card's face.

use super::{
    date::Date,
    name::ORGANIZATION,
    person::{CardNumbers, Person},
    tlv::{element, elements},
};

/// Tags of the elements.
pub(crate) mod tag {
    pub(crate) const NAME: u8 = 0x01;
    pub(crate) const EMPLOYEE_AFFILIATION: u8 = 0x02;
    pub(crate) const EXPIRATION_DATE: u8 = 0x04;
    pub(crate) const AGENCY_CARD_SERIAL_NUMBER: u8 = 0x05;
    pub(crate) const ISSUER_IDENTIFICATION: u8 = 0x06;
    pub(crate) const ORGANIZATION_LINE_1: u8 = 0x07;
    pub(crate) const ORGANIZATION_LINE_2: u8 = 0x08;
    pub(crate) const ERROR_DETECTION_CODE: u8 = 0xFE;
}

/// Department, agency and facility (FIPS 201-3, zone 2B): six, four and five characters.
const ISSUER_IDENTIFICATION: &str = "SAMPLE999900001";

/// The container, with or without the two optional lines of the organization.
pub(crate) fn printed_information(
    person: &Person,
    numbers: &CardNumbers,
    expires: Date,
    organization_lines: bool,
) -> Vec<u8> {
    let serial_number = format!("{:010}", numbers.fascn.credential_number);
    let mandatory = elements([
        (tag::NAME, person.name.as_bytes()),
        (tag::EMPLOYEE_AFFILIATION, b"Sample Employee"),
        (tag::EXPIRATION_DATE, expires.printed().as_bytes()),
        (tag::AGENCY_CARD_SERIAL_NUMBER, serial_number.as_bytes()),
        (tag::ISSUER_IDENTIFICATION, ISSUER_IDENTIFICATION.as_bytes()),
    ]);
    let lines = elements([
        (tag::ORGANIZATION_LINE_1, ORGANIZATION.as_bytes()),
        (tag::ORGANIZATION_LINE_2, b"NOT A REAL CARD"),
    ]);
    let lines = if organization_lines { lines } else { Vec::new() };
    [mandatory, lines, element(tag::ERROR_DETECTION_CODE, &[])].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    /// Largest lengths of table 14.
    const LIMITS: [(u8, usize); 8] =
        [(0x01, 125), (0x02, 20), (0x04, 9), (0x05, 20), (0x06, 15), (0x07, 20), (0x08, 20), (0xFE, 0)];

    #[test]
    fn elements_keep_order_and_limits_of_table_14() {
        let mut rng = random::from_seed("test of printed information", 1);
        let person = Person::sample(&mut rng, Some(&"x".repeat(125))).unwrap();
        let numbers = CardNumbers::sample(&mut rng, &person).unwrap();
        let container = printed_information(&person, &numbers, Date::new(2040, 12, 31).unwrap(), true);
        let mut reader = apdu::tlv_ber::Reader::single_byte_tags(&container);
        for (tag, limit) in LIMITS {
            let value = reader.expect(tag.into()).unwrap();
            assert!(value.len() <= limit, "{tag:02X} has {} bytes", value.len());
            if tag == 0x04 {
                assert_eq!(value, b"2040DEC31");
            }
        }
        reader.finish().unwrap();
        // Table 7: the smallest capacity that a card has for this container.
        assert!(container.len() <= 245, "{}", container.len());
    }
}
