//! The lines by which a person moves cards while they are plugged in, and the signals that end it.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, IsTerminal, Stdin, Write};
use std::str::FromStr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use super::{Place, Plug, reader_name};
use crate::reader::InsertedCard;

const HELP: &str = "insert [SLOT]   put the card of a slot into its reader
remove [SLOT]   take it out
touch [SLOT]    touch it, when it waits for that
list            where each card is
quit            take all cards out and leave (as Ctrl-C does)
";

/// One line of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleCommand {
    /// Put the card of a slot into its reader.
    Insert(usize),
    /// Take the card of a slot out.
    Remove(usize),
    /// Touch the card of a slot.
    Touch(usize),
    /// Say where each card is.
    List,
    /// Say which commands there are.
    Help,
    /// Take all cards out and end.
    Quit,
}

/// A line that is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{line}\" is no command here: insert SLOT, remove SLOT, touch SLOT, list, quit")]
pub struct UnknownCommand {
    line: String,
}

impl FromStr for ConsoleCommand {
    type Err = UnknownCommand;

    /// Slots count from 0; without a number it is slot 0.
    fn from_str(line: &str) -> Result<Self, UnknownCommand> {
        let unknown = || UnknownCommand { line: line.trim().to_owned() };
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default();
        let slot = words.next().map(str::parse).transpose().map_err(|_| unknown())?;
        let command = match (verb, slot) {
            ("insert", slot) => Self::Insert(slot.unwrap_or(0)),
            ("remove", slot) => Self::Remove(slot.unwrap_or(0)),
            ("touch", slot) => Self::Touch(slot.unwrap_or(0)),
            ("list", None) => Self::List,
            ("help", None) => Self::Help,
            ("quit", None) => Self::Quit,
            _ => return Err(unknown()),
        };
        if words.next().is_some() { Err(unknown()) } else { Ok(command) }
    }
}

impl ConsoleCommand {
    /// Does what the command says and returns what there is to print. [`Self::Quit`] is the caller's to obey.
    fn obey(self, plug: &Plug) -> String {
        let done = match self {
            Self::Insert(slot) => plug.insert(slot),
            Self::Remove(slot) => plug.remove(slot),
            Self::Touch(slot) => plug.touch(slot),
            Self::List => return list(plug),
            Self::Help => return HELP.to_owned(),
            Self::Quit => Ok(()),
        };
        done.map_or_else(|error| format!("{error}\n"), |()| String::new())
    }
}

fn list(plug: &Plug) -> String {
    let mut text = String::new();
    for (slot, (place, touch)) in plug.places().into_iter().zip(plug.waits_for_touch()).enumerate() {
        let place = match place {
            Place::InHand => "removed".to_owned(),
            Place::OnTheWay(None) => "on its way into the reader".to_owned(),
            Place::OnTheWay(Some(obstacle)) => format!("waiting: {obstacle}"),
            Place::InReader => format!("in the reader \"{}\"", reader_name(slot)),
            Place::Broken => "gone: its program failed".to_owned(),
        };
        // Writing to a string cannot fail.
        let touch = if touch { ", waits for a touch" } else { "" };
        let _ = writeln!(text, "slot {slot}: {place}{touch}");
    }
    text
}

/// Standard input as a console, unless reading it would stop the process: a shell's background job may not
/// read the terminal.
pub fn terminal() -> Option<BufReader<Stdin>> {
    let stdin = io::stdin();
    (!stdin.is_terminal() || in_foreground()).then(|| BufReader::new(stdin))
}

/// Whether the terminal is ours: our process group is the terminal's (proc(5), /proc/pid/stat, fields 5 and
/// 8).
fn in_foreground() -> bool {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Field 2 is the program's name in brackets, which may itself hold blanks and brackets.
    let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    fields.get(2).is_some_and(|group| fields.get(5) == Some(group))
}

/// What ends a wait of the console.
enum Input {
    Line(String),
    Signal,
}

