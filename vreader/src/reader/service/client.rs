//! One client: the PC/SC calls of one connection.

use std::sync::Arc;
use std::task::Poll;

use super::Change;
use super::shared::{Patience, Shared, Watch};
use crate::reader::{
    ClientId, Connection, Control, Peer, Protocol, Readers, Refusal, ReturnCode, Snapshot, Turn,
};

/// A client: its contexts, its handles, its wait for changes.
///
/// An attachment has one for each connection and drops it when the connection ends: its watch is then forgotten, and
/// every context released as with [`Client::release`]. All numbers are taken as they come from the wire: checking
/// them, in the right order, is done here. Handles of other clients are refused ([`Refusal::ForeignHandle`]).
pub struct Client {
    shared: Arc<Shared>,
    id: ClientId,
    alive: Option<Box<dyn Fn() -> bool + Send>>,
}

impl Client {
    pub(super) fn new(shared: Arc<Shared>, peer: Option<Peer>) -> Self {
        let id = shared.with(|world| {
            let id = world.readers.new_client();
            if let Some(peer) = peer {
                world.readers.introduce(id, peer);
            }
            id
        });
        Self { shared, id, alive: None }
    }

    /// What tells, about once a second while a call waits, whether there is still somebody to wait for: `false` ends
    /// the call with CANCELLED.
    pub fn set_liveness(&mut self, alive: impl Fn() -> bool + Send + 'static) {
        self.alive = Some(Box::new(alive));
    }

    /// SCardEstablishContext: a new context, 1 to 0x7FFF_FFFF.
    ///
    /// # Errors
    /// INVALID_VALUE (scope), NO_MEMORY (too many contexts).
    pub fn establish(&mut self, scope: u32) -> Result<u32, ReturnCode> {
        self.call(|readers, client, _| Poll::Ready(readers.establish(client, scope)))
    }

    /// SCardReleaseContext: closes all handles of the context. If one of them is in a transaction, the card is reset.
    ///
    /// # Errors
    /// INVALID_HANDLE if this client has no context, INVALID_VALUE if it is another.
    pub fn release(&mut self, context: u32) -> Result<(), ReturnCode> {
        self.call(|readers, client, turn| readers.release(client, context, turn))
    }

    /// SCardConnect. Waits while another handle is in a transaction. `reader` is the full name, up to its NUL.
    pub fn connect(
        &mut self,
        context: u32,
        reader: &[u8],
        share_mode: u32,
        protocols: u32,
    ) -> Result<Connection, Refusal> {
        self.call(|readers, client, turn| {
            readers.connect(client, context, reader, share_mode, protocols, turn)
        })
    }

    /// SCardReconnect: the active protocol. With an initialization other than "leave", waits for the command that the
    /// card is working on.
    pub fn reconnect(
        &mut self,
        handle: u32,
        share_mode: u32,
        protocols: u32,
        initialization: u32,
    ) -> Result<Protocol, Refusal> {
        self.call(|readers, client, turn| {
            readers.reconnect(client, handle, share_mode, protocols, initialization, turn)
        })
    }

    /// SCardDisconnect. With a disposition other than "leave", waits while another handle is in a transaction.
    pub fn disconnect(&mut self, handle: u32, disposition: u32) -> Result<(), Refusal> {
        self.call(|readers, client, turn| readers.disconnect(client, handle, disposition, turn))
    }

    /// SCardBeginTransaction. Waits its turn, for as long as
    /// [`Settings::begin_patience`](crate::reader::Settings::begin_patience), and then refuses with
    /// SHARING_VIOLATION: the client library asks again, and has kept its place.
    pub fn begin(&mut self, handle: u32) -> Result<(), Refusal> {
        let patience = Patience { limit: Some(self.shared.begin_patience), ..self.patience() };
        self.shared.call(patience, |readers, turn| readers.begin(self.id, handle, turn))?
    }

    /// SCardEndTransaction. With a disposition other than "leave", waits for the command that the card is working on.
    pub fn end(&mut self, handle: u32, disposition: u32) -> Result<(), Refusal> {
        self.call(|readers, client, turn| readers.end(client, handle, disposition, turn))
    }

    /// SCardTransmit: one command, its answer. `protocol` is that of the caller's PCI, `capacity` the size of his
    /// buffer.
    pub fn transmit(
        &mut self,
        handle: u32,
        protocol: u32,
        command: &[u8],
        capacity: usize,
    ) -> Result<Vec<u8>, Refusal> {
        let lease = self.call(|readers, client, turn| readers.transmit(client, handle, protocol, turn))?;
        fitting(self.shared.run(lease, command)?, capacity)
    }

