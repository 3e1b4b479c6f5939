//! Scenarios, known answers and recordings: data first, and the little that loads and runs them.
//!
//! Nothing but tests depends on this crate, and it depends on none of the others, so that what it expects of a card
//! comes from the standards alone. Where each file comes from stands in `README.md`.

pub mod oracle;
pub mod scenario;
