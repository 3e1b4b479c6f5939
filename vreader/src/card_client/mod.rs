//! The host's half of managing a card: commands of the PIV application as functions, over whatever carries them.
//!
//! [`CardClient`] speaks to one card, plain or under secure messaging; [`Line`] carries its commands, to a card behind a PC/SC
//! socket or in this process. Commands follow SP 800-73-5 part 2; import and deletion of keys, and the administrator's unblocking,
//! are extensions of this project's card stocks and of YubiKeys (docs/piv-cards.md).
//!
//! Promises: a refusal names the step and the status word; a PIN, a PUK or a key is in no error; a link that broke is
//! [`ClientError::Link`], so that whoever asked knows that the command may have been run, or not.

mod identity;
mod import;
mod line;
mod proof;

use apdu::tlv_ber::{Reader, Tag};
use card_sim::{
    crypto::Crypto,
    key::{AsymmetricAlgorithm, KeyReference, PrivateKey, PublicKey, SymmetricKey},
    reference,
};
use rand_core::CryptoRng;
use x509_cert::Certificate;
use zeroize::Zeroizing;

pub use self::{
    identity::CardIdentity,
    line::{Line, LinkError},
};
use crate::{
    check::command,
    inspect::certificate::unpack,
    issue::{
        certificate_tag,
        tlv::{WRAPPING, element, elements, long_element},
    },
    sm::{
        channel::{SecureChannel, SmError, suite_of},
        transport::{Answer, whole_answer},
    },
};

/// A PIN or PUK as commands carry it.
pub type Reference = Zeroizing<[u8; reference::LENGTH]>;

/// Why a card did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The command, or its answer, got lost: nobody knows whether the card ran it.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The card refused.
    #[error("{step} was answered with {status:04X}")]
    Refused {
        /// What was asked.
        step: String,
        /// The status word.
        status: u16,
    },
    /// A PIN, a PUK or an old PIN is wrong.
    #[error("the {what} is wrong; {} left before it is blocked", tries(*left))]
    Wrong {
        /// Which one.
        what: &'static str,
        /// Tries that are left.
        left: u8,
    },
    /// No try is left.
    #[error("the {0} is blocked")]
    Blocked(&'static str),
    /// The card management key is not the card's.
    #[error(
        "the card did not take the card management key (9B): it is another card's, or the card's was changed"
    )]
    ManagementKey,
    /// An answer cannot be read.
    #[error("the card's answer to {0} cannot be read")]
    Malformed(&'static str),
    /// The card has no PIV application.
    #[error("SELECT of the PIV application was answered with {0:04X}: this is no PIV card")]
    NotPiv(u16),
    /// There is nothing on the card by which to know it.
    #[error(
        "the card says nothing by which it could be known: no serial number, no Card Capability Container with a card identifier, no CHUID"
    )]
    Nameless,
    /// Secure messaging failed.
    #[error("secure messaging with the card failed: {0}")]
    SecureMessaging(String),
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Crypto,
}

impl ClientError {
    /// Whether nobody knows what the card did.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Link(_))
    }
}

fn tries(left: u8) -> String {
    if left == 1 { "1 try is".to_owned() } else { format!("{left} tries are") }
}

/// The PIV application without its version, which any version answers (SP 800-73-5 part 1, 2.2).
const PIV: [u8; 9] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00];

/// Commands that a card takes under secure messaging (SP 800-73-5 part 2, table 2): VERIFY, CHANGE REFERENCE DATA, GENERAL AUTHENTICATE,
/// GET DATA. Any other, even one that the card does not know, would end the session.
const PROTECTED: [u8; 4] = [0x20, 0x24, 0x87, 0xCB];

/// One card, whose PIV application is selected.
pub struct CardClient<'a, 'b> {
    path: Path<'a, 'b>,
}

enum Path<'a, 'b> {
    Plain(&'a mut Line<'b>),
    Protected(Box<SecureChannel<'a, Line<'b>>>),
}

impl<'a, 'b> CardClient<'a, 'b> {
    /// Selects the PIV application. The commands go as they are.
    pub fn plain(line: &'a mut Line<'b>) -> Result<Self, ClientError> {
        select(line)?;
        Ok(Self { path: Path::Plain(line) })
    }

