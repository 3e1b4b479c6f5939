//! Card management with cards in this process: what it does, what it refuses, and what is left when it is interrupted.
//!
//! `clients/flows` shows the same through PC/SC to programs of other people.

mod batch;
mod interruption;
mod life;
mod support;
