//! The Security Object, `5FC106` (SP 800-73-5 part 1, 3.1.7 and table 12): signed hashes of the unsigned containers.
//!
//! `BA` says which container each data group is, `BB` is a signed LDS security object (ICAO 9303 part 10). A hash is
//! over a container without its outer tag and length, and with its `FE 00`, as measured on real cards.

use card_sim::crypto::Crypto;
use der::{Encode, Sequence, asn1::OctetString};
use spki::AlgorithmIdentifierOwned;

use super::{
    cms::{self, Content},
    error::{IssueError, encoding},
    oid,
    pki::Authority,
    signature::Hash,
    tlv::elements,
};

/// Tags of the elements.
pub(crate) mod tag {
    pub(crate) const MAPPING: u8 = 0xBA;
    pub(crate) const SIGNED_HASHES: u8 = 0xBB;
    pub(crate) const ERROR_DETECTION_CODE: u8 = 0xFE;
}

/// LDSSecurityObject, version 0.
#[derive(Sequence)]
pub(crate) struct LdsSecurityObject {
    pub(crate) version: u8,
    pub(crate) hash_algorithm: AlgorithmIdentifierOwned,
    pub(crate) hashes: Vec<DataGroupHash>,
}

/// The hash of a data group.
#[derive(Sequence)]
pub(crate) struct DataGroupHash {
    pub(crate) number: u8,
    pub(crate) hash: OctetString,
}

/// A container that the Security Object covers.
#[derive(Clone, Copy)]
pub(crate) struct Covered<'a> {
    /// Number of the data group.
    pub(crate) number: u8,
    /// Container identifier (SP 800-73-5 part 1, table 7).
    pub(crate) container: u16,
    /// What is hashed.
    pub(crate) contents: &'a [u8],
}

/// The container that covers `covered`.
pub(crate) fn security_object(
    covered: &[Covered<'_>],
    signer: &Authority,
    crypto: &mut dyn Crypto,
) -> Result<Vec<u8>, IssueError> {
    let failed = || encoding("Security Object");
    let hash = Hash::of(signer.key().algorithm());
    let mut mapping = Vec::new();
    let mut hashes = Vec::new();
    for object in covered {
        let number = object.number;
        let [high, low] = object.container.to_be_bytes();
        mapping.extend([number, high, low]);
        let digest = OctetString::new(hash.digest(object.contents)).map_err(failed())?;
        hashes.push(DataGroupHash { number, hash: digest });
    }
    let lds = LdsSecurityObject { version: 0, hash_algorithm: hash.identifier(), hashes };
    let content = Content {
        kind: oid::CONTENT_LDS_SECURITY_OBJECT,
        bytes: &lds.to_der().map_err(failed())?,
        embedded: true,
        with_certificate: false,
        attributes: Vec::new(),
    };
    let signed = cms::sign(&content, signer, crypto)?;
    Ok(elements([(tag::MAPPING, &mapping), (tag::SIGNED_HASHES, &signed), (tag::ERROR_DETECTION_CODE, &[])]))
}
