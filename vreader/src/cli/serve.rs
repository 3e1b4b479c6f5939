//! `vreader serve`: a private PC/SC world until it is stopped.

use std::{fs::File, path::Path, process::ExitCode};

use rustix::{
    process::{Signal, getpid, kill_process},
    stdio::dup2_stdout,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use super::{Failure, complain, print, run::NOTHING_RAN, world::WorldArguments};

/// Keeps readers and cards for programs that are started elsewhere, until a signal or `vreader ctl stop` ends it.
///
/// Prints one line for the shell, which sets what programs need to find the readers.
#[derive(clap::Args)]
#[command(after_help = "Example, in a shell:\n  eval \"$(vreader serve --card my.card &)\"\n  \
    opensc-tool --list-readers\n  vreader ctl remove\n  vreader ctl stop")]
pub(super) struct Arguments {
    #[command(flatten)]
    world: WorldArguments,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match serve(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => complain(&failure, NOTHING_RAN),
    }
}

fn serve(arguments: &Arguments) -> Result<(), Failure> {
    // Before anything that a signal must not leave behind.
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let (world, _control) = arguments.world.start(Some(terminate))?;
    let (variable, socket) = world.environment();
    print(&format!("export {variable}={}\n", quoted(Path::new(socket))))?;
    close_output();
    signals.forever().next();
    Ok(())
}

/// Ends this process as a signal from outside does.
fn terminate() {
    if let Err(error) = kill_process(getpid(), Signal::TERM) {
        tracing::error!(%error, "the world cannot be stopped");
    }
}

/// The path as a shell reads it back.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@".contains(&byte);
    if path.bytes().all(plain) { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

/// Nothing more is printed: a shell that reads the line waits for the end of the output.
fn close_output() {
    let nowhere = File::options().write(true).open("/dev/null");
    if let Err(error) = nowhere.and_then(|nowhere| Ok(dup2_stdout(nowhere)?)) {
        tracing::warn!(%error, "the output stays open");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_the_shell() {
        for (path, expected) in [
            ("/tmp/vreader-0/pcscd.comm", "/tmp/vreader-0/pcscd.comm"),
            ("/tmp/a b", "'/tmp/a b'"),
            ("/tmp/it's", r"'/tmp/it'\''s'"),
            ("/tmp/$(x)", "'/tmp/$(x)'"),
        ] {
            assert_eq!(quoted(Path::new(path)), expected);
        }
    }
}
