//! What must never leave a card: the reference data and keys in its store.
//!
//! A leak is any eight bytes in a row of a secret, or the digits of a PIN without its padding. Bytes that lie in an object
//! or container of the card as well are no secret: whoever wrote them there may read them again.

use std::{fmt, sync::LazyLock};

use card_sim::{
    key::KeyReference,
    reference::Reference,
    store::{Record, Store},
};
use zeroize::Zeroizing;

/// Bytes of a secret that are enough to call it a leak.
const WINDOW: usize = 8;

/// The digits that a PIN has at least (SP 800-73-5 part 2, 2.4.3).
const SHORTEST: usize = 6;

/// The bytes that a key has at least: AES-128.
const SHORTEST_KEY: usize = 16;

/// Longest record that is read, in bytes.
const LONGEST: usize = 64 * 1024;

static RECORDS: LazyLock<Vec<Record>> =
    LazyLock::new(|| (0..0x1000).filter_map(Record::from_number).collect());

/// What a secret is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// A PIN or the PUK.
    ReferenceData(Reference),
    /// A private or symmetric key.
    Key(KeyReference),
    /// The key of the CAC ID certificate.
    CacIdentityKey,
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReferenceData(reference) => write!(f, "reference data {:02X}", reference.to_byte()),
            Self::Key(key) => write!(f, "key {:02X}", key.to_byte()),
            Self::CacIdentityKey => f.write_str("key of the CAC ID certificate"),
        }
    }
}

/// The secrets of one card.
pub struct Secrets {
    values: Vec<(Secret, Zeroizing<Vec<u8>>)>,
    /// A bit for each pair of bytes with which a window begins: nearly all bytes of nearly all answers stop here.
    beginnings: Box<[u64; 1024]>,
    /// Windows that can be read in an object.
    public: Vec<Zeroizing<Vec<u8>>>,
}

impl Secrets {
    /// Those in a store. What cannot be read there cannot be sent by the card either, and is left out.
    pub fn of(store: &impl Store) -> Self {
        Self::read(store, |_, _| true)
    }

    /// Those that are in a store now, but for PINs and PUKs that were changed since: whoever chose them knows them, and may
    /// choose what a card says anyway.
    #[must_use]
    pub fn renewed(&self, store: &impl Store) -> Self {
        Self::read(store, |secret, bytes| match secret {
            Secret::Key(_) | Secret::CacIdentityKey => true,
            Secret::ReferenceData(_) => {
                self.values.iter().any(|(earlier, value)| *earlier == secret && **value == bytes)
            }
        })
    }

    fn read(store: &impl Store, wanted: impl Fn(Secret, &[u8]) -> bool) -> Self {
        let mut secrets = Self { values: Vec::new(), beginnings: Box::new([0; 1024]), public: Vec::new() };
        let mut buffer = Box::new(heapless::Vec::<u8, LONGEST>::new());
        let mut read = |record| {
            buffer.clear();
            let found = store.read(record, &mut *buffer).unwrap_or(false);
            found.then(|| Zeroizing::new(buffer.to_vec()))
        };
        for record in &*RECORDS {
            let (secret, header) = match *record {
                Record::ReferenceData(reference) => (Secret::ReferenceData(reference), 1),
                Record::Key(key) => (Secret::Key(key), 2),
                Record::CacIdentityKey => (Secret::CacIdentityKey, 2),
                Record::Profile
                | Record::SerialNumber
                | Record::CardVerifiableCertificate
                | Record::Object(_)
                | Record::FurtherTags
                | Record::FurtherObject(_)
                | Record::PivAuthenticationHidden
                | Record::CacContainer(_)
                | Record::RetryCounter(_)
                | Record::Stock => continue,
            };
            let Some(bytes) = read(*record) else { continue };
            let bytes = without_padding(secret, bytes.get(header..).unwrap_or_default());
            if wanted(secret, bytes) {
                secrets.add(secret, bytes);
            }
        }
        let is_public = |record: &&Record| {
            matches!(record, Record::Object(_) | Record::FurtherObject(_) | Record::CacContainer(_))
        };
        for record in RECORDS.iter().filter(is_public) {
            if let Some(object) = read(*record) {
                secrets.publish(&object);
            }
        }
        secrets
    }

    fn add(&mut self, secret: Secret, bytes: &[u8]) {
        let shortest = if matches!(secret, Secret::ReferenceData(_)) { SHORTEST } else { SHORTEST_KEY };
        if bytes.len() < shortest {
            return;
        }
        for window in windows(bytes) {
            let (word, bit) = beginning(window);
            self.beginnings[word] |= bit;
        }
        self.values.push((secret, Zeroizing::new(bytes.to_vec())));
    }

    fn publish(&mut self, object: &[u8]) {
        let mut from = 0;
        while let Some((_, window, place)) = self.find(object, from) {
            let window = Zeroizing::new(window.to_vec());
            self.public.push(window);
            // Once more from the same place: another secret may begin there, as a PUK with the digits of the PIN does.
            from = place;
        }
    }

