//! Placeholder while the first tests run.
