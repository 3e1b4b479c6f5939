//! What the threads of one world share: the state machine, who sleeps, who watches.
//!
//! [`Shared::with`] is the only way to the state: it lets time pass before, and wakes and tells whoever it concerns
//! after. Foreign code (commands to cards, watches, observers) runs without the lock.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::Change;
use crate::random::CardRng;
use crate::reader::device::drop_quietly;
use crate::reader::{
    ClientId, InsertedCard, Lease, LeaseId, ManageError, Observer, Readers, Removed, ReturnCode, Settings,
    Ticket, Turn,
};

/// How often a waiting call asks whether there is still somebody to wait for.
const LIVENESS_INTERVAL: Duration = Duration::from_secs(1);

/// How long a call waits.
#[derive(Default, Clone, Copy)]
pub(super) struct Patience<'a> {
    /// For so long; without it, for ever.
    pub(super) limit: Option<Duration>,
    /// As long as this is true.
    pub(super) alive: Option<&'a dyn Fn() -> bool>,
}

/// Who is to be told of the next change.
pub(super) struct Watch {
    pub(super) seen: u64,
    pub(super) notify: Box<dyn FnOnce(Change) + Send>,
}

/// A call that waits for its turn.
#[derive(Default)]
struct Sleeper {
    wake: Arc<Condvar>,
    woken: bool,
}

/// A card that was taken out while it ran a command.
enum Return {
    Awaited,
    Here(Box<dyn InsertedCard>),
    Lost,
}

/// How whoever took a card out gets it.
pub(super) enum Claim {
    Card(Box<dyn InsertedCard>),
    Later(LeaseId),
}

/// What the lock protects.
pub(super) struct World {
    pub(super) readers: Readers,
    pub(super) watches: BTreeMap<ClientId, Watch>,
    pub(super) closed: bool,
    sleepers: BTreeMap<Ticket, Sleeper>,
    returns: BTreeMap<LeaseId, Return>,
    /// The moment that all have been told of.
    told: u64,
    /// When the timer thread has something to do.
    timer_at: Option<Duration>,
    /// Some thread is telling the observer.
    telling: bool,
}

pub(super) struct Shared {
    origin: Instant,
    /// How long BeginTransaction waits.
    pub(super) begin_patience: Duration,
    world: Mutex<World>,
    /// Something changed, or a card came back.
    changed: Condvar,
    /// The timer thread has another time to wait for.
    timer: Condvar,
    observer: Option<Arc<dyn Observer>>,
}

impl Shared {
    pub(super) fn new(settings: Settings, rng: CardRng, observer: Option<Arc<dyn Observer>>) -> Self {
        let mut readers = Readers::new(settings, rng);
        if observer.is_some() {
            readers.keep_events();
        }
        let world = World {
            told: readers.change(),
            readers,
            watches: BTreeMap::new(),
            closed: false,
            sleepers: BTreeMap::new(),
            returns: BTreeMap::new(),
            timer_at: None,
            telling: false,
        };
        Self {
            origin: Instant::now(),
            begin_patience: settings.begin_patience,
            world: Mutex::new(world),
            changed: Condvar::new(),
            timer: Condvar::new(),
            observer,
        }
    }

