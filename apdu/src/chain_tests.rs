//! Tests of `chain`: who belongs to a chain, what ends it, and what is left in memory.

use super::*;
use crate::command::Class;
use std::format;

type Chain = CommandChain<8>;

fn command(bytes: &[u8]) -> Command<'_> {
    Command::parse(bytes).unwrap()
}

#[test]
fn fragments_add_up_and_the_last_one_gives_case_and_ne() {
    let mut chain = Chain::new();
    // The Le on the first fragment is what yubico-piv-tool sends.
    assert_eq!(chain.push(&command(&[0x1C, 0x87, 7, 0x9A, 2, 1, 2, 0x00])), Ok(Progress::More));
    assert!(chain.is_active());
    assert_eq!(chain.command(), None);
    assert_eq!(chain.push(&command(&[0x1C, 0x87, 7, 0x9A])), Ok(Progress::More));
    assert_eq!(chain.push(&command(&[0x0C, 0x87, 7, 0x9A, 1, 3, 0x20])), Ok(Progress::Complete));
    assert!(!chain.is_active());

    let whole = chain.command().unwrap();
    assert_eq!(whole.class, Class::parse(0x0C));
    assert_eq!((whole.instruction, whole.p1p2()), (0x87, 0x079A));
    assert_eq!((whole.case, whole.ne()), (Case::FourShort, 0x20));
    assert_eq!(whole.data, [1, 2, 3]);
    assert_eq!(chain.header(), Some(whole.header()));
}

#[test]
fn a_single_command_is_not_copied() {
    let mut chain = Chain::new();
    let long = [0, 0xCB, 0x3F, 0xFF, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    assert_eq!(chain.push(&command(&long)), Ok(Progress::Single));
    assert_eq!((chain.header(), chain.data()), (None, &[][..]));
}

#[test]
fn any_other_header_interrupts() {
    let first = [0x10, 0xDB, 0x3F, 0xFF, 1, 0xAA];
    for other in [
        [0x00, 0xCB, 0x3F, 0xFF],
        [0x00, 0xDB, 0x3E, 0xFF],
        [0x00, 0xDB, 0x3F, 0xFE],
        [0x0C, 0xDB, 0x3F, 0xFF],
        [0x01, 0xDB, 0x3F, 0xFF],
        [0x1C, 0xDB, 0x3F, 0xFF],
    ] {
        let mut chain = Chain::new();
        assert_eq!(chain.push(&command(&first)), Ok(Progress::More));
        assert_eq!(chain.push(&command(&other)), Ok(Progress::Interrupted), "{other:02X?}");
        assert!(!chain.is_active());
        assert_eq!(chain.buffer, [0; 8]);
        // Pushed again, the command stands on its own.
        let again = chain.push(&command(&other));
        let chained = other[0] & 0x10 != 0;
        assert_eq!(again, Ok(if chained { Progress::More } else { Progress::Single }));
    }
}

#[test]
fn overflow_drops_and_wipes() {
    let mut chain = Chain::new();
    let fragment = [0x10, 0xDB, 0x3F, 0xFF, 5, 1, 2, 3, 4, 5];
    assert_eq!(chain.push(&command(&fragment)), Ok(Progress::More));
    assert_eq!(chain.push(&command(&fragment)), Err(Status::WrongLength));
    assert_eq!((chain.header(), chain.buffer), (None, [0; 8]));
}

#[test]
fn exactly_n_bytes_fit() {
    let mut chain = Chain::new();
    let fragment = [0x10, 0xDB, 0x3F, 0xFF, 4, 1, 2, 3, 4];
    let last = [0x00, 0xDB, 0x3F, 0xFF, 4, 5, 6, 7, 8];
    assert_eq!(chain.push(&command(&fragment)), Ok(Progress::More));
    assert_eq!(chain.push(&command(&last)), Ok(Progress::Complete));
    assert_eq!(chain.data(), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_complete_chain_is_wiped_by_abort_and_by_the_next_command() {
    let mut chain = Chain::default();
    for next_command in [false, true] {
        assert_eq!(chain.push(&command(&[0x10, 0xDB, 0, 0, 1, 0xAA])), Ok(Progress::More));
        assert_eq!(chain.push(&command(&[0x00, 0xDB, 0, 0, 1, 0xBB])), Ok(Progress::Complete));
        assert_eq!(chain.data(), [0xAA, 0xBB]);
        if next_command {
            assert_eq!(chain.push(&command(&[0x00, 0xDB, 0, 0])), Ok(Progress::Single));
        } else {
            chain.abort();
        }
        assert_eq!((chain.header(), chain.buffer), (None, [0; 8]));
    }
}

#[test]
fn debug_hides_the_data() {
    let text = |pin: [u8; 2]| {
        let mut chain = Chain::new();
        chain.push(&command(&[0x10, 0x20, 0, 0x80, 2, pin[0], pin[1]])).unwrap();
        format!("{chain:?}")
    };
    assert!(text([0x31, 0x32]).contains("length: 2"));
    assert_eq!(text([0x31, 0x32]), text([0xDE, 0xAD]), "the text does not depend on the data");
}

#[test]
fn cursor_says_how_much_is_left() {
    let mut cursor = ResponseCursor::new();
    assert_eq!(cursor.take(256), (0..0, Status::Ok));
    cursor.start(0);
    assert!(!cursor.is_pending());

    cursor.start(600);
    assert_eq!(cursor.take(256), (0..256, Status::MoreData(0)));
    assert_eq!(cursor.take(88), (256..344, Status::MoreData(0)));
    assert_eq!(cursor.take(1), (344..345, Status::MoreData(255)));
    assert_eq!(cursor.take(0), (345..345, Status::MoreData(255)));
    assert_eq!(cursor.remaining(), 255);
    assert_eq!(cursor.take(usize::MAX), (345..600, Status::Ok));
    assert_eq!(cursor.take(256), (600..600, Status::Ok));

    cursor.start(10);
    assert_eq!(cursor.take(4), (0..4, Status::MoreData(6)));
    cursor.clear();
    assert!(!cursor.is_pending());
    assert_eq!(cursor, ResponseCursor::new());
}
