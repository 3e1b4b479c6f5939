//! The FASC-N: the federal number of a card, 25 bytes of five-bit symbols.
//!
//! Follows "Technical Implementation Guidance: Smart Card Enabled Physical Access Control Systems" 2.3, to which
//! SP 800-73-5 part 1, 3.1.2, refers. 40 symbols, each four data bits, least significant first, and an odd parity
//! bit:
//!
//! `SS AAAA FS SSSS FS CCCCCC FS s FS i FS PPPPPPPPPP O IIII a ES LRC`
//!
//! The LRC is the exclusive or of the 39 symbols before it, parity bits included. Decoding checks separators, parity,
//! LRC and that every digit is one: a number that circulated in old vendor manuals passes parity and LRC, but holds a
//! digit "12".

use std::fmt;

/// Length of an encoded FASC-N in bytes.
pub const LENGTH: usize = 25;

/// How many symbols a FASC-N has.
const SYMBOLS: usize = 40;

/// Start sentinel, as four data bits.
const SS: u8 = 0xB;
/// Field separator.
const FS: u8 = 0xD;
/// End sentinel.
const ES: u8 = 0xF;

/// The layout: fixed symbols and fields with their number of digits, without the LRC.
const LAYOUT: [Part; 16] = [
    Part::Fixed(SS),
    Part::Digits(4),
    Part::Fixed(FS),
    Part::Digits(4),
    Part::Fixed(FS),
    Part::Digits(6),
    Part::Fixed(FS),
    Part::Digits(1),
    Part::Fixed(FS),
    Part::Digits(1),
    Part::Fixed(FS),
    Part::Digits(10),
    Part::Digits(1),
    Part::Digits(4),
    Part::Digits(1),
    Part::Fixed(ES),
];

#[derive(Clone, Copy)]
enum Part {
    Fixed(u8),
    Digits(usize),
}

/// The fields of a FASC-N.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fascn {
    /// Agency code, 4 digits; 9999 for issuers that are not federal agencies.
    pub agency_code: u16,
    /// System code, 4 digits.
    pub system_code: u16,
    /// Credential number, 6 digits. Unique together with agency and system code.
    pub credential_number: u32,
    /// Credential series, 1 digit.
    pub credential_series: u8,
    /// Individual credential issue, 1 digit.
    pub individual_credential_issue: u8,
    /// Person identifier, 10 digits.
    pub person_identifier: u64,
    /// Organizational category, 1 digit: 1 federal, 2 state, 3 commercial, 4 foreign.
    pub organizational_category: u8,
    /// Organizational identifier, 4 digits.
    pub organizational_identifier: u16,
    /// Person/organization association category, 1 digit: 1 employee, 5 contractor, ...
    pub association_category: u8,
}

/// Why bytes or fields are not a FASC-N. Symbols are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FascnError {
    /// Not 25 bytes.
    #[error("a FASC-N has 25 bytes, these are {0}")]
    Length(usize),
    /// A field has more digits than its place.
    #[error("{value} has more than {digits} digits")]
    FieldTooLarge {
        /// The field's value.
        value: u64,
        /// How many digits there is room for.
        digits: usize,
    },
    /// A symbol with an even number of ones.
    #[error("symbol {0} has the wrong parity")]
    Parity(usize),
    /// The LRC does not belong to the other symbols.
    #[error("the LRC does not match the symbols before it")]
    Lrc,
    /// A sentinel or separator is not where it belongs.
    #[error("symbol {symbol} is {found:X}, not the sentinel or separator {wanted:X}")]
    Separator {
        /// Number of the symbol.
        symbol: usize,
        /// What should stand there.
        wanted: u8,
        /// What stands there.
        found: u8,
    },
    /// A digit above 9.
    #[error("symbol {symbol} is {value}, which is not a decimal digit")]
    Digit {
        /// Number of the symbol.
        symbol: usize,
        /// Its value, 10 to 15.
        value: u8,
    },
}

impl Fascn {
    /// The 25 bytes.
    pub fn encode(&self) -> Result<[u8; LENGTH], FascnError> {
        let mut fields = self.fields().into_iter();
        let mut symbols = Vec::with_capacity(SYMBOLS);
        for part in LAYOUT {
            match part {
                Part::Fixed(value) => symbols.push(symbol(value)),
                Part::Digits(digits) => push_digits(&mut symbols, fields.next().unwrap_or(0), digits)?,
            }
        }
        symbols.push(symbols.iter().fold(0, |lrc, symbol| lrc ^ symbol));
        let number = symbols.iter().fold([0; LENGTH], |bytes, symbol| shift_in(bytes, *symbol));
        Ok(number)
    }

