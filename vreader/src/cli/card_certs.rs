//! `vreader card certs`: the certificates of a card in its holder's words.

use std::fmt::Write as _;

use vreader::{console::certificates::Certificates, reader::Disposition};

use super::{
    Outcome,
    clock::Now,
    desk::{Desk, READERS},
    print, print_json,
};

/// Lists the certificates on the card in a reader, in the card's order, without a PIN.
///
/// A Common Access Card has three, ID, Signature and Encryption, and a fourth, Authentication, once its PIV certificate is
/// activated.
#[derive(clap::Args)]
#[command(
    after_help = format!("Examples:\n  vreader run --card my.card -- vreader card certs\n  \
        vreader card certs --reader Gemalto --now 2031-12-15\n  vreader card certs --json\n\n{READERS}")
)]
pub(super) struct Arguments {
    #[command(flatten)]
    desk: Desk,
    #[command(flatten)]
    now: Now,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let now = arguments.now.clock().now();
    let certificates =
        arguments.desk.with_card(Disposition::Leave, |console| Ok(console.certificates(now)?))?;
    if arguments.json { print_json(&certificates) } else { print(&in_words(&certificates)) }
}

fn in_words(found: &Certificates) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for listed in &found.certificates {
        let (first, last) = (listed.not_before.date(), listed.not_after.date());
        let _ = writeln!(text, "{}", listed.label);
        let _ = writeln!(text, "  issuer  {}", listed.issuer);
        let _ = writeln!(text, "  serial  {}", listed.serial_number);
        let _ = writeln!(text, "  from {first} to {last}: {}", listed.validity);
    }
    for unreadable in &found.unreadable {
        let _ = writeln!(text, "{}: {}", unreadable.label(), unreadable.reason);
    }
    if text.is_empty() { "no certificates\n".to_owned() } else { text }
}
