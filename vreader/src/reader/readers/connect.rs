//! Connect, Reconnect, Disconnect, by the rules of pcscd's `winscard.c`.

use std::task::Poll;

use super::{ClientId, Device, Handle, Readers};
use crate::reader::device::Notice;
use crate::reader::slot::{Silent, Wake};
use crate::reader::{
    Disposition, Initialization, Protocol, Protocols, Refusal, ReturnCode, ShareMode, Ticket, Turn, What,
};

/// What Connect gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// The handle: 1 to 0x7FFF_FFFF.
    pub handle: u32,
    /// The active protocol.
    pub protocol: Protocol,
}

impl Readers {
    /// SCardConnect. `reader` is the full name, without its NUL. Pending while another handle is in a transaction.
    pub fn connect(
        &mut self,
        client: ClientId,
        context: u32,
        reader: &[u8],
        share_mode: u32,
        protocols: u32,
        turn: &mut Turn,
    ) -> Poll<Result<Connection, Refusal>> {
        let answer = self.try_connect(client, context, reader, (share_mode, protocols), turn);
        self.finish(turn, answer)
    }

    fn try_connect(
        &mut self,
        client: ClientId,
        context: u32,
        reader: &[u8],
        (share_mode, protocols): (u32, u32),
        turn: &mut Turn,
    ) -> Poll<Result<Connection, Refusal>> {
        let wanted = protocols_for(share_mode, protocols)?;
        let mode = ShareMode::try_from(share_mode)?;
        let ticket = self.draw_ticket(turn);
        let until = self.end_of_grace();
        let device = self
            .devices
            .iter_mut()
            .find(|device| device.name.as_bytes() == reader)
            .ok_or(ReturnCode::UnknownReader)?;
        device.check_works()?;
        if device.exclusive {
            return refuse(ReturnCode::SharingViolation);
        }
        if wait_for_lock(device, ticket, turn).is_pending() {
            return Poll::Pending;
        }
        let prepared = prepare_card(device, mode, wanted);
        let id = device.id;
        let opened = prepared.and_then(|protocol| self.open_handle(client, context, id, mode, protocol));
        if opened.is_err()
            && let Some(device) = self.device(id)
        {
            // pcscd leaves the card of a failed Connect its power for ever.
            device.rest(until);
        }
        Poll::Ready(opened)
    }

    /// Gives the handle a number and adds it to its reader and its context.
    fn open_handle(
        &mut self,
        client: ClientId,
        context: u32,
        id: u64,
        mode: ShareMode,
        protocol: Protocol,
    ) -> Result<Connection, Refusal> {
        let limits = self.settings.limits;
        let number = self.unused_number();
        let device = self.device(id).ok_or(ReturnCode::UnknownReader)?;
        let exclusive = mode == ShareMode::Exclusive;
        if exclusive && !device.handles.is_empty() {
            return Err(Refusal::NotExclusive { protocol });
        }
        let full = device.handles.len() >= limits.handles_per_reader;
        self.check_context(client, context)?;
        let owner = self.contexts.get_mut(&context).ok_or(ReturnCode::InvalidHandle)?;
        if full || owner.handles.len() >= limits.handles_per_context {
            return Err(ReturnCode::NoMemory.into());
        }
        owner.handles.push(number);
        self.handles.insert(number, Handle { context, device: id });
        if let Some(device) = self.device(id) {
            device.attach(number, exclusive);
        }
        self.note(id, What::Connected { client, handle: number });
        Ok(Connection { handle: number, protocol })
    }

    /// SCardReconnect. Pending while the card runs a command and is to be reset.
    pub fn reconnect(
        &mut self,
        client: ClientId,
        handle: u32,
        share_mode: u32,
        protocols: u32,
        initialization: u32,
        turn: &mut Turn,
    ) -> Poll<Result<Protocol, Refusal>> {
        let answer = self.try_reconnect(client, handle, (share_mode, protocols, initialization), turn);
        self.finish(turn, answer)
    }

