//! Who waits for a reader, in the order in which they asked.
//!
//! A call that cannot go on returns [`Poll::Pending`](std::task::Poll) and leaves a ticket in a queue; the caller
//! makes the same call again with the same [`Turn`] when [`Readers::take_ready`](super::Readers::take_ready) names
//! its ticket. Whoever comes later waits behind: a program that ends a transaction and at once begins another cannot
//! keep others out.

use std::collections::BTreeSet;

/// A place in a queue. Lower numbers asked earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub(super) u64);

/// The places of one call, kept by its caller from the first attempt to the last.
///
/// Whoever does not make the call again must say so ([`Readers::give_up`](super::Readers::give_up)): others wait
/// behind him.
#[derive(Debug, Default)]
pub struct Turn {
    ticket: Option<Ticket>,
}

impl Turn {
    /// The ticket; there is one when the call has to wait.
    pub fn ticket(&self) -> Option<Ticket> {
        self.ticket
    }

    /// The ticket, drawn with `draw` if there is none.
    pub(super) fn draw(&mut self, draw: impl FnOnce() -> Ticket) -> Ticket {
        *self.ticket.get_or_insert_with(draw)
    }

    /// Forgets the ticket.
    pub(super) fn finish(&mut self) -> Option<Ticket> {
        self.ticket.take()
    }
}

/// Those who wait for one thing.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeSet<Ticket>,
}

impl Queue {
    /// Whether nobody asked earlier than this turn.
    pub(super) fn is_turn_of(&self, turn: &Turn) -> bool {
        self.first().is_none_or(|first| turn.ticket().is_some_and(|ticket| ticket <= first))
    }

    pub(super) fn enter(&mut self, ticket: Ticket) {
        self.waiting.insert(ticket);
    }

    pub(super) fn leave(&mut self, ticket: Ticket) {
        self.waiting.remove(&ticket);
    }

    pub(super) fn first(&self) -> Option<Ticket> {
        self.waiting.first().copied()
    }

    pub(super) fn has(&self, ticket: Ticket) -> bool {
        self.waiting.contains(&ticket)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Ticket> {
        self.waiting.iter().copied()
    }
}
