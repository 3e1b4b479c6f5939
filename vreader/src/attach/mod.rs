//! Ways by which programs reach a card.

pub(crate) mod local;
pub mod pcsc;
pub mod vpcd;
