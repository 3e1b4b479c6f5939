//! What a card showed of itself, and what of it a look-alike takes over.

use std::{collections::BTreeMap, io::Read as _};

use apdu::tlv_ber::Reader;
use card_sim::{
    cac::ObjectId,
    discovery::PinUsagePolicy,
    key::{AsymmetricAlgorithm, KeyReference},
    object::{Container, ObjectTag},
    profile::Profile,
};
use der::Decode;
use flate2::read::ZlibDecoder;
use sha2::{Digest, Sha256};
use x509_cert::Certificate;

use crate::{
    check::Found,
    inspect::{
        certificate::{MAX_UNPACKED, algorithm, unpack},
        container_elements,
    },
    issue::{
        algorithm_name, certificate_tag,
        look_alike::{Model, ModelCertificate},
        security_object, tag,
    },
    sm::channel::suite_of,
};

/// What a card shows without a PIN.
#[derive(Clone, Debug, Default)]
pub struct Original {
    /// Answer to reset.
    pub atr: Vec<u8>,
    /// The answer to SELECT of the PIV application, if the card has that.
    pub selected: Option<Vec<u8>>,
    /// What GET DATA answered, by tag.
    pub objects: BTreeMap<u32, Found>,
    /// Tries that the PIN has left.
    pub pin_tries: Option<u8>,
    /// What only a YubiKey tells.
    pub yubikey: Option<YubiKey>,
    /// The CAC containers that can be read, T buffer and V buffer.
    pub containers: Vec<(ObjectId, Vec<u8>)>,
}

/// What a YubiKey tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct YubiKey {
    /// Firmware version: major, minor, patch.
    pub version: [u8; 3],
    /// Serial number.
    pub serial_number: Option<u32>,
    /// Its keys, as GET METADATA shows them.
    pub keys: Vec<KeyEntry>,
    /// It is of the FIPS series, as its management application says.
    pub fips: bool,
    /// It has a sensor for fingerprints.
    pub fingerprint: bool,
}

/// A key as GET METADATA shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// Where it is.
    pub reference: KeyReference,
    /// Its algorithm identifier.
    pub algorithm: u8,
    /// Whether it has other policies than its key reference gives it.
    pub has_policies: bool,
}

impl Original {
    /// Whether the card has the CAC applets.
    pub fn has_common_access(&self) -> bool {
        !self.containers.is_empty()
    }

