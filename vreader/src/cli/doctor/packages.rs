//! The package managers that are known, and which one this system has.

use rustix::process::geteuid;

use super::probe::{Place, version_in};

/// The package of one thing, in the order of [`MANAGERS`]; empty where there is none.
pub(super) type Package = [&'static str; 5];

/// A package manager.
struct Manager {
    /// What the system is called, in `ID` or `ID_LIKE` of os-release(5).
    systems: &'static [&'static str],
    install: &'static str,
    /// What prints the version of a package, which comes last.
    version: (&'static str, &'static [&'static str]),
}

const MANAGERS: [Manager; 5] = [
    Manager {
        systems: &["debian", "ubuntu"],
        install: "apt-get install",
        version: ("dpkg-query", &["--show", "--showformat=${Version}\n"]),
    },
    Manager {
        systems: &["fedora", "rhel", "centos"],
        install: "dnf install",
        version: ("rpm", &["--query", "--queryformat=%{VERSION}\n"]),
    },
    Manager { systems: &["arch"], install: "pacman -S", version: ("pacman", &["-Q"]) },
    Manager {
        systems: &["suse", "opensuse"],
        install: "zypper install",
        version: ("rpm", &["--query", "--queryformat=%{VERSION}\n"]),
    },
    Manager { systems: &["alpine"], install: "apk add", version: ("apk", &["list", "--installed"]) },
];

/// What system this is.
pub(super) struct System {
    /// Its name, for people.
    pub(super) name: String,
    /// The place of its package manager in [`MANAGERS`].
    manager: Option<usize>,
}

impl System {
    /// From os-release(5).
    pub(super) fn of(place: &Place) -> Self {
        let found = ["/etc/os-release", "/usr/lib/os-release"].map(|path| place.text(path));
        let release = found.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        let value = |key: &str| {
            let line = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned()
        };
        let names = format!("{} {}", value("ID"), value("ID_LIKE"));
        let manager = names
            .split_whitespace()
            .find_map(|name| MANAGERS.iter().position(|manager| manager.systems.contains(&name)));
        let name = value("PRETTY_NAME");
        Self { name: if name.is_empty() { "an unknown system".into() } else { name }, manager }
    }

    /// The name of a package here.
    pub(super) fn package(&self, package: &Package) -> Option<&'static str> {
        package.get(self.manager?).copied().filter(|name| !name.is_empty())
    }

    /// The command that installs packages.
    pub(super) fn install(&self, packages: &str) -> Option<String> {
        let manager = MANAGERS.get(self.manager?)?;
        Some(as_root(&format!("{} {packages}", manager.install)))
    }

    /// The version of a package, if it is installed.
    pub(super) fn version(&self, place: &Place, package: &Package) -> Option<String> {
        let (program, arguments) = MANAGERS.get(self.manager?)?.version;
        let name = self.package(package)?;
        let answer = place.ask(program, &[arguments, &[name]].concat()).filter(|answer| answer.success)?;
        // The package's own name may have digits in it.
        version_in(answer.text.lines().next()?.trim_start_matches(name))
    }
}

/// A command that only root may give, as this user gives it.
pub(super) fn as_root(command: &str) -> String {
    if geteuid().is_root() { command.to_owned() } else { format!("sudo {command}") }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, fs};

    use super::*;

    #[test]
    fn each_system_has_its_package_manager() {
        const PACKAGE: Package = ["a", "b", "c", "d", ""];
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        for (release, package, command) in [
            ("ID=debian", Some("a"), "apt-get install x"),
            ("ID=mint\nID_LIKE=\"ubuntu debian\"", Some("a"), "apt-get install x"),
            ("ID=fedora", Some("b"), "dnf install x"),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"", Some("b"), "dnf install x"),
            ("ID=arch", Some("c"), "pacman -S x"),
            ("ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"", Some("d"), "zypper install x"),
            ("ID=alpine", None, "apk add x"),
        ] {
            fs::write(root.path().join("etc/os-release"), format!("NAME=x\n{release}\n")).unwrap();
            let system = System::of(&Place::new(root.path(), OsStr::new("/usr/bin")));
            assert_eq!(system.package(&PACKAGE), package, "{release}");
            assert!(system.install("x").unwrap().ends_with(command), "{release}");
        }
        fs::write(root.path().join("etc/os-release"), "ID=plan9\n").unwrap();
        let system = System::of(&Place::new(root.path(), OsStr::new("/usr/bin")));
        assert_eq!((system.package(&PACKAGE), system.install("x")), (None, None));
    }
}
