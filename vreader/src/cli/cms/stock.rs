//! Stock and people: what is there before a card is issued, and after it is terminated.

use std::path::PathBuf;

use card_sim::{key::SymmetricKey, profile::Profile};
use serde_json::json;
use vreader::{
    cms::{Cms, database::HolderRow, state::Reason},
    issue::{DEFAULT_PUK, Date},
};
use zeroize::Zeroizing;

use super::{
    Common, Desk,
    report::{card_line, print_card},
};
use crate::cli::{
    Failure, Outcome,
    option::{parse_management_algorithm, parse_profile},
    print, print_json,
};

/// Makes a database. The authority's root, issuing authority and content signer are new; with --seed always the same.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  vreader cms init --db test.db\n  vreader cms init --now 2017-01-01   (for cards that were issued long ago)"
)]
pub(super) struct Init {
    /// Always the same authority
    #[arg(long)]
    seed: Option<u64>,
}

pub(super) fn init(common: &Common, arguments: &Init) -> Outcome {
    let path = common.path();
    Cms::create(&path, common.clock(), &common.operator(), arguments.seed)?;
    if common.json {
        return print_json(&json!({ "database": path }));
    }
    print(&format!("{} is made, with a test authority\n", path.display()))
}

/// People.
#[derive(clap::Subcommand)]
pub(super) enum Holder {
    /// Somebody new: with a name, or a sample person
    #[command(after_help = "Example:\n  vreader cms holder add 'Dana Quincy Sample' --identifier 1234567893")]
    Add {
        /// First, middle and last name [default: a sample person's]
        name: Option<String>,
        /// Person identifier (EDIPI), at most 10 digits [default: random]
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=9_999_999_999))]
        identifier: Option<u64>,
    },
    /// Everybody
    #[command(after_help = "Example:\n  vreader cms holder list --json")]
    List,
}

pub(super) fn holder(common: &Common, command: &Holder) -> Outcome {
    let mut cms = common.open()?;
    let holders = match command {
        Holder::Add { name, identifier } => vec![cms.add_holder(name.as_deref(), *identifier)?],
        Holder::List => cms.holders()?,
    };
    if common.json {
        return print_json(&holders);
    }
    let line = |holder: &HolderRow| {
        format!(
            "holder {}: {}, identifier {:010}, {}\n",
            holder.id, holder.name, holder.identifier, holder.email
        )
    };
    print(&holders.iter().map(line).collect::<String>())
}

/// Takes the card in a reader into stock. Its card management key is tried.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  vreader card new --blank my.card\n  vreader run --card my.card -- vreader cms register\n  \
                        vreader cms register --reader Yubico --management-algorithm aes192 --management-key 0102…08"
)]
pub(super) struct Register {
    #[command(flatten)]
    desk: Desk,
    /// Algorithm of the card management key 9B: 3des, aes128, aes192 or aes256
    #[arg(long, default_value = "aes192", value_parser = parse_management_algorithm)]
    management_algorithm: card_sim::key::SymmetricAlgorithm,
    /// Card management key in hex [default: 0102030405060708 repeated]
    #[arg(long, value_name = "HEX")]
    management_key: Option<String>,
    /// The PUK that the card has now
    #[arg(long, default_value = DEFAULT_PUK, conflicts_with = "no_puk")]
    puk: String,
    /// The card has no PUK, or an unknown one: PINs are set by the administrator
    #[arg(long)]
    no_puk: bool,
}

pub(super) fn register(common: &Common, arguments: &Register) -> Outcome {
    let algorithm = arguments.management_algorithm;
    let bytes = match &arguments.management_key {
        Some(text) => Zeroizing::new(hex::decode(text).map_err(|error| {
            Failure(format!("the card management key is not hex ({error}); write it as pairs of 0-9 and A-F"))
        })?),
        None => Zeroizing::new(
            vreader::issue::DEFAULT_MANAGEMENT_KEY
                .iter()
                .copied()
                .cycle()
                .take(algorithm.key_length())
                .collect(),
        ),
    };
    let key = SymmetricKey::new(algorithm, &bytes).ok_or_else(|| {
        Failure(format!(
            "the card management key has {} bytes, and this algorithm takes {}",
            bytes.len(),
            algorithm.key_length()
        ))
    })?;
    let puk: Option<Zeroizing<[u8; 8]>> = if arguments.no_puk {
        None
    } else {
        let puk = arguments.puk.as_bytes().try_into().map(Zeroizing::new);
        Some(puk.map_err(|_| Failure("a PUK has 8 characters".into()))?)
    };
    let mut cms = common.open()?;
    let card = arguments.desk.with_line(|line| cms.register(line, &key, puk.as_ref()))?;
    print_card(common, &cms, &card)
}

