//! One slot: a thread that keeps a card in a vpcd slot for as long as its owner wants it there.
//!
//! The card is either with the thread, which serves it, or in hand, in [`State::card`]. It is powered off
//! whenever it goes back to the hand, so volatile state never outlives a stay. The lock is never held while
//! card code or the listener runs.

use std::net::{Shutdown, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::session::{self, Loss, Sign};
use super::{Endpoint, Obstacle, reader_name};
use crate::reader::{InsertedCard, Interface, TouchSensor};

/// First and longest pause between two attempts to reach vpcd.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// How long attempts may fail before a person hears of it: a pcscd that is just starting is no obstacle.
const GRACE: Duration = Duration::from_millis(500);

/// What happens to the card of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The card is in the reader: programs see it.
    Seated,
    /// The card cannot get into the reader yet; attempts go on. Told once for each obstacle, not for each
    /// attempt.
    Waiting(Obstacle),
    /// The card is out of the reader against its owner's wish; attempts to return begin.
    Lost(Loss),
    /// The card was taken out at its owner's wish.
    Removed,
    /// The card's code failed and the card is gone; a defect of the card. The other slots go on.
    Broken,
}

impl Event {
    /// One line that tells a person what happened in a slot.
    pub fn in_words(&self, slot: usize) -> String {
        match self {
            Self::Seated => {
                format!("slot {slot}: card inserted; look for the reader \"{}\"", reader_name(slot))
            }
            Self::Waiting(obstacle) => format!("slot {slot}: waiting: {obstacle}"),
            Self::Lost(loss) => format!("slot {slot}: card out of the reader: {loss}; trying again"),
            Self::Removed => format!("slot {slot}: card removed"),
            Self::Broken => format!("slot {slot}: the card's program failed, the card is gone"),
        }
    }
}

/// Where the card of a slot is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// Not in the reader, because its owner took it out.
    InHand,
    /// On its way into the reader; if known, what it waits for.
    OnTheWay(Option<Obstacle>),
    /// In the reader.
    InReader,
    /// Gone: its code failed.
    Broken,
}

/// Who hears about events.
pub(super) type Listener = Arc<dyn Fn(usize, &Event) + Send + Sync>;

/// What the owner wants of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    In,
    Out,
    Stop,
}

struct State {
    wish: Wish,
    place: Place,
    /// The card while it is in hand.
    card: Option<Box<dyn InsertedCard>>,
    /// The connection while the thread has the card; closing it ends the stay.
    socket: Option<TcpStream>,
}

/// A slot's state and whom to tell; shared by the owner and the slot's thread.
pub(super) struct Slot {
    number: usize,
    endpoint: Endpoint,
    interface: Interface,
    /// The card's sensor, here wherever the card is.
    touch_sensor: Option<TouchSensor>,
    listener: Listener,
    state: Mutex<State>,
    changed: Condvar,
}

impl Slot {
    /// A slot whose card is to be inserted.
    pub(super) fn new(
        number: usize,
        endpoint: Endpoint,
        interface: Interface,
        card: Box<dyn InsertedCard>,
        listener: Listener,
    ) -> Self {
        let touch_sensor = card.touch_sensor();
        let state = State { wish: Wish::In, place: Place::OnTheWay(None), card: Some(card), socket: None };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Self { number, endpoint, interface, touch_sensor, listener, state, changed }
    }

    pub(super) fn place(&self) -> Place {
        self.lock().place.clone()
    }

    pub(super) fn touch_sensor(&self) -> Option<&TouchSensor> {
        self.touch_sensor.as_ref()
    }

    /// Sends the card into the reader. Returns at once: [`Event::Seated`] follows.
    pub(super) fn insert(&self) {
        let mut state = self.lock();
        if state.place == Place::InHand {
            state.place = Place::OnTheWay(None);
            state.wish = Wish::In;
            self.changed.notify_all();
        }
    }

    /// Takes the card out, and returns when it is in hand: after the command that it is working on, if there
    /// is one.
    pub(super) fn remove(&self) {
        let mut state = self.lock();
        state.wish = Wish::Out;
        self.end_stay(&mut state);
        while !matches!(state.place, Place::InHand | Place::Broken) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells the thread to put the card back and leave.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.wish = Wish::Stop;
        self.end_stay(&mut state);
    }

    /// The card, if it is in hand.
    pub(super) fn take_card(&self) -> Option<Box<dyn InsertedCard>> {
        self.lock().card.take()
    }

