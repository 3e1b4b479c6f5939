//! Scenarios, known answers and recordings: data first, and the little that loads and runs them.
//!
//! | module | what it does |
//! |---|---|
//! | [`scenario`] | reads scenario files and runs them against a card |
//! | [`oracle`] | computes the host's half of what a card does with its keys |
//! | [`recorded`] | reads and checks recordings of cards |
//! | [`trace`] | reads what clients sent |
//! | [`files`] | finds the files |
//!
//! Nothing but tests depends on this crate, and it depends on none of the others, so that what it expects of a card
//! comes from the standards alone. Where each file comes from stands in `README.md`.

pub mod files;
pub mod oracle;
pub mod recorded;
pub mod scenario;
pub mod trace;
