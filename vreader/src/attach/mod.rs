//! Ways by which programs reach a card.

pub mod vpcd;
