//! ATTEST: a certificate which says that a key was made on this card. The card makes and signs it.
//!
//! Issuer and validity are taken from the certificate of the attestation key, data object `5FFF01`; the extensions are those
//! that Yubico documents, `1.3.6.1.4.1.41482.3`, with bare bytes as their values. The answer is the certificate, not wrapped.

use apdu::{
    Full,
    tlv_ber::{Header, Reader, Tag, Writer},
};
use heapless::Vec;
use rand_core::Rng;
use sha2::{Digest, Sha256, Sha384};

use super::super::Context;
use crate::{
    crypto::{Crypto, MAX_RESULT, ecdsa_der},
    key::{self, AsymmetricAlgorithm, KeyReference, Origin, PrivateKey, PublicKey, policy::Policy},
    object::ObjectTag,
    platform::Platform,
    profile::yubico::Yubico,
    refusal::{Refusal, rules},
    store::{Record, Store},
};

/// Longest certificate: of an RSA-4096 key, under a long issuer.
const CAPACITY: usize = 2048;

/// Longest attestation certificate that is read.
const ISSUER_CAPACITY: usize = 4096;

/// X.690: universal tags, and the context-specific ones of a certificate.
mod tag {
    use super::Tag;

    pub(super) const INTEGER: Tag = Tag::new(0x02);
    pub(super) const BIT_STRING: Tag = Tag::new(0x03);
    pub(super) const OCTET_STRING: Tag = Tag::new(0x04);
    pub(super) const NULL: Tag = Tag::new(0x05);
    pub(super) const OBJECT_IDENTIFIER: Tag = Tag::new(0x06);
    pub(super) const UTF8_STRING: Tag = Tag::new(0x0C);
    pub(super) const SEQUENCE: Tag = Tag::new(0x30);
    pub(super) const SET: Tag = Tag::new(0x31);
    pub(super) const VERSION: Tag = Tag::new(0xA0);
    pub(super) const EXTENSIONS: Tag = Tag::new(0xA3);
}

/// Object identifiers, in their encoding.
mod oid {
    pub(super) const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    pub(super) const RSA_ENCRYPTION: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
    pub(super) const RSA_WITH_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B];
    pub(super) const EC_PUBLIC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
    pub(super) const ECDSA_WITH_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
    pub(super) const ECDSA_WITH_SHA384: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03];
    pub(super) const CURVE_P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
    pub(super) const CURVE_P384: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x22];
    /// RFC 8410, 3.
    pub(super) const ED25519: &[u8] = &[0x2B, 0x65, 0x70];
    pub(super) const X25519: &[u8] = &[0x2B, 0x65, 0x6E];

    /// One of Yubico's extensions.
    pub(super) const fn yubico(number: u8) -> [u8; 10] {
        [0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0xC4, 0x0A, 0x03, number]
    }
}

/// Numbers of Yubico's extensions.
mod extension {
    pub(super) const FIRMWARE: u8 = 3;
    pub(super) const SERIAL_NUMBER: u8 = 7;
    pub(super) const POLICY: u8 = 8;
    pub(super) const FORM_FACTOR: u8 = 9;
}

/// What stands before a SHA-256 digest in a signature of PKCS #1 version 1.5.
const SHA256_PREFIX: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];

/// What the certificate says.
struct Statement<'a> {
    reference: KeyReference,
    public_key: &'a PublicKey,
    policy: Policy,
    yubico: &'a Yubico,
    /// The card's, four bytes.
    serial_number: &'a [u8],
    /// The certificate's.
    certificate_number: [u8; 16],
    /// Its elements, as they stand in the attestation key's certificate.
    issuer: Issuer<'a>,
    signature: AsymmetricAlgorithm,
}

/// What is taken from the certificate of the attestation key: the values of two elements.
struct Issuer<'a> {
    name: &'a [u8],
    validity: &'a [u8],
}

