//! A world for whoever writes a test: hands that move cards, programs that see them, and what happened.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use card_sim::profile::PIV;

use super::{
    CardError, CardSource, FolderError, Readers, ReadersError, cards::Shelf, control, folder::SocketFolder,
};
use crate::{
    attach::pcsc::{SOCKET_VARIABLE, Server, Slots, SocketError},
    image::PowerCut,
    random,
    reader::{Finger, InsertedCard, Interface, ReaderSettings, Service, Settings, TouchHabit},
    trace::{Event, Exchange, Recorder, Secrets, exchanges},
};

/// The name of the PC/SC socket in a world's folder, as in `/run/pcscd`.
const SOCKET: &str = "pcscd.comm";

/// What a reader is called unless it is told.
pub const DEFAULT_READER: &str = "vreader";

/// Choices that hold for a whole world.
#[derive(Clone, Debug, Default)]
pub struct WorldSettings {
    /// Choices that hold for all readers. There may be as many as clients have room for, whatever the limit here.
    pub readers: Settings,
    /// How many readers the clients have room for.
    pub slots: Slots,
    /// Makes new cards, what cards draw at random, and the numbers of contexts and handles repeatable.
    pub seed: Option<u64>,
    /// When a card is touched that asks for it.
    pub touch: TouchHabit,
    /// A file that gets everything that passes, an event a line.
    pub trace: Option<PathBuf>,
    /// Whether PINs and keys in commands are recorded.
    pub secrets: Secrets,
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
    /// There is no card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The card cannot be put in.
    #[error(transparent)]
    Readers(#[from] ReadersError),
    /// The trace cannot be written.
    #[error("cannot write the trace {}: {source}", path.display())]
    Trace {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gives no randomness: {0}")]
    Random(#[from] getrandom::Error),
}

/// What was waited for did not happen.
#[derive(Debug, thiserror::Error)]
#[error("waited {patience:?} in vain; this happened until then:\n{}", lines(happened))]
pub struct NotSeen {
    /// How long.
    pub patience: Duration,
    /// What happened instead.
    pub happened: Vec<Event>,
}

fn lines(events: &[Event]) -> String {
    events.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A private PC/SC world, until it is dropped.
pub struct World {
    server: Server,
    readers: Arc<Readers>,
    recorder: Arc<Recorder>,
    shelf: Arc<Shelf>,
    // Last: what is in the folder goes first.
    folder: SocketFolder,
}

impl World {
    /// A world with one reader, `vreader 00 00`, and a new PIV card in it, as `vreader run` makes it. Programs can
    /// connect when this returns.
    pub fn start() -> Result<Self, WorldError> {
        let world = Self::with(&WorldSettings::default())?;
        world.add(ReaderSettings::new(DEFAULT_READER), Some(&CardSource::Profile(&PIV)))?;
        Ok(world)
    }

    /// A world without readers.
    pub fn with(settings: &WorldSettings) -> Result<Self, WorldError> {
        let rng = match settings.seed {
            Some(seed) => random::from_seed("handles", seed),
            None => random::from_system()?,
        };
        let mut of_readers = settings.readers;
        of_readers.limits.readers = settings.slots.count();
        let file = settings.trace.as_deref().map(create_trace).transpose()?;
        let recorder = Arc::new(Recorder::new(file, settings.secrets));
        let service = Arc::new(Service::observed(of_readers, rng, recorder.clone()));
        let folder = SocketFolder::create()?;
        let server = Server::start(&folder.path().join(SOCKET), Arc::clone(&service), settings.slots)?;
        let shelf = Arc::new(Shelf::new(settings.seed, settings.touch));
        Ok(Self { server, readers: Arc::new(Readers::new(service)), recorder, shelf, folder })
    }

    // Hands.

    /// The readers and their cards.
    pub fn readers(&self) -> &Arc<Readers> {
        &self.readers
    }

    /// A card for this world. A new one is ready made if one was made before; two of one profile are two cards.
    pub fn card(&self, source: &CardSource) -> Result<Box<dyn InsertedCard>, CardError> {
        Ok(Box::new(self.shelf.card(source)?))
    }

    /// Plugs a reader in, with a card or without. Returns its full name.
    pub fn add(&self, reader: ReaderSettings, card: Option<&CardSource>) -> Result<String, WorldError> {
        let card = card.map(|source| self.card(source)).transpose()?;
        Ok(self.readers.add(reader, card)?)
    }

    /// Takes the card out of the only reader. Programs see it when this returns; so with the others. Where there are
    /// several readers, use [`World::readers`].
    pub fn remove(&self) -> Result<(), ReadersError> {
        self.readers.remove(&self.readers.find(None)?)
    }

    /// Puts the card back into the only reader.
    pub fn insert(&self) -> Result<(), ReadersError> {
        self.readers.insert(&self.readers.find(None)?, None)
    }

    /// Puts another card into the only reader.
    pub fn swap(&self, card: &CardSource) -> Result<(), WorldError> {
        let card = self.card(card)?;
        Ok(self.readers.swap(&self.readers.find(None)?, card)?)
    }

    /// Resets the card in the only reader, as another program could.
    pub fn reset(&self) -> Result<(), ReadersError> {
        self.readers.reset(&self.readers.find(None)?)
    }

    /// Turns the card in the only reader over: to its contacts or its antenna ([`Readers::set_interface`]).
    pub fn set_interface(&self, interface: Interface) -> Result<(), ReadersError> {
        self.readers.set_interface(&self.readers.find(None)?, interface)
    }

    /// Touches the card in the only reader, which waits for it, or will within `patience` ([`Readers::touch`]). The world's
    /// [`WorldSettings::touch`] must be [`TouchHabit::WhenTold`]: otherwise no card waits, or in vain.
    pub fn touch(&self, patience: Duration) -> Result<(), ReadersError> {
        self.touch_with(Finger::Enrolled, patience)
    }

    /// The same with this finger: a YubiKey Bio can tell whose it is.
    pub fn touch_with(&self, finger: Finger, patience: Duration) -> Result<(), ReadersError> {
        self.readers.touch(&self.readers.find(None)?, finger, patience)
    }

    /// The next write of the card in the only reader loses power ([`Readers::tear`]):
    /// `world.tear(PowerCut::default())`, or another one, in another way.
    pub fn tear(&self, cut: PowerCut) -> Result<(), ReadersError> {
        self.readers.tear(&self.readers.find(None)?, cut)
    }

    // Programs.

    /// A program that will run in this world.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let (variable, value) = self.environment();
        command.env(variable, value);
        command
    }

    /// What a program needs in its environment to be in this world.
    pub fn environment(&self) -> (&'static str, &OsStr) {
        (SOCKET_VARIABLE, self.socket().as_os_str())
    }

    /// The PC/SC socket.
    pub fn socket(&self) -> &Path {
        self.server.path()
    }

    /// The folder with the sockets.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the socket of [`Control`](super::Control) belongs: beside the PC/SC socket, so that whoever knows one knows
    /// the other.
    pub fn control_socket(&self) -> PathBuf {
        control::beside(self.socket())
    }

    // What happened.

    /// The recording of what happens: the last events.
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// The last events, up to now.
    ///
    /// What a program did is there when the program has its answer. That it ended is seen a moment later: wait for its
    /// [`Disconnected`](crate::trace::What::Disconnected).
    pub fn events(&self) -> Vec<Event> {
        self.readers.service().flush();
        self.recorder.after(0)
    }

    /// What programs asked cards, and what they were told: [`World::events`] with chains and GET RESPONSE put together.
    pub fn exchanges(&self) -> Vec<Exchange> {
        exchanges(&self.events())
    }

    /// The first event that is `wanted`; waits for it if it has not happened.
    pub fn wait_for(&self, patience: Duration, wanted: impl FnMut(&Event) -> bool) -> Result<Event, NotSeen> {
        self.wait_for_after(0, patience, wanted)
    }

    /// The same, for events after number `after`, such as [`Recorder::last`] told it before.
    pub fn wait_for_after(
        &self,
        after: u64,
        patience: Duration,
        wanted: impl FnMut(&Event) -> bool,
    ) -> Result<Event, NotSeen> {
        let found = self.recorder.wait_for(after, patience, wanted);
        found.ok_or_else(|| NotSeen { patience, happened: self.recorder.after(after) })
    }

    pub(super) fn shelf(&self) -> &Arc<Shelf> {
        &self.shelf
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Calls that wait end now; otherwise the connections would be waited for in vain.
        self.readers.service().close();
        self.recorder.close();
    }
}

/// A new file for its user alone. What was in it is gone.
fn create_trace(path: &Path) -> Result<File, WorldError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path).map_err(|source| WorldError::Trace { path: path.into(), source })
}
