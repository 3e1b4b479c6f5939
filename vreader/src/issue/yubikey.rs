//! A YubiKey as it leaves the factory: known PIN, PUK and management key, a serial number, an attestation key with its
//! certificate, and nobody's keys. The authority behind its attestations is a sample, of this card alone.

use card_sim::{
    crypto::Crypto,
    key::{KeyReference, Origin, PrivateKey, SymmetricKey},
    object::ObjectTag,
    profile::yubico::{DEFAULT_PIN, DEFAULT_PUK, Yubico},
    reference,
};
use rand_core::Rng;
use zeroize::Zeroizing;

use super::{
    IssuedCard,
    discovery::discovery_object,
    error::IssueError,
    padded_pin,
    pki::{self, Authority},
    puk_bytes,
    randomness::Randomness,
    stored_certificate::stored_certificate,
    tlv::{WRAPPING, element},
};

/// A YubiKey that is nobody's yet.
pub struct FreshYubiKey {
    /// PIN, padded with `FF`.
    pub pin: Zeroizing<[u8; reference::LENGTH]>,
    /// PUK.
    pub puk: Zeroizing<[u8; reference::LENGTH]>,
    /// Card management key, 9B.
    pub management_key: SymmetricKey,
    /// Serial number.
    pub serial_number: u32,
    /// The attestation key, F9.
    pub keys: Vec<(KeyReference, PrivateKey, Origin)>,
    /// Its certificate, and the Discovery Object.
    pub objects: Vec<(ObjectTag, Vec<u8>)>,
    /// Who has signed that.
    pub attestation_root: Authority,
}

/// PIN usage policy: the application's PIN and no other.
const PIN_USAGE: [u8; 2] = [0x40, 0x00];

impl FreshYubiKey {
    /// As from the factory. The same seed gives the same card.
    ///
    /// # Errors
    /// When the operating system gives no randomness, or the cryptography fails.
    #[expect(clippy::missing_panics_doc, reason = "the factory's key has the length of its algorithm")]
    pub fn new(yubico: &Yubico, seed: Option<u64>, crypto: &mut dyn Crypto) -> Result<Self, IssueError> {
        let (attestation_root, attestation) = pki::attestation(seed, crypto)?;
        let mut certificate = stored_certificate(attestation.certificate_der(), false);
        // Error detection code, which is empty (SP 800-73-5 part 1, appendix A).
        certificate.extend([0xFE, 0x00]);
        Ok(Self {
            keys: vec![(KeyReference::Attestation, attestation.key().clone(), Origin::Generated)],
            objects: vec![
                (ObjectTag::ATTESTATION, element(WRAPPING, &certificate)),
                // OpenSC reads it to see that PIV is still selected; a SELECT in its place would forget the PIN.
                (ObjectTag::DISCOVERY, element(0x7E, &discovery_object(PIN_USAGE))),
            ],
            attestation_root,
            pin: Zeroizing::new(DEFAULT_PIN),
            puk: Zeroizing::new(DEFAULT_PUK),
            // 24 bytes, and both algorithms take so many.
            management_key: yubico.default_management_key().expect("a key of the factory's length"),
            serial_number: serial_number(seed)?,
        })
    }

    /// Puts what a YubiKey has from the factory, and a person's card has not, on that card too. Gives the serial number.
    pub fn add_to(self, issued: &mut IssuedCard) -> u32 {
        issued.keys.extend(self.keys);
        let mut objects = self.objects;
        objects.retain(|(tag, _)| issued.objects.iter().all(|(found, _)| found != tag));
        issued.objects.extend(objects);
        self.serial_number
    }

    /// The same with other secrets: a PIN of 6 to 8 digits, a PUK of 8 characters, a card management key.
    ///
    /// # Errors
    /// When PIN or PUK have another form.
    pub fn with_secrets(
        self,
        pin: &str,
        puk: &str,
        management_key: SymmetricKey,
    ) -> Result<Self, IssueError> {
        Ok(Self { pin: padded_pin(pin)?, puk: puk_bytes(puk)?, management_key, ..self })
    }
}

/// A serial number of eight digits, as they are printed on YubiKeys.
fn serial_number(seed: Option<u64>) -> Result<u32, IssueError> {
    let number = Randomness::new(seed).source("serial number")?.next_u32();
    Ok(10_000_000 + number % 90_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_a_serial_number_of_eight_digits() {
        let numbers = [1, 2, 1].map(|seed| serial_number(Some(seed)).unwrap());
        assert_eq!(numbers[0], numbers[2]);
        assert_ne!(numbers[0], numbers[1]);
        assert!(numbers.iter().all(|number| (10_000_000..100_000_000).contains(number)));
    }
}
