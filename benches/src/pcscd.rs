//! Debian's pcscd with vpcd, as a peer to measure against, and the plain card loop that a beginner writes for it.
//!
//! pcscd runs in a private network and mount namespace, in which a bench starts itself again; the machine's own pcscd is
//! not touched.

use std::{
    env,
    net::TcpStream,
    process::{Command, ExitCode, Stdio},
    thread,
};

use vpicc::VSmartCard;
use vreader::{
    attach::vpcd::DEFAULT_PORT,
    reader::{InsertedCard, Interface},
};

use crate::{
    client::wait_for,
    program::{Daemon, own_program},
};

/// Tells the second start of a bench that it is in the private namespaces.
const INSIDE: &str = "--inside-the-private-world";
/// What the first process in the namespaces does before it becomes the bench.
const PREPARE: &str = "ip link set lo up && mount -t tmpfs tmpfs /run && mkdir /run/pcscd && exec \"$@\"";

/// Runs `measure` in namespaces of its own: in this process if it is there already, or else in a second one.
pub fn in_private_namespaces(measure: impl FnOnce() -> ExitCode) -> ExitCode {
    if env::args().any(|argument| argument == INSIDE) {
        return measure();
    }
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    if !rootly() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let path = format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default());
    match unshare
        .args(["--", "sh", "-c", PREPARE, "sh"])
        .arg(own_program())
        .arg(INSIDE)
        .env("PATH", path)
        .status()
    {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot start unshare: {error}; run tools/install-clients");
            ExitCode::FAILURE
        }
    }
}

/// Whether namespaces need no user namespace around them.
fn rootly() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// Starts pcscd.
///
/// # Panics
/// If it cannot be started.
pub fn start() -> Daemon {
    match Command::new("pcscd").args(["--foreground", "--critical"]).stdin(Stdio::null()).spawn() {
        Ok(child) => Daemon(child),
        Err(error) => panic!("cannot start pcscd: {error}; run tools/install-clients"),
    }
}

/// Puts a card into the second slot, with a loop as `vpicc` documents it, until pcscd ends.
pub fn plain_loop(card: Box<dyn InsertedCard>) {
    thread::spawn(|| {
        let stream = wait_for("vpcd", || TcpStream::connect(("127.0.0.1", DEFAULT_PORT + 1)).ok());
        // It ends when pcscd does.
        let _ = vpicc::Connection::from(stream).run(&mut Plain(card));
    });
}

struct Plain(Box<dyn InsertedCard>);

impl VSmartCard for Plain {
    fn atr(&self) -> &[u8] {
        self.0.atr()
    }

    fn power_on(&mut self) {
        self.0.power_on(Interface::Contact);
    }

    fn power_off(&mut self) {
        self.0.power_off();
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn execute(&mut self, command: &[u8]) -> Vec<u8> {
        self.0.transmit(command)
    }
}
