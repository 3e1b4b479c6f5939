//! Rows 45 and 48 to 52: a card is issued, locked, unlocked, renewed and replaced, and after each of these other programs, a server
//! with the revocation list and the reader of old mail agree.

use std::fs;

use serde_json::json;

use super::office::{
    AUTHENTICATION, CARD_AUTHENTICATION, ECDSA, ENCRYPTION, HOLDER, Office, RETIRED, RSA, SIGNATURE,
};
use crate::{
    card::{self, CARD, VREADER, WRONG_PIN},
    companion::Companion,
    opensc_tool::{SELECT, answers, verify},
    openssl::MESSAGE,
    pyscard::PYSCARD,
    python,
    serve::READER,
    tls::{Server, curl_with, with_engine},
    world::{Attachment, Outcome, World},
};

/// A day before that of the servers, on which temporary cards live and lists are valid.
const NOW: &str = "2026-12-31";

/// The PIN that the holder chooses, and another one.
const PIN: &str = "246813";
const OTHER_PIN: &str = "135790";

/// What is on an issued card, in the order of OpenSC.
const ISSUED: [&str; 4] = [AUTHENTICATION, SIGNATURE, ENCRYPTION, CARD_AUTHENTICATION];

/// PKCS#11 identifiers of the keys 9A, 9D and 82.
const LOGIN_KEY: &str = "01";
const ENCRYPTION_KEY: &str = "03";
const RETIRED_KEY: &str = "05";

/// An office with an issued card, number 1.
fn office(algorithm: &str) -> Office {
    let office = assigned();
    office.desk(&["issue", "--pin", PIN, "--algorithm", algorithm]).succeeds();
    office.cms(&["authority", "export", "pki"]).succeeds();
    office
}

/// An office with a blank card, number 1, which is assigned to the holder.
fn assigned() -> Office {
    let office = Office::open(NOW);
    register(&office, CARD);
    office.cms(&["assign", "1", HOLDER]).succeeds();
    office
}

/// A blank card in the office's stock; the reader must have this file.
fn register(office: &Office, file: &str) {
    office.world.tool(VREADER).args(["card", "new", "--blank", file]).succeeds();
    office.desk(&["register"]).succeeds();
}

/// Three wrong PINs, by OpenSC.
fn lock_by_wrong_pins(office: &Office<impl Attachment>) {
    for _ in 0..3 {
        assert!(office.log_in(WRONG_PIN).contains("CKR_PIN_INCORRECT"));
    }
    assert!(office.log_in(PIN).contains("CKR_PIN_LOCKED"));
}

/// That a PIN opens the card, and its key signs.
fn works(office: &Office<impl Attachment>, pin: &str) {
    let said = office.log_in(pin);
    assert!(said.contains("Private Key Object") && !said.contains("error"), "{said}");
    office.signs(LOGIN_KEY, pin, &ECDSA);
}

// Servers.

/// A server that trusts the office, and knows what it has revoked by now.
fn server(office: &Office) -> Server {
    office.cms(&["crl", "--out", "list.pem"]).succeeds();
    let authorities = ["pki/root.pem", "pki/issuing.pem"];
    Server::demanding(&office.world, &authorities, &["-crl_check", "-CRL", "list.pem"])
}

fn connect(office: &Office, server: &Server) -> Outcome {
    curl_with("%01", &office.world, server, "1.3", PIN).run()
}

fn is_accepted(office: &Office, server: &Server) {
    let outcome = connect(office, server);
    assert!(outcome.code() == Some(0) && outcome.text().contains("Client certificate"), "{outcome}");
}

fn is_refused(office: &Office, server: &mut Server) {
    let outcome = connect(office, server);
    assert!(outcome.code() != Some(0) && !outcome.text().contains("Client certificate"), "{outcome}");
    server.refuses("certificate revoked");
}

// Mail.

const TEXT: &str = "A letter that is older than the key.\n";

/// Somebody writes to the holder, with the certificate that is on the card now.
fn write_to(office: &Office, mail: &str) {
    office.read_certificate(ENCRYPTION_KEY, "recipient.der");
    let certificate = format!("{mail}.crt");
    office.world.openssl(["x509", "-inform", "DER", "-in", "recipient.der", "-out", &certificate]);
    office.world.write("letter.txt", TEXT);
    office.world.openssl(["cms", "-encrypt", "-aes256", "-in", "letter.txt", "-out", mail, &certificate]);
}