pub(super) fn run<P: Platform>(
    context: &mut Context<'_, P>,
    yubico: &Yubico,
    reference: KeyReference,
) -> Result<(), Refusal> {
    let platform = &mut *context.platform;
    let attributes = key::load_attributes(&platform.store, reference)?.ok_or(rules::NO_KEY.refuse())?;
    if attributes.origin != Origin::Generated {
        return Err(rules::ATTEST_ORIGIN.refuse());
    }
    let (key, _) = key::load_private(&platform.store, reference)?.ok_or(rules::NO_KEY.refuse())?;
    let (attestation_key, _) =
        key::load_private(&platform.store, KeyReference::Attestation)?.ok_or(rules::ATTEST_KEY.refuse())?;
    let mut object = Vec::<u8, ISSUER_CAPACITY>::new();
    platform.store.read(Record::Object(ObjectTag::ATTESTATION), &mut object)?;
    let issuer = issuer(&object).ok_or(rules::ATTEST_KEY.refuse())?;
    let mut serial_number = Vec::<u8, 4>::new();
    platform.store.read(Record::SerialNumber, &mut serial_number)?;
    let mut certificate_number = [0; 16];
    platform.rng.fill_bytes(&mut certificate_number);
    // Positive, and as short as it can be.
    certificate_number[0] = certificate_number[0] & 0x3F | 0x40;
    let public_key = platform.crypto.public_key(&key)?;
    let statement = Statement {
        reference,
        public_key: &public_key,
        policy: attributes.policy.for_key(reference),
        yubico,
        serial_number: &serial_number,
        certificate_number,
        issuer,
        signature: attestation_key.algorithm(),
    };

    let full = |Full| rules::MEMORY_FULL.refuse();
    let mut buffer = [0; CAPACITY];
    let mut writer = Writer::new(&mut buffer);
    statement.write(&mut writer).map_err(full)?;
    let statement = writer.finish();
    let signature = sign(&mut platform.crypto, &attestation_key, statement)?;

    let mut buffer = [0; CAPACITY];
    let mut writer = Writer::new(&mut buffer);
    write_signature_algorithm(&mut writer, attestation_key.algorithm()).map_err(full)?;
    bit_string(&mut writer, &signature).map_err(full)?;
    let rest = writer.finish();
    let length = statement.len().saturating_add(rest.len());
    let header = Header::new(tag::SEQUENCE, length).ok_or(rules::MEMORY_FULL.refuse())?;
    for part in [header.as_slice(), statement, rest] {
        context.response.extend_from_slice(part)?;
    }
    Ok(())
}

/// The name and the validity in the certificate in this object.
fn issuer(object: &[u8]) -> Option<Issuer<'_>> {
    let contents = Reader::new(object).expect(Tag::new(0x53)).ok()?;
    let certificate = Reader::new(contents).expect(Tag::new(0x70)).ok()?;
    let certificate = Reader::new(certificate).expect(tag::SEQUENCE).ok()?;
    let mut fields = Reader::new(Reader::new(certificate).expect(tag::SEQUENCE).ok()?);
    fields.optional(tag::VERSION).ok()?;
    fields.expect(tag::INTEGER).ok()?;
    // Signature algorithm, and the issuer of this one.
    fields.expect(tag::SEQUENCE).ok()?;
    fields.expect(tag::SEQUENCE).ok()?;
    let validity = fields.expect(tag::SEQUENCE).ok()?;
    let name = fields.expect(tag::SEQUENCE).ok()?;
    Some(Issuer { name, validity })
}

impl Statement<'_> {
    /// Appends the TBSCertificate of RFC 5280.
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.nested(tag::SEQUENCE, |to_be_signed| {
            to_be_signed.nested(tag::VERSION, |version| version.tlv(tag::INTEGER, &[2]))?;
            to_be_signed.tlv(tag::INTEGER, &self.certificate_number)?;
            write_signature_algorithm(to_be_signed, self.signature)?;
            to_be_signed.tlv(tag::SEQUENCE, self.issuer.name)?;
            to_be_signed.tlv(tag::SEQUENCE, self.issuer.validity)?;
            self.write_subject(to_be_signed)?;
            self.write_public_key(to_be_signed)?;
            to_be_signed.nested(tag::EXTENSIONS, |extensions| {
                extensions.nested(tag::SEQUENCE, |extensions| self.write_extensions(extensions))
            })
        })
    }

    /// `YubiKey PIV Attestation 9c`, in lower case.
    fn write_subject(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        let digit = |value: u8| *b"0123456789abcdef".get(usize::from(value)).unwrap_or(&b'0');
        let byte = self.reference.to_byte();
        let mut name = *b"YubiKey PIV Attestation 00";
        if let Some(digits) = name.last_chunk_mut::<2>() {
            *digits = [digit(byte >> 4), digit(byte & 0x0F)];
        }
        writer.nested(tag::SEQUENCE, |names| {
            names.nested(tag::SET, |set| {
                set.nested(tag::SEQUENCE, |attribute| {
                    attribute.tlv(tag::OBJECT_IDENTIFIER, oid::COMMON_NAME)?;
                    attribute.tlv(tag::UTF8_STRING, &name)
                })
            })
        })
    }

    fn write_public_key(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        let of_curve25519 = |info: &mut Writer<'_>, oid, key: &[u8]| {
            info.nested(tag::SEQUENCE, |algorithm| algorithm.tlv(tag::OBJECT_IDENTIFIER, oid))?;
            bit_string(info, key)
        };
        writer.nested(tag::SEQUENCE, |info| match self.public_key {
            PublicKey::Ed25519(key) => of_curve25519(info, oid::ED25519, key),
            PublicKey::X25519(key) => of_curve25519(info, oid::X25519, key),
            PublicKey::Ecc { point } => {
                let curve = if point.len() == 65 { oid::CURVE_P256 } else { oid::CURVE_P384 };
                info.nested(tag::SEQUENCE, |algorithm| {
                    algorithm.tlv(tag::OBJECT_IDENTIFIER, oid::EC_PUBLIC_KEY)?;
                    algorithm.tlv(tag::OBJECT_IDENTIFIER, curve)
                })?;
                bit_string(info, point)
            }
            PublicKey::Rsa { modulus, exponent } => {
                info.nested(tag::SEQUENCE, |algorithm| {
                    algorithm.tlv(tag::OBJECT_IDENTIFIER, oid::RSA_ENCRYPTION)?;
                    algorithm.tlv(tag::NULL, &[])
                })?;
                info.nested(tag::BIT_STRING, |bits| {
                    bits.raw(&[0x00])?;
                    bits.nested(tag::SEQUENCE, |key| {
                        positive(key, modulus)?;
                        positive(key, &exponent.to_be_bytes())
                    })
                })
            }
        })
    }

    fn write_extensions(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        let version = self.yubico.version;
        let Policy { pin, touch } = self.policy;
        let mut extension = |number, write: &dyn Fn(&mut Writer<'_>) -> Result<(), Full>| {
            writer.nested(tag::SEQUENCE, |extension| {
                extension.tlv(tag::OBJECT_IDENTIFIER, &oid::yubico(number))?;
                extension.nested(tag::OCTET_STRING, write)
            })
        };
        extension(extension::FIRMWARE, &|value| value.raw(&[version.major, version.minor, version.patch]))?;
        if !self.serial_number.is_empty() {
            extension(extension::SERIAL_NUMBER, &|value| positive(value, self.serial_number))?;
        }
        extension(extension::POLICY, &|value| value.raw(&[pin.to_byte(), touch.to_byte()]))?;
        extension(extension::FORM_FACTOR, &|value| value.raw(&[self.yubico.form_factor()]))
    }
}