    fn try_reconnect(
        &mut self,
        client: ClientId,
        handle: u32,
        (share_mode, protocols, initialization): (u32, u32, u32),
        turn: &mut Turn,
    ) -> Poll<Result<Protocol, Refusal>> {
        self.handle_of(client, handle)?;
        let initialization = Initialization::try_from(initialization)?;
        let mode = ShareMode::try_from(share_mode)?;
        let wanted = protocols_for(share_mode, protocols)?;
        let ticket = self.draw_ticket(turn);
        let device = self.device_of(client, handle)?;
        device.check_works()?;
        device.check_sharing(handle)?;
        let wake = match initialization {
            Initialization::Leave => None,
            Initialization::Reset => Some(Wake::Warm),
            Initialization::Unpower => Some(Wake::Cycle),
        };
        match wake {
            Some(_) if wait_for_card(device, ticket, turn).is_pending() => return Poll::Pending,
            Some(wake) => reset(device, wake).map_err(|silent| match silent {
                Silent::Mute => ReturnCode::UnresponsiveCard,
                Silent::NoCard | Silent::Broken => ReturnCode::NoSmartcard,
            })?,
            None => check_card(device, mode)?,
        }
        let protocol = device.choose_protocol(mode, wanted)?;
        if mode != ShareMode::Direct {
            device.slot.end_grace();
        }
        match mode {
            ShareMode::Exclusive if device.handles.len() > 1 => {
                return Poll::Ready(Err(Refusal::NotExclusive { protocol }));
            }
            ShareMode::Exclusive => device.make_exclusive(handle),
            ShareMode::Shared | ShareMode::Direct => device.make_shared(handle),
        }
        if let Some(attached) = device.handles.get_mut(&handle) {
            attached.notice = None;
        }
        Poll::Ready(Ok(protocol))
    }

    /// SCardDisconnect. Pending, if something is to happen to the card, while another handle is in a transaction or
    /// the card runs a command.
    pub fn disconnect(
        &mut self,
        client: ClientId,
        handle: u32,
        disposition: u32,
        turn: &mut Turn,
    ) -> Poll<Result<(), Refusal>> {
        let answer = self.try_disconnect(client, handle, disposition, turn);
        self.finish(turn, answer)
    }

    fn try_disconnect(
        &mut self,
        client: ClientId,
        handle: u32,
        disposition: u32,
        turn: &mut Turn,
    ) -> Poll<Result<(), Refusal>> {
        self.handle_of(client, handle)?;
        let disposition = Disposition::try_from(disposition)?;
        let ticket = self.draw_ticket(turn);
        // Nothing is left to be done to a reader that is gone, and that is no failure.
        if let Ok(device) = self.device_of(client, handle) {
            let waits = disposition != Disposition::Leave && !device.is_locked_by(handle);
            if waits && wait_for_lock(device, ticket, turn).is_pending() {
                return Poll::Pending;
            }
            let works_on_card = matches!(disposition, Disposition::Reset | Disposition::Unpower);
            if works_on_card && wait_for_card(device, ticket, turn).is_pending() {
                if waits {
                    // Its turn has come: nobody begins a transaction before it.
                    device.lock_queue.enter(ticket);
                }
                return Poll::Pending;
            }
            match disposition {
                // Whether the card answers is the next one's business.
                Disposition::Reset => {
                    let _ = reset(device, Wake::Warm);
                }
                Disposition::Unpower => unpower(device),
                Disposition::Leave | Disposition::Eject => {}
            }
        }
        self.close_handle(handle);
        Poll::Ready(Ok(()))
    }

    /// Disconnects a handle whose client has not: a card in the middle of a transaction is reset, unless it has been
    /// already.
    pub(super) fn abandon(&mut self, handle: u32, turn: &mut Turn) -> Poll<()> {
        let ticket = self.draw_ticket(turn);
        let device = self.handles.get(&handle).map(|found| found.device).and_then(|id| self.device(id));
        if let Some(device) = device
            && device.is_locked_by(handle)
            && device.check_notice(handle).is_ok()
        {
            if wait_for_card(device, ticket, turn).is_pending() {
                return Poll::Pending;
            }
            // Whether the card answers is the next one's business.
            let _ = reset(device, Wake::Warm);
        }
        self.close_handle(handle);
        Poll::Ready(())
    }

