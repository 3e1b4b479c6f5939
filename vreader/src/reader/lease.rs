//! A card on loan: out of its slot while it runs a command, so that nobody but the caller waits for it.

use zeroize::Zeroizing;

use super::{ClientId, InsertedCard};

/// Which loan a card is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub(super) u64);

/// A card on loan. It must be given back ([`Readers::give_back`](super::Readers::give_back)), or declared lost: until
/// then the slot's other commands and resets wait.
pub struct Lease {
    pub(super) id: LeaseId,
    pub(super) device: u64,
    pub(super) client: ClientId,
    pub(super) context: u32,
    pub(super) handle: u32,
    pub(super) card: Box<dyn InsertedCard>,
    /// What the person at the key-pad takes for the PIN if the command succeeds.
    pub(super) new_pin: Option<Zeroizing<String>>,
}

impl Lease {
    /// Which loan this is.
    pub fn id(&self) -> LeaseId {
        self.id
    }

    /// Which handle the card is lent to, and the context of the handle.
    pub fn borrower(&self) -> (u32, u32) {
        (self.handle, self.context)
    }

    /// The card.
    pub fn card(&mut self) -> &mut dyn InsertedCard {
        &mut *self.card
    }
}

/// What a command to the reader wants.
pub enum Control {
    /// Nothing more: here is the answer.
    Answer(Vec<u8>),
    /// The card is to run a command that the key-pad has filled in; its answer is the answer.
    Command {
        /// The card.
        lease: Lease,
        /// The command, with a PIN in it.
        command: Zeroizing<Vec<u8>>,
    },
}

/// What became of a card that was taken out.
pub enum Removed {
    /// Here it is, without power.
    Card(Box<dyn InsertedCard>),
    /// It is out of the slot for everybody to see, and comes back with
    /// [`Readers::give_back`](super::Readers::give_back) of this loan.
    Busy(LeaseId),
}