/// The holder opens a letter with a key of the card.
fn open(office: &Office, mail: &str, id: &str) -> Outcome {
    let (key, certificate) = (format!("pkcs11:id=%{id};type=private;pin-value={PIN}"), format!("{mail}.crt"));
    with_engine(office.world.client("openssl"))
        .args(["cms", "-decrypt", "-in", mail, "-recip", &certificate])
        .args(["-engine", "pkcs11", "-keyform", "engine", "-inkey", &key])
        .run()
}

fn is_readable(office: &Office, mail: &str, id: &str) {
    let outcome = open(office, mail, id);
    assert!(outcome.code() == Some(0) && outcome.text().contains(TEXT.trim()), "{outcome}");
}

/// The serial number of a certificate, as openssl has it.
fn serial(office: &Office, id: &str) -> String {
    office.read_certificate(id, "shown.der");
    office.world.openssl(["x509", "-inform", "DER", "-in", "shown.der", "-noout", "-serial"])
}

// Row 45.

#[test]
fn row_45_a_locked_card_is_unlocked_within_ten_minutes() {
    let mut office = office("p256");
    lock_by_wrong_pins(&office);
    office.now = "2026-12-31T10:00:00Z";
    office.cms(&["request", "unlock", "1"]).succeeds();
    // One second late.
    office.now = "2026-12-31T10:10:01Z";
    let said = office.desk(&["update", "--new-pin", OTHER_PIN]).fails();
    assert!(said.contains("expired on 2026-12-31T10:10:00Z"), "{said}");
    assert!(office.log_in(OTHER_PIN).contains("CKR_PIN_LOCKED"));
    office.cms(&["request", "unlock", "1"]).succeeds();
    // The last second.
    office.now = "2026-12-31T10:20:01Z";
    office.desk(&["update", "--new-pin", OTHER_PIN]).succeeds();
    works(&office, OTHER_PIN);
    assert!(office.log_in(PIN).contains("CKR_PIN_INCORRECT"));
    let requests = office.json(&["list", "requests"]);
    let states: Vec<_> = requests.as_array().expect("requests").iter().map(|row| &row["state"]).collect();
    assert_eq!(states, ["EXECUTED", "EXPIRED", "EXECUTED"], "issuance and the two");
    office.agrees(OTHER_PIN);
}

#[test]
fn row_45_the_temporary_pin_is_changed_at_once() {
    let office = office("p256").serve();
    lock_by_wrong_pins(&office);
    let said = office.desk(&["unlock"]).fails();
    assert!(said.contains("--new-pin"), "{said}");
    office.desk(&["unlock", "--new-pin", OTHER_PIN]).succeeds();
    let trace = office.world.ctl_says(&["trace"]);
    let reset = trace.find("RESET RETRY COUNTER of PIV PIN").expect("the temporary PIN");
    let change = trace.find("CHANGE REFERENCE DATA PIV PIN").expect("the holder's own");
    assert!(reset < change, "{trace}");
    works(&office, OTHER_PIN);
}

/// The holder's side: reads out what the card says, and gives the card what the office answers. Then the card takes a new PIN.
const FAR_AWAY: &str = r#"
from smartcard.System import readers
from smartcard.util import toBytes

card = readers()[0].createConnection()
card.connect()
card.transmit(toBytes("00A4040009A00000030800001000"))
while True:
    challenge = card.transmit(toBytes("00870A9B047C02810000"))[0]
    print("challenge", bytes(challenge[4:]).hex(), flush=True)
    response = toBytes(input())
    header = [0x00, 0x87, 0x0A, 0x9B, 4 + len(response), 0x7C, 2 + len(response), 0x82, len(response)]
    proof = card.transmit(header + response)
    pin = list(b"135790\xff\xff")
    reset = card.transmit([0x00, 0x2C, 0x02, 0x80, len(pin)] + pin)
    print("answers %02X%02X %02X%02X" % (*proof[1:], *reset[1:]), flush=True)
