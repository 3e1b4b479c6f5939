//! `vreader fuzz` as a person uses it.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use card_sim::{
    key::{AsymmetricAlgorithm, KeyReference, Origin, PrivateKey, SymmetricAlgorithm, SymmetricKey},
    personalise::{Personalisation, ReferenceData},
    profile::PIV,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use vreader::image::{FileStore, FlashSize, ImageError};

/// The base point of P-256 (SP 800-186, 3.2.1.3).
const BASE_X: &str = "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296";
const BASE_Y: &str = "4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5";

fn fuzz(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vreader"))
        .current_dir(folder)
        .arg("fuzz")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("vreader starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Plays what must end with this status; gives what was printed as JSON.
fn json_of(folder: &Path, status: i32, arguments: &[&str]) -> Value {
    let output = fuzz(folder, &[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(status), "{}{}", text(&output.stdout), text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A folder with the same four commands in each of the forms.
fn corpus() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("corpus")).unwrap();
    fs::create_dir(at("corpus/raw")).unwrap();
    let commands =
        ["00A4040005A00000030800", "0020008008303030303030FFFF", "00200080", "00CB3FFF055C035FC10900"];
    for (number, command) in commands.iter().enumerate() {
        fs::write(at(&format!("corpus/raw/{number}")), hex::decode(command).unwrap()).unwrap();
    }
    fs::write(at("corpus/text"), format!("# four\n{}\n", commands.join("\n"))).unwrap();
    fs::write(at("corpus/client.apdu"), format!("> {}\n< 9000\n", commands.join("\n< 6982\n> "))).unwrap();
    let event = |number: usize| {
        json!({ "number": number, "at_us": 0, "reader": "r", "event": "command",
            "command": commands[number], "took_us": 1 })
    };
    let lines: String = (0..4).map(|number| event(number).to_string() + "\n").collect();
    fs::write(at("corpus/trace"), lines).unwrap();
    folder
}

#[test]
fn every_form_is_played_from_the_same_card() {
    let folder = corpus();
    let played = json_of(folder.path(), 0, &["corpus"]);
    assert_eq!((&played["files"], &played["commands"]), (&json!(7), &json!(16)));
    // SELECT; a wrong PIN and the tries left; what needs the PIN. A file of one command begins anew.
    let expected = json!({ "9000": 4, "63C2": 7, "63C3": 1, "6982": 4 });
    assert_eq!(played["status_words"], expected);
    assert_eq!((&played["findings"], &played["unplayed"]), (&json!([]), &json!([])));
    assert!(played["commands_per_second"].as_f64().is_some_and(|rate| rate > 0.0));

    let proved = json_of(folder.path(), 0, &["--pin", "123456", "--authenticate", "corpus/raw"]);
    assert_eq!(proved["status_words"], json!({ "9000": 3, "63C2": 1 }));

    let words = text(&fuzz(folder.path(), &["corpus/text"]).stdout);
    assert!(words.starts_with("1 file, 4 commands, ") && words.ends_with("no findings\n"), "{words}");
}

#[test]
fn a_file_that_cannot_be_played_is_named_and_the_others_are_played() {
    let folder = corpus();
    fs::write(folder.path().join("corpus/bad"), "00A40400\n00A4040\n").unwrap();
    let output = fuzz(folder.path(), &["corpus"]);
    assert_eq!(output.status.code(), Some(2));
    let complaint = text(&output.stderr);
    assert!(complaint.contains("line 2 of corpus/bad") && complaint.contains("in hex"), "{complaint}");
    assert!(text(&output.stdout).starts_with("7 files, 16 commands"));
    assert_eq!(json_of(folder.path(), 2, &["corpus"])["unplayed"], json!(["corpus/bad"]));
    for (arguments, words) in [
        (&["none"][..], "cannot read none"),
        (&["corpus", "--card", "none.card"], "no card file none.card"),
        (&["corpus", "--pin", "12"], "6 to 8 digits"),
        (&["corpus", "--pin", "999999"], "63C2"),
        (&[], "CORPUS"),
    ] {
        let output = fuzz(folder.path(), arguments);
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{complaint}");
        assert!(complaint.contains(words), "{complaint}");
    }
}

#[test]
fn the_help_has_an_example() {
    let help = text(&fuzz(Path::new("."), &["--help"]).stdout);
    assert!(help.contains("Examples:\n  vreader fuzz"), "{help}");
}

/// A card with two keys that do not go together: what the one agrees on with the base point is the other.
fn unlucky_card(path: &Path) {
    let p256 = |scalar: &str| {
        PrivateKey::ecc(AsymmetricAlgorithm::EccP256, &hex::decode(scalar).unwrap()).expect("32 bytes")
    };
    let one = format!("{:064}", 1);
    let keys = [
        (KeyReference::KeyManagement, p256(&one), Origin::Imported),
        (KeyReference::DigitalSignature, p256(BASE_X), Origin::Imported),
    ];
    let management_key = SymmetricKey::new(SymmetricAlgorithm::Aes128, &[0xA7; 16]).expect("16 bytes");
    FileStore::create::<ImageError>(path, FlashSize::from_pages(4).unwrap(), |store| {
        let contents = Personalisation {
            profile: &PIV,
            pin: ReferenceData { value: b"271828\xFF\xFF", tries: 3 },
            puk: ReferenceData { value: b"31415926", tries: 3 },
            global_pin: None,
            fingers: &[],
            card_verifiable_certificate: None,
            serial_number: None,
            management_key: &management_key,
            keys: &keys,
            objects: &[],
            cac: None,
        };
        contents.write(store).expect("room for two keys");
        Ok(())
    })
    .expect("a card file");
}

#[test]
fn a_finding_is_told_with_its_place_and_the_card_file_stays_as_it_is() {
    let folder = corpus();
    let card = folder.path().join("unlucky.card");
    unlucky_card(&card);
    let before = fs::read(&card).unwrap();
    let agree = format!("0087119D477C458200854104{BASE_X}{BASE_Y}00");
    fs::write(folder.path().join("corpus/agree"), format!("00200080\n{agree}\n00200080\n")).unwrap();
    let arguments = ["corpus", "--card", "unlucky.card", "--pin", "271828", "--authenticate"];
    let found = json_of(folder.path(), 1, &arguments);
    let expected = json!([{
        "file": "corpus/agree",
        "command": 2,
        "header": "0087119D",
        "finding": "bytes of key 9C are in the answer",
    }]);
    assert_eq!(found["findings"], expected);
    assert_eq!(found["files"], json!(8));
    let words = text(&fuzz(folder.path(), &arguments).stdout);
    let line = "corpus/agree: command 2 (0087119D): bytes of key 9C are in the answer\n1 finding\n";
    assert!(words.ends_with(line), "{words}");
    assert!(fs::read(&card).unwrap() == before);
    // Without the PIN there is no agreement.
    assert_eq!(json_of(folder.path(), 0, &["corpus", "--card", "unlucky.card"])["findings"], json!([]));
}

/// The PIN of a Common Access Card has two names, and its Person Instance digits like those of a PIN.
#[test]
fn a_common_access_card_is_no_finding() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let commands = [
        "00A4040C07A0000000790200",
        "0020000008303030303030FFFF",
        "0020000008313233343536FFFF",
        "00520000020280",
        "0024010010313233343536FFFF363534333231FFFF",
        "00A4040C09A00000030800001000",
        "0020008008363534333231FFFF",
    ];
    fs::write(folder.path().join("corpus"), commands.join("\n")).unwrap();
    let report = json_of(folder.path(), 0, &["corpus", "--card", "cac-gemalto-gx4-144", "--seed", "1"]);
    assert_eq!(report["findings"], json!([]));
    assert_eq!(report["commands"], 7);
}
