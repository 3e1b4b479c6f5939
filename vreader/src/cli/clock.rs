//! `--now`: the option of every command that asks what time it is.

use vreader::clock::{Clock, Time};

/// What time it is.
#[derive(clap::Args)]
pub(super) struct Now {
    /// Do as if it were this day, or this second: YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ [default: the system's clock]
    #[arg(long, value_name = "DATE")]
    now: Option<Time>,
}

impl Now {
    pub(super) fn clock(&self) -> Clock {
        self.now.map_or(Clock::System, Clock::At)
    }
}
