//! `vreader card new`, the program as a person starts it, against its limits and against OpenSSL's key generation.

use std::{
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

use benches::{Report, median, program::vreader_program};
use openssl::rsa::Rsa;

const ROUNDS: u32 = 20;

fn main() -> ExitCode {
    let program = vreader_program();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let card_new = |round: u32, options: &[&str]| {
        let file = folder.path().join(format!("{round}-{}.card", options.join("")));
        let start = Instant::now();
        let status = Command::new(&program)
            .args(["card", "new"])
            .arg(&file)
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("vreader starts");
        assert!(status.success(), "vreader card new failed");
        start.elapsed().as_secs_f64() * 1e3
    };
    let mut report = Report::new("vreader card new");

    let mut p256: Vec<f64> =
        (0..ROUNDS).map(|round| card_new(round, &["--seed", "7", "--algorithm", "p256"])).collect();
    report.at_most("seeded P-256 card, median", median(&mut p256), 100.0, "ms");

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        ours.push(card_new(round, &["--algorithm", "rsa2048"]));
        let start = Instant::now();
        for _ in 0..4 {
            std::hint::black_box(Rsa::generate(2048).expect("OpenSSL makes a key"));
        }
        theirs.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    report.note("card with four RSA-2048 keys, median", ours, "ms");
    report.note("OpenSSL, four RSA-2048 keys, median", theirs, "ms");
    report.at_most("card with four RSA-2048 keys / OpenSSL", ours / theirs, 1.5, "x");
    report.end()
}
