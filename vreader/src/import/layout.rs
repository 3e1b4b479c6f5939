//! Which number stands for what in a folder of the GSA ICAM set: `N - description`, some with an extension.
//!
//! | number | file |
//! |---|---|
//! | 1 | Discovery Object, in its tag `7E` |
//! | 2, 7, 8, 9, 10, 11 | Security Object, CCC, CHUID, fingerprints, face, Printed Information: contents without tag `53` |
//! | 3, 4, 5, 6 | keys and certificates of 9A, 9C, 9D, 9E: `.p12`, and `.crt` in PEM or DER |
//!
//! Other files belong to the set's own tools.

use card_sim::key::KeyReference;

use crate::issue::tag;

/// A file that is a data object.
#[derive(Clone, Copy, Debug)]
pub struct ObjectFile {
    /// What its name begins with.
    pub number: u8,
    /// Tag of the object.
    pub tag: u32,
}

/// The files of a key.
#[derive(Clone, Copy, Debug)]
pub struct KeyFiles {
    /// What their names begin with.
    pub number: u8,
    /// Where the key goes.
    pub reference: KeyReference,
}

impl KeyFiles {
    /// The key reference in hex.
    pub(super) fn name(self) -> String {
        format!("{:02X}", self.reference.to_byte())
    }
}

/// The files of objects.
pub const OBJECTS: [ObjectFile; 7] = [
    ObjectFile { number: 1, tag: tag::DISCOVERY },
    ObjectFile { number: 2, tag: tag::SECURITY_OBJECT },
    ObjectFile { number: 7, tag: tag::CCC },
    ObjectFile { number: 8, tag: tag::CHUID },
    ObjectFile { number: 9, tag: tag::FINGERPRINTS },
    ObjectFile { number: 10, tag: tag::FACE },
    ObjectFile { number: 11, tag: tag::PRINTED },
];

/// The files of keys.
pub const KEYS: [KeyFiles; 4] = [
    KeyFiles { number: 3, reference: KeyReference::PivAuthentication },
    KeyFiles { number: 4, reference: KeyReference::DigitalSignature },
    KeyFiles { number: 5, reference: KeyReference::KeyManagement },
    KeyFiles { number: 6, reference: KeyReference::CardAuthentication },
];

#[cfg(test)]
mod tests {
    use card_sim::object::Container;

    use super::{KEYS, OBJECTS};
    use crate::issue::certificate_tag;

    #[test]
    fn every_file_has_a_container_and_a_number_of_its_own() {
        let objects = OBJECTS.iter().map(|object| (object.number, Some(object.tag)));
        let keys = KEYS.iter().map(|key| (key.number, certificate_tag(key.reference)));
        let mut numbers = Vec::new();
        for (number, tag) in objects.chain(keys) {
            assert!(tag.and_then(Container::find).is_some(), "{number}");
            numbers.push(number);
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=11).collect::<Vec<_>>());
    }
}
