//! What must hold after every command, whatever it was.
//!
//! * The answer has a status word of ISO/IEC 7816-4, 5.6, at most as many bytes as were asked for, and data only with
//!   success or a warning.
//! * No [secret](super::Secrets) is in it.
//! * A retry counter rises only by the commands that SP 800-73-5 part 2, 3.2.1 to 3.2.3, gives this power, by the card manager's
//!   form of RESET RETRY COUNTER, and by Yubico's RESET and SET PIN RETRIES, and only when they succeed or have proved a value; it falls only by one, and only by a command
//!   that compares. The CAC applets call the same PIN `00`.

use apdu::Command;
use card_sim::{
    profile::Profile,
    reference::{Reference, tries_left},
    store::{Record, Store},
};

use super::secrets::{Secret, Secrets};

/// Something that must not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// The card's code panicked, with this message.
    #[error("the card panicked: {0}")]
    Panic(String),
    /// The answer has no status word.
    #[error("the answer has {0} bytes and no status word")]
    NoStatus(usize),
    /// A status word that ISO/IEC 7816-4 does not know.
    #[error("{0:04X} is no status word")]
    Status(u16),
    /// More data than the command lets the card send.
    #[error("the answer has {found} bytes of data, and {limit} were asked for")]
    TooLong {
        /// Bytes of data.
        found: usize,
        /// Bytes that were asked for.
        limit: usize,
    },
    /// Data beside an error.
    #[error("{status:04X} comes with {length} bytes of data")]
    DataWithError {
        /// The status word.
        status: u16,
        /// Bytes of data.
        length: usize,
    },
    /// Bytes of a secret in an answer.
    #[error("bytes of {0} are in the answer")]
    Leak(Secret),
    /// A retry counter rose where none may.
    #[error("the tries of {:02X} rose from {before} to {after}, which this command may not do", .reference.to_byte())]
    Regained {
        /// Whose counter.
        reference: Reference,
        /// Tries before the command.
        before: u8,
        /// Tries after it.
        after: u8,
    },
    /// A retry counter fell where none may, or by more than one.
    #[error("the tries of {:02X} fell from {before} to {after}, which this command may not do", .reference.to_byte())]
    Lost {
        /// Whose counter.
        reference: Reference,
        /// Tries before the command.
        before: u8,
        /// Tries after it.
        after: u8,
    },
}

/// Tries left of all references; `None` for one that cannot be read.
type Tries = [Option<u8>; Reference::ALL.len()];

fn tries(store: &impl Store) -> Tries {
    Reference::ALL.map(|reference| tries_left(store, reference).ok())
}

/// Watches one card.
pub struct Guard {
    secrets: Secrets,
    /// The card may have other secrets by now.
    stale: bool,
    tries: Tries,
    names: Names,
}

impl Guard {
    /// Begins with a card as its store holds it.
    pub fn new(store: &impl Store) -> Self {
        Self { secrets: Secrets::of(store), stale: false, tries: tries(store), names: Names::of(store) }
    }

    /// Judges an answer; `store` is the card's after it.
    pub fn judge(&mut self, store: &impl Store, command: &[u8], answer: &[u8]) -> Result<(), Finding> {
        let (data, status) = answer.split_last_chunk().ok_or(Finding::NoStatus(answer.len()))?;
        let status = u16::from_be_bytes(*status);
        check_form(command, data, status)?;
        let leak = |secrets: &Secrets| secrets.found_in(data).map_or(Ok(()), |it| Err(Finding::Leak(it)));
        if !self.stale {
            leak(&self.secrets)?;
        }
        self.stale |= status == 0x9000
            && matches!(command.get(1), Some(0x24 | 0x2C | 0x47 | 0xDB | 0xF6 | 0xFA | 0xFB | 0xFE | 0xFF));
        if self.stale && !data.is_empty() {
            self.secrets = self.secrets.renewed(store);
            self.stale = false;
            leak(&self.secrets)?;
        }
        let before = std::mem::replace(&mut self.tries, tries(store));
        self.check_tries(before, command, status)
    }

