//! Sequences under secure messaging: the input knows the session keys, for the host at the other end is here.
//!
//! Every step of [`apdu_sequence`](crate::apdu_sequence) may go plain, protected, or protected and changed on its way; sessions
//! begin again in between, well made or not. What is inside of a protected answer is judged as a plain answer is; a
//! changed command must be refused, change nothing and end the session.

use crate::{
    card::{Change, SmallCard, Way},
    input::Input,
    material,
    step::Step,
};

/// Bytes of the longest input.
pub const LONGEST: usize = 4096;

/// Events of the longest input.
const MOST: usize = 200;

/// What may happen.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    /// A step, of which the commands go this way.
    Step(Way, Step),
    /// A session begins, with one of the host's keys.
    Establish(u8),
    /// A host's request for a session is changed on its way.
    EstablishWrongly(Change),
}

impl Event {
    fn read(input: &mut Input<'_>) -> Option<Self> {
        let kind = input.next()?;
        let change = |input: &mut Input<'_>| Change {
            kind: input.byte(),
            place: u16::from_be_bytes([input.byte(), input.byte()]),
            value: input.byte(),
        };
        Some(match kind % 8 {
            0 => Self::Establish(input.byte()),
            1 => Self::EstablishWrongly(change(input)),
            2 => Self::Step(Way::Plain, Step::read(input)?),
            3 | 4 => Self::Step(Way::Changed(change(input)), Step::read(input)?),
            5 => Self::Step(Way::Protected { part: input.byte() }, Step::read(input)?),
            _ => Self::Step(Way::Protected { part: 0 }, Step::read(input)?),
        })
    }

    /// Appends the bytes that [`read`](Self::read) makes this event of.
    fn write(&self, out: &mut Vec<u8>) {
        let change = |Change { kind, place, value }: &Change| {
            let [high, low] = place.to_be_bytes();
            [*kind, high, low, *value]
        };
        match self {
            Self::Establish(key) => out.extend([0, *key]),
            Self::EstablishWrongly(it) => out.extend([&[1][..], &change(it)].concat()),
            Self::Step(way, step) => {
                match way {
                    Way::Plain => out.push(2),
                    Way::Changed(it) => out.extend([&[3][..], &change(it)].concat()),
                    Way::Protected { part: 0 } => out.push(6),
                    Way::Protected { part } => out.extend([5, *part]),
                }
                step.write(out);
            }
        }
    }

    fn play(&self, card: &mut SmallCard) {
        match self {
            Self::Establish(key) => card.establish(*key),
            Self::EstablishWrongly(change) => card.establish_wrongly(*change),
            Self::Step(way, step) => {
                card.set_way(*way);
                step.play(card);
            }
        }
    }
}

/// Plays one input.
pub fn play(input: &[u8]) {
    let mut input = Input::new(input);
    let mut card = SmallCard::with_secure_messaging(input.byte());
    for _ in 0..MOST {
        let Some(event) = Event::read(&mut input) else { break };
        event.play(&mut card);
    }
    card.finish();
}

/// Every scenario and every known trace under a session, and every kind of change to several commands.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for session in material::sessions() {
        let mut events = vec![Event::Establish(0)];
        for step in &session.steps {
            let ends = matches!(step, Step::Reset | Step::PowerCycle | Step::Reopen);
            events.push(Event::Step(Way::Protected { part: 0 }, step.clone()));
            events.extend(ends.then_some(Event::Establish(1)));
        }
        seeds.push((session.name.clone(), written(0, &events)));
    }
    for suite in 0..2 {
        for kind in 0..crate::card::KINDS {
            seeds.push((format!("changed-{suite}-{kind}"), written(suite, &changed(kind))));
        }
    }
    seeds
}

/// VERIFY, a signature in a chain, and reading, each with a change of this kind at several places.
fn changed(kind: u8) -> Vec<Event> {
    let verify = Step::Verify { reference: 0, right: true };
    let sign = Step::Use { slot: 0, fill: 0x5A };
    let read = Step::Known { header: 1, data: vec![0x5C, 0x03, 0x5F, 0xC1, 0x05] };
    let mut events = Vec::new();
    for (place, value) in [(0, 0x01), (5, 0x80), (40, 0x20), (300, 0x00)] {
        let change = Change { kind, place, value };
        events.push(Event::EstablishWrongly(change));
        for step in [&verify, &sign, &read] {
            events.push(Event::Establish(value));
            events.push(Event::Step(Way::Protected { part: 0 }, verify.clone()));
            events.push(Event::Step(Way::Protected { part: 32 }, sign.clone()));
            events.push(Event::Step(Way::Changed(change), step.clone()));
            events.push(Event::Step(Way::Protected { part: 0 }, step.clone()));
        }
    }
    events
}

fn written(suite: u8, events: &[Event]) -> Vec<u8> {
    let mut bytes = vec![suite];
    for event in events {
        event.write(&mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_they_are_written() {
        for kind in 0..8 {
            let bytes = [kind, 2, 3, 4, 5, 6, 7, 8];
            let event = Event::read(&mut Input::new(&bytes)).unwrap();
            let mut written = Vec::new();
            event.write(&mut written);
            assert_eq!(Event::read(&mut Input::new(&written)), Some(event), "{written:02X?}");
        }
    }
}
