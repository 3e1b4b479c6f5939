//! Requests, and whether an update is pending.

use std::time::Duration;

use card_sim::key::KeyReference;
use vreader::cms::{
    PendingUpdate, Wish,
    state::{Reason, RequestEvent, RequestKind},
};

use super::{
    Common, Desk,
    stock::{Numbered, parse_reason},
};
use crate::cli::{Outcome, print, print_json};

pub(super) const APPROVE: RequestEvent = RequestEvent::Approve;
pub(super) const DENY: RequestEvent = RequestEvent::Deny;
pub(super) const CANCEL: RequestEvent = RequestEvent::Cancel;

/// Makes a request. It is done when the card is next updated. A request for a replacement suspends the card at once.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  vreader cms request renewal 1 --slot 9a --slot 9d\n  vreader cms request replacement 1 --reason forgotten\n  \
                        vreader cms request unlock 1 --minutes 30"
)]
pub(super) struct New {
    /// What for: renewal, addition, removal, activation, unlock, lock, replacement or recycling
    #[arg(value_parser = parse_kind)]
    kind: RequestKind,
    /// Number of the card
    card: i64,
    /// Why: forgotten, lost, stolen, damaged, expired, renew or none
    #[arg(long, default_value = "none", value_parser = parse_reason)]
    reason: Reason,
    /// Which key; several times for several [default: all that apply]
    #[arg(long = "slot", value_name = "KEY", value_parser = parse_slot)]
    slots: Vec<KeyReference>,
    /// How long it may be done [default: 10 for unlock, else for ever]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: Option<u64>,
    /// Somebody has to approve it first
    #[arg(long)]
    needs_approval: bool,
}

pub(super) fn new(common: &Common, arguments: &New) -> Outcome {
    let mut cms = common.open()?;
    let mut wish = Wish::new(arguments.card, arguments.kind, arguments.reason);
    wish.slots.clone_from(&arguments.slots);
    wish.approved = !arguments.needs_approval;
    if let Some(minutes) = arguments.minutes {
        wish.validity = Some(Duration::from_secs(minutes.saturating_mul(60)));
    }
    let request = cms.request(&wish)?;
    if common.json {
        return print_json(&request);
    }
    print(&format!("{} for card {}: {}\n", request.name(), request.card, request.state))
}

pub(super) fn decide(common: &Common, request: &Numbered, event: RequestEvent) -> Outcome {
    let request = common.open()?.decide(request.number, event)?;
    if common.json {
        return print_json(&request);
    }
    print(&format!("{} for card {}: {}\n", request.name(), request.card, request.state))
}

/// Asks whether an update is pending: for the card in a reader, or for one by its number.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  vreader run --card my.card -- vreader cms check\n  vreader cms check 1")]
pub(super) struct Check {
    #[command(flatten)]
    desk: Desk,
    /// Number of the card [default: the card in the reader]
    card: Option<i64>,
}

pub(super) fn check(common: &Common, arguments: &Check) -> Outcome {
    let mut cms = common.open()?;
    let identity = match arguments.card {
        Some(card) => cms.card(card)?.identity,
        None => arguments.desk.with_line(|line| Ok(vreader::card_client::CardIdentity::read(line)?))?,
    };
    let pending = cms.check(&identity)?;
    if common.json {
        return print_json(&pending);
    }
    print(&match pending {
        Some(pending) => in_words(&pending),
        None => "no update is pending\n".to_owned(),
    })
}

fn in_words(pending: &PendingUpdate) -> String {
    let interrupted = if pending.interrupted { ", which was begun and interrupted" } else { "" };
    let until = pending.expires.map(|last| format!(", until {last}")).unwrap_or_default();
    format!(
        "pending for card {}: {}, {} (request {}){until}{interrupted}\n",
        pending.card, pending.kind, pending.reason, pending.request
    )
}

fn parse_kind(text: &str) -> Result<RequestKind, String> {
    RequestKind::find(text).filter(|kind| *kind != RequestKind::Issuance).ok_or_else(|| {
        let kinds = RequestKind::ALL.iter().filter(|kind| **kind != RequestKind::Issuance);
        let names: Vec<_> = kinds.map(|kind| kind.name()).collect();
        format!("choose {}", names.join(", "))
    })
}

/// `--slot`
pub(super) fn parse_slot(text: &str) -> Result<KeyReference, String> {
    let reference = u8::from_str_radix(text, 16).ok().and_then(KeyReference::from_byte);
    let fits = |reference: &KeyReference| KeyReference::ASYMMETRIC.contains(reference);
    reference.filter(fits).ok_or_else(|| "choose 9a, 9c, 9d or 9e".to_owned())
}
