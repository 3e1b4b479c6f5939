//! A private PC/SC world: readers and cards that exist for the programs that are told of them, and for nobody else.
//!
//! [`World::start`] opens a socket that speaks pcsc-lite's protocol ([`crate::attach::pcsc`]) in a folder for this user
//! alone; a program with [`World::environment`] uses the readers behind it. Nothing is installed, no root is needed, worlds
//! do not see each other, and a world is gone, with its folder, when it is dropped.
//!
//! | file | holds |
//! |---|---|
//! | `readers` | readers and their cards, for whoever moves cards |
//! | `control` | the socket by which other processes move cards |
//! | `program` | one program in the world: signals, exit status |
//! | `bind` | the world in the place where programs look that take no directions: `/run/pcscd` |
//! | `ready_card` | cards that were made before |
//! | `folder` | where the sockets are |

pub mod bind;
pub mod control;
mod folder;
pub mod program;
mod readers;
mod ready_card;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::folder::SocketFolder;
pub use self::{
    control::Control,
    folder::FolderError,
    readers::{ReaderReport, Readers, ReadersError, SlotReport},
    ready_card::ready_card,
};
use crate::{
    attach::pcsc::{SOCKET_VARIABLE, Server, Slots, SocketError},
    random,
    reader::{Service, Settings},
};

/// The name of the PC/SC socket in a world's folder, as in `/run/pcscd`.
const SOCKET: &str = "pcscd.comm";

/// Choices that hold for a whole world.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorldSettings {
    /// Choices that hold for all readers. There may be as many as clients have room for, whatever the limit here.
    pub readers: Settings,
    /// How many readers the clients have room for.
    pub slots: Slots,
    /// Makes the numbers of contexts and handles repeatable.
    pub seed: Option<u64>,
}

/// Why there is no world.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// There is no folder for its sockets.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// There is no socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness: {0}")]
    Random(#[from] getrandom::Error),
}

/// A private PC/SC world, until it is dropped.
pub struct World {
    server: Server,
    readers: Arc<Readers>,
    // Last: what is in the folder goes first.
    folder: SocketFolder,
}

impl World {
    /// A world without readers. Programs can connect when this returns.
    pub fn start(settings: &WorldSettings) -> Result<Self, WorldError> {
        let rng = match settings.seed {
            Some(seed) => random::from_seed("handles", seed),
            None => random::from_system()?,
        };
        let mut of_readers = settings.readers;
        of_readers.limits.readers = settings.slots.count();
        let service = Arc::new(Service::new(of_readers, rng));
        let folder = SocketFolder::create()?;
        let server = Server::start(&folder.path().join(SOCKET), Arc::clone(&service), settings.slots)?;
        Ok(Self { server, readers: Arc::new(Readers::new(service)), folder })
    }

    /// The readers and their cards.
    pub fn readers(&self) -> &Arc<Readers> {
        &self.readers
    }

    /// The folder with the sockets.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The PC/SC socket.
    pub fn socket(&self) -> &Path {
        self.server.path()
    }

    /// What a program needs in its environment to be in this world.
    pub fn environment(&self) -> (&'static str, &OsStr) {
        (SOCKET_VARIABLE, self.socket().as_os_str())
    }

    /// Where the socket of [`Control`] belongs: beside the PC/SC socket, so that whoever knows one knows the other.
    pub fn control_socket(&self) -> PathBuf {
        control::beside(self.socket())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Calls that wait end now; otherwise the connections would be waited for in vain.
        self.readers.service().close();
    }
}
