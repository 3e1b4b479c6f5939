//! `vreader card unlock` by challenge and response: what the holder types, and an issuer who has the card management key.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Output, Stdio},
};

use card_sim::{
    crypto::Crypto,
    key::{SymmetricAlgorithm, SymmetricKey},
};
use vreader::{World, attach::pcsc::RemoteCard, crypto::DefaultCrypto, issue::DEFAULT_MANAGEMENT_KEY};

const READER: &str = "vreader 00 00";
const SELECT: &[u8] = &[0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x00];
const TRIES: &[u8] = &[0x00, 0x20, 0x00, 0x80];
const BLOCKED: [u8; 2] = [0x69, 0x83];

fn vreader(world: &World, words: &[&str]) -> Command {
    let mut command = world.command(env!("CARGO_BIN_EXE_vreader"));
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The world's card, whose PIN is blocked.
fn blocked() -> World {
    let world = World::start().unwrap();
    let mut card = RemoteCard::connect(world.socket(), READER).unwrap();
    card.transmit(SELECT).unwrap();
    for _ in 0..3 {
        card.transmit(b"\x00\x20\x00\x80\x08000000\xFF\xFF").unwrap();
    }
    assert_eq!(card.transmit(TRIES).unwrap(), BLOCKED);
    world
}

/// What the card says of its PIN to the next program.
fn tries(world: &World) -> Vec<u8> {
    let mut card = RemoteCard::connect(world.socket(), READER).unwrap();
    card.transmit(SELECT).unwrap();
    card.transmit(TRIES).unwrap()
}

/// What an issuer answers.
fn response(challenge: &str) -> String {
    let key = SymmetricKey::new(SymmetricAlgorithm::Aes192, &DEFAULT_MANAGEMENT_KEY).unwrap();
    let mut block = hex::decode(challenge).unwrap();
    DefaultCrypto::default().encrypt_block(&key, &mut block).unwrap();
    hex::encode(block)
}

/// The program, after it said its challenge, and the challenge.
fn challenged(world: &World) -> (Child, String) {
    let mut command = vreader(world, &["card", "unlock", "--challenge", "--new-pin", "135790"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let challenge = line.strip_prefix("challenge ").unwrap().trim().to_owned();
    (child, challenge)
}

fn answer(mut child: Child, response: &str) -> Output {
    writeln!(child.stdin.take().unwrap(), "{response}").unwrap();
    child.wait_with_output().unwrap()
}

fn refusal(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    error
}

#[test]
fn the_right_response_sets_the_new_pin() {
    let world = blocked();
    let (child, challenge) = challenged(&world);
    assert_eq!(challenge.len(), 32, "{challenge}");
    // People write in groups.
    let response = response(&challenge);
    let output = answer(child, &format!("{} {}", &response[..16], &response[16..]));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(tries(&world), [0x63, 0xC3]);
    let done = vreader(&world, &["card", "info", "--pin", "135790"]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn a_wrong_response_changes_nothing() {
    let world = blocked();
    let (child, challenge) = challenged(&world);
    let error = refusal(&answer(child, &"00".repeat(16)));
    assert!(
        error.contains("does not accept the response") && error.contains("nothing was changed"),
        "{error}"
    );
    assert_eq!(tries(&world), BLOCKED);
    // That of a challenge before is of no use.
    let (child, next) = challenged(&world);
    assert_ne!(challenge, next);
    assert!(refusal(&answer(child, &response(&challenge))).contains("answers another challenge"));
    let (child, _) = challenged(&world);
    assert!(refusal(&answer(child, "no hex")).contains("is not hex"));
    assert_eq!(tries(&world), BLOCKED);
}

#[test]
fn nobody_finds_the_administrator_logged_in() {
    let world = blocked();
    let (child, challenge) = challenged(&world);
    assert!(answer(child, &response(&challenge)).status.success());
    let mut card = RemoteCard::connect(world.socket(), READER).unwrap();
    card.transmit(SELECT).unwrap();
    let refused = card.transmit(b"\x00\x2C\x02\x80\x08246813\xFF\xFF").unwrap();
    assert_eq!(refused, [0x69, 0x82]);
}

#[test]
fn a_program_is_asked_with_the_challenge_as_its_last_argument() {
    let world = blocked();
    let unlock = |program: &str| {
        vreader(&world, &["card", "unlock", "--new-pin", "135790", "--ask", program]).output().unwrap()
    };
    let error = refusal(&unlock("echo asked with >&2; false"));
    assert!(error.contains("gave no response"), "{error}");
    let error = refusal(&unlock("echo asked with >&2; printf %s"));
    // The challenge itself is no response to it.
    assert!(error.contains("asked with") && error.contains("does not accept"), "{error}");
    assert_eq!(tries(&world), BLOCKED);
}

#[test]
fn what_is_wrong_from_the_start_is_refused_before_the_card_is_asked() {
    let world = blocked();
    let before = world.exchanges().len();
    let output = vreader(&world, &["card", "unlock", "--challenge", "--new-pin", "12345"]).output().unwrap();
    assert!(refusal(&output).contains("6 to 8 digits"));
    for words in [
        &["--new-pin", "135790"][..],
        &["--challenge", "--puk", "12345678"],
        &["--challenge", "--ask", "true"],
    ] {
        let output = vreader(&world, &[&["card", "unlock"], words].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
    assert_eq!(world.exchanges().len(), before);
}
