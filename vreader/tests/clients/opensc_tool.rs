//! opensc-tool, and scriptor: the card as such, its ATR, name and number, and raw commands.

use crate::card::{CARD, PIN};
use crate::serve::READER;
use crate::world::{Attachment, World};

/// SELECT of the PIV application.
pub(crate) const SELECT: &str = "00A404000BA000000308000010000100";
/// VERIFY without data: asks for the state of the PIN.
const PIN_STATE: &str = "00200080";

/// The answers to raw commands: the data as upper-case hex without blanks, and the status word.
pub(crate) fn answers(world: &World<impl Attachment>, commands: &[&str]) -> Vec<(String, String)> {
    let commands = commands.iter().flat_map(|command| ["--send-apdu", *command]);
    // The driver `default` sends nothing of its own.
    let said = world.client("opensc-tool").args(["--card-driver", "default"]).args(commands).succeeds();
    let mut answers: Vec<(String, String)> = Vec::new();
    for line in said.lines() {
        if let Some(status) = line.strip_prefix("Received (SW1=0x") {
            answers.push((String::new(), format!("{}{}", &status[..2], &status[10..12])));
        } else if let Some((data, _)) = answers.last_mut()
            && !line.starts_with("Sending")
        {
            // Sixteen bytes of hex with blanks, then the same as text.
            let hex: Vec<&str> =
                line.split(' ').take(16).take_while(|word| word.len() == 2 && is_hex(word)).collect();
            data.push_str(&hex.concat());
        }
    }
    answers
}

fn is_hex(word: &str) -> bool {
    word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
}

pub(crate) fn verify(pin: &str) -> String {
    let digits = hex::encode_upper(pin);
    format!("{PIN_STATE}08{digits:F<16}")
}

/// How often the PIN may still be wrong.
pub(crate) fn tries_left(world: &World<impl Attachment>) -> u32 {
    let status = &answers(world, &[SELECT, PIN_STATE])[1].1;
    // SP 800-73-5 part 2, 3.2.1: 63CX
    let tries = status.strip_prefix("63C").unwrap_or_else(|| panic!("no number of tries: {status}"));
    u32::from_str_radix(tries, 16).expect("hex")
}

#[test]
fn atr_is_well_formed() {
    let world = World::with_card(&[]);
    let said = world.client("opensc-tool").args(["--atr"]).succeeds();
    let line = said.lines().find(|line| line.starts_with("3b:")).expect("an ATR of direct convention");
    let atr: Vec<u8> = line.split(':').map(|byte| u8::from_str_radix(byte, 16).expect("hex")).collect();
    assert!((2..=33).contains(&atr.len()), "{line}");
    // ISO 7816-3, 8.2.5: with T=1, the exclusive-or of T0 to TCK is zero.
    assert_eq!(atr[1..].iter().fold(0, |sum, byte| sum ^ byte), 0, "{line}");
}

#[test]
fn opensc_recognises_a_piv_card_and_its_number() {
    let world = World::with_card(&[]);
    let name = world.client("opensc-tool").args(["--name"]).succeeds();
    assert!(name.contains("Personal Identity Verification Card"), "{name}");

    let answer = answers(&world, &[SELECT, "00CB3FFF055C035FC10200"]);
    let (chuid, status) = &answer[1];
    assert_eq!(status, "9000");
    // SP 800-73-5 part 1, table 9: GUID is element 34, 16 bytes.
    let (_, guid) = chuid.split_once("3410").expect("a GUID in the CHUID");
    let serial = world.client("opensc-tool").args(["--serial"]).succeeds().replace(' ', "");
    assert!(serial.contains(&guid[..32]), "GUID {guid} in {serial}");
}

#[test]
fn other_applications_are_not_found() {
    let world = World::with_card(&[]);
    // OpenPGP, and the first AID of a CAC.
    for select in ["00A4040006D27600012401", "00A4040007A0000000790100"] {
        assert_eq!(answers(&world, &[select])[0].1, "6A82", "{select}");
    }
}

#[test]
fn a_verified_pin_dies_with_a_reset() {
    let world = World::with_card(&[]);
    // scriptor can reset the card in the middle of a session.
    let script = [SELECT, PIN_STATE, &verify(PIN), PIN_STATE, "reset", SELECT, PIN_STATE];
    world.write("script.txt", script.join("\n"));
    let said = world.client("scriptor").args(["-r", READER, "script.txt"]).succeeds();
    let statuses: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split_once(" : "))
        .map(|(answer, _)| answer.trim_start_matches("< ").trim())
        .map(|answer| &answer[answer.len().saturating_sub(5)..])
        .collect();
    assert_eq!(statuses, ["90 00", "63 C3", "90 00", "90 00", "90 00", "63 C3"], "{said}");
}

#[test]
fn a_verified_pin_dies_with_the_power() {
    let world = World::with_card(&[]).serve(&["--card", CARD, "--auto-power-off", "off"]);
    assert_eq!(answers(&world, &[SELECT, &verify(PIN)])[1].1, "9000");
    assert_eq!(answers(&world, &[SELECT, PIN_STATE])[1].1, "9000", "from program to program");
    world.reinsert();
    assert_eq!(answers(&world, &[SELECT, PIN_STATE])[1].1, "63C3");
}
