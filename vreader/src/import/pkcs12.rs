//! Opening PKCS #12 files (RFC 7292), with the ciphers of old files and of new ones.
//!
//! | what | how |
//! |---|---|
//! | MAC | HMAC with SHA-1, SHA-256, SHA-384 or SHA-512, its key from appendix B |
//! | old encryption | three-key TDEA, RC2 with 40 or 128 bits (appendix C) |
//! | new encryption | PBES2 with PBKDF2 (RFC 8018) |
//!
//! The reader is our own because the crates that have one insist on another version of `cms`; the cryptography is RustCrypto's.
//! A hostile file cannot ask for more than [`MAX_ITERATIONS`] of a key derivation.

use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit, block_padding::Pkcs7};
use cms::{content_info::ContentInfo, encrypted_data::EncryptedData};
use der::{
    Any, Decode, Encode, Sequence,
    asn1::{ObjectIdentifier, OctetString, SetOfVec},
};
use hmac::{Mac, SimpleHmac, digest::common::BlockSizeUser};
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha384, Sha512};
use spki::AlgorithmIdentifierOwned;
use x509_cert::attr::Attribute;
use zeroize::Zeroizing;

/// Most iterations of a key derivation. OpenSSL asks for 2,048.
const MAX_ITERATIONS: u32 = 1_000_000;

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
const KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.1");
const SHROUDED_KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERTIFICATE_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const X509_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");
const LOCAL_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.21");
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
const PBE_TDEA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.3");
const PBE_RC2_128: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.5");
const PBE_RC2_40: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.6");

/// What is in a file.
#[derive(Default)]
pub(super) struct Archive {
    /// Private keys in PKCS #8.
    pub(super) keys: Vec<Bag<Zeroizing<Vec<u8>>>>,
    /// Certificates in DER.
    pub(super) certificates: Vec<Bag<Vec<u8>>>,
}

/// A key or a certificate, with the identifier that ties one to the other.
pub(super) struct Bag<T> {
    pub(super) identifier: Option<Vec<u8>>,
    pub(super) contents: T,
}

/// Why a file cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Pkcs12Error {
    /// Another password opens it.
    #[error("the password is wrong")]
    Password,
    /// It is not built as PKCS #12 files are.
    #[error("its structure is not that of PKCS #12")]
    Structure(#[from] der::Error),
    /// A cipher, a hash, or a kind of protection that is not known here.
    #[error("it is protected with {0}, which is not supported")]
    Unsupported(ObjectIdentifier),
    /// Parameters of a cipher that make no sense, or ask for too much.
    #[error("the parameters of its encryption are out of range")]
    Parameters,
}

#[derive(Sequence)]
struct Pfx {
    version: u8,
    content: ContentInfo,
    #[asn1(optional = "true")]
    mac: Option<MacData>,
}

#[derive(Sequence)]
struct MacData {
    mac: DigestInfo,
    salt: OctetString,
    #[asn1(default = "one")]
    iterations: u32,
}

fn one() -> u32 {
    1
}

#[derive(Sequence)]
struct DigestInfo {
    algorithm: AlgorithmIdentifierOwned,
    digest: OctetString,
}

#[derive(Sequence)]
struct SafeBag {
    kind: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    value: Any,
    #[asn1(optional = "true")]
    attributes: Option<SetOfVec<Attribute>>,
}

#[derive(Sequence)]
struct CertificateBag {
    kind: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    certificate: OctetString,
}

#[derive(Sequence)]
struct EncryptedPrivateKeyInfo {
    algorithm: AlgorithmIdentifierOwned,
    encrypted: OctetString,
}

/// Parameters of the old ciphers.
#[derive(Sequence)]
struct PbeParameters {
    salt: OctetString,
    iterations: u32,
}

