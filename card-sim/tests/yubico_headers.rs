//! Every header of Yubico's commands, with data fields that are near to good ones, on a YubiKey to which nothing was proved:
//! a status word goes out, no secret does, and nothing changes.

mod support;

use card_sim::{
    platform::Platform,
    store::{FlashStore, MemoryFlash, Reads, Record, Store, Update},
};
use support::{contents::contents, imports};

const INSTRUCTIONS: [u8; 10] = [0x47, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA, 0xFB, 0xFD, 0xFE, 0xFF];

fn data_fields() -> Vec<Vec<u8>> {
    let import = [&[0x06, 0x20][..], &[0x5A; 32]].concat();
    let management_key = [&[0x08, 0x9B, 0x10][..], &[0x5A; 16]].concat();
    let generate = |algorithm| vec![0xAC, 0x03, 0x80, 0x01, algorithm];
    let [ed25519, x25519, _] = imports::fields().map(|(_, field)| field);
    vec![vec![], vec![0x00], import, ed25519, x25519, management_key, generate(0x11), generate(0xE0)]
}

/// The key references and places that mean something, and some that do not.
fn places() -> impl Iterator<Item = u8> {
    (0x00..=0x07).chain(0x10..=0x16).chain(0x7F..=0x9F).chain(0xE0..=0xE2).chain(0xF8..=0xFF)
}

#[test]
fn without_a_proof_nothing_changes_and_no_secret_leaves() {
    let mut store = FlashStore::format(MemoryFlash::blank(16), Reads::Memory).unwrap();
    support::personalise(&mut store, &[]);
    let number = [0x00, 0xAE, 0x17, 0xCB];
    let updates = [Update::Write(Record::Profile, b"yubikey5"), Update::Write(Record::SerialNumber, &number)];
    store.commit(&updates).unwrap();
    let mut card = support::on(store);
    let before = contents(&card.platform().parts().store).unwrap();
    let secrets = support::secrets();
    let (mut sent, mut answered) = (0, 0);
    for instruction in INSTRUCTIONS {
        for (p1, p2) in places().flat_map(|p1| places().map(move |p2| (p1, p2))) {
            for data in data_fields() {
                let mut command = vec![0x00, instruction, p1, p2];
                if !data.is_empty() {
                    command.push(u8::try_from(data.len()).unwrap());
                    command.extend(&data);
                }
                let (answer, status) = support::send(&mut card, &command);
                assert!(matches!(status >> 12, 0x6 | 0x9), "{command:02X?}: {status:04X}");
                for secret in &secrets {
                    let leaked = answer.windows(secret.len()).any(|window| window == secret);
                    assert!(!leaked, "{command:02X?}: a secret left the card");
                }
                sent += 1;
                answered += usize::from(status == 0x9000);
            }
        }
        let after = contents(&card.platform().parts().store).unwrap();
        assert_eq!(after, before, "{instruction:02X} changed something");
    }
    // GET VERSION, GET SERIAL and GET METADATA, whatever their data fields.
    assert!(answered >= 5 * 10, "{answered} of {sent} commands were answered");
}
