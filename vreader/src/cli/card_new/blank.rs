//! `vreader card new --blank`: a card as it comes from the maker.

use std::path::Path;

use vreader::{emulated::EmulatedCard, issue};

use super::Arguments;
use crate::cli::{Outcome, print, print_json};

/// What was made, as `--json` prints it.
#[derive(serde::Serialize)]
struct Made<'a> {
    file: &'a Path,
    profile: &'static str,
    blank: bool,
    card_identifier: String,
    management_key_algorithm: &'static str,
}

/// Makes a card without keys, certificates and a person.
pub(super) fn run(arguments: &Arguments, file: &Path) -> Outcome {
    let stock = &arguments.stock;
    let blank = issue::blank(stock.profile, arguments.seed)?.with_secrets(
        &stock.secrets.pin,
        &stock.secrets.puk,
        stock.management_key()?,
    )?;
    EmulatedCard::create(file, stock.secrets.flash_size, stock.profile, stock.tries(), &blank)?;
    let made = Made {
        file,
        profile: stock.profile.name,
        blank: true,
        card_identifier: hex::encode_upper(&blank.card_identifier),
        management_key_algorithm: stock.management_algorithm(),
    };
    if arguments.json {
        return print_json(&made);
    }
    let Made { profile, card_identifier, .. } = &made;
    let mut text = format!(
        "{}: a blank {profile} card, as from its maker, empty\n  card identifier {card_identifier}\n",
        file.display()
    );
    stock.secrets_in_words(&mut text);
    print(&text)
}
