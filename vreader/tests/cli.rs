//! The program as a person uses it: what it prints, what it refuses, how it exits.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

fn vreader(folder: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vreader"))
        .current_dir(folder.path())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("vreader starts")
}

/// Runs a command line that must succeed; gives its standard output.
fn done(folder: &TempDir, arguments: &[&str]) -> String {
    let output = vreader(folder, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Runs a command line that must fail with `status`; gives its standard error.
fn fails(folder: &TempDir, status: i32, arguments: &[&str]) -> String {
    let output = vreader(folder, arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {text}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    text
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_new_card_shows_what_was_asked_for() {
    let folder = folder();
    let made = json(&done(
        &folder,
        &[
            "card",
            "new",
            "a.card",
            "--seed",
            "1",
            "--holder",
            "Sam Sample",
            "--issued",
            "2026-02-03",
            "--expires",
            "2027-02-03",
            "--algorithm",
            "p384",
            "--export-ca",
            "pki",
            "--json",
        ],
    ));
    assert_eq!((made["holder"].as_str(), made["expires"].as_str()), (Some("Sam Sample"), Some("2027-02-03")));
    assert_eq!(names(&folder.path().join("pki")), ["content-signer.pem", "issuing-ca.pem", "root-ca.pem"]);
    let shown = json(&done(&folder, &["card", "show", "a.card", "--json"]));
    assert_eq!(shown["holder"]["name"], "Sam Sample");
    assert_eq!(shown["issued"]["date"], "2026-02-03");
    assert_eq!(shown["expires"]["date"], "2027-02-03");
    assert_eq!(shown["pin"]["tries_left"], 3);
    let slots = shown["slots"].as_array().unwrap();
    assert_eq!(slots.len(), 4);
    assert!(slots.iter().all(|slot| slot["algorithm"] == "P-384"), "{slots:?}");
    assert_eq!(shown["problems"].as_array().map(Vec::len), Some(0));
    assert!(done(&folder, &["card", "show", "a.card"]).contains("Sam Sample"));
    assert_eq!(names(folder.path()), ["a.card", "pki"]);
}

/// A Common Access Card that was issued in 2017.
fn with_cac() -> TempDir {
    let folder = folder();
    let old = ["--profile", "cac-gemalto-gx4-144", "--seed", "1", "--issued", "2017-06-01"];
    done(&folder, &[&["card", "new", "cac.card"], &old[..]].concat());
    folder
}

#[test]
fn a_common_access_card_shows_its_dates_after_the_pin() {
    let folder = with_cac();
    let show = ["card", "show", "cac.card"];
    let without = done(&folder, &show);
    for line in [
        "2017-06-01 (begin of certificate",
        "Expires          2023-05-31",
        "not shown without the PIN: Person Instance, Personnel, Benefits, PKI Credential, Fingerprints, Facial Image",
        "Email Encryption Certificate",
        "PIV Authentication certificate: hidden, not activated",
    ] {
        assert!(without.contains(line), "no {line:?} in {without}");
    }
    assert!(!without.contains("Person Instance)") && !without.contains("EDIPI"), "{without}");
    let with = done(&folder, &[&show[..], &["--pin", "123456"]].concat());
    for line in ["2017-06-01 (Person Instance)", "expires on 2023-05-31 (Person Instance)", "EDIPI "] {
        assert!(with.contains(line), "no {line:?} in {with}");
    }
    assert!(!with.contains("not shown"), "{with}");
    let [without, with] = [&["--json"][..], &["--json", "--pin", "123456"]]
        .map(|options| json(&done(&folder, &[&show[..], options].concat()))["common_access"].take());
    assert_eq!((&without["issued"], without["hidden"][0].as_str()), (&Value::Null, Some("Person Instance")));
    assert_eq!((with["issued"].as_str(), &with["hidden"]), (Some("2017-06-01"), &Value::Null));
}

#[test]
fn the_card_decides_about_the_pin() {
    let folder = with_cac();
    let show = |pin| ["card", "show", "cac.card", "--pin", pin];
    assert!(fails(&folder, 1, &show("12345")).contains("the card was not asked"));
    assert!(fails(&folder, 1, &show("000000")).contains("tries left: 2"));
    // What comes by standard input is the PIN too; here it is nothing, and then the right one.
    assert!(fails(&folder, 1, &show("-")).contains("the card was not asked"));
    let file = folder.path().join("pin.txt");
    fs::write(&file, "123456\r\n").unwrap();
    let shown = Command::new(env!("CARGO_BIN_EXE_vreader"))
        .args(show("-"))
        .current_dir(&folder)
        .stdin(fs::File::open(file).unwrap())
        .output()
        .unwrap();
    assert!(shown.status.success() && !String::from_utf8_lossy(&shown.stdout).contains("not shown"));
    for left in ["2", "1"] {
        assert!(fails(&folder, 1, &show("000000")).contains(&format!("tries left: {left}")));
    }
    assert!(done(&folder, &show("123456")).contains("3 of 3 tries left"));
    for left in ["2", "1", "0"] {
        assert!(fails(&folder, 1, &show("000000")).contains(&format!("tries left: {left}")));
    }
    assert!(fails(&folder, 1, &show("123456")).contains("blocked"));
    assert!(done(&folder, &["card", "show", "cac.card"]).contains("blocked, 0 of 3 tries left"));
    // Any stock with these applets, also one without personal data.
    let token = ["card", "show", "cac-token-gd-sce7", "--pin", "123456"];
    let shown = done(&folder, &token);
    assert!(!shown.contains("not shown") && shown.contains("no PIV application"), "{shown}");
    done(&folder, &["card", "new", "piv.card", "--seed", "1"]);
    let said = fails(&folder, 1, &["card", "show", "piv.card", "--pin", "123456"]);
    assert!(said.contains("leave out --pin"), "{said}");
}

#[test]
fn a_seed_repeats_a_card_byte_for_byte() {
    let folder = folder();
    for (file, seed) in [("a.card", "5"), ("b.card", "5"), ("c.card", "6")] {
        done(&folder, &["card", "new", file, "--seed", seed]);
    }
    let [a, b, c] = ["a.card", "b.card", "c.card"].map(|file| fs::read(folder.path().join(file)).unwrap());
    assert!(a == b && a != c);
}

#[test]
fn refusals_say_what_to_do_and_leave_nothing_behind() {
    let folder = folder();
    for (arguments, word) in [
        (&["--pin", "12345"][..], "6 to 8 decimal digits"),
        (&["--puk", "1"], "8 ASCII characters"),
        (&["--management-key", "0102"], "has 2 bytes"),
        (&["--management-key", "xy"], "not hex"),
        (&["--expires", "2099-01-01"], "six years"),
        (&["--holder", "\u{7}"], "control character"),
    ] {
        let text = fails(&folder, 1, &[&["card", "new", "a.card"], arguments].concat());
        assert!(text.contains(word), "{arguments:?}: {text}");
    }
    for arguments in
        [&["--algorithm", "rsa1024"][..], &["--issued", "tomorrow"], &["--tries", "16"], &["--profile", "x"]]
    {
        fails(&folder, 2, &[&["card", "new", "a.card"], arguments].concat());
    }
    assert!(fails(&folder, 1, &["card", "show", "none.card"]).contains("vreader card new"));
    assert_eq!(names(folder.path()), [] as [&str; 0]);
}

#[test]
fn files_that_are_no_cards_are_refused_and_left_as_they_are() {
    let folder = folder();
    done(&folder, &["card", "new", "good.card", "--seed", "1"]);
    let good = fs::read(folder.path().join("good.card")).unwrap();
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for (bytes, word) in [
        (of_version(&good, 3), "use a newer vreader"),
        (damaged, "damaged"),
        (good[..good.len() / 2].to_vec(), "made with 144 KiB and has 73728 bytes"),
        (good[..good.len() - 100].to_vec(), "damaged"),
        (b"card-sim\0\x02\0\0".to_vec(), "use a newer vreader"),
        (b"%PDF-1.7".to_vec(), "not a card file"),
        (vec![0xFF; 144 * 1024], "blank flash"),
        (Vec::new(), "empty"),
    ] {
        fs::write(folder.path().join("bad.card"), &bytes).unwrap();
        for arguments in [&["card", "show", "bad.card"][..], &["vpcd", "--card", "bad.card"]] {
            let text = fails(&folder, 1, arguments);
            assert!(text.contains(word), "{text}");
        }
        assert!(fails(&folder, 1, &["card", "new", "bad.card"]).contains("exists already"));
        assert_eq!(fs::read(folder.path().join("bad.card")).unwrap(), bytes);
        assert_eq!(names(folder.path()), ["bad.card", "good.card"]);
    }
}

/// The card file with another format version in its directory, and checksums that fit.
fn of_version(card: &[u8], version: u8) -> Vec<u8> {
    let mut card = card.to_vec();
    let start = card.chunks(4).position(|word| word == b"card").unwrap() * 4;
    assert_eq!(card[start..start + 10], *b"card-sim\0\x02");
    card[start + 9] = version;
    // The log's header before it: bits 4 to 13 are the length; bits 26 to 31 count the other zeros of this and the last word.
    let header = u32::from_le_bytes(card[start - 4..start].try_into().unwrap());
    let end = start + (header >> 4 & 0x3FF) as usize;
    let checksum = card[start..end - 4].iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    });
    card[end - 4..end].copy_from_slice(&(!checksum).to_be_bytes());
    let last = start + (end - start - 1) / 4 * 4;
    let zeros = u32::from_le_bytes(card[last..last + 4].try_into().unwrap()).count_zeros();
    let header = header | 0xFC00_0000;
    let header = header & 0x03FF_FFFF | (header.count_zeros() + zeros) << 26;
    card[start - 4..start].copy_from_slice(&header.to_le_bytes());
    card
}

#[test]
fn a_card_file_is_as_large_as_the_flash() {
    let folder = folder();
    for (arguments, size) in [(&[][..], 144), (&["--flash-size", "64"], 64), (&["--flash-size", "256"], 256)]
    {
        let file = format!("{size}.card");
        done(&folder, &[&["card", "new", &file, "--seed", "1"], arguments].concat());
        assert_eq!(fs::metadata(folder.path().join(&file)).unwrap().len(), size * 1024);
        done(&folder, &["card", "show", &file]);
    }
    for size in ["8", "50", "260", "big"] {
        assert!(
            fails(&folder, 2, &["card", "new", "a.card", "--flash-size", size]).contains("12 to 256 KiB")
        );
    }
    assert!(fails(&folder, 1, &["card", "new", "a.card", "--flash-size", "16"]).contains("--flash-size"));
    assert_eq!(names(folder.path()), ["144.card", "256.card", "64.card"]);
}

#[test]
fn a_disk_without_room_gets_no_card() {
    let folder = folder();
    // A limit on the size of files refuses a write as a full disk does, with another word for it.
    let output = Command::new("sh")
        .current_dir(folder.path())
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 100; exec \"$0\" card new a.card",
            env!("CARGO_BIN_EXE_vreader"),
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("cannot write") && text.contains("a.card.new"), "{text}");
    assert_eq!(names(folder.path()), [] as [&str; 0]);
}

#[test]
fn a_second_process_is_told_who_holds_the_card() {
    let folder = folder();
    done(&folder, &["card", "new", "a.card", "--seed", "1"]);
    let mut first = vpcd_that_waits(&folder);
    let text = fails(&folder, 1, &["vpcd", "--card", "a.card"]);
    assert!(text.contains(&format!("process {}", first.id())), "{text}");
    done(&folder, &["card", "show", "a.card"]);
    first.kill().unwrap();
    first.wait().unwrap();
    // The lock ends with its process, however that ended.
    let mut next = vpcd_that_waits(&folder);
    next.kill().unwrap();
    next.wait().unwrap();
}

/// A process that holds `a.card` and waits: nothing listens on port 1.
fn vpcd_that_waits(folder: &TempDir) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vreader"))
        .current_dir(folder.path())
        .args(["vpcd", "--card", "a.card", "--port", "1"])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("vreader starts");
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("waiting"), "{line}");
    child
}

