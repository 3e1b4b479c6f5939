//! `vreader certs export`: a card's certificates for other programs.

use std::{path::PathBuf, process::ExitCode};

use vreader::{
    console::export::{Exported, Store},
    reader::Disposition,
};

use super::{
    Failure,
    clock::Now,
    complain,
    desk::{Desk, READERS, confirms},
    print, print_json,
};

/// What can be done with a card's certificates.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Copy them to an NSS database or a folder
    Export(Arguments),
}

/// Copies the certificates of the card in a reader to where other programs look for them. The private keys stay on the card.
///
/// It asks first; "no" changes nothing. A copy of the same name is replaced, and nothing else is touched.
///
/// Exit status: 0 all were copied, or none was wanted; 1 some or all were not; 2 wrong usage.
#[derive(clap::Args)]
#[command(
    after_help = format!("Examples:\n  vreader run --card my.card -- vreader certs export --pem certificates/\n  \
        vreader certs export --reader Gemalto --nss ~/.pki/nssdb --yes\n\n{READERS}"),
    group = clap::ArgGroup::new("store").required(true)
)]
pub(super) struct Arguments {
    #[command(flatten)]
    desk: Desk,
    /// An NSS database, as Firefox, Thunderbird and Chromium have them: the folder with cert9.db; made if it is not there
    #[arg(long, value_name = "FOLDER", group = "store")]
    nss: Option<PathBuf>,
    /// A folder of PEM files; made if it is not there
    #[arg(long, value_name = "FOLDER", group = "store")]
    pem: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    now: Now,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command) -> ExitCode {
    let Command::Export(arguments) = command;
    match export(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => complain(&failure, 1),
    }
}

/// Whether everything that was wanted was done.
fn export(arguments: &Arguments) -> Result<bool, Failure> {
    let (store, place) = match (&arguments.nss, &arguments.pem) {
        (Some(folder), _) => {
            (Store::Nss(folder.clone()), format!("the NSS database in {}", folder.display()))
        }
        (None, Some(folder)) => (Store::Pem(folder.clone()), folder.display().to_string()),
        (None, None) => return Err(Failure("name an NSS database (--nss) or a folder (--pem)".to_owned())),
    };
    let now = arguments.now.clock().now();
    let certificates =
        arguments.desk.with_card(Disposition::Leave, |console| Ok(console.certificates(now)?))?;
    let there = counted(certificates.certificates.len());
    if !arguments.yes {
        for listed in &certificates.certificates {
            eprintln!("{}", listed.label);
        }
        if !confirms(&format!("Make {there} of this card known in {place}?"))? {
            print("no certificate was copied\n")?;
            return Ok(true);
        }
    }
    let exported = store.export(&certificates)?;
    for failed in &exported.failed {
        eprintln!("vreader: not installed: {}: {}", failed.label, failed.reason);
    }
    if arguments.json {
        print_json(&exported)?;
    } else {
        print(&in_words(&exported, &place))?;
    }
    Ok(exported.failed.is_empty())
}

fn in_words(exported: &Exported, place: &str) -> String {
    let installed = exported.installed.len();
    if exported.failed.is_empty() {
        return format!("{} installed in {place}\n", counted(installed));
    }
    format!("only {installed} of {} installed in {place}\n", counted(installed + exported.failed.len()))
}

fn counted(certificates: usize) -> String {
    if certificates == 1 { "1 certificate".to_owned() } else { format!("{certificates} certificates") }
}
