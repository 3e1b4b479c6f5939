//! `vreader card new --list`: the card stocks, and what each can do.

use std::fmt::Write as _;

use vreader::stock::{self, Entry};

use crate::cli::{Outcome, print, print_json};

/// Prints every built-in stock.
pub(super) fn run(json: bool) -> Outcome {
    let entries = stock::list();
    if json { print_json(&entries) } else { print(&entries.iter().map(in_words).collect::<String>()) }
}

fn in_words(entry: &Entry) -> String {
    let mut text = format!("{}: {}\n", entry.name, entry.description);
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {name:<16}{value}");
        }
    };
    line("applications", &entry.faces.join(", "));
    line("protocol", &entry.protocols.join(", "));
    line("makes keys", &entry.algorithms.join(", "));
    line("has", &entry.features.join(", "));
    line("management key", entry.management_key);
    line("answer to reset", &entry.atr);
    line("page", entry.page);
    text
}