/// Obeys the lines of `console`, and ends at `quit`, SIGINT, SIGTERM or SIGHUP; then takes all cards out and
/// hands them back. The end of `console` ends nothing: a service has none.
pub fn run(
    plug: Plug,
    console: Option<impl BufRead + Send + 'static>,
    output: &mut impl Write,
) -> io::Result<Vec<Option<Box<dyn InsertedCard>>>> {
    let (sender, inputs) = channel();
    let signals = watch_signals(sender.clone())?;
    if let Some(console) = console {
        thread::Builder::new().name("console".to_owned()).spawn(move || read_lines(console, &sender))?;
    }
    let printed = obey_until_end(&plug, &inputs, output);
    signals.close();
    let cards = plug.stop();
    printed.map(|()| cards)
}

fn obey_until_end(plug: &Plug, inputs: &Receiver<Input>, output: &mut impl Write) -> io::Result<()> {
    // The thread that watches for signals holds a sender, so the channel stays open until one comes.
    while let Ok(Input::Line(line)) = inputs.recv() {
        if line.trim().is_empty() {
            continue;
        }
        let text = match line.parse::<ConsoleCommand>() {
            Ok(ConsoleCommand::Quit) => break,
            Ok(command) => command.obey(plug),
            Err(error) => format!("{error}\n"),
        };
        output.write_all(text.as_bytes())?;
        output.flush()?;
    }
    Ok(())
}

fn watch_signals(sender: Sender<Input>) -> io::Result<Handle> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let handle = signals.handle();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            // Nobody listens any more when the console has ended otherwise.
            let _ = sender.send(Input::Signal);
        }
    })?;
    Ok(handle)
}

fn read_lines(console: impl BufRead, sender: &Sender<Input>) {
    for line in console.lines().map_while(Result::ok) {
        if sender.send(Input::Line(line)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::fake::{Echo, FakeVpcd};
    use super::*;

    #[test]
    fn lines_become_commands() {
        for (line, command) in [
            ("insert 1", Some(ConsoleCommand::Insert(1))),
            ("  insert  \n", Some(ConsoleCommand::Insert(0))),
            ("remove 0", Some(ConsoleCommand::Remove(0))),
            ("remove", Some(ConsoleCommand::Remove(0))),
            ("touch 1", Some(ConsoleCommand::Touch(1))),
            ("list", Some(ConsoleCommand::List)),
            ("help", Some(ConsoleCommand::Help)),
            ("quit\r\n", Some(ConsoleCommand::Quit)),
            ("", None),
            ("insert -1", None),
            ("insert one", None),
            ("insert 0 1", None),
            ("list 0", None),
            ("eject", None),
        ] {
            assert_eq!(line.parse().ok(), command, "{line:?}");
        }
        assert!("eject 3".parse::<ConsoleCommand>().unwrap_err().to_string().contains("\"eject 3\""));
    }

    #[test]
    fn a_session_at_the_console() {
        let vpcd = FakeVpcd::start();
        let plug = Plug::new(&vpcd.endpoint(), vec![Echo::card()], |_, _| {}).unwrap();
        let lines = Cursor::new("remove 0\nlist\nremove 7\neject\ntouch\nhelp\n\nquit\nlist\n");
        let mut output = Vec::new();
        let cards = run(plug, Some(lines), &mut output).unwrap();
        let output = String::from_utf8(output).unwrap();
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!(lines[0], "slot 0: removed");
        assert_eq!(lines[1], "there is no slot 7: slots count from 0, and there are 1");
        assert!(lines[2].starts_with("\"eject\" is no command here"), "{output}");
        assert!(lines[3].starts_with("the card of slot 0 has no sensor"), "{output}");
        assert!(lines[4].starts_with("insert [SLOT]"), "{output}");
        assert_eq!(lines.len(), 9, "quit is the last line that counts: {output}");
        assert!(cards.len() == 1 && cards[0].is_some());
    }
}
