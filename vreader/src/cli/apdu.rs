//! `vreader apdu`: commands to a card, plain or under secure messaging.

use std::{
    fmt::Write as _,
    fs,
    io::{self, BufRead},
    path::{Path, PathBuf},
    process::ExitCode,
};

use der::DecodePem;
use vreader::{
    attach::pcsc::{RemoteCard, RemoteReader, default_socket},
    crypto::DefaultCrypto,
    random,
    reader::InsertedCard,
    run::CardSource,
    sm::{Answer, Local, SecureChannel, Transport, whole_answer},
    trace::{self, Bytes, Status},
};
use x509_cert::Certificate;
use zeroize::Zeroizing;

use super::{Failure, Outcome, complain, print, print_json, world::interface};

/// The exit status when a card answered a command with anything but 9000.
const REFUSED: u8 = 1;
/// The exit status when commands could not be sent.
const NOT_SENT: u8 = 2;

/// Sends commands to a card, and prints them in words with the whole answers.
///
/// Without commands it reads them from standard input, one a line; blanks and what follows a # do not count. Long data goes
/// in a chain, and long answers are fetched. The exit status is 0 if each was answered with 9000, 1 if not, and 2 if the
/// card could not be reached.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  vreader apdu --card my.card '00 A4 04 00 05 A0 00 00 03 08 00' 00CB3FFF055C035FC10200\n  \
    vreader apdu --card my.card --contactless --sm --pairing-code 12345678 0020008008313233343536FFFF 00CB3FFF055C035FC10900\n  \
    vreader apdu --reader 'Yubico' < commands.txt"
)]
pub(super) struct Arguments {
    /// Commands in hex; several in the order given
    #[arg(value_name = "HEX", value_parser = parse_command)]
    commands: Vec<Secret>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    protection: Protection,
    /// Send each command as it is, and show each answer as it comes
    #[arg(long, conflicts_with = "sm")]
    raw: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Which card.
#[derive(clap::Args)]
struct Place {
    /// A card file, or the name of a profile for a new card
    #[arg(long, value_name = "FILE|PROFILE", value_parser = CardSource::parse, conflicts_with = "reader")]
    card: Option<CardSource>,
    /// Present that card through its antenna
    #[arg(long, requires = "card")]
    contactless: bool,
    /// The reader with the card: a part of its name [default: the first that has one]
    #[arg(long, value_name = "NAME")]
    reader: Option<String>,
    /// The PC/SC socket [default: that of PCSCLITE_CSOCK_NAME, otherwise the system's]
    #[arg(long, value_name = "PATH", conflicts_with = "card")]
    socket: Option<PathBuf>,
}

/// How commands are protected.
#[derive(clap::Args)]
struct Protection {
    /// Select the PIV application, and send everything under secure messaging
    #[arg(long)]
    sm: bool,
    /// Present this pairing code first, which opens the virtual contact interface
    #[arg(long, value_name = "DIGITS", requires = "sm")]
    pairing_code: Option<Zeroizing<String>>,
    /// Trust the card only if one of the authorities in this PEM file issued its signer; may be repeated
    #[arg(long = "authority", value_name = "FILE", requires = "sm")]
    authorities: Vec<PathBuf>,
}

/// A command, which may hold a PIN.
type Secret = Zeroizing<Vec<u8>>;

/// One command and its answer.
#[derive(serde::Serialize)]
struct Exchange {
    command: Bytes,
    meaning: String,
    data: String,
    status: String,
    status_text: String,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match send(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(REFUSED),
        Err(failure) => complain(&failure, NOT_SENT),
    }
}

/// Whether each command was answered with 9000.
fn send(arguments: &Arguments) -> Result<bool, Failure> {
    let commands = if arguments.commands.is_empty() { from_input()? } else { arguments.commands.clone() };
    let place = &arguments.place;
    let exchanges = if let Some(source) = &place.card {
        let mut card = source.open(None)?;
        card.power_on(interface(place.contactless));
        converse(&mut Local(&mut card), arguments, &commands)?
    } else {
        let socket = place.socket.clone().unwrap_or_else(default_socket);
        let reader = RemoteReader::find(&socket, place.reader.as_deref())?;
        converse(&mut RemoteCard::connect(&socket, &reader.name)?, arguments, &commands)?
    };
    show(arguments, &exchanges)?;
    Ok(exchanges.iter().all(|exchange| exchange.status == "9000"))
}

fn converse<T>(
    transport: &mut T,
    arguments: &Arguments,
    commands: &[Secret],
) -> Result<Vec<Exchange>, Failure>
where
    T: Transport,
    T::Error: std::error::Error + 'static,
{
    let mut exchanges = Vec::new();
    let protection = &arguments.protection;
    if protection.sm {
        let authorities = certificates(&protection.authorities)?;
        let (crypto, mut rng) = (&mut DefaultCrypto::default(), random::from_system()?);
        let mut channel = SecureChannel::establish(transport, &authorities, crypto, &mut rng)?;
        if let Some(code) = &protection.pairing_code {
            channel.pair(code)?;
        }
        for command in commands {
            exchanges.push(exchange(command, &channel.transmit(command)?));
        }
    } else {
        for command in commands {
            let answer = if arguments.raw {
                raw_answer(transport, command)?
            } else {
                whole_answer(transport, command)?
            };
            exchanges.push(exchange(command, &answer));
        }
    }
    Ok(exchanges)
}

fn raw_answer<T: Transport>(transport: &mut T, command: &[u8]) -> Result<Answer, T::Error> {
    transport.transmit(command).map(Answer::from_bytes)
}

fn exchange(command: &[u8], answer: &Answer) -> Exchange {
    let (meaning, shown) = trace::in_words(command);
    Exchange {
        command: shown,
        meaning,
        data: hex::encode_upper(&answer.data),
        status: format!("{:04X}", answer.status),
        status_text: Status::from(answer.status).to_string(),
    }
}

fn show(arguments: &Arguments, exchanges: &[Exchange]) -> Outcome {
    if arguments.json {
        return print_json(&exchanges);
    }
    let mut text = String::new();
    for Exchange { command, meaning, data, status_text, .. } in exchanges {
        let blank = if data.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "> {command}\n  {meaning}\n< {data}{blank}{status_text}");
    }
    print(&text)
}

/// Bytes in hex; blanks do not count.
fn parse_command(text: &str) -> Result<Secret, String> {
    let digits: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
    let bytes = hex::decode(digits.as_bytes()).map(Zeroizing::new);
    bytes.map_err(|error| format!("{error}; write a command as pairs of 0-9 and A-F"))
}

fn from_input() -> Result<Vec<Secret>, Failure> {
    let mut commands = Vec::new();
    for (number, line) in (1..).zip(io::stdin().lock().lines()) {
        let line = Zeroizing::new(line?);
        let text = line.split('#').next().unwrap_or_default().trim();
        if !text.is_empty() {
            commands.push(
                parse_command(text)
                    .map_err(|error| Failure(format!("line {number} of the input: {error}")))?,
            );
        }
    }
    Ok(commands)
}

fn certificates(files: &[PathBuf]) -> Result<Vec<Certificate>, Failure> {
    let read = |path: &Path| -> Result<Certificate, Failure> {
        let pem =
            fs::read(path).map_err(|error| Failure(format!("cannot read {}: {error}", path.display())))?;
        Certificate::from_pem(pem).map_err(|error| {
            Failure(format!(
                "{} is no certificate in PEM ({error}); `vreader card new --export-ca` writes one",
                path.display()
            ))
        })
    };
    files.iter().map(|path| read(path)).collect()
}
