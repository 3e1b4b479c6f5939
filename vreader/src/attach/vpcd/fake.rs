//! What the attachment is tested against: a vpcd that sends exactly as Debian's does, and a card that is easy
//! to check.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Endpoint, Event};
use crate::reader::{InsertedCard, Interface};

/// Far beyond what anything here takes, so that a defect is a failure and no hang.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

pub(super) const OFF: &[u8] = &[0x00];
pub(super) const ON: &[u8] = &[0x01];
pub(super) const RESET: &[u8] = &[0x02];
pub(super) const GET_ATR: &[u8] = &[0x04];

/// A vpcd slot: listens, and sends each message as two segments.
pub(super) struct FakeVpcd {
    listener: TcpListener,
}

impl FakeVpcd {
    pub(super) fn start() -> Self {
        Self { listener: TcpListener::bind(("127.0.0.1", 0)).unwrap() }
    }

    /// Two slots on consecutive ports.
    pub(super) fn start_two() -> (Self, Self) {
        loop {
            let first = Self::start();
            if let Some(port) = first.port().checked_add(1)
                && let Ok(listener) = TcpListener::bind(("127.0.0.1", port))
            {
                return (first, Self { listener });
            }
        }
    }

    pub(super) fn restart_at(endpoint: &Endpoint) -> Self {
        Self { listener: TcpListener::bind((endpoint.host.as_str(), endpoint.port)).unwrap() }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        Endpoint { host: "127.0.0.1".to_owned(), port: self.port() }
    }

    /// The next card that connects.
    pub(super) fn accept(&self) -> FakeSlot {
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        FakeSlot { stream }
    }
}

/// The connection to a card.
pub(super) struct FakeSlot {
    stream: TcpStream,
}

impl FakeSlot {
    /// Sends a message as Debian's vpcd does: length and body apart, Nagle's algorithm on.
    pub(super) fn send(&mut self, body: &[u8]) {
        let length = u16::try_from(body.len()).unwrap();
        self.stream.write_all(&length.to_be_bytes()).unwrap();
        self.stream.write_all(body).unwrap();
    }

    pub(super) fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 2];
        self.stream.read_exact(&mut length)?;
        let mut body = vec![0; usize::from(u16::from_be_bytes(length))];
        self.stream.read_exact(&mut body)?;
        Ok(body)
    }

    pub(super) fn ask(&mut self, body: &[u8]) -> Vec<u8> {
        self.send(body);
        self.receive().unwrap()
    }

    /// Whether the card has left.
    pub(super) fn left(&mut self) -> bool {
        self.receive().is_err_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
    }
}

/// A card that answers with the command and `9000`, and writes down what happens to it.
pub(super) struct Echo {
    diary: Arc<Mutex<Vec<&'static str>>>,
}

impl Echo {
    pub(super) const ATR: &'static [u8] = &[0x3B, 0x80, 0x80, 0x01, 0x01];

    /// Commands by which a test makes the card misbehave.
    pub(super) const SAY_NOTHING: &'static [u8] = &[0x80, 0x00];
    pub(super) const SAY_ONE_BYTE: &'static [u8] = &[0x80, 0x01];
    pub(super) const SAY_THE_MOST: &'static [u8] = &[0x80, 0x02];
    pub(super) const SAY_TOO_MUCH: &'static [u8] = &[0x80, 0x03];
    pub(super) const PANIC: &'static [u8] = &[0x80, 0x04];

    pub(super) fn card() -> Box<dyn InsertedCard> {
        Self::with_diary().0
    }

    pub(super) fn with_diary() -> (Box<dyn InsertedCard>, Arc<Mutex<Vec<&'static str>>>) {
        let diary = Arc::default();
        (Box::new(Self { diary: Arc::clone(&diary) }), diary)
    }

    fn note(&self, word: &'static str) {
        self.diary.lock().unwrap().push(word);
    }
}

impl InsertedCard for Echo {
    fn atr(&self) -> &[u8] {
        Self::ATR
    }

    fn power_on(&mut self, _: Interface) {
        self.note("on");
    }

    fn power_off(&mut self) {
        self.note("off");
    }

    fn reset(&mut self) {
        self.note("reset");
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        assert_ne!(command, Self::PANIC, "a defect of the card");
        match command {
            Self::SAY_NOTHING => Vec::new(),
            Self::SAY_ONE_BYTE => vec![0x90],
            Self::SAY_THE_MOST => vec![0x90; 0xFFFF],
            Self::SAY_TOO_MUCH => vec![0x90; 0x1_0000],
            _ => [command, &[0x90, 0x00]].concat(),
        }
    }
}

/// A listener, and where its events arrive.
pub(super) fn listen() -> (impl Fn(usize, &Event) + Send + Sync + 'static, Events) {
    let (sender, receiver): (Sender<(usize, Event)>, _) = channel();
    let sender = Mutex::new(sender);
    let listener = move |slot, event: &Event| {
        // The test may have ended before the slot.
        let _ = sender.lock().unwrap().send((slot, event.clone()));
    };
    (listener, Events(receiver))
}

/// The events of a plug.
pub(super) struct Events(Receiver<(usize, Event)>);

impl Events {
    pub(super) fn next(&self) -> (usize, Event) {
        self.0.recv_timeout(DEADLINE).expect("an event before the deadline")
    }

    /// The next event, if it has happened.
    pub(super) fn already(&self) -> Option<(usize, Event)> {
        self.0.try_recv().ok()
    }
}
