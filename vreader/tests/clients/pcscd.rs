//! A private machine-within-the-machine: its own network, its own `/run`, its own process numbers, and in it Debian's
//! pcscd with vpcd.
//!
//! The machine's pcscd is never touched, tests run side by side, and nothing outlives a test: the world's
//! first process holds only a pipe from this one, and when that pipe closes, because the test ended in
//! whatever way, the kernel kills everything in the world.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
};

use crate::{
    card::{CARD, VREADER},
    companion::Companion,
    vreader::{Place, require, search_path, wait_for},
    world::{Attachment, World},
};

/// What the world's first process does: loopback up, a `/run` of its own, and then it waits for the end.
const INIT: &str =
    "ip link set lo up && mount -t tmpfs tmpfs /run && mkdir /run/pcscd && echo ready && exec cat";

/// What vpcd's readers are called, before their numbers.
const READERS: &str = "Virtual PCD";

/// The reader of vpcd's first slot.
pub(crate) const READER: &str = "Virtual PCD 00 00";

/// The namespaces.
pub(crate) struct Pcscd {
    init: Child,
    /// The first process, as this side numbers it.
    first: u32,
    /// What pcscd says.
    log: PathBuf,
    /// What vpcd's readers are called, before their numbers.
    readers: &'static str,
}

impl Attachment for Pcscd {
    fn enter(&self, place: &Place, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        place.set_up(&mut command);
        // Entering a mount namespace leaves a process at its root: the folder has to be named here.
        let folder = format!("--wd={}", place.file("").display());
        command.args(["--target", &self.first.to_string(), "--mount", "--net", "--pid", &folder]);
        if !is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").args(words);
        command
    }
}

impl World<Pcscd> {
    /// A world with pcscd running in it.
    pub(crate) fn with_pcscd() -> Self {
        let world = Self::without_pcscd();
        world.start_pcscd();
        world
    }

    /// The same, with readers by another name: programs know devices by it.
    pub(crate) fn with_readers_called(name: &'static str) -> Self {
        let mut world = Self::without_pcscd();
        world.attachment.readers = name;
        world.start_pcscd();
        world
    }

    /// A world with pcscd and one card in its reader. `options` are those of `vreader card new`.
    pub(crate) fn with_plugged_card(options: &[&str]) -> (Self, Companion) {
        let world = Self::with_pcscd();
        world.new_card(CARD, options);
        let vreader = world.plug(&[CARD]);
        (world, vreader)
    }

    /// A world in which nothing runs.
    pub(crate) fn without_pcscd() -> Self {
        for program in ["unshare", "nsenter", "ip"] {
            require(program);
        }
        let place = Place::new();
        let (init, first) = new_namespaces();
        let log = place.file("pcscd.log");
        Self { attachment: Pcscd { init, first, log, readers: READERS }, place }
    }

    /// Starts pcscd and waits until it takes calls.
    pub(crate) fn start_pcscd(&self) {
        require("pcscd");
        let installed = fs::read_to_string("/etc/reader.conf.d/vpcd")
            .expect("vsmartcard-vpcd is not installed: run tools/install-clients");
        let configuration = self.path("reader.conf.d");
        fs::create_dir_all(&configuration).expect("a folder for pcscd");
        let named = installed.replace(READERS, self.attachment.readers);
        fs::write(configuration.join("vpcd"), named).expect("a file for pcscd");
        let configuration = configuration.to_str().expect("UTF-8");
        let log = File::create(&self.attachment.log).expect("a log file");
        let mut pcscd = self
            .attachment
            .enter(&self.place, &["pcscd", "--foreground", "--info", "--config", configuration]);
        pcscd.env("PATH", search_path()).stdout(log.try_clone().expect("a handle")).stderr(log);
        // Its end is the world's end, or `stop_pcscd`; the handle that enters the world has nothing to add.
        drop(pcscd.spawn().expect("nsenter starts"));
        let socket = self.socket();
        wait_for("pcscd opens its socket", || socket.exists().then_some(()));
    }

    /// Ends pcscd and waits until it is gone.
    pub(crate) fn stop_pcscd(&self) {
        self.client("sh").args(["-c", "kill $(cat /run/pcscd/pcscd.pid)"]).succeeds();
        let socket = self.socket();
        wait_for("pcscd removes its socket", || (!socket.exists()).then_some(()));
    }

    /// pcscd's socket, as this side sees it.
    pub(crate) fn socket(&self) -> PathBuf {
        format!("/proc/{}/root/run/pcscd/pcscd.comm", self.attachment.first).into()
    }

    /// Starts `vreader vpcd` without waiting for anything.
    pub(crate) fn begin_to_plug(&self, files: &[&str]) -> Companion {
        self.begin_to_plug_with(files, &[])
    }

    fn begin_to_plug_with(&self, files: &[&str], options: &[&str]) -> Companion {
        let mut words = vec![VREADER, "vpcd"];
        for file in files {
            words.extend(["--card", file]);
        }
        words.extend(options);
        self.companion(&words)
    }

    /// Plugs cards in, the first into the first slot, and waits until PC/SC programs see them.
    pub(crate) fn plug(&self, files: &[&str]) -> Companion {
        self.plug_with(files, &[])
    }

    /// The same with more options of `vreader vpcd`.
    pub(crate) fn plug_with(&self, files: &[&str], options: &[&str]) -> Companion {
        let vreader = self.begin_to_plug_with(files, options);
        for slot in 0..files.len() {
            self.wait_for_card(slot, true);
        }
        vreader
    }

    /// Waits until a PC/SC program sees a card in a slot, or none.
    pub(crate) fn wait_for_card(&self, slot: usize, present: bool) {
        let what = format!("a card in slot {slot} is seen: {present}");
        wait_for(&what, || (self.sees_card(slot) == Some(present)).then_some(()));
    }

    /// Whether a PC/SC program sees a card in a slot; nothing if it does not even see the reader.
    fn sees_card(&self, slot: usize) -> Option<bool> {
        // pcscd may be just starting, which is a failure of this client and no reason to give up.
        let listing = self.client("opensc-tool").args(["--list-readers"]).run().text();
        let name = format!("{} 00 {slot:02}", self.attachment.readers);
        let line = listing.lines().find(|line| line.contains(&name))?;
        Some(line.split_whitespace().nth(1)? == "Yes")
    }

    /// Pulls the card of slot 0 and puts it back: power and all volatile state are lost in between.
    pub(crate) fn reinsert(&self, vreader: &mut Companion) {
        vreader.say("remove 0");
        self.wait_for_card(0, false);
        vreader.say("insert 0");
        self.wait_for_card(0, true);
    }
}

impl Drop for Pcscd {
    fn drop(&mut self) {
        // Closing the pipe ends the first process, and with it the world.
        drop(self.init.stdin.take());
        let _ = self.init.wait();
        if thread::panicking() {
            eprintln!("--- pcscd said:\n{}---", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// The process that keeps new namespaces, and the first process in them.
fn new_namespaces() -> (Child, u32) {
    let mut unshare = Command::new("unshare");
    if !is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let mut init = unshare
        .args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .args(["sh", "-c", INIT])
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
    (init, first)
}

/// Whether this process may make namespaces without a user namespace: its effective user (proc(5),
/// /proc/pid/status) is 0.
pub(crate) fn is_root() -> bool {
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