    /// The secret that can be read in these bytes, if there is one.
    pub fn found_in(&self, bytes: &[u8]) -> Option<Secret> {
        self.find(bytes, 0).map(|(secret, ..)| secret)
    }

    /// The first window of a secret, with its place, in `bytes` from a place on.
    fn find(&self, bytes: &[u8], from: usize) -> Option<(Secret, &[u8], usize)> {
        (from..bytes.len().saturating_sub(SHORTEST - 1)).find_map(|place| {
            let rest = &bytes[place..];
            let (word, bit) = beginning(rest);
            if self.beginnings[word] & bit == 0 {
                return None;
            }
            self.values.iter().find_map(|(secret, value)| {
                let window = windows(value).find(|window| rest.starts_with(window))?;
                let public = self.public.iter().any(|known| **known == window);
                (!public).then_some((*secret, window, place))
            })
        })
    }
}

/// A PIN without the bytes that make it eight.
fn without_padding(secret: Secret, bytes: &[u8]) -> &[u8] {
    let padded = matches!(secret, Secret::ReferenceData(Reference::PivPin | Reference::GlobalPin));
    let padding = bytes.iter().rev().take_while(|byte| padded && **byte == 0xFF).count();
    bytes.get(..bytes.len() - padding).unwrap_or_default()
}

fn windows(secret: &[u8]) -> impl Iterator<Item = &[u8]> {
    secret.windows(WINDOW.min(secret.len()))
}

/// Where the bit of the first two of some bytes is.
fn beginning(bytes: &[u8]) -> (usize, u64) {
    let pair = bytes.first_chunk().map_or(0, |pair| u16::from_be_bytes(*pair));
    (usize::from(pair >> 6), 1 << (pair & 0x3F))
}

#[cfg(test)]
mod tests {
    use card_sim::{object::ObjectTag, store::Update};

    use super::*;
    use crate::image::FlashSize;

    #[test]
    fn a_part_of_a_secret_is_enough_and_what_an_object_holds_is_none() {
        let key: Vec<u8> = (1..=32).map(|byte: u8| byte.wrapping_mul(37)).collect();
        let key_record = Record::Key(KeyReference::PivAuthentication);
        let chuid = ObjectTag::new(0x5F_C102).unwrap();
        let mut store = FlashSize::from_pages(3).unwrap().blank_store();
        let updates = [
            Update::Write(Record::ReferenceData(Reference::PivPin), b"\x03123456\xFF\xFF"),
            Update::Write(Record::ReferenceData(Reference::Puk), b"\x03ABCDEFGH"),
            Update::Write(key_record, &[&[0x11, 1], &key[..]].concat()),
        ];
        store.commit(&updates).unwrap();
        let secrets = Secrets::of(&store);
        let pin = Some(Secret::ReferenceData(Reference::PivPin));
        let puk = Some(Secret::ReferenceData(Reference::Puk));
        let nine_a = Some(Secret::Key(KeyReference::PivAuthentication));
        for (bytes, found) in [
            (&b"123456"[..], pin),
            (b"..123456\xFF\xFF", pin),
            (b"12345", None),
            (b"12345\xFF\xFF\xFF", None),
            (b"ABCDEFGH", puk),
            (b"ABCDEFG", None),
            (&key, nine_a),
            (&key[5..13], nine_a),
            (&key[24..], nine_a),
            (&key[5..12], None),
            (b"", None),
        ] {
            assert_eq!(secrets.found_in(bytes), found, "{bytes:02X?}");
        }
        let object = [b"expires 123456, key ", &key[5..13]].concat();
        store.commit(&[Update::Write(Record::Object(chuid), &object)]).unwrap();
        let secrets = Secrets::of(&store);
        assert_eq!(secrets.found_in(&object), None);
        assert_eq!(secrets.found_in(&key[4..12]), nine_a);

        let changed =
            [Update::Write(Record::ReferenceData(Reference::PivPin), b"\x03777777\xFF\xFF".as_slice())];
        store.commit(&changed).unwrap();
        let renewed = secrets.renewed(&store);
        assert_eq!((renewed.found_in(b"777777"), renewed.found_in(b"123456")), (None, None));
        assert_eq!((renewed.found_in(b"ABCDEFGH"), renewed.found_in(&key[4..12])), (puk, nine_a));
        assert_eq!(Secret::Key(KeyReference::PivAuthentication).to_string(), "key 9A");
    }
    #[test]
    fn two_secrets_that_begin_alike_are_both_public_where_an_object_holds_the_longer() {
        let mut store = FlashSize::from_pages(3).unwrap().blank_store();
        let chuid = ObjectTag::new(0x5F_C102).unwrap();
        let updates = [
            Update::Write(Record::ReferenceData(Reference::PivPin), b"\x03123456\xFF\xFF"),
            Update::Write(Record::ReferenceData(Reference::Puk), b"\x0312345678"),
        ];
        store.commit(&updates).unwrap();
        assert!(Secrets::of(&store).found_in(b"..12345678").is_some());
        store.commit(&[Update::Write(Record::Object(chuid), b"..12345678")]).unwrap();
        assert_eq!(Secrets::of(&store).found_in(b"..12345678"), None);
    }
}
