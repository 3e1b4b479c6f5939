//! How many commands a second the fuzzer's sequences make of one core.
//!
//! All inputs of the target `apdu_sequence` are played, as the fuzzer plays them: a new card for each, every answer judged by
//! the guard and by the model of the security rules, power cuts and all. Not counted in are the fuzzer itself and its
//! instrumentation. Private keys compute nothing here (the target stands a hash in for them), so that the figure is about
//! the card and not about arithmetic; block ciphers are real. Time is this thread's processor time.

use std::{fs, process::ExitCode};

use benches::{Report, median};
use fuzz::{Target, apdu_sequence, corpus};

fn main() -> ExitCode {
    let mut report = Report::new("Fuzzing in process");
    let target = Target::find("apdu_sequence").expect("a target");
    let inputs = corpus::inputs(target).expect("a corpus in vectors/fuzz");
    let mut rounds: Vec<f64> = (0..11).map(|_| commands_a_second(&inputs)).collect();
    report.note("inputs", f64::from(u32::try_from(inputs.len()).unwrap_or(u32::MAX)), "");
    report.at_least("commands of sequences, judged, a core and second", median(&mut rounds), 50_000.0, "/s");
    let start = processor_time();
    for _ in 0..2000 {
        (target.play)(&[]);
    }
    report.note("a new card for each input", (processor_time() - start) * 1e6 / 2000.0, "us");
    report.end()
}

fn commands_a_second(inputs: &[(String, Vec<u8>)]) -> f64 {
    let start = processor_time();
    let commands: u64 = inputs.iter().map(|(_, input)| apdu_sequence::play_counting(input)).sum();
    f64::from(u32::try_from(commands).unwrap_or(u32::MAX)) / (processor_time() - start)
}

/// Seconds that this thread has run.
fn processor_time() -> f64 {
    let times = fs::read_to_string("/proc/thread-self/schedstat").expect("a kernel that counts time");
    let nanoseconds: f64 = times.split(' ').next().and_then(|text| text.parse().ok()).expect("a number");
    nanoseconds / 1e9
}
