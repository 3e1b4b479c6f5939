//! Scenarios: named steps of commands and expected answers, read from text files and run against a card.
//!
//! The format is described in this crate's `README.md`. A file is checked as a whole before anything runs; a run
//! goes on with the next scenario when one fails, and its report names file, line, step and rule.

mod error;
mod expression;
mod parse;
mod pattern;
mod run;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use crate::files;

pub use error::{Failure, Reason, ScriptError, Trouble};
pub use expression::{Function, Item};
pub(crate) use pattern::read_ber_length;
pub use run::{Report, Target, run};

/// A scenario file.
#[derive(Debug)]
pub struct Script {
    /// The file, as it was named to the loader.
    pub file: String,
    /// What the file is about.
    pub title: String,
    /// The card that every scenario begins with.
    pub card: Card,
    /// Values of this file, set before each scenario.
    pub values: Vec<Step>,
    /// The scenarios, in their order.
    pub scenarios: Vec<Scenario>,
}

/// A card file: what is on a card, and what is done with it again and again.
#[derive(Clone, Debug, Default)]
pub struct Card {
    /// The card's values.
    pub values: Vec<Step>,
    /// The procedures that scenarios can name.
    pub procedures: BTreeMap<String, Procedure>,
}

/// Steps with a name, to be used by several scenarios.
#[derive(Clone, Debug)]
pub struct Procedure {
    /// The file that it stands in.
    pub file: String,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// Steps that begin with a new card.
#[derive(Debug)]
pub struct Scenario {
    /// What it shows.
    pub name: String,
    /// The line of its heading.
    pub line: usize,
    /// The rule that it follows.
    pub clause: String,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its line.
    pub line: usize,
    /// The nearest `step` heading above it.
    pub name: String,
    /// What happens.
    pub action: Action,
}

/// What happens in a step.
#[derive(Clone, Debug)]
pub enum Action {
    /// Gives a value a name.
    Set(String, Vec<Item>),
    /// Sends a command and compares its answer.
    Exchange {
        /// The command.
        command: Vec<Item>,
        /// The expected answer.
        answer: Vec<Item>,
        /// How it is sent.
        how: How,
        /// How many times.
        times: usize,
    },
    /// Checks values that were kept.
    Check(Check),
    /// Does the steps of a procedure.
    Do(String),
    /// Resets the card.
    Reset,
    /// Takes its power away.
    PowerOff,
    /// Gives it power.
    PowerOn,
    /// Gives it power through the antenna.
    PowerOnContactless,
    /// Makes a session of secure messaging with the card.
    Establish,
}

/// How a command is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `>`: as it is.
    Whole,
    /// `>>`: in pieces, and the answer fetched in pieces, as clients do with long data.
    InPieces,
    /// `sm>`: under secure messaging, in pieces. The answer is what is inside the card's, or the card's own if that is
    /// not protected.
    Protected,
}

/// A check on values, with the key references whose public halves it uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// The ECDSA signature over this digest verifies.
    Ecdsa(String, Vec<Item>, Vec<Item>),
    /// The RSA public operation on the second gives the first.
    Rsa(String, Vec<Item>, Vec<Item>),
    /// The public key is a point of its curve.
    Point(String),
    /// Both are the same bytes.
    Equal(Vec<Item>, Vec<Item>),
    /// They are different bytes.
    Differ(Vec<Item>, Vec<Item>),
}

/// Values by their names.
#[derive(Clone, Debug, Default)]
pub struct Values(BTreeMap<String, Vec<u8>>);

impl Values {
    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// Every value whose name begins with `prefix`, by the rest of its name.
    pub fn starting_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.0.iter().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_slice())))
    }

    /// Sets a value, in place of one of that name.
    pub fn set(&mut self, name: String, value: Vec<u8>) {
        self.0.insert(name, value);
    }
}

impl Script {
    /// Reads the scenario file at `path` and, from `cards`, the card file that it names.
    pub fn load(path: &Path, cards: &Path) -> Result<Self, ScriptError> {
        Self::parse(&files::shown(path), &read(path)?, cards)
    }

    /// Reads a scenario file that is already in memory; `file` is its name in errors.
    pub fn parse(file: &str, text: &str, cards: &Path) -> Result<Self, ScriptError> {
        parse::script(file, text, |name| {
            let path = cards.join(format!("{name}.card"));
            parse::card(&files::shown(&path), &read(&path)?)
        })
    }
}

fn read(path: &Path) -> Result<String, ScriptError> {
    std::fs::read_to_string(path).map_err(|error| ScriptError {
        file: files::shown(path),
        line: 0,
        reason: Reason::Unreadable(error.to_string()),
    })
}
