//! `vreader ctl`: moves the cards of a world that runs.

use std::{env, path::PathBuf};

use vreader::{
    attach::pcsc::SOCKET_VARIABLE,
    run::{
        ReaderReport, SlotReport,
        control::{self, Answer, Order},
    },
};

use super::{Failure, Outcome, card_source::CardSource, print, print_json, world::DEFAULT_READER};

/// Moves cards and readers of a world that `vreader serve` or `vreader run` made. When it returns, programs in the world
/// can see what was done.
///
/// A READER is its number in `list`, its name, or a part of its name; it can be left out when there is only one.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  vreader ctl list\n  vreader ctl remove\n  vreader ctl insert 1 --card other.card\n\n\
    It finds the world by PCSCLITE_CSOCK_NAME."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// The world's PC/SC socket, if PCSCLITE_CSOCK_NAME does not name it
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Print the readers, as they are then, as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Show readers and cards
    List,
    /// Put a card into an empty reader
    Insert {
        /// Which reader
        reader: Option<String>,
        /// A card file or a profile [default: the card that was taken out]
        #[arg(long, value_name = "FILE|PROFILE")]
        card: Option<String>,
    },
    /// Take the card out
    Remove {
        /// Which reader
        reader: Option<String>,
    },
    /// Put in another card
    Swap {
        /// Which reader
        reader: Option<String>,
        /// A card file or a profile
        #[arg(long, value_name = "FILE|PROFILE")]
        card: String,
    },
    /// Reset the card, as another program could
    Reset {
        /// Which reader
        reader: Option<String>,
    },
    /// Plug in a reader
    AddReader {
        /// Its name
        #[arg(default_value = DEFAULT_READER)]
        name: String,
        /// A card file or a profile [default: no card]
        #[arg(long, value_name = "FILE|PROFILE")]
        card: Option<String>,
        /// The reader has a key-pad, at which somebody enters this PIN
        #[arg(long, value_name = "PIN")]
        pinpad: Option<String>,
    },
    /// Unplug a reader, with its card
    RemoveReader {
        /// Which reader
        reader: Option<String>,
    },
    /// End the world of `vreader serve`
    Stop,
}

pub(super) fn run(arguments: Arguments) -> Outcome {
    let socket =
        arguments.socket.or_else(|| env::var_os(SOCKET_VARIABLE).map(PathBuf::from)).ok_or_else(|| {
            Failure(format!(
                "which world? {SOCKET_VARIABLE} is not set; start one with `vreader serve`, or give --socket"
            ))
        })?;
    let listing = matches!(arguments.action, Action::List);
    match control::order(&control::beside(&socket), &order(arguments.action)?)? {
        Answer::Refused(reason) => Err(Failure(reason)),
        Answer::Done(readers) if arguments.json => print_json(&readers),
        Answer::Done(readers) if listing => print(&in_words(&readers)),
        Answer::Done(_) => Ok(()),
    }
}

fn order(action: Action) -> Result<Order, Failure> {
    Ok(match action {
        Action::List => Order::List {},
        Action::Insert { reader, card } => Order::Insert { reader, card: card.map(from_there).transpose()? },
        Action::Remove { reader } => Order::Remove { reader },
        Action::Swap { reader, card } => Order::Swap { reader, card: from_there(card)? },
        Action::Reset { reader } => Order::Reset { reader },
        Action::AddReader { name, card, pinpad: pin_pad } => {
            Order::AddReader { name, card: card.map(from_there).transpose()?, pin_pad }
        }
        Action::RemoveReader { reader } => Order::RemoveReader { reader },
        Action::Stop => Order::Stop {},
    })
}

/// The card's name as the world can use it, which runs in another folder.
fn from_there(card: String) -> Result<String, Failure> {
    match CardSource::named(&card) {
        CardSource::Profile(_) => Ok(card),
        CardSource::File(path) => std::path::absolute(&path)?
            .into_os_string()
            .into_string()
            .map_err(|path| Failure(format!("the name of {} is not UTF-8; use another one", path.display()))),
    }
}

fn in_words(readers: &[ReaderReport]) -> String {
    if readers.is_empty() {
        return "no reader; add one with `vreader ctl add-reader`\n".to_owned();
    }
    let line = |(number, reader): (usize, &ReaderReport)| {
        let slot = match reader.slot {
            SlotReport::Card => "card",
            SlotReport::MuteCard => "card that does not answer",
            SlotReport::Empty => "empty",
            SlotReport::TakenOut => "empty, its card was taken out",
        };
        let used = match (reader.exclusive, reader.handles) {
            (true, _) => ", used exclusively".to_owned(),
            (false, 0) => String::new(),
            (false, 1) => ", 1 handle".to_owned(),
            (false, handles) => format!(", {handles} handles"),
        };
        format!("{number}  {}: {slot}{used}\n", reader.name)
    };
    readers.iter().enumerate().map(line).collect()
}
