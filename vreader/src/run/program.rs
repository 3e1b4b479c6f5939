//! One program in a world: its signals, its end.
//!
//! The program has the terminal, the standard streams and the process group that this process has. Signals that others
//! send to this process are passed on to it; those that the terminal sends go to the whole process group anyway. Promise:
//! when the program ends, in whatever way, its exit status comes back, and no signal goes to a process that is no longer
//! it.

use std::{
    fs, io,
    os::unix::process::ExitStatusExt,
    process::{Command, ExitStatus},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use rustix::{
    process::{Pid, Signal, WaitId, WaitIdOptions, getpgrp, kill_process, waitid},
    termios::tcgetpgrp,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2},
    iterator::{Handle, Signals},
};

/// The signals that are passed on.
const PASSED_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// What is added to a signal's number when a program ended by it, as shells do.
const BY_SIGNAL: i32 = 128;

/// Why a program did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// There is no such program.
    #[error("there is no program {name}; check its name, or give its path")]
    NotFound {
        /// What was to run.
        name: String,
    },
    /// The system refuses to run it.
    #[error("cannot run {name}: {source}")]
    Refused {
        /// What was to run.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// Signals cannot be passed on.
    #[error("cannot take signals: {0}")]
    Signals(io::Error),
    /// The program cannot be waited for.
    #[error("cannot wait for {name} to end: {source}")]
    Wait {
        /// What ran.
        name: String,
        /// What the system says.
        source: io::Error,
    },
}

impl ProgramError {
    /// What the system said when a program was to be run.
    pub fn from_run(name: &std::ffi::OsStr, source: io::Error) -> Self {
        let name = name.to_string_lossy().into_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { name },
            _ => Self::Refused { name, source },
        }
    }
}

/// The signals of this process, for the program that it will run. Made before anything that a signal must not leave behind.
pub struct SignalRelay {
    target: Arc<Mutex<Target>>,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

/// To whom signals go.
enum Target {
    /// The program has not started: what came until now.
    Starting(Vec<i32>),
    Running(Pid),
    Ended,
}

impl SignalRelay {
    /// Takes the signals from now on, but for those that this process was told to ignore, as `nohup` does it: the program
    /// inherits that.
    pub fn start() -> Result<Self, ProgramError> {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = ignored(&status);
        let taken = PASSED_ON.into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
        let mut signals = Signals::new(taken).map_err(ProgramError::Signals)?;
        let handle = signals.handle();
        let target = Arc::new(Mutex::new(Target::Starting(Vec::new())));
        let thread = thread::Builder::new()
            .name("signals".into())
            .spawn({
                let target = Arc::clone(&target);
                move || signals.forever().for_each(|signal| pass_on(&target, signal))
            })
            .map_err(ProgramError::Signals)?;
        Ok(Self { target, handle, thread: Some(thread) })
    }

    /// Runs a program to its end. `name` is what messages call it.
    pub fn run(&self, command: &mut Command, name: &std::ffi::OsStr) -> Result<ExitStatus, ProgramError> {
        let mut child = command.spawn().map_err(|source| ProgramError::from_run(name, source))?;
        let wait_error = |source| ProgramError::Wait { name: name.to_string_lossy().into_owned(), source };
        // A child has a number, and it is not 0.
        let pid = Pid::from_child(&child);
        let early = std::mem::replace(&mut *lock(&self.target), Target::Running(pid));
        if let Target::Starting(signals) = early {
            for signal in signals {
                pass_on(&self.target, signal);
            }
        }
        // Until it is waited for, the number belongs to the dead program and to no other process.
        let dead = loop {
            match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Err(rustix::io::Errno::INTR) => {}
                result => break result,
            }
        };
        *lock(&self.target) = Target::Ended;
        dead.map_err(|error| wait_error(error.into()))?;
        child.wait().map_err(wait_error)
    }
}

impl Drop for SignalRelay {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // A panic there was told by the panic hook.
            let _ = thread.join();
        }
    }
}

/// The exit status that stands for how a program ended: its own, or 128 and the number of the signal.
pub fn exit_status(status: ExitStatus) -> u8 {
    let number = status.code().or_else(|| Some(BY_SIGNAL + status.signal()?));
    // Both are in range on Unix.
    number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX)
}

fn lock(target: &Mutex<Target>) -> MutexGuard<'_, Target> {
    // One assignment at a time: never half changed.
    target.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pass_on(target: &Mutex<Target>, number: i32) {
    match &mut *lock(target) {
        Target::Starting(signals) => signals.push(number),
        Target::Running(pid) => {
            let from_terminal = [SIGINT, SIGQUIT].contains(&number) && is_in_foreground();
            if let Some(signal) = Signal::from_named_raw(number).filter(|_| !from_terminal) {
                // The program may have ended a moment ago; then there is nobody to tell.
                let _ = kill_process(*pid, signal);
            }
        }
        Target::Ended => {}
    }
}

/// Whether keys of the terminal send their signals to our process group, and so to the program.
fn is_in_foreground() -> bool {
    fs::File::open("/dev/tty").is_ok_and(|terminal| tcgetpgrp(terminal) == Ok(getpgrp()))
}

/// The set of ignored signals in `/proc/self/status` (proc(5)): bit n-1 is signal n.
fn ignored(status: &str) -> u64 {
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_statuses_are_those_of_a_shell() {
        for (wait_status, expected) in
            [(0, 0), (3 << 8, 3), (255 << 8, 255), (9, 137), (15, 143), (0x8B, 139)]
        {
            assert_eq!(exit_status(ExitStatus::from_raw(wait_status)), expected, "{wait_status:#X}");
        }
    }

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t00000001\n";
        assert_eq!(ignored(status), 0x1001);
        assert_eq!(ignored(""), 0);
    }
}
