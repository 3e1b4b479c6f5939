//! Cards in readers: what changes nothing, what wears them out, and cards that are not as the standard wants them.

use card_sim::profile;
use vreader::{
    check::{self, Options, Outcome, Report},
    emulated::EmulatedCard,
    issue::DEFAULT_MANAGEMENT_KEY,
    reader::{InsertedCard, Interface, ReaderSettings},
    run::{World, WorldSettings},
};
use zeroize::Zeroizing;

use crate::support::{assert_clean, failed, full_card, options, outcome};

/// What a card does instead of what it should; `None` leaves it to the card.
type Quirk = fn(&mut EmulatedCard, &[u8]) -> Option<Vec<u8>>;

/// A card with a quirk.
struct Quirky {
    card: EmulatedCard,
    quirk: Quirk,
}

impl InsertedCard for Quirky {
    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn power_on(&mut self, interface: Interface) {
        self.card.power_on(interface);
    }

    fn power_off(&mut self) {
        self.card.power_off();
    }

    fn reset(&mut self) {
        self.card.reset();
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        (self.quirk)(&mut self.card, command).unwrap_or_else(|| self.card.transmit(command))
    }
}

/// Checks a card in a reader of a world.
fn check_in_reader(quirk: Quirk, options: &Options) -> Report {
    let card = EmulatedCard::in_memory(&profile::PIV, 3, &full_card()).unwrap();
    let world = World::with(&WorldSettings::default()).unwrap();
    let card = Box::new(Quirky { card, quirk });
    let reader = world.readers().add(ReaderSettings::new("Quirks"), Some(card)).unwrap();
    check::check_reader(world.socket(), &reader, options).unwrap()
}

fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

fn with_pin() -> Options {
    Options { pin: Some(secret("123456")), ..options() }
}

fn destructive() -> Options {
    let management_key = Some(Zeroizing::new(DEFAULT_MANAGEMENT_KEY.to_vec()));
    Options { puk: Some(secret("12345678")), management_key, destructive: true, ..with_pin() }
}

fn no_quirk(_: &mut EmulatedCard, _: &[u8]) -> Option<Vec<u8>> {
    None
}

/// The card's own answer, with its status word replaced.
fn instead(card: &mut EmulatedCard, command: &[u8], from: u16, to: u16) -> Vec<u8> {
    let answer = card.transmit(command);
    let (data, status) = answer.split_at(answer.len() - 2);
    let status = if status == from.to_be_bytes() { to } else { u16::from_be_bytes([status[0], status[1]]) };
    [data, &status.to_be_bytes()].concat()
}

#[test]
fn a_card_in_a_reader_comes_out_clean_with_more_or_less_known() {
    let [nothing, pin, everything] =
        [options(), with_pin(), destructive()].map(|options| check_in_reader(no_quirk, &options));
    for (report, name) in [(&nothing, "nothing"), (&pin, "the PIN"), (&everything, "everything")] {
        assert_clean(report, name);
    }
    assert!(nothing.counts.passed < pin.counts.passed, "{:?}", nothing.counts);
    assert!(pin.counts.passed < everything.counts.passed, "{:?}", everything.counts);
    let reason = |report, id| match outcome(report, id) {
        Outcome::NotApplicable { reason } => reason.clone(),
        other => panic!("{id}: {other:?}"),
    };
    assert_eq!(
        reason(&nothing, "9.1.1.1"),
        "Cardholder Fingerprints cannot be read without the PIN; give it with --pin"
    );
    assert_eq!(reason(&pin, "05.19"), "it changes the card; --destructive allows that to a card in a reader");
    assert!(reason(&everything, "05.12Ac").contains("contactless"));
    assert_eq!(*outcome(&everything, "05.30"), Outcome::Passed);
}

/// Commands that write, and VERIFY with data other than the PIN.
#[expect(clippy::unnecessary_wraps, reason = "it is a quirk")]
fn refuses_writing(card: &mut EmulatedCard, command: &[u8]) -> Option<Vec<u8>> {
    let forbidden = match command[1] {
        0x24 | 0x2C => command[3] == 0x80,
        0x20 => command.len() > 5 && command[3] == 0x80 && !command[5..].starts_with(b"123456\xFF\xFF"),
        0x47 => true,
        _ => false,
    };
    assert!(!forbidden, "{command:02X?}");
    // The one PUT DATA carries the object as it is, and is refused.
    let answer = card.transmit(command);
    assert!(command[1] != 0xDB || answer != [0x90, 0x00] || command[0] & 0x10 != 0, "{command:02X?}");
    Some(answer)
}

#[test]
fn without_destructive_nothing_changes() {
    assert_clean(&check_in_reader(refuses_writing, &with_pin()), "a card that must not be written to");
}

