//! Card management with cards in this process: what it does, what it refuses, and what is left when it is interrupted.
//!
//! `clients/flows` shows the same through PC/SC to programs of other people.

mod authority;
mod batch;
mod cards;
mod database;
mod dates;
mod interruption;
mod life;
mod publish;
mod refusals;
mod requests;
mod support;
mod untouched;
