//! A session with a card: established, paired, used.

use apdu::{
    Command,
    tlv_ber::{Reader, Tag},
};
use card_sim::{
    crypto::{Crypto, CryptoError},
    key::{DEFAULT_EXPONENT, PublicKey},
    sm::{
        CipherSuite, ProtectionError, Session,
        key_establishment::{CRYPTOGRAM_LENGTH, Established, Transcript, card_id, establish},
    },
};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use x509_cert::Certificate;
use zeroize::{Zeroize, Zeroizing};

use super::{
    cvc::{CardVerifiableCertificate, CvcError, SignerContainer},
    transport::{Answer, Transport, whole_answer},
};
use crate::issue::tlv::{element, elements};

/// Why there is no session, or why it is at its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SmError<E> {
    /// The command did not reach the card.
    #[error(transparent)]
    Transport(E),
    /// The card has no secure messaging.
    #[error(
        "the card's answer to SELECT names no cipher suite: it has no secure messaging; make a card that has with `vreader card new --sm cs2`"
    )]
    None,
    /// The card refused a step.
    #[error("{step} was answered with {status:04X}")]
    Refused {
        /// Which step.
        step: &'static str,
        /// The status word.
        status: u16,
    },
    /// The answer to the key establishment cannot be read.
    #[error("the card's answer to key establishment is not made as SP 800-73-5 part 2, 4.1.4, says")]
    Malformed,
    /// The card's certificate is not to be trusted.
    #[error(transparent)]
    Certificate(#[from] CvcError),
    /// The card does not have the key of its certificate.
    #[error("the card did not prove the key of its certificate: it is a copy, or a fault")]
    Unproved,
    /// An answer's protection is wrong, or the command is too long.
    #[error("the protection of the card's answer is wrong ({0:?}); the session is at its end")]
    Protection(ProtectionError),
    /// The card ended the session.
    #[error("the card ended the session with {0:04X}")]
    Ended(u16),
    /// A command that cannot be protected.
    #[error("these bytes are no command that can be protected")]
    Command,
    /// The cryptographic library failed.
    #[error("the cryptographic library failed: {0:?}")]
    Crypto(CryptoError),
}

impl<E> From<CryptoError> for SmError<E> {
    fn from(error: CryptoError) -> Self {
        Self::Crypto(error)
    }
}

/// Longest data field and answer under secure messaging, in bytes.
const CAPACITY: usize = 20 * 1024;

/// Data that may be secret. It is wiped as far as there is any: to wipe all of it takes longer than to decrypt 2 KB.
#[derive(Default)]
struct Buffer(heapless::Vec<u8, CAPACITY>);

impl Drop for Buffer {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

/// A session of secure messaging with a card.
pub struct SecureChannel<'a, T: Transport> {
    transport: &'a mut T,
    session: Session,
    certificate: CardVerifiableCertificate,
}

/// SELECT of the PIV application.
const SELECT: [u8; 17] =
    [0x00, 0xA4, 0x04, 0x00, 0x0B, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00, 0x00];

/// GET DATA of the certificate of the signer.
const GET_SIGNER: [u8; 11] = [0x00, 0xCB, 0x3F, 0xFF, 0x05, 0x5C, 0x03, 0x5F, 0xC1, 0x22, 0x00];

