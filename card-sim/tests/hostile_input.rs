//! Whatever comes in: a status word goes out, no secret does, and nothing is spent that the standard does not spend.

mod support;

use card_sim::{
    platform::Platform,
    reference::{Reference, tries_left},
};
use proptest::prelude::*;
use support::{PIN, PUK, TestCard};

/// One thing that happens to a card.
#[derive(Clone, Debug)]
enum Event {
    Raw(Vec<u8>),
    Command {
        class: u8,
        instruction: u8,
        p1: u8,
        p2: u8,
        data: Vec<u8>,
        le: Option<u8>,
    },
    /// VERIFY with the right PIN, so that what lies behind it is reached too.
    RightPin,
    /// Management-key authentication with the right key.
    RightManagementKey,
    Reset,
    PowerCycle,
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(any::<u8>(), 0..700),
        // Data fields that are near to good ones.
        prop::sample::select(vec![
            "5C035FC102",
            "5C035FC109",
            "5C035FC108",
            "5C017E",
            "5C027F61",
            "7C028100",
            "7C028000",
            "7C0482008100",
            "AC03800111",
            "AC03800107",
            "5C035FC1025300",
            "7E00",
            "3132333435363738",
            "313233343536FFFF",
            "31323334353637383132333435363738",
            "313233343536FFFF363534333231FFFF",
        ])
        .prop_map(|text| hex::decode(text).unwrap()),
        prop::collection::vec(any::<u8>(), 32).prop_map(|block| [
            &[0x7C, 0x24, 0x82, 0x00, 0x81, 0x20][..],
            &block
        ]
        .concat()),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let instruction = prop_oneof![
        4 => prop::sample::select(vec![0x20, 0x24, 0x2C, 0x47, 0x87, 0xA4, 0xC0, 0xCB, 0xDB]),
        1 => any::<u8>(),
    ];
    let p1p2 = prop_oneof![
        prop::sample::select(vec![
            (0x00, 0x80),
            (0x00, 0x81),
            (0x00, 0x00),
            (0xFF, 0x80),
            (0x3F, 0xFF),
            (0x04, 0x00),
            (0x11, 0x9A),
            (0x11, 0x9C),
            (0x11, 0x9D),
            (0x11, 0x9E),
            (0x0A, 0x9B),
            (0x00, 0x9A),
            (0x11, 0x82),
        ]),
        any::<(u8, u8)>(),
    ];
    let class = prop_oneof![8 => Just(0x00), 3 => Just(0x10), 1 => any::<u8>()];
    prop_oneof![
        2 => prop::collection::vec(any::<u8>(), 0..300).prop_map(Event::Raw),
        12 => (class, instruction, p1p2, bytes(), any::<Option<u8>>()).prop_map(
            |(class, instruction, (p1, p2), data, le)| Event::Command { class, instruction, p1, p2, data, le }),
        2 => Just(Event::RightPin),
        1 => Just(Event::RightManagementKey),
        1 => Just(Event::Reset),
        1 => Just(Event::PowerCycle),
    ]
}

fn encode(class: u8, instruction: u8, p1: u8, p2: u8, data: &[u8], le: Option<u8>) -> Vec<u8> {
    let mut command = vec![class, instruction, p1, p2];
    match u8::try_from(data.len()) {
        Ok(0) => command.extend(le),
        Ok(length) => {
            command.push(length);
            command.extend(data);
            command.extend(le);
        }
        Err(_) => {
            command.push(0);
            command.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            command.extend(data);
            command.extend(le.map(|le| [0, le]).into_iter().flatten());
        }
    }
    command
}

fn counters(card: &mut TestCard) -> (u8, u8) {
    let store = &card.platform().parts().store;
    (tries_left(store, Reference::PivPin).unwrap(), tries_left(store, Reference::Puk).unwrap())
}

