//! The Card Holder Unique Identifier, `5FC102` (SP 800-73-5 part 1, 3.1.2 and table 9).
//!
//! The elements are those of revision 5, in its order: `30 34 35 36 3E FE`. Signed is every element but `3E`, including
//! `FE 00`, as on every real card that was checked.

use card_sim::crypto::Crypto;

use super::{
    cms::{self, Content},
    date::Date,
    error::{IssueError, encoding},
    oid,
    person::{CardNumbers, Person},
    pki::Authority,
    tlv::{element, elements},
};

/// Tags of the elements.
pub(crate) mod tag {
    pub(crate) const FASCN: u8 = 0x30;
    pub(crate) const GUID: u8 = 0x34;
    pub(crate) const EXPIRATION_DATE: u8 = 0x35;
    pub(crate) const CARDHOLDER_UUID: u8 = 0x36;
    pub(crate) const SIGNATURE: u8 = 0x3E;
    pub(crate) const ERROR_DETECTION_CODE: u8 = 0xFE;
}

/// The value of `3E`: the signature over all other elements.
pub(super) fn signature(
    others: &[u8],
    signer: &Authority,
    crypto: &mut dyn Crypto,
) -> Result<Vec<u8>, IssueError> {
    let content = Content {
        kind: oid::CONTENT_CHUID,
        bytes: others,
        embedded: false,
        with_certificate: true,
        attributes: vec![cms::signer_name(signer).map_err(encoding("content signer's name"))?],
    };
    cms::sign(&content, signer, crypto)
}

/// The signed container.
pub(crate) fn chuid(
    person: &Person,
    numbers: &CardNumbers,
    expires: Date,
    signer: &Authority,
    crypto: &mut dyn Crypto,
) -> Result<Vec<u8>, IssueError> {
    let before_signature = elements([
        (tag::FASCN, &numbers.fascn_bytes),
        (tag::GUID, &numbers.guid.0),
        (tag::EXPIRATION_DATE, expires.compact().as_bytes()),
        (tag::CARDHOLDER_UUID, &person.uuid.0),
    ]);
    let after_signature = element(tag::ERROR_DETECTION_CODE, &[]);
    let signature = signature(&[&*before_signature, &after_signature].concat(), signer, crypto)?;
    Ok([before_signature, element(tag::SIGNATURE, &signature), after_signature].concat())
}