    /// A short name for this card: the same card has the same.
    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(&self.atr);
        hash.update(self.selected.as_deref().unwrap_or_default());
        hash.update(self.yubikey.as_ref().map_or([0; 3], |yubikey| yubikey.version));
        hex::encode(hash.finalize().get(..4).unwrap_or_default())
    }

    /// The object, unless there is none or it is empty.
    pub(super) fn object(&self, tag: u32) -> Option<&[u8]> {
        match self.objects.get(&tag)? {
            Found::Object(object) if !matches!(object.as_slice(), [] | [_, 0x00] | [0x7F, 0x61, 0x00]) => {
                Some(object)
            }
            _ => None,
        }
    }

    /// What is inside the object.
    fn contents(&self, tag: u32) -> Option<&[u8]> {
        let outer = if matches!(tag, 0x7E | 0x7F61) { tag } else { 0x53 };
        Reader::new(self.object(tag)?).expect(apdu::Tag::new(outer)).ok()
    }

    /// The elements inside the object, if all of them can be read.
    fn elements(&self, tag: u32) -> Option<Vec<(u8, &[u8])>> {
        let mut reader = Reader::single_byte_tags(self.contents(tag)?);
        let mut elements = Vec::new();
        while let Some(element) = reader.next().ok()? {
            elements.push((u8::try_from(element.tag.number()).ok()?, element.value));
        }
        Some(elements)
    }

    /// The same of an object that a Common Access Card without PIV has in the container of this name.
    fn elements_of_either(&self, tag: u32, container: u16) -> Option<Vec<(u8, &[u8])>> {
        let transitional = || {
            let (_, found) = self.containers.iter().find(|(id, _)| id.get() == container)?;
            container_elements(found)
        };
        self.elements(tag).or_else(transitional)
    }

    fn element(&self, tag: u32, wanted: u8) -> Option<&[u8]> {
        self.elements(tag)?.into_iter().find(|(found, _)| *found == wanted).map(|(_, value)| value)
    }

    /// The certificate in a PIV container, and whether it is compressed.
    fn certificate(&self, tag: u32) -> Option<(Certificate, bool)> {
        let stored = self.element(tag, 0x70)?;
        let compressed =
            self.element(tag, 0x71).is_some_and(|info| matches!(info, [info] if info & 0x01 != 0));
        Some((read_certificate(stored, compressed)?, compressed))
    }

    fn references() -> impl Iterator<Item = KeyReference> {
        (0x80..=0xFF).filter_map(KeyReference::from_byte)
    }

    fn certificates(&self) -> Vec<ModelCertificate> {
        let with_tags = Self::references().filter_map(|key| Some((key, certificate_tag(key)?)));
        let found = with_tags.filter_map(|(reference, tag)| {
            let (certificate, compressed) = self.certificate(tag)?;
            Some(ModelCertificate { reference, certificate, compressed })
        });
        found.collect()
    }

    /// The certificates of the CAC applets.
    fn common_access_certificates(&self) -> Vec<(ObjectId, Certificate)> {
        let certificate = |(id, container): &(ObjectId, Vec<u8>)| {
            let elements = container_elements(container)?;
            let value = |wanted| elements.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
            let compressed = matches!(value(0x71), Some([info]) if info & 0x03 == 0x01);
            Some((*id, read_certificate(value(0x70)?, compressed)?))
        };
        self.containers.iter().filter_map(certificate).collect()
    }

    /// Keys without a certificate, with their algorithms.
    fn other_keys(&self, certificates: &[ModelCertificate]) -> Vec<(KeyReference, AsymmetricAlgorithm)> {
        let keys = self.yubikey.iter().flat_map(|yubikey| &yubikey.keys);
        keys.filter(|key| certificates.iter().all(|with| with.reference != key.reference))
            .filter_map(|key| Some((key.reference, AsymmetricAlgorithm::from_id(key.algorithm)?)))
            .collect()
    }

    /// Which container each data group of the Security Object is.
    fn covered(&self) -> Vec<(u8, u16)> {
        let elements = self.elements_of_either(tag::SECURITY_OBJECT, SECURITY_OBJECT).unwrap_or_default();
        let mapping = elements.iter().find(|(tag, _)| *tag == security_object::tag::MAPPING);
        let mapping = mapping.map(|(_, mapping)| *mapping).unwrap_or_default();
        let groups = mapping.chunks_exact(3);
        groups
            .filter_map(|group| match *group {
                [number, high, low] => Some((number, u16::from_be_bytes([high, low]))),
                _ => None,
            })
            .collect()
    }

    /// Objects that nobody has signed, and that say nothing of keys: they are taken over as they are.
    fn verbatim(&self) -> Vec<(ObjectTag, Vec<u8>)> {
        let signed_or_of_keys = |tag: u32| {
            matches!(
                tag,
                tag::CHUID | tag::SECURITY_OBJECT | tag::SECURE_MESSAGING_SIGNER | ADMIN_DATA | ATTESTATION
            ) || Self::references().any(|key| certificate_tag(key) == Some(tag))
        };
        let tags = self.objects.keys().copied().filter(|tag| !signed_or_of_keys(*tag));
        tags.filter_map(|tag| Some((ObjectTag::new(tag)?, self.object(tag)?.to_vec()))).collect()
    }

    /// What of this the look-alike takes over.
    pub(super) fn model(&self, profile: &'static Profile) -> Model {
        let certificates = self.certificates();
        let discovery = self.object(tag::DISCOVERY).map(PinUsagePolicy::of).unwrap_or_default();
        let refused = |tag: &u32| self.objects.get(tag) == Some(&Found::Refused(0x6982));
        // A YubiKey asks for the PIN before it says whether there is anything.
        let protected = if profile.yubico.is_some() {
            Vec::new()
        } else {
            [tag::FINGERPRINTS, tag::FACE, tag::PRINTED].into_iter().filter(refused).collect()
        };
        let intermediate = self.contents(tag::SECURE_MESSAGING_SIGNER).is_some_and(|contents| {
            Reader::new(contents).find(apdu::Tag::new(0x7F21)).is_ok_and(|found| found.is_some())
        });
        let chuid: Option<Vec<_>> = self
            .elements_of_either(tag::CHUID, CHUID)
            .map(|elements| elements.into_iter().map(|(tag, value)| (tag, value.to_vec())).collect());
        Model {
            other_keys: self.other_keys(&certificates),
            has_hidden_certificate: self.has_common_access()
                && self.objects.get(&tag::PIV_AUTHENTICATION) == Some(&Found::Refused(0x6A82)),
            certificates,
            common_access: self.common_access_certificates(),
            common_access_verbatim: self.common_access_verbatim(),
            chuid,
            verbatim: self.verbatim(),
            covered: self.covered(),
            protected,
            suite: self.selected.as_deref().and_then(suite_of),
            intermediate,
            discovery,
            applets: profile.cac.map(|stock| stock.applets),
        }
    }

    /// Containers that nobody has signed.
    fn common_access_verbatim(&self) -> Vec<(ObjectId, Vec<u8>)> {
        let pki = [ObjectId::IDENTITY, ObjectId::SIGNATURE, ObjectId::ENCRYPTION];
        let signed_or_of_keys = [CHUID, SECURITY_OBJECT, ObjectId::PKI_CERTIFICATE.get()];
        let unsigned = |id: &ObjectId| !pki.contains(id) && !signed_or_of_keys.contains(&id.get());
        self.containers.iter().filter(|(id, _)| unsigned(id)).cloned().collect()
    }

    /// What of the card a look-alike cannot have.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (tag, found) in &self.objects {
            let Some(container) = Container::find(*tag) else { continue };
            match found {
                Found::Refused(0x6982) if self.yubikey.is_none() => {
                    notes.push(format!("{} needs the PIN, and was not read", container.name));
                }
                Found::Refused(status) if !matches!(*status, 0x6982 | 0x6A82 | 0x6A81 | 0x6A88) => {
                    notes.push(format!("{} was refused with {status:04X}", container.name));
                }
                _ => {}
            }
        }
        let unreadable = |key: &KeyReference| {
            let tag = certificate_tag(*key)?;
            (self.object(tag).is_some() && self.certificate(tag).is_none()).then_some(*key)
        };
        notes.extend(Self::references().filter_map(|key| unreadable(&key)).map(|key| {
            format!("the certificate of the key {:02X} cannot be read, and was left out", key.to_byte())
        }));
        if self.object(ADMIN_DATA).is_some() {
            notes.push(
                "the management key's administration data (5FFF00) fit another key, and were left out".into(),
            );
        }
        for key in self.yubikey.iter().flat_map(|yubikey| &yubikey.keys) {
            let byte = key.reference.to_byte();
            if AsymmetricAlgorithm::from_id(key.algorithm).is_none() {
                notes.push(format!(
                    "the key {byte:02X} has algorithm {:02X}, which ours has not",
                    key.algorithm
                ));
            } else if key.has_policies {
                notes.push(format!(
                    "the key {byte:02X} has PIN and touch policies, which the new one has not"
                ));
            }
        }
        notes
    }
}

