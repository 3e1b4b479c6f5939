//! Looking: at files below a root, and at what programs say about themselves.

use std::{
    collections::HashSet,
    env,
    ffi::OsStr,
    fs, io,
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use vreader::attach::pcsc::SOCKET_VARIABLE;

/// How long a program may take to say what it is.
pub(super) const LIMIT: Duration = Duration::from_secs(2);

/// Most of what a program says that is read.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Where daemons and administration programs are, which is not in everybody's `PATH`.
const MORE_FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// A system: its root, and where it looks for programs.
pub(super) struct Place {
    root: PathBuf,
    program_folders: Vec<PathBuf>,
}

/// What a program said, on both outputs.
pub(super) struct Answer {
    pub(super) success: bool,
    pub(super) text: String,
}

impl Place {
    pub(super) fn new(root: &Path, search_path: &OsStr) -> Self {
        let named = env::split_paths(search_path).filter(|folder| folder.is_absolute());
        let folders = named.chain(MORE_FOLDERS.map(PathBuf::from));
        Self { root: root.into(), program_folders: folders.map(|folder| below(root, &folder)).collect() }
    }

    /// A file of this system.
    pub(super) fn file(&self, path: impl AsRef<Path>) -> PathBuf {
        below(&self.root, path.as_ref())
    }

    /// What is in a text file; nothing if it cannot be read.
    pub(super) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.file(path)).unwrap_or_default()
    }

    /// The first program with this name.
    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        self.program_folders.iter().map(|folder| folder.join(name)).find(|file| is_program(file))
    }

    /// What the program says to these arguments. `None` if there is none, or it takes too long.
    pub(super) fn ask(&self, program: &str, arguments: &[&str]) -> Option<Answer> {
        let mut command = Command::new(self.program(program)?);
        // No program is to wake up a pcscd.
        command.args(arguments).env("LC_ALL", "C").env(SOCKET_VARIABLE, "/nonexistent/pcscd.comm");
        answer(&mut command, LIMIT).ok().flatten()
    }

    /// The files that match a pattern, in which `*` stands for anything in one part of the path, and `~` for the user's
    /// home. Each file comes once, whatever its names.
    pub(super) fn files(&self, patterns: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<PathBuf> {
        let mut seen = HashSet::new();
        let found = patterns.into_iter().flat_map(|pattern| self.matches(pattern.as_ref()));
        found
            .filter(|file| {
                fs::metadata(file).is_ok_and(|metadata| seen.insert((metadata.dev(), metadata.ino())))
            })
            .collect()
    }

    fn matches(&self, pattern: &str) -> Vec<PathBuf> {
        let (start, rest) = match pattern.strip_prefix("~/") {
            None => (self.root.clone(), pattern),
            Some(rest) => match env::var_os("HOME") {
                Some(home) => (self.file(PathBuf::from(home)), rest),
                None => return Vec::new(),
            },
        };
        let parts = rest.split('/').filter(|part| !part.is_empty());
        parts.fold(vec![start], |folders, part| {
            if part.contains('*') {
                folders.iter().flat_map(|folder| entries(folder, part)).collect()
            } else {
                folders.iter().map(|folder| folder.join(part)).filter(|path| path.exists()).collect()
            }
        })
    }
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// What is in a folder under names that match, in order.
fn entries(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).into_iter().flatten().flatten();
    let fitting = all.filter(|entry| entry.file_name().to_str().is_some_and(|name| matches(pattern, name)));
    let mut found: Vec<_> = fitting.map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// Whether a name matches a pattern, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|tail| {
            tail.char_indices().map(|(at, _)| at).chain([tail.len()]).any(|at| matches(rest, &tail[at..]))
        }),
    }
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Runs a program; `None` if it does not end in time.
fn answer(command: &mut Command, limit: Duration) -> io::Result<Option<Answer>> {
    let end = Instant::now() + limit;
    let (mut output, input) = io::pipe()?;
    let mut child = {
        let both = input.try_clone()?;
        // The ends for writing must be closed here, or the end of the output is never seen.
        let command = command.stdin(Stdio::null()).stdout(input).stderr(both);
        let child = command.spawn();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        child?
    };
    let mut text = Vec::new();
    loop {
        if !readable(&output, end)? || text.len() > LONGEST_ANSWER {
            kill(&mut child);
            return Ok(None);
        }
        let mut part = [0; 4096];
        match output.read(&mut part)? {
            0 => break,
            length => text.extend(part.iter().take(length)),
        }
    }
    // It has closed its outputs, and ends with that: so do all programs of the table.
    let success = child.wait()?.success();
    Ok(Some(Answer { success, text: String::from_utf8_lossy(&text).into_owned() }))
}