"#;

#[test]
fn row_45_challenge_and_response_unlock_far_away() {
    let office = office("p256");
    lock_by_wrong_pins(&office);
    office.world.write("far.py", FAR_AWAY);
    let python = python::program(PYSCARD, "python");
    let mut holder = office.world.companion(&[&python, "far.py"]);
    let challenge = |holder: &mut Companion| {
        holder.hear("a challenge", |line| line.strip_prefix("challenge ").map(str::to_owned))
    };
    let ask = |challenge: &str| office.cms(&["unlock", "--respond", "1", "--challenge", challenge]);

    // Nobody asked the office before.
    let first = challenge(&mut holder);
    let said = ask(&first).fails();
    assert!(said.contains("no update is pending"), "{said}");
    office.cms(&["request", "unlock", "1"]).succeeds();
    let said = ask(&first[2..]).fails();
    assert!(said.contains("the challenge has 15 bytes"), "{said}");
    // The answer to another challenge is a wrong one, and the request is spent.
    let wrong = ask(&"00".repeat(16)).succeeds();
    holder.say(wrong.trim());
    holder.hear_line("answers 6982 6982");
    let second = challenge(&mut holder);
    ask(&second).fails();
    office.cms(&["request", "unlock", "1"]).succeeds();
    holder.say(ask(&second).succeeds().trim());
    holder.hear_line("answers 9000 9000");
    drop(holder);
    works(&office, OTHER_PIN);
}

/// What each program says of a locked card.
fn is_locked_for_every_program(office: &Office) {
    assert!(office.log_in(PIN).contains("CKR_PIN_LOCKED"));
    let yubico = ["--reader", READER, "--action", "verify-pin", "--pin", PIN];
    let said = office.world.client("yubico-piv-tool").args(yubico).fails();
    assert!(said.contains("Pin code blocked"), "{said}");
    office.world.write("locked.py", PYSCARD_VERIFIES);
    let python = python::program(PYSCARD, "python");
    assert_eq!(office.world.client(&python).args(["locked.py"]).succeeds().trim(), "6983");
    let key = format!("pkcs11:id=%01;type=private;pin-value={PIN}");
    office.world.message("-sha256");
    let sign = ["dgst", "-sha256", "-engine", "pkcs11", "-keyform", "engine", "-sign", &key, "hash.bin"];
    let said = with_engine(office.world.client("openssl")).args(sign).fails();
    assert!(said.contains("PIN"), "{said}");
}

const PYSCARD_VERIFIES: &str = r#"
from smartcard.System import readers
from smartcard.util import toBytes

card = readers()[0].createConnection()
card.connect()
card.transmit(toBytes("00A4040009A00000030800001000"))
pin = list(b"246813\xff\xff")
print("%02X%02X" % card.transmit([0x00, 0x20, 0x00, 0x80, len(pin)] + pin)[1:])
"#;

#[test]
fn row_45_locked_is_locked_for_every_program_until_it_is_unlocked() {
    let office = office("p256");
    is_accepted(&office, &server(&office));
    // By hand, and by the office.
    lock_by_wrong_pins(&office);
    is_locked_for_every_program(&office);
    office.desk(&["unlock", "--new-pin", PIN]).succeeds();
    works(&office, PIN);
    office.desk(&["lock"]).succeeds();
    assert_eq!(office.state("1"), "INVALID");
    is_locked_for_every_program(&office);
    let said = office.desk(&["renew", "--pin", PIN]).fails();
    assert!(said.contains("INVALID"), "{said}");
    office.desk(&["unlock", "--new-pin", PIN]).succeeds();
    assert_eq!(office.state("1"), "ISSUED");
    works(&office, PIN);
    is_accepted(&office, &server(&office));
    office.agrees(PIN);
}

// Row 48.

