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

use card_sim::crypto::Crypto;

use super::{
    cms::{self, Content},
    date::{Date, Moment},
    error::{IssueError, encoding},
    oid,
    person::CardNumbers,
    pki::Authority,
    tlv::elements,
};

/// Length of the CBEFF header in bytes.
pub(crate) const HEADER_LENGTH: usize = 88;

/// Tag of header, record and signature in the container.
pub(crate) const BIOMETRIC: u8 = 0xBC;
const ERROR_DETECTION_CODE: u8 = 0xFE;

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
pub(crate) fn container(
    kind: Kind,
    record: &[u8],
    numbers: &CardNumbers,
    (issued, expires): (Date, Date),
    signer: &Authority,
    crypto: &mut dyn Crypto,
) -> Result<Vec<u8>, IssueError> {
    // The header holds the length of the signature over the header. ECDSA signatures vary by a few bytes, so sign
    // until the length that was signed is the length that came out.
    let mut signature_length = 0;
    for _ in 0..MAX_SIGNATURE_ATTEMPTS {
        let signed = [&*header(kind, record.len(), signature_length, numbers, issued, expires), record].concat();
        let mut attributes = vec![cms::signer_name(signer).map_err(encoding("content signer's name"))?];
        attributes.extend(cms::card_numbers(numbers).map_err(encoding("card numbers"))?);
        let content = Content {
            content_type: oid::CONTENT_BIOMETRIC,
            bytes: &signed,
            embedded: false,
            with_certificate: false,
            attributes,
        };
        let signature = cms::sign(content, signer, crypto)?;
        if signature.len() == signature_length {
            let biometric = [signed, signature].concat();
            return Ok(elements([(BIOMETRIC, &biometric), (ERROR_DETECTION_CODE, &[])]));
        }
        signature_length = signature.len();
    }
    Err(IssueError::SignatureLength)
}
