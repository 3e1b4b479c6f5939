//! What is looked for, as a table: how to see it, what does not work without it, which package has it.

use std::thread;

use super::{
    Finding, Looked, State, checks, library,
    packages::{Package, System},
    probe::{Place, version_in},
};

/// What a finding belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Group {
    Build,
    Worlds,
    Libraries,
    Clients,
    Modules,
    Pcscd,
}

/// How to see whether something is there.
#[derive(Clone, Copy)]
enum Look {
    /// A program in `PATH`, and the arguments that make it say its version, if any do.
    Program(&'static str, &'static [&'static str]),
    /// A program that must succeed with these arguments, and says a version.
    Says(&'static str, &'static [&'static str]),
    /// One of these files.
    Files(&'static [&'static str]),
    /// Something to try.
    Try(fn(&Place) -> Looked),
    /// Every libpcsclite.
    Libraries,
}

/// One thing.
struct Row {
    id: &'static str,
    group: Group,
    what: &'static str,
    look: Look,
    required: bool,
    costs: &'static str,
    package: Package,
}

const NO_PACKAGE: Package = [""; 5];
const OPENSC: Package = ["opensc"; 5];
const PCSC_TOOLS: Package = ["pcsc-tools"; 5];
const UNSHARE: Package = ["util-linux", "util-linux", "util-linux", "util-linux", "util-linux-misc"];

use Group::{Build, Clients, Libraries, Modules, Pcscd, Worlds};
use Look::{Files, Program, Says, Try};

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { id: "cryptography", group: Build, what: "fast cryptography", look: Try(checks::cryptography), required: false,
        costs: "RSA keys and signatures take several times as long",
        package: NO_PACKAGE },

    Row { id: "sockets", group: Worlds, what: "folder for sockets", look: Try(checks::sockets), required: true,
        costs: "vreader run and vreader serve",
        package: NO_PACKAGE },
    Row { id: "cache", group: Worlds, what: "folder for ready-made cards", look: Try(checks::cache), required: false,
        costs: "every new card is made anew, which takes longer",
        package: NO_PACKAGE },
    Row { id: "slots", group: Worlds, what: "readers in a world", look: Try(checks::slots), required: false,
        costs: "",
        package: NO_PACKAGE },
    Row { id: "unshare", group: Worlds, what: "unshare", look: Program("unshare", &["--version"]), required: false,
        costs: "vreader run --bind, and the tests with a pcscd of their own",
        package: UNSHARE },
    Row { id: "user_namespaces", group: Worlds, what: "user namespaces", look: Try(checks::user_namespaces), required: false,
        costs: "vreader run --bind for ordinary users",
        package: NO_PACKAGE },

    Row { id: "libpcsclite", group: Libraries, what: "libpcsclite", look: Look::Libraries, required: false,
        costs: "programs that use it see no reader of vreader run",
        package: library::PACKAGE },

    Row { id: "opensc-tool", group: Clients, what: "opensc-tool", look: Program("opensc-tool", &["--info"]), required: false,
        costs: "looking at readers and cards from the command line; the tests with it",
        package: OPENSC },
    Row { id: "pkcs11-tool", group: Clients, what: "pkcs11-tool", look: Program("pkcs11-tool", &[]), required: false,
        costs: "logging in, signing, decrypting from the command line; the tests with it",
        package: OPENSC },
    Row { id: "pkcs15-tool", group: Clients, what: "pkcs15-tool", look: Program("pkcs15-tool", &[]), required: false,
        costs: "reading certificates and changing PINs from the command line; the tests with it",
        package: OPENSC },
    Row { id: "piv-tool", group: Clients, what: "piv-tool", look: Program("piv-tool", &[]), required: false,
        costs: "writing to cards from the command line; the tests with it",
        package: OPENSC },
    Row { id: "pcsc_scan", group: Clients, what: "pcsc_scan", look: Program("pcsc_scan", &["-V"]), required: false,
        costs: "watching cards come and go; the tests with it",
        package: PCSC_TOOLS },
    Row { id: "scriptor", group: Clients, what: "scriptor", look: Program("scriptor", &[]), required: false,
        costs: "sending commands by hand; the tests with it",
        package: PCSC_TOOLS },
    Row { id: "openssl", group: Clients, what: "openssl", look: Program("openssl", &["version"]), required: false,
        costs: "the tests that check certificates and signatures, and those with TLS",
        package: ["openssl"; 5] },
    Row { id: "certutil", group: Clients, what: "certutil", look: Program("certutil", &[]), required: false,
        costs: "vreader certs export --nss; the tests with it",
        package: ["libnss3-tools", "nss-tools", "nss", "mozilla-nss-tools", "nss-tools"] },
    Row { id: "ssh", group: Clients, what: "ssh", look: Program("ssh", &["-V"]), required: false,
        costs: "logging in by ssh with a card; the tests with it",
        package: ["openssh-client", "openssh-clients", "openssh", "openssh-clients", "openssh-client-default"] },
    Row { id: "sshd", group: Clients, what: "sshd", look: Program("sshd", &["-V"]), required: false,
        costs: "the tests that log in by ssh",
        package: ["openssh-server", "openssh-server", "openssh", "openssh-server", "openssh-server"] },
    Row { id: "curl", group: Clients, what: "curl", look: Program("curl", &["--version"]), required: false,
        costs: "TLS with a card's certificate from the command line; the tests with it",
        package: ["curl"; 5] },
    Row { id: "python3", group: Clients, what: "python3", look: Program("python3", &["--version"]), required: false,
        costs: "the pytest fixture in vreader/python, and its tests",
        package: ["python3", "python3", "python", "python3", "python3"] },
    Row { id: "pyscard", group: Clients, what: "pyscard",
        look: Says("python3", &["-c", "import importlib.metadata as m; print(m.version('pyscard'))"]), required: false,
        costs: "Python programs that use cards; vreader/python/run-tests brings its own",
        package: ["python3-pyscard", "python3-pyscard", "python-pyscard", "python3-pyscard", "py3-pyscard"] },
    Row { id: "yubico-piv-tool", group: Clients, what: "yubico-piv-tool",
        look: Program("yubico-piv-tool", &["--version"]), required: false,
        costs: "trying Yubico's tool; no test needs it",
        package: ["yubico-piv-tool"; 5] },
    Row { id: "ykman", group: Clients, what: "ykman", look: Program("ykman", &["--version"]), required: false,
        costs: "trying Yubico's manager; no test needs it",
        package: ["yubikey-manager"; 5] },

    Row { id: "opensc-pkcs11", group: Modules, what: "OpenSC's PKCS#11 module",
        look: Files(&["/usr/lib/*-linux-*/opensc-pkcs11.so", "/usr/lib64/opensc-pkcs11.so", "/usr/lib/opensc-pkcs11.so",
            "/usr/lib64/pkcs11/opensc-pkcs11.so", "/usr/local/lib/opensc-pkcs11.so"]), required: false,
        costs: "cards in ssh, curl, openssl and browsers; the tests with them",
        package: ["opensc-pkcs11", "opensc", "opensc", "opensc", "opensc"] },
    Row { id: "openssl-pkcs11", group: Modules, what: "OpenSSL's engine for PKCS#11",
        look: Files(&["/usr/lib/*-linux-*/engines-*/pkcs11.so", "/usr/lib64/engines-*/pkcs11.so",
            "/usr/lib/engines-*/pkcs11.so", "/usr/lib/engines-*/libpkcs11.so"]), required: false,
        costs: "openssl and curl with a card's key; the tests with them",
        package: ["libengine-pkcs11-openssl", "openssl-pkcs11", "libp11", "openssl-engine-libp11", "libp11"] },
    Row { id: "ykcs11", group: Modules, what: "Yubico's PKCS#11 module",
        look: Files(&["/usr/lib/*-linux-*/libykcs11.so*", "/usr/lib64/libykcs11.so*", "/usr/lib/libykcs11.so*",
            "/usr/local/lib/libykcs11.so*"]), required: false,
        costs: "trying Yubico's module; no test needs it",
        package: ["ykcs11", "yubico-piv-tool", "yubico-piv-tool", "", "yubico-piv-tool-libs"] },

    Row { id: "pcscd", group: Pcscd, what: "pcscd", look: Program("pcscd", &["--version"]), required: false,
        costs: "vreader vpcd, and the tests with a pcscd of their own",
        package: ["pcscd", "pcsc-lite", "pcsclite", "pcsc-lite", "pcsc-lite"] },
    Row { id: "vpcd", group: Pcscd, what: "vpcd, its driver for virtual readers",
        look: Files(&["/etc/reader.conf.d/vpcd"]), required: false,
        costs: "vreader vpcd, and the tests with a pcscd of their own",
        package: ["vsmartcard-vpcd", "", "", "", ""] },
    Row { id: "pcscd_running", group: Pcscd, what: "pcscd runs", look: Try(checks::pcscd_socket), required: false,
        costs: "vreader vpcd",
        package: NO_PACKAGE },
    Row { id: "vpcd_port", group: Pcscd, what: "vpcd waits for a card", look: Try(checks::vpcd_port), required: false,
        costs: "vreader vpcd",
        package: NO_PACKAGE },
];

/// Looks for everything at once, and tells it in the order of the table.
pub(super) fn look(place: &Place, system: &System) -> Vec<Finding> {
    thread::scope(|scope| {
        let looks: Vec<_> =
            ROWS.iter().map(|row| (row, scope.spawn(|| row.look.at(place, system)))).collect();
        let found = looks.into_iter().flat_map(|(row, look)| {
            let looked =
                look.join().unwrap_or_else(|_| vec![Looked::new(State::Missing, "the look for it failed")]);
            looked.into_iter().map(|looked| row.finding(looked, system))
        });
        found.collect()
    })
}

impl Look {
    fn at(self, place: &Place, system: &System) -> Vec<Looked> {
        let one = match self {
            Self::Libraries => return library::look(place, system),
            Self::Program(name, arguments) => program(place, name, arguments),
            Self::Says(name, arguments) => says(place, name, arguments),
            Self::Files(patterns) => files(place, patterns),
            Self::Try(attempt) => attempt(place),
        };
        vec![one]
    }
}

fn program(place: &Place, name: &str, arguments: &[&str]) -> Looked {
    let Some(path) = place.program(name) else {
        return Looked::new(State::Missing, format!("no program {name}"));
    };
    let answer = if arguments.is_empty() { None } else { place.ask(name, arguments) };
    let version = answer.and_then(|answer| version_in(&answer.text));
    let found = version.clone().unwrap_or_else(|| path.display().to_string());
    Looked { version, path: Some(path), ..Looked::new(State::Ok, found) }
}

fn says(place: &Place, name: &str, arguments: &[&str]) -> Looked {
    match place.ask(name, arguments) {
        Some(answer) if answer.success => {
            let version = version_in(&answer.text);
            let found = version.clone().unwrap_or_else(|| "there".into());
            Looked { version, ..Looked::new(State::Ok, found) }
        }
        Some(_) => Looked::new(State::Missing, format!("{name} does not know it")),
        None => Looked::new(State::Missing, format!("no {name} that could tell")),
    }
}

fn files(place: &Place, patterns: &[&str]) -> Looked {
    match place.files(patterns).into_iter().next() {
        Some(path) => {
            let found = path.display().to_string();
            Looked { path: Some(path), ..Looked::new(State::Ok, found) }
        }
        None => Looked::new(State::Missing, "not in the usual folders"),
    }
}

impl Row {
    fn finding(&self, looked: Looked, system: &System) -> Finding {
        let wanting = looked.state != State::Ok;
        let package = system.package(&self.package).filter(|_| wanting && looked.remedy.is_none());
        Finding {
            id: self.id,
            group: self.group,
            what: self.what,
            state: looked.state,
            required: self.required,
            version: looked.version,
            protocol: looked.protocol,
            path: looked.path,
            found: looked.found,
            costs: wanting.then_some(self.costs),
            package,
            install: package.map_or(looked.remedy.filter(|_| wanting), |package| system.install(package)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_says_what_it_costs_and_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for row in ROWS {
            assert!(names.insert(row.id), "{} comes twice", row.id);
            assert!(row.id == "slots" || !row.costs.is_empty(), "{}", row.id);
            // What is a program, a file or a library comes in a package, on Debian at least.
            assert_eq!(matches!(row.look, Try(_)), row.package[0].is_empty(), "{}", row.id);
        }
    }
}