/// Opens a file.
pub(super) fn open(file: &[u8], password: &str) -> Result<Archive, Pkcs12Error> {
    let pfx = Pfx::from_der(file)?;
    if pfx.content.content_type != DATA {
        return Err(Pkcs12Error::Unsupported(pfx.content.content_type));
    }
    let safes: OctetString = pfx.content.content.decode_as()?;
    let mut password = Password::new(password);
    if let Some(mac) = &pfx.mac {
        password.check(mac, safes.as_bytes())?;
    }
    let mut archive = Archive::default();
    for safe in Vec::<ContentInfo>::from_der(safes.as_bytes())? {
        let contents = match safe.content_type {
            DATA => Zeroizing::new(safe.content.decode_as::<OctetString>()?.as_bytes().to_vec()),
            ENCRYPTED_DATA => {
                let EncryptedData { enc_content_info: info, .. } = safe.content.decode_as()?;
                let encrypted = info.encrypted_content.ok_or(Pkcs12Error::Parameters)?;
                password.decrypt(&info.content_enc_alg, encrypted.as_bytes())?
            }
            other => return Err(Pkcs12Error::Unsupported(other)),
        };
        for bag in Vec::<SafeBag>::from_der(&contents)? {
            archive.add(&bag, &password)?;
        }
    }
    Ok(archive)
}

impl Archive {
    fn add(&mut self, bag: &SafeBag, password: &Password) -> Result<(), Pkcs12Error> {
        let identifier = bag.identifier();
        match bag.kind {
            KEY_BAG => self.keys.push(Bag { identifier, contents: Zeroizing::new(bag.value.to_der()?) }),
            SHROUDED_KEY_BAG => {
                let info: EncryptedPrivateKeyInfo = bag.value.decode_as()?;
                let contents = password.decrypt(&info.algorithm, info.encrypted.as_bytes())?;
                self.keys.push(Bag { identifier, contents });
            }
            CERTIFICATE_BAG => {
                let CertificateBag { kind, certificate } = bag.value.decode_as()?;
                if kind == X509_CERTIFICATE {
                    self.certificates.push(Bag { identifier, contents: certificate.as_bytes().to_vec() });
                }
            }
            // Revocation lists and secrets of applications.
            _ => {}
        }
        Ok(())
    }
}

impl SafeBag {
    fn identifier(&self) -> Option<Vec<u8>> {
        let attribute = self.attributes.as_ref()?.iter().find(|attribute| attribute.oid == LOCAL_KEY_ID)?;
        attribute.values.iter().next().map(|value| value.value().to_vec())
    }
}

/// The password in the two forms in which it is used.
struct Password {
    /// For PBKDF2.
    utf8: Zeroizing<Vec<u8>>,
    /// For the derivation of RFC 7292: UTF-16, big-endian, with a terminator.
    utf16: Zeroizing<Vec<u8>>,
}

impl Password {
    fn new(text: &str) -> Self {
        let utf16 = text.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
        Self { utf8: Zeroizing::new(text.as_bytes().to_vec()), utf16: Zeroizing::new(utf16) }
    }

    /// That the password is the one of the MAC. An empty one is also written as no bytes at all, without a terminator.
    fn check(&mut self, mac: &MacData, contents: &[u8]) -> Result<(), Pkcs12Error> {
        if self.fits(mac, contents)? {
            return Ok(());
        }
        if self.utf8.is_empty() {
            self.utf16.clear();
            if self.fits(mac, contents)? {
                return Ok(());
            }
        }
        Err(Pkcs12Error::Password)
    }

    fn fits(&self, mac: &MacData, contents: &[u8]) -> Result<bool, Pkcs12Error> {
        match mac.mac.algorithm.oid {
            SHA1 => self.fits_with::<Sha1>(mac, contents),
            SHA256 => self.fits_with::<Sha256>(mac, contents),
            SHA384 => self.fits_with::<Sha384>(mac, contents),
            SHA512 => self.fits_with::<Sha512>(mac, contents),
            other => Err(Pkcs12Error::Unsupported(other)),
        }
    }

