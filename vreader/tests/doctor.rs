//! `vreader doctor` on made-up systems, and on this one.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// The fields of every finding: programs rely on them.
const FIELDS: [&str; 12] = [
    "costs", "found", "group", "id", "install", "package", "path", "protocol", "required", "state",
    "version", "what",
];

const READS_VARIABLE: &str = "\0PCSCLITE_CSOCK_NAME\0";

/// A made-up system.
struct System {
    root: TempDir,
    runtime: TempDir,
}

impl System {
    fn new(release: &str) -> Self {
        let folder = || tempfile::tempdir().expect("a temporary folder");
        let system = Self { root: folder(), runtime: folder() };
        system.file("etc/os-release", release);
        system
    }

    fn file(&self, path: &str, text: &str) -> PathBuf {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.file(&format!("usr/bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn doctor(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vreader"));
        command
            .args(["doctor", "--root"])
            .arg(self.root.path())
            .env("PATH", "/usr/bin")
            .env("XDG_RUNTIME_DIR", self.runtime.path())
            .env("HOME", "/home/somebody")
            .env_remove("XDG_CACHE_HOME")
            .env_remove("LD_LIBRARY_PATH");
        command
    }

    fn findings(&self) -> Vec<Value> {
        let findings = findings(&self.doctor().arg("--json").output().unwrap());
        assert_eq!(fs::read_dir(self.runtime.path()).unwrap().count(), 0, "nothing is left of the trial");
        findings
    }
}

fn findings(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn all<'a>(findings: &'a [Value], id: &str) -> Vec<&'a Value> {
    findings.iter().filter(|finding| finding["id"] == id).collect()
}

fn one<'a>(findings: &'a [Value], id: &str) -> &'a Value {
    match all(findings, id)[..] {
        [finding] => finding,
        ref others => panic!("{id}: {others:?}"),
    }
}

fn states(findings: &[Value], id: &str) -> Vec<String> {
    all(findings, id).iter().map(|finding| finding["state"].as_str().unwrap().to_owned()).collect()
}

/// A command as this user would give it.
fn as_root(command: &str) -> String {
    if rustix::process::geteuid().is_root() { command.to_owned() } else { format!("sudo {command}") }
}

#[test]
fn every_finding_has_the_same_fields_on_an_empty_system_and_on_this_one() {
    let empty = System::new("");
    let here = Command::new(env!("CARGO_BIN_EXE_vreader")).args(["doctor", "--json"]).output().unwrap();
    let (empty, here) = (empty.findings(), findings(&here));
    let names = |findings: &[Value]| {
        let mut names: Vec<_> =
            findings.iter().map(|finding| finding["id"].as_str().unwrap().to_owned()).collect();
        names.dedup();
        names
    };
    assert_eq!(names(&empty), names(&here));
    for finding in empty.iter().chain(&here) {
        let object = finding.as_object().unwrap();
        assert_eq!(object.keys().map(String::as_str).collect::<Vec<_>>(), FIELDS, "{finding}");
        let state = object["state"].as_str().unwrap();
        assert!(["ok", "missing", "unusable"].contains(&state), "{finding}");
        assert_eq!(object["costs"].is_null(), state == "ok", "{finding}");
        assert!(object["install"].is_null() || state != "ok", "{finding}");
        assert!(!object["found"].as_str().unwrap().is_empty(), "{finding}");
    }
    let required: Vec<_> = empty.iter().filter(|finding| finding["required"] == true).collect();
    assert!(matches!(required[..], [sockets] if sockets["id"] == "sockets"), "{required:?}");
}

#[test]
fn what_is_missing_comes_with_its_cost_and_the_command_of_this_system() {
    for (release, command) in [
        ("ID=debian", "apt-get install pcscd"),
        ("ID=fedora", "dnf install pcsc-lite"),
        ("ID=manjaro\nID_LIKE=arch", "pacman -S pcsclite"),
        ("ID=opensuse-tumbleweed\nID_LIKE=\"opensuse suse\"", "zypper install pcsc-lite"),
        ("ID=alpine", "apk add pcsc-lite"),
    ] {
        let system = System::new(release);
        let findings = system.findings();
        let pcscd = one(&findings, "pcscd");
        assert_eq!(
            (pcscd["state"].as_str(), pcscd["install"].as_str()),
            (Some("missing"), Some(&*as_root(command)))
        );
        assert!(pcscd["costs"].as_str().unwrap().contains("vreader vpcd"));
        let text = String::from_utf8(system.doctor().output().unwrap().stdout).unwrap();
        assert!(
            text.contains(&format!("mend:  {}", as_root(command))) && text.contains("vreader run works here")
        );
    }
    let unknown = System::new("ID=plan9").findings();
    assert!(one(&unknown, "pcscd")["install"].is_null());
    assert!(
        one(&System::new("ID=fedora").findings(), "vpcd")["install"].is_null(),
        "Fedora has no such package"
    );
}

