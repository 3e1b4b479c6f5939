//! Card files that somebody has cut, changed, locked away or mixed up: refused or repaired with a sentence that says which,
//! and never made worse.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
};

use card_sim::{profile::PIV, store::Reads};
use tempfile::TempDir;
use vreader::{
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    image::{
        Durability, FlashSize,
        format::{self, State},
    },
    issue::{Request, issue},
};

const PAGE: usize = 4096;

/// A sample card on a small flash, as a file's bytes.
fn good_card() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card");
    let request = Request { seed: Some(1), ..Request::default() };
    let issued = issue(&request, &mut DefaultCrypto::default(), &mut |_| {}).unwrap();
    let size = FlashSize::from_pages(10).unwrap();
    drop(EmulatedCard::create(&path, size, &PIV, 3, &issued).unwrap());
    fs::read(path).unwrap()
}

/// What is on a card: its objects and its PIN tries.
type Seen = (BTreeMap<u32, Vec<u8>>, u8);

fn look(path: &Path) -> Seen {
    let contents = EmulatedCard::contents_of(path).unwrap();
    (contents.objects, contents.pin.tries_left)
}

/// Opens a file as a card, which must be refused; what was said. Neither file nor folder may change.
fn refused(folder: &TempDir, path: &Path) -> String {
    let (bytes, names) = (fs::read(path).ok(), names(folder));
    let error = EmulatedCard::open(path).err().unwrap().to_string();
    assert!(fs::read(path).ok() == bytes, "{error}");
    assert_eq!(self::names(folder), names, "{error}");
    error
}

fn names(folder: &TempDir) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn a_cut_or_grown_file_is_refused_with_both_lengths_or_as_damaged() {
    let good = good_card();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card");
    let borders = (1..good.len() / PAGE).map(|page| page * PAGE);
    let mut told = false;
    let lengths = borders.flat_map(|border| [border - 1, border, border + 1, border + 4, border + PAGE / 2]);
    for length in [1, 4, 8, 100].into_iter().chain(lengths) {
        fs::write(&path, &good[..length]).unwrap();
        let said = refused(&folder, &path);
        let expected = match length {
            ..=4 => "not a card file",
            // If the directory is there still, it says how long the file was.
            _ if length % PAGE == 0 && length >= 3 * PAGE => "is damaged (",
            _ => "is damaged (no card's flash has its length)",
        };
        told |= said.contains(&format!("(it was made with 40 KiB and has {length} bytes)"));
        assert!(said.contains(expected), "cut to {length}: {said}");
    }
    assert!(told);
    for (more, word) in
        [(1, "no card's flash has its length"), (PAGE, "made with 40 KiB and has 45056 bytes")]
    {
        fs::write(&path, [&good[..], &vec![0xFF; more]].concat()).unwrap();
        let said = refused(&folder, &path);
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn a_changed_bit_is_refused_or_repaired_and_nothing_on_the_card_differs() {
    let good = good_card();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card");
    fs::write(&path, &good).unwrap();
    let expected = look(&path);
    let (mut refusals, mut repaired, mut unseen) = (0, 0, 0);
    // Every byte is changed in the tests of the formats; here a sample, with all that a card file goes through.
    for position in (0..good.len()).step_by(151) {
        let mut changed = good.clone();
        changed[position] ^= 1 << (position % 8);
        fs::write(&path, &changed).unwrap();
        let state = match format::open(&changed, Reads::Flash) {
            Err(_) => {
                let said = EmulatedCard::open(&path).err().unwrap().to_string();
                assert!(said.contains("is damaged (") && said.contains("restore it from a copy"), "{said}");
                assert!(fs::read(&path).unwrap() == changed, "byte {position}");
                refusals += 1;
                continue;
            }
            Ok(opened) => opened.state,
        };
        drop(EmulatedCard::open_with(&path, Durability::Process).unwrap());
        assert!(look(&path) == expected, "byte {position}");
        let after = fs::read(&path).unwrap();
        assert_eq!(format::open(&after, Reads::Flash).unwrap().state, State::Sound, "byte {position}");
        *(if state == State::Repaired { &mut repaired } else { &mut unseen }) += 1;
    }
    println!("{refusals} refused, {repaired} repaired, {unseen} without a meaning");
    assert!(refusals > 150 && repaired > 0 && unseen < 5);
}

#[test]
fn files_of_other_kinds_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card");
    let noise: Vec<u8> =
        (0..40_u32 * 1024).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (bytes, word) in [
        (Vec::new(), "this file is empty; make a card with `vreader card new`"),
        (vec![0xFF; 10 * PAGE], "a blank flash and not a card"),
        (vec![0x00; 10 * PAGE], "not a card file"),
        (noise, "not a card file"),
        (b"SQLite format 3\0".repeat(2560), "not a card file"),
        (b"-----BEGIN CERTIFICATE-----\n".to_vec(), "not a card file"),
        (br#"{"atr":"3B8001","objects":{}}"#.to_vec(), "not a card file"),
    ] {
        fs::write(&path, &bytes).unwrap();
        let said = refused(&folder, &path);
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn what_cannot_be_read_at_all_is_told_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("folder")).unwrap();
    symlink(at("loop"), at("loop")).unwrap();
    symlink(at("nothing"), at("dangling")).unwrap();
    fs::write(at("file"), "").unwrap();
    for (path, word) in [
        (at("folder"), "Is a directory"),
        (at("loop"), "symbolic links"),
        (at("dangling"), "there is no card file"),
        (at("nothing"), "make one with `vreader card new"),
        (at("file").join("card"), "Not a directory"),
    ] {
        let before = names(&folder);
        let said = EmulatedCard::open(&path).err().unwrap().to_string();
        assert!(said.contains(word) && said.contains(path.to_str().unwrap()), "{said}");
        // The lock of a folder is made beside it, and goes with the refusal.
        assert_eq!(names(&folder), before, "{said}");
    }
}

/// `vreader card show` and `run` as somebody whom the file's permissions bind: root, too, without its capabilities.
#[test]
fn a_file_without_permissions_is_told_to_root_and_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card");
    let good = good_card();
    fs::write(&path, &good).unwrap();
    let open = |words: &[&str]| {
        let script = "if [ \"$(id -u)\" = 0 ]; then set -- setpriv --bounding-set=-all --inh-caps=-all \"$@\"; fi; exec \"$@\"";
        let output = Command::new("sh")
            .args(["-c", script, "sh", env!("CARGO_BIN_EXE_vreader")])
            .args(words)
            .env("XDG_RUNTIME_DIR", folder.path())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let card = path.to_str().unwrap();
    for (mode, words, status, word) in [
        (0o000, &["card", "show", card][..], 1, "cannot read the card file"),
        (0o000, &["run", "--card", card, "--", "true"], 2, "cannot read the card file"),
        (0o400, &["run", "--card", card, "--", "true"], 2, "cannot write"),
        (0o400, &["card", "show", card], 0, ""),
        (0o600, &["run", "--card", card, "--", "true"], 0, ""),
    ] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let (code, said) = open(words);
        assert_eq!(code, Some(status), "{mode:o} {words:?}: {said}");
        assert!(said.contains(word) && (status == 0 || said.contains("Permission denied")), "{said}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(fs::read(&path).unwrap() == good);
}
