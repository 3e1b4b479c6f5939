//! All readers, contexts and handles of one world, as one value: PC/SC's rules, call by call.
//!
//! Promises: no function blocks, sleeps, reads a clock or starts a thread; the same calls with the same generator
//! give the same answers. A call that would have to wait changes nothing and returns `Poll::Pending`. Whatever
//! numbers a client sends, the answer is a return code. Follows pcscd 1.9.9 to 2.5.1, with the differences that the
//! module text of [`reader`](super) lists.

mod connect;
mod exchange;
mod manage;
mod transaction;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rand_core::Rng;

use super::device::Device;
use super::lease::LeaseId;
use super::request::check_scope;
use super::{Event, Peer, Refusal, ReturnCode, Settings, Snapshot, Ticket, Turn, What};
use crate::random::CardRng;

pub use connect::Connection;
pub use manage::ManageError;

/// Whom a context belongs to: one connection of an attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(u64);

#[cfg(test)]
impl ClientId {
    /// A client that nobody has.
    pub(crate) fn for_tests(number: u64) -> Self {
        Self(number)
    }
}

/// A context.
struct Context {
    client: ClientId,
    /// Its handles, in the order of their opening.
    handles: Vec<u32>,
}

/// Whose handle it is, and to which reader; the reader may be gone.
#[derive(Clone, Copy)]
struct Handle {
    context: u32,
    device: u64,
}

/// The readers of one world, with all that clients have open.
pub struct Readers {
    settings: Settings,
    rng: CardRng,
    now: Duration,
    devices: Vec<Device>,
    contexts: BTreeMap<u32, Context>,
    /// The clients that told who they are.
    peers: BTreeMap<ClientId, Arc<Peer>>,
    handles: BTreeMap<u32, Handle>,
    /// Numbers for clients, readers, tickets and leases: never given twice.
    next_number: u64,
    change: u64,
    reader_events: u32,
    ready: Vec<Ticket>,
    /// What happened, if somebody wants to know.
    events: Option<Vec<Event>>,
}

impl Readers {
    /// A world without readers. `rng` gives contexts and handles their numbers. Its time is 0.
    pub fn new(settings: Settings, rng: CardRng) -> Self {
        Self {
            settings,
            rng,
            now: Duration::ZERO,
            devices: Vec::new(),
            contexts: BTreeMap::new(),
            peers: BTreeMap::new(),
            handles: BTreeMap::new(),
            next_number: 0,
            change: 0,
            reader_events: 1,
            ready: Vec::new(),
            events: None,
        }
    }

    /// From now on keeps what happens, until [`Readers::take_events`].
    pub fn keep_events(&mut self) {
        self.events.get_or_insert_default();
    }

