//! One stay of a card in a vpcd slot: from the connection to its end.
//!
//! [`serve`] promises: every message of vpcd that wants an answer gets one, of 2 to 65,535 bytes; the kernel
//! acknowledges each segment at once; a slot that a client has hung is freed within [`SILENCE`].

use std::convert::Infallible;
use std::io;
use std::net::TcpStream;
use std::os::linux::net::TcpStreamExt;
use std::time::Duration;

use vpicc::{Connection, VSmartCard};

use crate::reader::{InsertedCard, Interface};

/// vpcd polls its card every 0.4 s; a slot that asks nothing for this long has another card.
const PATIENCE: Duration = Duration::from_millis(1500);

/// vpcd follows every power control with a request for the ATR. If none comes, the "control" was a client's
/// APDU of one byte: vpcd then waits for an answer that the protocol does not allow, and only the card's
/// departure frees it.
const SILENCE: Duration = Duration::from_secs(3);

/// Longest answer that the 16-bit length of a frame can announce.
const MAX_ANSWER: usize = 0xFFFF;

/// What a card that gives no usable answer says: no precise diagnosis (ISO 7816-4, table 6).
const NO_DIAGNOSIS: [u8; 2] = [0x6F, 0x00];

/// The shortest answer to reset there is: direct convention, no interface and no historical bytes (ISO
/// 7816-3, 8.2).
const BARE_ATR: [u8; 2] = [0x3B, 0x00];

/// Why a stay in the slot ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Loss {
    /// vpcd closed the connection.
    #[error("pcscd closed the connection: it stopped or restarts")]
    Closed,
    /// A client's command hung the slot, and the card left to free it.
    #[error(
        "a program sent an APDU of one byte, which vpcd takes for a control message; \
         the card left to free the slot"
    )]
    OneByteCommand,
    /// The connection failed otherwise.
    #[error("the connection failed: {0}")]
    Failed(String),
}

impl From<io::Error> for Loss {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                Self::Closed
            }
            // What `vpicc` says to a control message that vpcd does not have.
            io::ErrorKind::InvalidData => Self::OneByteCommand,
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// How the beginning of a stay looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// vpcd is silent: another card has the slot.
    Queued,
    /// vpcd asked its first question: the card is in the reader.
    Seated,
}

/// Lets `card` answer until the connection ends, and returns why it ended. `report` hears how the stay
/// begins.
pub(super) fn serve(
    stream: TcpStream,
    card: &mut dyn InsertedCard,
    interface: Interface,
    report: &mut dyn FnMut(Sign),
) -> Loss {
    match serve_until_lost(stream, card, interface, report) {
        Ok(never) => match never {},
        Err(loss) => loss,
    }
}

fn serve_until_lost(
    stream: TcpStream,
    card: &mut dyn InsertedCard,
    interface: Interface,
    report: &mut dyn FnMut(Sign),
) -> Result<Infallible, Loss> {
    stream.set_nodelay(true)?;
    // The kernel's options belong to the socket, not to the handle: a clone reaches what `Connection` hides.
    let socket = stream.try_clone()?;
    let mut connection = Connection::from(stream);
    if !message_within(&socket, PATIENCE)? {
        report(Sign::Queued);
        socket.peek(&mut [0])?;
    }
    let mut contacts = Contacts { card, interface, power_changed: false };
    let mut seated = false;
    loop {
        // The kernel falls back to delayed acknowledgements after each exchange, so once is not enough.
        socket.set_quickack(true)?;
        connection.poll(&mut contacts)?;
        if !seated {
            seated = true;
            report(Sign::Seated);
        }
        if std::mem::take(&mut contacts.power_changed) && !message_within(&socket, SILENCE)? {
            return Err(Loss::OneByteCommand);
        }
    }
}

