//! `vreader card clone`: a card that looks like the one in a reader.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use vreader::{
    attach::pcsc::{RemoteCard, RemoteReader, default_socket},
    clone::{self, LookAlike, Original},
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    inspect::Tag,
};

use super::{
    Failure, Outcome,
    card_new::{Progress, authorities},
    print, print_json,
    stock::{Secrets, refuse_existing},
};

/// Reads everything public from a real card, and makes a look-alike with fresh keys and certificates.
///
/// The card in the reader is reset first and then only read: no PIN is asked for or sent, and no try is spent. What only the
/// PIN would show is made up, and told. The look-alike's certificates have the original's names, validity and extensions, and
/// are signed by authorities that bear their issuers' names, under a sample root of the look-alike's own. A YubiKey keeps its
/// serial number, a PIV card its CHUID's numbers.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  vreader card clone --reader Gemalto look-alike.card --export-ca pki/\n  \
    vreader card clone --reader Yubico key.card --stock key.toml && vreader card new other.card --profile key.toml\n\n\
    Readers are those of the world of `vreader run`, or of pcscd: PCSCLITE_CSOCK_NAME decides."
)]
pub(super) struct Arguments {
    /// The card in the reader that has this in its name [default: the first reader that has a card]
    #[arg(long, value_name = "NAME")]
    reader: Option<String>,
    /// The card file to make; an existing file is never replaced
    file: PathBuf,
    /// The same seed and the same original give the same card, byte for byte
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    secrets: Secrets,
    /// Write the description of the card's stock to this file, for `vreader card new --profile`
    #[arg(long, value_name = "FILE.toml")]
    stock: Option<PathBuf>,
    /// Write the certificates of the test PKI to this folder
    #[arg(long, value_name = "FOLDER")]
    export_ca: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What was made, as `--json` prints it.
#[derive(serde::Serialize)]
struct Made<'a> {
    file: &'a Path,
    reader: &'a str,
    atr: String,
    profile: &'static str,
    /// The built-in stock that the card's own is like.
    #[serde(skip_serializing_if = "Option::is_none")]
    like: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial_number: Option<u32>,
    holder: &'a str,
    issued: String,
    expires: String,
    keys: Vec<String>,
    objects: Vec<Tag>,
    management_key_algorithm: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pairing_code: Option<&'a str>,
    notes: &'a [String],
    exported: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let Arguments { file, secrets, .. } = arguments;
    refuse_existing(file)?;
    if let Some(stock) = &arguments.stock {
        refuse_existing(stock)?;
    }
    let (reader, original) = read(arguments)?;
    let (profile, _) = clone::stock::stock(&original)?;
    let chosen =
        clone::Secrets::new(arguments.seed, &secrets.pin, &secrets.puk, secrets.management_key(profile)?)?;
    let mut progress = Progress::new();
    let made =
        clone::look_alike(&original, chosen, &mut DefaultCrypto::default(), &mut |step| progress.show(step));
    progress.end();
    let card = made?;
    EmulatedCard::create(file, secrets.flash_size, profile, secrets.tries(profile), &card)?;
    let exported = export(arguments, &card)?;
    report(arguments, &reader, &card, exported)
}

/// The reader, and what its card shows.
fn read(arguments: &Arguments) -> Result<(RemoteReader, Original), Failure> {
    let socket = default_socket();
    let reader = RemoteReader::find(&socket, arguments.reader.as_deref())?;
    let mut card = RemoteCard::connect(&socket, &reader.name)?;
    // Ends the login of another program, which would let it show what needs one.
    card.reset()?;
    let original = Original::read(&mut card, &reader.atr)?;
    Ok((reader, original))
}

/// The files beside the card.
fn export(arguments: &Arguments, card: &LookAlike) -> Result<Vec<PathBuf>, Failure> {
    let mut written = Vec::new();
    if let Some(path) = &arguments.stock {
        let text = clone::stock::describe_whole(card).to_toml();
        fs::write(path, text)
            .map_err(|source| Failure(format!("cannot write {}: {source}", path.display())))?;
        written.push(path.clone());
    }
    if let Some(folder) = &arguments.export_ca {
        written.extend(authorities(&card.issued, folder)?);
        for (number, authority) in (1..).zip(&card.authorities) {
            written.push(super::card_new::certificate(&format!("issuer-{number}.pem"), authority, folder)?);
        }
    }
    Ok(written)
}

fn report(arguments: &Arguments, reader: &RemoteReader, card: &LookAlike, exported: Vec<PathBuf>) -> Outcome {
    let issued = &card.issued;
    let made = Made {
        file: &arguments.file,
        reader: &reader.name,
        atr: hex::encode_upper(&reader.atr),
        profile: card.profile.name,
        like: card.stock.as_ref().map(|stock| stock.like.as_str()),
        serial_number: card.serial_number,
        holder: &issued.person.name,
        issued: issued.issued.to_string(),
        expires: issued.expires.to_string(),
        keys: issued.keys.iter().map(|(key, _, _)| format!("{:02X}", key.to_byte())).collect(),
        objects: issued.objects.iter().map(|(tag, _)| Tag(tag.get())).collect(),
        management_key_algorithm: arguments.secrets.management_algorithm(card.profile),
        pairing_code: issued.pairing_code.as_ref().map(|code| code.as_str()),
        notes: &card.notes,
        exported,
    };
    if arguments.json { print_json(&made) } else { print(&in_words(arguments, card, &made)) }
}

fn in_words(arguments: &Arguments, card: &LookAlike, made: &Made<'_>) -> String {
    let mut text = format!(
        "{}: like the card in {}, with {} keys and {} objects\n",
        made.file.display(),
        made.reader,
        made.keys.len(),
        made.objects.len()
    );
    // Writing to a string cannot fail.
    let like = made.like.map(|like| format!(", like {like}")).unwrap_or_default();
    let _ = writeln!(text, "  stock {}{like}", made.profile);
    if let Some(number) = made.serial_number {
        let _ = writeln!(text, "  serial number {number}");
    }
    arguments.secrets.in_words(card.profile, &mut text);
    if let Some(code) = made.pairing_code {
        let _ = writeln!(text, "  pairing code {code}");
    }
    for note in made.notes {
        let _ = writeln!(text, "  - {note}");
    }
    for path in &made.exported {
        let _ = writeln!(text, "  wrote {}", path.display());
    }
    text
}
