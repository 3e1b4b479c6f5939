//! The containers that tell of keys and certificates: one of each PKI applet, and two that list all of them.
//!
//! `02FE` is an index, `02FD` has identifier and modulus of each key, as a public dump of a real card shows them. Both are lists of
//! records in a form of their own: T has the number of the applet, four bytes, two of them without a known meaning, tag and length.

use std::io::Write;

use card_sim::{cac::ObjectId, key::PublicKey};
use flate2::{Compression, write::ZlibEncoder};
use rand_core::CryptoRng;

use super::containers::{DOD, buffers, header, record};
use crate::issue::{
    public_key::{key_identifier, subject_public_key_info},
    uuid::Uuid,
};

/// CertInfo of a certificate that is a zlib stream.
const COMPRESSED: u8 = 0x01;

/// What stands between an applet's number and a tag.
const BEFORE_TAG: [u8; 3] = [0x00, 0x14, 0x01];

/// PKCS #11 attributes as `02FD` names them: key identifier, modulus.
const CKA_ID: u32 = 0x0102;
const CKA_MODULUS: u32 = 0x0120;

/// A PKI applet.
pub(in crate::issue) struct PkiApplet {
    object: ObjectId,
    certificate: Vec<u8>,
    modulus: Vec<u8>,
    key_identifier: [u8; 20],
    /// The name of its key container on Windows.
    identifier: String,
}

impl PkiApplet {
    /// An applet with this certificate, in DER, and the key that it is for.
    pub(in crate::issue) fn new(
        object: ObjectId,
        certificate: Vec<u8>,
        key: &PublicKey,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, der::Error> {
        let PublicKey::Rsa { modulus, .. } = key else { return Err(der::ErrorKind::Failed.into()) };
        Ok(Self {
            object,
            certificate,
            modulus: modulus.to_vec(),
            key_identifier: key_identifier(&subject_public_key_info(key)?),
            identifier: format!("{{{}}}", Uuid::random(rng)),
        })
    }

    /// Its own container: the compressed certificate and the identifier.
    pub(in crate::issue) fn container(&self) -> (ObjectId, Vec<u8>) {
        let elements = [
            (0x71, vec![COMPRESSED]),
            (0x70, zlib(&self.certificate)),
            (0x72, self.identifier.clone().into_bytes()),
            (0xFE, Vec::new()),
        ];
        (self.object, buffers(&elements))
    }
}

/// The index, `02FE`: of each applet its name, its object, its identifier.
pub(super) fn index(applets: &[PkiApplet]) -> Vec<u8> {
    records(applets, |applet| {
        let name = applet.object.get().to_be_bytes();
        vec![
            (0xDC, [&[0x00, 0xC8, 0xC8, 0xCE][..], &DOD, &name].concat()),
            (0xDD, [&[0x00][..], &name].concat()),
            (0x72, [&[0x00, 0x01, 0x01][..], applet.identifier.as_bytes()].concat()),
        ]
    })
}

/// The credentials, `02FD`: of each key its identifier and its modulus.
pub(super) fn credentials(applets: &[PkiApplet]) -> Vec<u8> {
    records(applets, |applet| {
        let identifier = attribute(CKA_ID, &applet.key_identifier);
        let modulus = attribute(CKA_MODULUS, &applet.modulus);
        vec![(0x64, [&[0x00][..], &identifier, &modulus].concat())]
    })
}

fn records(applets: &[PkiApplet], elements: impl Fn(&PkiApplet) -> Vec<(u8, Vec<u8>)>) -> Vec<u8> {
    let (mut tags, mut values) = (Vec::new(), Vec::new());
    for (number, applet) in (0_u8..).zip(applets) {
        for (tag, value) in elements(applet) {
            tags.extend([&[number][..], &BEFORE_TAG, &header(tag, &value)].concat());
            values.extend(value);
        }
    }
    record(&tags, &values)
}

/// Type, length and value, the numbers with the low byte first.
fn attribute(kind: u32, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), value].concat()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    // Writing to memory cannot fail.
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes every byte")
}
