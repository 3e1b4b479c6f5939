//! One slot: the card in it, its power and its protocol.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::lease::LeaseId;
use super::{
    InsertedCard, Interface, MAX_ATR, Protocol, Protocols, ReaderState, ReturnCode, ShareMode, TouchSensor,
    atr,
};
use crate::image::PowerCut;

/// Where the card is.
pub(super) enum Seat {
    /// There is none.
    Empty,
    /// In the slot.
    Taken(Box<dyn InsertedCard>),
    /// In the slot, and with whoever runs a command on it.
    Lent(LeaseId),
}

/// What is known of the card: what the state bits say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Absent,
    /// It has an ATR. Whether it has power just now is nobody's business (auto power-off).
    Usable,
    /// It gave no usable ATR.
    Mute,
    /// A client took its power away.
    Unpowered,
}

/// Why a card gave no answer to reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silent {
    /// There is none, or it is busy with a command.
    NoCard,
    /// It has no usable ATR.
    Mute,
    /// Its code failed; a defect of the card.
    Broken,
}

/// What to do to the card's contacts to make it answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// Power on.
    Cold,
    /// Reset; power on if it has none.
    Warm,
    /// Power off, then on.
    Cycle,
}

/// One slot.
pub(super) struct Slot {
    seat: Seat,
    /// The card's sensor, here also while the card is lent.
    touch_sensor: Option<TouchSensor>,
    condition: Condition,
    powered: bool,
    /// When the unused card loses its power.
    power_off_at: Option<Duration>,
    atr: Vec<u8>,
    protocol: Protocol,
}

impl Slot {
    /// A slot without a card.
    pub(super) fn new() -> Self {
        Self {
            seat: Seat::Empty,
            touch_sensor: None,
            condition: Condition::Absent,
            powered: false,
            power_off_at: None,
            atr: Vec::new(),
            protocol: Protocol::Undefined,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self.seat, Seat::Empty)
    }

    pub(super) fn is_lent(&self) -> bool {
        matches!(self.seat, Seat::Lent(_))
    }

    pub(super) fn is_powered(&self) -> bool {
        self.powered
    }

    /// Whether the reader knows of a card: not one that came while the reader failed.
    pub(super) fn is_present(&self) -> bool {
        self.condition != Condition::Absent
    }

    pub(super) fn is_mute(&self) -> bool {
        self.condition == Condition::Mute
    }

