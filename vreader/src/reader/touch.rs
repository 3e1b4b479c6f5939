//! The touch sensor of a card that has one, and the finger over it.
//!
//! A card asks in the middle of a command and waits; whoever has a clone of its [`TouchSensor`] sees that it does, and may
//! touch it. Follows Yubico's documentation of touch policies. Promises: a touch that comes before the question does not
//! count; a card that is taken out of its reader waits no longer; no lock is held while a card waits.
//!
//! Through an antenna nobody is asked: holding the card there is what a touch would prove.

use std::{
    str::FromStr,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use card_sim::{
    holder::Holder,
    key::policy::{CACHED_TOUCH, TouchPolicy},
};

use super::Interface;

/// How long a genuine YubiKey waits.
const DEADLINE: Duration = Duration::from_secs(15);

/// When somebody touches a card that asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TouchHabit {
    /// At once, always.
    #[default]
    AtOnce,
    /// When [`TouchSensor::touch`] is called, if that is in time.
    WhenTold {
        /// How long the card waits.
        deadline: Duration,
    },
    /// Not at all: the card waits to the end, in vain.
    Never {
        /// How long the card waits.
        deadline: Duration,
    },
}

/// Words that are no habit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "choose auto, wait or never; wait=SECONDS and never=SECONDS set how long the card waits, 15 if not told"
)]
pub struct NoHabit;

impl FromStr for TouchHabit {
    type Err = NoHabit;

    /// `auto`, `wait` or `never`; the latter two with a number of seconds or without: `wait=2.5`.
    fn from_str(text: &str) -> Result<Self, NoHabit> {
        let (habit, seconds) = match text.split_once('=') {
            Some((habit, seconds)) => (habit, Some(seconds)),
            None => (text, None),
        };
        let seconds = seconds.map(|seconds| seconds.parse::<f64>().map_err(|_| NoHabit)).transpose()?;
        let deadline = seconds.map(Duration::try_from_secs_f64).transpose().map_err(|_| NoHabit)?;
        match (habit, deadline) {
            ("auto", None) => Ok(Self::AtOnce),
            ("wait", deadline) => Ok(Self::WhenTold { deadline: deadline.unwrap_or(DEADLINE) }),
            ("never", deadline) => Ok(Self::Never { deadline: deadline.unwrap_or(DEADLINE) }),
            _ => Err(NoHabit),
        }
    }
}

/// Whose finger touches a card. Only a YubiKey Bio's sensor tells them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finger {
    /// The one that the card knows.
    #[default]
    Enrolled,
    /// Another one.
    Other,
}

/// Why a touch had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InVain {
    /// The card does not wait for one.
    NotAsked,
    /// Nobody touches this card, by choice.
    Never,
}

/// A card's sensor. Clones are the same sensor.
#[derive(Clone, Default)]
pub struct TouchSensor(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    habit: TouchHabit,
    interface: Interface,
    question: Question,
    /// The card is out of its reader, although it may not know yet.
    gone: bool,
    /// Whose touch was the last.
    finger: Finger,
    /// For keys that take an earlier touch.
    touched_at: Option<Instant>,
}

/// What became of the question that the card asks now.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Question {
    #[default]
    None,
    Open,
    Touched,
    Withdrawn,
}

impl TouchSensor {
    /// From now on the card is touched by this habit.
    pub fn set_habit(&self, habit: TouchHabit) {
        self.lock().habit = habit;
    }

    /// The card gets its power through this interface.
    pub(crate) fn power_on(&self, interface: Interface) {
        let mut state = self.lock();
        state.interface = interface;
        state.gone = false;
    }

    /// Whether the card waits for a touch.
    pub fn is_asked(&self) -> bool {
        self.lock().question == Question::Open
    }

    /// Touches the card. If it does not wait for that, this waits for it, at most for `patience`.
    pub fn touch(&self, finger: Finger, patience: Duration) -> Result<(), InVain> {
        let state = self.lock();
        if matches!(state.habit, TouchHabit::Never { .. }) {
            return Err(InVain::Never);
        }
        let not_asked = |state: &mut State| state.question != Question::Open;
        let waited = self.0.changed.wait_timeout_while(state, patience, not_asked);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.question != Question::Open {
            return Err(InVain::NotAsked);
        }
        state.question = Question::Touched;
        state.finger = finger;
        self.0.changed.notify_all();
        Ok(())
    }

    /// The card leaves its reader: what it asks for does not come any more, and what was touched is forgotten.
    pub(crate) fn withdraw(&self) {
        let mut state = self.lock();
        state.gone = true;
        state.touched_at = None;
        if state.question == Question::Open {
            state.question = Question::Withdrawn;
            self.0.changed.notify_all();
        }
    }

    /// Asks, and waits.
    fn ask(&self, deadline: Duration) -> bool {
        let mut state = self.lock();
        if state.gone {
            return false;
        }
        state.question = Question::Open;
        self.0.changed.notify_all();
        let open = |state: &mut State| state.question == Question::Open;
        let waited = self.0.changed.wait_timeout_while(state, deadline, open);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let touched = std::mem::take(&mut state.question) == Question::Touched;
        if touched {
            state.touched_at = Some(Instant::now());
        }
        touched
    }