    /// The thread: keeps the card where its owner wants it until it is told to stop.
    pub(super) fn run(&self) {
        if catch_unwind(AssertUnwindSafe(|| self.follow_wishes())).is_err() {
            let mut state = self.lock();
            state.place = Place::Broken;
            self.end_stay(&mut state);
            drop(state);
            self.tell(&Event::Broken);
        }
    }

    fn follow_wishes(&self) {
        let mut pause = PAUSES.0;
        let mut failing_since = None;
        while self.wait_until_wanted() {
            let begin = Instant::now();
            match self.endpoint.connect(self.number).and_then(|stream| self.stay(stream)) {
                Ok(()) => failing_since = None,
                Err(obstacle) if failing_since.get_or_insert(begin).elapsed() >= GRACE => {
                    self.report_obstacle(obstacle);
                }
                Err(_) => {}
            }
            // Only a stay worth the name makes the next attempt a quick one: whatever ends every stay at once
            // must not be a reason to spin.
            pause = if begin.elapsed() > PAUSES.1 { PAUSES.0 } else { PAUSES.1.min(pause * 2) };
            self.sleep_unless_wish_changes(pause);
        }
    }

    /// Waits while the card is to stay in hand; `false` when the thread is to leave.
    fn wait_until_wanted(&self) -> bool {
        let mut state = self.lock();
        loop {
            match state.wish {
                Wish::In => return true,
                Wish::Stop => return false,
                Wish::Out if state.place == Place::InHand => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Wish::Out => {
                    state.place = Place::InHand;
                    self.changed.notify_all();
                    drop(state);
                    self.tell(&Event::Removed);
                    state = self.lock();
                }
            }
        }
    }

    /// One stay in the slot, from an open connection to its end.
    fn stay(&self, stream: TcpStream) -> Result<(), Obstacle> {
        let Some(mut card) = self.begin_stay(&stream)? else { return Ok(()) };
        let mut last_sign = None;
        let loss = session::serve(stream, &mut *card, self.interface, &mut |sign| {
            last_sign = Some(sign);
            match sign {
                Sign::Queued => self.report_obstacle(Obstacle::SlotTaken { endpoint: self.endpoint.clone() }),
                Sign::Seated => {
                    self.set_place(Place::InReader);
                    self.tell(&Event::Seated);
                }
            }
        });
        card.power_off();
        tracing::debug!(slot = self.number, %loss, "the stay in the slot is over");

        let mut state = self.lock();
        state.card = Some(card);
        state.socket = None;
        if state.wish != Wish::In {
            return Ok(());
        }
        match last_sign {
            None => return Err(Obstacle::NotVpcd { endpoint: self.endpoint.clone() }),
            Some(Sign::Queued) => {}
            Some(Sign::Seated) => {
                state.place = Place::OnTheWay(None);
                drop(state);
                self.tell(&Event::Lost(loss));
            }
        }
        Ok(())
    }

    /// Takes the card from the hand and makes the stay one that the owner can end; nothing if it is no longer
    /// wanted.
    fn begin_stay(&self, stream: &TcpStream) -> Result<Option<Box<dyn InsertedCard>>, Obstacle> {
        let handle = stream.try_clone().map_err(|error| Obstacle::unreachable(&self.endpoint, &error))?;
        let mut state = self.lock();
        if state.wish != Wish::In {
            return Ok(None);
        }
        state.socket = Some(handle);
        Ok(state.card.take())
    }

    /// Closes the connection, so that vpcd sees the card leave at once, and wakes whoever waits, the card included.
    fn end_stay(&self, state: &mut State) {
        if let Some(sensor) = &self.touch_sensor {
            sensor.withdraw();
        }
        if let Some(socket) = state.socket.take() {
            // An error means that the other end closed first, which is just as good.
            let _ = socket.shutdown(Shutdown::Both);
        }
        self.changed.notify_all();
    }

    fn report_obstacle(&self, obstacle: Obstacle) {
        let place = Place::OnTheWay(Some(obstacle.clone()));
        if self.place() != place {
            self.set_place(place);
            self.tell(&Event::Waiting(obstacle));
        }
    }

    fn sleep_unless_wish_changes(&self, pause: Duration) {
        let state = self.lock();
        // Whatever ends the wait, the caller looks at the wish again.
        let _ = self.changed.wait_timeout_while(state, pause, |state| state.wish == Wish::In);
    }

    fn set_place(&self, place: Place) {
        self.lock().place = place;
        self.changed.notify_all();
    }

    fn tell(&self, event: &Event) {
        (self.listener)(self.number, event);
    }

    /// The state is whole at every release of the lock, so a thread that died with it leaves nothing half
    /// done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
