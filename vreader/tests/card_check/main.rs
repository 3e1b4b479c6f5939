//! The conformance report: over genuine cards, over ours in every combination of options, and over broken ones.

mod foreign;
mod support;
