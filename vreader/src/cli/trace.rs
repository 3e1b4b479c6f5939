//! `vreader trace`: shows and compares what `--trace FILE` recorded.

use std::{path::PathBuf, process::ExitCode};

use serde_json::json;
use vreader::trace::{self, Difference, Event, Side};

use super::{Failure, complain, print, print_json};

/// Lines that are the same in both runs and are shown around a difference.
const CONTEXT: usize = 3;

/// The exit status for runs that differ, as that of diff(1).
const DIFFERENT: u8 = 1;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show a trace in words
    Show(Show),
    /// Compare two runs by meaning: commands, answers, broken rules; not times, programs and random values
    ///
    /// The exit status is 0 if they mean the same, and 1 if not.
    Diff(Diff),
}

#[derive(clap::Args)]
#[command(after_help = "Example:\n  vreader run --trace my.trace -- pkcs15-tool --list-certificates\n  \
    vreader trace show my.trace")]
pub(super) struct Show {
    /// What `--trace` wrote
    file: PathBuf,
    #[command(flatten)]
    form: Form,
    /// Only what programs asked and what they were told, with chains and GET RESPONSE put together
    #[arg(long, conflicts_with_all = ["hex", "json"])]
    exchanges: bool,
}

/// How events are printed.
#[derive(clap::Args)]
pub(super) struct Form {
    /// Show the bytes, too; ** where they are hidden
    #[arg(long)]
    hex: bool,
    /// Print an event a line as JSON
    #[arg(long, conflicts_with = "hex")]
    json: bool,
}

#[derive(clap::Args)]
#[command(after_help = "Example:\n  vreader run --trace old.trace -- ./my-test\n  \
    vreader run --trace new.trace -- ./my-test\n  vreader trace diff old.trace new.trace")]
pub(super) struct Diff {
    /// What `--trace` wrote in one run
    first: PathBuf,
    /// What `--trace` wrote in the other
    second: PathBuf,
    /// Print every line as JSON, with the run that it is in
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command) -> ExitCode {
    let outcome = match command {
        Command::Show(arguments) => show(arguments),
        Command::Diff(arguments) => diff(arguments),
    };
    match outcome {
        Ok(status) => status,
        Err(failure) => complain(&failure, 2),
    }
}

fn show(arguments: &Show) -> Result<ExitCode, Failure> {
    let events = trace::read(&arguments.file)?;
    if arguments.exchanges {
        let line = |exchange: trace::Exchange| {
            let client = exchange.client.as_ref().map(|client| format!("{client}  ")).unwrap_or_default();
            format!("{}  {client}{exchange}\n", exchange.reader)
        };
        print(&trace::exchanges(&events).into_iter().map(line).collect::<String>())?;
    } else {
        print(&arguments.form.lines(&events)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Form {
    /// Events as the user wants to see them.
    pub(super) fn lines(&self, events: &[Event]) -> Result<String, Failure> {
        let line = |event| {
            Ok(match (self.json, self.hex) {
                (true, _) => serde_json::to_string(event)? + "\n",
                (_, true) => format!("{event:#}\n"),
                _ => format!("{event}\n"),
            })
        };
        events.iter().map(line).collect()
    }
}

fn diff(arguments: &Diff) -> Result<ExitCode, Failure> {
    let differences = trace::compare(&trace::read(&arguments.first)?, &trace::read(&arguments.second)?);
    let same = differences.iter().all(|difference| difference.side == Side::Both);
    if arguments.json {
        let line = |it: &Difference| json!({ "reader": it.reader, "in": side(it.side), "line": it.line });
        print_json(&differences.iter().map(line).collect::<Vec<_>>())?;
    } else if same {
        print(&format!("both mean the same: {} lines\n", differences.len()))?;
    } else {
        print(&unified(&differences))?;
    }
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) })
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Both => "both",
        Side::First => "first",
        Side::Second => "second",
    }
}

/// Differences with a few lines around them, `-` before those of the first run and `+` before those of the second.
fn unified(lines: &[Difference]) -> String {
    let is_near = |place: usize| {
        let around = place.saturating_sub(CONTEXT)..(place + CONTEXT + 1).min(lines.len());
        lines[around].iter().any(|line| line.side != Side::Both && line.reader == lines[place].reader)
    };
    let (mut shown, mut skipped, mut reader) = (Vec::new(), 0, None);
    for (place, line) in lines.iter().enumerate() {
        if reader != Some(line.reader) {
            shown.extend(leap(&mut skipped));
            reader = Some(line.reader);
            shown.push(format!("reader {}", line.reader));
        }
        let mark = match line.side {
            Side::First => '-',
            Side::Second => '+',
            Side::Both if is_near(place) => ' ',
            Side::Both => {
                skipped += 1;
                continue;
            }
        };
        shown.extend(leap(&mut skipped));
        shown.push(format!("{mark} {}", line.line));
    }
    shown.extend(leap(&mut skipped));
    shown.push(String::new());
    shown.join("\n")
}

/// What stands for the lines that were skipped.
fn leap(skipped: &mut usize) -> Option<String> {
    match std::mem::take(skipped) {
        0 => None,
        1 => Some("  … 1 line the same".to_owned()),
        more => Some(format!("  … {more} lines the same")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_is_left_out() {
        let line = |reader, side, line: &str| Difference { reader, side, line: line.into() };
        let mut lines: Vec<_> = (0..9).map(|number| line(0, Side::Both, &format!("same {number}"))).collect();
        lines.push(line(0, Side::First, "old"));
        lines.push(line(0, Side::Second, "new"));
        lines.push(line(0, Side::Both, "after"));
        lines.push(line(1, Side::Both, "elsewhere"));
        assert_eq!(
            unified(&lines),
            "reader 0\n  … 6 lines the same\n  same 6\n  same 7\n  same 8\n- old\n+ new\n  after\n\
             reader 1\n  … 1 line the same\n"
        );
        assert_eq!(unified(&[]), "");
    }
}
