//! Looks at what is neither a program nor a file: what is tried out instead.

use std::{
    env,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};
use vreader::{
    attach::{pcsc::Slots, vpcd::DEFAULT_PORT},
    crypto,
    run::{World, WorldSettings},
};

use super::{Looked, State, packages::as_root, probe::Place};

/// Longest path of a Unix socket (sockaddr_un, unix(7)).
const LONGEST_SOCKET_PATH: usize = 107;

/// Settings of the kernel that forbid user namespaces: the file, the value that forbids, the command that allows.
const FORBIDDEN_BY: [(&str, &str, &str); 3] = [
    ("/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
];

pub(super) fn cryptography(_: &Place) -> Looked {
    let name = crypto::backend_name();
    if cfg!(feature = "aws-lc") {
        Looked::new(State::Ok, name)
    } else {
        let remedy = Some("cargo install --path vreader --features aws-lc".to_owned());
        Looked { remedy, ..Looked::new(State::Missing, format!("{name}, which is slower")) }
    }
}

/// Makes a world for a moment.
pub(super) fn sockets(_: &Place) -> Looked {
    match World::with(&WorldSettings::default()) {
        Err(error) => Looked::new(State::Unusable, error.to_string()),
        Ok(world) => {
            let base = world.folder().parent().unwrap_or(Path::new("/")).to_owned();
            let length = world.socket().as_os_str().len();
            let found = format!("{} (paths of {length} bytes; {LONGEST_SOCKET_PATH} may be)", base.display());
            Looked { path: Some(base), ..Looked::new(State::Ok, found) }
        }
    }
}

/// Where ready-made cards are kept: as `vreader::run` keeps them.
pub(super) fn cache(_: &Place) -> Looked {
    let set = |variable| env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let Some(folder) = base.map(|base| base.join("vreader")) else {
        return Looked::new(State::Missing, "neither XDG_CACHE_HOME nor HOME is set");
    };
    // What is not there yet is made in the nearest folder that is.
    let writable = folder
        .ancestors()
        .find(|folder| folder.exists())
        .is_some_and(|folder| folder.is_dir() && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok());
    let (state, found) = if writable {
        (State::Ok, folder.display().to_string())
    } else {
        (State::Unusable, format!("{} cannot be written", folder.display()))
    };
    Looked { path: Some(folder), ..Looked::new(state, found) }
}

pub(super) fn slots(_: &Place) -> Looked {
    let slots = Slots::of_this_system();
    let why = if slots == Slots::FortyEight { "as on Fedora" } else { "as everywhere but on Fedora" };
    Looked::new(State::Ok, format!("{slots}, {why}; --slots changes it"))
}

/// Tries what `vreader run --bind` and the tests with pcscd do.
pub(super) fn user_namespaces(place: &Place) -> Looked {
    const ATTEMPT: [&str; 5] = ["--user", "--map-root-user", "--mount", "--", "true"];
    match place.ask("unshare", &ATTEMPT) {
        None => Looked::new(State::Missing, "could not be tried: there is no unshare"),
        Some(answer) if answer.success => Looked::new(State::Ok, "tried, and work"),
        Some(answer) => {
            let forbids = |(file, value, _): &&(&str, &str, &str)| place.text(file).trim() == *value;
            let remedy = FORBIDDEN_BY.iter().find(forbids).map(|(_, _, command)| as_root(command));
            let said = answer.text.trim().lines().next().unwrap_or_default().to_owned();
            Looked { remedy, ..Looked::new(State::Unusable, format!("tried in vain: {said}")) }
        }
    }
}

pub(super) fn pcscd_socket(place: &Place) -> Looked {
    const SOCKET: &str = "/run/pcscd/pcscd.comm";
    let present = place.file(SOCKET).exists();
    let found = if present { "it has its socket" } else { "there is no socket at /run/pcscd/pcscd.comm" };
    let remedy = Some(as_root("systemctl start pcscd.socket"));
    Looked { remedy, ..Looked::new(if present { State::Ok } else { State::Missing }, found) }
}

/// Looks into the kernel's list of sockets: a connection would be taken for a card.
pub(super) fn vpcd_port(place: &Place) -> Looked {
    const LISTENING: &str = "0A";
    let port = format!(":{DEFAULT_PORT:04X}");
    let listens = place.text("/proc/net/tcp").lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next().unwrap_or_default();
        local.ends_with(&port) && fields.nth(1) == Some(LISTENING)
    });
    if listens {
        Looked::new(State::Ok, format!("something listens on port {DEFAULT_PORT}"))
    } else {
        Looked::new(
            State::Missing,
            format!("nothing listens on port {DEFAULT_PORT}; pcscd with vpcd does while it runs"),
        )
    }
}