impl<'a, T: Transport> SecureChannel<'a, T> {
    /// Selects the PIV application, checks the card's certificate and its key, and makes a session.
    ///
    /// With `authorities`, one of them must have issued the content signer's certificate; without, the content signer is
    /// taken from the card.
    pub fn establish(
        transport: &'a mut T,
        authorities: &[Certificate],
        crypto: &mut impl Crypto,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, SmError<T::Error>> {
        let selected = success(transport, "SELECT", &SELECT)?;
        let suite = suite_of(&selected.data).ok_or(SmError::None)?;
        let signer = success(transport, "GET DATA of the signer, 5FC122,", &GET_SIGNER)?;
        let signer = SignerContainer::parse(&signer.data)?;

        let mut id = [0; 8];
        rng.fill_bytes(&mut id);
        let key = crypto.generate(suite.curve(), DEFAULT_EXPONENT, rng)?;
        let PublicKey::Ecc { point } = crypto.public_key(&key)? else { return Err(SmError::Malformed) };
        let answer = success(transport, "key establishment", &request(suite, &id, &point))?;
        let Proof { control, nonce, cryptogram, certificate } =
            Proof::parse(&answer.data, suite).ok_or(SmError::Malformed)?;
        let parsed = CardVerifiableCertificate::parse(certificate)?;
        if parsed.suite != suite || control != 0x00 {
            return Err(SmError::Malformed);
        }
        signer.check(&parsed, authorities)?;

        let mut z = Zeroizing::new(vec![0; suite.curve().size()]);
        crypto.ecdh(&key, &parsed.point, &mut z)?;
        let transcript = Transcript {
            suite,
            host_control: 0x00,
            host_id: &id,
            host_key: &point,
            card_id: &card_id(certificate),
            card_control: control,
            nonce,
        };
        let Established { cryptogram: expected, session } =
            establish(&transcript, &z).ok_or(SmError::Malformed)?;
        if bool::from(expected.ct_eq(cryptogram)) {
            Ok(Self { transport, session, certificate: parsed })
        } else {
            Err(SmError::Unproved)
        }
    }

    /// The card's certificate. Its subject is the card's GUID.
    pub fn certificate(&self) -> &CardVerifiableCertificate {
        &self.certificate
    }

    /// Presents the pairing code, which opens the virtual contact interface.
    pub fn pair(&mut self, code: &str) -> Result<(), SmError<T::Error>> {
        let length = u8::try_from(code.len()).map_err(|_| SmError::Command)?;
        let command = Zeroizing::new([&[0x00, 0x20, 0x00, 0x98, length], code.as_bytes()].concat());
        match self.transmit(&command)?.status {
            0x9000 => Ok(()),
            status => Err(SmError::Refused { step: "the pairing code", status }),
        }
    }

    /// Sends a command as it is, beside the session, which stays. Some commands may not be protected (SP 800-73-5 part 2, table 2).
    pub fn transmit_plain(&mut self, command: &[u8]) -> Result<Answer, T::Error> {
        whole_answer(self.transport, command)
    }

    /// Sends a plain command under the session, and gives what is inside the card's answer.
    ///
    /// # Errors
    /// After an error the session is of no more use. A refusal inside the answer is no error.
    pub fn transmit(&mut self, command: &[u8]) -> Result<Answer, SmError<T::Error>> {
        let parsed = Command::parse(command).map_err(|_| SmError::Command)?;
        let header = [parsed.instruction, parsed.p1, parsed.p2];
        let mut data = Buffer::default();
        data.0.extend_from_slice(parsed.data).map_err(|_| SmError::Command)?;
        self.session.protect_command(header, parsed.ne() > 0, &mut data.0).map_err(SmError::Protection)?;
        let answer = whole_answer(self.transport, &protected(header, &data.0)).map_err(SmError::Transport)?;
        if !answer.is_success() {
            return Err(SmError::Ended(answer.status));
        }
        let mut plain = Buffer::default();
        let status = self.session.open_response(&answer.data, &mut plain.0).map_err(SmError::Protection)?;
        Ok(Answer { data: Zeroizing::new(plain.0.to_vec()), status })
    }
}

/// The protected command in its extended form, which [`whole_answer`] cuts.
fn protected([instruction, p1, p2]: [u8; 3], data: &[u8]) -> Vec<u8> {
    let header = [0x0C, instruction, p1, p2];
    match u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes() {
        [0, length] => [&header[..], &[length], data, &[0x00]].concat(),
        length => [&header[..], &[0x00], &length, data, &[0x00, 0x00]].concat(),
    }
}

fn success<T: Transport>(
    transport: &mut T,
    step: &'static str,
    command: &[u8],
) -> Result<Answer, SmError<T::Error>> {
    let answer = whole_answer(transport, command).map_err(SmError::Transport)?;
    if answer.is_success() { Ok(answer) } else { Err(SmError::Refused { step, status: answer.status }) }
}

/// The cipher suite in the application property template: `AC { 80 01 suite … }`.
pub(crate) fn suite_of(template: &[u8]) -> Option<CipherSuite> {
    let mut template = Reader::new(Reader::new(template).expect(Tag::new(0x61)).ok()?);
    while let Some(element) = template.next().ok()? {
        if element.tag.number() != 0xAC {
            continue;
        }
        let mut algorithms = Reader::new(element.value);
        while let Ok(Some(algorithm)) = algorithms.next() {
            if let (0x80, &[id]) = (algorithm.tag.number(), algorithm.value)
                && let Some(suite) = CipherSuite::from_id(id)
            {
                return Some(suite);
            }
        }
    }
    None
}

/// GENERAL AUTHENTICATE with key `04`.
pub(crate) fn request(suite: CipherSuite, id: &[u8], point: &[u8]) -> Vec<u8> {
    let challenge = [&[0x00], id, point].concat();
    let data = element(0x7C, &elements([(0x81, &challenge), (0x82, &[])]));
    let length = u8::try_from(data.len()).unwrap_or(u8::MAX);
    [&[0x00, 0x87, suite.id(), 0x04, length], &data[..], &[0x00]].concat()
}

/// The card's answer to key establishment.
pub(crate) struct Proof<'a> {
    control: u8,
    nonce: &'a [u8],
    cryptogram: &'a [u8],
    pub(crate) certificate: &'a [u8],
}

impl<'a> Proof<'a> {
    pub(crate) fn parse(answer: &'a [u8], suite: CipherSuite) -> Option<Self> {
        let template = Reader::new(answer).expect(Tag::new(0x7C)).ok()?;
        let contents = Reader::new(template).expect(Tag::new(0x82)).ok()?;
        let (control, rest) = contents.split_first()?;
        let (nonce, rest) = rest.split_at_checked(suite.nonce_length())?;
        let (cryptogram, certificate) = rest.split_at_checked(CRYPTOGRAM_LENGTH)?;
        Some(Self { control: *control, nonce, cryptogram, certificate })
    }
}
