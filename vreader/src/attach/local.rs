//! Unix sockets for the programs of one user: a thread a connection.
//!
//! Promises:
//! * Only processes of this process's effective user are served, whatever the folder's permissions say.
//! * Connections do not know of each other: one that stalls, floods or dies costs its own thread and nothing else.
//! * There are never more than a fixed number of connections; who comes later is told.
//! * When the server is dropped, its socket file is gone, all connections are closed, and their threads have ended, but
//!   for those that are still at work after a grace of two seconds.
//! * Nothing is polled: an idle server uses no processor time.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::{net, process};

/// The longest path that fits into a socket's address (unix(7): `sun_path` has 108 bytes with its NUL).
pub(crate) const LONGEST_PATH: usize = 107;

/// How long the end of the server waits for connections that are still at work.
const GRACE: Duration = Duration::from_secs(2);

/// How long to wait when the system has no descriptor or memory for another connection.
const SHORTAGE: Duration = Duration::from_millis(50);

/// Longest time for which a client may leave an answer unread. Answers fit into the socket's buffer, so that only a
/// client that asks without ever reading comes to feel it.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The path does not fit into a socket's address.
    #[error(
        "the socket {} has a name of {length} bytes, and a socket's name has {LONGEST_PATH} at most; \
         set XDG_RUNTIME_DIR or TMPDIR to a folder with a shorter name",
        path.display()
    )]
    TooLong {
        /// Which path.
        path: PathBuf,
        /// Its bytes.
        length: usize,
    },
    /// The system refused the socket.
    #[error("cannot open the socket {}: {source}", path.display())]
    Refused {
        /// Which path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What a server does with connections.
pub(crate) trait Serve: Send + Sync + 'static {
    /// Serves one connection to its end, on its own thread.
    fn serve(&self, stream: &Arc<UnixStream>);

    /// Tells a client that there are too many; must not block.
    fn refuse(&self, stream: &UnixStream);
}

/// A socket with a thread for each connection.
pub(crate) struct LocalServer {
    shared: Arc<Shared>,
    path: PathBuf,
    listener: Arc<UnixListener>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    stopping: AtomicBool,
    open: Mutex<Connections>,
    one_closed: Condvar,
    most: usize,
}

#[derive(Default)]
struct Connections {
    next: u64,
    streams: HashMap<u64, Arc<UnixStream>>,
}

impl LocalServer {
    /// Opens the socket and serves up to `most` connections at a time. `name` is that of its threads.
    pub(crate) fn start(
        path: &Path,
        name: &'static str,
        most: usize,
        serve: impl Serve,
    ) -> Result<Self, SocketError> {
        let length = path.as_os_str().len();
        if length > LONGEST_PATH {
            return Err(SocketError::TooLong { path: path.into(), length });
        }
        let refused = |source| SocketError::Refused { path: path.into(), source };
        let listener = Arc::new(UnixListener::bind(path).map_err(refused)?);
        // An odd umask must not keep our own user out.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(refused)?;
        let shared = Arc::new(Shared {
            stopping: AtomicBool::new(false),
            open: Mutex::default(),
            one_closed: Condvar::new(),
            most,
        });
        let accepting = thread::Builder::new()
            .name(name.into())
            .spawn({
                let (shared, listener) = (Arc::clone(&shared), Arc::clone(&listener));
                move || shared.accept(&listener, name, &Arc::new(serve))
            })
            .map_err(refused)?;
        Ok(Self { shared, path: path.into(), listener, accepting: Some(accepting) })
    }

    /// Where the socket is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        // The file may be gone already, with its folder.
        let _ = fs::remove_file(&self.path);
        self.shared.stopping.store(true, Ordering::Release);
        // On Linux this ends the `accept` that the thread is in.
        let _ = net::shutdown(&self.listener, net::Shutdown::Both);
        if let Some(thread) = self.accepting.take() {
            // A panic there was told by the panic hook.
            let _ = thread.join();
        }
        let open = self.shared.lock();
        for stream in open.streams.values() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        let ended = self.shared.one_closed.wait_timeout_while(open, GRACE, |open| !open.streams.is_empty());
        drop(ended.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Connections> {
        // Nothing that holds this lock can leave the map half changed.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &UnixListener, name: &str, serve: &Arc<impl Serve>) {
        loop {
            let accepted = listener.accept();
            if self.stopping.load(Ordering::Acquire) {
                return;
            }
            match accepted {
                Ok((stream, _)) => self.welcome(stream, name, serve),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(%error, "no further connection for a moment");
                    thread::sleep(SHORTAGE);
                }
            }
        }
    }

