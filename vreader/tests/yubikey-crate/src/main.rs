//! What programs do with the crate `yubikey`, on a card as from the factory: open a reader, prove the PIN and the management
//! key, make keys and import some, certify, sign, decrypt, ask for metadata and attestation. It checks each result with
//! other crates, says a line a step, and ends with the first thing that is not as it should be.
//!
//! It leaves `attested.der` behind, for somebody who knows the authority.

use std::{error::Error, fs, str::FromStr, time::Duration};

use p256::{
    ecdsa::signature::{Verifier, hazmat::PrehashVerifier},
    elliptic_curve::sec1::ToSec1Point,
};
use rsa::{Pkcs1v15Encrypt, RsaPrivateKey, traits::PrivateKeyParts};
use sha2::{Digest, Sha256};
use x509_cert::{name::Name, serial_number::SerialNumber, time::Validity};
use yubikey::{
    Certificate, ChuId, Context, Key, MgmKey, PinPolicy, TouchPolicy, YubiKey,
    certificate::CertInfo,
    piv::{self, AlgorithmId, Origin, RetiredSlotId, RsaKeyData, SlotId},
};

type Outcome<T> = Result<T, Box<dyn Error>>;

const PIN: &[u8] = b"123456";
const MESSAGE: &[u8] = b"sign me";

fn main() -> Outcome<()> {
    let mut yubikey = open()?;
    references(&mut yubikey)?;
    let management_key = MgmKey::get_default(&yubikey)?;
    yubikey.authenticate(&management_key)?;
    println!("authenticated with {:?}", management_key.algorithm_id());
    generated(&mut yubikey)?;
    imported_rsa(&mut yubikey)?;
    imported_p256(&mut yubikey)?;
    if yubikey.version() >= yubikey::Version::new([5, 7, 0]) {
        curve25519(&mut yubikey)?;
    }
    objects(&mut yubikey)
}

/// Opens the only reader with a YubiKey.
fn open() -> Outcome<YubiKey> {
    let mut context = Context::open()?;
    let readers: Vec<_> = context.iter()?.collect();
    let [reader] = readers.as_slice() else { return Err(format!("{} readers", readers.len()).into()) };
    let yubikey = reader.open()?;
    println!("{}: version {}, serial number {}", reader.name(), yubikey.version(), yubikey.serial());
    Ok(yubikey)
}

/// The PIN and the PUK: wrong ones, changes, and back to what they were.
fn references(yubikey: &mut YubiKey) -> Outcome<()> {
    let wrong = yubikey.verify_pin(b"000000");
    expect("the tries of a wrong PIN", &wrong, &Err(yubikey::Error::WrongPin { tries: 2 }))?;
    expect("the tries left", &yubikey.get_pin_retries()?, &2)?;
    yubikey.verify_pin(PIN)?;
    yubikey.change_pin(PIN, b"654321")?;
    yubikey.change_puk(b"12345678", b"87654321")?;
    yubikey.unblock_pin(b"87654321", PIN)?;
    yubikey.change_puk(b"87654321", b"12345678")?;
    yubikey.verify_pin(PIN)?;
    println!("PIN and PUK: done");
    Ok(())
}

/// A key of P-256 that the card makes, with its certificate, metadata and attestation.
fn generated(yubikey: &mut YubiKey) -> Outcome<()> {
    let slot = SlotId::Authentication;
    let (pin, touch) = (PinPolicy::Once, TouchPolicy::Never);
    let public = piv::generate(yubikey, slot, AlgorithmId::EccP256, pin, touch)?;
    let own = Certificate::generate_self_signed::<_, p256::NistP256>(
        yubikey,
        slot,
        SerialNumber::new(&[0x01])?,
        Validity::from_now(Duration::from_secs(86_400))?,
        Name::from_str("CN=Sam Sample")?,
        public.clone(),
        |_| Ok(()),
    )?;
    let read = Certificate::read(yubikey, slot)?;
    expect("the certificate", &read.cert, &own.cert)?;
    expect("its subject", &read.subject().as_str(), &"CN=Sam Sample")?;

    let key = p256::ecdsa::VerifyingKey::try_from(read.subject_pki())?;
    let digest = Sha256::digest(MESSAGE);
    let signature = piv::sign_data(yubikey, &digest, AlgorithmId::EccP256, slot)?;
    key.verify_prehash(&digest, &p256::ecdsa::Signature::from_der(&signature)?)?;

    match piv::metadata(yubikey, slot) {
        Ok(metadata) => {
            expect("the origin", &matches!(metadata.origin, Some(Origin::Generated)), &true)?;
            expect("the policies", &metadata.policy, &Some((pin, touch)))?;
            expect("the public key", &metadata.public, &Some(public))?;
        }
        Err(yubikey::Error::NotSupported) => println!("no metadata"),
        Err(error) => return Err(error.into()),
    }
    fs::write("attested.der", piv::attest(yubikey, slot)?.as_slice())?;
    let slots: Vec<_> = Key::list(yubikey)?.iter().map(Key::slot).collect();
    expect("keys with a certificate", &slots, &vec![slot, SlotId::Attestation])?;
    println!("generated: done");
    Ok(())
}

