//! Changed card files.
//!
//! An input is a file to begin with and [changes](change::Change) to it. The file is opened as `vreader` does it. What
//! must hold:
//!
//! * A file that is refused is byte for byte what it was, and nothing is left beside it.
//! * A file that is accepted is a card: commands get answers, [`Guard`] has no finding, and afterwards the file opens again.
//! * Showing a card's contents agrees with opening it, and ends.

mod change;

use std::{fs, path::Path, sync::LazyLock};

use card_sim::{
    key::KeyReference,
    platform::Platform,
    reference::Reference,
    store::{FlashStore, MemoryFlash, Reads, Record, Store, Update},
};
use sha2::{Digest, Sha256};
use vreader::{
    emulated::{EmulatedCard, EmulatedError},
    fuzz::{Finding, Guard},
    image::Durability,
    inspect,
    reader::{InsertedCard, Interface},
};

use self::change::{Change, byte_of};
use crate::{
    card::{GLOBAL_PIN, PIN, PUK, new_flash, with_data},
    input::Input,
};

/// Bytes of the longest input.
pub const LONGEST: usize = 2048;

/// Changes of the longest input.
const MOST: usize = 16;

/// The bit of the first byte that has the card shown before it is used, which computes its public keys and takes long.
const SHOWN: u8 = 0x80;

/// The files to begin with: a new card, one that was used, one that lost its power, one of version 1, and a blank flash.
static FILES: LazyLock<[Vec<u8>; 5]> = LazyLock::new(|| {
    let used = used();
    [new_flash().to_vec(), used.clone(), interrupted(used), version_1(), vec![0xFF; 3 * 4096]]
});

/// A card whose log has turned over a few times.
fn used() -> Vec<u8> {
    let mut store =
        FlashStore::open(MemoryFlash::from_image(new_flash()), Reads::Memory).expect("a new card");
    let chuid = Record::from_number(0x102).expect("the CHUID");
    for round in 0..40_u8 {
        let contents = vec![round; 20 + usize::from(round) * 11 % 300];
        let tries = [3 - round % 3];
        let tries = Update::Write(Record::RetryCounter(Reference::PivPin), &tries);
        store.commit(&[Update::Write(chuid, &contents), tries]).expect("room for an object");
    }
    store.image().expect("a flash in memory").to_vec()
}

/// The same with a write that had begun when the power failed.
fn interrupted(mut flash: Vec<u8>) -> Vec<u8> {
    for page in flash.chunks_mut(4096) {
        let free = page.iter().rposition(|byte| *byte != 0xFF).map_or(8, |used| used / 4 * 4 + 8);
        if let Some(word) = page.get_mut(free..free + 2) {
            word.copy_from_slice(&[0x5A, 0x3C]);
            break;
        }
    }
    flash
}

/// The new card in a file of version 1.
fn version_1() -> Vec<u8> {
    let store = FlashStore::open(MemoryFlash::from_image(new_flash()), Reads::Memory).expect("a new card");
    let mut records = Vec::new();
    for number in (0..0x1000_u16).filter(|number| Record::from_number(*number).is_some()) {
        let record = Record::from_number(number).expect("filtered");
        let mut contents = Box::new(heapless::Vec::<u8, 4096>::new());
        if store.read(record, &mut *contents) == Ok(true) {
            let length = u16::try_from(contents.len()).expect("a short record");
            records.extend([&number.to_be_bytes()[..], &length.to_be_bytes(), &contents].concat());
        }
    }
    let length = u32::try_from(records.len()).expect("a small card");
    let header = [&b"card-sim\x00\x01"[..], &(144_u32 * 1024).to_be_bytes(), &length.to_be_bytes()].concat();
    let digest = Sha256::new().chain_update(&header).chain_update(&records).finalize();
    [&header[..], &digest, &records].concat()
}

