//! What is done with the card in a reader.

use card_sim::key::{AsymmetricAlgorithm, KeyReference};
use serde_json::json;
use vreader::{
    cms::{
        Access, ActivationPage, Cms, IssueOptions, LoginCertificate, UpdateOptions, Updated, Wish,
        state::{Reason, RequestKind},
    },
    console::activation::CUTOFF,
    issue::Date,
};

use super::{Common, Desk, report::print_card, request::parse_slot, stock::parse_reason};
use crate::cli::{
    Failure, Outcome,
    desk::{confirms, new_secret, secret},
    option::parse_algorithm,
    print, print_json,
};

pub(super) const RENEWAL: RequestKind = RequestKind::Renewal;
pub(super) const ADDITION: RequestKind = RequestKind::Addition;
pub(super) const REMOVAL: RequestKind = RequestKind::Removal;
pub(super) const LOCK: RequestKind = RequestKind::Lock;
pub(super) const RECYCLING: RequestKind = RequestKind::Recycling;

/// What the person at the card gives.
#[derive(clap::Args)]
struct Person {
    /// The PIN; - asks for it. With it the card proves its new keys
    #[arg(long)]
    pin: Option<String>,
    /// The card that is meant, by its number: another one is refused
    #[arg(long, value_name = "CARD")]
    card: Option<i64>,
    /// The holder who is meant: number, identifier or name; another's card is refused
    #[arg(long)]
    holder: Option<String>,
}

impl Person {
    fn access(&self, new_pin: Option<&str>) -> Result<Access, Failure> {
        let pin = self.pin.as_deref().map(|pin| secret(Some(pin), "PIN")).transpose()?;
        let new = new_pin.map(|pin| new_secret(Some(pin), "New PIN")).transpose()?;
        Ok(Access::new(pin.as_ref().map(|pin| pin.as_str()), new.as_ref().map(|pin| pin.as_str()))?)
    }

    fn options(&self) -> UpdateOptions {
        UpdateOptions { card: self.card, holder: self.holder.clone(), ..UpdateOptions::default() }
    }
}

/// Issues the card in a reader: objects, keys, certificates, unlock code and PIN.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  vreader run --card my.card -- vreader cms issue --pin 123456")]
pub(super) struct Issue {
    #[command(flatten)]
    desk: Desk,
    #[command(flatten)]
    person: Person,
    /// Algorithm of the keys: p256, p384, rsa2048, rsa3072 or rsa4096
    #[arg(long, default_value = "p256", value_parser = parse_algorithm)]
    algorithm: AsymmetricAlgorithm,
    /// Last day of the card [default: six years from now; two weeks for a temporary replacement]
    #[arg(long, value_name = "DATE")]
    expires: Option<Date>,
    /// Write the card now; the holder chooses the PIN with `vreader cms hand-over`
    #[arg(long, conflicts_with = "pin")]
    produce: bool,
    /// Make the encryption key on the card, and recover none: mail is lost with the card
    #[arg(long)]
    no_recovery: bool,
}

pub(super) fn issue(common: &Common, arguments: &Issue) -> Outcome {
    let access = arguments.person.access(None)?;
    let issue = IssueOptions {
        algorithm: arguments.algorithm,
        produce: arguments.produce,
        recover: !arguments.no_recovery,
        expires: arguments.expires,
    };
    let options = UpdateOptions { issue, ..arguments.person.options() };
    let mut cms = common.open()?;
    let updated = arguments.desk.with_line(|line| cms.issue(line, &access, &options))?;
    report(common, &cms, &updated)
}

/// Gives a produced card its holder's PIN.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  vreader run --card my.card -- vreader cms hand-over --new-pin 246813")]
pub(super) struct HandOver {
    #[command(flatten)]
    desk: Desk,
    /// The PIN that the holder chooses; - asks for it
    #[arg(long, value_name = "PIN")]
    new_pin: String,
}

pub(super) fn hand_over(common: &Common, arguments: &HandOver) -> Outcome {
    let new = new_secret(Some(&arguments.new_pin), "New PIN")?;
    let access = Access::new(None, Some(&new))?;
    let mut cms = common.open()?;
    let card = arguments.desk.with_line(|line| cms.hand_over(line, &access))?;
    print_card(common, &cms, &card)
}

/// Does what is pending for the card in a reader, or brings to its end what was interrupted.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  vreader cms request renewal 1\n  vreader run --card my.card -- vreader cms update --pin 123456"
)]
pub(super) struct Update {
    #[command(flatten)]
    desk: Desk,
    #[command(flatten)]
    person: Person,
    /// The new PIN, for an unlock; - asks for it
    #[arg(long, value_name = "PIN")]
    new_pin: Option<String>,
    /// Replace an encryption key that nobody kept: mail that was encrypted for it is lost
    #[arg(long)]
    lose_old_key: bool,
}