/// Sends a command, fetches the whole answer, and checks what must hold for every command.
fn exchange(card: &mut TestCard, command: &[u8], sent: &mut Vec<Vec<u8>>) -> Result<(), TestCaseError> {
    let before = counters(card);
    let (mut answer, mut status) = support::send(card, command);
    prop_assert!(matches!(status >> 12, 0x6 | 0x9), "{status:04X}");
    while status & 0xFF00 == 0x6100 {
        let (more, next) = support::hex(card, "00C0000000");
        prop_assert!(!more.is_empty());
        answer.extend(more);
        status = next;
    }
    sent.push(command.to_vec());
    for secret in support::secrets() {
        let known = sent.iter().any(|command| contains(command, &secret));
        prop_assert!(known || !contains(&answer, &secret), "a secret left the card");
    }
    let after = counters(card);
    let instruction = command.get(1).copied();
    let (pin, puk) = (before.0 != after.0, before.1 != after.1);
    prop_assert!(
        !pin || matches!(instruction, Some(0x20 | 0x24 | 0x2C)),
        "PIN counter moved by {command:02X?}"
    );
    prop_assert!(!puk || matches!(instruction, Some(0x24 | 0x2C)), "PUK counter moved by {command:02X?}");
    if status != 0x9000 {
        prop_assert!(after.0 <= before.0 && after.1 <= before.1, "a refusal gave tries back");
    }
    Ok(())
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_reveals_or_spends_what_it_should_not(events in prop::collection::vec(event(), 1..40)) {
        let mut card = support::card();
        let mut sent = Vec::new();
        for event in events {
            match event {
                Event::Raw(bytes) => exchange(&mut card, &bytes, &mut sent)?,
                Event::Command { class, instruction, p1, p2, data, le } => {
                    exchange(&mut card, &encode(class, instruction, p1, p2, &data, le), &mut sent)?;
                }
                Event::RightPin => exchange(&mut card, &encode(0, 0x20, 0, 0x80, PIN, None), &mut sent)?,
                Event::RightManagementKey => {
                    support::hex(&mut card, "00A4040005A000000308");
                    support::authenticate_administrator(&mut card);
                }
                Event::Reset => { card.reset(); }
                Event::PowerCycle => {
                    card.power_off();
                    card.power_on();
                }
            }
        }
    }

    #[test]
    fn any_bytes_of_any_length_get_a_status_word(
        bytes in prop::collection::vec(any::<u8>(), 0..70_000),
        header in prop::sample::select(vec![[0x00, 0xDB, 0x3F, 0xFF], [0x10, 0x87, 0x11, 0x9A], [0x00, 0x20, 0x00, 0x80]]),
    ) {
        let mut card = support::card();
        let (_, status) = support::send(&mut card, &bytes);
        prop_assert!(matches!(status >> 12, 0x6 | 0x9));
        // The same as a well-formed extended command with a real header.
        let data = &bytes[..bytes.len().min(65_535)];
        if let Ok(length @ 1..) = u16::try_from(data.len()) {
            let command = [&header[..], &[0], &length.to_be_bytes(), data].concat();
            let (_, status) = support::send(&mut card, &command);
            prop_assert!(matches!(status >> 12, 0x6 | 0x9));
        }
    }
}

#[test]
fn without_power_there_is_no_service() {
    let mut card = support::card();
    card.power_off();
    assert_eq!(support::hex(&mut card, "00A4040005A000000308").1, 0x6F00);
    assert_eq!(card.last_refusal().unwrap().rule.text, "the card has power");
}

#[test]
fn a_puk_is_not_taken_for_a_pin() {
    let mut card = support::card();
    assert_eq!(support::send(&mut card, &encode(0, 0x20, 0, 0x80, PUK, None)).1, 0x63C2);
    assert_eq!(support::send(&mut card, &encode(0, 0x20, 0, 0x81, PUK, None)).1, 0x6A88);
}

/// Found by the fuzzer: the object was written, and the answer was an error.
#[test]
fn a_discovery_object_that_is_too_long_is_kept_and_enables_nothing() {
    let mut card = support::card();
    support::authenticate_administrator(&mut card);
    let mut object = support::discovery().1;
    object[1] = 0x7E;
    object[18] = 0x60;
    object.extend([0x00; 108]);
    assert_eq!(support::send(&mut card, &encode(0, 0xDB, 0x3F, 0xFF, &object, None)), (vec![], 0x9000));
    assert_eq!(support::hex(&mut card, "00CB3FFF035C017E00"), (object, 0x9000));
    assert_eq!(support::hex(&mut card, "00200000").1, 0x6A88);
}
