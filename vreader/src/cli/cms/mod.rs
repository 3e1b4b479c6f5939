//! `vreader cms`: card management from the command line.
//!
//! | file | commands |
//! |---|---|
//! | `stock` | init, holder, register, assign, unassign, produce, terminate |
//! | `request` | request, approve, deny, cancel, requests, check |
//! | `update` | issue, hand-over, update, renew, add, remove, lock, unlock, activate, recycle, compare |
//! | `batch` | batch |
//! | `authority` | authority, crl, serve |
//! | `report` | list, show, audit, and the words of it all |

mod authority;
mod batch;
mod report;
mod request;
mod stock;
mod update;

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use vreader::{
    attach::pcsc::{RemoteCard, RemoteReader, default_socket},
    card_client::Line,
    clock::{Clock, Time},
    cms::{Cms, CmsError, database::Database},
    reader::Disposition,
};

use super::{Failure, Outcome};

/// The database that is used unless another is named.
const DATABASE: &str = "cms.db";

/// How long a database is waited for that somebody else writes to.
const PATIENCE: Duration = Database::PATIENCE;

/// A small card management system: holders, cards, certificates, requests, an audit log, and a test authority.
///
/// Cards are reached over PC/SC: in the world of `vreader run` or `vreader serve`, in pcscd, or real ones. A card is changed in update
/// sessions; one that was interrupted is brought to its end by the next command on this card. Everything is for tests: keys and unlock
/// codes are in the database as they are.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  vreader cms init\n  vreader cms holder add 'Dana Quincy Sample'\n  vreader card new --blank my.card\n  \
                  vreader run --card my.card -- vreader cms register\n  vreader cms assign 1 1\n  \
                  vreader run --card my.card -- vreader cms issue --pin 123456"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(clap::Args)]
struct Common {
    /// The database [default: $VREADER_CMS, or cms.db in this folder]
    #[arg(long, value_name = "FILE", global = true)]
    db: Option<PathBuf>,
    /// Who does it, for the audit log [default: $USER]
    #[arg(long, value_name = "NAME", global = true)]
    operator: Option<String>,
    /// Do as if it were this day, or this second: YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ [default: the system's clock]
    #[arg(long, value_name = "DATE", global = true)]
    now: Option<Time>,
    /// Print as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a database, with a test authority of its own
    Init(stock::Init),
    /// The people who have cards
    #[command(subcommand)]
    Holder(stock::Holder),
    /// Take the card in a reader into stock
    Register(stock::Register),
    /// Make a card file with an issued card, as a card maker does; the way to Common Access Cards
    Produce(stock::Produce),
    /// A card in stock becomes somebody's
    Assign(stock::Assign),
    /// A card that is still blank goes back into stock
    Unassign(stock::Numbered),
    /// The end of a card's life; a card that waits for a temporary replacement comes back
    Terminate(stock::Terminate),
    /// Issue the card in a reader, which is assigned to somebody
    Issue(update::Issue),
    /// Issue many cards into card files; run again, it goes on where it was
    Batch(batch::Arguments),
    /// The holder of a card that was produced gets it, and chooses the PIN
    HandOver(update::HandOver),
    /// Ask for something to be done to a card
    Request(request::New),
    /// Allow a request
    Approve(stock::Numbered),
    /// Refuse a request
    Deny(stock::Numbered),
    /// Take a request back
    Cancel(stock::Numbered),
    /// Whether an update is pending for a card
    Check(request::Check),
    /// Do what is pending for the card in a reader
    Update(update::Update),
    /// New keys and certificates in the place of old ones
    Renew(update::Change),
    /// One more key with a certificate
    Add(update::Change),
    /// One key with its certificate less
    Remove(update::Change),
    /// The card refuses its PIN and its keys, and its certificates are on hold
    Lock(update::Change),
    /// A new PIN: online, by unlock code, or by challenge and response
    Unlock(update::Unlock),
    /// Activate the PIV Authentication certificate of an old Common Access Card
    Activate(update::Activate),
    /// Wipe a card at its end, and take it back into stock
    Recycle(update::Change),
    /// Whether the card in a reader and the database agree
    Compare(update::Compare),
    /// All cards, requests or open sessions
    List(report::List),
    /// One card with all that is known of it
    Show(stock::Numbered),
    /// Those who sign certificates
    #[command(subcommand)]
    Authority(authority::Command),
    /// Write the revocation list of an authority
    Crl(authority::Crl),
    /// Publish revocation lists and OCSP answers over HTTP on this machine
    Serve(authority::Serve),
    /// What was done and refused, by whom and when
    Audit(report::Audit),
    /// Look for damage in the database
    Verify,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let common = &arguments.common;
    match &arguments.command {
        Command::Init(arguments) => stock::init(common, arguments),
        Command::Holder(command) => stock::holder(common, command),
        Command::Register(arguments) => stock::register(common, arguments),
        Command::Produce(arguments) => stock::produce(common, arguments),
        Command::Assign(arguments) => stock::assign(common, arguments),
        Command::Unassign(card) => stock::unassign(common, card),
        Command::Terminate(arguments) => stock::terminate(common, arguments),
        Command::Issue(arguments) => update::issue(common, arguments),
        Command::Batch(arguments) => batch::run(common, arguments),
        Command::HandOver(arguments) => update::hand_over(common, arguments),
        Command::Request(arguments) => request::new(common, arguments),
        Command::Approve(request) => request::decide(common, request, request::APPROVE),
        Command::Deny(request) => request::decide(common, request, request::DENY),
        Command::Cancel(request) => request::decide(common, request, request::CANCEL),
        Command::Check(arguments) => request::check(common, arguments),
        Command::Update(arguments) => update::update(common, arguments),
        Command::Renew(arguments) => update::change(common, arguments, update::RENEWAL),
        Command::Add(arguments) => update::change(common, arguments, update::ADDITION),
        Command::Remove(arguments) => update::change(common, arguments, update::REMOVAL),
        Command::Lock(arguments) => update::change(common, arguments, update::LOCK),
        Command::Recycle(arguments) => update::change(common, arguments, update::RECYCLING),
        Command::Unlock(arguments) => update::unlock(common, arguments),
        Command::Activate(arguments) => update::activate(common, arguments),
        Command::Compare(arguments) => update::compare(common, arguments),
        Command::List(arguments) => report::list(common, arguments),
        Command::Show(card) => report::show(common, card),
        Command::Authority(command) => authority::run(common, command),
        Command::Crl(arguments) => authority::crl(common, arguments),
        Command::Serve(arguments) => authority::serve(common, arguments),
        Command::Audit(arguments) => report::audit(common, arguments),
        Command::Verify => report::verify(common),
    }
}