    fn fits_with<D: Digest + BlockSizeUser + Clone>(
        &self,
        mac: &MacData,
        contents: &[u8],
    ) -> Result<bool, Pkcs12Error> {
        let length = <D as Digest>::output_size();
        let key = self.derive::<D>(Purpose::Mac, mac.salt.as_bytes(), mac.iterations, length)?;
        let mut computed =
            <SimpleHmac<D> as KeyInit>::new_from_slice(&key).map_err(|_| Pkcs12Error::Parameters)?;
        computed.update(contents);
        Ok(computed.verify_slice(mac.mac.digest.as_bytes()).is_ok())
    }

    fn decrypt(
        &self,
        algorithm: &AlgorithmIdentifierOwned,
        encrypted: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Pkcs12Error> {
        let parameters = algorithm.parameters.as_ref().ok_or(Pkcs12Error::Parameters)?;
        match algorithm.oid {
            PBES2 => {
                let parameters = parameters.to_der()?;
                let parameters = pkcs5::pbes2::Parameters::from_der(&parameters)?;
                // Scrypt could ask for memory without end.
                let pbkdf2 = parameters.kdf.pbkdf2().ok_or(Pkcs12Error::Unsupported(PBES2))?;
                if pbkdf2.iteration_count > MAX_ITERATIONS {
                    return Err(Pkcs12Error::Parameters);
                }
                let decrypted = parameters.decrypt(&*self.utf8, encrypted);
                Ok(Zeroizing::new(decrypted.map_err(|_| Pkcs12Error::Password)?))
            }
            PBE_TDEA => self.decrypt_old::<des::TdesEde3>(&parameters.decode_as()?, 24, encrypted),
            PBE_RC2_128 => self.decrypt_old::<rc2::Rc2>(&parameters.decode_as()?, 16, encrypted),
            PBE_RC2_40 => self.decrypt_old::<rc2::Rc2>(&parameters.decode_as()?, 5, encrypted),
            other => Err(Pkcs12Error::Unsupported(other)),
        }
    }

    /// Cipher block chaining with a key of so many bytes and a vector of eight.
    fn decrypt_old<C: KeyInit + BlockCipherDecrypt>(
        &self,
        parameters: &PbeParameters,
        key_length: usize,
        encrypted: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Pkcs12Error> {
        let PbeParameters { salt, iterations } = parameters;
        let key = self.derive::<Sha1>(Purpose::Key, salt.as_bytes(), *iterations, key_length)?;
        let vector = self.derive::<Sha1>(Purpose::Vector, salt.as_bytes(), *iterations, 8)?;
        let cipher =
            cbc::Decryptor::<C>::new_from_slices(&key, &vector).map_err(|_| Pkcs12Error::Parameters)?;
        let decrypted = cipher.decrypt_padded_vec::<Pkcs7>(encrypted).map_err(|_| Pkcs12Error::Password)?;
        Ok(Zeroizing::new(decrypted))
    }

    /// RFC 7292, B.2: `length` bytes for a purpose.
    fn derive<H: Digest + BlockSizeUser>(
        &self,
        purpose: Purpose,
        salt: &[u8],
        iterations: u32,
        length: usize,
    ) -> Result<Zeroizing<Vec<u8>>, Pkcs12Error> {
        if !(1..=MAX_ITERATIONS).contains(&iterations) {
            return Err(Pkcs12Error::Parameters);
        }
        let block_length = H::block_size();
        let diversifier = vec![purpose as u8; block_length];
        let mut input = Zeroizing::new(Vec::new());
        for part in [salt, &self.utf16] {
            let filled = part.len().next_multiple_of(block_length);
            input.extend(part.iter().cycle().take(filled));
        }
        let mut derived = Zeroizing::new(Vec::new());
        while derived.len() < length {
            let mut digest = H::new().chain_update(&diversifier).chain_update(&*input).finalize();
            for _ in 1..iterations {
                digest = H::digest(&digest);
            }
            derived.extend_from_slice(&digest);
            let addend: Vec<u8> = digest.iter().copied().cycle().take(block_length).collect();
            for block in input.chunks_mut(block_length) {
                add_and_one(block, &addend);
            }
        }
        derived.truncate(length);
        Ok(derived)
    }
}

/// What a derived value is for: the byte ID of RFC 7292, B.3.
#[derive(Clone, Copy)]
enum Purpose {
    Key = 1,
    Vector = 2,
    Mac = 3,
}

/// `block = block + addend + 1`, big-endian, modulo its length.
fn add_and_one(block: &mut [u8], addend: &[u8]) {
    let mut carry = 1_u16;
    for (byte, other) in block.iter_mut().zip(addend).rev() {
        let sum = u16::from(*byte) + u16::from(*other) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
}

#[cfg(test)]
mod tests {
    use sha1::Sha1;
    use sha2::Sha256;

    use super::{Password, Pkcs12Error, Purpose, add_and_one, open};

    #[test]
    fn addition_carries() {
        let mut block = [0x00, 0xFF, 0xFE];
        add_and_one(&mut block, &[0x00, 0x00, 0x01]);
        assert_eq!(block, [0x01, 0x00, 0x00]);
        let mut block = [0xFF; 3];
        add_and_one(&mut block, &[0xFF; 3]);
        assert_eq!(block, [0xFF; 3]);
    }

    #[test]
    fn keys_are_derived_as_openssl_derives_them() {
        // openssl kdf -keylen 40 -kdfopt digest:D -kdfopt hexpass:P -kdfopt hexsalt:0102030405060708 -kdfopt iter:N
        // -kdfopt id:I PKCS12KDF; P is the password in UTF-16 with its terminator.
        let salt = [1, 2, 3, 4, 5, 6, 7, 8];
        let long = Password::new("smeg");
        let sha1 = long.derive::<Sha1>(Purpose::Key, &salt, 1000, 40).unwrap();
        assert_eq!(hex::encode_upper(&*sha1), SHA1_KEY);
        let sha256 = long.derive::<Sha256>(Purpose::Mac, &salt, 3, 40).unwrap();
        assert_eq!(hex::encode_upper(&*sha256), SHA256_MAC);
        let empty = Password::new("").derive::<Sha1>(Purpose::Vector, &salt, 2048, 40).unwrap();
        assert_eq!(hex::encode_upper(&*empty), SHA1_EMPTY);
    }

    #[test]
    fn what_asks_for_too_much_is_refused() {
        let password = Password::new("");
        for iterations in [0, 1_000_001, u32::MAX] {
            let derived = password.derive::<Sha1>(Purpose::Key, &[1], iterations, 8);
            assert!(matches!(derived, Err(Pkcs12Error::Parameters)), "{iterations}");
        }
    }

    #[test]
    fn what_is_no_pkcs12_is_refused() {
        for bytes in [&b""[..], b"%PDF-1.7", &[0x30, 0x80], &[0x30, 0x03, 0x02, 0x01, 0x03], &[0xFF; 100]] {
            assert!(matches!(open(bytes, ""), Err(Pkcs12Error::Structure(_))), "{bytes:02X?}");
        }
    }

    const SHA1_KEY: &str = "6EFFA9B609FAEFB4CE02499705872165FD92571BC7DEADE2409E026E9E4819ADD318317FC16AF84D";
    const SHA256_MAC: &str =
        "A099B21C8B07F498CE1CB1D2FE83037C08C86B235D1F3F52C312FEF17E8AD80C8062FD965CE4184A";
    const SHA1_EMPTY: &str =
        "D9886193244D410D27996334B0D2DD3362380DF040E24890134DBBF7827386D0B62E3F431F388805";
}