/// Each quirk with the rows that it fails.
const QUIRKS: &[(&str, Quirk, &[&str])] = &[
    (
        "SELECT of the selected application ends the status",
        |card, command| {
            if command[1] == 0xA4 && command[5..].starts_with(&[0xA0, 0x00, 0x00, 0x03, 0x08]) {
                card.reset();
            }
            None
        },
        &["05.09"],
    ),
    (
        "every SELECT succeeds",
        |_, command| {
            (command[1] == 0xA4 && !command[5..].starts_with(&[0xA0, 0x00, 0x00, 0x03, 0x08]))
                .then(|| vec![0x90, 0x00])
        },
        &["05.10a", "05.10b", "05.11"],
    ),
    (
        "protected objects do not show that they are there",
        |card, command| (command[..2] == [0x00, 0xCB]).then(|| instead(card, command, 0x6982, 0x6A82)),
        &["05.12Aa"],
    ),
    (
        "unknown objects are empty",
        |card, command| {
            if command[1] == 0xCB {
                let answer = card.transmit(command);
                Some(if answer == [0x6A, 0x82] { vec![0x53, 0x00, 0x90, 0x00] } else { answer })
            } else {
                None
            }
        },
        &["02.03b"],
    ),
    (
        "a blocked PIN is told as a wrong one",
        |card, command| (command[1] == 0x20).then(|| instead(card, command, 0x6983, 0x63C0)),
        &["05.17"],
    ),
    (
        "the last wrong try is told as blocked",
        |card, command| {
            (command[1] == 0x20 && command.len() > 5).then(|| instead(card, command, 0x63C0, 0x6983))
        },
        &[],
    ),
    (
        "P1 FF is not known",
        |_, command| (command[1] == 0x20 && command[2] == 0xFF).then(|| vec![0x6A, 0x86]),
        &["05.19", "05.22A", "05.22C-R4", "05.25A-R4", "05.27", "05.31"],
    ),
    (
        "a malformed new PIN is told as a wrong one",
        |card, command| (command[1] == 0x24).then(|| instead(card, command, 0x6A80, 0x63C2)),
        &["05.25A-R4"],
    ),
    (
        "a reset of the counter verifies the PIN",
        |card, command| {
            let answer = card.transmit(command);
            if command[1] == 0x2C && answer == [0x90, 0x00] {
                let verify = [&[0x00, 0x20, 0x00, 0x80, 0x08], &command[13..21]].concat();
                card.transmit(&verify);
            }
            Some(answer)
        },
        &["05.31"],
    ),
    (
        "unknown algorithms are bad data",
        |card, command| (command[1] == 0x87).then(|| instead(card, command, 0x6A86, 0x6A80)),
        &["05.36a", "05.36b", "05.42-R4a"],
    ),
    (
        "everybody may write",
        |_, command| (command[1] == 0xDB).then(|| vec![0x90, 0x00]),
        &["05.37a", "05.37b"],
    ),
    (
        "unknown mechanisms are refused with 6A86",
        |card, command| (command[1] == 0x47).then(|| instead(card, command, 0x6A80, 0x6A86)),
        &["05.38b"],
    ),
    (
        "wrong protection is told as bad data",
        |card, command| (command[0] == 0x0C).then(|| instead(card, command, 0x6988, 0x6A80)),
        &["05.41-R4c"],
    ),
    (
        "a wrong pairing code has tries",
        |card, command| {
            (command[1] == 0x20 && command[3] == 0x98).then(|| instead(card, command, 0x6300, 0x63C2))
        },
        &["05.16A-R4"],
    ),
    (
        "SELECT answers with no template",
        |card, command| {
            let answer = card.transmit(command);
            Some(if command[1] == 0xA4 && answer.len() > 2 { vec![0x90, 0x00] } else { answer })
        },
        &["05.05", "05.07"],
    ),
    (
        "there is a second PIV application",
        |_, command| (command[..4] == [0x00, 0xA4, 0x04, 0x02]).then(|| vec![0x90, 0x00]),
        &["05.06"],
    ),
    (
        "no certificate for card authentication",
        |_, command| (command.ends_with(&[0x5F, 0xC1, 0x01, 0x00])).then(|| vec![0x6A, 0x82]),
        &["8.9.0.3", "02.03a"],
    ),
    (
        "every key reference has a status",
        |_, command| {
            (command.len() == 5 && command[1] == 0x20 && command[3] != 0x80).then(|| vec![0x63, 0xC3])
        },
        &["05.13", "05.13A-R4", "05.22B"],
    ),
    (
        "the pairing code is not known",
        |_, command| (command[..2] == [0x00, 0x20] && command[3] == 0x98).then(|| vec![0x6A, 0x88]),
        &["05.13B-R4", "05.16A-R4"],
    ),
    (
        "VERIFY always says that the PIN is not verified",
        |_, command| (command.len() == 5 && command[1..4] == [0x20, 0x00, 0x80]).then(|| vec![0x63, 0xC3]),
        &["05.09", "05.10b", "05.14", "05.17", "05.19", "05.26", "05.27", "05.31", "05.36C"],
    ),
    (
        "P1 means nothing",
        |card, command| {
            (command[1] == 0x20 && command[2] == 0x01)
                .then(|| card.transmit(&[&[0x00, 0x20, 0x00], &command[3..]].concat()))
        },
        &["05.22D"],
    ),
    (
        "the PUK cannot be changed",
        |_, command| (command[..4] == [0x00, 0x24, 0x00, 0x81]).then(|| vec![0x69, 0x85]),
        &["05.23"],
    ),
    (
        "a change of a blocked PIN is forbidden",
        |card, command| (command[1] == 0x24).then(|| instead(card, command, 0x6983, 0x6982)),
        &["05.25"],
    ),
    (
        "a change changes nothing",
        |card, command| {
            (command[..4] == [0x00, 0x24, 0x00, 0x80]
                && command[5..13] == *b"123456\xFF\xFF"
                && command[13..15] == *b"00")
                .then(|| card.transmit(&[&[0x00, 0x20, 0x00, 0x80, 0x08], &command[5..13]].concat()))
        },
        &["05.26"],
    ),
    (
        "unknown references are wrong parameters",
        |card, command| matches!(command[1], 0x24 | 0x2C).then(|| instead(card, command, 0x6A88, 0x6A86)),
        &["05.28A", "05.29"],
    ),
    (
        "a blocked PUK is told as a wrong one",
        |card, command| (command[1] == 0x2C).then(|| instead(card, command, 0x6983, 0x63C0)),
        &["05.30"],
    ),
    (
        "a wrong PUK leaves the status",
        |card, command| {
            if command[1] != 0x2C {
                return None;
            }
            let verified = card.transmit(&[0x00, 0x20, 0x00, 0x80, 0x00]) == [0x90, 0x00];
            let answer = card.transmit(command);
            if verified && answer[0] == 0x63 {
                card.transmit(b"\x00\x20\x00\x80\x08123456\xFF\xFF");
            }
            Some(answer)
        },
        &["05.32"],
    ),
    (
        "a malformed PIN at a reset is told as a wrong PUK",
        |card, command| (command[1] == 0x2C).then(|| instead(card, command, 0x6A80, 0x63C2)),
        &["05.33"],
    ),
    (
        "the signature key needs no PIN",
        |card, command| {
            if command[1] == 0x87 && command[3] == 0x9C {
                card.transmit(b"\x00\x20\x00\x80\x08123456\xFF\xFF");
            }
            None
        },
        &["05.34c", "05.36B"],
    ),
    (
        "retired keys are gone",
        |_, command| (command[1] == 0x87 && command[3] == 0x82).then(|| vec![0x6A, 0x88]),
        &["05.34e"],
    ),
    (
        "any answer proves the management key",
        |card, command| {
            (command[1] == 0x87 && command[3] == 0x9B).then(|| instead(card, command, 0x6982, 0x9000))
        },
        &["05.34g"],
    ),
    (
        "bad data are not allowed",
        |card, command| (command[..2] == [0x00, 0x87]).then(|| instead(card, command, 0x6A80, 0x6985)),
        &["05.36A", "05.42-R4b"],
    ),
    (
        "the end of a chain is enough",
        |_, command| {
            (command[..2] == [0x00, 0x87] && command[3] == 0x9E && command[5] != 0x7C && command[5] != 0x30)
                .then(|| vec![0x90, 0x00])
        },
        &["05.36C"],
    ),
    (
        "everybody may generate",
        |_, command| (command[1] == 0x47).then(|| vec![0x90, 0x00]),
        &["05.38a", "05.38b", "05.38c", "05.38d"],
    ),
    (
        "protection without a session is ignored",
        |card, command| {
            (command[0] == 0x0C).then(|| {
                let answer = card.transmit(command);
                if command.ends_with(&[0x8E, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0]) {
                    vec![0x90, 0x00]
                } else {
                    answer
                }
            })
        },
        &["05.41-R4d"],
    ),
    (
        "any point is on the curve",
        |card, command| {
            (command[1] == 0x87 && command[3] == 0x04).then(|| instead(card, command, 0x6A80, 0x9000))
        },
        &["05.42-R4b"],
    ),
];

