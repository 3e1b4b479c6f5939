//! What the benches share: medians, limits, and the machine they ran on.
//!
//! A bench prints one line a figure with its limit and `PASS` or `MISS`, and ends with status 1 if one was missed.
//! Candidates are measured in turns within one run, because absolute times on shared machines mean nothing.

pub mod client;
pub mod pcscd;
pub mod program;

use std::{
    fs,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

/// The lines of a bench and whether all limits were kept.
pub struct Report {
    missed: u32,
}

impl Report {
    /// Prints what is measured, and where.
    pub fn new(title: &str) -> Self {
        println!("# {title}\n# {}", machine());
        Self { missed: 0 }
    }

    /// Prints a figure that must not exceed its limit.
    pub fn at_most(&mut self, what: &str, value: f64, limit: f64, unit: &str) {
        self.line(what, value, limit, unit, value <= limit, "at most");
    }

    /// Prints a figure that must reach its limit.
    pub fn at_least(&mut self, what: &str, value: f64, limit: f64, unit: &str) {
        self.line(what, value, limit, unit, value >= limit, "at least");
    }

    /// Prints a figure without a limit.
    pub fn note(&self, what: &str, value: f64, unit: &str) {
        println!("      {what:<52} {value:>10.2} {unit}");
    }

    fn line(&mut self, what: &str, value: f64, limit: f64, unit: &str, kept: bool, bound: &str) {
        self.missed += u32::from(!kept);
        let verdict = if kept { "PASS" } else { "MISS" };
        println!("{verdict}  {what:<52} {value:>10.2} {unit:<3} ({bound} {limit} {unit})");
    }

    /// The bench's exit status.
    pub fn end(self) -> ExitCode {
        if self.missed == 0 {
            ExitCode::SUCCESS
        } else {
            println!("{} of the limits above were missed", self.missed);
            ExitCode::FAILURE
        }
    }
}

/// The median of some measurements.
///
/// # Panics
/// Without a measurement.
pub fn median(values: &mut [f64]) -> f64 {
    assert!(!values.is_empty(), "a median needs a measurement");
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// The value that nine of ten sorted measurements do not exceed.
///
/// # Panics
/// Without a measurement.
pub fn at_90_percent(sorted: &[f64]) -> f64 {
    sorted[sorted.len() * 9 / 10]
}

/// Time of one call of `work`, averaged over as many calls as take about `budget`.
pub fn time_per_call(budget: Duration, mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    let mut calls = 0_u32;
    let mut batch = 1;
    while start.elapsed() < budget {
        for _ in 0..batch {
            work();
        }
        calls += batch;
        // Larger batches keep the clock out of short measurements.
        batch = (batch * 2).min(1024);
    }
    start.elapsed() / calls
}

/// Microseconds.
pub fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The machine and the tools, in one line.
pub fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let wide = if cpu.contains("avx512ifma") { " with AVX-512 IFMA" } else { "" };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let rustc = rustc.unwrap_or_else(|_| "rustc unknown".into());
    format!("{model}{wide}, {cores} cores; {rustc}; {}", openssl::version::version())
}