    /// SCardStatus: whether it is still the same card, and in the same state.
    pub fn status(&mut self, handle: u32) -> Result<(), Refusal> {
        self.call(|readers, client, _| Poll::Ready(readers.status(client, handle)))
    }

    /// SCardControl: a question to the reader. `capacity` is the size of the caller's buffer.
    pub fn control(
        &mut self,
        handle: u32,
        code: u32,
        input: &[u8],
        capacity: usize,
    ) -> Result<Vec<u8>, Refusal> {
        let answer =
            match self.call(|readers, client, turn| readers.control(client, handle, code, input, turn))? {
                Control::Answer(answer) => answer,
                Control::Command { lease, command } => self.shared.run(lease, &command)?,
            };
        fitting(answer, capacity)
    }

    /// SCardGetAttrib. `capacity` is the size of the caller's buffer (on the wire: 264).
    pub fn get_attrib(&mut self, handle: u32, attribute: u32, capacity: usize) -> Result<Vec<u8>, Refusal> {
        let get = |readers: &mut Readers, client, _: &mut _| {
            Poll::Ready(readers.get_attrib(client, handle, attribute))
        };
        fitting(self.call(get)?, capacity)
    }

    /// SCardSetAttrib: nothing can be set, so that it is refused after all other checks.
    pub fn set_attrib(&mut self, handle: u32, _attribute: u32, _value: &[u8]) -> Result<(), Refusal> {
        self.call(|readers, client, _| Poll::Ready(readers.set_attrib(client, handle)))
    }

    /// SCardCancel of a context of any client: ends the wait of that client ([`Client::watch`]), if there is one.
    ///
    /// # Errors
    /// INVALID_HANDLE if there is no such context.
    pub fn cancel(&mut self, context: u32) -> Result<(), ReturnCode> {
        let (known, watch) = self.shared.with(|world| {
            let client = world.readers.owner_of(context);
            (client.is_some(), client.and_then(|client| world.watches.remove(&client)))
        });
        if let Some(watch) = watch {
            (watch.notify)(Change::Cancelled);
        }
        if known { Ok(()) } else { Err(ReturnCode::InvalidHandle) }
    }

    /// Asks to be told of the next change after the moment `seen` ([`Snapshot::change`]): once, by a call of `notify`
    /// from whichever thread makes it; from this one, before this returns, if it has happened already.
    ///
    /// A watch that is there already is replaced and never called. `notify` runs without any lock of the service;
    /// what it does delays the thread that made the change.
    pub fn watch(&mut self, seen: u64, notify: impl FnOnce(Change) + Send + 'static) {
        let watch = Watch { seen, notify: Box::new(notify) };
        let (change, watch) = self.shared.with(|world| {
            let change = match (world.closed, world.readers.change() == seen) {
                (true, _) => Change::Cancelled,
                (false, false) => Change::Happened,
                (false, true) => {
                    let replaced = world.watches.insert(self.id, watch);
                    return (None, replaced);
                }
            };
            world.watches.remove(&self.id);
            (Some(change), Some(watch))
        });
        if let (Some(change), Some(watch)) = (change, watch) {
            (watch.notify)(change);
        }
    }

    /// Takes the watch back: `true` if it was still there, `false` if it has been or is just being called.
    pub fn unwatch(&mut self) -> bool {
        self.shared.with(|world| world.watches.remove(&self.id)).is_some()
    }

    /// All readers, and which moment this is.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.with(|world| world.readers.snapshot())
    }

    fn patience(&self) -> Patience<'_> {
        Patience { limit: None, alive: self.alive.as_deref().map(|alive| alive as &dyn Fn() -> bool) }
    }

    /// Makes a call that may have to wait.
    fn call<T, E: From<ReturnCode>>(
        &self,
        mut attempt: impl FnMut(&mut Readers, ClientId, &mut Turn) -> Poll<Result<T, E>>,
    ) -> Result<T, E> {
        self.shared.call(self.patience(), |readers, turn| attempt(readers, self.id, turn))?
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.unwatch();
        // A closed service has nothing to release.
        let _ = self.shared.call(Patience::default(), |readers, turn| readers.client_gone(self.id, turn));
    }
}

/// The answer, if the caller has room for it.
fn fitting(answer: Vec<u8>, capacity: usize) -> Result<Vec<u8>, Refusal> {
    if answer.len() > capacity {
        Err(Refusal::InsufficientBuffer { needed: answer.len() })
    } else {
        Ok(answer)
    }
}
