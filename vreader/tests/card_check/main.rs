//! The conformance report: over genuine cards, over ours in every combination of options, and over broken ones.

mod broken;
mod command_line;
mod faults;
mod foreign;
mod issued;
mod reader;
mod support;
