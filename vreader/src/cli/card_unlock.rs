//! `vreader card unlock`: a locked PIN, and a new one in its place.
//!
//! By the unlock code (PUK), or by challenge and response: the card says a challenge, somebody who knows its card management key
//! answers it, and the card takes a new PIN from the administrator whom it now believes to be there (RESET RETRY COUNTER with P1 `02`,
//! ISO/IEC 7816-4, 11.6.10). Promise: a wrong answer changes nothing.

use std::process::{Command, Stdio};

use card_sim::key::SymmetricAlgorithm;
use vreader::{
    card_client::{CardClient, ClientError, Line, Reference},
    reader::Disposition,
};

use super::{
    Failure, Outcome,
    desk::{Desk, READERS, new_secret, secret},
    print, prompt,
};

/// Unlocks the PIN of the card in a reader, and sets a new one: with the card's unlock code (PUK), or by challenge and response.
///
/// A wrong unlock code costs one of its own tries. Common Access Cards have no unlock code that their holders know: those are
/// unlocked by their issuer. With --challenge the card says a number, and the issuer's answer to it is expected on standard input; no
/// other program reaches the card meanwhile. A wrong answer changes nothing.
#[derive(clap::Args)]
#[command(
    after_help = format!("Examples:\n  vreader run --card my.card -- vreader card unlock --puk 12345678 --new-pin 654321\n  \
        vreader card unlock --reader Yubico --puk -\n  \
        vreader card unlock --challenge --new-pin 654321\n  \
        vreader card unlock --ask 'vreader cms unlock --respond 1 --challenge' --new-pin 654321\n\n{READERS}")
)]
pub(super) struct Arguments {
    #[command(flatten)]
    desk: Desk,
    #[command(flatten)]
    proof: Proof,
    /// The new PIN; - asks for it [default: -]
    #[arg(long, value_name = "PIN")]
    new_pin: Option<String>,
}

/// What the card believes.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Proof {
    /// The unlock code; - asks for it
    #[arg(long)]
    puk: Option<String>,
    /// Say the card's challenge, and wait for the response
    #[arg(long)]
    challenge: bool,
    /// The same, and ask this program: the challenge is its last argument, and it prints the response. A shell runs it
    #[arg(long, value_name = "PROGRAM")]
    ask: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let proof = &arguments.proof;
    let puk = proof.puk.as_deref().map(|puk| secret(Some(puk), "Unlock code (PUK)")).transpose()?;
    let new = new_secret(arguments.new_pin.as_deref(), "New PIN")?;
    match puk {
        Some(puk) => {
            arguments.desk.with_card(Disposition::Leave, |console| Ok(console.unlock(&puk, &new)?))?;
        }
        None => by_response(&arguments.desk, proof.ask.as_deref(), &new)?,
    }
    print("the PIN is unlocked, and it is the new one\n")
}

fn by_response(desk: &Desk, program: Option<&str>, new: &str) -> Outcome {
    let padded = card_sim::reference::pad_pin(new);
    let new = padded.ok_or(Failure("the new PIN is not 6 to 8 digits; the card was not asked".into()))?;
    // Afterwards nobody finds the administrator's login.
    desk.with_remote(Disposition::Reset, |card, _| {
        let mut line = Line::remote(card);
        let mut client = CardClient::plain(&mut line)?;
        let (algorithm, challenge) = challenge(&mut client)?;
        let response = response(program, &hex::encode_upper(challenge))?;
        respond(&mut client, algorithm, &response, &new)
    })
}

/// The card's challenge, and the algorithm of the key that answers it: the card knows only one.
fn challenge(client: &mut CardClient<'_, '_>) -> Result<(u8, Vec<u8>), Failure> {
    const ALGORITHMS: [SymmetricAlgorithm; 4] = [
        SymmetricAlgorithm::Aes192,
        SymmetricAlgorithm::Aes128,
        SymmetricAlgorithm::Aes256,
        SymmetricAlgorithm::TripleDes,
    ];
    for algorithm in ALGORITHMS {
        match client.challenge(algorithm.id()) {
            Ok(challenge) => return Ok((algorithm.id(), challenge)),
            Err(ClientError::Refused { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure("the card gives no challenge for its card management key (9B); only an unlock code (PUK), or its issuer, can help".into()))
}

fn response(program: Option<&str>, challenge: &str) -> Result<Vec<u8>, Failure> {
    let text = if let Some(program) = program {
        asked(program, challenge)?
    } else {
        print(&format!("challenge {challenge}\n"))?;
        prompt::ask("Response")?.to_string()
    };
    let digits: String = text.chars().filter(|digit| !digit.is_whitespace()).collect();
    hex::decode(digits).map_err(|error| {
        Failure(format!(
            "the response is not hex: {error}; nothing was changed, and the next challenge is another one"
        ))
    })
}

/// What a program answers that is run with the challenge as its last argument.
fn asked(program: &str, challenge: &str) -> Result<String, Failure> {
    let line = format!("{program} \"$1\"");
    let output = Command::new("sh")
        .args(["-c", &line, "sh", challenge])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure(format!("cannot run '{program}': {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Failure(format!("'{program}' gave no response ({}); nothing was changed", output.status)))
}

fn respond(client: &mut CardClient<'_, '_>, algorithm: u8, response: &[u8], new: &Reference) -> Outcome {
    match client.respond(algorithm, response) {
        Err(ClientError::ManagementKey) => {
            return Err(Failure(
                "the card does not accept the response: it answers another challenge, or is another card's; nothing was changed, and the next challenge is another one".into(),
            ));
        }
        result => result?,
    }
    Ok(client.reset_pin_as_administrator(new)?)
}
