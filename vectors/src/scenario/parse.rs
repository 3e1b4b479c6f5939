//! Reads scenario and card files.
//!
//! One line is one thing; a line that begins with a space continues the one before it; `#` begins a comment. Nothing
//! is guessed: a file with one bad line is refused as a whole, with the line and the reason.

use super::error::{Reason, ScriptError};
use super::expression::{self, Place, count, is_name, parse_call};
use super::{Action, Card, Check, How, Item, Procedure, Scenario, Script, Step};

/// The scenario file `file` with this `text`; `card` finds card files by their names.
pub(super) fn script(
    file: &str,
    text: &str,
    card: impl Fn(&str) -> Result<Card, ScriptError>,
) -> Result<Script, ScriptError> {
    let mut parser = Parser::new(file);
    for (line, text) in logical_lines(text) {
        parser.line = line;
        if let ("card", name) = split_word(&text) {
            if !is_name(name) {
                return Err(parser.error(Reason::Empty("card")));
            }
            parser.once("card", Part::Card)?;
            parser.card = card(name)?;
            continue;
        }
        parser.read(&text)?;
    }
    parser.close()?;
    parser.line = 0;
    for (part, heading) in [(Part::Title, "title"), (Part::Clause, "clause"), (Part::Card, "card")] {
        if !parser.seen.contains(&part) {
            return Err(parser.error(Reason::NoHeading(heading)));
        }
    }
    if parser.scenarios.is_empty() {
        return Err(parser.error(Reason::NoHeading("scenario")));
    }
    let Parser { file, title, card, values, scenarios, .. } = parser;
    Ok(Script { file, title, card, values, scenarios })
}

/// The card file `file` with this `text`.
pub(super) fn card(file: &str, text: &str) -> Result<Card, ScriptError> {
    let mut parser = Parser::new(file);
    for (line, text) in logical_lines(text) {
        parser.line = line;
        parser.read(&text)?;
        if !parser.scenarios.is_empty() {
            return Err(parser.error(Reason::ScenarioInCard));
        }
    }
    parser.close()?;
    Ok(Card { values: parser.values, procedures: parser.card.procedures })
}

/// The lines without comments, continued ones joined, with the number of their first.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let line = without_comment(raw);
        if line.trim().is_empty() {
            continue;
        }
        match lines.last_mut() {
            Some((_, before)) if line.starts_with([' ', '\t']) => {
                before.push(' ');
                before.push_str(line.trim());
            }
            _ => lines.push((index + 1, line.trim().to_owned())),
        }
    }
    lines
}

/// A comment begins with `#` at the start of a line or after a space, outside quotes.
fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let mut before = ' ';
    for (index, sign) in line.char_indices() {
        match sign {
            '"' => quoted = !quoted,
            '#' if !quoted && before.is_whitespace() => return &line[..index],
            _ => {}
        }
        before = sign;
    }
    line
}

fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

/// What a file has once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Title,
    Clause,
    Card,
}

/// Where the steps that are being read belong.
enum Section {
    Top,
    Scenario,
    Procedure(String),
}

/// A command that waits for its answer.
struct Command {
    items: Vec<Item>,
    how: How,
    times: usize,
}

struct Parser {
    file: String,
    line: usize,
    seen: Vec<Part>,
    title: String,
    clause: String,
    card: Card,
    values: Vec<Step>,
    scenarios: Vec<Scenario>,
    section: Section,
    step: String,
    command: Option<Command>,
    repeat: Option<usize>,
}

