//! Traces of clients: the commands that programs really sent, with the answers that they got.
//!
//! One line is one message: `> ` and a command, `< ` and its answer, in hex. Lines that begin with `#` are comments;
//! so are lines that begin with `connected`, which some recorders write. A last command may lack its answer: the
//! recording ended there.

use thiserror::Error;

/// A command and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The command.
    pub command: Vec<u8>,
    /// The answer with its status word, unless the recording ended before it.
    pub answer: Option<Vec<u8>>,
}

/// A line that is no line of a trace, counted from 1.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {reason}")]
pub struct TraceError {
    /// The line.
    pub line: usize,
    /// Why it was refused.
    pub reason: TraceReason,
}

/// Why a line was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TraceReason {
    /// It begins otherwise.
    #[error("a line begins with \"> \" or \"< \", not like this: {0}")]
    Line(String),
    /// Its bytes.
    #[error("not an even number of hex digits")]
    Hex,
    /// An answer without a command, or a command before the last one was answered.
    #[error("commands and answers must alternate")]
    Order,
}

/// Reads a trace.
pub fn parse(text: &str) -> Result<Vec<Exchange>, TraceError> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let error = |reason| TraceError { line: index + 1, reason };
        let line = raw.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("connected") {
            continue;
        }
        let (sign, bytes) = line
            .split_once(' ')
            .filter(|(sign, _)| matches!(*sign, ">" | "<"))
            .ok_or_else(|| error(TraceReason::Line(line.to_owned())))?;
        let bytes = hex::decode(bytes.trim()).map_err(|_| error(TraceReason::Hex))?;
        let open = exchanges.last_mut().filter(|exchange| exchange.answer.is_none());
        match (sign, open) {
            (">", None) => exchanges.push(Exchange { command: bytes, answer: None }),
            ("<", Some(exchange)) => exchange.answer = Some(bytes),
            _ => return Err(error(TraceReason::Order)),
        }
    }
    Ok(exchanges)
}

#[cfg(test)]
mod tests {
    use super::{Exchange, TraceError, TraceReason, parse};

    #[test]
    fn commands_and_answers_are_paired() {
        let text = "connected to a card\n# a comment\n> 00a4\n< 6a82\n\n> 00cb\n";
        let expected = [
            Exchange { command: vec![0x00, 0xA4], answer: Some(vec![0x6A, 0x82]) },
            Exchange { command: vec![0x00, 0xCB], answer: None },
        ];
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn bad_lines_are_refused() {
        let rows = [
            ("> 00a4\n> 00a4", 2, TraceReason::Order),
            ("< 9000", 1, TraceReason::Order),
            ("> 00a4\n< 9000\n< 9000", 3, TraceReason::Order),
            ("> 00a", 1, TraceReason::Hex),
            ("00a4", 1, TraceReason::Line("00a4".into())),
            ("! 00a4", 1, TraceReason::Line("! 00a4".into())),
        ];
        for (text, line, reason) in rows {
            assert_eq!(parse(text), Err(TraceError { line, reason }), "{text:?}");
        }
    }
}
