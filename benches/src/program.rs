//! Programs that a bench starts: the vreader program, and the bench itself as a client.

use std::{
    env,
    io::{BufRead, BufReader, Lines, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// A program that ends with its handle.
pub struct Daemon(pub Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// This program, to be started once more.
///
/// # Panics
/// If it has no path.
pub fn own_program() -> PathBuf {
    env::current_exe().expect("a running program has a path")
}

/// The vreader program of the same build, which `make bench` makes first.
///
/// # Panics
/// If it is not there.
pub fn vreader_program() -> PathBuf {
    let own = own_program();
    let program = own.ancestors().nth(2).expect("it is in target/release/deps").join("vreader");
    assert!(program.exists(), "{} is missing; run `make bench`, which builds it", program.display());
    program
}

/// This program in another process, which does what it is told line by line. libpcsclite looks once in a process's life
/// where its socket is, so that each client needs a process of its own.
pub struct Remote {
    process: Daemon,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Remote {
    /// Starts it with these arguments, as a program that finds its readers behind `socket`, or else behind that of pcscd.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(arguments: &[&str], socket: Option<&Path>) -> Self {
        let mut program = Command::new(own_program());
        program.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(socket) = socket {
            program.env("PCSCLITE_CSOCK_NAME", socket);
        }
        let mut child = program.spawn().expect("this program starts");
        let orders = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { process: Daemon(child), orders, answers }
    }

    /// Tells it what to do.
    ///
    /// # Panics
    /// If it is gone.
    pub fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").expect("the client reads");
    }

    /// Waits for its next line.
    ///
    /// # Panics
    /// If it is gone.
    pub fn answer(&mut self) -> String {
        self.answers.next().expect("an answer").expect("an answer")
    }

    /// Waits until it has done all and ended.
    ///
    /// # Panics
    /// If it failed.
    pub fn end(mut self) {
        drop(self.orders);
        assert!(self.process.0.wait().expect("a client").success(), "a client failed");
    }
}