#[test]
fn every_subcommand_has_help_with_an_example() {
    let folder = folder();
    for words in [
        &[][..],
        &["card", "new"],
        &["card", "import"],
        &["card", "show"],
        &["card", "check"],
        &["apdu"],
        &["vpcd"],
        &["demo"],
        &["doctor"],
    ] {
        let help = done(&folder, &[words, &["--help"]].concat());
        assert!(help.contains("Example"), "{words:?}");
    }
    fails(&folder, 2, &["frobnicate"]);
    assert!(done(&folder, &["--version"]).contains("cryptography"));
    assert!(
        json(&done(&folder, &["doctor", "--json"])).as_array().is_some_and(|findings| !findings.is_empty())
    );
}

#[test]
fn the_demo_runs_to_its_end_and_repeats_with_a_seed() {
    let folder = folder();
    let first = done(&folder, &["demo", "--seed", "3"]);
    for word in ["63C2", "63C1", "63C0", "6983", "The signature verifies"] {
        assert!(first.contains(word), "{word} is missing");
    }
    assert_eq!(first, done(&folder, &["demo", "--seed", "3"]));
    assert_ne!(first, done(&folder, &["demo"]));
}

#[test]
fn a_blank_card_is_nobodys_and_like_no_other() {
    let folder = folder();
    let made = json(&done(&folder, &["card", "new", "a.card", "--blank", "--json"]));
    assert_eq!((&made["profile"], &made["blank"]), (&"piv".into(), &true.into()));
    let number = made["card_identifier"].as_str().expect("hex");
    assert!(number.len() == 42 && number.starts_with("A0000001"), "{number}");
    let text = done(&folder, &["card", "new", "b.card", "--blank", "--pin", "77777777"]);
    assert!(text.contains("a blank piv card") && text.contains("PIN as given"), "{text}");
    assert!(!text.contains(number), "{text}");

    let shown = json(&done(&folder, &["card", "show", "a.card", "--json"]));
    assert_eq!(shown["identifiers"]["card_identifier"], number);
    assert_eq!(shown["identifiers"]["card_uuid"], Value::Null);
    for nothing in ["slots", "certificates", "problems"] {
        assert_eq!(shown[nothing], Value::Array(vec![]), "{nothing}");
    }
    let filled =
        shown["objects"].as_array().expect("a list").iter().filter(|object| object["empty"] == false);
    assert_eq!(
        filled.map(|object| object["tag"].as_str().expect("a tag")).collect::<Vec<_>>(),
        ["7E", "5FC107"]
    );
    let shown = done(&folder, &["card", "show", "a.card"]);
    for line in ["Holder           not known", "Keys\n  none", "Certificates\n  none"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    // The PIN is the one of all sample cards.
    done(&folder, &["apdu", "--card", "a.card", "00A4040005A00000030800", "0020008008313233343536FFFF"]);

    // A seed repeats it, byte for byte.
    for file in ["c.card", "d.card"] {
        done(&folder, &["card", "new", file, "--blank", "--seed", "5"]);
    }
    let bytes = |file: &str| fs::read(folder.path().join(file)).expect("a card file");
    assert_eq!(bytes("c.card"), bytes("d.card"));
    assert_ne!(bytes("a.card"), bytes("c.card"));

    for (options, why) in [
        (["--profile", "yubikey5"], "a YubiKey is never blank"),
        (["--profile", "cac-gemalto-gx4-144"], "a Common Access Card cannot be blank"),
    ] {
        let error = fails(&folder, 1, &[&["card", "new", "e.card", "--blank"], &options[..]].concat());
        assert!(error.contains(why), "{error}");
    }
    for options in [["--holder", "Sam Sample"], ["--algorithm", "p384"], ["--like", "nist-sd33-4"]] {
        fails(&folder, 2, &[&["card", "new", "e.card", "--blank"], &options[..]].concat());
    }
    assert!(!folder.path().join("e.card").exists());
}

#[test]
fn stocks_are_listed_and_described_ones_are_made() {
    let folder = folder();
    let list = json(&done(&folder, &["card", "new", "--list", "--json"]));
    let entries = list.as_array().expect("a list");
    for (name, protocol) in [("piv", "T=1"), ("yubikey5", "T=1"), ("cac-gemalto-gx4-144", "T=0")] {
        let entry = entries.iter().find(|entry| entry["name"] == name).expect(name);
        assert_eq!(entry["protocols"][0], protocol, "{entry}");
        let page =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(entry["page"].as_str().expect("a page"));
        assert!(page.is_file(), "{}", page.display());
    }
    assert!(done(&folder, &["card", "new", "--list"]).contains("yubikey5: YubiKey 5"));

    let stock =
        "name = \"agency\"\nlike = \"piv\"\natr = \"3B80800101\"\nlabel = \"Agency\"\ndefault_tries = 7\n";
    fs::write(folder.path().join("agency.toml"), stock).expect("a file");
    done(&folder, &["card", "new", "a.card", "--seed", "1", "--profile", "agency.toml"]);
    // The card has its stock with it.
    fs::remove_file(folder.path().join("agency.toml")).expect("it was there");
    let shown = json(&done(&folder, &["card", "show", "a.card", "--json"]));
    assert_eq!((&shown["profile"], &shown["label"]), (&"agency".into(), &"Agency".into()));
    assert_eq!(shown["pin"]["tries_left"], 7);
    let selected = done(&folder, &["apdu", "--card", "a.card", "00A4040005A00000030800"]);
    assert!(selected.contains(&hex::encode_upper("Agency")), "{selected}");
    fs::write(folder.path().join("agency.toml"), stock).expect("a file");
    let selected = done(&folder, &["apdu", "--card", "agency.toml", "00A4040005A00000030800"]);
    assert!(selected.contains(&hex::encode_upper("Agency")), "{selected}");
    fs::remove_file(folder.path().join("agency.toml")).expect("it was there");
    let error = fails(&folder, 2, &["card", "new", "b.card", "--profile", "agency.toml"]);
    assert!(error.contains("cannot read it"), "{error}");
}
