//! Hostile commands: what must hold after each of them, and replaying those that people bring along.
//!
//! | file | holds |
//! |---|---|
//! | `secrets` | what must never leave a card |
//! | `guard` | the judge of every answer: form, secrets, retry counters |
//! | `material` | files of commands: raw bytes, hex text, traces |
//! | `replay` | plays such files to a card that begins anew with each |
//!
//! The fuzz targets in `fuzz/` have the same judge.

mod guard;
mod material;
mod replay;
mod secrets;

pub use self::{
    guard::{Finding, Guard},
    material::{MaterialError, commands, files},
    replay::{Found, Start, StartError, Tally},
    secrets::{Secret, Secrets},
};