    /// Reads the 25 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, FascnError> {
        let bytes: &[u8; LENGTH] = bytes.try_into().map_err(|_| FascnError::Length(bytes.len()))?;
        let symbols = split(bytes);
        for (index, symbol) in symbols.iter().enumerate().take(SYMBOLS - 1) {
            if symbol.count_ones().is_multiple_of(2) {
                return Err(FascnError::Parity(index + 1));
            }
        }
        if symbols.iter().fold(0, |lrc, symbol| lrc ^ symbol) != 0 {
            return Err(FascnError::Lrc);
        }
        Self::from_symbols(&symbols)
    }

    fn from_symbols(symbols: &[u8; SYMBOLS]) -> Result<Self, FascnError> {
        let mut stream = symbols.iter().map(|symbol| data(*symbol)).enumerate().map(|(i, d)| (i + 1, d));
        let mut fields = Vec::with_capacity(9);
        for part in LAYOUT {
            match part {
                Part::Fixed(wanted) => {
                    let (symbol, found) = stream.next().unwrap_or_default();
                    if found != wanted {
                        return Err(FascnError::Separator { symbol, wanted, found });
                    }
                }
                Part::Digits(digits) => {
                    let mut value = 0_u64;
                    for (symbol, digit) in stream.by_ref().take(digits) {
                        if digit > 9 {
                            return Err(FascnError::Digit { symbol, value: digit });
                        }
                        value = value * 10 + u64::from(digit);
                    }
                    fields.push(value);
                }
            }
        }
        Ok(Self::from_fields(&fields))
    }

    /// The fields in the order of [`LAYOUT`].
    fn fields(&self) -> [u64; 9] {
        [
            self.agency_code.into(),
            self.system_code.into(),
            self.credential_number.into(),
            self.credential_series.into(),
            self.individual_credential_issue.into(),
            self.person_identifier,
            self.organizational_category.into(),
            self.organizational_identifier.into(),
            self.association_category.into(),
        ]
    }

    /// From fields that have at most as many digits as their places, so that the casts keep every digit.
    #[expect(clippy::cast_possible_truncation, reason = "a place of 1, 4 or 6 digits fits its type")]
    fn from_fields(fields: &[u64]) -> Self {
        let field = |index: usize| fields.get(index).copied().unwrap_or_default();
        Self {
            agency_code: field(0) as u16,
            system_code: field(1) as u16,
            credential_number: field(2) as u32,
            credential_series: field(3) as u8,
            individual_credential_issue: field(4) as u8,
            person_identifier: field(5),
            organizational_category: field(6) as u8,
            organizational_identifier: field(7) as u16,
            association_category: field(8) as u8,
        }
    }
}

impl fmt::Display for Fascn {
    /// `AC-SC-CN-CS-ICI-PI-OC-OI-POA`, as the guidance prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}-{:04}-{:06}-{}-{}-{:010}-{}-{:04}-{}",
            self.agency_code,
            self.system_code,
            self.credential_number,
            self.credential_series,
            self.individual_credential_issue,
            self.person_identifier,
            self.organizational_category,
            self.organizational_identifier,
            self.association_category
        )
    }
}

fn push_digits(symbols: &mut Vec<u8>, value: u64, digits: usize) -> Result<(), FascnError> {
    let text = format!("{value:0digits$}");
    if text.len() > digits {
        return Err(FascnError::FieldTooLarge { value, digits });
    }
    symbols.extend(text.bytes().map(|digit| symbol(digit - b'0')));
    Ok(())
}

/// Four data bits, least significant first, then the bit that makes the number of ones odd.
fn symbol(data: u8) -> u8 {
    let reversed = data.reverse_bits() >> 4;
    let parity = u8::from(reversed.count_ones().is_multiple_of(2));
    reversed << 1 | parity
}

/// The data bits of a symbol.
fn data(symbol: u8) -> u8 {
    (symbol >> 1).reverse_bits() >> 4
}

/// The whole number five bits to the left, and `symbol` at its end.
fn shift_in(bytes: [u8; LENGTH], symbol: u8) -> [u8; LENGTH] {
    let mut carry = symbol;
    let mut shifted = bytes;
    for byte in shifted.iter_mut().rev() {
        let [low, high] = (u16::from(*byte) << 5 | u16::from(carry)).to_le_bytes();
        (*byte, carry) = (low, high);
    }
    shifted
}

