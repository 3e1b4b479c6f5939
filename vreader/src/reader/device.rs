//! One reader: its slot, its handles, who holds it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::queue::Queue;
use super::slot::{Seat, Silent, Slot, Wake};
use super::{
    Protocol, Protocols, ReaderSettings, ReaderState, ReturnCode, ShareMode, Ticket, TouchSensor, What,
};

/// What a handle has to be told before it may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// The card was reset.
    Reset,
    /// The card was taken out.
    Removed,
}

impl From<Notice> for ReturnCode {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Reset => Self::ResetCard,
            Notice::Removed => Self::RemovedCard,
        }
    }
}

/// What a reader knows of a handle.
#[derive(Debug, Default)]
pub(super) struct Attached {
    pub(super) notice: Option<Notice>,
    /// When the handle asked for a transaction that it has not got: a client that asks again keeps its place.
    pub(super) asked: Option<Ticket>,
}

/// The transactions of the handle that holds the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) owner: u32,
    /// How many are open, one in another; one more for an exclusive handle.
    depth: u32,
}

/// One reader.
pub(super) struct Device {
    pub(super) id: u64,
    /// The number in its name.
    pub(super) index: u8,
    /// Full name.
    pub(super) name: String,
    pub(super) settings: ReaderSettings,
    pub(super) slot: Slot,
    event_counter: u16,
    /// The reader does not work: all it answers is READER_UNAVAILABLE.
    pub(super) failing: bool,
    pub(super) handles: BTreeMap<u32, Attached>,
    /// The only handle is exclusive.
    pub(super) exclusive: bool,
    pub(super) lock: Option<Lock>,
    /// Who waits for the end of the transaction.
    pub(super) lock_queue: Queue,
    /// Who waits for the card, which runs a command.
    pub(super) card_queue: Queue,
    /// Whether something changed that a waiting client may want to hear of.
    pub(super) changed: bool,
    /// Whether those who wait for the card, or for the reader, may get another answer now than to wait.
    unsettled: (bool, bool),
    /// What happened and is not yet told.
    pub(super) notes: Vec<What>,
}

impl Device {
    pub(super) fn new(id: u64, index: u8, settings: ReaderSettings) -> Self {
        Self {
            id,
            index,
            // One slot a reader: its number is always 0.
            name: format!("{} {index:02X} 00", settings.name),
            settings,
            slot: Slot::new(),
            event_counter: 0,
            failing: false,
            handles: BTreeMap::new(),
            exclusive: false,
            lock: None,
            lock_queue: Queue::default(),
            card_queue: Queue::default(),
            changed: true,
            unsettled: (false, false),
            notes: vec![What::PluggedIn],
        }
    }

    pub(super) fn state(&self) -> ReaderState {
        ReaderState {
            name: self.name.clone(),
            event_counter: self.event_counter,
            state: if self.failing { ReaderState::UNKNOWN } else { self.slot.state_bits() },
            sharing: if self.exclusive {
                ReaderState::EXCLUSIVE
            } else {
                i32::try_from(self.handles.len()).unwrap_or(i32::MAX)
            },
            atr: self.slot.atr().to_vec(),
            protocol: self.slot.protocol(),
            interface: self.settings.interface,
            waits_for_touch: self.slot.touch_sensor().is_some_and(TouchSensor::is_asked),
        }
    }

    pub(super) fn count_event(&mut self) {
        self.event_counter = self.event_counter.wrapping_add(1);
        self.changed = true;
    }

    // What calls check.

    pub(super) fn check_works(&self) -> Result<(), ReturnCode> {
        if self.failing { Err(ReturnCode::ReaderUnavailable) } else { Ok(()) }
    }

    /// No other handle is in a transaction.
    pub(super) fn check_sharing(&self, handle: u32) -> Result<(), ReturnCode> {
        match self.lock {
            Some(lock) if lock.owner != handle => Err(ReturnCode::SharingViolation),
            _ => Ok(()),
        }
    }

