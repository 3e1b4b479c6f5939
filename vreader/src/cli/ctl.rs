//! `vreader ctl`: moves the cards of a world that runs.

use std::{
    env,
    path::{Path, PathBuf},
};

use vreader::{
    attach::pcsc::SOCKET_VARIABLE,
    image::Tear,
    reader::Interface,
    run::{
        CardSource, DEFAULT_READER, ReaderReport, SlotReport,
        control::{self, Answer, ControlError, Order},
    },
};

use super::{Failure, Outcome, print, print_if_read, print_json, trace::Form, world::interface};

/// Moves cards and readers of a world that `vreader serve` or `vreader run` made. When it returns, programs in the world
/// can see what was done.
///
/// A READER is its number in `list`, its name, or a part of its name; it can be left out when there is only one.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  vreader ctl list\n  vreader ctl remove\n  vreader ctl insert 1 --card other.card\n  vreader ctl tear\n\n\
    It finds the world by PCSCLITE_CSOCK_NAME."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// The world's PC/SC socket, if PCSCLITE_CSOCK_NAME does not name it
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Show readers and cards
    List {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what has happened, with PINs hidden
    Trace {
        #[command(flatten)]
        form: Form,
        /// Go on with what happens, until the world ends
        #[arg(long)]
        follow: bool,
    },
    #[command(flatten)]
    Move(Move),
}

#[derive(clap::Subcommand)]
enum Move {
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
    /// Turn the card over: its contacts or its antenna; programs see one card leave and another come
    #[command(after_help = "Example:\n  vreader ctl interface contactless && opensc-tool --atr")]
    Interface {
        /// contact or contactless
        #[arg(value_parser = parse_interface)]
        interface: Interface,
        /// Which reader
        reader: Option<String>,
    },
    /// The next write of the card loses power, for a demonstration or a test
    ///
    /// The write stops in the middle, and the card with it: its program gets no answer (SCARD_E_NOT_TRANSACTED), other
    /// handles hear of a reset, and the card is dead until it is connected to, reset or put in again. It then puts in order
    /// what the flash holds: all of the change, or nothing of it.
    #[command(
        after_help = "Example:\n  vreader ctl tear && pkcs15-tool --verify-pin --pin 000000; pkcs15-tool --list-pins"
    )]
    Tear {
        /// Which reader
        reader: Option<String>,
        /// Words written and pages erased before; more than this command does: in a later one
        #[arg(long, value_name = "N", default_value_t = 0)]
        after: u32,
        /// What is left of the word or page: some of the bits changed, the first half of it changed, or nothing
        #[arg(long, value_name = "KIND", default_value = "torn", value_parser = parse_tear)]
        kind: Tear,
    },
    /// Touch the card, as its holder would with a finger; the world must have been started with --touch wait
    ///
    /// A touch counts only while the card waits for it, as `vreader ctl list` tells.
    #[command(
        after_help = "Example:\n  vreader ctl touch --wait 10 & ykman piv certificates generate -s CN=Sam 9a public.pem"
    )]
    Touch {
        /// Which reader
        reader: Option<String>,
        /// Wait so long, at most 60 seconds, for the card to ask for it
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        wait: u8,
        /// With a finger that a YubiKey Bio does not know
        #[arg(long)]
        wrong_finger: bool,
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
        /// The reader presents cards through their antenna
        #[arg(long)]
        contactless: bool,
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
    let control = control::beside(&socket);
    match arguments.action {
        Action::Trace { form, follow } => show_trace(&control, &form, follow),
        Action::List { json } => {
            let readers = carry_out(&control, &Order::List {})?;
            if json { print_json(&readers) } else { print(&in_words(&readers)) }
        }
        Action::Move(action) => carry_out(&control, &order(action)?).map(drop),
    }
}

/// The readers after an order.
fn carry_out(control: &Path, order: &Order) -> Result<Vec<ReaderReport>, Failure> {
    match control::order(control, order)? {
        Answer::Done(readers) => Ok(readers),
        Answer::Refused(reason) => Err(Failure(reason)),
        Answer::Trace(_) => {
            Err(Failure("the world answered another question; is it of this version?".into()))
        }
    }
}

fn show_trace(control: &Path, form: &Form, follow: bool) -> Outcome {
    let mut after = 0;
    loop {
        let wait_ms = if after > 0 && follow { WAIT_MS } else { 0 };
        let events = match control::order(control, &Order::Trace { after, wait_ms }) {
            Ok(Answer::Trace(events)) => events,
            Ok(Answer::Refused(reason)) => return Err(Failure(reason)),
            // The world has ended, and with it what there is to follow.
            Err(ControlError::Nobody { .. } | ControlError::Ended { .. }) if after > 0 => return Ok(()),
            Ok(Answer::Done(_)) => {
                return Err(Failure("the world answered another question; is it of this version?".into()));
            }
            Err(error) => return Err(error.into()),
        };
        after = events.last().map_or(after, |event| event.number);
        if !print_if_read(&form.lines(&events)?)? || !follow {
            return Ok(());
        }
    }
}

/// What `trace --follow` waits for an event before it asks again.
const WAIT_MS: u64 = 60_000;

fn order(action: Move) -> Result<Order, Failure> {
    Ok(match action {
        Move::Insert { reader, card } => Order::Insert { reader, card: card.map(from_there).transpose()? },
        Move::Remove { reader } => Order::Remove { reader },
        Move::Swap { reader, card } => Order::Swap { reader, card: from_there(card)? },
        Move::Reset { reader } => Order::Reset { reader },
        Move::Interface { interface, reader } => Order::Interface { reader, interface },
        Move::Tear { reader, after, kind } => Order::Tear { reader, after, kind },
        Move::Touch { reader, wait, wrong_finger } => {
            Order::Touch { reader, wait_ms: u64::from(wait) * 1000, wrong_finger }
        }
        Move::AddReader { name, card, pinpad: pin_pad, contactless } => Order::AddReader {
            name,
            card: card.map(from_there).transpose()?,
            pin_pad,
            interface: interface(contactless),
        },
        Move::RemoveReader { reader } => Order::RemoveReader { reader },
        Move::Stop => Order::Stop {},
    })
}

fn parse_interface(text: &str) -> Result<Interface, &'static str> {
    match text {
        "contact" => Ok(Interface::Contact),
        "contactless" => Ok(Interface::Contactless),
        _ => Err("choose contact or contactless"),
    }
}

fn parse_tear(text: &str) -> Result<Tear, &'static str> {
    match text {
        "torn" => Ok(Tear::Torn),
        "half" => Ok(Tear::Half),
        "clean" => Ok(Tear::Clean),
        _ => Err("choose torn, half or clean"),
    }
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
        let antenna = match reader.interface {
            Interface::Contact => "",
            Interface::Contactless => ", contactless",
        };
        let touch = if reader.waits_for_touch { ", waits for a touch" } else { "" };
        format!("{number}  {}: {slot}{antenna}{touch}{used}\n", reader.name)
    };
    readers.iter().enumerate().map(line).collect()
}