/// An RSA key that comes from elsewhere, and decrypts.
fn imported_rsa(yubikey: &mut YubiKey) -> Outcome<()> {
    for (bits, algorithm) in [(1024, AlgorithmId::Rsa1024), (2048, AlgorithmId::Rsa2048)] {
        let slot = SlotId::KeyManagement;
        let key = RsaPrivateKey::new(&mut rand::rng(), bits)?;
        let [p, q] = key.primes() else { return Err("a key of two primes".into()) };
        let data = RsaKeyData::new(&p.to_be_bytes(), &q.to_be_bytes())?;
        piv::import_rsa_key(yubikey, slot, algorithm, data, TouchPolicy::Never, PinPolicy::Once)?;
        let secret = key.to_public_key().encrypt(&mut rand::rng(), Pkcs1v15Encrypt, MESSAGE)?;
        let block = piv::decrypt_data(yubikey, &secret, algorithm, slot)?;
        let start = block.len().saturating_sub(MESSAGE.len() + 1);
        expect("the padding", &block[..2], &[0x00, 0x02])?;
        expect("the message", &block[start..], &[&[0x00], MESSAGE].concat())?;
        expect("an attestation", &piv::attest(yubikey, slot).is_err(), &true)?;
    }
    println!("imported RSA: done");
    Ok(())
}

/// A key of P-256 that comes from elsewhere, and agrees; its certificate is written, read and deleted.
fn imported_p256(yubikey: &mut YubiKey) -> Outcome<()> {
    let slot = SlotId::Retired(RetiredSlotId::R1);
    let [own, peer] = [0x5A, 0xA5].map(|byte| p256::SecretKey::from_slice(&[byte; 32]));
    let (own, peer) = (own?, peer?);
    let bytes = own.to_bytes();
    piv::import_ecc_key(yubikey, slot, AlgorithmId::EccP256, &bytes, TouchPolicy::Never, PinPolicy::Never)?;
    let point = peer.public_key().to_sec1_point(false);
    let agreed = piv::decrypt_data(yubikey, point.as_bytes(), AlgorithmId::EccP256, slot)?;
    let expected = own.diffie_hellman(&peer.public_key());
    expect("the secret", &agreed[..], expected.raw_secret_bytes().as_slice())?;

    let certificate = Certificate::read(yubikey, SlotId::Authentication)?;
    certificate.write(yubikey, slot, CertInfo::Uncompressed)?;
    expect("the certificate", &Certificate::read(yubikey, slot)?.cert, &certificate.cert)?;
    Certificate::delete(yubikey, slot)?;
    expect("a certificate that is gone", &Certificate::read(yubikey, slot).is_err(), &true)?;
    println!("imported P-256: done");
    Ok(())
}

/// Ed25519 that the card makes, and X25519 of RFC 7748, 6.1.
fn curve25519(yubikey: &mut YubiKey) -> Outcome<()> {
    let slot = SlotId::CardAuthentication;
    let (pin, touch) = (PinPolicy::Never, TouchPolicy::Never);
    let public = piv::generate(yubikey, slot, AlgorithmId::Ed25519, pin, touch)?;
    let public = public.subject_public_key.raw_bytes().try_into()?;
    let signature = piv::sign_data(yubikey, MESSAGE, AlgorithmId::Ed25519, slot)?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(public)?;
    key.verify(MESSAGE, &ed25519_dalek::Signature::from_slice(&signature)?)?;

    let slot = SlotId::Retired(RetiredSlotId::R2);
    piv::import_cv_key(yubikey, slot, AlgorithmId::X25519, &BOB, touch, pin)?;
    let agreed = piv::decrypt_data(yubikey, &ALICE, AlgorithmId::X25519, slot)?;
    expect("the secret of RFC 7748", &agreed[..], &SHARED)?;
    println!("Ed25519 and X25519: done");
    Ok(())
}

/// The CHUID, as data that a program writes and reads.
fn objects(yubikey: &mut YubiKey) -> Outcome<()> {
    expect("a CHUID on a new card", &yubikey.chuid().err(), &Some(yubikey::Error::NotFound))?;
    let fascn = [&[0x30, 0x19][..], &[0x5A; 25]].concat();
    let guid = [&[0x34, 0x10][..], &[0xA5; 16]].concat();
    let rest = [&[0x35, 0x08][..], b"20300101", &[0x3E, 0x00, 0xFE, 0x00]].concat();
    let chuid = ChuId([fascn, guid, rest].concat().as_slice().try_into()?);
    chuid.set(yubikey)?;
    expect("the CHUID", &yubikey.chuid()?.0, &chuid.0)?;
    println!("objects: done");
    Ok(())
}

fn expect<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, found: &T, expected: &T) -> Outcome<()> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} instead of {expected:?}").into()) }
}

/// RFC 7748, 6.1: Bob's private key, Alice's public one, and what they share.
const BOB: [u8; 32] = hex("5DAB087E624A8A4B79E17F8B83800EE66F3BB1292618B6FD1C2F8B27FF88E0EB");
const ALICE: [u8; 32] = hex("8520F0098930A754748B7DDCB43EF75A0DBF3A0D26381AF4EBA4A98EAA9B4E6A");
const SHARED: [u8; 32] = hex("4A5D9D5BA4CE2DE1728E3BF480350F25E07E21C947D19E3376F09B3C1E161742");

/// The bytes of 64 upper-case digits.
const fn hex(digits: &str) -> [u8; 32] {
    const fn value(digit: u8) -> u8 {
        if digit.is_ascii_digit() { digit - b'0' } else { digit - b'A' + 10 }
    }
    let (digits, mut bytes, mut at) = (digits.as_bytes(), [0; 32], 0);
    while at < 32 {
        bytes[at] = value(digits[2 * at]) * 16 + value(digits[2 * at + 1]);
        at += 1;
    }
    bytes
}
