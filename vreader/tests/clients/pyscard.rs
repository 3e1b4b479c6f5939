//! pyscard, the Python library: connections, transactions, requests and its two monitors. What it does stands in
//! `pyscard/cases.py`; each case is a program under `vreader run`.
//!
//! pyscard comes from PyPI, in a virtual environment that the first test makes and all later ones use.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    card::{CARD, PIN, VREADER},
    vreader::{require, text},
    world::World,
};

const PYSCARD: &str = "pyscard==2.3.1";

/// Debian's Python, not another one on the search path, which would have been built with other headers.
const PYTHON: &str = "/usr/bin/python3";

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/pyscard/cases.py");

/// The Python that has pyscard.
fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PYSCARD);
    let made = folder.join("made");
    if !made.exists() {
        require(PYTHON);
        let lock = File::create(folder.with_extension("lock")).expect("a lock file");
        // Until the file is closed. Other tests, and other runs of the tests, wait here.
        lock.lock().expect("the lock");
        if !made.exists() {
            make_environment(&folder);
            File::create(made).expect("the mark that it is complete");
        }
    }
    folder.join("bin/python")
}

fn make_environment(folder: &Path) {
    // What was left by somebody who was interrupted.
    if folder.exists() {
        fs::remove_dir_all(folder).expect("the old environment goes");
    }
    done(Command::new(PYTHON).args(["-m", "venv"]).arg(folder));
    let install = ["install", "--quiet", "--no-input", "--disable-pip-version-check", PYSCARD];
    done(Command::new(folder.join("bin/pip")).args(install));
}

fn done(command: &mut Command) {
    let output = command.output().expect("it starts");
    assert!(
        output.status.success(),
        "{command:?}: {}\nIt needs the network and what tools/install-clients installs",
        text(&output)
    );
}

/// Runs a case in a world with a new card. `options` are more of `vreader run`.
fn passes(case: &str, options: &[&str]) {
    let world = World::with_options(&[&["--card", CARD], options].concat());
    world.new_card(CARD, &[]);
    let python = python();
    let python = python.to_str().expect("UTF-8");
    let said =
        world.client(python).env("VREADER", VREADER).args([CASES, &format!("Cases.test_{case}")]).succeeds();
    assert!(said.contains("Ran 1 test") && said.ends_with("OK\n"), "{said}");
}

#[test]
fn readers_and_cards_are_found() {
    passes("readers_and_cards", &["--empty"]);
}

#[test]
fn attributes_and_control_codes_answer() {
    passes("attributes_and_control", &[]);
}

#[test]
fn a_key_pad_takes_the_pin() {
    passes("key_pad", &["--pinpad", PIN]);
}

#[test]
fn a_connection_leaves_the_card_as_it_is_told_to() {
    passes("dispositions", &[]);
}

#[test]
fn an_exclusive_connection_keeps_others_out() {
    passes("exclusive_connection", &[]);
}

#[test]
fn a_transaction_lets_others_wait() {
    passes("transactions", &[]);
}

#[test]
fn removal_and_reset_are_told() {
    passes("removal", &[]);
}

#[test]
fn a_request_gets_its_card_or_times_out() {
    passes("card_request", &[]);
}

#[test]
fn the_card_monitor_sees_cards_and_readers_come_and_go() {
    passes("card_monitor", &[]);
}

#[test]
fn the_reader_monitor_sees_readers_come_and_go() {
    passes("reader_monitor", &[]);
}
