//! Sequences of commands, resets and losses of power, with the right PIN, PUK and management key in reach.

use crate::{
    card::{Arithmetic, SmallCard},
    input::Input,
    material,
    step::Step,
};

/// Bytes of the longest input.
pub const LONGEST: usize = 4096;

/// Steps of the longest input.
const MOST: usize = 200;

/// A Discovery Object that makes the Global PIN count.
const DISCOVERY: [u8; 20] = [
    0x7E, 0x12, 0x4F, 0x0B, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00, 0x5F, 0x2F,
    0x02, 0x60, 0x20,
];

/// Plays one input.
pub fn play(input: &[u8]) {
    play_counting(input);
}

/// Plays one input; tells how many commands the card was sent.
pub fn play_counting(input: &[u8]) -> u64 {
    play_on(SmallCard::new(Arithmetic::Quick), Input::new(input))
}

/// Plays the steps of an input on a card; tells how many commands that was sent.
pub(crate) fn play_on(mut card: SmallCard, mut input: Input<'_>) -> u64 {
    for _ in 0..MOST {
        let Some(step) = Step::read(&mut input) else { break };
        step.play(&mut card);
    }
    let commands = card.commands;
    card.finish();
    commands
}

/// Every scenario and every known trace, and sessions that the steps make short.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds: Vec<(String, Vec<u8>)> =
        material::sessions().iter().map(|session| (session.name.clone(), written(&session.steps))).collect();
    let verify = |right| Step::Verify { reference: 0, right };
    let short: [(&str, Vec<Step>); 7] = [
        ("empty", vec![]),
        ("login", vec![verify(true), Step::Use { slot: 0, fill: 0x5A }, Step::Use { slot: 1, fill: 0x5A }]),
        (
            "locked",
            [vec![verify(false); 3], vec![verify(true), Step::Unblock { digit: 7 }, verify(true)]].concat(),
        ),
        (
            "changed",
            vec![
                Step::Change { reference: 0, digit: 3 },
                verify(true),
                Step::Change { reference: 2, digit: 4 },
            ],
        ),
        (
            "issued",
            vec![
                Step::ExternalAuthentication,
                Step::Generate { slot: 0, algorithm: 1 },
                Step::Write { object: 1, length: 900, fill: 0x30 },
                Step::Known { header: 1, data: vec![0x5C, 0x03, 0x5F, 0xC1, 0x05] },
                Step::Fetch,
                Step::Reset,
                Step::MutualAuthentication,
                Step::Generate { slot: 2, algorithm: 2 },
                Step::Fetch,
            ],
        ),
        (
            "cut",
            vec![
                Step::ExternalAuthentication,
                Step::Cut { after: 3, tear: 1 },
                Step::Write { object: 0, length: 300, fill: 0x31 },
                Step::Cut { after: 1, tear: 0 },
                verify(false),
                Step::Reopen,
                Step::PowerCycle,
                verify(true),
            ],
        ),
        (
            "global",
            vec![
                Step::ExternalAuthentication,
                Step::Known { header: 2, data: DISCOVERY.to_vec() },
                Step::Verify { reference: 1, right: true },
                Step::Use { slot: 0, fill: 1 },
                Step::Known { header: 0, data: vec![0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00] },
            ],
        ),
    ];
    seeds.extend(short.map(|(name, steps)| (name.to_owned(), written(&steps))));
    seeds
}

fn written(steps: &[Step]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for step in steps {
        step.write(&mut bytes);
    }
    bytes
}