    pub(super) fn atr(&self) -> &[u8] {
        &self.atr
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(super) fn state_bits(&self) -> u32 {
        match self.condition {
            Condition::Absent => ReaderState::ABSENT,
            Condition::Usable => ReaderState::USABLE,
            Condition::Mute => ReaderState::MUTE,
            Condition::Unpowered => ReaderState::PRESENT,
        }
    }

    /// Puts a card in. It gets no power yet.
    pub(super) fn insert(&mut self, card: Box<dyn InsertedCard>) {
        // A card whose code fails here is one without.
        self.touch_sensor = catch_unwind(AssertUnwindSafe(|| card.touch_sensor())).ok().flatten();
        self.seat = Seat::Taken(card);
    }

    /// The card's sensor, if it has one.
    pub(super) fn touch_sensor(&self) -> Option<&TouchSensor> {
        self.touch_sensor.as_ref()
    }

    /// Takes the card out, without its power; what it waits for does not come.
    pub(super) fn vacate(&mut self) -> Seat {
        self.lose_sight();
        self.powered = false;
        self.power_off_at = None;
        self.touch_sensor = None;
        std::mem::replace(&mut self.seat, Seat::Empty)
    }

    /// Makes the card answer to reset. The protocol is open again, whatever comes out.
    pub(super) fn wake(&mut self, how: Wake, interface: Interface) -> Result<(), Silent> {
        self.protocol = Protocol::Undefined;
        let Seat::Taken(card) = &mut self.seat else { return Err(Silent::NoCard) };
        let warm = how == Wake::Warm && self.powered;
        let cycle = how == Wake::Cycle && self.powered;
        let atr = catch_unwind(AssertUnwindSafe(|| {
            if cycle {
                card.power_off();
            }
            if warm {
                card.reset();
            } else {
                card.power_on(interface);
            }
            card.atr().to_vec()
        }))
        .map_err(|_| Silent::Broken)?;
        self.powered = true;
        if (2..=MAX_ATR).contains(&atr.len()) {
            self.atr = atr;
            self.condition = Condition::Usable;
            return Ok(());
        }
        self.atr.clear();
        self.condition = Condition::Mute;
        self.power_down();
        Err(Silent::Mute)
    }

    /// Takes the power away; what is seen of the card stays. `false` if the card had none, or is busy with a command.
    ///
    /// A card whose code fails here is one that has no power.
    pub(super) fn power_down(&mut self) -> bool {
        let Seat::Taken(card) = &mut self.seat else { return false };
        self.protocol = Protocol::Undefined;
        self.power_off_at = None;
        let powered = std::mem::take(&mut self.powered);
        if powered {
            let _ = catch_unwind(AssertUnwindSafe(|| card.power_off()));
        }
        powered
    }

    /// Orders that the power fails in a write to come. `None` if there is no card, or it is busy with a command.
    pub(super) fn cut_power(&mut self, cut: PowerCut) -> Option<bool> {
        let Seat::Taken(card) = &mut self.seat else { return None };
        // A card whose code fails here is one that cannot.
        Some(catch_unwind(AssertUnwindSafe(|| card.cut_power(cut))).unwrap_or(false))
    }

    /// Takes the power away, for everybody to see.
    pub(super) fn unpower(&mut self) -> bool {
        let changed = self.power_down();
        if self.is_present() {
            self.condition = Condition::Unpowered;
        }
        changed
    }

    /// The reader lost sight of its card.
    pub(super) fn lose_sight(&mut self) {
        self.power_down();
        if let Some(sensor) = &self.touch_sensor {
            sensor.withdraw();
        }
        self.condition = Condition::Absent;
        self.atr.clear();
        self.protocol = Protocol::Undefined;
    }

    /// The card is unused: its power goes off at this time, if it has any.
    pub(super) fn begin_grace(&mut self, until: Option<Duration>) {
        self.power_off_at = until.filter(|_| self.powered);
    }

    /// The card is used again.
    pub(super) fn end_grace(&mut self) {
        self.power_off_at = None;
    }

    /// When the power goes off; not while the card is busy.
    pub(super) fn power_off_at(&self) -> Option<Duration> {
        self.power_off_at.filter(|_| !self.is_lent())
    }

    /// Chooses the protocol for a handle that connects.
    pub(super) fn choose_protocol(
        &mut self,
        mode: ShareMode,
        wanted: Protocols,
    ) -> Result<Protocol, ReturnCode> {
        if wanted.contains(Protocol::Raw) {
            self.protocol = Protocol::Raw;
        } else if mode != ShareMode::Direct {
            if self.protocol == Protocol::Undefined {
                let possible = wanted.intersection(atr::protocols(&self.atr));
                self.protocol = [Protocol::T1, Protocol::T0]
                    .into_iter()
                    .find(|protocol| possible.contains(*protocol))
                    .ok_or(ReturnCode::ProtocolMismatch)?;
            } else if !wanted.contains(self.protocol) {
                return Err(ReturnCode::ProtocolMismatch);
            }
        }
        Ok(self.protocol)
    }

    /// Lends the card out for a command.
    pub(super) fn lend(&mut self, id: LeaseId) -> Option<Box<dyn InsertedCard>> {
        match std::mem::replace(&mut self.seat, Seat::Lent(id)) {
            Seat::Taken(card) => Some(card),
            other => {
                self.seat = other;
                None
            }
        }
    }

    /// Takes back the card that it has lent.
    pub(super) fn restore(&mut self, card: Box<dyn InsertedCard>) {
        self.seat = Seat::Taken(card);
    }

    /// Whether the card of this lease is still in the slot.
    pub(super) fn has_lent(&self, id: LeaseId) -> bool {
        matches!(self.seat, Seat::Lent(lent) if lent == id)
    }
}