#[test]
fn programs_are_found_with_their_versions_and_slow_ones_are_not_waited_for() {
    let system = System::new("ID=debian");
    system.program("opensc-tool", "echo 'OpenSC 0.26.1 [gcc]'");
    system.program("ssh", "echo OpenSSH_9.9p2, OpenSSL >&2");
    system.program("curl", "kill -KILL $$");
    system.program("ykman", "exec sleep 600");
    system.program("pkcs11-tool", "echo started > \"$(dirname \"$0\")/started\"");
    system.program("python3", "case $1 in -c) echo 2.3.1 ;; *) echo Python 3.12.1 ;; esac");
    system.file("usr/bin/scriptor", "no program: nobody may execute it");
    system.file("usr/lib/riscv64-linux-gnu/engines-3/pkcs11.so", "");
    system.file("etc/reader.conf.d/vpcd", "");
    let started = Instant::now();
    let findings = system.findings();
    assert!(started.elapsed() < Duration::from_mins(1));
    for (id, state, version) in [
        ("opensc-tool", "ok", Some("0.26.1")),
        ("ssh", "ok", Some("9.9p2")),
        ("curl", "ok", None),
        ("ykman", "ok", None),
        ("pkcs11-tool", "ok", None),
        ("python3", "ok", Some("3.12.1")),
        ("pyscard", "ok", Some("2.3.1")),
        ("scriptor", "missing", None),
        ("openssl-pkcs11", "ok", None),
        ("vpcd", "ok", None),
        ("sshd", "missing", None),
    ] {
        let finding = one(&findings, id);
        assert_eq!(
            (finding["state"].as_str(), finding["version"].as_str()),
            (Some(state), version),
            "{finding}"
        );
    }
    assert!(
        !system.root.path().join("usr/bin/started").exists(),
        "a program without a version to ask is not run"
    );
    assert_eq!(
        one(&findings, "opensc-tool")["path"],
        *system.root.path().join("usr/bin/opensc-tool").to_str().unwrap()
    );
}

#[test]
fn no_program_is_led_to_a_pcscd() {
    let system = System::new("ID=debian");
    system.program("opensc-tool", "echo \"$PCSCLITE_CSOCK_NAME\" | tr -d / | sed s/^/9.9/");
    assert_eq!(one(&system.findings(), "opensc-tool")["version"], "9.9nonexistentpcscd.comm");
}

#[test]
fn every_libpcsclite_is_judged() {
    let system = System::new("ID=debian");
    system.program("dpkg-query", "test \"$3\" = libpcsclite1 && echo 1.9.9-2");
    system.file("usr/lib/x86_64-linux-gnu/libpcsclite.so.1", READS_VARIABLE);
    // From 2.1.0 on in two parts, and with a version of its own.
    system.file("usr/local/lib/libpcsclite.so.1", "\0libpcsclite_real.so.1\0");
    system.file("usr/local/lib/libpcsclite_real.so.1", READS_VARIABLE);
    system.file("usr/local/lib/pkgconfig/libpcsclite.pc", "Name: libpcsclite\nVersion: 2.5.1\n");
    // Too old for the variable; too old for the protocol; of unknown version, where the linker is told to look.
    system.file("snap/old/current/usr/lib/x86_64-linux-gnu/libpcsclite.so.1", "nothing");
    system.file("usr/local/lib64/libpcsclite.so.1", READS_VARIABLE);
    system.file("usr/local/lib64/pkgconfig/libpcsclite.pc", "Version: 1.7.4\n");
    system.file("etc/ld.so.conf.d/mine.conf", "# mine\n/opt/mine/lib\n");
    system.file("opt/mine/lib/libpcsclite.so.1", READS_VARIABLE);
    let findings = system.findings();
    let libraries: Vec<_> = all(&findings, "libpcsclite")
        .into_iter()
        .map(|finding| {
            let text = |field: &str| finding[field].as_str().unwrap_or("-").to_owned();
            let path = Path::new(finding["path"].as_str().unwrap()).strip_prefix(system.root.path()).unwrap();
            let folder = path.parent().unwrap().display().to_string();
            (folder, text("state"), text("version"), text("protocol"))
        })
        .collect();
    let expected = [
        ("usr/lib/x86_64-linux-gnu", "ok", "1.9.9", "4:4"),
        ("usr/local/lib", "ok", "2.5.1", "4:6"),
        ("usr/local/lib64", "unusable", "1.7.4", "-"),
        ("snap/old/current/usr/lib/x86_64-linux-gnu", "unusable", "-", "-"),
        ("opt/mine/lib", "ok", "-", "-"),
    ];
    let texts = expected.map(|(a, b, c, d)| (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned()));
    assert_eq!(libraries, texts);
    let missing = System::new("ID=debian").findings();
    assert_eq!(states(&missing, "libpcsclite"), ["missing"]);
    assert_eq!(one(&missing, "libpcsclite")["install"], as_root("apt-get install libpcsclite1"));
}

