//! How much a YubiKey keeps: so many bytes in all, and so many objects that the standard does not have.

mod support;

use card_sim::{
    further_object::PLACES,
    store::{FlashStore, MemoryFlash, Reads, Record, Store, Update},
};
use support::{TestCard, authenticate_administrator, send};

fn yubikey() -> TestCard {
    let mut store = FlashStore::format(MemoryFlash::blank(36), Reads::Memory).unwrap();
    support::personalise(&mut store, &[]);
    store.commit(&[Update::Write(Record::Profile, b"yubikey5")]).unwrap();
    let mut card = support::on(store);
    authenticate_administrator(&mut card);
    // The card was made as one of another stock, which has empty containers.
    for number in 0xC10D..=0xC121 {
        assert_eq!(put(&mut card, number, 0), 0x9000);
    }
    card
}

/// PUT DATA of so many bytes under the tag `5F` and this number; the status word.
fn put(card: &mut TestCard, number: u16, length: u16) -> u16 {
    let mut object = vec![0x53];
    match length {
        0..=0x7F => object.push(length.to_be_bytes()[1]),
        0x80.. => object.extend([&[0x82][..], &length.to_be_bytes()].concat()),
    }
    object.extend(vec![0xA5; usize::from(length)]);
    let data = [&[0x5C, 0x03, 0x5F][..], &number.to_be_bytes(), &object].concat();
    let extended = u16::try_from(data.len()).unwrap().to_be_bytes();
    send(card, &[&[0x00, 0xDB, 0x3F, 0xFF, 0x00][..], &extended, &data].concat()).1
}

#[test]
fn all_objects_together_take_51_200_bytes_at_most() {
    let mut card = yubikey();
    // With tag and length: 16 times 3,056, and 2,304.
    for number in 0..16 {
        // Some of the standard's, some others.
        assert_eq!(put(&mut card, 0xC108 + number, 3052), 0x9000, "{number}");
    }
    assert_eq!(put(&mut card, 0x0000, 2301), 0x6A84);
    assert_eq!(put(&mut card, 0x0000, 2300), 0x9000);
    assert_eq!(put(&mut card, 0x0001, 1), 0x6A84);
    // What is in its own place does not count against it.
    assert_eq!(put(&mut card, 0xC108, 3052), 0x9000);
    assert_eq!(put(&mut card, 0xC108, 0), 0x9000);
    assert_eq!(put(&mut card, 0x0001, 1), 0x9000);
}

#[test]
fn there_are_so_many_places_and_a_place_is_free_again() {
    let mut card = yubikey();
    let places = u16::from(PLACES);
    for number in 0..places {
        assert_eq!(put(&mut card, number, 2), 0x9000, "{number}");
    }
    assert_eq!(put(&mut card, places, 2), 0x6A84);
    assert_eq!(put(&mut card, 3, 5), 0x9000, "it has its place");
    assert_eq!(put(&mut card, 7, 0), 0x9000);
    assert_eq!(put(&mut card, places, 2), 0x9000);
    assert_eq!(support::hex(&mut card, "00 CB 3F FF 05 5C 03 5F0007 00").1, 0x6A82);
    assert_eq!(support::hex(&mut card, "00 CB 3F FF 05 5C 03 5F0003 00").0.len(), 7);
}
