//! Biometric containers: a CBEFF header, a record, and a signature over both (SP 800-76-2, section 9).
//!
//! | offset | length | field | fingerprints | face |
//! |---|---|---|---|---|
//! | 0 | 1 | patron header version | `03` | `03` |
//! | 1 | 1 | signed, not encrypted | `0D` | `0D` |
//! | 2 | 4 | length of the record | | |
//! | 6 | 2 | length of the signature | | |
//! | 8 | 2 | format owner, INCITS M1 | `001B` | `001B` |
//! | 10 | 2 | format type | `0201` | `0501` |
//! | 12 | 8 | creation date | | |
//! | 20 | 16 | validity, from and to | | |
//! | 36 | 3 | biometric type | `000008` | `000002` |
//! | 39 | 1 | data type | `80` processed | `20` raw |
//! | 40 | 1 | quality: -2, not known | `FE` | `FE` |
//! | 41 | 18 | creator, ends with a zero | | |
//! | 59 | 25 | FASC-N, as in the CHUID | | |
//! | 84 | 4 | reserved, zero | | |

use card_sim::crypto::{Crypto, CryptoError};

use super::{
    cms::{self, Content},
    date::{Date, Moment},
    error::{IssueError, encoding},
    oid,
    person::CardNumbers,
    pki::Authority,
    tlv::elements,
};

/// Tag of header, record and signature in the container.
pub(crate) const BIOMETRIC: u8 = 0xBC;
const ERROR_DETECTION_CODE: u8 = 0xFE;

/// -2: quality is meaningless for made-up data.
const QUALITY_UNKNOWN: u8 = 0xFE;

/// At most 17 characters and a zero.
const CREATOR: &[u8; 18] = b"Sample data only\0\0";

/// What kind of record follows the header.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Finger minutiae, INCITS 378.
    Fingerprints,
    /// Face image, INCITS 385.
    Face,
}

impl Kind {
    const fn format_type(self) -> [u8; 2] {
        match self {
            Self::Fingerprints => [0x02, 0x01],
            Self::Face => [0x05, 0x01],
        }
    }

    const fn biometric_type(self) -> [u8; 3] {
        match self {
            Self::Fingerprints => [0x00, 0x00, 0x08],
            Self::Face => [0x00, 0x00, 0x02],
        }
    }

    const fn data_type(self) -> u8 {
        match self {
            Self::Fingerprints => 0x80,
            Self::Face => 0x20,
        }
    }
}

/// The signed container of `record`, taken on the day of issue and valid as long as the card.
///
/// The header that is signed holds the length of the signature, and the length of an ECDSA signature is known only
/// afterwards: its two integers are sometimes a byte shorter. So sign with the last length seen until it fits, each
/// time with a creation time one second later, because the same bytes would give the same signature again.
pub(crate) fn container(
    kind: Kind,
    record: &[u8],
    numbers: &CardNumbers,
    (issued, expires): (Date, Date),
    signer: &Authority,
    crypto: &mut dyn Crypto,
) -> Result<Vec<u8>, IssueError> {
    let mut attributes = vec![cms::signer_name(signer).map_err(encoding("content signer's name"))?];
    attributes.extend(cms::card_numbers(numbers).map_err(encoding("card numbers"))?);
    let mut signature_length = 0;
    for second in 0..60 {
        let created = issued.cbeff((0, 0, second));
        let header = Header { kind, record_length: record.len(), signature_length, created, issued, expires };
        let signed = [&header.encode(numbers)[..], record].concat();
        let content = Content {
            kind: oid::CONTENT_BIOMETRIC,
            bytes: &signed,
            embedded: false,
            with_certificate: false,
            attributes: attributes.clone(),
        };
        let signature = cms::sign(&content, signer, crypto)?;
        if signature.len() == signature_length {
            let biometric = [signed, signature].concat();
            return Ok(elements([(BIOMETRIC, &biometric), (ERROR_DETECTION_CODE, &[])]));
        }
        signature_length = signature.len();
    }
    // At least every fourth signature has the length of the one before.
    Err(IssueError::Crypto { operation: "sign biometrics", error: CryptoError::Failed })
}

struct Header {
    kind: Kind,
    record_length: usize,
    signature_length: usize,
    created: [u8; 8],
    issued: Date,
    expires: Date,
}

impl Header {
    #[expect(clippy::cast_possible_truncation, reason = "records and signatures are a few kilobytes")]
    fn encode(&self, numbers: &CardNumbers) -> Vec<u8> {
        [
            &[0x03][..],
            &[0x0D],
            &(self.record_length as u32).to_be_bytes(),
            &(self.signature_length as u16).to_be_bytes(),
            &[0x00, 0x1B],
            &self.kind.format_type(),
            &self.created,
            &self.issued.cbeff(Moment::Start.clock()),
            &self.expires.cbeff(Moment::End.clock()),
            &self.kind.biometric_type(),
            &[self.kind.data_type()],
            &[QUALITY_UNKNOWN],
            CREATOR,
            &numbers.fascn_bytes,
            &[0; 4],
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{issue::person::Person, random};

    #[test]
    fn the_header_has_its_fields_at_the_offsets_of_the_table() {
        let mut rng = random::from_seed("test of CBEFF", 1);
        let person = Person::sample(&mut rng, None).unwrap();
        let numbers = CardNumbers::sample(&mut rng, &person).unwrap();
        let date = |text: &str| text.parse::<Date>().unwrap();
        let header = Header {
            kind: Kind::Face,
            record_length: 0x1234,
            signature_length: 0x0314,
            created: date("2018-07-23").cbeff((5, 48, 42)),
            issued: date("2018-05-16"),
            expires: date("2032-12-02"),
        };
        let bytes = header.encode(&numbers);
        assert_eq!(bytes.len(), 88);
        assert_eq!(hex::encode_upper(&bytes[..12]), "030D000012340314001B0501");
        // 2018-07-23 05:48:42Z as on GSA ICAM test card 01.
        assert_eq!(hex::encode_upper(&bytes[12..20]), "1412071705302A5A");
        assert_eq!(hex::encode_upper(&bytes[20..36]), "141205100000005A14200C02173B3B5A");
        assert_eq!(bytes[36..41], [0x00, 0x00, 0x02, 0x20, 0xFE]);
        assert_eq!(bytes[41..59], *b"Sample data only\0\0");
        assert_eq!(bytes[59..84], numbers.fascn_bytes);
        assert_eq!(bytes[84..], [0; 4]);
    }
}
