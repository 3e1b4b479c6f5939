//! The recording: the last events in memory, all of them in a file if there is one, and whoever waits for one.
//!
//! Promises: events are numbered from 1 in the order in which they happened; the memory that is used has a limit; a file
//! holds every event as soon as it is told, so that a process that is killed loses none of them.

use std::{
    collections::VecDeque,
    fs::File,
    io::Write,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Event, What};
use crate::reader::{self, Observer};

/// Memory for events that are kept, in bytes.
const KEPT: usize = Recorder::MEMORY;

/// What an event takes beside its bytes: itself, its names, and the room that a growing queue has to spare.
const EVENT: usize = 512;

/// Whether PINs and keys in commands are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// They are not: only their places are.
    #[default]
    Hidden,
    /// They are, so that the commands can be run again.
    Shown,
}

/// Records what a service tells.
pub struct Recorder {
    secrets: Secrets,
    kept: Mutex<Kept>,
    arrived: Condvar,
}

struct Kept {
    events: VecDeque<Event>,
    /// What they take.
    size: usize,
    /// The number of the last event.
    last: u64,
    file: Option<File>,
    /// Nothing more will come.
    closed: bool,
}

impl Recorder {
    /// Memory that the events which are kept may take, in bytes.
    pub const MEMORY: usize = 1024 * 1024;

    /// A recorder that also writes to a file, if there is one.
    pub fn new(file: Option<File>, secrets: Secrets) -> Self {
        let kept = Kept { events: VecDeque::new(), size: 0, last: 0, file, closed: false };
        Self { secrets, kept: Mutex::new(kept), arrived: Condvar::new() }
    }

    /// The number of the last event; 0 before the first.
    pub fn last(&self) -> u64 {
        self.lock().last
    }

    /// The events after number `after` that are still kept.
    pub fn after(&self, after: u64) -> Vec<Event> {
        self.lock().after(after).cloned().collect()
    }

    /// The same, but waits for at most `patience` until there is one.
    pub fn wait_after(&self, after: u64, patience: Duration) -> Vec<Event> {
        self.wait(patience, |kept| kept.last > after).after(after).cloned().collect()
    }

    /// The first event after number `after` that is `wanted`; waits for it for at most `patience`.
    pub fn wait_for(
        &self,
        after: u64,
        patience: Duration,
        mut wanted: impl FnMut(&Event) -> bool,
    ) -> Option<Event> {
        let (mut seen, mut found) = (after, None);
        let looked = self.wait(patience, |kept| {
            found = kept.after(seen).find(|event| wanted(event)).cloned();
            seen = kept.last;
            found.is_some()
        });
        drop(looked);
        found
    }

    /// Ends all waits: nothing more will be told.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    fn wait(&self, patience: Duration, mut done: impl FnMut(&Kept) -> bool) -> MutexGuard<'_, Kept> {
        let waiting = |kept: &mut Kept| !done(kept) && !kept.closed;
        let waited = self.arrived.wait_timeout_while(self.lock(), patience, waiting);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Whole events go in and out: what is kept is never half changed.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn observe(&self, event: &reader::Event) {
        let mut kept = self.lock();
        let event = Event::new(kept.last + 1, event, self.secrets == Secrets::Shown);
        kept.write(&event);
        kept.keep(event);
        drop(kept);
        self.arrived.notify_all();
    }
}

impl Kept {
    fn after(&self, number: u64) -> impl Iterator<Item = &Event> {
        let begin = self.events.partition_point(|event| event.number <= number);
        self.events.range(begin..)
    }

    fn keep(&mut self, event: Event) {
        self.last = event.number;
        self.size += size(&event);
        self.events.push_back(event);
        while self.size > KEPT {
            let Some(oldest) = self.events.pop_front() else { break };
            self.size -= size(&oldest);
        }
    }

