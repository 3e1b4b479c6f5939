//! `vreader card new` for a YubiKey: as it comes from the factory.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use card_sim::profile::yubico::Yubico;
use vreader::{crypto::DefaultCrypto, emulated::EmulatedCard, issue::yubikey::FreshYubiKey};

use super::{Arguments, export};
use crate::cli::{Failure, Outcome, print, print_json};

/// What was made, as `--json` prints it.
#[derive(serde::Serialize)]
struct Made<'a> {
    file: &'a Path,
    profile: &'static str,
    serial_number: u32,
    management_key_algorithm: &'static str,
    exported: Vec<PathBuf>,
}

/// Makes a card without keys, certificates and data objects.
pub(super) fn run(arguments: &Arguments, file: &Path, yubico: &Yubico) -> Outcome {
    let stock = &arguments.stock;
    if !says_nothing_of_a_person(arguments) {
        return Err(Failure(
            "a YubiKey comes empty, without a person; add --identity to put one on it, with what the other options say"
                .into(),
        ));
    }
    let fresh = FreshYubiKey::new(yubico, arguments.seed, &mut DefaultCrypto::default())?.with_secrets(
        &stock.secrets.pin,
        &stock.secrets.puk,
        stock.management_key()?,
    )?;
    EmulatedCard::create(file, stock.secrets.flash_size, stock.profile, stock.tries(), &fresh)?;
    let root = arguments.export_ca.as_deref();
    let exported =
        root.map(|folder| export::attestation_root(&fresh.attestation_root, folder)).transpose()?;
    let made = Made {
        file,
        profile: stock.profile.name,
        serial_number: fresh.serial_number,
        management_key_algorithm: stock.management_algorithm(),
        exported: exported.into_iter().collect(),
    };
    if arguments.json {
        return print_json(&made);
    }
    let (name, number) = (stock.profile.name, fresh.serial_number);
    let mut text =
        format!("{}: a {name} as from the factory, serial number {number}, empty\n", file.display());
    stock.secrets_in_words(&mut text);
    for path in &made.exported {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  wrote {}", path.display());
    }
    print(&text)
}

fn says_nothing_of_a_person(arguments: &Arguments) -> bool {
    let Arguments { holder, issued, expires, broken, features, .. } = arguments;
    holder.is_none() && issued.is_none() && expires.is_none() && broken.is_none() && features.are_none()
}
