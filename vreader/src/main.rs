//! The `vreader` program: parses its command line and hands it to one function a subcommand.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
