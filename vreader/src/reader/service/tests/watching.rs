//! Those who wait for changes, and those who want to know everything.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use super::*;
use crate::reader::{Change, Event, Observer, ReaderState, ReturnCode, What};

/// Watches, and passes on what it is told.
fn watch(client: &mut Client, seen: u64) -> Receiver<Change> {
    let (sender, receiver) = channel();
    client.watch(seen, move |change| sender.send(change).unwrap());
    receiver
}

#[test]
fn a_watch_is_told_once_of_each_kind_of_change() {
    let service = world();
    let (mut client, mut other) = (service.client(), service.client());
    let context = other.establish(2).unwrap();
    let mut handle = 0;
    let changes: [(&str, &mut dyn FnMut()); 9] = [
        ("insertion", &mut || service.insert(NAME, card()).unwrap()),
        ("sharing", &mut || handle = other.connect(context, DESK, SHARED, T1).unwrap().handle),
        ("exclusiveness", &mut || drop(service.swap(NAME, card()))),
        ("removal", &mut || drop(service.remove(NAME).unwrap())),
        ("failing", &mut || service.set_failing(NAME, true).unwrap()),
        ("working", &mut || service.set_failing(NAME, false).unwrap()),
        ("a new reader", &mut || drop(service.add_reader(ReaderSettings::new("Door")).unwrap())),
        ("a reader less", &mut || drop(service.remove_reader("Door").unwrap())),
        ("a mute card", &mut || service.insert(NAME, TestCard::new(TestCard::MUTE).boxed()).unwrap()),
    ];
    for (what, make) in changes {
        let told = watch(&mut client, service.snapshot().change);
        assert!(told.try_recv().is_err(), "{what}: not before");
        make();
        assert_eq!(told.try_recv(), Ok(Change::Happened), "{what}");
        assert!(told.try_recv().is_err(), "{what}: once");
        assert!(!client.unwatch(), "{what}: nothing left");
    }
    assert_ne!(handle, 0);
}

#[test]
fn a_watch_is_not_told_of_what_nobody_sees() {
    let service = world_with_card();
    let (mut other, handle) = connected(&service, SHARED);
    let mut client = service.client();
    let told = watch(&mut client, service.snapshot().change);
    other.begin(handle).unwrap();
    other.transmit(handle, T1, &[1], 10).unwrap();
    other.end(handle, RESET).unwrap();
    other.reconnect(handle, SHARED, T1, LEAVE).unwrap();
    assert!(told.try_recv().is_err());
    assert!(client.unwatch());
}

#[test]
fn no_change_is_lost_between_looking_and_watching() {
    let service = world();
    let mut client = service.client();
    let seen = service.snapshot().change;
    service.insert(NAME, card()).unwrap();
    assert_eq!(watch(&mut client, seen).try_recv(), Ok(Change::Happened));
    assert!(!client.unwatch());
}

#[test]
fn watches_can_be_taken_back_and_replaced() {
    let service = world();
    let mut client = service.client();
    assert!(!client.unwatch());
    let seen = service.snapshot().change;
    let first = watch(&mut client, seen);
    let second = watch(&mut client, seen);
    service.insert(NAME, card()).unwrap();
    assert_eq!(second.try_recv(), Ok(Change::Happened));
    assert!(first.try_recv().is_err(), "the replaced one is never told");
    let third = watch(&mut client, service.snapshot().change);
    assert!(client.unwatch());
    drop(service.remove(NAME));
    assert!(third.try_recv().is_err());
    let fourth = watch(&mut client, service.snapshot().change);
    drop(client);
    service.insert(NAME, card()).unwrap();
    assert!(fourth.try_recv().is_err(), "it went with its client");
}

#[test]
fn cancel_ends_the_watch_of_a_context() {
    let service = world();
    let (mut client, mut other) = (service.client(), service.client());
    let context = client.establish(2).unwrap();
    assert_eq!(other.cancel(context), Ok(()), "nobody waits, and that is fine");
    let told = watch(&mut client, service.snapshot().change);
    assert_eq!(other.cancel(context), Ok(()));
    assert_eq!(told.try_recv(), Ok(Change::Cancelled));
    assert!(!client.unwatch());
    for unknown in [0, context ^ 1, u32::MAX] {
        assert_eq!(other.cancel(unknown), Err(ReturnCode::InvalidHandle));
    }
    client.release(context).unwrap();
    assert_eq!(other.cancel(context), Err(ReturnCode::InvalidHandle));
}