/// Waits for the next message without reading it; `false` if the time is over. The end of the stream is an
/// error.
fn message_within(socket: &TcpStream, patience: Duration) -> io::Result<bool> {
    socket.set_quickack(true)?;
    socket.set_read_timeout(Some(patience))?;
    let seen = loop {
        match socket.peek(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            seen => break seen,
        }
    };
    // A timeout that struck inside a message would lose its beginning: none may be set while `vpicc` reads.
    socket.set_read_timeout(None)?;
    match seen {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The card's contacts in the slot: translates `vpicc`'s calls, and mends answers that a frame cannot carry.
struct Contacts<'a> {
    card: &'a mut dyn InsertedCard,
    interface: Interface,
    power_changed: bool,
}

impl VSmartCard for Contacts<'_> {
    fn atr(&self) -> &[u8] {
        let atr = self.card.atr();
        if atr.is_empty() { &BARE_ATR } else { atr }
    }

    fn power_on(&mut self) {
        self.card.power_on(self.interface);
        self.power_changed = true;
    }

    fn power_off(&mut self) {
        self.card.power_off();
        self.power_changed = true;
    }

    fn reset(&mut self) {
        self.card.reset();
        self.power_changed = true;
    }

    fn execute(&mut self, command: &[u8]) -> Vec<u8> {
        let answer = self.card.transmit(command);
        if (NO_DIAGNOSIS.len()..=MAX_ANSWER).contains(&answer.len()) { answer } else { NO_DIAGNOSIS.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::{self, JoinHandle};
    use std::time::Instant;

    use super::super::fake::{Echo, FakeSlot, FakeVpcd, GET_ATR, OFF, ON, RESET};
    use super::*;

    /// A card in a fake slot, with its diary, and the thread that ends with the stay.
    fn seat() -> (FakeSlot, std::sync::Arc<std::sync::Mutex<Vec<&'static str>>>, JoinHandle<Loss>) {
        let vpcd = FakeVpcd::start();
        let endpoint = vpcd.endpoint();
        let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).unwrap();
        let (mut card, diary) = Echo::with_diary();
        let stay = thread::spawn(move || serve(stream, &mut *card, Interface::Contact, &mut |_| {}));
        (vpcd.accept(), diary, stay)
    }

    #[test]
    fn controls_reach_the_card_and_only_the_atr_is_answered() {
        let (mut slot, diary, stay) = seat();
        for control in [GET_ATR, ON, GET_ATR, RESET, GET_ATR, OFF, GET_ATR] {
            slot.send(control);
            if control == GET_ATR {
                assert_eq!(slot.receive().unwrap(), Echo::ATR);
            }
        }
        drop(slot);
        assert_eq!(stay.join().unwrap(), Loss::Closed);
        assert_eq!(*diary.lock().unwrap(), ["on", "reset", "off"]);
    }

    #[test]
    fn commands_of_every_length_come_back_whole() {
        let (mut slot, _, _stay) = seat();
        for length in [2, 4, 5, 255, 256, 261, 4103, 65_533] {
            let command = vec![0xA5; length];
            let answer = slot.ask(&command);
            assert_eq!(answer.len(), length + 2);
            assert!(answer.starts_with(&command) && answer.ends_with(&[0x90, 0x00]));
        }
    }

    #[test]
    fn unusable_answers_become_6f00_and_the_stay_goes_on() {
        let (mut slot, _, _stay) = seat();
        for command in [Echo::SAY_NOTHING, Echo::SAY_ONE_BYTE, Echo::SAY_TOO_MUCH] {
            assert_eq!(slot.ask(command), NO_DIAGNOSIS);
        }
        assert_eq!(slot.ask(Echo::SAY_THE_MOST).len(), MAX_ANSWER);
        assert_eq!(slot.ask(&[0x00, 0xA4]), [0x00, 0xA4, 0x90, 0x00]);
    }

    #[test]
    fn a_card_without_atr_never_sends_an_empty_message() {
        struct Mute;
        impl InsertedCard for Mute {
            fn atr(&self) -> &[u8] {
                &[]
            }
            fn power_on(&mut self, _: Interface) {}
            fn power_off(&mut self) {}
            fn reset(&mut self) {}
            fn transmit(&mut self, _: &[u8]) -> Vec<u8> {
                Vec::new()
            }
        }
        assert_eq!(
            Contacts { card: &mut Mute, interface: Interface::Contact, power_changed: false }.atr(),
            BARE_ATR
        );
    }

    #[test]
    fn an_apdu_of_one_byte_does_not_hang_the_slot() {
        let hung: Vec<_> = [OFF, ON, RESET, &[0x07]]
            .map(|apdu| {
                let (mut slot, _, stay) = seat();
                slot.send(apdu);
                (slot, stay)
            })
            .into();
        for (mut slot, stay) in hung {
            assert!(slot.left(), "the card leaves, as nothing else frees vpcd");
            assert_eq!(stay.join().unwrap(), Loss::OneByteCommand);
        }
    }

    /// A plain loop around `vpicc`, which is what this module must beat.
    struct Plain;

    impl VSmartCard for Plain {
        fn execute(&mut self, command: &[u8]) -> Vec<u8> {
            [command, &[0x90, 0x00]].concat()
        }
    }

    #[test]
    fn no_message_waits_for_a_delayed_acknowledgement() {
        // The kernel acknowledges a fresh connection's first segments at once; the stall begins after them.
        fn median(slot: &mut FakeSlot) -> Duration {
            let mut times: Vec<Duration> = (0..60)
                .map(|_| {
                    let begin = Instant::now();
                    slot.ask(&[0x00, 0xA4, 0x04, 0x00, 0x00]);
                    begin.elapsed()
                })
                .skip(30)
                .collect();
            times.sort_unstable();
            times[times.len() / 2]
        }
        let (mut ours, _, _stay) = seat();
        let vpcd = FakeVpcd::start();
        let endpoint = vpcd.endpoint();
        let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).unwrap();
        let _plain = thread::spawn(move || Connection::from(stream).run(&mut Plain));
        let plain = median(&mut vpcd.accept());
        let ours = median(&mut ours);
        assert!(
            plain > Duration::from_millis(20),
            "this kernel has the stall that is to be avoided: {plain:?}"
        );
        assert!(ours * 4 < plain, "ours {ours:?}, plain {plain:?}");
    }
}
