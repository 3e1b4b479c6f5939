//! Programs and libraries from PyPI, each in a virtual environment that the first test makes and all later ones use.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use crate::vreader::{require, text};

/// Debian's Python, not another one on the search path, which would have been built with other headers.
const PYTHON: &str = "/usr/bin/python3";

/// A program of the environment that has this requirement, such as its `python`.
pub(crate) fn program(requirement: &str, name: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(requirement);
    let made = folder.join("made");
    if !made.exists() {
        require(PYTHON);
        let lock = File::create(folder.with_extension("lock")).expect("a lock file");
        // Until the file is closed. Other tests, and other runs of the tests, wait here.
        lock.lock().expect("the lock");
        if !made.exists() {
            make_environment(&folder, requirement);
            File::create(made).expect("the mark that it is complete");
        }
    }
    folder.join("bin").join(name).to_str().expect("UTF-8").to_owned()
}

fn make_environment(folder: &Path, requirement: &str) {
    // What was left by somebody who was interrupted.
    if folder.exists() {
        fs::remove_dir_all(folder).expect("the old environment goes");
    }
    done(Command::new(PYTHON).args(["-m", "venv"]).arg(folder));
    let install = ["install", "--quiet", "--no-input", "--disable-pip-version-check", requirement];
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