/// Waits until there is something to read, or the end; `false` when the time is up.
fn readable(output: &io::PipeReader, end: Instant) -> io::Result<bool> {
    let left = end.saturating_duration_since(Instant::now());
    let limit = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
    Ok(poll(&mut [PollFd::new(output, PollFlags::IN)], Some(&limit))? > 0)
}

fn kill(child: &mut Child) {
    // It may have ended by itself just now.
    let _ = child.kill();
    let _ = child.wait();
}

/// The first thing in a text that looks like a version: digits, a dot, digits, and what belongs to it.
pub(super) fn version_in(text: &str) -> Option<String> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '.');
    let mut candidates =
        words.map(|word| word.trim_start_matches(|character: char| !character.is_ascii_digit()));
    let version = candidates.find(|word| {
        let (major, rest) = word.split_once('.').unwrap_or_default();
        !major.is_empty()
            && major.bytes().all(|byte| byte.is_ascii_digit())
            && rest.starts_with(|character: char| character.is_ascii_digit())
    })?;
    Some(version.trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (said, version) in [
            ("OpenSC 0.23.0 [gcc  12.2.0]", Some("0.23.0")),
            ("PC/SC device scanner\nV 1.6.2 (c) 2001-2022, Ludovic", Some("1.6.2")),
            ("OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.22", Some("9.2p1")),
            ("pcsc-lite version 1.9.9.\nCopyright", Some("1.9.9")),
            ("OpenSC-0.25.1, rev: x", Some("0.25.1")),
            ("yubico-piv-tool 2.7.1", Some("2.7.1")),
            ("usage: sshd [-46DdeiqTtV]", None),
            ("2001-2022 and v5.", None),
            ("", None),
        ] {
            assert_eq!(version_in(said).as_deref(), version, "{said}");
        }
    }

    #[test]
    fn names_match_patterns() {
        for (pattern, name, expected) in [
            ("*-linux-*", "x86_64-linux-gnu", true),
            ("*-linux-*", "linux-gnu", false),
            ("engines-*", "engines-3", true),
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf.old", false),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "acb", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_program_that_does_not_end_is_given_up() {
        let started = Instant::now();
        let limit = Duration::from_millis(50);
        let slow = answer(Command::new("sleep").arg("60"), limit).unwrap();
        assert!(slow.is_none() && started.elapsed() < Duration::from_secs(30));
        let endless = answer(&mut Command::new("yes"), Duration::from_mins(1)).unwrap();
        assert!(endless.is_none());
        let both = answer(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]), LIMIT)
            .unwrap()
            .unwrap();
        assert_eq!((both.success, both.text.as_str()), (false, "out\nerr\n"));
    }

    #[test]
    fn patterns_find_each_file_once() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["usr/lib/x86_64-linux-gnu", "usr/lib/i386-linux-gnu", "usr/lib/other"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
            fs::write(root.path().join(folder).join("a.so"), "").unwrap();
        }
        std::os::unix::fs::symlink("usr/lib", root.path().join("lib")).unwrap();
        let place = Place::new(root.path(), OsStr::new("/usr/bin:relative"));
        let found = place.files([
            "/lib/*-linux-*/a.so",
            "/usr/lib/*-linux-*/a.so",
            "/none/*/a.so",
            "/lib/*-linux-*/b.so",
        ]);
        assert_eq!(
            found,
            ["i386", "x86_64"].map(|machine| place.file(format!("/lib/{machine}-linux-gnu/a.so")))
        );
        assert_eq!(
            place.program_folders,
            ["/usr/bin", "/usr/sbin", "/sbin"].map(|folder| place.file(folder))
        );
    }
}
