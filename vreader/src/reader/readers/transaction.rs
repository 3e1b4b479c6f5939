//! BeginTransaction and EndTransaction, by the rules of pcscd's `winscard.c`.

use std::task::Poll;

use super::connect::{reset, wait_for_card};
use super::{ClientId, Readers};
use crate::reader::slot::{Silent, Wake};
use crate::reader::{Disposition, Refusal, ReturnCode, Ticket, Turn, What};

impl Readers {
    /// SCardBeginTransaction. Pending while another handle is in a transaction, or asked earlier.
    ///
    /// A handle keeps its place when it gives up and asks again.
    pub fn begin(&mut self, client: ClientId, handle: u32, turn: &mut Turn) -> Poll<Result<(), Refusal>> {
        let answer = self.try_begin(client, handle, turn);
        self.finish(turn, answer)
    }

    fn try_begin(&mut self, client: ClientId, handle: u32, turn: &mut Turn) -> Poll<Result<(), Refusal>> {
        let fresh = Ticket(super::next(&mut self.next_number));
        let device = self.device_of(client, handle)?;
        device.check_works()?;
        device.check_notice(handle)?;
        let asked = device.handles.get(&handle).and_then(|attached| attached.asked);
        let ticket = turn.draw(|| asked.unwrap_or(fresh));
        let free = device.lock.is_none() && device.lock_queue.is_turn_of(turn);
        let granted = free || device.is_locked_by(handle);
        if let Some(attached) = device.handles.get_mut(&handle) {
            attached.asked = Some(ticket).filter(|_| !granted);
        }
        if !granted {
            device.lock_queue.enter(ticket);
            return Poll::Pending;
        }
        device.enter(handle);
        device.notes.push(What::Began { client, handle });
        Poll::Ready(Ok(()))
    }

    /// SCardEndTransaction. Pending while the card runs a command and is to be reset.
    pub fn end(
        &mut self,
        client: ClientId,
        handle: u32,
        disposition: u32,
        turn: &mut Turn,
    ) -> Poll<Result<(), Refusal>> {
        let answer = self.try_end(client, handle, disposition, turn);
        self.finish(turn, answer)
    }

    fn try_end(
        &mut self,
        client: ClientId,
        handle: u32,
        disposition: u32,
        turn: &mut Turn,
    ) -> Poll<Result<(), Refusal>> {
        self.handle_of(client, handle)?;
        let disposition = Disposition::try_from(disposition)?;
        let ticket = self.draw_ticket(turn);
        let device = self.device_of(client, handle)?;
        device.check_notice(handle)?;
        device.check_sharing(handle)?;
        let wake = match disposition {
            Disposition::Leave | Disposition::Eject => None,
            Disposition::Reset => Some(Wake::Warm),
            Disposition::Unpower => Some(Wake::Cycle),
        };
        let mut outcome = Ok(());
        if let Some(wake) = wake {
            if wait_for_card(device, ticket, turn).is_pending() {
                return Poll::Pending;
            }
            outcome = reset(device, wake).map_err(|silent| match silent {
                Silent::Mute => ReturnCode::NotTransacted,
                Silent::NoCard | Silent::Broken => ReturnCode::RemovedCard,
            });
        }
        let unlocked = device.leave(handle);
        if unlocked.is_ok() {
            device.notes.push(What::Ended { client, handle });
        }
        outcome?;
        unlocked?;
        Poll::Ready(Ok(()))
    }
}
