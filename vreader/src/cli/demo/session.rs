//! What a smart card does, command by command, shown on a new card in a private PC/SC world with real commands and answers.

use std::fmt::Write as _;

use apdu::{CommandBuilder, Response, Status, Tag, tlv_ber::Reader};
use card_sim::profile::PIV;
use der::Decode;
use sha2::{Digest, Sha256};
use vreader::{
    attach::pcsc::RemoteCard,
    crypto::verify,
    inspect,
    issue::{DEFAULT_PIN, DEFAULT_PUK},
    reader::ReaderSettings,
    run::{CardSource, DEFAULT_READER, World, WorldSettings},
};
use x509_cert::Certificate;

use super::screen::Screen;
use crate::cli::{Failure, Outcome, print};

const NEW_PIN: &str = "654321";

/// Tag lists of the objects that the session reads.
const CHUID: &[u8] = &[0x5C, 0x03, 0x5F, 0xC1, 0x02];
const CERTIFICATE_9A: &[u8] = &[0x5C, 0x03, 0x5F, 0xC1, 0x05];
const CERTIFICATE_9C: &[u8] = &[0x5C, 0x03, 0x5F, 0xC1, 0x0A];
const PRINTED: &[u8] = &[0x5C, 0x03, 0x5F, 0xC1, 0x09];

/// Makes a sample card in memory, puts it into a reader of a private PC/SC world, and shows a session with it through the
/// world's socket: identify, a wrong PIN until the card locks, unlock with the PUK, sign, verify the signature. Every line
/// is a command that the card really ran. Returns how many commands that were.
pub(super) fn run(screen: &Screen, seed: Option<u64>) -> Result<usize, Failure> {
    let mut card = CardSource::Profile(&PIV).open(seed)?;
    let contents = card.contents()?;
    let world = World::with(&WorldSettings { seed, ..WorldSettings::default() })?;
    let reader = world.readers().add(ReaderSettings::new(DEFAULT_READER), Some(Box::new(card)))?;
    print(&format!(
        "A new PIV card, in memory, in the reader \"{reader}\" of a private PC/SC world:\n\n{}",
        inspect::inspect(&contents)
    ))?;
    let mut session = Session { screen, card: RemoteCard::connect(world.socket(), &reader)?, commands: 0 };
    identify(&mut session)?;
    lock(&mut session)?;
    unlock(&mut session)?;
    sign(&mut session)?;
    Ok(session.commands)
}

fn identify(session: &mut Session<'_>) -> Outcome {
    session.screen.heading("Identify: select the PIV application and read who the card is")?;
    session.expect("SELECT the PIV application", &select(), Status::Ok)?;
    session.expect("GET DATA: Card Holder Unique Identifier", &get_data(CHUID), Status::Ok)?;
    session.expect("GET DATA: certificate for PIV Authentication", &get_data(CERTIFICATE_9A), Status::Ok)?;
    session.expect(
        "GET DATA: Printed Information, which needs the PIN",
        &get_data(PRINTED),
        Status::SecurityStatusNotSatisfied,
    )?;
    Ok(())
}

fn lock(session: &mut Session<'_>) -> Outcome {
    session.screen.heading("Lock: a wrong PIN, three times")?;
    let wrong = pin("000000")?;
    for left in [2, 1, 0] {
        session.expect("VERIFY with a wrong PIN", &verify_pin(&wrong), Status::TriesLeft(left))?;
    }
    let blocked = Status::AuthenticationMethodBlocked;
    session.expect(
        "VERIFY with the right PIN: the card is locked",
        &verify_pin(&pin(DEFAULT_PIN)?),
        blocked,
    )?;
    Ok(())
}

fn unlock(session: &mut Session<'_>) -> Outcome {
    session.screen.heading("Unlock: the PUK gives the card a new PIN")?;
    let wrong_puk = [b"87654321".as_slice(), &pin(NEW_PIN)?].concat();
    session.expect(
        "RESET RETRY COUNTER with a wrong PUK",
        &reset_retry_counter(&wrong_puk),
        Status::TriesLeft(2),
    )?;
    let right_puk = [DEFAULT_PUK.as_bytes(), &pin(NEW_PIN)?].concat();
    session.expect("RESET RETRY COUNTER with the right PUK", &reset_retry_counter(&right_puk), Status::Ok)?;
    session.expect("VERIFY with the new PIN", &verify_pin(&pin(NEW_PIN)?), Status::Ok)?;
    session.expect("GET DATA: Printed Information, now readable", &get_data(PRINTED), Status::Ok)?;
    Ok(())
}

