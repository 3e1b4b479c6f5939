//! pcsc-lite's client protocol, on a private socket: every program that uses libpcsclite gets our readers when
//! `PCSCLITE_CSOCK_NAME` names the socket. No root, no daemon, no driver.
//!
//! | file | holds |
//! |---|---|
//! | `structure` | the structures, as tables of offset, field and type |
//! | `request` | bytes to requests |
//! | `dialect` | the protocol's versions 4:3 to 4:6 and what differs between them |
//! | `waiting` | the wait for changes and its one event |
//! | `connection` | one client: requests in, answers out |
//! | `remote` | the other end: readers and cards behind such a socket, transactions, insertions and removals |
//!
//! The wire facts are those of pcsc-lite 1.8.4 to 2.5.1. Where this server differs from pcscd, on purpose:
//! * It speaks four versions of the protocol and answers each client in its own.
//! * Each answer is one write; an event never comes between WAIT and the array of states.
//! * A payload that is too long gets INSUFFICIENT_BUFFER, and more connections than there may be get NO_MEMORY, where
//!   pcscd closes the connection without a word.
//! * Every connection has a thread of its own, which blocks: there is nothing that is polled.

mod connection;
mod dialect;
mod remote;
mod request;
mod source;
mod structure;
mod waiting;

use std::{fmt, fs, io::Write, os::unix::net::UnixStream, path::Path, str::FromStr, sync::Arc};

use rustix::net::sockopt::socket_peercred;

pub use self::remote::{
    ReaderEvent, RemoteCard, RemoteError, RemoteReader, Transaction, Watcher, default_socket,
};
use self::{
    connection::{Connection, End},
    dialect::Dialect,
    request::RequestError,
    structure::{Structure, Version},
};
pub use super::local::SocketError;
use super::local::{LocalServer, Serve};
use crate::reader::{Peer, ReturnCode, Service};

/// The environment variable by which libpcsclite finds the socket (1.6.5 and later).
pub const SOCKET_VARIABLE: &str = "PCSCLITE_CSOCK_NAME";

/// Connections at one time. Every context has one, and may need another for SCardCancel.
const MOST_CONNECTIONS: usize = 416;

/// How many readers the clients have room for.
///
/// Up to protocol 4:5 the array of reader states has a size that was compiled into libpcsclite: 16 everywhere but on
/// Fedora. With the wrong size a client hangs. Later clients ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Slots {
    /// As pcsc-lite comes.
    #[default]
    Sixteen,
    /// As Fedora builds it.
    FortyEight,
}

impl Slots {
    /// The size that this system's libpcsclite was built with.
    pub fn of_this_system() -> Self {
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        if is_fedora(&release) { Self::FortyEight } else { Self::Sixteen }
    }

    /// The number.
    pub const fn count(self) -> usize {
        match self {
            Self::Sixteen => 16,
            Self::FortyEight => 48,
        }
    }
}

fn is_fedora(release: &str) -> bool {
    release.lines().any(|line| matches!(line.trim(), "ID=fedora" | "ID=\"fedora\""))
}

impl FromStr for Slots {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "16" => Ok(Self::Sixteen),
            "48" => Ok(Self::FortyEight),
            _ => Err("choose 16, or 48 for Fedora's libpcsclite"),
        }
    }
}

impl fmt::Display for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.count().fmt(f)
    }
}

/// A socket that speaks the protocol, until it is dropped.
pub struct Server {
    socket: LocalServer,
}

impl Server {
    /// Opens the socket. Programs of this process's user may connect, and nobody else.
    pub fn start(path: &Path, service: Arc<Service>, slots: Slots) -> Result<Self, SocketError> {
        let socket = LocalServer::start(path, "pcsc", MOST_CONNECTIONS, Clients { service, slots })?;
        Ok(Self { socket })
    }

    /// Where the socket is: the value of [`SOCKET_VARIABLE`].
    pub fn path(&self) -> &Path {
        self.socket.path()
    }
}

struct Clients {
    service: Arc<Service>,
    slots: Slots,
}

impl Serve for Clients {
    fn serve(&self, stream: &Arc<UnixStream>) {
        let client = match peer(stream) {
            Some(peer) => self.service.client_of(peer),
            None => self.service.client(),
        };
        match Connection::new(stream, client, self.slots.count()).run() {
            End::Request(RequestError::End) => {}
            end => tracing::debug!(%end, "a client was disconnected"),
        }
    }

    /// The first answer that a client reads is that to CMD_VERSION.
    fn refuse(&self, mut stream: &UnixStream) {
        tracing::warn!("more than {MOST_CONNECTIONS} connections: a client was turned away");
        let (major, minor) = Dialect::NEWEST;
        let refusal = Version { major, minor, rv: ReturnCode::NoMemory.value() };
        // Twelve bytes fit into the buffer of a new connection; a client that is gone already need not be told.
        let _ = stream.write_all(&refusal.bytes());
    }
}

/// The program that connected, for traces.
fn peer(stream: &UnixStream) -> Option<Peer> {
    let process = socket_peercred(stream).ok()?.pid.as_raw_nonzero().get();
    let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(Peer { name: name.trim_end().to_owned(), process })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fedora_is_known_by_its_release_file() {
        for (release, fedora) in [
            ("NAME=\"Fedora Linux\"\nID=fedora\nVERSION_ID=40\n", true),
            ("ID=\"fedora\"\n", true),
            ("ID=debian\nHOME_URL=\"https://www.debian.org/\"\n", false),
            ("ID=ubuntu\nID_LIKE=debian\n", false),
            ("VARIANT_ID=fedora\n", false),
            ("", false),
        ] {
            assert_eq!(is_fedora(release), fedora, "{release}");
        }
    }

    #[test]
    fn slots_are_sixteen_or_forty_eight() {
        for slots in [Slots::Sixteen, Slots::FortyEight] {
            assert_eq!(slots.to_string().parse(), Ok(slots));
        }
        for wrong in ["", "17", "016 ", "auto"] {
            assert!(wrong.parse::<Slots>().is_err(), "{wrong}");
        }
    }
}
