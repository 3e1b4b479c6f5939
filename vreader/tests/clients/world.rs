//! A private machine-within-the-machine for one test: its own network, its own `/run`, its own process
//! numbers.
//!
//! The machine's pcscd is never touched, tests run side by side, and nothing outlives a test: the world's
//! first process holds only a pipe from this one, and when that pipe closes, because the test ended in
//! whatever way, the kernel kills everything in the world.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest run of a client. Much more than any needs on a busy machine.
const CLIENT_SECONDS: &str = "120";

/// Longest wait for a condition.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// What the world's first process does: loopback up, a `/run` of its own, and then it waits for the end.
const INIT: &str =
    "ip link set lo up && mount -t tmpfs tmpfs /run && mkdir /run/pcscd && echo ready && exec cat";

/// One private world.
pub(crate) struct World {
    init: Child,
    /// The first process, as this side numbers it.
    first: u32,
    /// Where clients run; gone with the world.
    folder: TempDir,
}

impl World {
    /// A world with pcscd running in it.
    pub(crate) fn new() -> Self {
        let world = Self::without_pcscd();
        world.start_pcscd();
        world
    }

    /// A world in which nothing runs.
    pub(crate) fn without_pcscd() -> Self {
        for program in ["unshare", "nsenter", "ip", "timeout"] {
            require(program);
        }
        let mut unshare = Command::new("unshare");
        if !is_root() {
            unshare.args(["--user", "--map-root-user"]);
        }
        let mut init = unshare
            .args([
                "--mount",
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "--",
                "sh",
                "-c",
                INIT,
            ])
            .env("PATH", search_path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("unshare starts");
        let mut ready = String::new();
        BufReader::new(init.stdout.take().expect("a pipe"))
            .read_line(&mut ready)
            .expect("the world's first words");
        if ready != "ready\n" {
            let mut complaint = String::new();
            let _ = init.stderr.take().expect("a pipe").read_to_string(&mut complaint);
            panic!(
                "no private world on this machine: {complaint}These tests need root, or unprivileged user \
                 namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0)"
            );
        }
        let first = only_child_of(init.id());
        Self { init, first, folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Starts pcscd and waits until it takes calls.
    pub(crate) fn start_pcscd(&self) {
        require("pcscd");
        assert!(
            Path::new("/etc/reader.conf.d/vpcd").exists(),
            "vsmartcard-vpcd is not installed: run tools/install-clients"
        );
        let log = fs::File::create(self.path("pcscd.log")).expect("a log file");
        let mut pcscd = self.enter(&["pcscd", "--foreground", "--info"]);
        pcscd.stdin(Stdio::null()).stdout(log.try_clone().expect("a handle")).stderr(log);
        // Its end is the world's end, or `stop_pcscd`; the handle that enters the world has nothing to add.
        drop(pcscd.spawn().expect("nsenter starts"));
        let socket = PathBuf::from(format!("/proc/{}/root/run/pcscd/pcscd.comm", self.first));
        wait_for("pcscd opens its socket", || socket.exists().then_some(()));
    }

    /// Ends pcscd and waits until it is gone.
    pub(crate) fn stop_pcscd(&self) {
        self.client("sh").args(["-c", "kill $(cat /run/pcscd/pcscd.pid)"]).succeeds();
        let socket = PathBuf::from(format!("/proc/{}/root/run/pcscd/pcscd.comm", self.first));
        wait_for("pcscd removes its socket", || (!socket.exists()).then_some(()));
    }

    /// A client program that runs in this world, in its folder.
    pub(crate) fn client(&self, program: &str) -> Client<'_> {
        require(program);
        Client { world: self, words: vec![program.to_owned()], environment: Vec::new() }
    }

    /// A program of this world that keeps running beside the test.
    pub(crate) fn companion(&self, words: &[&str]) -> Companion {
        require(words[0]);
        // The shell tells its process number in the world, then becomes the program.
        let mut command = self.enter(&[&["sh", "-c", "echo $$; exec \"$@\"", "sh"], words].concat());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter starts");
        let input = child.stdin.take().expect("a pipe");
        let (sender, lines) = channel();
        let outputs: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("a pipe")), Box::new(child.stderr.take().expect("a pipe"))];
        for output in outputs {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    // The test may be over before the program is.
                    let _ = sender.send(line);
                }
            });
        }
        let mut companion = Companion { child, input, lines, heard: Vec::new(), number: 0 };
        companion.number = companion.hear("its process number", |line| line.parse().ok());
        companion
    }

    /// A path in the world's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the world's folder.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("a file in the world's folder");
    }

    /// Reads a file of the world's folder.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name))
            .unwrap_or_else(|error| panic!("no file {name} in the world's folder: {error}"))
    }

    /// A command that runs in the world.
    fn enter(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        // Entering a mount namespace leaves a process at its root: the folder has to be named here.
        let folder = format!("--wd={}", self.folder.path().display());
        command.args(["--target", &self.first.to_string(), "--mount", "--net", "--pid", &folder]);
        if !is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command
            .arg("--")
            .args(words)
            .env("HOME", self.folder.path())
            .env("LC_ALL", "C")
            .env("PATH", search_path())
            .env_remove("PCSCLITE_CSOCK_NAME")
            .env_remove("OPENSC_CONF")
            .env_remove("OPENSC_DRIVER");
        command
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Closing the pipe ends the first process, and with it the world.
        drop(self.init.stdin.take());
        let _ = self.init.wait();
        if thread::panicking() {
            let log = fs::read_to_string(self.path("pcscd.log")).unwrap_or_default();
            eprintln!("--- pcscd said:\n{log}---");
        }
    }
}