    /// The power failed, maybe during a command: what it was to do is done or not.
    ///
    /// # Errors
    /// A try that the command could not give back has come back.
    pub fn power_failed(&mut self, store: &impl Store, command: &[u8]) -> Result<(), Finding> {
        self.stale = true;
        let before = std::mem::replace(&mut self.tries, tries(store));
        // As if it had succeeded: that is the most it may do.
        self.check_tries(before, command, 0x9000)
    }

    fn check_tries(&self, before: Tries, command: &[u8], status: u16) -> Result<(), Finding> {
        // A YubiKey looks at a new value when the old one, or the PUK, is proved, and refuses it with 6985.
        let refused_after_proof = status == 0x6985 && matches!(command.get(1), Some(0x24 | 0x2C));
        let proved = status == 0x9000 || refused_after_proof;
        for ((reference, before), after) in Reference::ALL.into_iter().zip(before).zip(self.tries) {
            let (Some(before), Some(after)) = (before, after) else { continue };
            if proved && self.names.gives_back(command, reference) {
                continue;
            }
            if after > before {
                return Err(Finding::Regained { reference, before, after });
            }
            if after < before && !(before - after == 1 && self.names.compares(command, reference)) {
                return Err(Finding::Lost { reference, before, after });
            }
        }
        Ok(())
    }
}

fn check_form(command: &[u8], data: &[u8], status: u16) -> Result<(), Finding> {
    let [sw1, _] = status.to_be_bytes();
    if !matches!(sw1, 0x61..=0x6F | 0x90) {
        return Err(Finding::Status(status));
    }
    if !data.is_empty() && !matches!(sw1, 0x61..=0x63 | 0x90) {
        return Err(Finding::DataWithError { status, length: data.len() });
    }
    let limit = Command::parse(command).map_or(0, |command| command.response_limit());
    if data.len() > limit {
        return Err(Finding::TooLong { found: data.len(), limit });
    }
    Ok(())
}

/// What a card calls its references.
struct Names {
    /// It has the CAC applets, in which `00` is the PIN of PIV, and P1 of CHANGE REFERENCE DATA may be `01`.
    of_cac: bool,
}

impl Names {
    fn of(store: &impl Store) -> Self {
        let mut name = heapless::Vec::<u8, 32>::new();
        // A card without a readable profile is none, and answers nothing.
        let found = store.read(Record::Profile, &mut name).unwrap_or(false);
        let profile = str::from_utf8(&name).ok().filter(|_| found).and_then(Profile::find);
        Self { of_cac: profile.is_some_and(|profile| profile.cac.is_some()) }
    }

    /// Whether a command's success may give back tries of a reference.
    fn gives_back(&self, command: &[u8], reference: Reference) -> bool {
        match *command {
            // The card manager's form, which compares nothing.
            [_, 0x2C, 0x02, 0x80, ..] => reference == Reference::PivPin,
            // Yubico's SET PIN RETRIES gives both their first values.
            [_, 0x2C, 0x00, 0x80, ..] | [_, 0xFA, ..] => {
                matches!(reference, Reference::PivPin | Reference::Puk)
            }
            // Yubico's RESET does so, and takes all other reference data away.
            [_, 0xFB, 0x00, 0x00, ..] => true,
            _ => self.proves(command, reference),
        }
    }

    /// Whether a command compares with a reference, which costs a try.
    fn compares(&self, command: &[u8], reference: Reference) -> bool {
        match *command {
            [_, 0x2C, 0x00, 0x80, ..] => reference == Reference::Puk,
            _ => self.proves(command, reference),
        }
    }

