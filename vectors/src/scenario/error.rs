//! What can be wrong with a scenario file, and with a run.

use std::fmt;

use thiserror::Error;

/// A file that cannot be used: which line, and why.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{file}:{line}: {reason}")]
pub struct ScriptError {
    /// The file, as it was named to the loader.
    pub file: String,
    /// The line, counted from 1; 0 if the file as a whole is meant.
    pub line: usize,
    /// Why it was refused.
    pub reason: Reason,
}

/// Why a line was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The file could not be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// The line begins with a word that means nothing here.
    #[error("\"{0}\" begins no line of a scenario file; README.md lists those that exist")]
    Line(String),
    /// The word needs something after it.
    #[error("\"{0}\" needs a name or value after it")]
    Empty(&'static str),
    /// The line may not stand before the first `scenario` or `procedure`.
    #[error("\"{0}\" must stand inside a scenario or a procedure")]
    Outside(&'static str),
    /// A heading that a file has once was given again.
    #[error("\"{0}\" is given twice")]
    Twice(String),
    /// The file lacks a heading.
    #[error("the file has no \"{0}\" line")]
    NoHeading(&'static str),
    /// A card file with scenarios.
    #[error("a card file holds values and procedures, no scenarios")]
    ScenarioInCard,
    /// No such procedure.
    #[error(
        "the card file and this file have no procedure \"{0}\" (procedures must stand before they are used)"
    )]
    Procedure(String),
    /// A command without `<`, or `<` without a command.
    #[error("a command (> or >>) and its answer (<) must stand one after the other")]
    Pair,
    /// `repeat` without a command to repeat.
    #[error("\"repeat\" must stand right before a command")]
    Repeat,
    /// `power` without `on` or `off`.
    #[error("\"power {0}\": only \"power on\", \"power contactless\" and \"power off\" exist")]
    Power(String),
    /// A `check` of an unknown kind or with wrong arguments.
    #[error(
        "\"check {0}\" is none of ecdsa(KEY, digest, signature), rsa(KEY, block, result), point(KEY), equal(a, b), differ(a, b)"
    )]
    Check(String),
    /// A `set` line without `=`.
    #[error("a value is set with: set NAME = BYTES")]
    Set,
    /// Not pairs of hex digits.
    #[error("\"{0}\" is not an even number of hex digits")]
    Hex(String),
    /// Not a count.
    #[error("\"{0}\" is not a number from 1 to 65535")]
    Count(String),
    /// Not a name.
    #[error("\"{0}\" is not a name (letters, digits and hyphens)")]
    Name(String),
    /// Text with characters that have no ASCII byte.
    #[error("\"{0}\" has characters that are not printable ASCII")]
    NotAscii(String),
    /// A function that does not exist.
    #[error("there is no function \"{0}\"; README.md lists those that exist")]
    Function(String),
    /// An opening sign without its closing one.
    #[error("{0} is not closed")]
    Open(char),
    /// A sign that should stand here.
    #[error("a {0} is missing")]
    Missing(char),
    /// A sign that has no place here.
    #[error("{0} has no place here")]
    Stray(char),
    /// Something that can only be expected, not sent.
    #[error("{0} can stand in an expected answer only")]
    AnswersOnly(String),
    /// `lc` in an answer.
    #[error("an answer has no Lc field")]
    CommandsOnly,
}

/// A step that did not go as its scenario says.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The file with the step.
    pub file: String,
    /// The step's line.
    pub line: usize,
    /// The scenario.
    pub scenario: String,
    /// The step.
    pub step: String,
    /// The rule that the scenario follows.
    pub clause: String,
    /// What went wrong.
    pub what: Trouble,
}

/// What went wrong in a step.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// The answer was another.
    Answer {
        /// The command.
        sent: Vec<u8>,
        /// The expected answer, as a reader writes it.
        expected: String,
        /// The answer.
        found: Vec<u8>,
    },
    /// A check failed.
    Check(String),
    /// No value has this name.
    NoValue(String),
    /// The value cannot be computed.
    NotComputable(&'static str),
    /// The answer goes on for ever: more GET RESPONSE than any object needs.
    Endless,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, scenario, step, clause, what } = self;
        write!(f, "{file}:{line}: \"{scenario}\", step \"{step}\" ({clause}): ")?;
        match what {
            Trouble::Answer { sent, expected, found } => write!(
                f,
                "the answer is another\n  sent      {}\n  expected  {expected}\n  found     {}",
                spaced(sent),
                spaced(found)
            ),
            Trouble::Check(check) => write!(f, "the check failed: {check}"),
            Trouble::NoValue(name) => {
                write!(f, "{{{name}}} has no value: set it, or keep it from an earlier answer")
            }
            Trouble::NotComputable(reason) => write!(f, "{reason}"),
            Trouble::Endless => write!(f, "the card announces more data without end"),
        }
    }
}

/// Bytes as a reader compares them: hex pairs, the middle of long ones left out.
pub(super) fn spaced(bytes: &[u8]) -> String {
    const WHOLE: usize = 80;
    const HEAD: usize = 48;
    const TAIL: usize = 16;
    let join = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ");
    if bytes.len() <= WHOLE {
        return join(bytes);
    }
    let (head, rest) = bytes.split_at(HEAD);
    let tail = &rest[rest.len() - TAIL..];
    format!("{} … {} ({} bytes)", join(head), join(tail), bytes.len())
}