/// A client program about to run.
pub(crate) struct Client<'a> {
    world: &'a World,
    words: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Client<'_> {
    /// Adds arguments.
    pub(crate) fn args<S: AsRef<str>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.words.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs the client to its end.
    pub(crate) fn run(self) -> Outcome {
        let mut words = vec!["timeout", "--kill-after=5", CLIENT_SECONDS];
        words.extend(self.words.iter().map(String::as_str));
        let output = self
            .world
            .enter(&words)
            .envs(self.environment)
            .stdin(Stdio::null())
            .output()
            .expect("nsenter starts");
        let outcome = Outcome { command: self.words.join(" "), output };
        assert_ne!(outcome.code(), Some(124), "the client did not end in {CLIENT_SECONDS} s: {outcome}");
        outcome
    }

    /// Runs the client, which must succeed, and returns what it printed on both outputs.
    pub(crate) fn succeeds(self) -> String {
        let outcome = self.run();
        assert!(outcome.output.status.success(), "the client failed: {outcome}");
        outcome.text()
    }

    /// Runs the client, which must fail, and returns what it printed on both outputs.
    pub(crate) fn fails(self) -> String {
        let outcome = self.run();
        assert!(!outcome.output.status.success(), "the client should have failed: {outcome}");
        outcome.text()
    }
}

/// What became of a client.
pub(crate) struct Outcome {
    command: String,
    output: Output,
}

impl Outcome {
    /// The exit status.
    pub(crate) fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// Standard output, then standard error.
    pub(crate) fn text(&self) -> String {
        [&self.output.stdout, &self.output.stderr]
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .concat()
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})\n{}", self.command, self.output.status, self.text())
    }
}

/// A program that runs beside the test.
pub(crate) struct Companion {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    heard: Vec<String>,
    number: u32,
}

impl Companion {
    /// Types a line.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the program reads its input");
    }

    /// Waits for a line, and returns what `wanted` makes of it.
    pub(crate) fn hear<T>(&mut self, what: &str, wanted: impl Fn(&str) -> Option<T>) -> T {
        let end = Instant::now() + DEADLINE;
        loop {
            let line = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())).unwrap_or_else(
                |error| panic!("waited for {what}: {error}; the program said\n{}", self.heard.join("\n")),
            );
            self.heard.push(line.clone());
            if let Some(found) = wanted(&line) {
                return found;
            }
        }
    }

    /// Waits for a line that contains `part`.
    pub(crate) fn hear_line(&mut self, part: &str) -> String {
        self.hear(part, |line| line.contains(part).then(|| line.to_owned()))
    }

    /// Sends a signal by name, and waits for the program's end.
    pub(crate) fn end_by(mut self, world: &World, signal: &str) -> std::process::ExitStatus {
        world.client("sh").args(["-c", &format!("kill -{signal} {}", self.number)]).succeeds();
        self.child.wait().expect("the program ends")
    }

    /// Waits for the program to end by itself.
    pub(crate) fn ends(mut self) -> std::process::ExitStatus {
        self.child.wait().expect("the program ends")
    }
}

/// Waits for a condition, looking often; panics when it does not come.
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < end, "waited {DEADLINE:?} in vain until {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A missing client is a failure: a test that did not run proves nothing.
pub(crate) fn require(program: &str) {
    let found = Path::new(program).is_absolute() && Path::new(program).exists()
        || search_path().split(':').any(|folder| Path::new(folder).join(program).exists());
    assert!(found, "{program} is not installed: run tools/install-clients");
}

/// Debian keeps pcscd and ip where only root's search path looks.
fn search_path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

/// Whether this process may make namespaces without a user namespace: its effective user (proc(5),
/// /proc/pid/status) is 0.
fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("Uid:")).and_then(|ids| ids.split_whitespace().nth(1))
        == Some("0")
}

/// The process that `unshare` forked, as this side numbers it.
fn only_child_of(parent: u32) -> u32 {
    let children =
        fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).expect("proc lists children");
    children.trim().parse().expect("unshare has one child")
}
