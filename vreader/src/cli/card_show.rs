//! `vreader card show`: what is on a card.

use vreader::{
    emulated::EmulatedCard,
    inspect::{self, Contents},
    reader::{InsertedCard, Interface},
    run::CardSource,
};
use zeroize::Zeroizing;

use super::{Failure, Outcome, print, print_json, prompt};

/// Prints holder, identifiers, dates, certificates, keys and tries. Secrets stay on the card.
///
/// A Common Access Card keeps its holder's data, among them its day of issue, to itself until the PIN is verified.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  vreader card show my.card\n  vreader card show my.card --json\n  vreader card show cac.card --pin 123456"
)]
pub(super) struct Arguments {
    /// A card file, or the name of a profile
    #[arg(value_parser = CardSource::parse)]
    card: CardSource,
    /// Verify this PIN of a Common Access Card and show what is behind it; - asks for it. A wrong PIN costs a try
    #[arg(long, value_name = "PIN")]
    pin: Option<String>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let contents = match &arguments.pin {
        None => without_pin(&arguments.card)?,
        Some(pin) if pin == "-" => with_pin(&arguments.card, &prompt::ask("PIN")?)?,
        Some(pin) => with_pin(&arguments.card, &Zeroizing::new(pin.clone()))?,
    };
    let report = inspect::inspect(&contents);
    if arguments.json { print_json(&report) } else { print(&report.to_string()) }
}

fn without_pin(card: &CardSource) -> Result<Contents, Failure> {
    Ok(match card {
        CardSource::File(path) => EmulatedCard::contents_of(path)?,
        profile @ CardSource::Profile(_) => profile.open(None)?.contents()?,
    })
}

/// The card itself decides about the PIN, as it does for every program.
fn with_pin(card: &CardSource, pin: &str) -> Result<Contents, Failure> {
    let padded = card_sim::reference::pad_pin(pin)
        .ok_or_else(|| Failure("the PIN is not 6 to 8 digits; the card was not asked".into()))?;
    if card.profile().is_some_and(|profile| profile.cac.is_none()) {
        return Err(Failure(
            "only Common Access Cards hide anything from `card show`; leave out --pin".into(),
        ));
    }
    let mut card = card.open(None)?;
    card.power_on(Interface::Contact);
    let verify = Zeroizing::new([&VERIFY[..], padded.as_slice()].concat());
    // The answer to SELECT tells nothing that VERIFY does not.
    card.transmit(&SELECT_CAC);
    let answer = card.transmit(&verify);
    card.power_off();
    match answer[..] {
        [0x90, 0x00] => {
            let mut contents = card.contents()?;
            if let Some(cac) = &mut contents.cac {
                cac.pin_verified = true;
            }
            Ok(contents)
        }
        [0x63, tries] => Err(Failure(format!("the PIN is wrong; tries left: {}", tries & 0x0F))),
        [0x69, 0x83] => Err(Failure(
            "the PIN is blocked, and nobody but the issuer of a real card could unblock it".into(),
        )),
        _ => Err(Failure(format!("the card answers VERIFY with {}", hex::encode_upper(answer)))),
    }
}

/// By the RID of the DoD: the first of the CAC applets, whichever the card has.
const SELECT_CAC: [u8; 10] = [0x00, 0xA4, 0x04, 0x0C, 0x05, 0xA0, 0x00, 0x00, 0x00, 0x79];
const VERIFY: [u8; 5] = [0x00, 0x20, 0x00, 0x00, 0x08];
