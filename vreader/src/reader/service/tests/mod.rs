//! Tests of the service with threads. They wait for conditions, with a deadline, and never sleep for luck.

mod cards;
mod clients;
mod manage;
mod watching;

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Client, Service};
use crate::random;
use crate::reader::tests::TestCard;
use crate::reader::{AutoPowerOff, Connection, InsertedCard, Protocol, ReaderSettings, Settings};

/// Long enough for everything that is to happen; a test that fails takes this long.
const DEADLINE: Duration = Duration::from_secs(20);

const EXCLUSIVE: u32 = 1;
const SHARED: u32 = 2;
const DIRECT: u32 = 3;
const T1: u32 = Protocol::T1 as u32;
const LEAVE: u32 = 0;
const RESET: u32 = 1;

const DESK: &[u8] = b"Desk 00 00";
const NAME: &str = "Desk";

/// A world with one empty reader, in which cards keep their power.
fn world() -> Service {
    world_with(Settings { auto_power_off: AutoPowerOff::Off, ..Settings::default() })
}

fn world_with(settings: Settings) -> Service {
    let service = Service::new(settings, random::from_seed("service tests", 1));
    assert_eq!(service.add_reader(ReaderSettings::new(NAME)).unwrap().as_bytes(), DESK);
    service
}

/// A world with one reader and a card in it.
fn world_with_card() -> Service {
    let service = world();
    service.insert(NAME, card()).unwrap();
    service
}

fn card() -> Box<dyn InsertedCard> {
    TestCard::new(TestCard::T1).boxed()
}

/// A client with a handle to the desk's reader.
fn connected(service: &Service, mode: u32) -> (Client, u32) {
    let mut client = service.client();
    let handle = connect(&mut client, mode).handle;
    (client, handle)
}

fn connect(client: &mut Client, mode: u32) -> Connection {
    let context = client.establish(2).unwrap();
    client.connect(context, DESK, mode, T1).unwrap()
}

/// Runs something that is to come to its end while the test goes on.
struct Running<T>(mpsc::Receiver<T>);

fn start<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Running<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    Running(receiver)
}

impl<T> Running<T> {
    /// Its outcome.
    fn end(self) -> T {
        self.0.recv_timeout(DEADLINE).expect("it ends in time")
    }

    /// It has not come to an end.
    fn goes_on(&self) -> bool {
        matches!(self.0.try_recv(), Err(mpsc::TryRecvError::Empty))
    }
}

/// Waits until a condition holds that nobody tells of.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < DEADLINE, "in time: {what}");
        thread::yield_now();
    }
}

/// Waits until so many calls wait for their turn.
fn until_waiting(service: &Service, calls: usize) {
    until("calls wait", || service.shared.sleepers() == calls);
}
