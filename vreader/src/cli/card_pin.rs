//! `vreader card pin change`: another PIN for whoever knows the old one.

use vreader::reader::Disposition;

use super::{
    Outcome,
    desk::{Desk, READERS, new_secret, secret},
    print,
};

/// What can be done with a PIN.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Replace the PIN by another one
    Change(Arguments),
}

/// Replaces the PIN of the card in a reader.
///
/// A PIN has 6 to 8 digits; anything else is refused before the card is asked. A wrong old PIN costs a try.
#[derive(clap::Args)]
#[command(
    after_help = format!("Examples:\n  vreader run --card my.card -- vreader card pin change --old 123456 --new 654321\n  \
        vreader card pin change --reader Gemalto\n\n{READERS}")
)]
pub(super) struct Arguments {
    #[command(flatten)]
    desk: Desk,
    /// The PIN as it is; - asks for it [default: -]
    #[arg(long, value_name = "PIN")]
    old: Option<String>,
    /// The PIN as it shall be; - asks for it [default: -]
    #[arg(long, value_name = "PIN")]
    new: Option<String>,
}

pub(super) fn run(command: &Command) -> Outcome {
    let Command::Change(arguments) = command;
    let old = secret(arguments.old.as_deref(), "Old PIN")?;
    let new = new_secret(arguments.new.as_deref(), "New PIN")?;
    arguments.desk.with_card(Disposition::Reset, |console| Ok(console.change_pin(&old, &new)?))?;
    print("the PIN is changed\n")
}