    /// The state is whole at every release of the lock, so a thread that died with it leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the state, then wakes and tells whoever it concerns.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.lock();
        world.readers.advance(self.origin.elapsed());
        let answer = work(&mut world);
        let due = self.settle(&mut world);
        drop(world);
        for watch in due {
            (watch.notify)(Change::Happened);
        }
        self.tell();
        answer
    }

    /// Wakes whoever has something to do now; returns the watches that are due.
    fn settle(&self, world: &mut World) -> Vec<Watch> {
        for ticket in world.readers.take_ready() {
            if let Some(sleeper) = world.sleepers.get_mut(&ticket) {
                sleeper.woken = true;
                sleeper.wake.notify_one();
            }
        }
        let timer_at = world.readers.next_power_off();
        if timer_at != std::mem::replace(&mut world.timer_at, timer_at) {
            self.timer.notify_one();
        }
        let change = world.readers.change();
        if change == std::mem::replace(&mut world.told, change) {
            return Vec::new();
        }
        self.changed.notify_all();
        world.watches.extract_if(.., |_, watch| watch.seen != change).map(|(_, watch)| watch).collect()
    }

    /// Tells the observer what happened: in order, whichever threads it happened in, and one thread at a time.
    fn tell(&self) {
        let Some(observer) = &self.observer else { return };
        let mut world = self.lock();
        if world.telling {
            return;
        }
        loop {
            let events = world.readers.take_events();
            world.telling = !events.is_empty();
            if events.is_empty() {
                return;
            }
            drop(world);
            let told =
                catch_unwind(AssertUnwindSafe(|| events.iter().for_each(|event| observer.observe(event))));
            world = self.lock();
            if let Err(panic) = told {
                world.telling = false;
                drop(world);
                std::panic::resume_unwind(panic);
            }
        }
    }

    /// Waits until the observer was told of all that has happened. Another thread that tells it is soon done.
    pub(super) fn flush(&self) {
        self.tell();
        while self.lock().telling {
            std::thread::yield_now();
        }
    }

    // Waiting.

    /// Makes a call as often as it takes. An error is the end of patience: SHARING_VIOLATION when the time is over,
    /// CANCELLED when there is nobody to wait for, SERVICE_STOPPED when the service is closed.
    pub(super) fn call<T>(
        &self,
        patience: Patience<'_>,
        mut attempt: impl FnMut(&mut Readers, &mut Turn) -> Poll<T>,
    ) -> Result<T, ReturnCode> {
        let mut turn = Turn::default();
        let deadline = patience.limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            let asleep = turn.ticket();
            let answer = self.with(|world| {
                if let Some(ticket) = asleep {
                    world.sleepers.remove(&ticket);
                }
                if world.closed {
                    return Err(ReturnCode::ServiceStopped);
                }
                let answer = attempt(&mut world.readers, &mut turn);
                if let (Poll::Pending, Some(ticket)) = (&answer, turn.ticket()) {
                    world.sleepers.insert(ticket, Sleeper::default());
                }
                Ok(answer)
            });
            let ended = match (answer, turn.ticket()) {
                (Ok(Poll::Ready(answer)), _) => return Ok(answer),
                (Ok(Poll::Pending), Some(ticket)) => self.sleep(ticket, deadline, patience.alive),
                // Whoever has to wait has a ticket.
                (Ok(Poll::Pending), None) => Err(ReturnCode::SharingViolation),
                (Err(code), _) => Err(code),
            };
            if let Err(code) = ended {
                self.with(|world| {
                    if let Some(ticket) = turn.ticket() {
                        world.sleepers.remove(&ticket);
                    }
                    world.readers.give_up(&mut turn);
                });
                return Err(code);
            }
        }
    }

    /// Sleeps until the ticket is called, the service is closed, or patience ends.
    fn sleep(
        &self,
        ticket: Ticket,
        deadline: Option<Instant>,
        alive: Option<&dyn Fn() -> bool>,
    ) -> Result<(), ReturnCode> {
        let mut world = self.lock();
        loop {
            let wake = match world.sleepers.get(&ticket) {
                Some(sleeper) if !sleeper.woken && !world.closed => Arc::clone(&sleeper.wake),
                _ => return Ok(()),
            };
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Err(ReturnCode::SharingViolation);
            }
            let slice = match (left, alive) {
                (Some(left), Some(_)) => Some(left.min(LIVENESS_INTERVAL)),
                (None, Some(_)) => Some(LIVENESS_INTERVAL),
                (left, None) => left,
            };
            let Some(slice) = slice else {
                world = wake.wait(world).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (woken, waited) = wake.wait_timeout(world, slice).unwrap_or_else(PoisonError::into_inner);
            world = woken;
            if let Some(alive) = alive.filter(|_| waited.timed_out()) {
                drop(world);
                if !alive() {
                    return Err(ReturnCode::Cancelled);
                }
                world = self.lock();
            }
        }
    }

    pub(super) fn wait_for_change(&self, seen: u64, patience: Duration) -> u64 {
        let unchanged = |world: &mut World| world.readers.change() == seen && !world.closed;
        let waited = self.changed.wait_timeout_while(self.lock(), patience, unchanged);
        waited.unwrap_or_else(PoisonError::into_inner).0.readers.change()
    }

    // Cards.

    /// Runs one command on a card and gives it back.
    pub(super) fn run(&self, mut lease: Lease, command: &[u8]) -> Result<Vec<u8>, ReturnCode> {
        let begin = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| lease.card().transmit(command)));
        let duration = begin.elapsed();
        let id = lease.id();
        let (answer, dropped) = self.with(|world| {
            let Ok(answer) = outcome else {
                world.readers.lose(lease);
                return (Err(ReturnCode::NotTransacted), world.come_back(id, Return::Lost));
            };
            match world.readers.give_back(lease, command, &answer, duration) {
                // What pcscd says when the reader tells it that the card is mute (IFDTransmit in ifdwrapper.c).
                None if answer.is_empty() => (Err(ReturnCode::NotTransacted), None),
                None => (Ok(answer), None),
                Some(card) => (Err(ReturnCode::NoSmartcard), world.come_back(id, Return::Here(card))),
            }
        });
        if answer.is_err() {
            // Somebody may be waiting for the card.
            self.changed.notify_all();
        }
        drop_quietly(dropped);
        answer
    }

    /// Waits for a card that was taken out.
    pub(super) fn collect(&self, claim: Claim) -> Result<Box<dyn InsertedCard>, ManageError> {
        let id = match claim {
            Claim::Card(card) => return Ok(card),
            Claim::Later(id) => id,
        };
        let is_out = |world: &mut World| matches!(world.returns.get(&id), Some(Return::Awaited));
        let mut world = self.changed.wait_while(self.lock(), is_out).unwrap_or_else(PoisonError::into_inner);
        match world.returns.remove(&id) {
            Some(Return::Here(card)) => Ok(card),
            _ => Err(ManageError::Broken),
        }
    }

    // Time.

    /// The timer thread: takes the power from unused cards when it is time to.
    pub(super) fn keep_time(&self) {
        let mut world = self.lock();
        while !world.closed {
            let now = self.origin.elapsed();
            world = match world.timer_at {
                None => self.timer.wait(world).unwrap_or_else(PoisonError::into_inner),
                Some(at) if now < at => {
                    let left = at.saturating_sub(now);
                    self.timer.wait_timeout(world, left).unwrap_or_else(PoisonError::into_inner).0
                }
                Some(_) => {
                    drop(world);
                    self.with(|_| ());
                    self.lock()
                }
            };
        }
    }

    pub(super) fn close(&self) {
        // Who waits for a reader is woken by its departure.
        let cards = self.with(|world| {
            world.closed = true;
            let names = world.readers.snapshot().readers.into_iter().map(|reader| reader.name);
            names.map(|name| world.readers.unplug(&name)).collect::<Vec<_>>()
        });
        drop_quietly(cards);
        let watches = std::mem::take(&mut self.lock().watches);
        self.changed.notify_all();
        self.timer.notify_one();
        for (_, watch) in watches {
            (watch.notify)(Change::Cancelled);
        }
    }
}

#[cfg(test)]
impl Shared {
    /// How many calls wait for their turn.
    pub(super) fn sleepers(&self) -> usize {
        self.lock().sleepers.len()
    }

    /// When the timer thread has something to do.
    pub(super) fn next_timer(&self) -> Option<Duration> {
        self.lock().timer_at
    }
}

impl World {
    /// Remembers that somebody waits for a card that is busy.
    pub(super) fn claim(&mut self, removed: Removed) -> Claim {
        match removed {
            Removed::Card(card) => Claim::Card(card),
            Removed::Busy(id) => {
                self.returns.insert(id, Return::Awaited);
                Claim::Later(id)
            }
        }
    }

    /// Hands a card to whoever waits for it; returns it if nobody does.
    fn come_back(&mut self, id: LeaseId, outcome: Return) -> Option<Box<dyn InsertedCard>> {
        match (self.returns.get_mut(&id), outcome) {
            (Some(awaited), outcome) => {
                *awaited = outcome;
                None
            }
            (None, Return::Here(card)) => Some(card),
            (None, Return::Awaited | Return::Lost) => None,
        }
    }
}
