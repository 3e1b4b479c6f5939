//! `vreader card new` for a YubiKey: as it comes from the factory.

use std::path::Path;

use card_sim::profile::yubico::Yubico;
use vreader::{emulated::EmulatedCard, issue::yubikey::FreshYubiKey};

use super::Arguments;
use crate::cli::{Failure, Outcome, print, print_json};

/// What was made, as `--json` prints it.
#[derive(serde::Serialize)]
struct Made<'a> {
    file: &'a Path,
    profile: &'static str,
    serial_number: u32,
    management_key_algorithm: &'static str,
}

/// Makes a card without keys, certificates and data objects.
pub(super) fn run(arguments: &Arguments, yubico: &Yubico) -> Outcome {
    let Arguments { file, stock, .. } = arguments;
    if !says_nothing_of_a_person(arguments) {
        return Err(Failure(
            "a YubiKey comes empty, without a person; add --identity to put one on it, with what the other options say"
                .into(),
        ));
    }
    let fresh = FreshYubiKey::new(yubico, arguments.seed)?.with_secrets(
        &stock.pin,
        &stock.puk,
        stock.management_key()?,
    )?;
    EmulatedCard::create(file, stock.flash_size, stock.profile, stock.tries(), &fresh)?;
    let made = Made {
        file,
        profile: stock.profile.name,
        serial_number: fresh.serial_number,
        management_key_algorithm: stock.management_algorithm(),
    };
    if arguments.json {
        return print_json(&made);
    }
    let (name, number) = (stock.profile.name, fresh.serial_number);
    let mut text =
        format!("{}: a {name} as from the factory, serial number {number}, empty\n", file.display());
    stock.secrets_in_words(&mut text);
    print(&text)
}

fn says_nothing_of_a_person(arguments: &Arguments) -> bool {
    let Arguments { holder, issued, expires, broken, features, export_ca, .. } = arguments;
    holder.is_none()
        && issued.is_none()
        && expires.is_none()
        && broken.is_none()
        && export_ca.is_none()
        && features.are_none()
}
