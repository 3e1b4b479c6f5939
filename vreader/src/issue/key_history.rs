//! The Key History Object, `5FC10C` (SP 800-73-5 part 1, 3.3.3 and table 21), and the file for certificates that are not on
//! the card.
//!
//! Keys with certificates on the card are numbered from `82` up. Keys whose certificates are elsewhere are numbered from `95`
//! down; their certificates are in one file, whose name is its own hash, at the URL in element `F3`.

use card_sim::key::{KeyReference, RetiredNumber};
use der::{Decode, Encode, Sequence, asn1::OctetString};
use sha2::{Digest, Sha256};
use x509_cert::Certificate;

use super::{
    error::{IssueError, encoding},
    features::{Features, MAX_RETIRED_KEYS},
    tlv::element,
};

/// Where the file would be published: RFC 2606 keeps `example.com` for examples.
const HOST: &str = "http://pki.example.com/";

/// The certificates of retired keys that are not on the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffCardCertificates {
    /// Name of the file: its SHA-256 in hex.
    pub name: String,
    /// Where the Key History Object says that it is.
    pub url: String,
    /// The file, in DER.
    pub file: Vec<u8>,
}

#[derive(Sequence)]
struct Entry {
    key_reference: OctetString,
    certificate: Certificate,
}

impl OffCardCertificates {
    /// The file of these certificates in DER.
    pub(crate) fn new(certificates: &[(KeyReference, Vec<u8>)]) -> Result<Self, IssueError> {
        let file = || {
            let entry = |(reference, der): &(KeyReference, Vec<u8>)| {
                let key_reference = OctetString::new([reference.to_byte()])?;
                Ok(Entry { key_reference, certificate: Certificate::from_der(der)? })
            };
            certificates.iter().map(entry).collect::<Result<Vec<_>, der::Error>>()?.to_der()
        };
        let file = file().map_err(encoding("file of off-card certificates"))?;
        let name = hex::encode(Sha256::digest(&file));
        Ok(Self { url: format!("{HOST}{name}"), name, file })
    }
}

/// The retired keys with certificates on the card.
pub(crate) fn on_card(features: &Features) -> impl Iterator<Item = KeyReference> + use<> {
    (1..=features.retired_keys).filter_map(RetiredNumber::new).map(KeyReference::Retired)
}

/// The retired keys with certificates elsewhere.
pub(crate) fn off_card(features: &Features) -> impl Iterator<Item = KeyReference> + use<> {
    let first = MAX_RETIRED_KEYS.saturating_sub(features.retired_off_card).saturating_add(1);
    (first..=MAX_RETIRED_KEYS).rev().filter_map(RetiredNumber::new).map(KeyReference::Retired)
}

/// The container.
pub(crate) fn key_history(features: &Features, off_card: Option<&OffCardCertificates>) -> Vec<u8> {
    let url = off_card.map(|off_card| element(0xF3, off_card.url.as_bytes()));
    [
        element(0xC1, &[features.retired_keys]),
        element(0xC2, &[features.retired_off_card]),
        url.unwrap_or_default(),
        element(0xFE, &[]),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(retired_keys: u8, retired_off_card: u8) -> Features {
        Features { retired_keys, retired_off_card, ..Features::default() }
    }

    #[test]
    fn contents_are_those_of_real_cards() {
        assert_eq!(hex::encode_upper(key_history(&features(1, 0), None)), "C10101C20100FE00");
        assert_eq!(hex::encode_upper(key_history(&features(0, 0), None)), "C10100C20100FE00");
    }

    #[test]
    fn keys_are_numbered_from_both_ends() {
        let bytes = |keys: Vec<KeyReference>| keys.into_iter().map(KeyReference::to_byte).collect::<Vec<_>>();
        let some = features(3, 2);
        assert_eq!(bytes(on_card(&some).collect()), [0x82, 0x83, 0x84]);
        assert_eq!(bytes(off_card(&some).collect()), [0x95, 0x94]);
        assert_eq!(off_card(&features(20, 0)).count(), 0);
        assert_eq!(bytes(off_card(&features(0, 20)).collect())[19], 0x82);
    }

    #[test]
    fn the_url_ends_with_the_name_and_fits() {
        let off_card = OffCardCertificates::new(&[]).unwrap();
        assert!(off_card.url.ends_with(&off_card.name) && off_card.name.len() == 64);
        // Table 21.
        assert!(off_card.url.len() <= 118);
        let object = key_history(&features(0, 1), Some(&off_card));
        assert_eq!(object[..7], [0xC1, 1, 0, 0xC2, 1, 1, 0xF3]);
        assert!(object.len() <= 128);
    }
}
