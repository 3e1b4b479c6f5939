//! `vreader card info`: "my personal information".

use std::fmt::Write as _;

use vreader::{
    console::{Face, Information, activation::CUTOFF},
    issue::Date,
    reader::Disposition,
};

use super::{
    Outcome,
    clock::Now,
    desk::{Desk, READERS, secret},
    print, print_json,
};

/// Shows who the card in a reader says its holder is, its dates, and the tries that its PIN has left.
///
/// A card gives day of birth and day of issue (Common Access Cards) or affiliation and organization (PIV cards) only after its
/// PIN. A wrong PIN costs a try. The card is reset afterwards, so that no other program finds the login.
#[derive(clap::Args)]
#[command(
    after_help = format!("Examples:\n  vreader run --card my.card -- vreader card info\n  \
        vreader card info --reader Gemalto --pin -\n  vreader card info --pin 123456 --json\n\n{READERS}")
)]
pub(super) struct Arguments {
    #[command(flatten)]
    desk: Desk,
    /// Verify this PIN and show what is behind it; - asks for it
    #[arg(long, value_name = "PIN")]
    pin: Option<String>,
    /// The first day of issue whose cards have their PIV Authentication certificate activated
    #[arg(long, value_name = "DATE", default_value_t = CUTOFF)]
    piv_activation_cutoff: Date,
    #[command(flatten)]
    now: Now,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let pin = arguments.pin.as_deref().map(|pin| secret(Some(pin), "PIN")).transpose()?;
    let at_end = if pin.is_some() { Disposition::Reset } else { Disposition::Leave };
    let now = arguments.now.clock().now();
    let information = arguments.desk.with_card(at_end, |console| {
        let pin = pin.as_ref().map(|pin| pin.as_str());
        Ok(console.information(pin, now, arguments.piv_activation_cutoff)?)
    })?;
    if arguments.json { print_json(&information) } else { print(&in_words(&information)) }
}

fn in_words(information: &Information) -> String {
    let date = |date: Option<Date>| date.map(|date| date.to_string());
    let card = match information.face {
        Face::CommonAccess => "Common Access Card",
        Face::Piv => "PIV card",
    };
    let number = if information.face == Face::CommonAccess { "EDIPI" } else { "Identifier" };
    let lines = [
        ("Card", Some(card.to_owned())),
        ("Stock", information.stock.map(str::to_owned)),
        ("Name", information.name.clone()),
        (number, information.identifier.clone()),
        ("Day of birth", date(information.born)),
        ("Affiliation", information.affiliation.clone()),
        ("Organization", Some(information.organization.join(", ")).filter(|lines| !lines.is_empty())),
        ("Issued", date(information.issued)),
        ("Expires", date(information.expires)),
        ("FASC-N", information.fascn.clone()),
        ("PIV", information.piv_activation.map(|activation| format!("certificate {activation}"))),
        (
            "PIN",
            Some(
                information.tries_left.map_or("verified".to_owned(), |tries| format!("tries left: {tries}")),
            ),
        ),
    ];
    let mut text = String::new();
    // Writing to a string cannot fail.
    for (name, value) in lines {
        if let Some(value) = value {
            let _ = writeln!(text, "{name:<13} {value}");
        }
    }
    if !information.behind_the_pin.is_empty() {
        let _ = writeln!(text, "With the PIN (--pin): {}", information.behind_the_pin.join(", "));
    }
    for warning in &information.warnings {
        let _ = writeln!(text, "Warning: {warning}");
    }
    text
}
