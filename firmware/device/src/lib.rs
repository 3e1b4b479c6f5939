//! The card of `card-sim` on a Cortex-M4: what stands between it and the board.
//!
//! | module | what it does |
//! |---|---|
//! | [`board`] | the board: memory, timer, line to the host. All `unsafe` of this crate |
//! | [`nor`] | the card's flash |
//! | [`line`] | messages from a reader, and their answers |
//!
//! `bin/card.rs` is the firmware; `bin/leaky.rs` is one that the gate for constant time must refuse.

#![no_std]

pub mod board;
pub mod line;
pub mod nor;
