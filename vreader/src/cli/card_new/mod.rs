//! `vreader card new`: a complete card in one command.

mod blank;
mod export;
mod features;
mod list;
mod report;
mod yubikey;

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use vreader::{
    crypto::DefaultCrypto,
    emulated::{EmulatedCard, Personal},
    issue::{self, CacRequest, Date, Fault, Likeness, Request, like, yubikey::FreshYubiKey},
};
use zeroize::Zeroizing;

use self::features::FeatureOptions;
pub(super) use self::{
    export::{authorities, certificate},
    report::Progress,
};
use super::{
    Failure, Outcome,
    stock::{Stock, refuse_existing},
};

/// Makes a sample person, a small test PKI, keys, certificates and signed data objects, and puts them on a new card.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  vreader card new my.card\n  \
    vreader card new ci.card --seed 7 --algorithm rsa2048 --holder 'Sam Sample' --export-ca pki/\n  \
    vreader card new blank.card --blank\n  \
    vreader card new --list")]
pub(super) struct Arguments {
    /// The card file to make; an existing file is never replaced
    #[arg(required_unless_present = "list")]
    file: Option<PathBuf>,
    /// Show the card stocks, and what each can do; makes no card
    #[arg(long, conflicts_with = "file")]
    list: bool,
    /// The same seed and options give the same card, byte for byte
    #[arg(long)]
    seed: Option<u64>,
    /// The holder's name [default: a sample person]
    #[arg(long)]
    holder: Option<String>,
    /// First day, YYYY-MM-DD [default: today; with a seed 2026-01-01]
    #[arg(long)]
    issued: Option<Date>,
    /// Last day, YYYY-MM-DD [default: six years, the longest life of a card]
    #[arg(long)]
    expires: Option<Date>,
    /// A card with the form of a genuine one; says all of stock, keys and features, so it goes with no option for these
    #[arg(long, value_name = "CARD", value_parser = likenesses(), group = "off_card", conflicts_with_all = ["FeatureOptions", "profile"])]
    like: Option<String>,
    /// A card as it comes from the maker, for a management system to issue: no keys, no certificates, no CHUID, and a card
    /// identifier that no other card has
    #[arg(long, conflicts_with_all = ["like", "FeatureOptions", "holder", "issued", "expires", "broken", "identity", "piv_activation_cutoff", "export_ca"])]
    blank: bool,
    /// A card with one fault, for testing the software that should find it
    #[arg(long, value_name = "FAULT", value_parser = faults())]
    broken: Option<String>,
    /// The sample person on a YubiKey, too, which otherwise comes empty
    #[arg(long)]
    identity: bool,
    #[command(flatten)]
    features: FeatureOptions,
    #[command(flatten)]
    stock: Stock,
    /// Common Access Cards issued before this day have their PIV Authentication certificate hidden [default: 2018-02-28]
    #[arg(long, value_name = "DATE")]
    piv_activation_cutoff: Option<Date>,
    /// Write the certificates of the test PKI to this folder
    #[arg(long, value_name = "FOLDER")]
    export_ca: Option<PathBuf>,
    /// Write the file with the off-card certificates to this folder, under the name that the card says
    #[arg(long, value_name = "FOLDER", requires = "off_card")]
    export_off_card: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    // There is a file or `--list`: the parser makes sure of it.
    let Some(file) = &arguments.file else { return list::run(arguments.json) };
    let stock = &arguments.stock;
    refuse_existing(file)?;
    if arguments.blank {
        return blank::run(arguments, file);
    }
    if let (Some(yubico), None, false) = (stock.profile.yubico, &arguments.like, arguments.identity) {
        return yubikey::run(arguments, file, yubico);
    }
    let likeness = arguments.like.as_deref().and_then(Likeness::find);
    let chosen = likeness.map_or_else(|| arguments.features.request(stock.profile), Likeness::request);
    let cac = cac_request(arguments, chosen.cac)?;
    let request = Request {
        seed: arguments.seed,
        holder: arguments.holder.clone(),
        issued: arguments.issued,
        expires: arguments.expires,
        pin: Zeroizing::new(stock.secrets.pin.clone()),
        puk: Zeroizing::new(stock.secrets.puk.clone()),
        management_key: stock.management_key()?,
        broken: arguments.broken.as_deref().and_then(Fault::find),
        cac,
        ..chosen
    };
    let mut progress = Progress::new();
    let issued = issue::issue(&request, &mut DefaultCrypto::default(), &mut |step| progress.show(step));
    progress.end();
    let mut issued = issued?;
    let profile = likeness.map_or(stock.profile, |likeness| likeness.profile);
    let mut serial_number = None;
    if let Some(yubico) = profile.yubico {
        // What it has from the factory stays on it.
        let fresh = FreshYubiKey::new(yubico, arguments.seed, &mut DefaultCrypto::default())?;
        serial_number = Some(fresh.add_to(&mut issued));
    }
    let personal = Personal { serial_number, ..Personal::from(&issued) };
    EmulatedCard::create(file, stock.secrets.flash_size, profile, stock.tries(), personal)?;
    let mut exported = Vec::new();
    if let Some(folder) = &arguments.export_ca {
        exported.extend(export::authorities(&issued, folder)?);
    }
    let off_card = issued.off_card_certificates.as_ref();
    if let Some((folder, off_card)) = arguments.export_off_card.as_ref().zip(off_card) {
        exported.push(export::off_card_certificates(off_card, folder)?);
    }
    report::report(arguments, file, profile, &request, &issued, exported)
}

/// The CAC side with what the command line says of it.
fn cac_request(arguments: &Arguments, chosen: Option<CacRequest>) -> Result<Option<CacRequest>, Failure> {
    match (chosen, arguments.piv_activation_cutoff) {
        (Some(chosen), Some(piv_activation_cutoff)) => {
            Ok(Some(CacRequest { piv_activation_cutoff, ..chosen }))
        }
        (None, Some(_)) => Err(Failure(
            "--piv-activation-cutoff is for Common Access Cards; choose one with --profile".to_owned(),
        )),
        (chosen, None) => Ok(chosen),
    }
}

/// What `--like` takes.
fn likenesses() -> PossibleValuesParser {
    like::ALL
        .iter()
        .map(|like| PossibleValue::new(like.name).help(like.description))
        .collect::<Vec<_>>()
        .into()
}

/// What `--broken` takes.
fn faults() -> PossibleValuesParser {
    Fault::ALL.map(|(_, name, sentence)| PossibleValue::new(name).help(sentence)).into()
}