#[test]
fn each_package_manager_tells_the_version_of_the_library() {
    for (release, program, script) in [
        ("ID=debian", "dpkg-query", "test $3 = libpcsclite1 && echo 2.3.3-1"),
        ("ID=fedora", "rpm", "test $3 = pcsc-lite-libs && echo 2.3.3"),
        ("ID=arch", "pacman", "test $2 = pcsclite && echo pcsclite 2.3.3-1"),
        ("ID=suse", "rpm", "test $3 = libpcsclite1 && echo 2.3.3"),
        (
            "ID=alpine",
            "apk",
            "test $3 = pcsc-lite-libs && echo 'pcsc-lite-libs-2.3.3-r0 x86_64 {pcsc-lite} (BSD) [installed]'",
        ),
    ] {
        let system = System::new(release);
        system.file("usr/lib/libpcsclite.so.1", READS_VARIABLE);
        system.program(program, script);
        let findings = system.findings();
        let library = one(&findings, "libpcsclite");
        assert_eq!(
            (&library["version"], &library["protocol"]),
            (&"2.3.3".into(), &"4:5".into()),
            "{release}: {library}"
        );
        system.program(program, "echo 9.9.9; exit 1");
        assert!(one(&system.findings(), "libpcsclite")["version"].is_null(), "{release}: not of a package");
    }
}

#[test]
fn user_namespaces_are_tried_and_the_switch_that_forbids_them_is_named() {
    let system = System::new("ID=debian");
    assert_eq!(states(&system.findings(), "user_namespaces"), ["missing"]);
    system
        .program("unshare", "test \"$*\" = '--user --map-root-user --mount -- true' || echo unshare 2.40.1");
    let findings = system.findings();
    assert_eq!(one(&findings, "unshare")["version"], "2.40.1");
    assert_eq!(states(&findings, "user_namespaces"), ["ok"]);
    system.program("unshare", "echo 'unshare: unshare failed: Operation not permitted'; exit 1");
    assert!(
        one(&system.findings(), "user_namespaces")["install"].is_null(),
        "no switch is known that forbids"
    );
    for (file, value, command) in [
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"),
    ] {
        system.file(&format!("proc/sys/{file}"), &format!("{value}\n"));
        let findings = system.findings();
        let finding = one(&findings, "user_namespaces");
        assert_eq!(finding["state"], "unusable");
        assert!(finding["found"].as_str().unwrap().contains("Operation not permitted"));
        assert_eq!(finding["install"], as_root(command));
    }
}

#[test]
fn what_vreader_run_needs_decides_the_exit_status() {
    let system = System::new("ID=debian");
    assert_eq!(system.doctor().output().unwrap().status.code(), Some(0));
    // Too long for a socket.
    let long = system.runtime.path().join("x".repeat(100));
    fs::create_dir(&long).unwrap();
    for arguments in [&[][..], &["--json"]] {
        let output = system.doctor().args(arguments).env("XDG_RUNTIME_DIR", &long).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.starts_with("vreader: vreader run does not work here: ") && said.contains("107"),
            "{said}"
        );
        assert!(!output.stdout.is_empty(), "the findings are told all the same");
    }
    // The folder that is there instead of one that is not.
    let output = system.doctor().env("XDG_RUNTIME_DIR", "/none").env("TMPDIR", "/none").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("XDG_RUNTIME_DIR"));
    let usage = system.doctor().arg("--colour").output().unwrap();
    assert_eq!((usage.status.code(), usage.stdout.is_empty()), (Some(2), true));
}

#[test]
fn a_cache_that_cannot_be_written_costs_time_only() {
    let system = System::new("ID=debian");
    let file = system.file("a-file", "");
    let output = system.doctor().arg("--json").env("XDG_CACHE_HOME", &file).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let findings = findings(&output);
    let cache = one(&findings, "cache");
    assert_eq!(cache["state"], "unusable");
    assert!(
        cache["costs"].as_str().unwrap().contains("longer")
            && cache["path"] == *file.join("vreader").to_str().unwrap()
    );
}

#[test]
fn this_machine_has_what_its_files_say() {
    let output = Command::new(env!("CARGO_BIN_EXE_vreader")).args(["doctor", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let findings = findings(&output);
    let search_path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    for program in
        ["opensc-tool", "pkcs11-tool", "pcsc_scan", "scriptor", "openssl", "ssh", "curl", "pcscd", "unshare"]
    {
        let is_there = search_path.split(':').any(|folder| Path::new(folder).join(program).exists());
        let expected = if is_there { "ok" } else { "missing" };
        assert_eq!(one(&findings, program)["state"], expected, "{program}");
    }
    // The tests with clients need these, so they are here.
    for program in ["opensc-tool", "openssl", "pcsc_scan"] {
        let finding = one(&findings, program);
        assert!(finding["version"].is_string(), "run tools/install-clients: {finding}");
    }
    let libraries = all(&findings, "libpcsclite");
    assert!(libraries.iter().any(|library| library["protocol"].is_string()), "{libraries:?}");
    let text = Command::new(env!("CARGO_BIN_EXE_vreader")).arg("doctor").output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("vreader run works here") && text.contains("protocol 4:"), "{text}");
}