    /// Forgets a handle.
    fn close_handle(&mut self, handle: u32) {
        let until = self.end_of_grace();
        let Some(Handle { context, device }) = self.handles.remove(&handle) else { return };
        let client = self.owner_of(context);
        if let Some(context) = self.contexts.get_mut(&context) {
            context.handles.retain(|other| *other != handle);
        }
        if let Some(device) = self.device(device) {
            device.detach(handle, until);
        }
        if let Some(client) = client {
            self.note(device, What::Disconnected { client, handle });
        }
    }
}

/// Refuses, in a call that may also have to wait.
fn refuse<T>(code: ReturnCode) -> Poll<Result<T, Refusal>> {
    Poll::Ready(Err(code.into()))
}

/// The protocols that a caller wants. Only with the reader itself may one talk without any.
fn protocols_for(share_mode: u32, protocols: u32) -> Result<Protocols, ReturnCode> {
    let wanted = Protocols::from_mask(protocols);
    if wanted.is_empty() && share_mode != ShareMode::Direct as u32 {
        return Err(ReturnCode::ProtocolMismatch);
    }
    Ok(wanted)
}

/// Waits until no handle is in a transaction and nobody asked earlier.
fn wait_for_lock(device: &mut Device, ticket: Ticket, turn: &Turn) -> Poll<()> {
    if device.lock.is_some() || !device.lock_queue.is_turn_of(turn) {
        device.lock_queue.enter(ticket);
        // A call that waited for the card may have lost its transaction with it, and another handle begun one.
        device.card_queue.leave(ticket);
        return Poll::Pending;
    }
    Poll::Ready(())
}

/// Waits until the card runs no command and nobody asked earlier.
pub(super) fn wait_for_card(device: &mut Device, ticket: Ticket, turn: &Turn) -> Poll<()> {
    if device.slot.is_lent() || !device.card_queue.is_turn_of(turn) {
        device.card_queue.enter(ticket);
        return Poll::Pending;
    }
    Poll::Ready(())
}

/// Resets the card, if there is one, and lets every handle know.
pub(super) fn reset(device: &mut Device, wake: Wake) -> Result<(), Silent> {
    if device.failing || device.slot.is_empty() {
        return Err(Silent::NoCard);
    }
    device.notify_all(Notice::Reset);
    device.wake(wake)
}

/// Takes the power from the card, if there is one, and lets every handle know.
fn unpower(device: &mut Device) {
    if !device.failing && !device.slot.is_empty() {
        device.notify_all(Notice::Reset);
        device.unpower();
    }
}

/// What Connect does to the card before there is a handle.
fn prepare_card(device: &mut Device, mode: ShareMode, wanted: Protocols) -> Result<Protocol, Refusal> {
    if mode != ShareMode::Direct {
        if !device.slot.is_present() {
            return Err(ReturnCode::NoSmartcard.into());
        }
        if !device.slot.is_powered() {
            device.wake(Wake::Cold).map_err(|_| ReturnCode::UnpoweredCard)?;
        }
        device.slot.end_grace();
    }
    Ok(device.choose_protocol(mode, wanted)?)
}

/// What Reconnect without a reset wants of the card.
fn check_card(device: &mut Device, mode: ShareMode) -> Result<(), ReturnCode> {
    if !device.slot.is_present() {
        return Err(ReturnCode::NoSmartcard);
    }
    if device.slot.is_mute() {
        return Err(ReturnCode::UnresponsiveCard);
    }
    // pcscd leaves a card without power that another handle has unpowered; nobody could use it then.
    if mode != ShareMode::Direct && !device.slot.is_powered() {
        device.wake(Wake::Cold).map_err(|_| ReturnCode::UnresponsiveCard)?;
    }
    Ok(())
}
