//! A `vreader serve` for several clients of one test, whose cards `vreader ctl` moves.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
};

use crate::{
    card::{CARD, VREADER},
    vreader::{Place, start_serving},
    world::{Attachment, World},
};

/// The reader of a world with one.
pub(crate) const READER: &str = "vreader 00 00";

/// What the card did, in the world's folder.
pub(crate) const LOG: &str = "vreader.log";

/// How many lines of it are shown when a test fails.
const LAST: usize = 40;

/// The server; dropped, it is killed.
pub(crate) struct Serve {
    socket: PathBuf,
    child: Child,
    log: PathBuf,
}

impl Attachment for Serve {
    fn enter(&self, place: &Place, words: &[&str]) -> Command {
        let mut command = Command::new(words[0]);
        place.set_up(&mut command);
        command.args(&words[1..]).env("PCSCLITE_CSOCK_NAME", &self.socket);
        command
    }
}

impl World<Serve> {
    /// Where programs of this side reach the readers.
    pub(crate) fn socket(&self) -> &Path {
        &self.attachment.socket
    }

    /// One reader with a new card. `options` are those of `vreader card new`.
    pub(crate) fn with_served_card(options: &[&str]) -> Self {
        World::with_card(options).serve(&["--card", CARD])
    }

    /// Moves cards and readers.
    pub(crate) fn ctl(&self, words: &[&str]) {
        self.ctl_says(words);
    }

    /// Moves cards and readers, or looks at them; what `vreader ctl` printed.
    pub(crate) fn ctl_says(&self, words: &[&str]) -> String {
        let ctl = self.tool(VREADER).args(["ctl"]).args(words);
        ctl.env("PCSCLITE_CSOCK_NAME", &self.attachment.socket).succeeds()
    }

    /// Pulls the card and puts it back: power and all volatile state are lost in between.
    pub(crate) fn reinsert(&self) {
        self.ctl(&["remove"]);
        self.ctl(&["insert"]);
    }
}

impl World {
    /// Keeps readers and cards for several clients. `options` are those of `vreader serve`.
    pub(crate) fn serve(self, options: &[&str]) -> World<Serve> {
        let log = self.path(LOG);
        let mut command = self.place.vreader(&[&["serve"], options].concat());
        command.env("VREADER_LOG", "debug").env("NO_COLOR", "1");
        let (child, socket) = start_serving(command.stderr(File::create(&log).expect("a log file")));
        World { attachment: Serve { socket, child, log }, place: self.place }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(LAST)..].join("\n");
            eprintln!("--- vreader serve said at last:\n{last}\n---");
        }
    }
}