    /// Nothing happened to the card that the handle does not know of.
    pub(super) fn check_notice(&self, handle: u32) -> Result<(), ReturnCode> {
        match self.handles.get(&handle).and_then(|attached| attached.notice) {
            Some(notice) => Err(notice.into()),
            None => Ok(()),
        }
    }

    // Transactions.

    /// Begins a transaction, or another one inside it.
    pub(super) fn enter(&mut self, handle: u32) {
        let depth = self.lock.map_or(0, |lock| lock.depth);
        self.unsettled.0 |= depth == 0;
        self.lock = Some(Lock { owner: handle, depth: depth.saturating_add(1) });
    }

    /// Ends the innermost transaction. The one that comes with exclusiveness cannot be ended.
    pub(super) fn leave(&mut self, handle: u32) -> Result<(), ReturnCode> {
        self.check_sharing(handle)?;
        let lock = self.lock.as_mut().ok_or(ReturnCode::NotTransacted)?;
        match (lock.depth, self.exclusive) {
            (0 | 1, true) => return Err(ReturnCode::NotTransacted),
            (0 | 1, false) => self.lock = None,
            (depth, _) => lock.depth = depth - 1,
        }
        Ok(())
    }

    pub(super) fn is_locked_by(&self, handle: u32) -> bool {
        self.lock.is_some_and(|lock| lock.owner == handle)
    }

    /// Ends all transactions of this handle.
    pub(super) fn leave_all(&mut self, handle: u32) {
        if self.is_locked_by(handle) {
            self.lock = None;
        }
    }

    /// Who waits and should ask again: the first, if what he waits for is free, and whoever would be refused now.
    pub(super) fn whose_turn(&mut self) -> impl Iterator<Item = Ticket> {
        let (for_card, for_reader) = std::mem::take(&mut self.unsettled);
        let all_for_card = for_card.then(|| self.card_queue.all());
        let all_for_reader = for_reader.then(|| self.lock_queue.all());
        let refused = all_for_card.into_iter().flatten().chain(all_for_reader.into_iter().flatten());
        self.first_in_line().chain(refused)
    }

    fn first_in_line(&self) -> impl Iterator<Item = Ticket> {
        let for_card = self.card_queue.first().filter(|_| !self.slot.is_lent());
        // Who is first here may be waiting for the card already, and keeps both places.
        let for_lock =
            self.lock_queue.first().filter(|first| self.lock.is_none() && !self.card_queue.has(*first));
        for_card.into_iter().chain(for_lock)
    }

    // Sharing.

    /// Makes the only handle exclusive; the reader is then its own, as in a transaction.
    pub(super) fn make_exclusive(&mut self, handle: u32) {
        let was_exclusive = std::mem::replace(&mut self.exclusive, true);
        self.changed |= !was_exclusive;
        self.unsettled.1 |= !was_exclusive;
        // A removal has ended the transaction of a handle that is exclusive still.
        if !was_exclusive || self.lock.is_none() {
            self.enter(handle);
        }
    }

    /// Ends exclusiveness, and with it the transaction that came with it (pcscd keeps that one).
    pub(super) fn make_shared(&mut self, handle: u32) {
        if std::mem::take(&mut self.exclusive) {
            self.changed = true;
            // Those that the handle itself began inside it go on. After a removal there is none to end.
            let _ = self.leave(handle);
        }
    }

    pub(super) fn attach(&mut self, handle: u32, exclusive: bool) {
        self.handles.insert(handle, Attached::default());
        self.changed = true;
        if exclusive {
            self.make_exclusive(handle);
        }
    }

    /// Forgets a handle; an unused card then loses its power at `until`.
    pub(super) fn detach(&mut self, handle: u32, until: Option<Duration>) {
        self.leave_all(handle);
        self.changed |= self.handles.remove(&handle).is_some();
        self.exclusive = false;
        self.rest(until);
    }

