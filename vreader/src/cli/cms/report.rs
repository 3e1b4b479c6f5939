//! What is in the database, for people and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};
use vreader::{
    card_client::CardIdentity,
    cms::{
        Cms, CmsError,
        database::{AuditEntry, CardRow, RequestRow},
    },
};

use super::{Common, stock::Numbered};
use crate::cli::{Outcome, print, print_json};

/// Lists what there is.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  vreader cms list\n  vreader cms list requests --json")]
pub(super) struct List {
    /// What: cards, requests or sessions
    #[arg(default_value = "cards")]
    what: What,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    Cards,
    Requests,
    Sessions,
}

pub(super) fn list(common: &Common, arguments: &List) -> Outcome {
    let cms = common.open()?;
    match arguments.what {
        What::Cards => {
            let cards = cms.cards()?;
            if common.json {
                let rows = cards.iter().map(|card| card_json(&cms, card)).collect::<Result<Vec<_>, _>>()?;
                return print_json(&rows);
            }
            let mut text = String::new();
            for card in &cards {
                text += &(card_line(&cms, card)? + "\n");
            }
            print(&text)
        }
        What::Requests => {
            let requests = cms.requests()?;
            if common.json {
                print_json(&requests)
            } else {
                print(&requests.iter().map(request_line).collect::<String>())
            }
        }
        What::Sessions => {
            let sessions = cms.open_sessions()?;
            if common.json {
                let rows: Vec<_> = sessions.iter().map(|session| json!({
                    "card": session.card, "request": session.request, "action": session.action,
                    "operator": session.operator, "started": session.started, "attempts": session.attempts,
                })).collect();
                return print_json(&rows);
            }
            let line = |session: &vreader::cms::database::SessionRow| {
                format!(
                    "card {}: {}, begun by {} on {}, run {} times\n",
                    session.card, session.action, session.operator, session.started, session.attempts
                )
            };
            print(&sessions.iter().map(line).collect::<String>())
        }
    }
}

pub(super) fn show(common: &Common, card: &Numbered) -> Outcome {
    let cms = common.open()?;
    let card = cms.card(card.number)?;
    if common.json {
        return print_json(&card_json(&cms, &card)?);
    }
    let mut text = card_line(&cms, &card)? + "\n";
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  known as {}", card.identity);
    if let (Some(issued), Some(expires)) = (card.issued, card.expires) {
        let _ = writeln!(text, "  issued {issued}, expires {expires}");
    }
    for placed in cms.credentials(card.id)? {
        let place = placed.slot.map_or("  ".to_owned(), |slot| format!("{:02X}", slot.to_byte()));
        let hidden = if card.hidden == Some(placed.credential.id) { ", hidden" } else { "" };
        let reason = match placed.credential.reason.name() {
            "NONE" => String::new(),
            reason => format!(" ({reason})"),
        };
        let credential = &placed.credential;
        let _ = writeln!(
            text,
            "  {place}  {}  until {}  {}{reason}{hidden}",
            credential.serial,
            credential.not_after.date(),
            credential.state
        );
    }
    for request in cms.requests()?.iter().filter(|request| request.card == card.id) {
        let _ = write!(text, "  {}", request_line(request));
    }
    print(&text)
}

fn request_line(request: &RequestRow) -> String {
    let until = request.expires.map(|last| format!(", until {last}")).unwrap_or_default();
    format!(
        "{} for card {}, {}, by {}: {}{until}\n",
        request.name(),
        request.card,
        request.reason,
        request.operator,
        request.state
    )
}

/// A card in a line.
pub(super) fn card_line(cms: &Cms, card: &CardRow) -> Result<String, CmsError> {
    let holder = match card.holder {
        Some(id) => format!(", {}", cms.holder_name(id)?),
        None => String::new(),
    };
    let temporary = if card.temporary { ", temporary" } else { "" };
    let replaces = card.replaces.map(|old| format!(", replaces card {old}")).unwrap_or_default();
    Ok(format!("card {}: {}{holder}{temporary}{replaces}", card.id, card.state))
}

/// Prints a card after it was changed.
pub(super) fn print_card(common: &Common, cms: &Cms, card: &CardRow) -> Outcome {
    if common.json {
        return print_json(&card_json(cms, card)?);
    }
    print(&(card_line(cms, card)? + "\n"))
}

fn card_json(cms: &Cms, card: &CardRow) -> Result<Value, CmsError> {
    let credentials: Vec<_> = cms
        .credentials(card.id)?
        .iter()
        .map(|placed| {
            json!({
                "slot": placed.slot.map(|slot| format!("{:02X}", slot.to_byte())),
                "serial": placed.credential.serial,
                "not_after": placed.credential.not_after,
                "state": placed.credential.state,
                "reason": placed.credential.reason,
                "hidden": card.hidden == Some(placed.credential.id),
                "recoverable": placed.credential.escrow.is_some(),
            })
        })
        .collect();
    Ok(json!({
        "card": card.id,
        "identity": card.identity.to_string(),
        "kind": match card.identity {
            CardIdentity::Serial(_) => "serial number",
            CardIdentity::CardIdentifier(_) => "card identifier",
            CardIdentity::Guid(_) => "guid",
        },
        "state": card.state,
        "holder": card.holder.map(|id| cms.holder_name(id)).transpose()?,
        "issued": card.issued,
        "expires": card.expires,
        "temporary": card.temporary,
        "replaces": card.replaces,
        "credentials": credentials,
    }))
}

/// The audit log.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  vreader cms audit\n  vreader cms audit 1 --json")]
pub(super) struct Audit {
    /// Only what is about this card
    card: Option<i64>,
}

pub(super) fn audit(common: &Common, arguments: &Audit) -> Outcome {
    let entries = common.open()?.audit(arguments.card)?;
    if common.json {
        return print_json(&entries);
    }
    let line = |entry: &AuditEntry| {
        let card = entry.card.map(|card| format!(" card {card}")).unwrap_or_default();
        let request = entry.request.map(|request| format!(" request {request}")).unwrap_or_default();
        let detail = if entry.detail.is_empty() { String::new() } else { format!(": {}", entry.detail) };
        format!(
            "{} {}{card}{request} {} {}{detail}\n",
            entry.time, entry.operator, entry.action, entry.outcome
        )
    };
    print(&entries.iter().map(line).collect::<String>())
}

pub(super) fn verify(common: &Common) -> Outcome {
    let cms = common.open()?;
    cms.database().check()?;
    let (cards, sessions) = (cms.cards()?.len(), cms.open_sessions()?.len());
    if common.json {
        return print_json(&json!({ "cards": cards, "open_sessions": sessions, "damaged": false }));
    }
    print(&format!("the database is whole: {cards} cards, {sessions} sessions that wait for their cards\n"))
}