/// A positive INTEGER from big-endian bytes.
fn positive(writer: &mut Writer<'_>, bytes: &[u8]) -> Result<(), Full> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = bytes.get(zeros..).unwrap_or_default();
    let sign: &[u8] = if digits.first().is_none_or(|first| *first >= 0x80) { &[0x00] } else { &[] };
    writer.nested(tag::INTEGER, |integer| {
        integer.raw(sign)?;
        integer.raw(digits)
    })
}

/// A BIT STRING of whole bytes.
fn bit_string(writer: &mut Writer<'_>, bytes: &[u8]) -> Result<(), Full> {
    writer.nested(tag::BIT_STRING, |bits| {
        bits.raw(&[0x00])?;
        bits.raw(bytes)
    })
}

fn write_signature_algorithm(writer: &mut Writer<'_>, algorithm: AsymmetricAlgorithm) -> Result<(), Full> {
    writer.nested(tag::SEQUENCE, |identifier| match algorithm {
        AsymmetricAlgorithm::EccP256 => identifier.tlv(tag::OBJECT_IDENTIFIER, oid::ECDSA_WITH_SHA256),
        AsymmetricAlgorithm::EccP384 => identifier.tlv(tag::OBJECT_IDENTIFIER, oid::ECDSA_WITH_SHA384),
        _ => {
            identifier.tlv(tag::OBJECT_IDENTIFIER, oid::RSA_WITH_SHA256)?;
            identifier.tlv(tag::NULL, &[])
        }
    })
}

/// The signature over `message`, as it stands in a certificate.
fn sign(crypto: &mut impl Crypto, key: &PrivateKey, message: &[u8]) -> Result<Vec<u8, MAX_RESULT>, Refusal> {
    let size = key.algorithm().size();
    let mut result = Vec::new();
    if key.algorithm().is_rsa() {
        let digest = Sha256::digest(message);
        let end = SHA256_PREFIX.len().saturating_add(digest.len());
        result.extend_from_slice(&[0x00, 0x01])?;
        result.resize(size.saturating_sub(end).saturating_sub(1), 0xFF)?;
        result.push(0x00).map_err(|_| rules::MEMORY_FULL.refuse())?;
        result.extend_from_slice(&SHA256_PREFIX)?;
        result.extend_from_slice(&digest)?;
        crypto.rsa_private(key, &mut result)?;
        return Ok(result);
    }
    let mut signature = [0; 96];
    let signature = signature.get_mut(..size.saturating_mul(2)).ok_or(rules::INPUT_LENGTH.refuse())?;
    match key.algorithm() {
        AsymmetricAlgorithm::EccP384 => crypto.ecdsa_sign(key, &Sha384::digest(message), signature)?,
        _ => crypto.ecdsa_sign(key, &Sha256::digest(message), signature)?,
    }
    ecdsa_der(signature, &mut result)?;
    Ok(result)
}