    fn welcome(self: &Arc<Self>, stream: UnixStream, name: &str, serve: &Arc<impl Serve>) {
        if !is_own(&stream) {
            return;
        }
        let Some(connection) = self.open(stream, serve.as_ref()) else { return };
        let thread = thread::Builder::new().name(format!("{name} {}", connection.number)).spawn({
            let serve = Arc::clone(serve);
            move || serve.serve(&connection.stream)
        });
        if let Err(error) = thread {
            tracing::warn!(%error, "no thread for another connection");
        }
    }

    /// Notes a connection, unless there are too many.
    fn open(self: &Arc<Self>, stream: UnixStream, serve: &impl Serve) -> Option<Connection> {
        let mut open = self.lock();
        if open.streams.len() >= self.most {
            drop(open);
            serve.refuse(&stream);
            return None;
        }
        let stream = Arc::new(stream);
        let number = open.next;
        open.next += 1;
        open.streams.insert(number, Arc::clone(&stream));
        Some(Connection { shared: Arc::clone(self), number, stream })
    }
}

/// A connection that is noted, until it is dropped.
struct Connection {
    shared: Arc<Shared>,
    number: u64,
    stream: Arc<UnixStream>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Others may still hold the stream; the client is to see its end now.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        self.shared.lock().streams.remove(&self.number);
        self.shared.one_closed.notify_all();
    }
}

/// Whether the peer's process has our user; and sets what every connection needs.
fn is_own(stream: &UnixStream) -> bool {
    let own = process::geteuid();
    match net::sockopt::socket_peercred(stream) {
        Ok(peer) if peer.uid == own => stream.set_write_timeout(Some(WRITE_PATIENCE)).is_ok(),
        Ok(peer) => {
            tracing::warn!(
                process = peer.pid.as_raw_nonzero().get(),
                user = peer.uid.as_raw(),
                "a program of another user was turned away"
            );
            false
        }
        Err(error) => {
            tracing::warn!(%error, "a program without credentials was turned away");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// Sends back what it gets.
    struct Echo;

    impl Serve for Echo {
        fn serve(&self, stream: &Arc<UnixStream>) {
            let mut buffer = [0; 64];
            while let Ok(length @ 1..) = (&**stream).read(&mut buffer) {
                if (&**stream).write_all(&buffer[..length]).is_err() {
                    return;
                }
            }
        }

        fn refuse(&self, mut stream: &UnixStream) {
            let _ = stream.write_all(b"full");
        }
    }

    fn start(most: usize) -> (tempfile::TempDir, LocalServer) {
        let folder = tempfile::tempdir().unwrap();
        let server = LocalServer::start(&folder.path().join("socket"), "echo", most, Echo).unwrap();
        (folder, server)
    }

    fn says_back(stream: &mut UnixStream) {
        stream.write_all(b"hello").unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello");
    }

    #[test]
    fn connections_are_served_side_by_side_up_to_the_limit() {
        let (_folder, server) = start(2);
        let mut first = UnixStream::connect(server.path()).unwrap();
        let mut second = UnixStream::connect(server.path()).unwrap();
        says_back(&mut second);
        says_back(&mut first);
        let mut refused = String::new();
        UnixStream::connect(server.path()).unwrap().read_to_string(&mut refused).unwrap();
        assert_eq!(refused, "full");
        drop(first);
        // The place is free when the thread of the first has seen its end.
        let shared = Arc::clone(&server.shared);
        let free = shared.one_closed.wait_timeout_while(shared.lock(), GRACE, |open| open.streams.len() > 1);
        assert!(!free.unwrap().1.timed_out());
        says_back(&mut UnixStream::connect(server.path()).unwrap());
    }

    #[test]
    fn the_end_closes_connections_and_leaves_no_file() {
        let (folder, server) = start(8);
        let mut client = UnixStream::connect(server.path()).unwrap();
        says_back(&mut client);
        drop(server);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let name = |length: usize| {
            let missing = length - folder.path().as_os_str().len() - 1;
            folder.path().join("x".repeat(missing))
        };
        drop(LocalServer::start(&name(LONGEST_PATH), "echo", 1, Echo).unwrap());
        let error = LocalServer::start(&name(LONGEST_PATH + 1), "echo", 1, Echo).err().unwrap().to_string();
        assert!(error.contains("108 bytes") && error.contains("TMPDIR"), "{error}");
        let missing = folder.path().join("no folder").join("socket");
        let error = LocalServer::start(&missing, "echo", 1, Echo).err().unwrap();
        assert!(matches!(error, SocketError::Refused { .. }), "{error}");
    }
}