impl Parser {
    fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            seen: Vec::new(),
            title: String::new(),
            clause: String::new(),
            card: Card::default(),
            values: Vec::new(),
            scenarios: Vec::new(),
            section: Section::Top,
            step: String::new(),
            command: None,
            repeat: None,
        }
    }

    fn error(&self, reason: Reason) -> ScriptError {
        ScriptError { file: self.file.clone(), line: self.line, reason }
    }

    fn once(&mut self, heading: &str, part: Part) -> Result<(), ScriptError> {
        if self.seen.contains(&part) {
            return Err(self.error(Reason::Twice(heading.to_owned())));
        }
        self.seen.push(part);
        Ok(())
    }

    fn read(&mut self, text: &str) -> Result<(), ScriptError> {
        let (word, rest) = split_word(text);
        if self.command.is_some() && word != "<" {
            return Err(self.error(Reason::Pair));
        }
        if self.repeat.is_some() && !matches!(word, ">" | ">>" | "sm>" | "<") {
            return Err(self.error(Reason::Repeat));
        }
        match word {
            "title" | "clause" | "scenario" | "procedure" | "step" => self.heading(word, rest),
            "set" => self.set(rest),
            ">" => self.command(rest, How::Whole),
            ">>" => self.command(rest, How::InPieces),
            "sm>" => self.command(rest, How::Protected),
            "establish" if rest.is_empty() => self.push("establish", Action::Establish),
            "<" => self.answer(rest),
            "repeat" => {
                self.repeat = Some(count(rest).map_err(|reason| self.error(reason))?);
                Ok(())
            }
            "check" => {
                let check = check(rest).map_err(|reason| self.error(reason))?;
                self.push("check", Action::Check(check))
            }
            "do" if !self.card.procedures.contains_key(rest) => {
                Err(self.error(Reason::Procedure(rest.to_owned())))
            }
            "do" => self.push("do", Action::Do(rest.to_owned())),
            "reset" if rest.is_empty() => self.push("reset", Action::Reset),
            "power" => match rest {
                "on" => self.push("power", Action::PowerOn),
                "contactless" => self.push("power", Action::PowerOnContactless),
                "off" => self.push("power", Action::PowerOff),
                _ => Err(self.error(Reason::Power(rest.to_owned()))),
            },
            _ => Err(self.error(Reason::Line(word.to_owned()))),
        }
    }

    fn heading(&mut self, word: &str, rest: &str) -> Result<(), ScriptError> {
        let text = rest.to_owned();
        match word {
            _ if rest.is_empty() => Err(self.error(Reason::Empty("a heading"))),
            "title" => {
                self.once("title", Part::Title)?;
                self.title = text;
                Ok(())
            }
            "clause" => {
                if let (Section::Scenario, Some(scenario)) = (&self.section, self.scenarios.last_mut()) {
                    scenario.clause = text;
                } else {
                    self.once("clause", Part::Clause)?;
                    self.clause = text;
                }
                Ok(())
            }
            "scenario" if self.scenarios.iter().any(|scenario| scenario.name == rest) => {
                Err(self.error(Reason::Twice(text)))
            }
            "scenario" => {
                self.section = Section::Scenario;
                "the beginning".clone_into(&mut self.step);
                let clause = self.clause.clone();
                self.scenarios.push(Scenario { name: text, line: self.line, clause, steps: Vec::new() });
                Ok(())
            }
            "procedure" if self.card.procedures.contains_key(rest) => Err(self.error(Reason::Twice(text))),
            "procedure" => {
                let procedure = Procedure { file: self.file.clone(), steps: Vec::new() };
                self.card.procedures.insert(text.clone(), procedure);
                self.step.clone_from(&text);
                self.section = Section::Procedure(text);
                Ok(())
            }
            _ if matches!(self.section, Section::Top) => Err(self.error(Reason::Outside("step"))),
            _ => {
                self.step = text;
                Ok(())
            }
        }
    }

    fn set(&mut self, rest: &str) -> Result<(), ScriptError> {
        let (name, value) = rest.split_once('=').ok_or_else(|| self.error(Reason::Set))?;
        let name = name.trim();
        if !is_name(name) {
            return Err(self.error(Reason::Name(name.to_owned())));
        }
        let value = self.expression(value, Place::Input)?;
        let action = Action::Set(name.to_owned(), value);
        if matches!(self.section, Section::Top) {
            self.values.push(Step { line: self.line, name: "set".to_owned(), action });
            return Ok(());
        }
        self.push("set", action)
    }

    fn command(&mut self, rest: &str, how: How) -> Result<(), ScriptError> {
        let items = self.expression(rest, Place::Input)?;
        if items.is_empty() {
            return Err(self.error(Reason::Empty(">")));
        }
        let times = self.repeat.take().unwrap_or(1);
        self.command = Some(Command { items, how, times });
        Ok(())
    }

    fn answer(&mut self, rest: &str) -> Result<(), ScriptError> {
        let answer = self.expression(rest, Place::Answer)?;
        let Some(Command { items: command, how, times }) = self.command.take() else {
            return Err(self.error(Reason::Pair));
        };
        if answer.is_empty() {
            return Err(self.error(Reason::Empty("<")));
        }
        self.push("<", Action::Exchange { command, answer, how, times })
    }

    fn expression(&self, text: &str, place: Place) -> Result<Vec<Item>, ScriptError> {
        expression::parse(text, place).map_err(|reason| self.error(reason))
    }

    fn push(&mut self, word: &'static str, action: Action) -> Result<(), ScriptError> {
        let step = Step { line: self.line, name: self.step.clone(), action };
        let steps = match &self.section {
            Section::Top => None,
            Section::Scenario => self.scenarios.last_mut().map(|scenario| &mut scenario.steps),
            Section::Procedure(name) => {
                self.card.procedures.get_mut(name).map(|procedure| &mut procedure.steps)
            }
        };
        match steps {
            Some(steps) => steps.push(step),
            None => return Err(self.error(Reason::Outside(word))),
        }
        Ok(())
    }

    /// Refuses a file that ends in the middle of something.
    fn close(&self) -> Result<(), ScriptError> {
        match (&self.command, self.repeat) {
            (Some(_), _) => Err(self.error(Reason::Pair)),
            (None, Some(_)) => Err(self.error(Reason::Repeat)),
            (None, None) => Ok(()),
        }
    }
}

/// The check that `text` writes, such as `equal({a}, {b})`.
fn check(text: &str) -> Result<Check, Reason> {
    let (kind, _) = text.split_once('(').ok_or_else(|| Reason::Check(text.to_owned()))?;
    let with_key = matches!(kind, "ecdsa" | "rsa" | "point");
    let (key, mut arguments) = parse_call(&text[kind.len()..], with_key)?;
    let second = arguments.pop();
    let first = arguments.pop();
    match (kind, first, second, arguments.is_empty()) {
        ("ecdsa", Some(digest), Some(signature), true) => Ok(Check::Ecdsa(key, digest, signature)),
        ("rsa", Some(block), Some(result), true) => Ok(Check::Rsa(key, block, result)),
        ("point", None, None, true) => Ok(Check::Point(key)),
        ("equal", Some(a), Some(b), true) => Ok(Check::Equal(a, b)),
        ("differ", Some(a), Some(b), true) => Ok(Check::Differ(a, b)),
        _ => Err(Reason::Check(text.to_owned())),
    }
}
