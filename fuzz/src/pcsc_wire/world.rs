//! The world that a script is played in: a reader with a card and a key-pad, a client that has nothing to do with it, and
//! what was there before.

use std::{
    alloc::System,
    fs,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use vreader::{
    reader::{AutoPowerOff, ReaderSettings, Settings},
    run::{World, WorldSettings},
    trace::Recorder,
};

use super::{
    echo_card::EchoCard,
    peer::Peer,
    raw::{ANY_PROTOCOL, LEAVE, REMOVED_CARD, RESET_CARD, Raw, SHARED, SUCCESS, word, words},
    step::Hand,
};

/// Counts what is allocated; the fuzzer itself does not use it.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How much more memory there may be in use after a script than after a first session: queues and maps keep some room, and the
/// world its trace.
const ROOM: usize = Recorder::MEMORY + 256 * 1024;

/// Longest wait for the end of what a script began.
const PATIENCE: Duration = Duration::from_secs(10);

/// Any command.
const COMMAND: [u8; 4] = [0x00, 0xCA, 0x7F, 0x68];
const PROTOCOL_MISMATCH: u32 = 0x8010_000F;

const READER: &str = "Echo 00 00";
const SECOND: &str = "Second 01 00";

/// The world of this program.
pub(super) struct Surroundings {
    world: World,
    pub(super) witness: Witness,
    threads: usize,
    /// Bytes in use after the first script.
    memory: Option<usize>,
}

/// A client that nothing may happen to.
pub(super) struct Witness {
    raw: Raw,
    pub(super) context: u32,
    pub(super) handle: u32,
}

impl Surroundings {
    /// The one that there is, for one script at a time.
    pub(super) fn get() -> MutexGuard<'static, Self> {
        static WORLD: OnceLock<Mutex<Surroundings>> = OnceLock::new();
        WORLD.get_or_init(|| Mutex::new(Self::new())).lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new() -> Self {
        let readers = Settings {
            // A thread that comes and goes with its timer would be in the way.
            auto_power_off: AutoPowerOff::Off,
            begin_patience: Duration::from_millis(1),
            ..Settings::default()
        };
        let world = World::with(&WorldSettings { readers, ..WorldSettings::default() }).expect("a world");
        let reader = ReaderSettings::new("Echo").with_pin_pad("123456");
        let name = world.readers().add(reader, Some(Box::new(EchoCard))).expect("a reader");
        assert_eq!(name, READER);
        let mut raw = Raw::new(world.socket(), 4);
        let context = raw.establish();
        let (handle, _, rv) = raw.connect(context, READER, SHARED);
        assert_eq!(rv, SUCCESS);
        Self { witness: Witness { raw, context, handle }, world, threads: threads(), memory: None }
    }

    /// A new client.
    pub(super) fn peer(&self) -> Peer {
        Peer::new(self.world.socket())
    }

    /// Does something to readers and cards, if it can be done.
    pub(super) fn touch(&self, hand: Hand) {
        let readers = self.world.readers();
        let service = readers.service();
        // It may be in, out or gone already.
        let _ = match hand {
            Hand::Remove => readers.remove(READER),
            Hand::Insert => readers.insert(READER, None),
            Hand::Reset => readers.reset(READER),
            Hand::Plug => {
                if readers.list().len() == 1 {
                    readers.add(ReaderSettings::new("Second"), Some(Box::new(EchoCard))).expect("a reader");
                }
                Ok(())
            }
            Hand::Unplug => readers.unplug(SECOND),
            Hand::Fail => service.set_failing(READER, true).map_err(Into::into),
            Hand::Mend => service.set_failing(READER, false).map_err(Into::into),
        };
    }

    /// Everything is as it was before the script.
    pub(super) fn is_unharmed(&mut self) {
        for hand in [Hand::Mend, Hand::Insert, Hand::Unplug] {
            self.touch(hand);
        }
        self.wait_for_threads();
        let readers = self.world.readers();
        self.witness.is_unharmed(|| readers.reset(READER).expect("a reset"));
        self.newcomers_are_served();
        self.wait_for_threads();
        let readers = self.world.readers().list();
        assert_eq!(readers.len(), 1);
        assert_eq!(readers[0].handles, 1, "only the witness has a handle");
        let in_use = in_use();
        let before = *self.memory.get_or_insert(in_use);
        assert!(in_use < before + ROOM, "{before} bytes were in use, and now {in_use} are");
    }

    fn newcomers_are_served(&self) {
        let mut raw = Raw::new(self.world.socket(), 6);
        let context = raw.establish();
        let (handle, _, rv) = raw.connect(context, READER, SHARED);
        assert_eq!(rv, SUCCESS);
        raw.echoes(handle, &COMMAND);
        assert_eq!(word(&raw.call(0x06, &words(&[handle, LEAVE, 0])), 8), SUCCESS);
        assert_eq!(word(&raw.call(0x02, &words(&[context, 0])), 4), SUCCESS);
    }

    /// The connections of the script have ended.
    fn wait_for_threads(&self) {
        let end = Instant::now() + PATIENCE;
        while threads() > self.threads {
            assert!(Instant::now() < end, "{} threads, and there were {}", threads(), self.threads);
            thread::sleep(Duration::from_micros(20));
        }
    }
}

impl Witness {
    /// Its handle works, if need be after what it is told to do.
    fn is_unharmed(&mut self, reset: impl Fn()) {
        let told = self.raw.status(self.handle);
        assert!([SUCCESS, RESET_CARD, REMOVED_CARD].contains(&told), "the witness is told {told:08X}");
        if told != SUCCESS || self.protocol_is_lost() {
            if self.reconnect() == PROTOCOL_MISMATCH {
                reset();
                assert_eq!(self.reconnect(), SUCCESS);
            }
            assert_eq!(self.raw.status(self.handle), SUCCESS);
        }
        assert_eq!(self.raw.begin(self.handle), SUCCESS);
        self.raw.echoes(self.handle, &COMMAND);
        assert_eq!(word(&self.raw.call(0x08, &words(&[self.handle, LEAVE, 0])), 8), SUCCESS);
    }

    /// Whoever asks for the protocol RAW gets it, and all others lose theirs until the next reset: so does pcscd.
    fn protocol_is_lost(&mut self) -> bool {
        match word(&self.raw.transmit(self.handle, &COMMAND, 300), 28) {
            PROTOCOL_MISMATCH => true,
            rv => {
                assert_eq!(rv, SUCCESS);
                self.raw.receive(COMMAND.len() + 2);
                false
            }
        }
    }

    fn reconnect(&mut self) -> u32 {
        word(&self.raw.call(0x05, &words(&[self.handle, SHARED, ANY_PROTOCOL, 0, 0, 0])), 20)
    }
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").expect("a process has its threads").count()
}

fn in_use() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}
