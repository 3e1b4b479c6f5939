//! The holder's PIN: VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER (SP 800-73-5 part 2, 3.2; GSC-IS 2.1, 5.3.3).

use std::error::Error;

use card_sim::reference::pad_pin;
use zeroize::Zeroizing;

use super::{Console, ConsoleError, Face};
use crate::sm::transport::Transport;

const VERIFY: u8 = 0x20;
const CHANGE_REFERENCE_DATA: u8 = 0x24;
const RESET_RETRY_COUNTER: u8 = 0x2C;

/// Reference data as a command has it.
type Padded = Zeroizing<[u8; 8]>;

impl<T: Transport<Error: Error + Send + Sync + 'static>> Console<T> {
    /// How many tries the PIN has left; nothing if the card does not say, since the PIN is verified.
    pub fn tries_left(&mut self) -> Result<Option<u8>, ConsoleError> {
        self.select_face()?;
        let status = self.send([0x00, VERIFY, 0x00, self.reference()], &[])?.status;
        Ok(match status {
            0x6983 => Some(0),
            status => tries(status),
        })
    }

    /// Verifies the PIN. It stays verified until another application is selected, or the card is reset.
    pub fn log_in(&mut self, pin: &str) -> Result<(), ConsoleError> {
        let pin = padded(pin, "the PIN")?;
        self.select_face()?;
        let status = self.send([0x00, VERIFY, 0x00, self.reference()], &*pin)?.status;
        self.proved("the PIN", "VERIFY", status)
    }

    /// Replaces the PIN by another one.
    pub fn change_pin(&mut self, old: &str, new: &str) -> Result<(), ConsoleError> {
        let pins = pair(&padded(old, "the old PIN")?, &padded(new, "the new PIN")?);
        self.select_face()?;
        let status = self.send([0x00, CHANGE_REFERENCE_DATA, 0x00, self.reference()], &pins)?.status;
        self.proved("the old PIN", "CHANGE REFERENCE DATA", status)
    }

    /// Unlocks the PIN with the unlock code, and makes it this one.
    pub fn unlock(&mut self, puk: &str, new: &str) -> Result<(), ConsoleError> {
        if self.face == Face::CommonAccess {
            return Err(ConsoleError::NoUnlockCode);
        }
        let codes = pair(&padded_puk(puk)?, &padded(new, "the new PIN")?);
        self.select_face()?;
        let status = self.send([0x00, RESET_RETRY_COUNTER, 0x00, self.reference()], &codes)?.status;
        match status {
            0x6983 => Err(ConsoleError::PukLocked),
            status => self.proved("the unlock code (PUK)", "RESET RETRY COUNTER", status),
        }
    }

    /// What the face calls the PIN.
    fn reference(&self) -> u8 {
        match self.face {
            Face::CommonAccess => 0x00,
            Face::Piv => 0x80,
        }
    }

    fn proved(&self, what: &'static str, command: &'static str, status: u16) -> Result<(), ConsoleError> {
        match (status, tries(status)) {
            (0x9000, _) => Ok(()),
            (0x6983, _) if self.face == Face::CommonAccess => Err(ConsoleError::LockedByIssuer),
            (0x6983, _) => Err(ConsoleError::Locked),
            (_, Some(tries_left)) => Err(ConsoleError::Wrong { what, tries_left }),
            (status, None) => Err(ConsoleError::Refused { command, status }),
        }
    }
}

/// The tries left that `63Cx` tells.
fn tries(status: u16) -> Option<u8> {
    let [high, low] = status.to_be_bytes();
    (high == 0x63 && low & 0xF0 == 0xC0).then_some(low & 0x0F)
}

fn padded(pin: &str, what: &'static str) -> Result<Padded, ConsoleError> {
    pad_pin(pin).ok_or(ConsoleError::MalformedPin(what))
}

/// Cards have PUKs of eight characters, or pad shorter ones like PINs.
fn padded_puk(puk: &str) -> Result<Padded, ConsoleError> {
    let mut padded = Zeroizing::new([0xFF; 8]);
    let place = padded.get_mut(..puk.len()).filter(|place| place.len() >= 6 && puk.is_ascii());
    place.ok_or(ConsoleError::MalformedPuk)?.copy_from_slice(puk.as_bytes());
    Ok(padded)
}

fn pair(first: &Padded, second: &Padded) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([first.as_slice(), second.as_slice()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_63cx_tells_tries() {
        for (status, expected) in
            [(0x63C3, Some(3)), (0x63C0, Some(0)), (0x6300, None), (0x9000, None), (0x6983, None)]
        {
            assert_eq!(tries(status), expected, "{status:04X}");
        }
    }

    #[test]
    fn short_unlock_codes_are_padded_and_others_refused() {
        assert_eq!(*padded_puk("12345678").unwrap(), *b"12345678");
        assert_eq!(*padded_puk("abcdef").unwrap(), *b"abcdef\xFF\xFF");
        for wrong in ["", "12345", "123456789", "äöüäö"] {
            assert!(matches!(padded_puk(wrong), Err(ConsoleError::MalformedPuk)), "{wrong}");
        }
    }
}
