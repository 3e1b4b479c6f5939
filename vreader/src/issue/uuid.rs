//! UUIDs: the Card UUID (GUID) and the Cardholder UUID.
//!
//! SP 800-73-5 part 1, 3.4.1, takes them from RFC 4122 (now RFC 9562); the ones made here are of version 4.

use std::fmt;

use rand_core::CryptoRng;

/// A UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// A random UUID: version 4, variant 10.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        bytes[6] = bytes[6] & 0x0F | 0x40;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        Self(bytes)
    }

    /// Whether all bits are zero, as on cards that have none.
    pub fn is_nil(self) -> bool {
        self.0 == [0; 16]
    }

    /// `urn:uuid:…`, as in certificates.
    pub fn urn(self) -> String {
        format!("urn:uuid:{self}")
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = hex::encode(self.0);
        for (index, digit) in digits.chars().enumerate() {
            if matches!(index, 8 | 12 | 16 | 20) {
                f.write_str("-")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

impl serde::Serialize for Uuid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_grouped() {
        let bytes = hex::decode("94E28C6884DB44DB8A0EF502D6689B14").unwrap().try_into().unwrap();
        assert_eq!(Uuid(bytes).urn(), "urn:uuid:94e28c68-84db-44db-8a0e-f502d6689b14");
    }

    #[test]
    fn random_ones_say_that_they_are_random() {
        let mut rng = crate::random::from_seed("test of UUIDs", 1);
        for _ in 0..100 {
            let uuid = Uuid::random(&mut rng);
            assert_eq!((uuid.0[6] >> 4, uuid.0[8] >> 6), (4, 0b10), "{uuid}");
        }
    }
}