    /// Selects the PIV application; where the card has secure messaging, every command from here on that may be protected is. The
    /// card's certificate must come from one of these authorities.
    pub fn protected_where_possible(
        line: &'a mut Line<'b>,
        authorities: &[Certificate],
        crypto: &mut impl Crypto,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, ClientError> {
        let template = select(line)?;
        if suite_of(&template).is_none() {
            return Ok(Self { path: Path::Plain(line) });
        }
        let channel = SecureChannel::establish(line, authorities, crypto, rng).map_err(of_channel)?;
        Ok(Self { path: Path::Protected(Box::new(channel)) })
    }

    /// Whether commands go under secure messaging.
    pub fn is_protected(&self) -> bool {
        matches!(self.path, Path::Protected(_))
    }

    /// Sends a command, in a chain if it is long, and gives the whole answer.
    pub fn send(&mut self, header: [u8; 4], data: &[u8]) -> Result<Answer, ClientError> {
        let command = command(header, data);
        match &mut self.path {
            Path::Plain(line) => Ok(whole_answer(*line, &command)?),
            Path::Protected(channel) if !PROTECTED.contains(&header[1]) => {
                Ok(channel.transmit_plain(&command)?)
            }
            Path::Protected(channel) => channel.transmit(&command).map_err(of_channel),
        }
    }

    /// Sends a command that has to succeed.
    fn succeed(&mut self, step: &str, header: [u8; 4], data: &[u8]) -> Result<Answer, ClientError> {
        let answer = self.send(header, data)?;
        if answer.is_success() { Ok(answer) } else { Err(refused(step, answer.status)) }
    }

    // Reading.

    /// GET DATA: what is inside the object, without its outer tag; nothing if there is none, or an empty one.
    pub fn read(&mut self, tag: u32) -> Result<Option<Vec<u8>>, ClientError> {
        let answer = self.send([0x00, 0xCB, 0x3F, 0xFF], &element(0x5C, &tag_bytes(tag)))?;
        match answer.status {
            0x9000 => {}
            0x6A82 | 0x6A88 => return Ok(None),
            status => return Err(refused(&format!("GET DATA of {tag:X}"), status)),
        }
        let outer = if tag == 0x7E || tag == 0x7F61 { Tag::new(tag) } else { Tag::from(WRAPPING) };
        let contents =
            Reader::new(&answer.data).expect(outer).map_err(|_| ClientError::Malformed("GET DATA"))?;
        Ok((!contents.is_empty()).then(|| contents.to_vec()))
    }

    /// The certificate for a key, in DER.
    pub fn certificate(&mut self, reference: KeyReference) -> Result<Option<Vec<u8>>, ClientError> {
        let Some(tag) = certificate_tag(reference) else { return Ok(None) };
        let Some(contents) = self.read(tag)? else { return Ok(None) };
        certificate_in(&contents).map(Some)
    }

    // PIN and PUK.

    /// VERIFY with the PIV PIN.
    pub fn verify_pin(&mut self, pin: &Reference) -> Result<(), ClientError> {
        let answer = self.send([0x00, 0x20, 0x00, 0x80], &pin[..])?;
        judge("PIN", "VERIFY", answer.status)
    }

    /// Tries of the PIN that are left; nothing if the card does not say. Nothing if the PIN is verified, too.
    pub fn pin_tries(&mut self) -> Result<Option<u8>, ClientError> {
        Ok(tries_left(self.send([0x00, 0x20, 0x00, 0x80], &[])?.status))
    }

    /// CHANGE REFERENCE DATA of the PIN.
    pub fn change_pin(&mut self, old: &Reference, new: &Reference) -> Result<(), ClientError> {
        self.change(0x80, "PIN", old, new)
    }

    /// CHANGE REFERENCE DATA of the PUK.
    pub fn change_puk(&mut self, old: &Reference, new: &Reference) -> Result<(), ClientError> {
        self.change(0x81, "PUK", old, new)
    }

    fn change(
        &mut self,
        key_reference: u8,
        what: &'static str,
        old: &Reference,
        new: &Reference,
    ) -> Result<(), ClientError> {
        let data = Zeroizing::new([&old[..], &new[..]].concat());
        let answer = self.send([0x00, 0x24, 0x00, key_reference], &data)?;
        judge(what, "CHANGE REFERENCE DATA", answer.status)
    }

    /// RESET RETRY COUNTER: a new PIN, proved by the PUK.
    pub fn reset_pin(&mut self, puk: &Reference, new: &Reference) -> Result<(), ClientError> {
        let data = Zeroizing::new([&puk[..], &new[..]].concat());
        let answer = self.send([0x00, 0x2C, 0x00, 0x80], &data)?;
        judge("PUK", "RESET RETRY COUNTER", answer.status)
    }

    /// RESET RETRY COUNTER with P1 `02`: a new PIN, by the administrator who is authenticated (ISO/IEC 7816-4, 11.6.10).
    pub fn reset_pin_as_administrator(&mut self, new: &Reference) -> Result<(), ClientError> {
        let answer = self.send([0x00, 0x2C, 0x02, 0x80], &new[..])?;
        judge("PIN", "RESET RETRY COUNTER by the administrator", answer.status)
    }

    // The administrator.

    /// A challenge of the card for its card management key (SP 800-73-5 part 2, appendix A.1).
    pub fn challenge(&mut self, algorithm: u8) -> Result<Vec<u8>, ClientError> {
        let request = element(0x7C, &element(0x81, &[]));
        let answer = self.succeed("the request for a challenge", [0x00, 0x87, algorithm, 0x9B], &request)?;
        template_value(&answer.data, 0x81).ok_or(ClientError::Malformed("the request for a challenge"))
    }

    /// The answer to the challenge before.
    pub fn respond(&mut self, algorithm: u8, response: &[u8]) -> Result<(), ClientError> {
        let template = element(0x7C, &element(0x82, response));
        match self.send([0x00, 0x87, algorithm, 0x9B], &template)?.status {
            0x9000 => Ok(()),
            _ => Err(ClientError::ManagementKey),
        }
    }

    /// Authenticates as the administrator.
    pub fn authenticate(&mut self, key: &SymmetricKey, crypto: &mut impl Crypto) -> Result<(), ClientError> {
        let algorithm = key.algorithm().id();
        let mut block = self.challenge(algorithm)?;
        crypto.encrypt_block(key, &mut block).map_err(|_| ClientError::ManagementKey)?;
        self.respond(algorithm, &block)
    }

    /// PUT DATA of what goes inside the object. Nothing empties it.
    pub fn put(&mut self, tag: u32, contents: &[u8]) -> Result<(), ClientError> {
        let data = if tag == 0x7E || tag == 0x7F61 {
            bare(tag, contents)
        } else {
            elements([(0x5C, &tag_bytes(tag)), (WRAPPING, contents)])
        };
        self.succeed(&format!("PUT DATA of {tag:X}"), [0x00, 0xDB, 0x3F, 0xFF], &data).map(drop)
    }

    /// GENERATE ASYMMETRIC KEY PAIR.
    pub fn generate(
        &mut self,
        reference: KeyReference,
        algorithm: AsymmetricAlgorithm,
    ) -> Result<PublicKey, ClientError> {
        let control = element(0xAC, &element(0x80, &[algorithm.id()]));
        let step = format!("GENERATE ASYMMETRIC KEY PAIR for {:02X}", reference.to_byte());
        let answer = self.succeed(&step, [0x00, 0x47, 0x00, reference.to_byte()], &control)?;
        public_key(&answer.data, algorithm).ok_or(ClientError::Malformed("GENERATE ASYMMETRIC KEY PAIR"))
    }

    /// IMPORT ASYMMETRIC KEY: a key that was made elsewhere.
    pub fn import(&mut self, reference: KeyReference, key: &PrivateKey) -> Result<(), ClientError> {
        let data = import::data(key).ok_or(ClientError::Crypto)?;
        let header = [0x00, 0xFE, key.algorithm().id(), reference.to_byte()];
        self.succeed(&format!("the import of a key into {:02X}", reference.to_byte()), header, &data)
            .map(drop)
    }

    /// Whether the card takes keys that were made elsewhere: a card that knows the command complains of missing data, or of the
    /// missing administrator.
    pub fn imports_keys(&mut self) -> Result<bool, ClientError> {
        let status = self.send([0x00, 0xFE, AsymmetricAlgorithm::EccP256.id(), 0x9D], &[])?.status;
        Ok(status != 0x6D00 && status != 0x6A86)
    }

    /// MOVE KEY into nothing: deletes a key. That there was none is no error.
    pub fn delete(&mut self, reference: KeyReference) -> Result<(), ClientError> {
        let answer = self.send([0x00, 0xF6, 0xFF, reference.to_byte()], &[])?;
        match answer.status {
            0x9000 | 0x6A88 => Ok(()),
            status => Err(refused(&format!("the deletion of key {:02X}", reference.to_byte()), status)),
        }
    }

    /// Whether the card has the private key of a certificate; `None` if it may not be used without a PIN.
    pub fn proves(
        &mut self,
        reference: KeyReference,
        certificate: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<bool>, ClientError> {
        proof::proves(self, reference, certificate, rng)
    }
}

fn select(line: &mut Line<'_>) -> Result<Vec<u8>, ClientError> {
    let answer = whole_answer(line, &command([0x00, 0xA4, 0x04, 0x00], &PIV))?;
    if answer.is_success() { Ok(answer.data.to_vec()) } else { Err(ClientError::NotPiv(answer.status)) }
}

fn refused(step: &str, status: u16) -> ClientError {
    ClientError::Refused { step: step.to_owned(), status }
}

fn of_channel(error: SmError<LinkError>) -> ClientError {
    match error {
        SmError::Transport(link) => ClientError::Link(link),
        other => ClientError::SecureMessaging(other.to_string()),
    }
}

/// The bytes that write a tag.
fn tag_bytes(tag: u32) -> Vec<u8> {
    tag.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
}

/// An object that has no wrapping, with its own tag.
fn bare(tag: u32, contents: &[u8]) -> Vec<u8> {
    match u16::try_from(tag) {
        Ok(tag @ 0x100..) => long_element(tag, contents),
        _ => element(tag.to_be_bytes()[3], contents),
    }
}

/// What a status word says of a PIN or PUK.
fn judge(what: &'static str, step: &str, status: u16) -> Result<(), ClientError> {
    match status {
        0x9000 => Ok(()),
        0x6983 | 0x63C0 => Err(ClientError::Blocked(what)),
        _ => match tries_left(status) {
            Some(left) => Err(ClientError::Wrong { what, left }),
            None => Err(refused(step, status)),
        },
    }
}

/// `63CX`, and `6983`.
fn tries_left(status: u16) -> Option<u8> {
    match status {
        0x6983 => Some(0),
        // YubiKeys before 4 count in the whole byte.
        0x6300..=0x630F | 0x63C0..=0x63CF => u8::try_from(status & 0x0F).ok(),
        _ => None,
    }
}

/// The certificate in the contents of its container, in DER.
pub fn certificate_in(contents: &[u8]) -> Result<Vec<u8>, ClientError> {
    let malformed = |_| ClientError::Malformed("GET DATA of a certificate");
    let mut reader = Reader::single_byte_tags(contents);
    let mut stored = None;
    let mut info = 0;
    while let Some(found) = reader.next().map_err(malformed)? {
        match found.tag.number() {
            0x70 => stored = Some(found.value),
            0x71 => info = found.value.first().copied().unwrap_or(0),
            _ => {}
        }
    }
    let stored = stored.ok_or(ClientError::Malformed("GET DATA of a certificate"))?;
    if info & 0x01 == 0 {
        return Ok(stored.to_vec());
    }
    unpack(stored).map_err(|_| ClientError::Malformed("GET DATA of a compressed certificate"))
}

fn template_value(template: &[u8], tag: u8) -> Option<Vec<u8>> {
    let contents = Reader::new(template).expect(Tag::new(0x7C)).ok()?;
    Reader::new(contents).find(Tag::from(tag)).ok()?.map(<[u8]>::to_vec)
}

/// `7F49 { 86 point }` or `7F49 { 81 modulus, 82 exponent }` (SP 800-73-5 part 2, 3.3.2).
fn public_key(answer: &[u8], algorithm: AsymmetricAlgorithm) -> Option<PublicKey> {
    let contents = Reader::new(answer).expect(Tag::new(0x7F49)).ok()?;
    let value = |tag: u8| Reader::new(contents).find(Tag::from(tag)).ok().flatten();
    if !algorithm.is_rsa() {
        let point = value(0x86)?;
        return Some(match algorithm {
            AsymmetricAlgorithm::Ed25519 => PublicKey::Ed25519(point.try_into().ok()?),
            AsymmetricAlgorithm::X25519 => PublicKey::X25519(point.try_into().ok()?),
            _ => PublicKey::Ecc { point: heapless::Vec::from_slice(point).ok()? },
        });
    }
    let modulus = heapless::Vec::from_slice(value(0x81)?).ok()?;
    let exponent = value(0x82)?.iter().try_fold(0_u32, |number, byte| {
        number.checked_mul(0x100).map(|shifted| shifted | u32::from(*byte))
    })?;
    Some(PublicKey::Rsa { modulus, exponent })
}