/// Plays one input.
pub fn play(input: &[u8]) {
    let mut input = Input::new(input);
    let first = input.byte();
    let mut file = FILES[usize::from(first & !SHOWN) % FILES.len()].clone();
    // An input that chooses what is secret may choose what every card says.
    let mut chosen = false;
    for _ in 0..MOST {
        let Some(change) = Change::read(&mut input) else { break };
        change.apply(&mut file);
        chosen |= change.is_sealed();
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("card");
    fs::write(&path, &file).expect("a file can be written");
    let shown = (first & SHOWN != 0).then(|| EmulatedCard::contents_of(&path));
    assert!(read(&path) == file, "showing a card wrote to its file");
    match EmulatedCard::open_with(&path, Durability::Process) {
        Err(EmulatedError::Image(error)) => {
            assert!(read(&path) == file, "a refused file was changed: {error}");
            assert_eq!(names(folder.path()), ["card"], "something is left of a refusal: {error}");
            assert!(!matches!(shown, Some(Ok(_))), "shown, and then refused: {error}");
        }
        // A sound store, and no card in it.
        Err(EmulatedError::Open(_)) => {}
        Err(error) => panic!("{error}"),
        Ok(card) => {
            match shown {
                Some(Ok(contents)) => drop(inspect::inspect(&contents).to_string()),
                // Records that are sound, and not those of a card.
                None | Some(Err(EmulatedError::Memory(_))) => {}
                Some(Err(error)) => panic!("opened, but not shown: {error}"),
            }
            use_card(card, chosen);
            EmulatedCard::open_with(&path, Durability::Process).expect("a card that was used opens again");
        }
    }
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("the file is there")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Every command once, so that every record is read, and most written. Where the input has `chosen` the secrets, there are
/// none.
fn use_card(mut card: EmulatedCard, chosen: bool) {
    let mut guard = Guard::new(&card.card().platform().parts().store);
    card.power_on(Interface::Contact);
    let pin_and_pin = [&PIN[..], b"654321\xFF\xFF"].concat();
    let puk_and_pin = [&PUK[..], PIN].concat();
    let mut commands = vec![
        with_data([0x00, 0xA4, 0x04, 0x00], &[0xA0, 0x00, 0x00, 0x03, 0x08]),
        vec![0x00, 0x20, 0x00, 0x80],
        with_data([0x00, 0x20, 0x00, 0x00], GLOBAL_PIN),
        with_data([0x00, 0x20, 0x00, 0x80], b"000000\xFF\xFF"),
        with_data([0x00, 0x20, 0x00, 0x80], PIN),
        with_data([0x00, 0x87, 0x0A, 0x9B], &[0x7C, 0x02, 0x81, 0x00]),
        with_data([0x00, 0x87, 0x03, 0x9B], &[0x7C, 0x02, 0x80, 0x00]),
    ];
    for object in [[0x5F, 0xC1, 0x02], [0x5F, 0xC1, 0x05], [0x5F, 0xC1, 0x09], [0x5F, 0xC1, 0x0D]] {
        commands.push(with_data([0x00, 0xCB, 0x3F, 0xFF], &[&[0x5C, 0x03], &object[..]].concat()));
    }
    for slot in [0x9A, 0x9E] {
        let key = KeyReference::from_byte(slot).expect("a slot");
        assert!(key.key_use().operations.len() > 1);
        let digest = [&[0x7C, 0x24, 0x82, 0x00, 0x81, 0x20][..], &[0x42; 32]].concat();
        commands.push(with_data([0x00, 0x87, 0x11, slot], &digest));
    }
    commands.extend([
        with_data([0x00, 0x24, 0x00, 0x80], &pin_and_pin),
        with_data([0x00, 0x2C, 0x00, 0x80], &puk_and_pin),
        with_data([0x00, 0x24, 0x00, 0x81], &[*PUK, *PUK].concat()),
    ]);
    for command in commands {
        let answer = card.transmit(&command);
        let judged = guard.judge(&card.card().platform().parts().store, &command, &answer);
        match judged {
            Err(Finding::Leak(_)) if chosen => {}
            Err(finding) => panic!("{finding}: {command:02X?} -> {answer:02X?}"),
            Ok(()) => {}
        }
    }
}

/// Each file, each kind of change to it, and records that no card writes.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let record = |number, contents: &[u8]| {
        let record = byte_of(Record::from_number(number).expect("a record's number"));
        Change::Record { record, contents: contents.to_vec() }
    };
    let changes: [(&str, Vec<Change>); 22] = [
        ("as-it-is", vec![]),
        ("truncated", vec![Change::Truncate { length: 8192 }]),
        ("empty", vec![Change::Truncate { length: 0 }]),
        ("longer", vec![Change::Extend { by: 64, with: 0xFF }]),
        ("bit", vec![Change::Xor { at: 60, with: 0x10 }]),
        ("page-header", vec![Change::Xor { at: 4096, with: 0x01 }]),
        ("noise", vec![Change::Set { at: 300, bytes: vec![0xA5; 40] }]),
        ("cut-write", vec![Change::Clear { at: 4000, bytes: vec![0x0F; 8] }]),
        ("page-twice", vec![Change::CopyPage { from: 0, to: 1 }]),
        ("entry", vec![Change::Entry { key: 0x900, value: vec![0x77; 30] }]),
        ("directory-version", vec![Change::Directory { at: 8, bytes: vec![0x00, 0x03] }]),
        ("directory-length", vec![Change::Directory { at: 14, bytes: vec![0x7F, 0xFF] }]),
        ("directory-number", vec![Change::Directory { at: 12, bytes: vec![0x00, 0x00] }]),
        ("sealed", vec![Change::Xor { at: 70, with: 0xFF }, Change::Seal]),
        ("no-profile", vec![Change::Remove { record: byte_of(Record::Profile) }]),
        ("other-profile", vec![record(0x001, b"nobody's")]),
        ("many-tries", vec![record(0x580, &[0xFF]), record(0x480, b"\xFF123456\xFF\xFF")]),
        ("no-tries", vec![record(0x580, &[]), record(0x581, &[1, 2])]),
        ("short-pin", vec![record(0x480, b"\x03123")]),
        ("zero-key", vec![record(0x39A, &[[0x11, 0x01].as_slice(), &[0; 32]].concat())]),
        ("short-key", vec![record(0x39A, &[0x07, 0x01, 0x00]), record(0x39B, &[0x0A])]),
        ("object", vec![record(0x102, &[0x53, 0x84, 0xFF]), record(0x1FE, &[0x7E; 90])]),
    ];
    let mut seeds = Vec::new();
    for (file, shown) in (0_u8..5).flat_map(|file| [(file, 0), (file, SHOWN)]) {
        for (name, changes) in &changes {
            let mut bytes = vec![file | shown];
            for change in changes {
                change.write(&mut bytes);
            }
            seeds.push((format!("{:02x}-{name}", file | shown), bytes));
        }
    }
    seeds
}

