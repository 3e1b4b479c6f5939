//! A message to the holder, in its shortest form: the sender's ephemeral point. Who can make the shared secret of it (ECDH with P-256,
//! SP 800-73-5 part 2, appendix A.5) can read the message.

use card_sim::{
    crypto::Crypto,
    key::{AsymmetricAlgorithm, KeyReference, PublicKey},
};
use der::Decode;
use vreader::{
    attach::pcsc::{RemoteCard, RemoteReader},
    card_client::{CardClient, Line},
    crypto::DefaultCrypto,
    random,
};
use x509_cert::Certificate;

use super::stage::{Stage, Step};
use crate::cli::Failure;

/// Bytes of a coordinate.
const COORDINATE: usize = 32;

/// A message that was sent.
pub(super) struct Message {
    point: Vec<u8>,
    secret: String,
}

impl Message {
    /// To the certificate for encryption on the card in the reader.
    pub(super) fn to_the_card(stage: &Stage<'_>) -> Result<Self, Failure> {
        let receiver = receiver(stage)?;
        let (mut crypto, mut rng) = (DefaultCrypto::default(), random::from_system()?);
        let failed = |_| Failure("the cryptographic library failed".into());
        let ephemeral = crypto.generate(AsymmetricAlgorithm::EccP256, 0, &mut rng).map_err(failed)?;
        let mut secret = [0; COORDINATE];
        crypto.ecdh(&ephemeral, &receiver, &mut secret).map_err(failed)?;
        match crypto.public_key(&ephemeral).map_err(failed)? {
            PublicKey::Ecc { point } => Ok(Self { point: point.to_vec(), secret: hex::encode_upper(secret) }),
            _ => Err(Failure("the ephemeral key has no point".into())),
        }
    }

    /// The step that opens it with a key of the card.
    pub(super) fn opened_with<'b, 'a>(&self, stage: &'b mut Stage<'a>, key: u8, pin: &str) -> Step<'b, 'a> {
        stage.done(self.line(key, pin)).quiet().says(&self.secret)
    }

    /// That another key of the card does not open it.
    pub(super) fn stays_closed(&self, stage: &mut Stage<'_>, key: u8, pin: &str) -> Result<(), Failure> {
        let printed = stage.done(self.line(key, pin)).quiet().changes_nothing().run()?;
        if printed.contains(&self.secret) {
            return Err(Failure(format!("the key {key:02X} opened a message that is not for it")));
        }
        Ok(())
    }

    /// SELECT, VERIFY, GENERAL AUTHENTICATE.
    fn line(&self, key: u8, pin: &str) -> String {
        // 7C { 82, 85 point of 65 bytes }
        let header = [0x00, 0x87, 0x11, key, 0x47, 0x7C, 0x45, 0x82, 0x00, 0x85, 0x41];
        let agree = [&header[..], &self.point, &[0x00]].concat();
        format!(
            "vreader apdu 00A4040005A00000030800 0020008008{}{} {}",
            hex::encode_upper(pin),
            "FF".repeat(8_usize.saturating_sub(pin.len())),
            hex::encode_upper(agree)
        )
    }
}

/// The point in the certificate for key management.
fn receiver(stage: &Stage<'_>) -> Result<Vec<u8>, Failure> {
    let reader = RemoteReader::find(stage.socket(), None)?;
    let mut card = RemoteCard::connect(stage.socket(), &reader.name)?;
    let mut line = Line::remote(&mut card);
    let certificate = CardClient::plain(&mut line)?.certificate(KeyReference::KeyManagement)?;
    let certificate = certificate.ok_or(Failure("the card has no certificate for encryption".into()))?;
    let certificate = Certificate::from_der(&certificate)?;
    let key = certificate.tbs_certificate().subject_public_key_info();
    Ok(key.subject_public_key.raw_bytes().to_vec())
}
