//! Distinguished names of the sample PKI: always `C=US, O=Sample Organization`, then what the entity is.

use der::{Any, Decode, Encode, Tag, asn1::ObjectIdentifier};
use x509_cert::{
    attr::AttributeTypeAndValue,
    name::{Name, RdnSequence, RelativeDistinguishedName},
};

use super::oid;

/// The organization in every name.
pub(crate) const ORGANIZATION: &str = "Sample Organization";
/// The unit of authorities.
const PKI_UNIT: &str = "Sample PKI";
/// The unit of cards and holders.
const CARD_UNIT: &str = "Sample Cards";

/// Longest common name in characters (RFC 5280, appendix A.1, ub-common-name).
const MAX_COMMON_NAME: usize = 64;

/// The name of an authority or of the content signer.
pub(crate) fn authority(common_name: &str) -> Result<Name, der::Error> {
    name(PKI_UNIT, oid::COMMON_NAME, Tag::Utf8String, common_name)
}

/// The name of a holder. X.520 has room for 64 characters; the rest of a longer name stands only in Printed
/// Information.
pub(crate) fn holder(full_name: &str) -> Result<Name, der::Error> {
    let common_name: String = full_name.chars().take(MAX_COMMON_NAME).collect();
    name(CARD_UNIT, oid::COMMON_NAME, Tag::Utf8String, common_name.trim_end())
}

/// The name of a card: its FASC-N in hex as serial number (Common Policy, card authentication profile).
pub(crate) fn card(fascn: &[u8]) -> Result<Name, der::Error> {
    name(CARD_UNIT, oid::SERIAL_NUMBER, Tag::PrintableString, &hex::encode_upper(fascn))
}

fn name(unit: &str, last: ObjectIdentifier, last_type: Tag, value: &str) -> Result<Name, der::Error> {
    let mut sequence = RdnSequence::default();
    for (oid, tag, value) in [
        (oid::COUNTRY, Tag::PrintableString, "US"),
        (oid::ORGANIZATION, Tag::Utf8String, ORGANIZATION),
        (oid::ORGANIZATIONAL_UNIT, Tag::Utf8String, unit),
        (last, last_type, value),
    ] {
        let mut part = RelativeDistinguishedName::default();
        part.insert(AttributeTypeAndValue { oid, value: Any::new(tag, value.as_bytes())? })?;
        sequence.push(part);
    }
    Name::from_der(&sequence.to_der()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_every_character() {
        let text = |name: &str| holder(name).unwrap().to_string();
        assert_eq!(text("Zoë Sample"), "CN=Zoë Sample,OU=Sample Cards,O=Sample Organization,C=US");
        assert_eq!(
            text("Sample, \"A+B\""),
            r#"CN=Sample\, \"A\+B\",OU=Sample Cards,O=Sample Organization,C=US"#
        );
    }

    #[test]
    fn long_names_end_where_x520_ends() {
        let long = "ä".repeat(63) + " Sample";
        let common_name = holder(&long).unwrap().common_name().unwrap().unwrap();
        assert_eq!(common_name.value(), "ä".repeat(63));
    }
}
