//! Runs the card on an emulated microcontroller: scenarios, the way of a card to a board and back, constant time, sizes.
//!
//! `make firmware` builds the firmware for its chips and calls this with the folder that they are in. Prints tables, and fails
//! when something is wrong, depends on a secret, or does not fit its chip.

mod chip;
mod gate;
#[path = "../../../vectors/tests/common/mod.rs"]
mod host_card;
mod machine;
mod sample;
mod scenarios;
mod travel;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
};

use chip::{CHIPS, Chip};
use machine::MachineError;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: firmware-host FOLDER, the one that firmware/device/build has built in");
        return ExitCode::from(2);
    };
    let results = thread::scope(|scope| {
        let runs = CHIPS.map(|chip| {
            let folder = folder.join(chip.name);
            scope.spawn(move || Results::of(chip, &folder))
        });
        runs.map(|run| run.join().expect("a check has failed, and said so"))
    });
    let mut wrong = Vec::new();
    for result in results {
        match result {
            Ok(results) => {
                results.print();
                wrong.extend(results.wrong());
            }
            Err(error) => wrong.push(error.to_string()),
        }
    }
    for line in &wrong {
        eprintln!("WRONG: {line}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What was found on a chip.
struct Results {
    chip: Chip,
    flash: u32,
    scenarios: scenarios::Found,
    gate: gate::Measured,
    leaky: gate::Measured,
}

impl Results {
    fn of(chip: Chip, folder: &Path) -> Result<Self, MachineError> {
        let firmware = folder.join("card");
        travel::there_and_back(&firmware)?;
        Ok(Self {
            flash: chip::flash_used(&firmware),
            gate: gate::run(&chip, folder)?,
            leaky: gate::run_leaky(folder)?,
            scenarios: scenarios::run_all(&chip, &firmware),
            chip,
        })
    }

    fn memory(&self) -> machine::MemoryUsed {
        self.gate.memory.or_more(self.scenarios.memory)
    }

    fn print(&self) {
        let Self { chip, scenarios, gate, leaky, .. } = self;
        println!("{}: {}", chip.name, chip.has);
        println!("  flash {} bytes, of {} KiB", self.flash, chip.flash);
        let memory = self.memory();
        println!(
            "  RAM {} bytes (stack {}, heap {}, statics {}), of {} KiB",
            memory.total(),
            memory.stack,
            memory.heap,
            memory.statics,
            chip.ram
        );
        println!(
            "  {} scenarios, {} commands answered as on the host",
            scenarios.scenarios, scenarios.exchanges
        );
        for group in chip.left_out {
            println!("  not {}: {}", group.scenarios.join(", "), group.because);
        }
        println!("  a card goes from the host to the board, back, and to the board again");
        println!("  {:<48}{:>16}{:>8}{:>6}", "instructions", "", "differ", "runs");
        for row in gate.rows.iter().chain(&leaky.rows) {
            println!("  {:<48}{:>16}{:>8}{:>6}", row.what, row.most(), row.spread(), row.runs());
        }
        println!();
    }

    fn wrong(&self) -> Vec<String> {
        let Self { chip, .. } = self;
        let mut wrong = self.scenarios.wrong.clone();
        let memory = self.memory().total();
        for (what, used, has) in [("flash", self.flash, chip.flash), ("RAM", memory, chip.ram)] {
            if used > has * 1024 {
                wrong.push(format!("{used} bytes of {what} are needed, and it has {has} KiB"));
            }
        }
        for row in self.gate.rows.iter().filter(|row| !row.is_constant()) {
            wrong.push(format!(
                "{}: runs with other secrets differ by {} instructions",
                row.what,
                row.spread()
            ));
        }
        if self.leaky.rows.iter().all(gate::Row::is_constant) {
            wrong.push("a comparison that stops early is not seen".to_owned());
        }
        wrong.into_iter().map(|line| format!("{}: {line}", chip.name)).collect()
    }
}