/// The database of this name; without one, that of the environment, or the one in this folder.
pub(super) fn database(name: Option<&Path>) -> PathBuf {
    let named = || env::var_os("VREADER_CMS").map(PathBuf::from);
    name.map(Path::to_owned).or_else(named).unwrap_or_else(|| DATABASE.into())
}

impl Common {
    fn path(&self) -> PathBuf {
        database(self.db.as_deref())
    }

    fn clock(&self) -> Clock {
        self.now.map_or(Clock::System, Clock::At)
    }

    fn operator(&self) -> String {
        let user = || env::var("USER").ok().filter(|user| !user.is_empty());
        self.operator.clone().or_else(user).unwrap_or_else(|| "operator".into())
    }

    fn open(&self) -> Result<Cms, Failure> {
        Ok(Cms::open(&self.path(), self.clock(), &self.operator(), PATIENCE)?)
    }
}

/// Which card is worked on.
#[derive(clap::Args)]
struct Desk {
    /// The card in the reader that has this in its name [default: the first reader that has a card]
    #[arg(long, value_name = "NAME")]
    reader: Option<String>,
}

impl Desk {
    /// Works on the card while no other program reaches it. The card is reset afterwards: nobody finds the administrator's login, and
    /// who had it open sees that it changed.
    fn with_line<R>(&self, work: impl FnOnce(&mut Line<'_>) -> Result<R, CmsError>) -> Result<R, Failure> {
        let socket = default_socket();
        let reader = RemoteReader::find(&socket, self.reader.as_deref())?;
        let mut card = RemoteCard::connect(&socket, &reader.name)?;
        let mut transaction = card.transaction(Disposition::Reset)?;
        let result = work(&mut Line::remote(&mut transaction));
        // A card that was taken out has no transaction to end.
        let ended = transaction.end();
        let result = result?;
        ended?;
        Ok(result)
    }
}
