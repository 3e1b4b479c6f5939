//! Where one test's clients run: a folder for files, and one of three ways to reach a card.
//!
//! [`Run`]: each client under a `vreader run` of its own, so that each finds the card just inserted. [`Serve`]: beside one
//! `vreader serve`, so that several share the card and `vreader ctl` moves it. [`Pcscd`]: Debian's pcscd with vpcd, in
//! namespaces.
//!
//! [`Serve`]: crate::serve::Serve
//! [`Pcscd`]: crate::pcscd::Pcscd

use std::{
    fmt, fs,
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use crate::{
    card::CARD,
    companion::Companion,
    vreader::{Place, require, search_path, text},
};

/// Longest run of a client. Much more than any needs on a busy machine.
const CLIENT_SECONDS: &str = "120";

/// A shell that tells its process number, then becomes the program that follows.
const TELLS_ITS_NUMBER: [&str; 4] = ["sh", "-c", "echo $$; exec \"$@\"", "sh"];

/// A way by which clients reach a card.
pub(crate) trait Attachment: Sync {
    /// A command line that reaches it.
    fn enter(&self, place: &Place, words: &[&str]) -> Command;
}

/// The world of one test.
pub(crate) struct World<A = Run> {
    // It ends before its folders go.
    pub(crate) attachment: A,
    pub(crate) place: Place,
}

/// `vreader run`, with these options.
pub(crate) struct Run(Vec<String>);

impl Attachment for Run {
    fn enter(&self, place: &Place, words: &[&str]) -> Command {
        let mut command = place.vreader(&["run"]);
        command.args(&self.0).arg("--").args(words);
        command
    }
}

impl World {
    /// One card, of which the state remains from client to client. `options` are those of `vreader card new`.
    pub(crate) fn with_card(options: &[&str]) -> Self {
        let world = Self::with_options(&["--card", CARD]);
        world.new_card(CARD, options);
        world
    }

    /// The readers that these options of `vreader run` make.
    pub(crate) fn with_options(options: &[&str]) -> Self {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Self { attachment: Run(options), place: Place::new() }
    }

    /// The same folder, and the readers that these options make.
    pub(crate) fn changed_to(self, options: &[&str]) -> Self {
        Self { place: self.place, ..Self::with_options(options) }
    }
}

impl<A: Attachment> World<A> {
    /// A client that reaches the card.
    pub(crate) fn client(&self, program: &str) -> Client {
        require("timeout");
        require(program);
        Client::new(self.enter(&["timeout", "--kill-after=5", CLIENT_SECONDS, program]), program)
    }

    /// A program that keeps running beside the test.
    pub(crate) fn companion(&self, words: &[&str]) -> Companion {
        require(words[0]);
        Companion::start(&mut self.enter(&[&TELLS_ITS_NUMBER, words].concat()))
    }

    /// A program that needs no reader.
    pub(crate) fn tool(&self, program: &str) -> Client {
        require("timeout");
        require(program);
        Client::new(self.beside(&["timeout", "--kill-after=5", CLIENT_SECONDS, program]), program)
    }

    /// A program that needs no reader and keeps running beside the test.
    pub(crate) fn server(&self, words: &[&str]) -> Companion {
        require(words[0]);
        Companion::start(&mut self.beside(&[&TELLS_ITS_NUMBER, words].concat()))
    }

    /// A path in the world's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.file(name)
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

    /// Reads a text of the world's folder.
    pub(crate) fn read_text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).expect("UTF-8")
    }

    fn enter(&self, words: &[&str]) -> Command {
        self.set_up(self.attachment.enter(&self.place, words))
    }

    fn beside(&self, words: &[&str]) -> Command {
        let mut command = Command::new(words[0]);
        self.place.set_up(&mut command);
        command.args(&words[1..]);
        self.set_up(command)
    }

    fn set_up(&self, mut command: Command) -> Command {
        command.env("HOME", self.path("")).env("PATH", search_path());
        command
    }
}

/// A client program about to run.
pub(crate) struct Client {
    command: Command,
    words: Vec<String>,
    input: Option<String>,
}

impl Client {
    /// `command` runs `program`, and takes its arguments last.
    pub(crate) fn new(command: Command, program: &str) -> Self {
        Self { command, words: vec![program.to_owned()], input: None }
    }

    /// Adds arguments.
    pub(crate) fn args<S: AsRef<str>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        for word in words {
            self.command.arg(word.as_ref());
            self.words.push(word.as_ref().to_owned());
        }
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// What it finds on standard input; not more than a pipe holds. Otherwise nothing.
    pub(crate) fn input(mut self, text: &str) -> Self {
        self.input = Some(text.to_owned());
        self
    }

    /// Runs the client to its end.
    pub(crate) fn run(mut self) -> Outcome {
        if self.input.is_some() {
            self.command.stdin(Stdio::piped());
        }
        let mut child =
            self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the client starts");
        if let (Some(mut pipe), Some(text)) = (child.stdin.take(), self.input) {
            // A client that fails early does not read it.
            let _ = pipe.write_all(text.as_bytes());
        }
        let output = child.wait_with_output().expect("the client ends");
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
        text(&self.output)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})\n{}", self.command, self.output.status, self.text())
    }
}