#[test]
fn row_48_the_renewed_key_signs_in_and_the_old_one_is_refused() {
    let office = office("p256");
    let before = [LOGIN_KEY, "02", ENCRYPTION_KEY, "04"].map(|id| serial(&office, id));
    is_accepted(&office, &server(&office));
    fs::copy(office.world.path(CARD), office.world.path("old.card")).expect("a copy of the card");
    office.desk(&["renew", "--pin", PIN]).succeeds();
    let after = [LOGIN_KEY, "02", ENCRYPTION_KEY, "04"].map(|id| serial(&office, id));
    assert!(before.iter().zip(&after).all(|(old, new)| old != new), "{before:?} {after:?}");
    works(&office, PIN);
    let mut server = server(&office);
    is_accepted(&office, &server);
    let office = office.with_card("old.card");
    is_refused(&office, &mut server);
    let office = office.with_card(CARD);
    is_accepted(&office, &server);
    office.agrees(PIN);
}

#[test]
fn row_48_old_mail_is_read_with_the_retired_key() {
    for algorithm in ["rsa2048", "p256"] {
        let office = office(algorithm);
        write_to(&office, "old.p7m");
        let old = serial(&office, ENCRYPTION_KEY);
        is_readable(&office, "old.p7m", ENCRYPTION_KEY);
        office.desk(&["renew", "--slot", "9d", "--pin", PIN]).succeeds();
        assert_eq!(office.listed(), [&ISSUED[..3], &[RETIRED], &ISSUED[3..]].concat(), "{algorithm}");
        assert_eq!(serial(&office, RETIRED_KEY), old);
        is_readable(&office, "old.p7m", RETIRED_KEY);
        let outcome = open(&office, "old.p7m", ENCRYPTION_KEY);
        assert_ne!(outcome.code(), Some(0), "{outcome}");
        write_to(&office, "new.p7m");
        is_readable(&office, "new.p7m", ENCRYPTION_KEY);
        office.agrees(PIN);
    }
}

/// The stock of NIST's test cards has no command for keys that were made elsewhere, so that the old encryption key cannot go among
/// the retired ones.
#[test]
fn row_48_what_a_card_cannot_do_is_refused_before_it_is_touched() {
    let office = Office::open(NOW);
    office.cms(&["produce", CARD, "--profile", "nist-sd33", "--holder", "1", "--pin", PIN]).succeeds();
    let before = office.world.tool(VREADER).args(["card", "show", CARD, "--json"]).succeeds();
    let said = office.desk(&["renew", "--pin", PIN]).fails();
    assert!(said.contains("takes no key") && said.contains("renew --lose-old-key"), "{said}");
    assert_eq!(office.world.tool(VREADER).args(["card", "show", CARD, "--json"]).succeeds(), before);
    office.agrees(PIN);
    let old = serial(&office, ENCRYPTION_KEY);
    office.desk(&["renew", "--pin", PIN, "--lose-old-key"]).succeeds();
    assert_ne!(serial(&office, ENCRYPTION_KEY), old);
    assert_eq!(office.listed(), ISSUED);
    works(&office, PIN);
    office.agrees(PIN);
}

// Row 49.

#[test]
fn row_49_a_credential_goes_and_comes() {
    let office = office("p256");
    let read = || {
        let answers = answers(&office.world, &[SELECT, "00CB3FFF055C035FC10A00"]);
        answers.last().expect("an answer").clone()
    };
    let sign = || {
        let digest = "11".repeat(32);
        let command = format!("0087119C267C2482008120{digest}00");
        let answers = answers(&office.world, &[SELECT, &verify(PIN), &command]);
        answers.last().expect("an answer").1.clone()
    };
    assert_eq!((read().1.as_str(), sign().as_str()), ("9000", "9000"));
    office.desk(&["remove", "--slot", "9c", "--pin", PIN]).succeeds();
    assert_eq!(office.listed(), [AUTHENTICATION, ENCRYPTION, CARD_AUTHENTICATION]);
    let (data, status) = read();
    assert!(status == "6A82" || (data.as_str(), status.as_str()) == ("5300", "9000"), "{data} {status}");
    assert!(["6A86", "6A88"].contains(&sign().as_str()), "the key is gone: {}", sign());
    office.agrees(PIN);
    office.desk(&["add", "--slot", "9c", "--pin", PIN]).succeeds();
    assert_eq!(office.listed(), ISSUED);
    office.signs("02", PIN, &ECDSA);
    office.agrees(PIN);
}