pub(super) fn update(common: &Common, arguments: &Update) -> Outcome {
    let access = arguments.person.access(arguments.new_pin.as_deref())?;
    let options = UpdateOptions { lose_old_key: arguments.lose_old_key, ..arguments.person.options() };
    let mut cms = common.open()?;
    let updated = arguments.desk.with_line(|line| cms.update(line, &access, &options))?;
    report(common, &cms, &updated)
}

/// Requests a change of the card in a reader, and does it.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  vreader run --card my.card -- vreader cms renew --slot 9a --pin 123456\n  \
                        vreader run --card my.card -- vreader cms lock"
)]
pub(super) struct Change {
    #[command(flatten)]
    desk: Desk,
    #[command(flatten)]
    person: Person,
    /// Which key; several times for several [default: all that apply]
    #[arg(long = "slot", value_name = "KEY", value_parser = parse_slot)]
    slots: Vec<KeyReference>,
    /// Why: lost, stolen, damaged, expired, renew or none
    #[arg(long, default_value = "none", value_parser = parse_reason)]
    reason: Reason,
    /// Replace an encryption key that nobody kept: mail that was encrypted for it is lost
    #[arg(long)]
    lose_old_key: bool,
}

pub(super) fn change(common: &Common, arguments: &Change, kind: RequestKind) -> Outcome {
    if matches!(kind, RequestKind::Addition | RequestKind::Removal) && arguments.slots.is_empty() {
        return Err(Failure("say which key: --slot 9a, 9c, 9d or 9e".into()));
    }
    let access = arguments.person.access(None)?;
    let lose_old_key = arguments.lose_old_key;
    let options = UpdateOptions { kind: Some(kind), lose_old_key, ..arguments.person.options() };
    let mut cms = common.open()?;
    let updated = arguments.desk.with_line(|line| {
        let wish = |card| Wish { slots: arguments.slots.clone(), ..Wish::new(card, kind, arguments.reason) };
        cms.request_and_update(line, &wish, &access, &options)
    })?;
    report(common, &cms, &updated)
}

/// Unlocks a card.
///
/// Online: the card in the reader gets a temporary PIN, which is changed into the new one at once. By unlock code: prints the PUK, for
/// whoever may tell it to the holder. By challenge and response: prints the answer to what `vreader card unlock --challenge` showed.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  vreader run --card my.card -- vreader cms unlock --new-pin 246813\n  \
                        vreader cms unlock --code 1\n  vreader cms unlock --respond 1 --challenge 0011223344556677")]
pub(super) struct Unlock {
    #[command(flatten)]
    desk: Desk,
    #[command(flatten)]
    person: Person,
    /// The new PIN; - asks for it
    #[arg(long, value_name = "PIN", required_unless_present_any = ["code", "respond"])]
    new_pin: Option<String>,
    /// Print the unlock code of this card
    #[arg(long, value_name = "CARD", conflicts_with_all = ["new_pin", "respond"])]
    code: Option<i64>,
    /// Answer the challenge of this card, for which an unlock request is approved
    #[arg(long, value_name = "CARD", requires = "challenge", conflicts_with = "new_pin")]
    respond: Option<i64>,
    /// What the card said, in hex
    #[arg(long, value_name = "HEX")]
    challenge: Option<String>,
}

pub(super) fn unlock(common: &Common, arguments: &Unlock) -> Outcome {
    let mut cms = common.open()?;
    if let Some(card) = arguments.code {
        let puk = cms.unlock_code(card)?;
        if common.json {
            return print_json(&json!({ "card": card, "unlock_code": String::from_utf8_lossy(&puk[..]) }));
        }
        return print(&format!("{}\n", String::from_utf8_lossy(&puk[..])));
    }
    if let Some(card) = arguments.respond {
        let text: String = arguments
            .challenge
            .iter()
            .flat_map(|text| text.chars())
            .filter(|digit| !digit.is_whitespace())
            .collect();
        let challenge = hex::decode(&text)
            .map_err(|error| Failure(format!("the challenge is not hex: {error}; read it once more")))?;
        let response = cms.respond(card, &challenge)?;
        if common.json {
            return print_json(&json!({ "card": card, "response": hex::encode_upper(response) }));
        }
        return print(&format!("{}\n", hex::encode_upper(response)));
    }
    let access = arguments.person.access(arguments.new_pin.as_deref())?;
    let options = UpdateOptions { kind: Some(RequestKind::Unlock), ..arguments.person.options() };
    let updated = arguments.desk.with_line(|line| {
        let wish = |card| Wish::new(card, RequestKind::Unlock, Reason::None);
        cms.request_and_update(line, &wish, &access, &options)
    })?;
    report(common, &cms, &updated)
}