/// Makes a card file with an issued card for a holder.
///
/// Common Access Cards come to be like this: their containers are written through the issuer's secure channel, which no user's card
/// offers. Cards that were issued before 28 February 2018 have their PIV Authentication certificate hidden.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  vreader cms produce old.card --profile cac-oberthur-v55 --holder 1 --issued 2017-06-01"
)]
pub(super) struct Produce {
    /// The card file to make
    file: PathBuf,
    /// Card stock
    #[arg(long, value_name = "STOCK", default_value = "piv", value_parser = parse_profile)]
    profile: &'static Profile,
    /// Whose: number, identifier or name
    #[arg(long)]
    holder: String,
    /// First day [default: today]
    #[arg(long, value_name = "DATE")]
    issued: Option<Date>,
    /// Last day [default: six years later]
    #[arg(long, value_name = "DATE")]
    expires: Option<Date>,
    /// PIN [default: 123456]
    #[arg(long)]
    pin: Option<String>,
}

pub(super) fn produce(common: &Common, arguments: &Produce) -> Outcome {
    crate::cli::stock::refuse_existing(&arguments.file)?;
    let mut cms = common.open()?;
    let life = (arguments.issued, arguments.expires);
    let made =
        cms.produce(&arguments.file, arguments.profile, &arguments.holder, life, arguments.pin.as_deref())?;
    if common.json {
        return print_json(&json!({ "card": made.card.id, "file": arguments.file, "hidden": made.hidden }));
    }
    let hidden = if made.hidden { "; its PIV Authentication certificate is hidden" } else { "" };
    print(&format!(
        "{}\n{} is in {}{hidden}\n",
        card_line(&cms, &made.card)?,
        made.card.name(),
        arguments.file.display()
    ))
}

/// Assigns a card.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  vreader cms assign 1 'Dana Quincy Sample'\n  vreader cms assign 2 --replaces 1"
)]
pub(super) struct Assign {
    /// Number of the card
    card: i64,
    /// Whose it is to be: number, identifier or name
    #[arg(required_unless_present = "replaces", conflicts_with = "replaces")]
    holder: Option<String>,
    /// It is to take the place of this card, for which a replacement was requested
    #[arg(long, value_name = "CARD")]
    replaces: Option<i64>,
}

pub(super) fn assign(common: &Common, arguments: &Assign) -> Outcome {
    let mut cms = common.open()?;
    let card = match (&arguments.holder, arguments.replaces) {
        (_, Some(old)) => cms.assign_replacement(arguments.card, old)?,
        (holder, None) => cms.assign(arguments.card, holder.as_deref().unwrap_or_default())?,
    };
    print_card(common, &cms, &card)
}

/// A number of a card or a request.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  vreader cms show 1\n  vreader cms approve 3")]
pub(super) struct Numbered {
    /// The number
    pub(super) number: i64,
}

pub(super) fn unassign(common: &Common, card: &Numbered) -> Outcome {
    let mut cms = common.open()?;
    let card = cms.unassign(card.number)?;
    print_card(common, &cms, &card)
}

/// Ends a card's life.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  vreader cms terminate 1 --reason damaged")]
pub(super) struct Terminate {
    /// Number of the card
    card: i64,
    /// Why: lost, stolen, damaged, expired, renew or none
    #[arg(long, default_value = "none", value_parser = parse_reason)]
    reason: Reason,
}

pub(super) fn terminate(common: &Common, arguments: &Terminate) -> Outcome {
    let mut cms = common.open()?;
    let card = cms.terminate(arguments.card, arguments.reason)?;
    print_card(common, &cms, &card)
}

/// `--reason`
pub(super) fn parse_reason(text: &str) -> Result<Reason, String> {
    Reason::find(&text.to_ascii_uppercase()).ok_or_else(|| {
        let names: Vec<_> = Reason::ALL.iter().map(|reason| reason.name().to_ascii_lowercase()).collect();
        format!("choose {}", names.join(", "))
    })
}