#[test]
fn each_quirk_fails_its_rows_and_no_others() {
    let mut wrong = Vec::new();
    for (name, quirk, rows) in QUIRKS {
        let report = check_in_reader(*quirk, &destructive());
        let found = failed(&report);
        if found != *rows {
            wrong.push(format!("{name}: {found:?}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn a_wrong_pin_is_told_and_the_last_try_is_kept() {
    let card = EmulatedCard::in_memory(&profile::PIV, 3, &full_card()).unwrap();
    let world = World::with(&WorldSettings::default()).unwrap();
    let reader = world.readers().add(ReaderSettings::new("Desk"), Some(Box::new(card))).unwrap();
    let check = |pin: &str| {
        let options = Options { pin: Some(secret(pin)), ..options() };
        check::check_reader(world.socket(), &reader, &options).err().map(|error| error.to_string())
    };
    let refused = |tries| {
        Some(format!("the PIN was answered with 63C{tries}; nothing was checked; tries left: {tries}"))
    };
    assert_eq!(check("000000"), refused(2));
    assert_eq!(check("000000"), refused(1));
    assert!(check("000000").unwrap().contains("one try of the PIN left"));
    assert!(check("123456").unwrap().contains("one try of the PIN left"));
    assert!(check("12345").unwrap().contains("malformed"));
}