/// Neither has it a command that deletes keys. Another key takes its place.
#[test]
fn row_49_where_keys_cannot_be_deleted_the_removed_one_is_gone_nevertheless() {
    let office = Office::open(NOW);
    office.cms(&["produce", CARD, "--profile", "nist-sd33", "--holder", "1", "--pin", PIN]).succeeds();
    office.read_certificate("04", "old.der");
    let old = office.world.public_key("old.der");
    let signature = || {
        office.world.message("-sha256");
        let digest = hex::encode_upper(office.world.read("hash.bin"));
        let command = format!("0087119E267C2482008120{digest}00");
        let answers = answers(&office.world, &[SELECT, &command]);
        let answer = hex::decode(&answers.last().expect("an answer").0).expect("hex");
        // 7C, 82 and their lengths.
        office.world.write("signature.bin", answer.get(4..).expect("a signature"));
        let words = ["dgst", "-sha256", "-verify", &old, "-signature", "signature.bin", MESSAGE];
        office.world.tool("openssl").args(words).run().text()
    };
    assert!(signature().contains("Verified OK"));
    office.desk(&["remove", "--slot", "9e", "--pin", PIN]).succeeds();
    assert_eq!(office.listed(), ISSUED[..3]);
    let said = signature();
    assert!(said.contains("Verification failure"), "{said}");
    office.agrees(PIN);
}

// Row 50.

#[test]
fn row_50_a_blank_card_becomes_its_holders() {
    let office = assigned();
    assert_eq!(office.listed(), [""; 0]);
    assert_eq!(office.state("1"), "ASSIGNED");
    office.desk(&["issue", "--pin", PIN, "--algorithm", "rsa2048"]).succeeds();
    assert_eq!(office.state("1"), "ISSUED");
    assert_eq!(office.listed(), ISSUED);
    for id in [LOGIN_KEY, "02"] {
        office.signs(id, PIN, &RSA);
    }
    assert!(office.log_in(card::PIN).contains("CKR_PIN_INCORRECT"), "the maker's PIN opens nothing");
    for tag in ["5FC102", "5FC107", "5FC106", "5FC109"] {
        let get = format!("00CB3FFF055C03{tag}00");
        let found = answers(&office.world, &[SELECT, &verify(PIN), &get]);
        assert_eq!(found.last().expect("an answer").1, "9000", "{tag}");
    }
    office.agrees(PIN);
}

#[test]
fn row_50_a_card_that_was_produced_waits_for_its_holders_pin() {
    let office = assigned();
    office.desk(&["issue", "--produce"]).succeeds();
    assert_eq!(office.state("1"), "PRODUCED");
    assert_eq!(office.listed(), ISSUED);
    assert!(office.log_in(PIN).contains("CKR_PIN_INCORRECT"));
    office.desk(&["hand-over", "--new-pin", PIN]).succeeds();
    assert_eq!(office.state("1"), "ISSUED");
    works(&office, PIN);
}

#[test]
fn row_50_an_issuance_that_was_cut_goes_on_or_is_given_up() {
    let office = assigned();
    let office = office.serve();
    office.world.ctl(&["tear", "--after", "5000"]);
    let said = office.desk(&["issue", "--pin", PIN]).fails();
    assert!(said.contains("the card was lost"), "{said}");
    assert_eq!(office.state("1"), "IN PRODUCTION");
    office.world.reinsert();
    office.desk(&["update", "--pin", PIN]).succeeds();
    works(&office, PIN);
    office.agrees(PIN);

    // The card is lost in the middle of a renewal, or so it seems.
    office.world.ctl(&["tear", "--after", "1000"]);
    office.desk(&["renew", "--pin", PIN]).fails();
    assert_ne!(office.json(&["list", "sessions"]), json!([]));
    office.cms(&["terminate", "1", "--reason", "lost"]).succeeds();
    assert_eq!((office.state("1"), credentials(&office, "1")), ("TERMINATED".into(), vec!["REVOKED".into()]));
    assert_eq!(office.json(&["list", "sessions"]), json!([]));
    let requests = office.json(&["list", "requests"]);
    assert_eq!(requests[1]["state"], "FAILED", "{requests}");
    // It is found, and goes back into stock.
    office.cms(&["request", "recycling", "1"]).succeeds();
    office.world.reinsert();
    office.desk(&["update"]).succeeds();
    assert_eq!((office.state("1"), office.listed().len()), ("AVAILABLE".into(), 0));
}