fn split(bytes: &[u8; LENGTH]) -> [u8; SYMBOLS] {
    std::array::from_fn(|index| {
        let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
        (0..5).fold(0, |symbol, offset| symbol << 1 | bit(index * 5 + offset))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex::{decode, encode_upper};

    /// The guidance's worked example, a common sample card, GSA ICAM test cards 46 and 01, NIST SD33 cards 4, 2 and 3.
    const KNOWN: [(&str, &str); 7] = [
        ("0032-0001-092446-0-1-1112223333-1-1223-2", "D0439458210C2C19A0846D83685A1082108CE73984108CA3FC"),
        ("9999-9999-999999-0-1-0000000000-3-0000-1", "D4E739DA739CED39CE739D836858210842108421C84210C3EB"),
        ("4700-0257-000046-1-1-0257000046-1-9999-1", "D13810D828AF2C1084246DA1685828AF0210848D84E739C3EB"),
        ("4700-0256-001337-1-1-1234567890-1-9999-1", "D13810D828AB6C10C339E5A1685A08C92ADE0A6184E739C3E7"),
        ("3201-3733-334894-1-4-1152472674-1-3201-1", "D650185B3CCE6D9C905325A1625A10AA09C4378486501843EB"),
        ("3201-0295-034567-0-0-0000000000-0-0000-0", "D6501858289D6C1C92ADE58360D821084210842108421087E4"),
        ("3201-8575-714932-1-3-7163720148-1-3201-1", "D650185855E56DC8127945A16CDB906E7880C08286501843F5"),
    ];

    #[test]
    fn known_numbers_are_read_and_written() {
        for (text, bytes) in KNOWN {
            let fascn = Fascn::decode(&decode(bytes).unwrap()).unwrap();
            assert_eq!(fascn.to_string(), text);
            assert_eq!(encode_upper(fascn.encode().unwrap()), bytes, "{text}");
        }
    }

    #[test]
    fn the_malformed_number_of_old_manuals_is_recognised() {
        let trap = decode("D4E739DA739CED39CE739D836858210842108421384210C3F5").unwrap();
        assert_eq!(Fascn::decode(&trap), Err(FascnError::Digit { symbol: 33, value: 12 }));
    }

    #[test]
    fn every_single_bit_error_is_noticed() {
        for (text, bytes) in KNOWN {
            let good = decode(bytes).unwrap();
            for bit in 0..LENGTH * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 0x80 >> (bit % 8);
                assert!(Fascn::decode(&bad).is_err(), "{text}, bit {bit}");
            }
        }
    }

    #[test]
    fn errors_say_which_symbol() {
        let good = decode(KNOWN[0].1).unwrap();
        assert_eq!(Fascn::decode(&good[1..]), Err(FascnError::Length(24)));
        let mut parity = good.clone();
        parity[0] ^= 0x80;
        assert_eq!(Fascn::decode(&parity), Err(FascnError::Parity(1)));
        // Two symbols changed in the same two bits: parity and LRC hold.
        let mut sentinel = good.clone();
        sentinel[0] ^= 0b1100_0110;
        assert_eq!(
            Fascn::decode(&sentinel),
            Err(FascnError::Separator { symbol: 1, wanted: SS, found: 0x8 })
        );
        let mut lrc = good;
        lrc[0] ^= 0b1100_0000;
        assert_eq!(Fascn::decode(&lrc), Err(FascnError::Lrc));
    }

    #[test]
    fn fields_that_are_too_large_are_refused() {
        let good = Fascn::decode(&decode(KNOWN[1].1).unwrap()).unwrap();
        let cases: [(Fascn, u64, usize); 4] = [
            (Fascn { agency_code: 10_000, ..good }, 10_000, 4),
            (Fascn { credential_number: 1_000_000, ..good }, 1_000_000, 6),
            (Fascn { credential_series: 10, ..good }, 10, 1),
            (Fascn { person_identifier: 10_000_000_000, ..good }, 10_000_000_000, 10),
        ];
        for (fascn, value, digits) in cases {
            assert_eq!(fascn.encode(), Err(FascnError::FieldTooLarge { value, digits }));
        }
    }

    #[test]
    fn numbers_survive_a_round_trip() {
        let mut rng = crate::random::from_seed("test of FASC-N", 1);
        let mut below = |limit: u64| rand_core::Rng::next_u64(&mut rng) % limit;
        for _ in 0..10_000 {
            let fields = [10_000, 10_000, 1_000_000, 10, 10, 10_000_000_000, 10, 10_000, 10].map(&mut below);
            let fascn = Fascn::from_fields(&fields);
            assert_eq!(fascn.fields(), fields);
            assert_eq!(Fascn::decode(&fascn.encode().unwrap()), Ok(fascn));
        }
    }
}