    /// What happened since the last call, in order.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.events.as_mut().map(std::mem::take).unwrap_or_default()
    }

    // Time.

    /// Lets time pass until `now`, counted from the beginning of the world: cards that are unused for long enough lose
    /// their power. Time never goes back.
    pub fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
        for device in &mut self.devices {
            if device.slot.power_off_at().is_some_and(|at| at <= self.now) {
                device.power_down();
            }
        }
        self.settle();
    }

    /// When [`Readers::advance`] has something to do.
    pub fn next_power_off(&self) -> Option<Duration> {
        self.devices.iter().filter_map(|device| device.slot.power_off_at()).min()
    }

    /// When a card that is unused from now on loses its power.
    fn end_of_grace(&self) -> Option<Duration> {
        self.settings.auto_power_off.grace().map(|grace| self.now.saturating_add(grace))
    }

    // What everybody may see.

    /// All readers, and which moment this is.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            readers: self.devices.iter().map(Device::state).collect(),
            change: self.change,
            reader_events: self.reader_events,
        }
    }

    /// Which moment this is: [`Snapshot::change`].
    pub fn change(&self) -> u64 {
        self.change
    }

    // Waiting.

    /// The tickets of calls that were pending and may now succeed. One is named as long as its call has not been made
    /// again.
    pub fn take_ready(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.ready)
    }

    /// Leaves the queues: the call will not be made again.
    pub fn give_up(&mut self, turn: &mut Turn) {
        if let Some(ticket) = turn.finish() {
            for device in &mut self.devices {
                device.lock_queue.leave(ticket);
                device.card_queue.leave(ticket);
            }
        }
        self.settle();
    }

    /// What every call does last: leaves the queues if it is done, and counts what it changed.
    fn finish<T>(&mut self, turn: &mut Turn, answer: Poll<T>) -> Poll<T> {
        if answer.is_ready() {
            self.give_up(turn);
        } else {
            self.settle();
        }
        answer
    }

    /// Counts changes, collects what happened, finds out whose turn it is.
    fn settle(&mut self) {
        let mut changed = false;
        for device in &mut self.devices {
            changed |= std::mem::take(&mut device.changed);
            let notes = std::mem::take(&mut device.notes).into_iter();
            if let Some(events) = &mut self.events {
                events.extend(notes.map(|what| {
                    let client = what.client().and_then(|client| self.peers.get(&client).cloned());
                    Event { at: self.now, reader: device.name.clone(), client, what }
                }));
            }
            self.ready.extend(device.whose_turn());
        }
        self.change += u64::from(changed);
    }

    fn draw_ticket(&mut self, turn: &mut Turn) -> Ticket {
        turn.draw(|| Ticket(next(&mut self.next_number)))
    }

    // Contexts.

    /// A new client.
    pub fn new_client(&mut self) -> ClientId {
        ClientId(next(&mut self.next_number))
    }

    /// What a client's doings are told under.
    pub fn introduce(&mut self, client: ClientId, peer: Peer) {
        self.peers.insert(client, Arc::new(peer));
    }

    /// SCardEstablishContext.
    pub fn establish(&mut self, client: ClientId, scope: u32) -> Result<u32, ReturnCode> {
        check_scope(scope)?;
        if self.contexts.len() >= self.settings.limits.contexts {
            return Err(ReturnCode::NoMemory);
        }
        let context = self.unused_number();
        self.contexts.insert(context, Context { client, handles: Vec::new() });
        Ok(context)
    }

    /// SCardReleaseContext: disconnects its handles. A card in the middle of one's transaction is reset.
    pub fn release(
        &mut self,
        client: ClientId,
        context: u32,
        turn: &mut Turn,
    ) -> Poll<Result<(), ReturnCode>> {
        let answer = self.try_release(client, context, turn);
        self.finish(turn, answer)
    }

    fn try_release(
        &mut self,
        client: ClientId,
        context: u32,
        turn: &mut Turn,
    ) -> Poll<Result<(), ReturnCode>> {
        self.check_context(client, context)?;
        while let Some(handle) =
            self.contexts.get(&context).and_then(|context| context.handles.first().copied())
        {
            if self.abandon(handle, turn).is_pending() {
                return Poll::Pending;
            }
        }
        self.contexts.remove(&context);
        Poll::Ready(Ok(()))
    }

    /// The client is gone: releases all its contexts.
    pub fn client_gone(&mut self, client: ClientId, turn: &mut Turn) -> Poll<()> {
        let mine = |(number, context): (&u32, &Context)| (context.client == client).then_some(*number);
        while let Some(context) = self.contexts.iter().find_map(mine) {
            if self.release(client, context, turn).is_pending() {
                return Poll::Pending;
            }
        }
        self.peers.remove(&client);
        Poll::Ready(())
    }

    /// Whose context it is.
    pub fn owner_of(&self, context: u32) -> Option<ClientId> {
        self.contexts.get(&context).map(|context| context.client)
    }

    /// The context is one of this client's.
    fn check_context(&self, client: ClientId, context: u32) -> Result<(), ReturnCode> {
        if self.owner_of(context) == Some(client) {
            Ok(())
        } else if self.contexts.values().any(|context| context.client == client) {
            Err(ReturnCode::InvalidValue)
        } else {
            Err(ReturnCode::InvalidHandle)
        }
    }

    // Handles.

    /// The handle, if it is one of this client's.
    fn handle_of(&self, client: ClientId, handle: u32) -> Result<Handle, Refusal> {
        let found = self.handles.get(&handle).filter(|found| self.owner_of(found.context) == Some(client));
        found.copied().ok_or(Refusal::ForeignHandle)
    }

    /// The reader of a handle of this client's.
    fn device_of(&mut self, client: ClientId, handle: u32) -> Result<&mut Device, Refusal> {
        let id = self.handle_of(client, handle)?.device;
        // What pcscd says of a handle whose reader was unplugged.
        Ok(self.device(id).ok_or(ReturnCode::InvalidValue)?)
    }

    fn device(&mut self, id: u64) -> Option<&mut Device> {
        self.devices.iter_mut().find(|device| device.id == id)
    }

    /// A number that is neither a context's nor a handle's: 31 random bits, not 0.
    fn unused_number(&mut self) -> u32 {
        loop {
            let number = self.rng.next_u32() >> 1;
            if number != 0 && !self.contexts.contains_key(&number) && !self.handles.contains_key(&number) {
                return number;
            }
        }
    }

    fn next_lease(&mut self) -> LeaseId {
        LeaseId(next(&mut self.next_number))
    }

    fn count_reader_event(&mut self) {
        // A signed 16-bit number in pcscd, which starts at 1 again.
        self.reader_events = if self.reader_events >= 0x7FFF { 1 } else { self.reader_events + 1 };
        self.change += 1;
    }

    /// Notes something that happened in a reader, for those who want to know.
    fn note(&mut self, device: u64, what: What) {
        if self.events.is_some()
            && let Some(device) = self.device(device)
        {
            device.notes.push(what);
        }
    }
}

/// The next number, which has never been given.
fn next(counter: &mut u64) -> u64 {
    *counter += 1;
    *counter
}
