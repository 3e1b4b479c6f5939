//! Tests of the rules, without threads: tables, and random calls against a small model.

mod card;
mod model;
mod rules;
mod script;

pub(super) use card::{Gate, TestCard};
