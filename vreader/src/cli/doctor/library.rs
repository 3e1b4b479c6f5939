//! Every libpcsclite on this machine: its version, the protocol that it speaks, and whether it can be told of a world.
//!
//! A library from 1.6.5 on reads `PCSCLITE_CSOCK_NAME`; whether it does is seen in its bytes. From 2.1.0 on
//! `libpcsclite.so.1` is a thin part, and `libpcsclite_real.so.1` beside it does the work. The file does not tell its
//! version; the package manager or the pkg-config file beside it may.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use vreader::attach::pcsc::SOCKET_VARIABLE;

use super::{
    Looked, State,
    packages::{Package, System},
    probe::{Place, version_in},
};

pub(super) const PACKAGE: Package =
    ["libpcsclite1", "pcsc-lite-libs", "pcsclite", "libpcsclite1", "pcsc-lite-libs"];

const NAME: &str = "libpcsclite.so.1";
const REAL_NAME: &str = "libpcsclite_real.so.1";

/// Where the package manager puts libraries.
const SYSTEM_FOLDERS: [&str; 7] =
    ["/usr/lib/*-linux-*", "/usr/lib64", "/usr/lib", "/usr/lib32", "/lib/*-linux-*", "/lib64", "/lib"];

/// Where others do: builds of one's own, snaps, flatpaks, Nix, Homebrew.
const OTHER_FOLDERS: [&str; 11] = [
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/local/lib/*-linux-*",
    "/snap/*/current/usr/lib/*-linux-*",
    "/var/lib/flatpak/runtime/*/*/*/active/files/lib/*-linux-*",
    "/var/lib/flatpak/app/*/*/*/active/files/lib",
    "~/.local/share/flatpak/runtime/*/*/*/active/files/lib/*-linux-*",
    "~/.local/share/flatpak/app/*/*/*/active/files/lib",
    "/run/current-system/sw/lib",
    "~/.nix-profile/lib",
    "/home/linuxbrew/.linuxbrew/lib",
];

/// The oldest version that speaks a protocol, and which one, newest first.
const PROTOCOLS: [([u32; 3], &str); 4] =
    [([2, 5, 0], "4:6"), ([2, 3, 0], "4:5"), ([1, 8, 24], "4:4"), ([1, 8, 4], "4:3")];

/// All of them; one that is missing if there is none.
pub(super) fn look(place: &Place, system: &System) -> Vec<Looked> {
    let with_name = |folder: &str| format!("{folder}/{NAME}");
    let own = place.files(SYSTEM_FOLDERS.map(with_name));
    let configured = configured_folders(place);
    let others = OTHER_FOLDERS.iter().copied().chain(configured.iter().map(String::as_str));
    // The system's own come first, and once.
    let all = place.files(SYSTEM_FOLDERS.into_iter().chain(others).map(with_name));
    if all.is_empty() {
        return vec![Looked::new(State::Missing, format!("no {NAME} in the usual folders"))];
    }
    let packaged = if own.is_empty() { None } else { system.version(place, &PACKAGE) };
    let version = |file: &PathBuf| {
        let of_package = packaged.clone().filter(|_| own.contains(file));
        of_package.or_else(|| version_beside(file))
    };
    all.iter().map(|file| judge(file, version(file))).collect()
}

/// The folders that the dynamic linker is told of.
fn configured_folders(place: &Place) -> Vec<String> {
    let files = place.files(["/etc/ld.so.conf.d/*.conf"]);
    let lines = files.iter().flat_map(|file| {
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    });
    let variable = env::var("LD_LIBRARY_PATH").unwrap_or_default();
    lines.chain(variable.split(':').map(str::to_owned)).filter(|folder| folder.starts_with('/')).collect()
}

/// The version in the pkg-config file that was installed with a library.
fn version_beside(library: &Path) -> Option<String> {
    let description = fs::read_to_string(library.with_file_name("pkgconfig").join("libpcsclite.pc")).ok()?;
    version_in(description.lines().find_map(|line| line.strip_prefix("Version:"))?)
}

fn judge(file: &Path, version: Option<String>) -> Looked {
    let protocol = version.as_deref().map(protocol_of);
    let told = version.as_deref().unwrap_or("of unknown version");
    let (state, found) = match (reads_variable(file), protocol) {
        (false, _) => (
            State::Unusable,
            format!(
                "{told}; it does not know {SOCKET_VARIABLE} (1.6.5 and later do): only `vreader run --bind` reaches it"
            ),
        ),
        (true, Some(None)) => (
            State::Unusable,
            format!("{told}; its protocol is older than 4:3 (1.8.4 and later), which vreader does not speak"),
        ),
        (true, Some(Some(protocol))) => (State::Ok, format!("{told}, protocol {protocol}")),
        (true, None) => (State::Ok, told.to_owned()),
    };
    Looked { version, protocol: protocol.flatten(), path: Some(file.into()), ..Looked::new(state, found) }
}

fn reads_variable(file: &Path) -> bool {
    let has = |file: &Path, word: &str| {
        fs::read(file).is_ok_and(|bytes| bytes.windows(word.len()).any(|window| window == word.as_bytes()))
    };
    has(file, SOCKET_VARIABLE)
        || (has(file, REAL_NAME) && has(&file.with_file_name(REAL_NAME), SOCKET_VARIABLE))
}

/// The protocol that a version speaks, if vreader speaks it, too.
fn protocol_of(version: &str) -> Option<&'static str> {
    let mut numbers = version.split('.').map(|part| {
        let digits = part.split(|character: char| !character.is_ascii_digit()).next().unwrap_or_default();
        digits.parse().unwrap_or(0)
    });
    let numbers = [(); 3].map(|()| numbers.next().unwrap_or(0));
    PROTOCOLS.iter().find(|(oldest, _)| numbers >= *oldest).map(|(_, protocol)| *protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_speak_the_protocol_of_the_table() {
        for (version, protocol) in [
            ("2.5.1", Some("4:6")),
            ("2.4.1", Some("4:5")),
            ("2.3.0", Some("4:5")),
            ("2.2.3", Some("4:4")),
            ("1.9.9", Some("4:4")),
            ("1.8.24", Some("4:4")),
            ("1.8.23", Some("4:3")),
            ("1.8.4", Some("4:3")),
            ("1.8.3", None),
            ("1.6.5", None),
            ("2.3", Some("4:5")),
            ("10.0.0", Some("4:6")),
        ] {
            assert_eq!(protocol_of(version), protocol, "{version}");
        }
    }
}
