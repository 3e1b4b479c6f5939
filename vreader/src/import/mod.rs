//! Import: the test cards of the GSA ICAM set, from the folders in which they are published, and any folder like them.
//!
//! A folder holds one file for each object and key of a card, named `N - description` ([`layout`]). [`import`] makes a card
//! of it that answers with the folder's bytes and nothing else.
//!
//! Promises:
//! * What the folder holds is on the card as it is, faults included: such cards are made wrong on purpose. What is missing or
//!   does not fit together is told as a [`Finding`].
//! * A file that cannot be what its name says, so that there is nothing to put on a card, ends the import with an
//!   [`ImportError`], before there is a card file.
//! * Files are read up to a limit, whatever their length.
//!
//! Decisions:
//! * Several files of one number are generations of it. The one whose name has most words of the folder's name is the card's;
//!   of equal ones the longer name, which is the more special.
//! * A certificate is taken from the PKCS #12 file of its key, else from the file `.crt`.
//! * An empty Discovery Object (`7E 00`) is what a card is told when its Discovery Object is removed. Such a card has none:
//!   GET DATA answers `6A82`. This is card 25 of the set.
//! * Objects are not parsed on their way: one that is no TLV is a finding, and the card answers with it. Only the Discovery
//!   Object, which brings its own tag, must have that and a right length.

mod consistency;
mod error;
mod finding;
mod folder;
mod key;
pub mod layout;
mod pkcs12;

use std::path::Path;

use card_sim::{
    crypto::Crypto,
    discovery::PinUsagePolicy,
    key::{KeyReference, Origin, PrivateKey, SymmetricKey},
    object::{Container, ObjectTag},
    reference::LENGTH,
};
use zeroize::Zeroizing;

pub use self::{error::ImportError, finding::Finding, pkcs12::Pkcs12Error};
use self::{
    folder::Folder,
    key::KeyFile,
    layout::{KEYS, OBJECTS},
};
use crate::{
    emulated::Personal,
    issue::{
        certificate_tag, padded_pin, puk_bytes, tag,
        tlv::{WRAPPING, element, elements},
    },
};

/// What a folder does not say.
pub struct Secrets<'a> {
    /// Password of the PKCS #12 files; empty for the official set.
    pub password: &'a str,
    /// PIN, 6 to 8 digits.
    pub pin: &'a str,
    /// PUK, 8 ASCII characters.
    pub puk: &'a str,
    /// Global PIN, for a card whose Discovery Object says that it has one.
    pub global_pin: &'a str,
    /// Card management key, 9B.
    pub management_key: SymmetricKey,
}

/// A card from a folder, ready to be personalised.
pub struct ImportedCard {
    /// Data objects as GET DATA answers them.
    pub objects: Vec<(ObjectTag, Vec<u8>)>,
    /// The keys, all of them from outside.
    pub keys: Vec<(KeyReference, PrivateKey, Origin)>,
    /// What is missing, or does not fit together.
    pub findings: Vec<Finding>,
    /// Whether the card has a Global PIN.
    pub has_global_pin: bool,
    management_key: SymmetricKey,
    pin: Zeroizing<[u8; LENGTH]>,
    puk: Zeroizing<[u8; LENGTH]>,
    global_pin: Zeroizing<[u8; LENGTH]>,
}

impl<'a> From<&'a ImportedCard> for Personal<'a> {
    fn from(card: &'a ImportedCard) -> Self {
        Self {
            serial_number: None,
            objects: &card.objects,
            keys: &card.keys,
            management_key: &card.management_key,
            pin: &card.pin,
            puk: &card.puk,
            global_pin: card.has_global_pin.then_some(&*card.global_pin),
            fingers: &[],
            card_verifiable_certificate: None,
            cac: None,
        }
    }
}

/// Reads a card from a folder. The secrets are checked first.
pub fn import(
    path: &Path,
    secrets: Secrets<'_>,
    crypto: &mut dyn Crypto,
) -> Result<ImportedCard, ImportError> {
    let (pin, puk) = (padded_pin(secrets.pin)?, puk_bytes(secrets.puk)?);
    let global_pin = padded_pin(secrets.global_pin)?;
    let mut reading = Reading { folder: Folder::open(path)?, ..Reading::default() };
    for object in OBJECTS {
        reading.object(object)?;
    }
    for key in KEYS {
        reading.key(key, secrets.password, crypto)?;
    }
    let Reading { folder, objects, keys, mut findings } = reading;
    if objects.is_empty() && keys.is_empty() {
        return Err(ImportError::NothingFound { folder: path.to_owned() });
    }
    findings.extend(folder.not_used().map(|file| Finding::NotUsed { file }));
    let policy = policy(&objects);
    findings.extend(consistency::findings(&objects, &keys, policy, crypto));
    Ok(ImportedCard {
        has_global_pin: policy.global_pin(),
        objects,
        keys,
        findings,
        management_key: secrets.management_key,
        pin,
        puk,
        global_pin,
    })
}