#[test]
fn a_closed_service_ends_watches() {
    let service = world_with_card();
    let (mut client, mut late) = (service.client(), service.client());
    let told = watch(&mut client, service.snapshot().change);
    service.close();
    assert_eq!(told.try_recv(), Ok(Change::Happened), "its readers are gone");
    assert_eq!(watch(&mut late, service.snapshot().change).try_recv(), Ok(Change::Cancelled));
}

#[test]
fn what_is_told_may_call_back() {
    let service = Arc::new(world());
    let mut client = service.client();
    let (sender, receiver) = channel();
    let inner = Arc::clone(&service);
    client.watch(service.snapshot().change, move |_| sender.send(inner.snapshot()).unwrap());
    service.insert(NAME, card()).unwrap();
    assert_eq!(receiver.try_recv().unwrap().readers[0].state, ReaderState::USABLE);
}

#[test]
fn waiting_for_a_change() {
    let service = Arc::new(world());
    let seen = service.snapshot().change;
    assert_eq!(service.wait_for_change(seen, Duration::ZERO), seen);
    assert_eq!(service.wait_for_change(seen.wrapping_sub(1), DEADLINE), seen);
    let waiting = start({
        let service = Arc::clone(&service);
        move || service.wait_for_change(seen, DEADLINE)
    });
    service.insert(NAME, card()).unwrap();
    assert!(waiting.end() > seen);
    let seen = service.snapshot().change;
    let waiting = start({
        let service = Arc::clone(&service);
        move || service.wait_for_change(seen, Duration::MAX)
    });
    service.close();
    waiting.end();
}

/// Keeps what it is told, and looks at the readers each time.
#[derive(Default)]
struct Diary {
    service: OnceLock<Weak<Service>>,
    events: Mutex<Vec<Event>>,
}

impl Observer for Diary {
    fn observe(&self, event: &Event) {
        if let Some(service) = self.service.get().and_then(Weak::upgrade) {
            service.snapshot();
        }
        self.events.lock().unwrap().push(event.clone());
    }
}

impl Diary {
    fn observed() -> (Arc<Self>, Arc<Service>) {
        let diary = Arc::new(Self::default());
        let observer: Arc<dyn Observer> = diary.clone();
        let rng = random::from_seed("service tests", 1);
        let service = Arc::new(Service::observed(Settings::default(), rng, observer));
        assert!(diary.service.set(Arc::downgrade(&service)).is_ok());
        service.add_reader(ReaderSettings::new(NAME)).unwrap();
        (diary, service)
    }

    /// What happened since the last look, in short.
    fn lines(&self) -> Vec<String> {
        let short = |event: Event| match event.what {
            What::PluggedIn => "plugged in".into(),
            What::Unplugged => "unplugged".into(),
            What::Inserted => "inserted".into(),
            What::Removed => "removed".into(),
            What::PoweredOn { atr } => format!("on {}", hex::encode_upper(atr)),
            What::PoweredOff => "off".into(),
            What::Reset { atr } => format!("reset {}", hex::encode_upper(atr)),
            What::Connected { .. } => "connected".into(),
            What::Disconnected { .. } => "disconnected".into(),
            What::Began { .. } => "began".into(),
            What::Ended { .. } => "ended".into(),
            What::Command { command, answer, .. } => {
                let answer = answer.map_or("nothing".into(), |answer| hex::encode_upper(&*answer));
                format!("{} -> {answer}", hex::encode_upper(&*command))
            }
            What::Torn => "torn".into(),
            What::Broken => "broken".into(),
        };
        std::mem::take(&mut *self.events.lock().unwrap()).into_iter().map(short).collect()
    }
}

