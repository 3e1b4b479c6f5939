//! Row 45: a card is locked by wrong PINs or by its issuer, for every program, and unlocked online or far away.

use super::{
    issued::{OTHER_PIN, PIN, is_accepted, office, server, works},
    office::Office,
};
use crate::{
    card::{VREADER, WRONG_PIN},
    companion::Companion,
    pyscard::PYSCARD,
    python,
    serve::READER,
    tls::with_engine,
    world::{Attachment, Outcome},
};

/// Three wrong PINs, by OpenSC.
fn lock_by_wrong_pins(office: &Office<impl Attachment>) {
    for _ in 0..3 {
        assert!(office.log_in(WRONG_PIN).contains("CKR_PIN_INCORRECT"));
    }
    assert!(office.log_in(PIN).contains("CKR_PIN_LOCKED"));
}

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

/// The same with the console, which asks the office itself.
#[test]
fn row_45_the_office_answers_challenges_only_for_ten_minutes() {
    let mut office = office("p256");
    lock_by_wrong_pins(&office);
    let unlock = |office: &Office| {
        let ask = format!("{VREADER} cms --now {} unlock --respond 1 --challenge", office.now);
        office.world.client(VREADER).args(["card", "unlock", "--ask", &ask, "--new-pin", OTHER_PIN]).run()
    };
    let refused = |outcome: &Outcome, why: &str| {
        assert!(outcome.code() == Some(1) && outcome.text().contains(why), "{why}: {outcome}");
    };
    refused(&unlock(&office), "no update is pending");
    office.now = "2026-12-31T10:00:00Z";
    office.cms(&["request", "unlock", "1"]).succeeds();
    office.now = "2026-12-31T10:10:01Z";
    refused(&unlock(&office), "expired on 2026-12-31T10:10:00Z");
    assert!(office.log_in(OTHER_PIN).contains("CKR_PIN_LOCKED"));
    office.cms(&["request", "unlock", "1"]).succeeds();
    let outcome = unlock(&office);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    works(&office, OTHER_PIN);
}

/// What was interrupted is done first, and neither asks for the PIN that nobody knows nor spends its tries.
#[test]
fn row_45_a_card_that_was_cut_in_a_renewal_is_unlocked() {
    for blocked in [false, true] {
        let office = office("p256").serve();
        office.world.ctl(&["tear", "--after", "1500"]);
        let said = office.desk(&["renew", "--pin", PIN]).fails();
        assert!(said.contains("the card was lost"), "{said}");
        office.world.reinsert();
        if blocked {
            lock_by_wrong_pins(&office);
        }
        office.desk(&["unlock", "--new-pin", OTHER_PIN]).succeeds();
        works(&office, OTHER_PIN);
        assert_eq!(office.listed().len(), 5);
        office.agrees(OTHER_PIN);
        let audit = office.cms(&["audit", "1"]).succeeds();
        assert_eq!(audit.matches("refused").count(), 1, "{audit}");
    }
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