/// Debian's pcscd with vpcd.
#[test]
fn row_50_the_same_through_pcscd() {
    let office = Office::open_in(World::with_pcscd(), NOW);
    office.world.tool(VREADER).args(["card", "new", "--blank", CARD]).succeeds();
    let vreader = office.world.plug(&[CARD]);
    office.desk(&["register"]).succeeds();
    office.cms(&["assign", "1", HOLDER]).succeeds();
    office.desk(&["issue", "--pin", PIN]).succeeds();
    assert_eq!(office.listed(), ISSUED);
    works(&office, PIN);
    office.desk(&["renew", "--pin", PIN]).succeeds();
    assert_eq!(office.listed().len(), 5);
    works(&office, PIN);
    office.agrees(PIN);
    drop(vreader);
}

// Rows 51 and 52.

/// A replacement for card 1 in the file `new.card`, number 2, issued; the reader has it then.
fn replace(office: Office, reason: &str) -> Office {
    office.cms(&["request", "replacement", "1", "--reason", reason]).succeeds();
    assert_eq!(office.state("1"), "INVALID");
    let office = office.with_card("new.card");
    register(&office, "new.card");
    office.cms(&["assign", "2", "--replaces", "1"]).succeeds();
    office.desk(&["issue", "--pin", PIN]).succeeds();
    office
}

/// The state of each credential of a card.
fn credentials(office: &Office<impl Attachment>, card: &str) -> Vec<String> {
    let shown = office.json(&["show", card]);
    let rows = shown["credentials"].as_array().expect("credentials");
    let mut states: Vec<_> =
        rows.iter().map(|row| row["state"].as_str().expect("a state").to_owned()).collect();
    states.dedup();
    states
}

#[test]
fn row_51_a_card_that_was_forgotten_comes_back() {
    let office = office("p256");
    is_accepted(&office, &server(&office));
    let office = replace(office, "forgotten");
    assert_eq!((office.state("1"), credentials(&office, "1")), ("INVALID".into(), vec!["ON HOLD".into()]));
    assert_eq!(office.json(&["show", "2"])["temporary"], json!(true));
    let mut meanwhile = server(&office);
    is_accepted(&office, &meanwhile);
    let office = office.with_card(CARD);
    is_refused(&office, &mut meanwhile);
    drop(meanwhile);

    office.cms(&["terminate", "2"]).succeeds();
    assert_eq!((office.state("1"), credentials(&office, "1")), ("ISSUED".into(), vec!["ISSUED".into()]));
    let mut afterwards = server(&office);
    is_accepted(&office, &afterwards);
    office.agrees(PIN);
    let office = office.with_card("new.card");
    is_refused(&office, &mut afterwards);
}

#[test]
fn row_51_a_replacement_that_is_cancelled_gives_the_card_back() {
    let office = office("p256");
    let request = office.json(&["request", "replacement", "1", "--reason", "forgotten"]);
    assert_eq!(credentials(&office, "1"), ["ON HOLD"]);
    is_refused(&office, &mut server(&office));
    office.cms(&["cancel", &request["id"].to_string()]).succeeds();
    assert_eq!((office.state("1"), credentials(&office, "1")), ("ISSUED".into(), vec!["ISSUED".into()]));
    is_accepted(&office, &server(&office));
}

#[test]
fn row_52_the_replacement_of_a_stolen_card_reads_old_mail() {
    for algorithm in ["rsa2048", "p256"] {
        let office = office(algorithm);
        write_to(&office, "old.p7m");
        let office = replace(office, "stolen");
        assert_eq!(office.state("1"), "TERMINATED");
        assert_eq!(credentials(&office, "1"), ["REVOKED"]);
        assert_eq!((office.state("2"), office.listed().len()), ("ISSUED".into(), 5));
        is_readable(&office, "old.p7m", RETIRED_KEY);
        office.agrees(PIN);
        let mut server = server(&office);
        is_accepted(&office, &server);
        let office = office.with_card(CARD);
        is_refused(&office, &mut server);
    }
}
