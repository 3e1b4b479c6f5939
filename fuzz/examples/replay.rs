//! Plays inputs again, without a fuzzer: `replay TARGET FILE…`. A finding ends it with a panic.

use std::{env, fs, process::ExitCode};

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    let name = words.next().unwrap_or_default();
    let Some(target) = fuzz::Target::find(&name) else {
        let names: Vec<_> = fuzz::TARGETS.iter().map(|target| target.name).collect();
        eprintln!("there is no target \"{name}\"; say one of {names:?}, and then the inputs");
        return ExitCode::from(2);
    };
    for file in words {
        match fs::read(&file) {
            Ok(input) => (target.play)(&input),
            Err(error) => {
                eprintln!("{file} cannot be read: {error}");
                return ExitCode::from(2);
            }
        }
        println!("{file}: nothing was harmed");
    }
    ExitCode::SUCCESS
}
