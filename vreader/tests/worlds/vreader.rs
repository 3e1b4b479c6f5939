//! The program as its users start it, in a place where everything that it leaves behind would be seen.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Longest wait for something that must come.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A folder for sockets of its own, and one for files.
pub(crate) struct Place {
    runtime: TempDir,
    files: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = || tempfile::tempdir().expect("a temporary folder");
        Self { runtime: folder(), files: folder() }
    }

    /// A command line of vreader.
    pub(crate) fn vreader(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vreader"));
        self.set_up(&mut command);
        command.args(words);
        command
    }

    /// What every program here has in its environment.
    pub(crate) fn set_up(&self, command: &mut Command) {
        command
            .current_dir(self.files.path())
            .env("XDG_RUNTIME_DIR", self.runtime.path())
            // Cards are made once for all tests.
            .env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"))
            .env("LC_ALL", "C")
            .env_remove("PCSCLITE_CSOCK_NAME")
            .env_remove("OPENSC_CONF")
            .env_remove("OPENSC_DRIVER")
            .stdin(Stdio::null());
    }

    /// Runs a command line that must succeed; what it printed on both outputs.
    pub(crate) fn done(&self, words: &[&str]) -> String {
        let output = self.vreader(words).output().expect("vreader starts");
        assert!(output.status.success(), "{words:?}: {}", text(&output));
        self.is_clean();
        text(&output)
    }

    /// Runs a command line that must end with `status`, one sentence on standard error and nothing left behind.
    pub(crate) fn fails(&self, status: i32, command: &mut Command) -> String {
        let output = command.output().expect("vreader starts");
        assert_eq!(output.status.code(), Some(status), "{command:?}: {}", text(&output));
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(output.stdout.is_empty(), "{command:?}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("vreader: ") && !said.contains("panicked"), "{said}");
        self.is_clean();
        said
    }

    /// A world that stays.
    pub(crate) fn serve(&self, words: &[&str]) -> Serving<'_> {
        let (child, socket) = start_serving(&mut self.vreader(&[&["serve"], words].concat()));
        Serving { place: self, socket, child }
    }

    /// A file of the place.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// The folder for sockets.
    pub(crate) fn runtime(&self) -> &Path {
        self.runtime.path()
    }

    /// The folders for sockets that there are.
    pub(crate) fn worlds(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.runtime.path()).expect("the folder");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    }

    /// That nothing is left of any world.
    pub(crate) fn is_clean(&self) {
        let left = self.worlds();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

/// Starts a command line `vreader serve`, and waits until it has told the path of its socket.
pub(crate) fn start_serving(command: &mut Command) -> (Child, PathBuf) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("vreader starts");
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    output.read_line(&mut line).expect("the first line");
    let socket = line.strip_prefix("export PCSCLITE_CSOCK_NAME=").expect("the line for the shell").trim();
    // That was all, and a shell that waits for the end of the output goes on.
    assert_eq!(output.read(&mut [0]).expect("the end"), 0);
    (child, socket.into())
}

/// A `vreader serve` that runs; dropped, it is killed.
pub(crate) struct Serving<'a> {
    place: &'a Place,
    pub(crate) socket: PathBuf,
    pub(crate) child: Child,
}

impl Serving<'_> {
    /// `vreader ctl`, which must do what it is told.
    pub(crate) fn ctl(&self, words: &[&str]) -> String {
        let output = self.ctl_command(words).output().expect("vreader starts");
        assert!(output.status.success(), "{words:?}: {}", text(&output));
        text(&output)
    }

    /// `vreader ctl`, which must be refused.
    pub(crate) fn refuses(&self, words: &[&str]) -> String {
        let output = self.ctl_command(words).output().expect("vreader starts");
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", text(&output));
        text(&output)
    }

    fn ctl_command(&self, words: &[&str]) -> Command {
        let mut command = self.place.vreader(&["ctl"]);
        command.args(words).env("PCSCLITE_CSOCK_NAME", &self.socket);
        command
    }

    /// Sends a signal by name, and waits for the end.
    pub(crate) fn end_by(mut self, signal: &str) -> Option<i32> {
        send(signal, self.child.id());
        self.child.wait().expect("vreader ends").code()
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by name.
pub(crate) fn send(signal: &str, process: u32) {
    let kill = Command::new("kill").args([format!("-{signal}"), process.to_string()]).status();
    assert!(kill.expect("kill starts").success());
}

/// Standard output, then standard error.
pub(crate) fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// Waits for a condition, looking often.
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < end, "waited {PATIENCE:?} in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A missing client is a failure: a test that did not run proves nothing.
pub(crate) fn require(program: &str) {
    // An absolute path replaces the folder.
    let found = search_path().split(':').any(|folder| Path::new(folder).join(program).exists());
    assert!(found, "{program} is not installed: run tools/install-clients");
}

/// Debian keeps daemons, and `ip`, where only root's search path looks.
pub(crate) fn search_path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}
