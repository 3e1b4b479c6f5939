//! A world at `/run/pcscd`, for programs that take no directions: those that ignore the environment variable, and those
//! that run set-uid, where libpcsclite 2.1.0 and later ignores it.
//!
//! The program gets a mount namespace of its own, in which the world's folder lies over `/run/pcscd`; nobody else sees
//! that. Whoever may not make mounts gets a user namespace first, in which he may; the program keeps its user and group and
//! loses that right again before it starts. util-linux's `unshare` makes the namespaces, since only a process without
//! threads can; it runs this program again, as [`enter`].

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::{
            fs::{DirBuilderExt, symlink},
            process::CommandExt,
        },
    },
    path::{Path, PathBuf},
    process::Command,
};

use rustix::{
    fs::{FileType, Mode, OFlags, fstat, open},
    mount::{MountFlags, mount, mount_bind, mount_bind_recursive},
    thread::clear_ambient_capability_set,
};

use super::program::ProgramError;

/// The hidden subcommand that calls [`enter`].
pub const ENTER: &str = "enter-bind";

/// Where programs look when nobody tells them.
const PLACE: &str = "/run/pcscd";
const RUN: &str = "/run";

/// The bit of CAP_SYS_ADMIN (capabilities(7)): the right to make namespaces and mounts.
const SYS_ADMIN: u32 = 21;

/// Why a program cannot have the world at `/run/pcscd`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// There is no `unshare`.
    #[error("--bind needs the program unshare of util-linux: {0}; install util-linux")]
    NoUnshare(io::Error),
    /// The system allows no namespaces.
    #[error(
        "--bind: this system lets you make no mounts of your own (unshare says: {said}); have root allow user namespaces \
         (sysctl user.max_user_namespaces=10000, kernel.unprivileged_userns_clone=1 on Debian, \
         kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu), or run as root, or leave --bind out: \
         most programs do without"
    )]
    NotAllowed {
        /// What `unshare` said.
        said: String,
    },
    /// This program cannot find itself.
    #[error("--bind: cannot find this program's own file: {0}")]
    NoSelf(io::Error),
    /// A step inside the namespace failed.
    #[error("--bind: cannot {action}: {source}")]
    Step {
        /// What was tried.
        action: String,
        /// What the system says.
        source: io::Error,
    },
    /// The program does not run.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

/// A command that runs `program` with the world's folder over `/run/pcscd`.
pub fn command(folder: &Path, program: &OsStr, arguments: &[OsString]) -> Result<Command, BindError> {
    let own_program = std::env::current_exe().map_err(BindError::NoSelf)?;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let unshare = || {
        let mut unshare = Command::new("unshare");
        if !may_mount(&status) {
            unshare.args(["--user", "--map-current-user", "--keep-caps"]);
        }
        unshare.args(["--mount", "--propagation", "private", "--"]);
        unshare
    };
    let attempt = unshare().arg("true").output().map_err(BindError::NoUnshare)?;
    if !attempt.status.success() {
        let said = String::from_utf8_lossy(&attempt.stderr).trim().to_owned();
        return Err(BindError::NotAllowed { said });
    }
    let mut command = unshare();
    command.arg(own_program).arg(ENTER).arg(folder).arg("--").arg(program).args(arguments);
    Ok(command)
}

/// In the new namespaces: puts the folder over `/run/pcscd` and becomes the program. Returns only when that fails.
pub fn enter(folder: &Path, program: &OsStr, arguments: &[OsString]) -> BindError {
    match place(folder) {
        Ok(()) => {
            let source = Command::new(program).args(arguments).exec();
            ProgramError::from_run(program, source).into()
        }
        Err(error) => error,
    }
}

fn place(folder: &Path) -> Result<(), BindError> {
    // By its descriptor: its name may be under what is about to be covered.
    let folder = open_path(folder)?;
    if !Path::new(PLACE).is_dir() {
        copy_run()?;
        fs::DirBuilder::new().mode(0o755).create(PLACE).map_err(step(format!("make {PLACE}")))?;
    }
    mount_bind(by_descriptor(&folder), PLACE).map_err(step(format!("put the readers at {PLACE}")))?;
    // The right to make mounts was for us, not for the program.
    clear_ambient_capability_set().map_err(step("give back the right to make mounts"))
}

/// Lays an empty `/run` over the old one, with everything of the old one in it: only root can make a folder in that.
fn copy_run() -> Result<(), BindError> {
    let old = open_path(Path::new(RUN))?;
    let mut entries = Vec::new();
    for entry in fs::read_dir(by_descriptor(&old)).map_err(step(format!("list {RUN}")))?.flatten() {
        let path = Path::new(RUN).join(entry.file_name());
        let what = open_path(&path)?;
        // A link is made anew; it has nothing that could be mounted.
        let link = fs::read_link(&path).ok();
        entries.push((path, what, link));
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", RUN, "tmpfs", flags, c"mode=0755").map_err(step(format!("lay a folder over {RUN}")))?;
    for (path, what, link) in entries {
        show_again(&path, &what, link).map_err(step(format!("show {} again", path.display())))?;
    }
    Ok(())
}

fn show_again(path: &Path, what: &OwnedFd, link: Option<PathBuf>) -> io::Result<()> {
    if let Some(target) = link {
        return symlink(target, path);
    }
    match FileType::from_raw_mode(fstat(what)?.st_mode) {
        FileType::Directory => fs::create_dir(path)?,
        _ => drop(fs::File::create_new(path)?),
    }
    Ok(mount_bind_recursive(by_descriptor(what), path)?)
}

/// A descriptor that stands for a file of any kind and allows nothing but that.
fn open_path(path: &Path) -> Result<OwnedFd, BindError> {
    open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        .map_err(step(format!("look at {}", path.display())))
}

fn by_descriptor(descriptor: impl AsFd) -> String {
    format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd())
}

fn step<E: Into<io::Error>>(action: impl Into<String>) -> impl FnOnce(E) -> BindError {
    let action = action.into();
    move |source| BindError::Step { action, source: source.into() }
}

/// Whether this process has CAP_SYS_ADMIN already, from `/proc/self/status`.
fn may_mount(status: &str) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let set = effective.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or_default();
    set >> SYS_ADMIN & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_to_mount_is_read_from_the_status() {
        for (set, expected) in
            [("000001ffffffffff", true), ("0000000000200000", true), ("00000000a80425fb", false)]
        {
            assert_eq!(
                may_mount(&format!("Name:\tx\nCapEff:\t{set}\nCapBnd:\t000001ffffffffff\n")),
                expected
            );
        }
        assert!(!may_mount(""));
    }
}
