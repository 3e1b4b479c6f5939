//! Transmit, Control, Status, GetAttrib, SetAttrib, by the rules of pcscd's `winscard.c`, and cards on loan.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Duration;

use zeroize::Zeroizing;

use super::connect::wait_for_card;
use super::{ClientId, Readers};
use crate::reader::device::{Device, drop_quietly};
use crate::reader::feature::{self, Feature};
use crate::reader::lease::{Control, Lease};
use crate::reader::pin_entry::{Entry, Template};
use crate::reader::{InsertedCard, Protocol, Protocols, Refusal, ReturnCode, Turn, What, attribute};

/// The card's word for "done".
const DONE: [u8; 2] = [0x90, 0x00];

impl Readers {
    /// The first half of SCardTransmit: lends the card to whoever runs the command, without any lock, and gives it
    /// back.
    ///
    /// `protocol` is the one in the caller's PCI. Pending while the card runs another command.
    pub fn transmit(
        &mut self,
        client: ClientId,
        handle: u32,
        protocol: u32,
        turn: &mut Turn,
    ) -> Poll<Result<Lease, Refusal>> {
        let answer = self.try_transmit(client, handle, protocol, turn);
        self.finish(turn, answer)
    }

    fn try_transmit(
        &mut self,
        client: ClientId,
        handle: u32,
        protocol: u32,
        turn: &mut Turn,
    ) -> Poll<Result<Lease, Refusal>> {
        let device = self.device_of(client, handle)?;
        device.check_sharing(handle)?;
        device.check_works()?;
        device.check_notice(handle)?;
        if protocol != Protocol::Raw.value() {
            if !device.slot.is_present() {
                return Poll::Ready(Err(ReturnCode::NoSmartcard.into()));
            }
            if protocol != Protocols::ANY_OLD && protocol != device.slot.protocol().value() {
                return Poll::Ready(Err(ReturnCode::ProtocolMismatch.into()));
            }
        }
        self.lend(client, handle, turn)
    }

    /// Lends out the card of a handle, if it has power.
    fn lend(&mut self, client: ClientId, handle: u32, turn: &mut Turn) -> Poll<Result<Lease, Refusal>> {
        let ticket = self.draw_ticket(turn);
        let id = self.next_lease();
        let context = self.handle_of(client, handle)?.context;
        let device = self.device_of(client, handle)?;
        if !device.slot.is_present() {
            return Poll::Ready(Err(ReturnCode::NoSmartcard.into()));
        }
        if wait_for_card(device, ticket, turn).is_pending() {
            return Poll::Pending;
        }
        if !device.slot.is_powered() {
            return Poll::Ready(Err(ReturnCode::NotTransacted.into()));
        }
        let card = device.slot.lend(id).ok_or(ReturnCode::NoSmartcard)?;
        Poll::Ready(Ok(Lease { id, device: device.id, client, context, handle, card, new_pin: None }))
    }

    /// The second half of SCardTransmit: takes back the card and what it did in `duration`.
    ///
    /// If the card was taken out of its reader meanwhile, this returns it, without power, and the caller's answer is
    /// NO_SMARTCARD. If it gave no answer, the caller's is NOT_TRANSACTED.
    pub fn give_back(
        &mut self,
        lease: Lease,
        command: &[u8],
        answer: &[u8],
        duration: Duration,
    ) -> Option<Box<dyn InsertedCard>> {
        let Lease { id, device: device_id, client, handle, mut card, new_pin, .. } = lease;
        let in_slot = self.device(device_id).is_some_and(|device| device.slot.has_lent(id));
        if self.events.is_some() {
            let rule = card.broken_rule().filter(|_| !answer.is_empty());
            let answer = (in_slot && !answer.is_empty()).then(|| Zeroizing::new(answer.to_vec()));
            let command = Zeroizing::new(command.to_vec());
            self.note(device_id, What::Command { client, handle, command, answer, rule, duration });
        }
        let evicted = match self.device(device_id) {
            Some(device) if in_slot => {
                device.slot.restore(card);
                if answer.is_empty() {
                    device.lose_answer();
                }
                if let (Some(pin), DONE, Some(pin_pad)) =
                    (new_pin, status_of(answer), device.settings.pin_pad.as_mut())
                {
                    pin_pad.pin = pin;
                }
                None
            }
            _ => {
                // Its contacts have left the reader's long ago, but its code did not know.
                let off = AssertUnwindSafe(|| card.power_off());
                let _ = catch_unwind(off);
                Some(card)
            }
        };
        self.settle();
        evicted
    }

