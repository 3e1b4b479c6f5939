//! Where issuing takes its randomness from: one independent source for each purpose.

use crate::random::{self, CardRng};

use super::error::IssueError;

/// Sources of randomness, all from one seed or all from the operating system.
#[derive(Clone, Copy)]
pub(crate) struct Randomness {
    seed: Option<u64>,
}

impl Randomness {
    /// From `seed`, or from the operating system.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self { seed }
    }

    /// The source for `purpose`. What is drawn from it changes nothing that other purposes get.
    pub(crate) fn source(self, purpose: &str) -> Result<CardRng, IssueError> {
        match self.seed {
            Some(seed) => Ok(random::from_seed(&format!("issue: {purpose}"), seed)),
            None => Ok(random::from_system()?),
        }
    }
}
