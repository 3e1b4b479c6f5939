//! What a demo looks like: colours where a terminal wants them, and tables.

use std::{
    env,
    io::{self, IsTerminal},
};

use crate::cli::{Outcome, print};

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Colour {
    /// In a terminal, unless `NO_COLOR` is set (no-color.org)
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// SGR parameters of ECMA-48.
const BOLD: &str = "1";
#[cfg(feature = "cms")]
const DIM: &str = "2";
const GREEN: &str = "32";
#[cfg(feature = "cms")]
const YELLOW: &str = "33";
#[cfg(feature = "cms")]
const CYAN: &str = "1;36";

/// Where a demo is shown.
pub(super) struct Screen {
    coloured: bool,
}

impl Screen {
    pub(super) fn new(colour: Colour) -> Self {
        let wanted =
            || env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && io::stdout().is_terminal();
        let coloured = match colour {
            Colour::Auto => wanted(),
            Colour::Always => true,
            Colour::Never => false,
        };
        Self { coloured }
    }

    /// The name of a story.
    pub(super) fn title(&self, text: &str) -> Outcome {
        let line = "=".repeat(text.chars().count());
        print(&format!("\n{}\n{line}\n", self.paint(BOLD, text)))
    }

    /// A part of a story.
    pub(super) fn heading(&self, text: &str) -> Outcome {
        print(&format!("\n{}\n", self.paint(BOLD, &format!("=== {text}"))))
    }

    /// A sentence to the audience.
    #[cfg(feature = "cms")]
    pub(super) fn say(&self, text: &str) -> Outcome {
        print(&format!("\n{}\n", self.paint(YELLOW, text)))
    }

    /// The command that is run now.
    #[cfg(feature = "cms")]
    pub(super) fn command(&self, line: &str) -> Outcome {
        print(&format!("\n{}\n", self.paint(CYAN, &format!("$ {line}"))))
    }

    /// What passed between programs and cards.
    #[cfg(feature = "cms")]
    pub(super) fn exchange(&self, lines: &[String]) -> Outcome {
        print(
            &lines
                .iter()
                .map(|line| self.paint(DIM, &format!("    card: {line}")) + "\n")
                .collect::<String>(),
        )
    }

    /// What is other than before: what, before, after.
    #[cfg(feature = "cms")]
    pub(super) fn changes(&self, rows: &[[String; 3]]) -> Outcome {
        if rows.is_empty() {
            return print(&(self.paint(GREEN, "    unchanged: card, certificates, requests") + "\n"));
        }
        let mut all = vec![["changed".to_owned(), "before".to_owned(), "after".to_owned()]];
        all.extend_from_slice(rows);
        print(&self.paint_lines(GREEN, &columns(&all)))
    }

    pub(super) fn table(&self, rows: &[[String; 3]]) -> Outcome {
        print(&self.paint_lines(GREEN, &columns(rows)))
    }

    fn paint_lines(&self, colour: &str, lines: &[String]) -> String {
        lines.iter().map(|line| self.paint(colour, &format!("    {line}")) + "\n").collect()
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.coloured { format!("\x1B[{colour}m{text}\x1B[0m") } else { text.to_owned() }
    }
}

/// Rows whose columns stand below each other.
fn columns(rows: &[[String; 3]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    rows.iter().map(|[a, b, c]| format!("{a:<first$}  {b:<second$}  {c}").trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let row = |cells: [&str; 3]| cells.map(ToOwned::to_owned);
        let rows =
            [row(["what", "before", "after"]), row(["é", "-", "a longer one"]), row(["what else", "2", ""])];
        assert_eq!(
            columns(&rows),
            ["what       before  after", "é          -       a longer one", "what else  2"]
        );
    }

    #[test]
    fn colours_end_where_they_begin_and_are_not_there_when_not_wanted() {
        assert_eq!(Screen { coloured: true }.paint(BOLD, "x"), "\x1B[1mx\x1B[0m");
        assert_eq!(Screen::new(Colour::Never).paint(BOLD, "x"), "x");
    }
}