    /// If no handle uses the card: its power goes off at `until`.
    pub(super) fn rest(&mut self, until: Option<Duration>) {
        if self.handles.is_empty() {
            self.slot.begin_grace(until);
        }
    }

    // The card.

    pub(super) fn notify_all(&mut self, notice: Notice) {
        self.unsettled = (true, true);
        for attached in self.handles.values_mut() {
            // A handle to a card that is gone is not made good by a reset of the next one.
            if attached.notice != Some(Notice::Removed) {
                attached.notice = Some(notice);
            }
        }
    }

    pub(super) fn choose_protocol(
        &mut self,
        mode: ShareMode,
        wanted: Protocols,
    ) -> Result<Protocol, ReturnCode> {
        let before = self.slot.protocol();
        let chosen = self.slot.choose_protocol(mode, wanted);
        self.unsettled.0 |= self.slot.protocol() != before;
        chosen
    }

    /// Makes the card answer to reset.
    pub(super) fn wake(&mut self, how: Wake) -> Result<(), Silent> {
        let before = self.slot.state_bits();
        let was_powered = self.slot.is_powered();
        let outcome = self.slot.wake(how, self.settings.interface);
        self.changed |= self.slot.state_bits() != before;
        if matches!(outcome, Ok(()) | Err(Silent::Mute)) {
            let atr = self.slot.atr().to_vec();
            match how {
                Wake::Warm if was_powered => self.notes.push(What::Reset { atr }),
                Wake::Cycle if was_powered => self.notes.extend([What::PoweredOff, What::PoweredOn { atr }]),
                _ => self.notes.push(What::PoweredOn { atr }),
            }
        }
        if outcome == Err(Silent::Broken) {
            self.lose_card();
        }
        outcome
    }

    /// Takes the power away; clients do not see it.
    pub(super) fn power_down(&mut self) {
        if self.slot.power_down() {
            self.notes.push(What::PoweredOff);
        }
    }

    /// Takes the power away; clients see it.
    pub(super) fn unpower(&mut self) {
        let before = self.slot.state_bits();
        if self.slot.unpower() {
            self.notes.push(What::PoweredOff);
        }
        self.changed |= self.slot.state_bits() != before;
    }

    /// The card gave no answer: its chip lost its power. The reader takes it away at the contacts, too, so that the next who
    /// connects wakes a card and does not talk to a dead one; whoever is connected hears of it as of a reset.
    pub(super) fn lose_answer(&mut self) {
        self.slot.power_down();
        self.notes.push(What::Torn);
        self.notify_all(Notice::Reset);
    }

    /// The reader works from now on, or does not.
    pub(super) fn set_failing(&mut self, failing: bool) {
        self.failing = failing;
        self.changed = true;
        self.unsettled = (true, true);
        if failing {
            self.power_down();
            self.slot.lose_sight();
        }
    }

    /// A card has come into the slot; nothing if the reader does not notice.
    pub(super) fn notice_card(&mut self, until: Option<Duration>) {
        if self.failing {
            return;
        }
        self.count_event();
        // A mute card is a card, too; a broken one has been taken out again.
        let _ = self.wake(Wake::Cycle);
        self.slot.begin_grace(until);
    }

    /// The slot is empty now: what that means for everybody.
    pub(super) fn vacate(&mut self) -> Seat {
        let powered = self.slot.is_powered();
        let seat = self.slot.vacate();
        if powered {
            self.notes.push(What::PoweredOff);
        }
        self.notes.push(What::Removed);
        self.notify_all(Notice::Removed);
        self.lock = None;
        if !self.failing {
            self.count_event();
        }
        seat
    }

    /// The card's code failed: it is out of the slot, and gone.
    pub(super) fn lose_card(&mut self) {
        self.notes.push(What::Broken);
        drop_quietly(self.vacate());
    }
}

/// Drops what belongs to a card whose code has failed already and may fail again.
pub(super) fn drop_quietly<T>(value: T) {
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || drop(value)));
}
