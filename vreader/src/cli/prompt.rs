//! Asking for a PIN: from a terminal without showing what is typed, or from whatever standard input is.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    os::fd::AsFd,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The next line of standard input.
pub(super) fn ask(question: &str) -> io::Result<Zeroizing<String>> {
    let input = io::stdin().lock();
    if !input.is_terminal() {
        return line(input);
    }
    eprint!("{question}: ");
    io::stderr().flush()?;
    let before = tcgetattr(&input)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&input, OptionalActions::Flush, &silent)?;
    let echo = Echo(before);
    let answer = line(input);
    drop(echo);
    // The person's own end of line was not shown either.
    eprintln!();
    answer
}

/// Brings the terminal back to what it was.
struct Echo(Termios);

impl Drop for Echo {
    fn drop(&mut self) {
        // A terminal that has gone away needs nothing.
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Flush, &self.0);
    }
}

fn line(mut input: impl BufRead) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    input.read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}