#[test]
fn an_observer_is_told_everything_in_order() {
    let (diary, service) = Diary::observed();
    service.insert(NAME, card()).unwrap();
    assert_eq!(diary.lines(), ["plugged in", "inserted", "on 3B800181"]);
    let (mut client, handle) = connected(&service, SHARED);
    client.begin(handle).unwrap();
    client.transmit(handle, T1, &[0x00, 0xA4], 10).unwrap();
    client.end(handle, RESET).unwrap();
    client.reconnect(handle, SHARED, T1, 2).unwrap();
    assert_eq!(
        diary.lines(),
        ["connected", "began", "00A4 -> 00A49000", "reset 3B800181", "ended", "off", "on 3B800181"]
    );
    client.begin(handle).unwrap();
    drop(client);
    assert_eq!(diary.lines(), ["began", "reset 3B800181", "disconnected"]);
    drop(service.swap(NAME, TestCard::new(TestCard::MUTE).boxed()).unwrap());
    drop(service.remove(NAME).unwrap());
    drop(service.remove_reader(NAME).unwrap());
    assert_eq!(diary.lines(), ["off", "removed", "inserted", "on ", "removed", "unplugged"]);
}

#[test]
fn an_observer_is_told_of_failures() {
    let (diary, service) = Diary::observed();
    service.insert(NAME, card()).unwrap();
    let (mut client, handle) = connected(&service, SHARED);
    diary.lines();
    assert!(client.transmit(handle, T1, &[TestCard::FATAL], 10).is_err());
    assert_eq!(diary.lines(), ["broken", "off", "removed"]);
    service.insert(NAME, TestCard::new(TestCard::FATAL_ATR).boxed()).unwrap();
    assert_eq!(diary.lines(), ["inserted", "broken", "removed"]);
}

#[test]
fn a_card_that_gives_no_answer_has_lost_its_power() {
    let (diary, service) = Diary::observed();
    service.insert(NAME, card()).unwrap();
    let (mut client, handle) = connected(&service, SHARED);
    let (mut other, its_handle) = connected(&service, SHARED);
    diary.lines();
    let silence = client.transmit(handle, T1, &[TestCard::SILENT], 10);
    assert_eq!(silence, Err(ReturnCode::NotTransacted.into()));
    assert_eq!(diary.lines(), ["DE -> nothing", "torn"]);
    for (client, handle) in [(&mut client, handle), (&mut other, its_handle)] {
        assert_eq!(client.status(handle), Err(ReturnCode::ResetCard.into()));
    }
    // Everybody sees the card still, and whoever connects wakes it.
    assert_eq!(service.snapshot().readers[0].state, ReaderState::USABLE);
    client.reconnect(handle, SHARED, T1, 0).unwrap();
    assert_eq!(client.transmit(handle, T1, &[0x00], 10), Ok(vec![0x00, 0x90, 0x00]));
    assert_eq!(diary.lines(), ["on 3B800181", "00 -> 009000"]);
}

#[test]
fn an_observer_sees_commands_of_many_threads_in_the_order_of_the_card() {
    let (diary, service) = Diary::observed();
    service.insert(NAME, card()).unwrap();
    let clients: Vec<_> = (0..4_u8)
        .map(|number| {
            let service = Arc::clone(&service);
            start(move || {
                let (mut client, handle) = connected(&service, SHARED);
                for round in 0..50 {
                    client.transmit(handle, T1, &[number, round], 10).unwrap();
                }
            })
        })
        .collect();
    clients.into_iter().for_each(Running::end);
    until("all is told", || diary.events.lock().unwrap().len() >= 2 + 4 * (1 + 50 + 1));
    let events = diary.events.lock().unwrap();
    assert!(events.is_sorted_by_key(|event| event.at));
    let commands = events.iter().filter_map(|event| match &event.what {
        What::Command { command, .. } => Some((command[0], command[1])),
        _ => None,
    });
    let commands: Vec<_> = commands.collect();
    for number in 0..4 {
        let rounds = commands.iter().filter(|(client, _)| *client == number).map(|(_, round)| *round);
        assert!(rounds.eq(0..50), "client {number}");
    }
}