    fn write(&mut self, event: &Event) {
        let Some(file) = &mut self.file else { return };
        let line = serde_json::to_string(event).map_err(Into::into);
        if let Err(error) = line.and_then(|line| file.write_all((line + "\n").as_bytes())) {
            tracing::error!(%error, event = event.number, "the trace in the file ends here");
            self.file = None;
        }
    }
}

fn size(event: &Event) -> usize {
    let bytes = match &event.what {
        What::Command(run) => {
            run.command.shown().len() + run.answer.as_ref().map_or(0, |answer| answer.shown().len())
        }
        _ => 0,
    };
    EVENT + bytes
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, OpenOptions},
        thread,
    };

    use super::*;
    use crate::trace::read;

    fn told(reader: &str, what: reader::What) -> reader::Event {
        reader::Event { at: Duration::from_micros(5), reader: reader.into(), client: None, what }
    }

    #[test]
    fn events_are_numbered_and_found_by_number() {
        let recorder = Recorder::new(None, Secrets::Hidden);
        assert_eq!((recorder.last(), recorder.after(0)), (0, vec![]));
        for what in [reader::What::PluggedIn, reader::What::Inserted, reader::What::Removed] {
            recorder.observe(&told("Desk 00 00", what));
        }
        let numbers = |after| recorder.after(after).iter().map(|event| event.number).collect::<Vec<_>>();
        assert_eq!(numbers(0), [1, 2, 3]);
        assert_eq!(numbers(2), [3]);
        assert_eq!(numbers(3), [0; 0]);
        assert_eq!(recorder.after(1)[0].what, What::Inserted);
        assert_eq!(recorder.last(), 3);
    }

    #[test]
    fn waits_end_with_the_event_with_patience_and_with_the_world() {
        let recorder = Recorder::new(None, Secrets::Hidden);
        let long = Duration::from_mins(1);
        thread::scope(|scope| {
            let waits = scope.spawn(|| recorder.wait_for(0, long, |event| event.what == What::Removed));
            for what in [reader::What::PluggedIn, reader::What::Inserted, reader::What::Removed] {
                recorder.observe(&told("Desk 00 00", what));
            }
            assert_eq!(waits.join().unwrap().unwrap().number, 3);
            assert_eq!(recorder.wait_after(2, long).len(), 1);
            assert!(recorder.wait_after(3, Duration::from_millis(5)).is_empty());
            let waits = scope.spawn(|| recorder.wait_for(0, long, |event| event.what == What::Broken));
            recorder.close();
            assert_eq!(waits.join().unwrap(), None);
        });
    }

    #[test]
    fn memory_has_a_limit_and_a_file_has_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace");
        let file = OpenOptions::new().create_new(true).append(true).open(&path).unwrap();
        let recorder = Recorder::new(Some(file), Secrets::Hidden);
        let long = vec![0; KEPT / 4];
        for _ in 0..6 {
            recorder.observe(&told("Desk 00 00", reader::What::PoweredOn { atr: vec![0x3B] }));
            let what = reader::What::Command {
                client: reader::ClientId::for_tests(1),
                handle: 1,
                command: long.clone().into(),
                answer: None,
                rule: None,
                duration: Duration::ZERO,
            };
            recorder.observe(&told("Desk 00 00", what));
        }
        assert_eq!(
            recorder.after(0).iter().map(|event| event.number).collect::<Vec<_>>(),
            [7, 8, 9, 10, 11, 12]
        );
        let events = read(&path).unwrap();
        assert_eq!(events.iter().map(|event| event.number).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
        assert_eq!(events[6..], recorder.after(0));
    }

    #[test]
    fn a_file_that_cannot_be_written_ends_and_the_recording_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace");
        fs::write(&path, "").unwrap();
        let recorder = Recorder::new(Some(File::open(&path).unwrap()), Secrets::Hidden);
        recorder.observe(&told("Desk 00 00", reader::What::PluggedIn));
        recorder.observe(&told("Desk 00 00", reader::What::Unplugged));
        assert_eq!(recorder.after(0).len(), 2);
        assert_eq!(fs::read(&path).unwrap(), b"");
    }
}
