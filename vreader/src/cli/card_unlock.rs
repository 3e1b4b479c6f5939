//! `vreader card unlock`: a locked PIN, and a new one in its place.

use vreader::reader::Disposition;

use super::{
    Outcome,
    desk::{Desk, READERS, new_secret, secret},
    print,
};

/// Unlocks the PIN of the card in a reader with the card's unlock code (PUK), and sets a new one.
///
/// A wrong unlock code costs one of its own tries. Common Access Cards have no unlock code that their holders know: those are
/// unlocked by their issuer.
#[derive(clap::Args)]
#[command(
    after_help = format!("Examples:\n  vreader run --card my.card -- vreader card unlock --puk 12345678 --new-pin 654321\n  \
        vreader card unlock --reader Yubico --puk -\n\n{READERS}")
)]
pub(super) struct Arguments {
    #[command(flatten)]
    desk: Desk,
    /// The unlock code; - asks for it
    #[arg(long)]
    puk: String,
    /// The new PIN; - asks for it [default: -]
    #[arg(long, value_name = "PIN")]
    new_pin: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let puk = secret(Some(&arguments.puk), "Unlock code (PUK)")?;
    let new = new_secret(arguments.new_pin.as_deref(), "New PIN")?;
    arguments.desk.with_card(Disposition::Leave, |console| Ok(console.unlock(&puk, &new)?))?;
    print("the PIN is unlocked, and it is the new one\n")
}