    /// No change leaves anything half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holder for TouchSensor {
    fn touches(&mut self, policy: TouchPolicy) -> bool {
        let (habit, interface, touched_at) = {
            let state = self.lock();
            (state.habit, state.interface, state.touched_at)
        };
        let recent = touched_at.is_some_and(|at| at.elapsed() <= CACHED_TOUCH);
        match habit {
            _ if interface == Interface::Contactless => true,
            _ if recent && policy == TouchPolicy::Cached => true,
            TouchHabit::AtOnce => true,
            TouchHabit::WhenTold { deadline } | TouchHabit::Never { deadline } => self.ask(deadline),
        }
    }

    fn finger_is_enrolled(&mut self) -> bool {
        let state = self.lock();
        // Nobody was asked otherwise.
        let asked = state.interface == Interface::Contact && state.habit != TouchHabit::AtOnce;
        !asked || state.finger == Finger::Enrolled
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn sensor(habit: TouchHabit) -> TouchSensor {
        let sensor = TouchSensor::default();
        sensor.set_habit(habit);
        sensor
    }

    fn touches(sensor: &TouchSensor, policy: TouchPolicy) -> bool {
        sensor.clone().touches(policy)
    }

    #[test]
    fn habits_are_read_from_words() {
        let wait = |deadline| Ok(TouchHabit::WhenTold { deadline });
        for (text, habit) in [
            ("auto", Ok(TouchHabit::AtOnce)),
            ("wait", wait(Duration::from_secs(15))),
            ("wait=2.5", wait(Duration::from_millis(2500))),
            ("never=0", Ok(TouchHabit::Never { deadline: Duration::ZERO })),
            ("auto=1", Err(NoHabit)),
            ("wait=-1", Err(NoHabit)),
            ("wait=nan", Err(NoHabit)),
            ("wait=", Err(NoHabit)),
            ("", Err(NoHabit)),
        ] {
            assert_eq!(text.parse(), habit, "{text}");
        }
    }

    #[test]
    fn a_touch_counts_while_the_card_asks_and_not_before() {
        let sensor = sensor(TouchHabit::WhenTold { deadline: LONG });
        assert_eq!(sensor.touch(Finger::Enrolled, Duration::ZERO), Err(InVain::NotAsked));
        assert!(!sensor.is_asked());
        thread::scope(|scope| {
            let asked = scope.spawn(|| touches(&sensor, TouchPolicy::Always));
            assert_eq!(sensor.touch(Finger::Enrolled, LONG), Ok(()));
            assert!(asked.join().unwrap());
        });
        assert_eq!(
            sensor.touch(Finger::Enrolled, Duration::ZERO),
            Err(InVain::NotAsked),
            "one touch, one answer"
        );
    }

    #[test]
    fn a_cached_policy_takes_an_earlier_touch_and_another_one_does_not() {
        let sensor = sensor(TouchHabit::WhenTold { deadline: LONG });
        thread::scope(|scope| {
            scope.spawn(|| touches(&sensor, TouchPolicy::Cached));
            assert_eq!(sensor.touch(Finger::Enrolled, LONG), Ok(()));
        });
        assert!(touches(&sensor, TouchPolicy::Cached));
        sensor.set_habit(TouchHabit::Never { deadline: Duration::ZERO });
        assert!(!touches(&sensor, TouchPolicy::Always));
        // Fifteen seconds later.
        let earlier = Instant::now().checked_sub(CACHED_TOUCH + Duration::from_millis(1)).unwrap();
        sensor.lock().touched_at = Some(earlier);
        assert!(!touches(&sensor, TouchPolicy::Cached));
        sensor.lock().touched_at = Some(Instant::now());
        sensor.withdraw();
        assert!(!touches(&sensor, TouchPolicy::Cached), "it was out of its reader");
    }

    #[test]
    fn a_finger_is_the_one_that_touched_last() {
        let mut sensor = sensor(TouchHabit::WhenTold { deadline: LONG });
        for (finger, enrolled) in [(Finger::Other, false), (Finger::Enrolled, true), (Finger::Other, false)] {
            thread::scope(|scope| {
                scope.spawn(|| touches(&sensor, TouchPolicy::Always));
                assert_eq!(sensor.touch(finger, LONG), Ok(()));
            });
            assert_eq!(sensor.finger_is_enrolled(), enrolled);
        }
        sensor.set_habit(TouchHabit::AtOnce);
        assert!(sensor.finger_is_enrolled());
    }

    #[test]
    fn nobody_waits_for_ever() {
        let never = sensor(TouchHabit::Never { deadline: Duration::from_millis(1) });
        assert!(!touches(&never, TouchPolicy::Always));
        assert_eq!(never.touch(Finger::Enrolled, LONG), Err(InVain::Never));
        never.power_on(Interface::Contactless);
        assert!(touches(&never, TouchPolicy::Always), "holding it to the antenna is a touch");

        let taken_out = sensor(TouchHabit::WhenTold { deadline: LONG });
        thread::scope(|scope| {
            let asked = scope.spawn(|| touches(&taken_out, TouchPolicy::Always));
            while !taken_out.is_asked() {
                thread::yield_now();
            }
            taken_out.withdraw();
            assert!(!asked.join().unwrap());
        });
        assert!(!touches(&taken_out, TouchPolicy::Always), "a card that is gone need not ask");
    }
}
