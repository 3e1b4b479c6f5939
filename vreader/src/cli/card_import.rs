//! `vreader card import`: a test card of the GSA ICAM set, or a folder like one, as a card file.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use vreader::{
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    import::{self, Finding, ImportedCard, Secrets},
    inspect::Tag,
    issue::DEFAULT_GLOBAL_PIN,
};

use super::{
    Outcome, print, print_json,
    stock::{Stock, known, refuse_existing},
};

/// Puts the objects and keys of a folder on a new card: one of the GSA ICAM test cards, or any folder of that layout.
///
/// Files are called `N - NAME`: 1 Discovery Object, 2 Security Object, 7 CCC, 8 CHUID, 9 fingerprints, 10 face,
/// 11 Printed Information; 3, 4, 5, 6 are keys and certificates of 9A, 9C, 9D, 9E (.p12 with an empty password, .crt).
/// Of several files of one number, the one whose name is most like the folder's is taken. What is missing or does not fit
/// together is told, and the card is made all the same.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  vreader card import ICAM_Card_Objects/46_Golden_FIPS_201-2_PIV golden.card"
)]
pub(super) struct Arguments {
    /// The folder with the card's files
    folder: PathBuf,
    /// The card file to make; an existing file is never replaced
    file: PathBuf,
    /// Password of the .p12 files
    #[arg(long, value_name = "TEXT", default_value = "")]
    password: String,
    #[command(flatten)]
    stock: Stock,
    /// The Global PIN's digits, 6 to 8, for a card whose Discovery Object says that it has one
    #[arg(long, value_name = "DIGITS", default_value = DEFAULT_GLOBAL_PIN)]
    global_pin_value: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What was made, as `--json` prints it.
#[derive(serde::Serialize)]
struct Made<'a> {
    file: &'a Path,
    folder: &'a Path,
    profile: &'static str,
    keys: Vec<String>,
    objects: Vec<Tag>,
    management_key_algorithm: &'static str,
    global_pin: bool,
    findings: Vec<InWords<'a>>,
}

/// A finding, and the same as a sentence.
#[derive(serde::Serialize)]
struct InWords<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    text: String,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let Arguments { folder, file, stock, .. } = arguments;
    refuse_existing(file)?;
    let secrets = Secrets {
        password: &arguments.password,
        pin: &stock.secrets.pin,
        puk: &stock.secrets.puk,
        global_pin: &arguments.global_pin_value,
        management_key: stock.management_key()?,
    };
    let card = import::import(folder, secrets, &mut DefaultCrypto::default())?;
    EmulatedCard::create(file, stock.secrets.flash_size, stock.profile, stock.tries(), &card)?;
    if arguments.json { print_json(&made(arguments, &card)) } else { print(&in_words(arguments, &card)) }
}

fn made<'a>(arguments: &'a Arguments, card: &'a ImportedCard) -> Made<'a> {
    let findings = card.findings.iter();
    Made {
        file: &arguments.file,
        folder: &arguments.folder,
        profile: arguments.stock.profile.name,
        keys: card.keys.iter().map(|(key, _, _)| format!("{:02X}", key.to_byte())).collect(),
        objects: card.objects.iter().map(|(tag, _)| Tag(tag.get())).collect(),
        management_key_algorithm: arguments.stock.management_algorithm(),
        global_pin: card.has_global_pin,
        findings: findings.map(|finding| InWords { finding, text: finding.to_string() }).collect(),
    }
}

fn in_words(arguments: &Arguments, card: &ImportedCard) -> String {
    let mut text = format!(
        "{}: a {} card from {}, with {} keys and {} objects\n",
        arguments.file.display(),
        arguments.stock.profile.name,
        arguments.folder.display(),
        card.keys.len(),
        card.objects.len()
    );
    arguments.stock.secrets_in_words(&mut text);
    // Writing to a string cannot fail.
    if card.has_global_pin {
        let given = arguments.global_pin_value != DEFAULT_GLOBAL_PIN;
        let _ = writeln!(text, "  Global PIN {}", known(given, DEFAULT_GLOBAL_PIN));
    }
    match card.findings.len() {
        0 => text.push_str("  nothing is missing, and everything that was looked at fits together\n"),
        number => {
            let s = if number == 1 { "" } else { "s" };
            let _ = writeln!(text, "  {number} finding{s}; the card is as the folder says:");
        }
    }
    for finding in &card.findings {
        let _ = writeln!(text, "  - {finding}");
    }
    text
}