    /// The card's code failed while it was on loan: the card is out of its reader, and gone.
    pub fn lose(&mut self, lease: Lease) {
        let Lease { id, device, card, .. } = lease;
        drop_quietly(card);
        if let Some(device) = self.device(device).filter(|device| device.slot.has_lent(id)) {
            device.lose_card();
        }
        self.settle();
    }

    /// Whether the card of this loan is still in its reader.
    pub fn has_lent(&self, lease: &Lease) -> bool {
        self.devices.iter().any(|device| device.id == lease.device && device.slot.has_lent(lease.id))
    }

    /// SCardStatus.
    pub fn status(&mut self, client: ClientId, handle: u32) -> Result<(), Refusal> {
        let id = self.handle_of(client, handle)?.device;
        let device = self.device(id).ok_or(ReturnCode::ReaderUnavailable)?;
        device.check_sharing(handle)?;
        device.check_notice(handle)?;
        device.check_works()?;
        Ok(())
    }

    /// SCardControl. Resets and removals do not matter to it: it talks to the reader.
    ///
    /// Pending, if the key-pad is to give a command to the card, while the card runs another.
    pub fn control(
        &mut self,
        client: ClientId,
        handle: u32,
        code: u32,
        input: &[u8],
        turn: &mut Turn,
    ) -> Poll<Result<Control, Refusal>> {
        let answer = self.try_control(client, handle, code, input, turn);
        self.finish(turn, answer)
    }

    fn try_control(
        &mut self,
        client: ClientId,
        handle: u32,
        code: u32,
        input: &[u8],
        turn: &mut Turn,
    ) -> Poll<Result<Control, Refusal>> {
        let device = self.device_of(client, handle)?;
        device.check_sharing(handle)?;
        device.check_works()?;
        let entry = match feature::ask(&device.settings, code)? {
            Feature::Answer(answer) => return Poll::Ready(Ok(Control::Answer(answer))),
            Feature::VerifyPin(pin_pad) => Template::of_verify(input)?.enter(pin_pad),
            Feature::ModifyPin(pin_pad) => Template::of_modify(input)?.enter(pin_pad),
        };
        let (command, new_pin) = match entry {
            Entry::Refused(answer) => return Poll::Ready(Ok(Control::Answer(answer.to_vec()))),
            Entry::Command { command, new_pin } => (command, new_pin),
        };
        self.lend(client, handle, turn)
            .map_ok(|lease| Control::Command { lease: Lease { new_pin, ..lease }, command })
    }

    /// SCardGetAttrib.
    pub fn get_attrib(&mut self, client: ClientId, handle: u32, attribute: u32) -> Result<Vec<u8>, Refusal> {
        let device = self.device_for_attribute(client, handle)?;
        Ok(attribute::value(device, attribute).ok_or(ReturnCode::UnsupportedFeature)?)
    }

    /// SCardSetAttrib: nothing can be set.
    pub fn set_attrib(&mut self, client: ClientId, handle: u32) -> Result<(), Refusal> {
        self.device_for_attribute(client, handle)?;
        Err(ReturnCode::UnsupportedFeature.into())
    }

    fn device_for_attribute(&mut self, client: ClientId, handle: u32) -> Result<&Device, Refusal> {
        let device = self.device_of(client, handle)?;
        device.check_sharing(handle)?;
        device.check_works()?;
        device.check_notice(handle)?;
        Ok(device)
    }
}

/// The status bytes that end an answer.
fn status_of(answer: &[u8]) -> [u8; 2] {
    answer.last_chunk().copied().unwrap_or_default()
}
