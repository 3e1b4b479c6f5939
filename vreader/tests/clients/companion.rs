//! A program that runs beside a test: what it says, what is said to it, its end.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use crate::{
    vreader::{PATIENCE, send},
    world::{Attachment, World},
};

/// A program that runs; dropped, it is ended.
pub(crate) struct Companion {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    heard: Vec<String>,
    number: u32,
}

impl Companion {
    /// Starts a command whose first words are the number of the process that will be the program.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let input = child.stdin.take().expect("a pipe");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut number = String::new();
        output.read_line(&mut number).expect("its process number");
        let mut complaints = BufReader::new(child.stderr.take().expect("a pipe"));
        let number = number.trim().parse().unwrap_or_else(|_| {
            let mut complaint = String::new();
            let _ = complaints.read_to_string(&mut complaint);
            panic!("the program did not start: {complaint}")
        });
        let (sender, lines) = channel();
        let outputs: [Box<dyn BufRead + Send>; 2] = [Box::new(output), Box::new(complaints)];
        for output in outputs {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in output.lines().map_while(Result::ok) {
                    // The test may be over before the program is.
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, input, lines, heard: Vec::new(), number }
    }

    /// Types a line.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the program reads its input");
    }

    /// Waits for a line, and returns what `wanted` makes of it.
    pub(crate) fn hear<T>(&mut self, what: &str, wanted: impl Fn(&str) -> Option<T>) -> T {
        self.hear_within(PATIENCE, wanted)
            .unwrap_or_else(|| panic!("waited for {what}; the program said\n{}", self.heard.join("\n")))
    }

    /// Waits for a line not longer than this.
    pub(crate) fn hear_within<T>(
        &mut self,
        patience: Duration,
        wanted: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let end = Instant::now() + patience;
        loop {
            let line = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())).ok()?;
            self.heard.push(line);
            if let Some(found) = self.heard.last().and_then(|line| wanted(line)) {
                return Some(found);
            }
        }
    }

    /// Waits for a line that contains `part`.
    pub(crate) fn hear_line(&mut self, part: &str) -> String {
        self.hear(part, |line| line.contains(part).then(|| line.to_owned()))
    }

    /// Sends a signal by name to the program, from within its world, which may count its own processes, and waits for its end.
    pub(crate) fn end_by(mut self, world: &World<impl Attachment>, signal: &str) -> ExitStatus {
        world.client("sh").args(["-c", &format!("kill -{signal} {}", self.number)]).succeeds();
        self.child.wait().expect("the program ends")
    }

    /// Waits for the program to end by itself.
    pub(crate) fn ends(mut self) -> ExitStatus {
        self.child.wait().expect("the program ends")
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // `vreader run` passes it on; a program in namespaces ends with them.
            send("TERM", self.child.id());
            let _ = self.child.wait();
        }
        if thread::panicking() {
            self.heard.extend(self.lines.try_iter());
            eprintln!("--- a program beside the test said:\n{}\n---", self.heard.join("\n"));
        }
    }
}
