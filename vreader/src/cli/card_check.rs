//! `vreader card check`: is a card what SP 800-85B and SP 800-85A-4 ask for?

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use der::{Decode, pem::PemLabel};
use spki::SubjectPublicKeyInfoOwned;
use vreader::{
    attach::pcsc::{RemoteReader, default_socket},
    check::{self, Options, Report},
    issue::Date,
};
use x509_cert::Certificate;
use zeroize::Zeroizing;

use super::{Failure, complain, print, print_json};

/// Checks a card by SP 800-85B (data, signatures, certificates) and SP 800-85A-4 (commands), row by row.
///
/// A card file stays as it is: its card is copied in memory. A card in a reader is reset between rows, and gets only
/// commands that change nothing.
/// Exit status: 0 no row failed, 1 some did, 2 the card could not be checked.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  vreader card check my.card\n  vreader card check --reader Gemalto --pin 123456 --junit report.xml\n\n\
    Readers are those of the world of `vreader run`, or of pcscd: PCSCLITE_CSOCK_NAME decides."
)]
pub(super) struct Arguments {
    /// A card file
    #[arg(required_unless_present = "reader", conflicts_with = "reader")]
    file: Option<PathBuf>,
    /// The card in the reader that has this in its name
    #[arg(long, value_name = "NAME")]
    reader: Option<String>,
    /// The PIN, for what needs it [default: none for readers, 123456 for card files]
    #[arg(long, value_name = "DIGITS")]
    pin: Option<String>,
    /// The PUK [default: none for readers, 12345678 for card files]
    #[arg(long)]
    puk: Option<String>,
    /// The card management key in hex [default: none for readers, that of `vreader card new` for card files]
    #[arg(long, value_name = "HEX")]
    management_key: Option<String>,
    /// Wear out the card in the reader: blocks PIN and PUK, replaces the Security Object and puts it back, and
    /// replaces the card authentication key. It is of no use afterwards
    #[arg(long, conflicts_with = "file")]
    destructive: bool,
    /// A certificate or public key, PEM or DER, that must have signed the card's certificates; may be repeated
    #[arg(long, value_name = "FILE")]
    authority: Vec<PathBuf>,
    /// The day for which validity is judged, YYYY-MM-DD [default: today]
    #[arg(long, value_name = "DATE")]
    now: Option<Date>,
    /// Print every row, not only those that failed
    #[arg(long, conflicts_with = "json")]
    all: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    /// Write JUnit XML to this file too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match checked(arguments) {
        Ok(report) if report.counts.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(failure) => complain(&failure, 2),
    }
}

fn checked(arguments: &Arguments) -> Result<Report, Failure> {
    let options = options(arguments)?;
    let report = match (&arguments.file, &arguments.reader) {
        (Some(file), _) => check::check_file(file, &options)?,
        (None, Some(wanted)) => {
            let socket = default_socket();
            let reader = RemoteReader::find(&socket, Some(wanted))?;
            check::check_reader(&socket, &reader.name, &options)?
        }
        (None, None) => return Err(Failure("name a card file or a --reader".to_owned())),
    };
    if let Some(path) = &arguments.junit {
        fs::write(path, report.junit().to_string()).map_err(cannot("write", path))?;
    }
    if arguments.json {
        print_json(&report)?;
    } else if arguments.all {
        print(&format!("{}\n{report}", report.all_rows()))?;
    } else {
        print(&report.to_string())?;
    }
    Ok(report)
}

fn options(arguments: &Arguments) -> Result<Options, Failure> {
    let secret = |text: &Option<String>| text.clone().map(Zeroizing::new);
    let management_key = arguments.management_key.as_ref().map(hex::decode).transpose();
    let management_key = management_key.map_err(|error| {
        Failure(format!("the card management key is not hex ({error}); write it as pairs of 0-9 and A-F"))
    })?;
    Ok(Options {
        pin: secret(&arguments.pin),
        puk: secret(&arguments.puk),
        management_key: management_key.map(Zeroizing::new),
        destructive: arguments.destructive,
        authorities: arguments.authority.iter().map(|path| authority(path)).collect::<Result<_, _>>()?,
        ..Options::on(arguments.now.unwrap_or_else(Date::today))
    })
}

/// The key in a file that holds a certificate or a public key.
fn authority(path: &Path) -> Result<SubjectPublicKeyInfoOwned, Failure> {
    let bytes = fs::read(path).map_err(cannot("read", path))?;
    // Some files have text before the PEM.
    let text = String::from_utf8_lossy(&bytes);
    let pem = text.find("-----BEGIN").and_then(|start| text.get(start..));
    let (label, der) = match pem.map(der::Document::from_pem) {
        Some(Ok((label, document))) => (label.to_owned(), document.as_bytes().to_vec()),
        Some(Err(_)) | None => (String::new(), bytes.clone()),
    };
    let certificate = || {
        let certificate = Certificate::from_der(&der).ok()?;
        Some(certificate.tbs_certificate().subject_public_key_info().clone())
    };
    let key = || SubjectPublicKeyInfoOwned::from_der(&der).ok();
    let found =
        if label == SubjectPublicKeyInfoOwned::PEM_LABEL { key() } else { certificate().or_else(key) };
    found.ok_or_else(|| {
        Failure(format!("{} holds neither a certificate nor a public key, in PEM or DER", path.display()))
    })
}

fn cannot(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let path = path.to_owned();
    move |source| Failure(format!("cannot {action} {}: {source}", path.display()))
}
