//! Who may do what: every deed, on every object and key, through either interface, plain, under secure messaging and over
//! the virtual contact interface, with every proof; held against a table copied from the standard's columns.
//!
//! `cargo test -p vectors --test authorisation -- --nocapture` prints how many combinations there are.

mod card;
mod table;

use std::{num::NonZero, thread};

use card_sim::{object::ObjectTag, store::MemoryFlash};

use crate::{
    card::{Channel, Policy, Situation, command, flash, key_establishment, object, point, value},
    table::{Deed, Row, Table, Truth, Verdict},
};

/// The command that does it.
fn doing(row: &Row, policy: Policy) -> Vec<u8> {
    let reference = row.what.to_le_bytes()[0];
    match row.deed {
        Deed::Read => [command([0x00, 0xCB, 0x3F, 0xFF], &tag_list(row.what)), vec![0x00]].concat(),
        Deed::Write => {
            // What is there already, so that nothing changes.
            let tag = ObjectTag::new(u32::try_from(row.what).expect("a tag")).expect("an object");
            let name = if tag.is_wrapped() { tag_list(row.what) } else { Vec::new() };
            command([0x00, 0xDB, 0x3F, 0xFF], &[name, object(tag, policy)].concat())
        }
        Deed::Verify => command([0x00, 0x20, 0x00, reference], &value(reference)),
        Deed::Change => command([0x00, 0x24, 0x00, reference], &value(reference).repeat(2)),
        Deed::Unblock => command([0x00, 0x2C, 0x00, reference], &[&card::PUK[..], card::PIN].concat()),
        Deed::NewPin => command([0x00, 0x2C, 0x02, reference], card::PIN),
        Deed::Use => using(reference),
        Deed::Generate => command([0x00, 0x47, 0x00, reference], &[0xAC, 0x03, 0x80, 0x01, 0x11]),
        Deed::Import => command([0x00, 0xFE, 0x11, reference], &[&[0x06, 0x20][..], &[0x5A; 32]].concat()),
        Deed::Select => command([0x00, 0xA4, 0x04, 0x00], &row.what.to_be_bytes()[3..]),
    }
}

fn using(reference: u8) -> Vec<u8> {
    let p256 = |template: &[u8]| command([0x00, 0x87, 0x11, reference], template);
    match reference {
        0x04 => key_establishment(),
        0x9B => command([0x00, 0x87, 0x08, 0x9B], &[0x7C, 0x02, 0x81, 0x00]),
        0x9A | 0x9C | 0x9E => p256(&[&[0x7C, 0x24, 0x82, 0x00, 0x81, 0x20], &[0xA5; 32][..]].concat()),
        _ => p256(&[&[0x7C, 0x45, 0x82, 0x00, 0x85, 0x41], &point(&[0x66; 32])[..]].concat()),
    }
}

fn tag_list(tag: u64) -> Vec<u8> {
    let bytes: Vec<u8> = tag.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    [&[0x5C, u8::try_from(bytes.len()).expect("a tag")], &bytes[..]].concat()
}

fn verdict(status: u16) -> Option<Verdict> {
    match status {
        0x9000 => Some(Verdict::Done),
        0x6982 => Some(Verdict::NotSatisfied),
        0x6A81 => Some(Verdict::NotSupported),
        0x6A88 => Some(Verdict::NotFound),
        0x6882 => Some(Verdict::NotProtected),
        _ => None,
    }
}

/// The combinations of one situation, and what is wrong in them. Each has a card of its own.
fn wrong_in(situation: Situation, flash: &MemoryFlash, table: &Table) -> Vec<String> {
    let judge = |row: &Row| {
        let mut card = card::Table::laid(flash, situation);
        let status = card.transmit(&doing(row, situation.policy), situation.channel);
        let expected = table.verdict(row, situation.truth());
        (verdict(status) != Some(expected)).then(|| {
            format!("{:?} {:X} in {situation:?}: {status:04X}, not {expected:?}", row.deed, row.what)
        })
    };
    table.rows.iter().filter_map(judge).collect()
}

#[test]
fn the_card_and_the_tables_of_the_standard_agree() {
    let table = Table::read();
    let situations = Situation::all();
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let of_one_thread = |number: usize| -> Vec<String> {
        let flashes = Policy::ALL.map(|policy| (policy, flash(policy)));
        let mine = situations.iter().skip(number).step_by(threads);
        mine.flat_map(|situation| {
            let (_, flash) =
                flashes.iter().find(|(policy, _)| *policy == situation.policy).expect("all are there");
            wrong_in(*situation, flash, &table)
        })
        .collect()
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let of_one_thread = &of_one_thread;
        let all: Vec<_> = (0..threads).map(|number| scope.spawn(move || of_one_thread(number))).collect();
        all.into_iter().flat_map(|one| one.join().expect("a thread that ends")).collect()
    });
    let combinations = situations.len() * table.rows.len();
    println!("{combinations} combinations of deed, object or key, interface, channel and proof");
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
}

#[test]
fn the_table_names_everything_that_the_card_has() {
    let rows = Table::read().rows;
    let whats = |deed: Deed| -> Vec<u64> {
        let mut whats: Vec<_> = rows.iter().filter(|row| row.deed == deed).map(|row| row.what).collect();
        whats.sort_unstable();
        whats
    };
    let mut objects: Vec<u64> =
        card_sim::object::CONTAINERS.iter().map(|row| u64::from(row.tag.get())).collect();
    objects.sort_unstable();
    assert_eq!(whats(Deed::Read), objects);
    assert_eq!(whats(Deed::Write), objects);
    assert_eq!(whats(Deed::Use).len(), 26, "04, 9A to 9E, 82 to 95");
    assert_eq!(whats(Deed::Verify), [0x00, 0x80, 0x96, 0x97, 0x98]);
}

/// The situations are as many as they are meant to be, and none is there twice.
#[test]
fn situations_are_different() {
    let all = Situation::all();
    let mut names: Vec<_> = all.iter().map(|situation| format!("{situation:?}")).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all.len());
    // Every combination of the channel's truths occurs.
    for antenna in [false, true] {
        for (sm, vci) in [(false, false), (true, false), (true, true)] {
            let occurs = |truth: Truth| (truth.antenna, truth.sm, truth.vci) == (antenna, sm, vci);
            assert!(all.iter().any(|situation| occurs(situation.truth())), "{antenna} {sm} {vci}");
        }
    }
    assert!(all.iter().any(|situation| situation.channel == Channel::Paired));
}