/// A folder that is being read.
#[derive(Default)]
struct Reading {
    folder: Folder,
    objects: Vec<(ObjectTag, Vec<u8>)>,
    keys: Vec<(KeyReference, PrivateKey, Origin)>,
    findings: Vec<Finding>,
}

impl Reading {
    fn object(&mut self, object: layout::ObjectFile) -> Result<(), ImportError> {
        let container = container(object.tag);
        let Some(file) = self.folder.choose(object.number, "", &mut self.findings)? else {
            self.findings.push(Finding::MissingObject { number: object.number, object: container.name });
            return Ok(());
        };
        let bytes = self.folder.read(&file)?;
        let complete = match (object.tag, bytes.as_slice()) {
            (tag::DISCOVERY, [] | [0x7E, 0x00]) => {
                self.findings.push(Finding::EmptyDiscovery { file });
                return Ok(());
            }
            (tag::DISCOVERY, bytes) if is_complete(bytes, container.tag) => bytes.to_vec(),
            (tag::DISCOVERY, _) => return Err(ImportError::Discovery { path: self.folder.path(&file) }),
            (_, contents) => element(WRAPPING, contents),
        };
        self.objects.push((container.tag, complete));
        Ok(())
    }

    fn key(
        &mut self,
        slot: layout::KeyFiles,
        password: &str,
        crypto: &mut dyn Crypto,
    ) -> Result<(), ImportError> {
        let reference = slot.reference;
        let mut key_file = KeyFile::default();
        if let Some(file) = self.folder.choose(slot.number, "p12", &mut self.findings)? {
            key_file = key::open(&self.folder.read(&file)?, password)
                .map_err(|error| ImportError::of(error, self.folder.path(&file)))?;
            if let Some(algorithm) = key_file.unsupported.take() {
                self.findings.push(Finding::UnsupportedKey { file, key: slot.name(), algorithm });
            }
        }
        let certificate = self.certificate(slot, key_file.certificate)?;
        match key_file.key {
            // What the card cannot use, it cannot hold either.
            Some(key) if crypto.public_key(&key).is_err() => {
                self.findings.push(Finding::BrokenKey { key: slot.name() });
            }
            Some(key) => self.keys.push((reference, key, Origin::Imported)),
            None => self.findings.push(Finding::MissingKey { number: slot.number, key: slot.name() }),
        }
        match (certificate, certificate_tag(reference)) {
            (Some(der), Some(tag)) => {
                let contents = elements([(0x70, &der), (0x71, &[0x00]), (0xFE, &[])]);
                self.objects.push((container(tag).tag, element(WRAPPING, &contents)));
            }
            _ => self.findings.push(Finding::MissingCertificate { number: slot.number, key: slot.name() }),
        }
        Ok(())
    }

    /// The certificate of a key: the one from its PKCS #12 file, else the one beside it.
    fn certificate(
        &mut self,
        slot: layout::KeyFiles,
        inside: Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, ImportError> {
        let Some(file) = self.folder.choose(slot.number, "crt", &mut self.findings)? else {
            return Ok(inside);
        };
        let beside = key::certificate(&self.folder.read(&file)?)
            .ok_or_else(|| ImportError::Certificate { path: self.folder.path(&file) })?;
        if inside.as_ref().is_some_and(|inside| *inside != beside) {
            self.findings.push(Finding::TwoCertificates { key: slot.name(), file });
        }
        Ok(inside.or(Some(beside)))
    }
}

fn container(tag: u32) -> &'static Container {
    // The tags are those of the layout and of its keys' certificates, and a test finds each of them in the table.
    Container::find(tag).expect("every imported object is in the table of containers")
}

/// Whether these bytes are one element with this tag.
fn is_complete(bytes: &[u8], tag: ObjectTag) -> bool {
    let mut reader = apdu::tlv_ber::Reader::new(bytes);
    reader.expect(apdu::Tag::new(tag.get())).is_ok() && reader.finish().is_ok()
}

/// What the Discovery Object says of PINs.
fn policy(objects: &[(ObjectTag, Vec<u8>)]) -> PinUsagePolicy {
    let discovery = objects.iter().find(|(tag, _)| *tag == ObjectTag::DISCOVERY);
    discovery.map(|(_, object)| PinUsagePolicy::of(object)).unwrap_or_default()
}
