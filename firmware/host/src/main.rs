//! Runs the card on an emulated microcontroller: scenarios, the way of a card to a board and back, constant time, sizes.
//!
//! `make firmware` builds the firmware and calls this with the folder that it is in. Prints a table, and exits with 1 when
//! anything is wrong or larger than its chip.

mod chip;
#[path = "../../../vectors/tests/common/mod.rs"]
mod host_card;
mod machine;
mod scenarios;

use std::{path::PathBuf, process::ExitCode};

use chip::{CHIPS, flash_used};

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: firmware-host FOLDER, where firmware/device/build has put the firmware");
        return ExitCode::from(2);
    };
    let mut wrong = Vec::new();
    let found: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = CHIPS
            .iter()
            .map(|chip| {
                let firmware = folder.join(chip.name).join("card");
                scope.spawn(move || scenarios::run_all(chip, &firmware))
            })
            .collect();
        runs.into_iter().map(|run| run.join().expect("the run ended")).collect()
    });
    for (chip, found) in CHIPS.iter().zip(found) {
        let flash = flash_used(&folder.join(chip.name).join("card"));
        println!("{}: {}", chip.name, chip.has);
        println!(
            "  flash {flash} of {}, RAM {:?} {} of {}",
            chip.flash * 1024,
            found.memory,
            found.memory.total(),
            chip.ram * 1024
        );
        println!("  {} scenarios, {} commands", found.scenarios, found.exchanges);
        wrong.extend(found.wrong);
    }
    for line in &wrong {
        eprintln!("{line}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
