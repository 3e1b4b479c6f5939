//! Keys that only YubiKeys have, imported with data fields that are cut, lengthened and changed byte by byte, by somebody who
//! has proved the card management key: a field that is taken makes a whole key, and one that is refused changes nothing.

mod support;

use card_sim::{
    platform::Platform,
    store::{FlashStore, MemoryFlash, Reads, Record, Store, Update},
};
use support::{
    TestCard, authenticate_administrator,
    contents::contents,
    imports::{fields, import},
};

/// A YubiKey that takes keys.
fn card() -> TestCard {
    let mut store = FlashStore::format(MemoryFlash::blank(16), Reads::Memory).unwrap();
    support::personalise(&mut store, &[]);
    store.commit(&[Update::Write(Record::Profile, b"yubikey5")]).unwrap();
    let mut card = support::on(store);
    authenticate_administrator(&mut card);
    card
}

/// The field, and what is near to it.
fn near(field: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let cut = (0..field.len()).map(|length| field[..length].to_vec());
    let longer = [0x00, 0x05, 0xAA, 0xFF].map(|byte| [field, &[byte]].concat());
    let changed = (0..field.len()).flat_map(|at| {
        [0x01, 0x80, 0xFF].map(|bits| {
            let mut field = field.to_vec();
            field[at] ^= bits;
            field
        })
    });
    cut.chain(longer).chain(changed)
}

#[test]
fn a_field_makes_a_whole_key_or_changes_nothing() {
    let mut card = card();
    for (algorithm, field) in fields() {
        assert_eq!(support::send(&mut card, &import(algorithm, 0x9C, &field)), (vec![], 0x9000));
        let (mut taken, mut refused) = (0, 0);
        for field in near(&field) {
            let before = contents(&card.platform().parts().store).unwrap();
            let (answer, status) = support::send(&mut card, &import(algorithm, 0x9C, &field));
            assert!(answer.is_empty(), "{algorithm:02X} {field:02X?}");
            if status == 0x9000 {
                let metadata = support::send(&mut card, &[0x00, 0xF7, 0x00, 0x9C, 0x00]);
                assert_eq!(metadata.1, 0x9000, "{algorithm:02X} {field:02X?}");
                assert_eq!(metadata.0[..3], [0x01, 0x01, algorithm], "{algorithm:02X} {field:02X?}");
                taken += 1;
            } else {
                assert!(matches!(status, 0x6700 | 0x6A80), "{algorithm:02X} {field:02X?}: {status:04X}");
                let after = contents(&card.platform().parts().store).unwrap();
                assert_eq!(after, before, "{algorithm:02X} {field:02X?} changed something");
                refused += 1;
            }
        }
        // Any 32 bytes are a key of Ed25519 or X25519, and policies have some values; no other RSA key is near this one.
        if algorithm == 0x06 {
            assert_eq!(taken, 0, "of {refused}");
        } else {
            assert!(taken >= 3 * 32 && refused >= 40, "{algorithm:02X}: {taken} taken, {refused} refused");
        }
    }
}
