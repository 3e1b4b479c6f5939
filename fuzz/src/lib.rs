//! What the fuzz targets share with their seeds and with the replay of findings.
//!
//! A target is one module here with two functions: `play` runs one input and panics if anything is harmed by it, `seeds`
//! gives the inputs to begin with. An input is bytes, and every bytes are an input.

pub mod pcsc_wire;

/// A target by its name.
pub struct Target {
    /// Its name, which is that of its program.
    pub name: &'static str,
    /// Runs one input; a panic is a finding.
    pub play: fn(&[u8]),
    /// What to begin with.
    pub seeds: fn() -> Vec<(&'static str, Vec<u8>)>,
}

/// All targets.
pub const TARGETS: [Target; 1] =
    [Target { name: "pcsc_wire", play: pcsc_wire::play, seeds: pcsc_wire::seeds }];