fn sign(session: &mut Session<'_>) -> Outcome {
    session.screen.heading("Sign: the key for digital signatures wants the PIN each time")?;
    let message = b"A message that the holder signs";
    let digest = Sha256::digest(message);
    let template = [&[0x7C, 0x24, 0x82, 0x00, 0x81, 0x20][..], digest.as_slice()].concat();
    let command = CommandBuilder::new(0x00, 0x87, 0x11, 0x9C).data(&template).le(256);
    let refused = Status::SecurityStatusNotSatisfied;
    session.expect("VERIFY without data: the PIN is verified", &verify_pin(&[]), Status::Ok)?;
    session.expect("GENERAL AUTHENTICATE: refused, another command came between", &command, refused)?;
    session.expect("VERIFY", &verify_pin(&pin(NEW_PIN)?), Status::Ok)?;
    let answer = session.expect("GENERAL AUTHENTICATE: ECDSA signature", &command, Status::Ok)?;

    let certificate = get_data(CERTIFICATE_9C);
    let certificate = session.expect("GET DATA: certificate for the signature", &certificate, Status::Ok)?;
    let point = public_point(&certificate)?;
    let signature = answer.get(4..).ok_or(Failure("the answer is too short for a signature".into()))?;
    verify::verify_ecdsa(&point, &digest, signature)
        .map_err(|error| Failure(format!("the card's signature does not verify: {error:?}")))?;
    let mut other = digest;
    other[0] ^= 1;
    if verify::verify_ecdsa(&point, &other, signature).is_ok() {
        return Err(Failure("a signature verified over a message that was not signed".into()));
    }
    print("\nThe signature verifies with the card's public key, and not over another message.\n")
}

/// A conversation with the card that is printed as it happens.
struct Session<'a> {
    screen: &'a Screen,
    card: RemoteCard,
    commands: usize,
}

impl Session<'_> {
    /// Sends a command, fetches the whole answer, prints both, and insists on the status word.
    fn expect(
        &mut self,
        what: &str,
        command: &CommandBuilder<'_>,
        status: Status,
    ) -> Result<Vec<u8>, Failure> {
        self.commands += 1;
        let mut text = format!("\n{what}\n");
        let mut buffer = [0; 512];
        let mut command = command.encode(&mut buffer)?.to_vec();
        let mut answer = Vec::new();
        loop {
            let reply = self.card.transmit(&command)?;
            let response = Response::parse(&reply).ok_or(Failure("the card sent no status word".into()))?;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  > {}", spaced(&command));
            let _ = writeln!(text, "  < {}[{}]", abbreviated(response.data), response.status);
            answer.extend_from_slice(response.data);
            if let Status::MoreData(more) = response.status {
                command = vec![0x00, 0xC0, 0x00, 0x00, more];
            } else if response.status == status {
                print(&text)?;
                return Ok(answer);
            } else {
                print(&text)?;
                return Err(Failure(format!("the card should have answered {status}")));
            }
        }
    }
}

/// The public key in a certificate container (SP 800-73-5 part 1, appendix A, table 12): an uncompressed point.
fn public_point(object: &[u8]) -> Result<Vec<u8>, Failure> {
    let bad = || Failure("the certificate on the card cannot be read".into());
    let container = Reader::new(object).expect(Tag::new(0x53)).map_err(|_| bad())?;
    let certificate = Reader::new(container).expect(Tag::new(0x70)).map_err(|_| bad())?;
    let certificate = Certificate::from_der(certificate)?;
    let key = &certificate.tbs_certificate().subject_public_key_info().subject_public_key;
    Ok(key.as_bytes().ok_or_else(bad)?.to_vec())
}

fn select() -> CommandBuilder<'static> {
    CommandBuilder::new(0x00, 0xA4, 0x04, 0x00).data(&[0xA0, 0x00, 0x00, 0x03, 0x08]).le(256)
}

/// GET DATA with a tag list.
fn get_data(tag_list: &[u8]) -> CommandBuilder<'_> {
    CommandBuilder::new(0x00, 0xCB, 0x3F, 0xFF).data(tag_list).le(256)
}

fn verify_pin(pin: &[u8]) -> CommandBuilder<'_> {
    CommandBuilder::new(0x00, 0x20, 0x00, 0x80).data(pin)
}

fn reset_retry_counter(puk_and_pin: &[u8]) -> CommandBuilder<'_> {
    CommandBuilder::new(0x00, 0x2C, 0x00, 0x80).data(puk_and_pin)
}

fn pin(digits: &str) -> Result<[u8; 8], Failure> {
    let padded = card_sim::reference::pad_pin(digits).ok_or(Failure(format!("{digits} is no PIN")))?;
    Ok(*padded)
}

fn spaced(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
}

/// Long data as its first bytes and its length.
fn abbreviated(data: &[u8]) -> String {
    const SHOWN: usize = 24;
    match data.split_at_checked(SHOWN) {
        None | Some((_, [])) if data.is_empty() => String::new(),
        None | Some((_, [])) => spaced(data) + " ",
        Some((start, rest)) => format!("{} … {} bytes more ", spaced(start), rest.len()),
    }
}
