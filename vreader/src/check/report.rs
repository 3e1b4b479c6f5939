//! The report: rows with their outcomes, counts, and the forms in which they are printed.
//!
//! The names of the fields are a promise to programs that read the JSON.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::outcome::Outcome;
use crate::issue::Date;

/// Which list a row is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Part {
    /// SP 800-85B: data model, signatures, certificates.
    #[serde(rename = "SP 800-85B")]
    DataModel,
    /// SP 800-85A-4: commands.
    #[serde(rename = "SP 800-85A-4")]
    Commands,
    /// What neither asks and other standards do.
    #[serde(rename = "FIPS 201-3")]
    Further,
}

impl Part {
    /// The document's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::DataModel => "SP 800-85B",
            Self::Commands => "SP 800-85A-4",
            Self::Further => "FIPS 201-3",
        }
    }
}

/// One row and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct RowReport {
    /// The list.
    pub part: Part,
    /// Number of the row in its list.
    pub id: String,
    /// The object or command that it is about.
    pub about: String,
    /// What is asserted.
    pub text: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How many rows came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows that the card passes.
    pub passed: usize,
    /// Rows that it fails.
    pub failed: usize,
    /// Rows that do not apply.
    pub not_applicable: usize,
}

/// Everything that was checked.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The day for which validity was judged.
    pub date: Date,
    /// How many rows came out how.
    pub counts: Counts,
    /// The rows, in the order of their lists.
    pub rows: Vec<RowReport>,
}

impl Report {
    pub(super) fn new(date: Date, rows: Vec<RowReport>) -> Self {
        let mut counts = Counts::default();
        for row in &rows {
            match row.outcome {
                Outcome::Passed => counts.passed += 1,
                Outcome::Failed { .. } => counts.failed += 1,
                Outcome::NotApplicable { .. } => counts.not_applicable += 1,
            }
        }
        Self { date, counts, rows }
    }

    /// The rows that the card fails.
    pub fn failures(&self) -> impl Iterator<Item = &RowReport> {
        self.rows.iter().filter(|row| matches!(row.outcome, Outcome::Failed { .. }))
    }

    /// Every row, for people.
    pub fn all_rows(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            for row in &self.rows {
                let (word, more) = match &row.outcome {
                    Outcome::Passed => ("passed", String::new()),
                    Outcome::Failed { expected, found } => {
                        ("FAILED", format!(": expected {expected}; found {found}"))
                    }
                    Outcome::NotApplicable { reason } => ("n/a", format!(": {reason}")),
                };
                writeln!(f, "{word:<7} {:<12} {:<11} {}{more}", row.part.name(), row.id, row.text)?;
            }
            Ok(())
        })
    }

    /// JUnit XML: a test suite for each list, a test case for each row.
    pub fn junit(&self) -> impl fmt::Display {
        fmt::from_fn(|f| self.write_junit(f))
    }

    fn write_junit(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { passed, failed, not_applicable } = self.counts;
        let tests = passed + failed + not_applicable;
        writeln!(f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(
            f,
            "<testsuites name=\"vreader card check\" tests=\"{tests}\" failures=\"{failed}\" skipped=\"{not_applicable}\">"
        )?;
        for part in [Part::DataModel, Part::Commands, Part::Further] {
            let rows: Vec<_> = self.rows.iter().filter(|row| row.part == part).cloned().collect();
            let suite = Self::new(self.date, rows);
            writeln!(
                f,
                "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">",
                part.name(),
                suite.rows.len(),
                suite.counts.failed,
                suite.counts.not_applicable
            )?;
            suite.rows.iter().try_for_each(|row| write_test_case(f, row))?;
            writeln!(f, "  </testsuite>")?;
        }
        writeln!(f, "</testsuites>")
    }
}

fn write_test_case(f: &mut fmt::Formatter<'_>, row: &RowReport) -> fmt::Result {
    let name = escaped(&format!("{} {}", row.id, row.text));
    let class = escaped(&format!("{}.{}", row.part.name(), row.about));
    write!(f, "    <testcase classname=\"{class}\" name=\"{name}\"")?;
    match &row.outcome {
        Outcome::Passed => writeln!(f, "/>"),
        Outcome::Failed { expected, found } => writeln!(
            f,
            "><failure message=\"expected {}; found {}\"/></testcase>",
            escaped(expected),
            escaped(found)
        ),
        Outcome::NotApplicable { reason } => {
            writeln!(f, "><skipped message=\"{}\"/></testcase>", escaped(reason))
        }
    }
}

/// Text for an XML attribute. Characters that XML 1.0 does not have are replaced: some come from the card.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, character| {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{FFFE}' | '\u{FFFF}' => out.push(char::REPLACEMENT_CHARACTER),
            control if control.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            other => out.push(other),
        }
        out
    })
}

impl fmt::Display for Report {
    /// Failures, then counts and the reasons why rows do not apply.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in self.failures() {
            if let Outcome::Failed { expected, found } = &row.outcome {
                writeln!(f, "FAILED  {} {}  {}", row.part.name(), row.id, row.about)?;
                writeln!(f, "        {}", row.text)?;
                writeln!(f, "        expected  {expected}")?;
                writeln!(f, "        found     {found}\n")?;
            }
        }
        let Counts { passed, failed, not_applicable } = self.counts;
        writeln!(f, "{passed} passed, {failed} failed, {not_applicable} not applicable, on {}", self.date)?;
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for row in &self.rows {
            if let Outcome::NotApplicable { reason } = &row.outcome {
                *reasons.entry(reason).or_default() += 1;
            }
        }
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (reason, count) in reasons {
            writeln!(f, "  {count:>4} not applicable: {reason}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let row = |id: &str, outcome| RowReport {
            part: Part::DataModel,
            id: id.to_owned(),
            about: "CHUID".to_owned(),
            text: "a < b & \"c\"".to_owned(),
            outcome,
        };
        let failed = Outcome::Failed { expected: "10".to_owned(), found: "\u{1}\u{FFFF}".to_owned() };
        let rows = vec![
            row("1", Outcome::Passed),
            row("2", failed),
            row("3", Outcome::NotApplicable { reason: "none".to_owned() }),
        ];
        Report::new(Date::new(2026, 1, 1).unwrap(), rows)
    }

    #[test]
    fn junit_escapes_what_comes_from_a_card() {
        let text = report().junit().to_string();
        assert!(text.contains("tests=\"3\" failures=\"1\" skipped=\"1\""), "{text}");
        assert!(text.contains("name=\"1 a &lt; b &amp; &quot;c&quot;\"/>"), "{text}");
        assert!(text.contains("expected 10; found \u{FFFD}\u{FFFD}\""), "{text}");
        assert_eq!(text.matches("<testsuite ").count(), 3);
    }

    #[test]
    fn people_see_failures_first() {
        let text = report().to_string();
        assert!(text.starts_with("FAILED  SP 800-85B 2  CHUID\n"), "{text}");
        assert!(
            text.ends_with(
                "1 passed, 1 failed, 1 not applicable, on 2026-01-01\n     1 not applicable: none\n"
            )
        );
        assert_eq!(report().all_rows().to_string().lines().count(), 3);
    }
}
