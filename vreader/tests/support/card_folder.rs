//! A folder in the layout of the GSA ICAM set, made from an issued card. Its PKCS #12 files are openssl's.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use card_sim::key::{AsymmetricAlgorithm, PrivateKey, PrivateParts};
use der::{
    Encode,
    asn1::ObjectIdentifier,
    pem::{LineEnding, encode_string},
};
use rsa::{BoxedUint, RsaPrivateKey, pkcs8::EncodePrivateKey};
use tempfile::TempDir;
use vreader::{
    crypto::DefaultCrypto,
    issue::{self, IssuedCard, Request},
};

/// What openssl encrypts with unless it is told otherwise: AES-256 after PBES2.
pub(crate) const MODERN: &[&str] = &[];
/// Three-key TDEA and a MAC with SHA-1, as in most files of the set.
pub(crate) const TDEA: &[&str] =
    &["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1", "-legacy"];
/// 40-bit RC2 for the certificate, as in the set's oldest files.
pub(crate) const RC2: &[&str] =
    &["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-RC2-40", "-macalg", "sha1", "-legacy"];

/// The objects with their numbers and tags.
pub(crate) const OBJECTS: [(&str, u32); 7] = [
    ("1 - Discovery Object", 0x7E),
    ("2 - Security Object", 0x5F_C106),
    ("7 - CCC", 0x5F_C107),
    ("8 - CHUID Object", 0x5F_C102),
    ("9 - Fingerprints", 0x5F_C103),
    ("10 - Face Object", 0x5F_C108),
    ("11 - Printed Information", 0x5F_C109),
];
/// The keys' files without extension, and the tags of their certificates. In the order of [`IssuedCard::keys`].
pub(crate) const KEYS: [(&str, u32); 4] = [
    ("3 - Sample_PIV_Auth_SP_800-73-4", 0x5F_C105),
    ("4 - Sample_PIV_Dig_Sig_SP_800-73-4", 0x5F_C10A),
    ("5 - Sample_PIV_Key_Mgmt_SP_800-73-4", 0x5F_C10B),
    ("6 - Sample_PIV_Card_Auth_SP_800-73-4", 0x5F_C101),
];

/// The folder, and the card that it was made from.
pub(crate) struct CardFolder {
    pub(crate) card: IssuedCard,
    place: TempDir,
    path: PathBuf,
}

impl CardFolder {
    /// A folder with everything, of a card with a seed.
    pub(crate) fn new(name: &str, seed: u64, algorithm: AsymmetricAlgorithm, encryption: &[&str]) -> Self {
        let folder = Self::empty(name, seed, algorithm);
        for (file, tag) in OBJECTS {
            folder.write(file, folder.raw(tag));
        }
        for ((file, tag), (_, key, _)) in KEYS.iter().zip(&folder.card.keys) {
            folder.write_key(&format!("{file}.p12"), key, Some(folder.certificate(*tag)), encryption);
        }
        folder
    }

    /// The same with nothing in it yet.
    pub(crate) fn empty(name: &str, seed: u64, algorithm: AsymmetricAlgorithm) -> Self {
        let request = Request { seed: Some(seed), algorithm, ..Request::default() };
        let card = issue::issue(&request, &mut DefaultCrypto::new(), &mut |_| {}).expect("a card");
        let place = tempfile::tempdir().expect("a temporary folder");
        let path = place.path().join(name);
        fs::create_dir(&path).expect("a folder");
        Self { card, place, path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The object as GET DATA answers it.
    pub(crate) fn object(&self, tag: u32) -> &[u8] {
        &self.card.objects.iter().find(|(found, _)| found.get() == tag).expect("the object").1
    }

    /// The object as it lies in a file: without `53` and length, but Discovery with its tag.
    pub(crate) fn raw(&self, tag: u32) -> &[u8] {
        let object = self.object(tag);
        if tag == 0x7E { object } else { first_element(object).0 }
    }

    /// The certificate in a container.
    pub(crate) fn certificate(&self, tag: u32) -> &[u8] {
        first_element(self.raw(tag)).0
    }

    pub(crate) fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path.join(file), bytes).expect("a file");
    }

    pub(crate) fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.path.join(file)).expect("the file")
    }

    pub(crate) fn remove(&self, file: &str) {
        fs::remove_file(self.path.join(file)).expect("the file");
    }

    /// Writes a PKCS #12 file with an empty password, unless the options say another.
    pub(crate) fn write_key(
        &self,
        file: &str,
        key: &PrivateKey,
        certificate: Option<&[u8]>,
        options: &[&str],
    ) {
        self.beside("key.pem", pem_of_key(key));
        let mut command = Command::new("openssl");
        command.current_dir(self.place.path()).args(["pkcs12", "-export", "-inkey", "key.pem", "-out"]);
        command.arg(self.path.join(file));
        match certificate {
            Some(certificate) => {
                self.beside("certificate.pem", pem("CERTIFICATE", certificate));
                command.args(["-in", "certificate.pem"]);
            }
            None => {
                command.arg("-nocerts");
            }
        }
        if !options.contains(&"-passout") {
            command.args(["-passout", "pass:"]);
        }
        let output =
            command.args(options).output().expect("openssl is not installed: run tools/install-clients");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn beside(&self, file: &str, text: String) {
        fs::write(self.place.path().join(file), text).expect("a file");
    }
}

/// The value of the first element, and what follows.
pub(crate) fn first_element(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (header, length) = match bytes[1] {
        0x82 => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
        0x81 => (3, usize::from(bytes[2])),
        length => (2, usize::from(length)),
    };
    bytes[header..].split_at(length)
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    encode_string(label, LineEnding::LF, der).expect("PEM")
}

/// A private key in PEM, as openssl reads it.
pub(crate) fn pem_of_key(key: &PrivateKey) -> String {
    match key.parts() {
        PrivateParts::Rsa { exponent, p, q } => {
            let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, 1024).expect("a prime");
            let exponent = BoxedUint::from_be_slice(&exponent.to_be_bytes(), 32).expect("an exponent");
            let key = RsaPrivateKey::from_p_q(number(p), number(q), exponent).expect("a key");
            pem("PRIVATE KEY", key.to_pkcs8_der().expect("PKCS #8").as_bytes())
        }
        PrivateParts::Ecc { scalar } => {
            let p256 = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
            let key = sec1::EcPrivateKey {
                private_key: scalar,
                parameters: Some(sec1::EcParameters::NamedCurve(p256)),
                public_key: None,
            };
            pem("EC PRIVATE KEY", &key.to_der().expect("DER"))
        }
    }
}