    /// Whether this is VERIFY or CHANGE REFERENCE DATA of a reference.
    fn proves(&self, command: &[u8], reference: Reference) -> bool {
        let is_pin = self.of_cac && reference == Reference::PivPin;
        match *command {
            [_, 0x20 | 0x24, 0x00, p2, ..] if p2 == reference.to_byte() => true,
            [_, 0x20, 0x00, 0x00, ..] | [_, 0x24, 0x00 | 0x01, 0x00, ..] => is_pin,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use card_sim::{
        key::KeyReference,
        store::{FlashStore, MemoryFlash, Record, Update},
    };

    use super::*;
    use crate::image::FlashSize;

    const VERIFY: &[u8] = b"\x00\x20\x00\x80\x08123456\xFF\xFF";
    const UNBLOCK: &[u8] = b"\x00\x2C\x00\x80\x10ABCDEFGH123456\xFF\xFF";
    const UNBLOCK_BY_ADMINISTRATOR: &[u8] = b"\x00\x2C\x02\x80\x08123456\xFF\xFF";
    const GET_DATA: &[u8] = &[0x00, 0xCB, 0x3F, 0xFF, 0x03, 0x5C, 0x01, 0x7E, 0x00];

    fn store() -> FlashStore<MemoryFlash> {
        let mut store = FlashSize::from_pages(3).unwrap().blank_store();
        let updates = [
            Update::Write(Record::ReferenceData(Reference::PivPin), b"\x03123456\xFF\xFF"),
            Update::Write(Record::RetryCounter(Reference::PivPin), &[2]),
            Update::Write(Record::ReferenceData(Reference::Puk), b"\x03ABCDEFGH"),
            Update::Write(Record::RetryCounter(Reference::Puk), &[2]),
        ];
        store.commit(&updates).unwrap();
        store
    }

    /// What is found if a card answers so and leaves so many tries.
    fn found(command: &[u8], answer: &[u8], pin: u8, puk: u8) -> Option<Finding> {
        let mut store = store();
        let mut guard = Guard::new(&store);
        let updates = [
            Update::Write(Record::RetryCounter(Reference::PivPin), std::slice::from_ref(&pin)),
            Update::Write(Record::RetryCounter(Reference::Puk), std::slice::from_ref(&puk)),
        ];
        store.commit(&updates).unwrap();
        guard.judge(&store, command, answer).err()
    }

    #[test]
    fn right_answers_are_no_findings() {
        for (command, answer, pin, puk) in [
            (VERIFY, &[0x90, 0x00][..], 3, 2),
            (VERIFY, &[0x63, 0xC1], 1, 2),
            (VERIFY, &[0x69, 0x83], 2, 2),
            (UNBLOCK, &[0x90, 0x00], 3, 3),
            (UNBLOCK, &[0x63, 0xC1], 2, 1),
            (UNBLOCK, &[0x69, 0x85], 2, 3),
            (UNBLOCK_BY_ADMINISTRATOR, &[0x90, 0x00], 3, 2),
            (UNBLOCK_BY_ADMINISTRATOR, &[0x69, 0x82], 2, 2),
            (&[0x00, 0xFA, 0x05, 0x04], &[0x90, 0x00], 5, 4),
            (&[0x00, 0xFB, 0x00, 0x00], &[0x90, 0x00], 3, 3),
            (GET_DATA, &[0x7E, 0x00, 0x90, 0x00], 2, 2),
            (GET_DATA, &[0x7E, 0x00, 0x61, 0x10], 2, 2),
            (&[], &[0x67, 0x00], 2, 2),
        ] {
            assert_eq!(found(command, answer, pin, puk), None, "{command:02X?} {answer:02X?}");
        }
    }

    #[test]
    fn answers_of_a_wrong_form_are_findings() {
        for (answer, finding) in [
            (&[][..], Finding::NoStatus(0)),
            (&[0x90], Finding::NoStatus(1)),
            (&[0x00, 0x00], Finding::Status(0)),
            (&[0x60, 0x00], Finding::Status(0x6000)),
            (&[0x91, 0x00], Finding::Status(0x9100)),
            (&[0x00, 0x69, 0x82], Finding::DataWithError { status: 0x6982, length: 1 }),
            (&[vec![0; 257], vec![0x90, 0x00]].concat(), Finding::TooLong { found: 257, limit: 256 }),
        ] {
            assert_eq!(found(GET_DATA, answer, 2, 2), Some(finding), "{answer:02X?}");
        }
        // A command that cannot be read asks for nothing.
        assert_eq!(found(&[0x00], &[0x01, 0x90, 0x00], 2, 2), Some(Finding::TooLong { found: 1, limit: 0 }));
    }

    #[test]
    fn a_card_that_tells_a_secret_is_found_out() {
        let pin = Finding::Leak(Secret::ReferenceData(Reference::PivPin));
        assert_eq!(found(VERIFY, b"..123456\x90\x00", 3, 2), Some(pin));
        // Also a key that it has only now.
        let mut store = store();
        let mut guard = Guard::new(&store);
        let material: Vec<u8> = (0..32).map(|byte: u8| byte.wrapping_mul(91)).collect();
        let record = [&[0x11, 0x01], &material[..]].concat();
        let key = KeyReference::DigitalSignature;
        store.commit(&[Update::Write(Record::Key(key), &record)]).unwrap();
        let generate = [0x00, 0x47, 0x00, 0x9C, 0x05, 0xAC, 0x03, 0x80, 0x01, 0x11, 0x00];
        let answer = [&material[9..20], &[0x90, 0x00]].concat();
        assert_eq!(guard.judge(&store, &generate, &answer), Err(Finding::Leak(Secret::Key(key))));
    }

    #[test]
    fn a_card_that_gives_tries_back_or_takes_them_is_found_out() {
        let regained = |reference| Some(Finding::Regained { reference, before: 2, after: 3 });
        let lost = |reference, after| Some(Finding::Lost { reference, before: 2, after });
        for (command, answer, pin, puk, finding) in [
            (VERIFY, [0x63, 0xC3], 3, 2, regained(Reference::PivPin)),
            (VERIFY, [0x90, 0x00], 3, 3, regained(Reference::Puk)),
            (GET_DATA, [0x90, 0x00], 3, 2, regained(Reference::PivPin)),
            (UNBLOCK, [0x63, 0xC2], 2, 3, regained(Reference::Puk)),
            (UNBLOCK_BY_ADMINISTRATOR, [0x69, 0x82], 3, 2, regained(Reference::PivPin)),
            (UNBLOCK_BY_ADMINISTRATOR, [0x90, 0x00], 3, 3, regained(Reference::Puk)),
            (&[0x00, 0xFB, 0x00, 0x00], [0x69, 0x85], 3, 2, regained(Reference::PivPin)),
            (VERIFY, [0x63, 0xC0], 0, 2, lost(Reference::PivPin, 0)),
            (VERIFY, [0x63, 0xC1], 2, 1, lost(Reference::Puk, 1)),
            (UNBLOCK, [0x63, 0xC1], 1, 2, lost(Reference::PivPin, 1)),
            (GET_DATA, [0x90, 0x00], 1, 2, lost(Reference::PivPin, 1)),
        ] {
            assert_eq!(found(command, &answer, pin, puk), finding, "{command:02X?} {answer:02X?}");
        }
    }

    #[test]
    fn the_cac_applets_have_another_name_for_the_pin() {
        let verify = [&[0x00, 0x20, 0x00, 0x00], &VERIFY[4..]].concat();
        let change = [&[0x00, 0x24, 0x01, 0x00][..], b"\x10123456\xFF\xFF654321\xFF\xFF"].concat();
        for (profile, finding) in [("cac-gemalto-gx4-144", false), ("piv", true)] {
            for command in [&verify, &change] {
                let mut store = store();
                store.commit(&[Update::Write(Record::Profile, profile.as_bytes())]).unwrap();
                let mut guard = Guard::new(&store);
                store.commit(&[Update::Write(Record::RetryCounter(Reference::PivPin), &[3])]).unwrap();
                let judged = guard.judge(&store, command, &[0x90, 0x00]);
                assert_eq!(judged.is_err(), finding, "{profile}: {command:02X?}");
            }
        }
    }

    #[test]
    fn a_loss_of_power_gives_no_try_back() {
        let mut store = store();
        let mut guard = Guard::new(&store);
        assert_eq!(guard.power_failed(&store, VERIFY), Ok(()));
        store.commit(&[Update::Write(Record::RetryCounter(Reference::PivPin), &[3])]).unwrap();
        let regained = Finding::Regained { reference: Reference::PivPin, before: 2, after: 3 };
        assert_eq!(guard.power_failed(&store, GET_DATA), Err(regained));
    }
}
