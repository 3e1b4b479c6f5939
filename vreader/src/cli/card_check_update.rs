//! `vreader card check-update`: is something pending for this card?

use std::io::{self, BufRead};

use vreader::{
    agent::{self, Choice, ManualCheck, Outcome as Found, Report, Withdrawal},
    attach::pcsc::default_socket,
    clock::{Clock, Time},
};

use super::{
    Failure, Outcome,
    agent::{Counterpart, parse_choice, say},
};

/// Asks the card management system now whether something is pending for the card in a reader, whatever `vreader agent`
/// remembers; if so, asks whether to run the update: OK or Cancel.
///
/// Exit status: 0 nothing is pending, the update is done, or it was cancelled; 1 something went wrong.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  vreader card check-update --cms cms.db --root cms-root.pem\n  \
    vreader card check-update --cms cms.db --reader Desk --answer cancel\n\n\
    Readers are those of the world of `vreader run` or `serve`, or of pcscd: PCSCLITE_CSOCK_NAME decides.")]
pub(super) struct Arguments {
    #[command(flatten)]
    counterpart: Counterpart,
    /// The reader that has this in its name [default: the first that has a card]
    #[arg(long, value_name = "NAME")]
    reader: Option<String>,
    /// Ask now, as a check by hand always does; with a date, as if it were this day, or this second
    #[arg(long, value_name = "DATE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "clap's form of an option whose value may be left out")]
    now: Option<Option<Time>>,
    /// Answer so, and ask nobody: ok or cancel
    #[arg(long, value_name = "ANSWER", value_parser = parse_choice)]
    answer: Option<Choice>,
    /// Print every event as a line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let clock = arguments.now.flatten().map_or(Clock::System, Clock::At);
    let settings = arguments.counterpart.settings()?;
    let reader = agent::find_reader(&default_socket(), arguments.reader.as_deref())?;
    let check = ManualCheck::of(arguments.counterpart.office(settings, clock)?, &reader)?;
    let tell = |report: &Report| Ok::<_, Failure>(say(report, arguments.json)?);
    let card = check.card().to_owned();
    let Found::Pending(notice) = check.outcome()? else {
        return tell(&Report::NothingPending { reader, card });
    };
    let request = notice.request;
    tell(&Report::Offer { reader: reader.clone(), card, request: request.clone(), what: notice.what })?;
    let choice = match arguments.answer {
        Some(choice) => choice,
        None => ask(|answer| tell(&Report::NotUnderstood { answer }))?,
    };
    if choice == Choice::Dismiss {
        return tell(&Report::Withdrawn { reader, request, reason: Withdrawal::Dismissed });
    }
    let limit = check.settings().portal_limit;
    tell(&Report::UpdateStarted { reader: reader.clone(), request: request.clone(), limit })?;
    let changes = check.update(&request)?.changes;
    tell(&Report::Updated { reader, request, changes })
}

/// The first answer on standard input; at its end, cancel.
fn ask(mut not_understood: impl FnMut(String) -> Outcome) -> Result<Choice, Failure> {
    for line in io::stdin().lock().lines() {
        let line = line?;
        match Choice::from_line(&line) {
            Some((choice, _)) => return Ok(choice),
            None => not_understood(line)?,
        }
    }
    Ok(Choice::Dismiss)
}
