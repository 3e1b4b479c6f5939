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
use gate::Row;
use machine::{MachineError, MemoryUsed};

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
    let mut done = Vec::new();
    for result in results {
        match result {
            Ok(results) => {
                results.print();
                wrong.extend(results.wrong());
                done.push(results);
            }
            Err(error) => wrong.push(error.to_string()),
        }
    }
    print_instructions(&done);
    for line in &wrong {
        eprintln!("WRONG: {line}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What was found on a chip.
struct Results {
    chip: Chip,
    flash: u32,
    gate: gate::Measured,
    leaky: gate::Measured,
    scenarios: scenarios::Found,
}

impl Results {
    fn of(chip: Chip, folder: &Path) -> Result<Self, MachineError> {
        let firmware = folder.join("card");
        travel::there_and_back(&firmware)?;
        Ok(Self {
            chip,
            flash: chip::flash_used(&firmware),
            gate: gate::run(&chip, &firmware)?,
            leaky: gate::run_leaky(&folder.join("leaky"))?,
            scenarios: scenarios::run_all(&chip, &firmware),
        })
    }

    /// What scenarios and gate needed.
    fn memory(&self) -> MemoryUsed {
        self.gate.memory.or_more(self.scenarios.memory)
    }

    fn print(&self) {
        let Self { chip, scenarios, .. } = self;
        let memory = self.memory();
        let MemoryUsed { stack, heap, statics } = memory;
        println!("{}: {}", chip.name, chip.has);
        println!("  flash {} of {} bytes", self.flash, chip.flash * 1024);
        println!(
            "  RAM {} of {} bytes: stack {stack}, heap {heap}, statics {statics}",
            memory.total(),
            chip.ram * 1024
        );
        println!(
            "  {} scenarios, {} commands answered as on the host",
            scenarios.scenarios, scenarios.exchanges
        );
        println!(
            "  not the {} files about CAC applets and Yubico's commands: no chip has them",
            scenarios.of_other_cards
        );
        for group in chip.left_out {
            println!("  not \"{}\": {}", group.scenarios.join("\", \""), group.because);
        }
        println!("  a card goes from the host to the board and back, and to the board again");
    }

    fn wrong(&self) -> Vec<String> {
        let Self { chip, .. } = self;
        let mut wrong = self.scenarios.wrong.clone();
        let memory = self.memory().total();
        for (what, used, has) in [("flash", self.flash, chip.flash), ("RAM", memory, chip.ram)] {
            if used > has * 1024 {
                wrong.push(format!("{used} bytes of {what} are needed, and there are {has} KiB"));
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
            wrong.push("a comparison that stops early is not seen by the gate".to_owned());
        }
        wrong.into_iter().map(|line| format!("{}: {line}", chip.name)).collect()
    }
}

/// One table: a row for each kind of work, a column for each chip; the largest difference that a secret made.
fn print_instructions(results: &[Results]) {
    let Some(most) = results.iter().max_by_key(|results| results.gate.rows.len()) else { return };
    print!("\n{:<42}", "instructions");
    for Results { chip, .. } in results {
        print!("{:>12}", chip.name);
    }
    println!("{:>12}{:>6}", "differ by", "runs");
    for Row { what, .. } in most.gate.rows.iter().chain(&most.leaky.rows) {
        print!("{what:<42}");
        let (mut spread, mut runs) = (0, 0);
        for Results { gate, leaky, .. } in results {
            match gate.rows.iter().chain(&leaky.rows).find(|row| row.what == *what) {
                Some(row) => {
                    print!("{:>12}", row.most());
                    spread = spread.max(row.spread());
                    runs += row.runs();
                }
                None => print!("{:>12}", "-"),
            }
        }
        println!("{spread:>12}{runs:>6}");
    }
}
