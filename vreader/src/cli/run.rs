//! `vreader run`: a private PC/SC world for one program.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
    process::{Command, ExitCode},
};

use vreader::run::{
    bind,
    program::{SignalRelay, exit_status},
};

use super::{Failure, complain, world::WorldArguments};

/// What `vreader run` and `vreader serve` return when nothing ran: wrong usage, or no world.
pub(super) const NOTHING_RAN: u8 = 2;

/// Runs a program that sees readers and cards of its own, and nothing else that has to do with PC/SC. No root, no pcscd.
///
/// The program's exit status is that of this command; it is 2 if nothing could be run. In the program, `vreader ctl` moves
/// the cards.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  vreader run -- opensc-tool --list-readers\n  \
    vreader run --card my.card -- pkcs11-tool --login --pin 123456 --test\n  \
    vreader run --card piv --card piv --empty -- ./my-tests")]
pub(super) struct Arguments {
    #[command(flatten)]
    world: WorldArguments,
    /// Put the readers at /run/pcscd, too, for programs that ignore the environment or run set-uid
    #[arg(long)]
    bind: bool,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match run_in_world(arguments) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => complain(&failure, NOTHING_RAN),
    }
}

fn run_in_world(arguments: &Arguments) -> Result<u8, Failure> {
    let [program, words @ ..] = arguments.program.as_slice() else {
        return Err(Failure("no program to run".into()));
    };
    // Before anything that a signal must not leave behind.
    let signals = SignalRelay::start()?;
    let (world, _control) = arguments.world.start(None)?;
    let mut command = if arguments.bind {
        bind::command(world.folder(), program, words)?
    } else {
        let mut command = Command::new(program);
        command.args(words);
        command
    };
    let (variable, value) = world.environment();
    Ok(exit_status(signals.run(command.env(variable, value), program)?))
}

/// What `unshare` runs for `--bind`; not for people.
#[derive(clap::Args)]
pub(super) struct EnterArguments {
    /// The folder of the world
    folder: PathBuf,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    program: Vec<OsString>,
}

pub(super) fn enter(arguments: &EnterArguments) -> ExitCode {
    let (program, words) = match arguments.program.as_slice() {
        [program, words @ ..] => (program.as_os_str(), words),
        [] => (OsStr::new(""), &[][..]),
    };
    complain(&bind::enter(&arguments.folder, program, words).into(), NOTHING_RAN)
}