/// Activates the PIV Authentication certificate of a Common Access Card that was issued before 28 February 2018.
///
/// Signs the holder in with the card's signature certificate, shows what the card says, asks whether to proceed, and writes. The PIN is
/// verified twice: before reading and before writing. --list shows the cards of a holder, and which of them can be activated.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  vreader cms activate --list 1\n  vreader run --card old.card -- vreader cms activate --pin 123456 --yes"
)]
pub(super) struct Activate {
    #[command(flatten)]
    desk: Desk,
    #[command(flatten)]
    person: Person,
    /// Only show the cards of this holder
    #[arg(long, value_name = "HOLDER")]
    list: Option<String>,
    /// The certificate to sign in with: signature or id
    #[arg(long, default_value = "signature", value_parser = parse_login)]
    login: LoginCertificate,
    /// Cards that were issued before this day can be activated
    #[arg(long, value_name = "DATE", default_value_t = CUTOFF)]
    piv_activation_cutoff: Date,
    /// Proceed without asking
    #[arg(long)]
    yes: bool,
}

pub(super) fn activate(common: &Common, arguments: &Activate) -> Outcome {
    let mut cms = common.open()?;
    if let Some(holder) = &arguments.list {
        return list_activatable(common, &cms, holder);
    }
    let pin = secret(arguments.person.pin.as_deref(), "PIN")?;
    let access = Access::new(Some(&pin), None)?;
    let page = arguments.desk.with_line(|line| {
        cms.activation_page(line, &pin, arguments.login, arguments.piv_activation_cutoff)
    })?;
    if !common.json {
        print(&page_in_words(&page))?;
    }
    if !arguments.yes && !confirms("Proceed?")? {
        return print("cancelled; nothing was changed\n");
    }
    let mut options = arguments.person.options();
    (options.kind, options.card) = (Some(RequestKind::Activation), Some(page.card));
    let updated = arguments.desk.with_line(|line| {
        let wish = |card| Wish::new(card, RequestKind::Activation, Reason::None);
        cms.request_and_update(line, &wish, &access, &options)
    })?;
    if common.json {
        return print_json(&json!({ "page": page, "updated": updated }));
    }
    report(common, &cms, &updated)?;
    print("Your CAC has been successfully updated.\n")
}

fn list_activatable(common: &Common, cms: &Cms, holder: &str) -> Outcome {
    let cards = cms.activatable(holder)?;
    if common.json {
        let rows: Vec<_> =
            cards.iter().map(|(card, can)| json!({ "card": card.id, "can_be_activated": can })).collect();
        return print_json(&rows);
    }
    for (card, can) in &cards {
        let item = if *can { "  [Activate PIV Certificate]" } else { "" };
        print(&format!("{}{item}\n", super::report::card_line(cms, card)?))?;
    }
    Ok(())
}

fn page_in_words(page: &ActivationPage) -> String {
    format!(
        "Signed in with the certificate of {}\n\nPIV information\n  Name      {}\n  EDIPI     {}\n  FASC-N    {}\n  Issued    {}\n  \
         The PIV Authentication certificate will come from {}\n",
        page.signed_in_with, page.name, page.edipi, page.fascn, page.issued, page.issuer
    )
}

fn parse_login(text: &str) -> Result<LoginCertificate, &'static str> {
    match text {
        "signature" => Ok(LoginCertificate::Signature),
        "id" => Ok(LoginCertificate::Id),
        _ => Err("choose signature or id"),
    }
}

/// Holds the card in a reader against the database.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  vreader run --card my.card -- vreader cms compare --pin 123456")]
pub(super) struct Compare {
    #[command(flatten)]
    desk: Desk,
    /// The PIN, for keys that need it; - asks for it
    #[arg(long)]
    pin: Option<String>,
}

pub(super) fn compare(common: &Common, arguments: &Compare) -> Outcome {
    let pin = arguments.pin.as_deref().map(|pin| secret(Some(pin), "PIN")).transpose()?;
    let access = Access::new(pin.as_ref().map(|pin| pin.as_str()), None)?;
    let mut cms = common.open()?;
    let differences = arguments.desk.with_line(|line| cms.compare(line, &access))?;
    if common.json {
        print_json(&differences)?;
    } else {
        for found in &differences {
            print(&format!("{}: {}\n", found.slot, found.found))?;
        }
        if differences.is_empty() {
            print("the card and the database agree\n")?;
        }
    }
    match differences.len() {
        0 => Ok(()),
        some => Err(Failure(format!("the card and the database differ in {some} places"))),
    }
}

fn report(common: &Common, cms: &Cms, updated: &Updated) -> Outcome {
    if common.json {
        return print_json(updated);
    }
    let how = match (updated.resumed, updated.protected) {
        (true, _) => " (what was interrupted before is now done)",
        (false, true) => " (under secure messaging)",
        (false, false) => "",
    };
    let card = cms.card(updated.card)?;
    print(&format!(
        "done: {}{how}\n{}\nRemove the card and put it in again: programs that had it open see the change then.\n",
        updated.action,
        super::report::card_line(cms, &card)?
    ))
}