/// The CAC containers of the CHUID and the Security Object.
const CHUID: u16 = 0x3000;
const SECURITY_OBJECT: u16 = 0x9000;

/// Yubico's administration data: whether the management key is protected by the PIN, and how.
const ADMIN_DATA: u32 = 0x5F_FF00;
/// The certificate of a YubiKey's attestation key.
const ATTESTATION: u32 = 0x5F_FF01;

/// The certificate that a container stores: plain, gzip or zlib.
pub(crate) fn read_certificate(stored: &[u8], compressed: bool) -> Option<Certificate> {
    let der = match (compressed, stored) {
        (false, stored) => stored.to_vec(),
        (true, [0x1F, 0x8B, ..]) => unpack(stored).ok()?,
        (true, stored) => unpack_zlib(stored)?,
    };
    Certificate::from_der(&der).ok()
}

/// What a zlib stream holds, as CACs compress.
fn unpack_zlib(stored: &[u8]) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    ZlibDecoder::new(stored).take(MAX_UNPACKED).read_to_end(&mut unpacked).ok()?;
    Some(unpacked)
}

/// The algorithm of a certificate's key, if this project's cards have it.
pub(crate) fn key_algorithm(certificate: &Certificate) -> Option<AsymmetricAlgorithm> {
    let name = algorithm(certificate.tbs_certificate().subject_public_key_info());
    AsymmetricAlgorithm::ALL.into_iter().find(|known| algorithm_name(*known) == name)
}