#[cfg(test)]
mod tests {
    use vreader::image::format::{self, State};

    use super::*;

    #[test]
    fn the_files_to_begin_with_are_what_they_are_said_to_be() {
        let states: Vec<_> = FILES
            .iter()
            .map(|file| format::open(file, Reads::Memory).map(|opened| opened.state).ok())
            .collect();
        let expected =
            [Some(State::Sound), Some(State::Sound), Some(State::Repaired), Some(State::Converted), None];
        assert_eq!(states, expected);
    }

    /// Changes that keep the checksums get past them: what the store then finds is what they say.
    #[test]
    fn sealed_changes_are_not_stopped_by_checksums() {
        let open = |base: usize, changes: &[Change]| {
            let mut file = FILES[base].clone();
            for change in changes {
                change.apply(&mut file);
            }
            format::open(&file, Reads::Memory).map(|opened| opened.state)
        };
        let version = Change::Directory { at: 8, bytes: vec![0x00, 0x07] };
        assert_eq!(open(0, &[version]), Err(format::FormatError::Newer(7)));
        let entry = Change::Entry { key: 0x900, value: vec![1; 30] };
        assert_eq!(open(0, &[entry]), Ok(State::Repaired), "an entry that nobody names is removed");
        let pin = byte_of(Record::ReferenceData(Reference::PivPin));
        assert_eq!(open(0, &[Change::Record { record: pin, contents: vec![1] }]), Ok(State::Sound));
        let last = Change::Xor { at: FILES[3].len() - 1, with: 1 };
        assert!(open(3, std::slice::from_ref(&last)).is_err());
        assert_eq!(open(3, &[last, Change::Seal]), Ok(State::Converted));
    }

    #[test]
    fn changes_are_read_as_they_are_written() {
        for kind in 0..11 {
            let bytes = [kind, 2, 3, 2, 5, 6, 7];
            let change = Change::read(&mut Input::new(&bytes)).unwrap();
            let mut written = Vec::new();
            change.write(&mut written);
            assert_eq!(Change::read(&mut Input::new(&written)), Some(change), "{written:02X?}");
        }
    }
}
