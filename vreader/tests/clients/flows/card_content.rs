//! Rows 1 to 13: what is on a Common Access Card, what needs its PIN, and what becomes of a wrong one.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use vreader::{
    attach::pcsc::{ReaderEvent, RemoteCard, Watcher},
    fuzz::Secrets,
    image::{Durability, FileStore},
    reader::Disposition,
    trace,
};

use crate::{
    cac::{ENCRYPTION, GEMALTO, IDENTITY, SIGNATURE, coolkey, labels, opensc, public_key, world},
    cackey::cackey,
    card::{CARD, PIN, PUK, VREADER, WRONG_PIN},
    companion::Companion,
    openssl::MESSAGE,
    pcscd,
    serve::{LOG, READER},
    tls::with_engine,
    world::{Attachment, Client, World},
};

/// The holder of the cards here, whose certificates say SAMPLE.DANA.Q. and a number.
const HOLDER: [&str; 2] = ["--holder", "Dana Quincy Sample"];
const NAME: &str = "SAMPLE.DANA.Q.";

const IDS: [&str; 3] = [IDENTITY, SIGNATURE, ENCRYPTION];

/// VERIFY of the CAC applets with the right PIN and with a wrong one, for opensc-tool.
const VERIFY: &str = "00:20:00:00:08:31:32:33:34:35:36:FF:FF";
const VERIFY_WRONG: &str = "00:20:00:00:08:30:30:30:30:30:30:FF:FF";

/// The same commands as bytes, with the SELECT before and the question behind.
const SELECT: [u8; 12] = [0x00, 0xA4, 0x04, 0x0C, 0x07, 0xA0, 0x00, 0x00, 0x00, 0x79, 0x01, 0x00];
const LOG_IN: [u8; 13] = [0x00, 0x20, 0x00, 0x00, 0x08, b'1', b'2', b'3', b'4', b'5', b'6', 0xFF, 0xFF];
const TRIES: [u8; 5] = [0x00, 0x20, 0x00, 0x00, 0x00];

/// Within this time a removal and an insertion are seen, once in three times; the machine may be busy. pcscd looks at its readers
/// every 0.4 seconds.
const SOON: Duration = Duration::from_millis(600);
const SOON_BY_PCSCD: Duration = Duration::from_secs(2);

/// A command of the console.
fn console(world: &World<impl Attachment>, words: &[&str]) -> Client {
    world.client(VREADER).args(words)
}

/// What a command of the console prints as JSON.
fn console_json(world: &World<impl Attachment>, words: &[&str]) -> Value {
    let said = console(world, words).args(["--json"]).run();
    assert_eq!(said.code(), Some(0), "{said}");
    serde_json::from_str(&said.text()).expect("JSON")
}

/// The status words of commands that opensc-tool sends one after another, to the card as it finds it.
fn statuses(world: &World<impl Attachment>, commands: &[&str]) -> Vec<String> {
    let words = commands.iter().flat_map(|command| ["--send-apdu", command]);
    let said = world.client("opensc-tool").args(["--card-driver", "default"]).args(words).succeeds();
    let pairs = said.lines().filter_map(|line| {
        let (high, low) = line.strip_prefix("Received (SW1=0x")?.split_once(", SW2=0x")?;
        Some(format!("{high}{}", low.get(..2)?))
    });
    pairs.collect()
}

/// Reads a data object with OpenSC, logged in.
fn read_object(world: &World<impl Attachment>, driver: &str, label: &str, file: &str) -> Vec<u8> {
    let words = ["--login", "--pin", PIN, "--read-object", "--type", "data", "--label", label];
    opensc(world, driver, &words).args(["--output-file", file]).succeeds();
    world.read(file)
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// A certificate, as openssl shows one side of it.
fn shown(world: &World<impl Attachment>, driver: &str, id: &str, what: &[&str]) -> String {
    let words = ["--read-object", "--type", "cert", "--id", id, "--output-file", "shown.der"];
    opensc(world, driver, &words).succeeds();
    world.openssl([&["x509", "-inform", "DER", "-in", "shown.der", "-noout"], what].concat())
}

#[test]
fn row_01_three_certificates_and_key_pairs_in_the_same_order_for_every_program() {
    let world = world(GEMALTO, &["--issued", "2017-06-01"]);
    let list = ["--list-objects", "--type", "cert"];
    let names = ["CAC ID Certificate", "CAC Email Signature Certificate", "CAC Email Encryption Certificate"];
    let listed = opensc(&world, "cac", &list).succeeds();
    assert_eq!(labels(&listed), names, "OpenSC");
    let ids: Vec<_> =
        listed.lines().filter_map(|line| line.trim().strip_prefix("ID:")).map(str::trim).collect();
    assert_eq!(ids, IDS);
    assert_eq!(labels(&coolkey(&world, &list).succeeds()), names, "coolkey");
    assert_eq!(labels(&cackey(&world, &list).succeeds()), ["Identity #0", "Identity #1", "Identity #2"]);
    let keys = ["--login", "--pin", PIN, "--list-objects", "--type", "privkey"];
    let keys = opensc(&world, "cac", &keys).succeeds();
    assert!(IDS.iter().all(|id| keys.contains(&format!("ID:         {id}"))), "{keys}");
    assert_eq!(keys.matches("Private Key Object").count(), 3, "{keys}");
    let certificates = console_json(&world, &["card", "certs"]);
    let purposes = certificates["certificates"].as_array().unwrap().iter().map(|listed| &listed["purpose"]);
    assert!(purposes.eq(["ID", "Signature", "Encryption"]), "{certificates}");
}

/// The person identifier of a FASC-N: ten symbols of four bits, the lowest first, and a parity bit.
fn person_identifier(fascn: &[u8]) -> String {
    let bit = |place: usize| u32::from(fascn[place / 8] >> (7 - place % 8) & 1);
    let digit = |symbol: usize| (0..4).map(|place| bit(symbol * 5 + place) << place).sum();
    (22..32).map(|symbol| char::from_digit(digit(symbol), 10).expect("a digit")).collect()
}

#[test]
fn row_02_one_name_and_one_number_everywhere() {
    let world = world(GEMALTO, &HOLDER);
    let slots = opensc(&world, "cac", &["--list-slots"]).succeeds();
    let label = slots.lines().find_map(|line| line.trim().strip_prefix("token label")).expect("a label");
    let label = label.trim_start_matches([' ', ':']).trim();
    let edipi = label.strip_prefix(NAME).unwrap_or_else(|| panic!("{label}"));
    assert!(edipi.len() == 10 && edipi.bytes().all(|byte| byte.is_ascii_digit()), "{label}");
    for id in IDS {
        let subject = shown(&world, "cac", id, &["-subject"]);
        assert!(subject.trim().ends_with(&format!("CN = {label}")), "{id}: {subject}");
    }
    let person = read_object(&world, "cac", "Person Instance", "person.bin");
    assert!(holds(&person, edipi), "the EDIPI of Person Instance");
    let chuid = read_object(&world, "PIV-II", "Card Holder Unique Identifier", "chuid.bin");
    let place = chuid.windows(2).position(|window| window == [0x30, 0x19]).expect("a FASC-N");
    assert_eq!(person_identifier(&chuid[place + 2..]), edipi);
    let upn = shown(&world, "PIV-II", "01", &["-ext", "subjectAltName"]);
    assert!(upn.contains(&format!("UPN::{edipi}")) && upn.contains("@mil"), "{upn}");
    assert_eq!(console_json(&world, &["card", "info"])["identifier"], edipi);
}

#[test]
fn row_03_two_of_three_issuers_are_for_email() {
    let world = world(GEMALTO, &[]);
    let for_email = IDS.map(|id| shown(&world, "cac", id, &["-issuer"]).contains("EMAIL"));
    assert_eq!(for_email, [false, true, true]);
    let certificates = console_json(&world, &["card", "certs"]);
    let by_console: Vec<_> = certificates["certificates"].as_array().unwrap()[..3]
        .iter()
        .map(|listed| listed["issuer"].as_str().unwrap().contains("EMAIL"))
        .collect();
    assert_eq!(by_console, for_email);
}

/// Everything that a text has in hex, if it is long enough to be a key or a part of one.
fn hex_in(text: &str) -> Vec<u8> {
    let runs = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| run.len() >= 16);
    runs.filter_map(|run| hex::decode(&run[..run.len() / 2 * 2]).ok()).flatten().collect()
}

#[test]
fn row_04_no_private_key_ever_leaves_the_card() {
    let world = world(GEMALTO, &[]);
    let store = FileStore::open(&world.path(CARD), Durability::Process).expect("the card's store");
    let secrets = Secrets::of(&store);
    drop(store);
    assert!(secrets.found_in(&world.read(CARD)).is_some(), "the keys are known: the card's memory has them");

    let world = world.serve(&["--card", CARD, "--trace", "trace", "--trace-secrets"]);
    let keys = ["--login", "--pin", PIN, "--list-objects", "--type", "privkey"];
    let listed = opensc(&world, "cac", &keys).succeeds();
    assert_eq!(listed.matches("never extractable").count(), 3, "{listed}");
    // OpenSSL has the key, and there is nothing in it that could be written down.
    let key = format!("pkcs11:id=%00%01;type=private;pin-value={PIN}");
    let export =
        ["pkey", "-engine", "pkcs11", "-inform", "engine", "-in", &key, "-traditional", "-out", "key.pem"];
    let said = with_engine(world.client("openssl")).env("OPENSC_DRIVER", "cac").args(export).fails();
    assert!(said.contains("illegal zero content") && world.read("key.pem").is_empty(), "{said}");
    for driver in ["cac", "PIV-II"] {
        // The self-test signs and decrypts with every key.
        opensc(&world, driver, &["--login", "--pin", PIN, "--test"]).run();
        for label in ["Person Instance", "PKI Credential", "Printed Information", "Security Object"] {
            let words = ["--login", "--pin", PIN, "--read-object", "--type", "data", "--label", label];
            opensc(&world, driver, &words).args(["--output-file", "object.bin"]).run();
        }
    }
    console(&world, &["card", "info", "--pin", PIN]).succeeds();
    console(&world, &["certs", "export", "--pem", "copies", "--yes"]).succeeds();

    let events = trace::read(&world.path("trace")).expect("the trace");
    let runs: Vec<_> = events.iter().filter_map(|event| event.command()).collect();
    let said = |answer: &trace::Bytes| secrets.found_in(answer.shown());
    let leaks: Vec<_> = runs.iter().filter_map(|run| run.answer.as_ref().and_then(said)).collect();
    assert!(runs.len() > 100, "only {} commands", runs.len());
    assert!(leaks.is_empty(), "{leaks:?}");
    assert!(runs.iter().any(|run| said(&run.command).is_some()), "the search finds the PIN in VERIFY");
    assert_eq!(secrets.found_in(&hex_in(&world.read_text(LOG))), None);
    for file in std::fs::read_dir(world.path("copies")).expect("the copies") {
        let copy = std::fs::read(file.expect("an entry").path()).expect("a copy");
        assert!(holds(&copy, "BEGIN CERTIFICATE") && !holds(&copy, "PRIVATE"));
    }
}

#[test]
fn row_05_personal_data_and_keys_need_the_pin_and_certificates_do_not() {
    let world = world(GEMALTO, &[]);
    let person = "00:A4:04:00:07:A0:00:00:00:79:02:00";
    let read = "00:52:00:00:02:02:10";
    assert_eq!(
        statuses(&world, &[person, "00:A4:02:00:02:02:00", read, VERIFY, read]),
        ["9000", "9000", "6982", "9000", "9000"]
    );
    // SIGN of the ID applet, a block that does not end.
    let identity = "00:A4:04:00:07:A0:00:00:00:79:01:00";
    let sign = "00:42:80:00:08:00:01:FF:FF:FF:FF:FF:FF";
    assert_eq!(
        statuses(&world, &[identity, "00:A4:02:00:02:01:00", sign, VERIFY, sign]),
        ["9000", "9000", "6982", "9000", "9000"]
    );
    let listed = opensc(&world, "cac", &["--list-objects", "--type", "cert"]).succeeds();
    assert_eq!(labels(&listed).len(), 3);
    world.message("-sha256");
    let sign = ["--sign", "--id", IDENTITY, "--mechanism", "SHA256-RSA-PKCS", "--input-file", MESSAGE];
    opensc(&world, "cac", &sign).fails();
}

/// What pkcs11-tool says when it logs in with this PIN.
fn log_in(world: &World<impl Attachment>, pin: &str) -> String {
    let words = ["--login", "--pin", pin, "--list-objects", "--type", "privkey"];
    opensc(world, "cac", &words).run().text()
}

#[test]
fn row_06_three_wrong_pins_lock_the_card() {
    let commands = [VERIFY_WRONG; 4];
    let select = "00:A4:04:00:07:A0:00:00:00:79:01:00";
    let raw = world(GEMALTO, &[]);
    let answers = statuses(&raw, &[&[select][..], &commands, &[VERIFY]].concat());
    assert_eq!(answers, ["9000", "63C2", "63C1", "63C0", "6983", "6983"]);

    let world = World::with_served_card(&["--profile", GEMALTO]);
    let flags = || opensc(&world, "cac", &["--list-slots"]).succeeds();
    assert!(log_in(&world, WRONG_PIN).contains("CKR_PIN_INCORRECT"));
    // Neither a new process nor the loss of power gives a try back.
    world.reinsert();
    assert!(log_in(&world, WRONG_PIN).contains("CKR_PIN_INCORRECT"));
    assert!(flags().contains("final user PIN try"));
    assert_eq!(console_json(&world, &["card", "info"])["tries_left"], 1);
    log_in(&world, WRONG_PIN);
    assert!(flags().contains("user PIN locked"));
    for _ in 0..2 {
        assert!(log_in(&world, PIN).contains("CKR_PIN_LOCKED"));
        world.reinsert();
    }
    assert_eq!(console_json(&world, &["card", "info"])["tries_left"], 0);
}

#[test]
fn row_07_who_knows_the_pin_changes_it() {
    let world = World::with_served_card(&["--profile", GEMALTO]);
    let tries = || console_json(&world, &["card", "info"])["tries_left"].clone();
    let change = |old, new| {
        let words = ["--change-pin", "--auth-id", "01", "--pin", old, "--new-pin", new];
        world.client("pkcs15-tool").env("OPENSC_DRIVER", "cac").args(words)
    };
    assert!(change(PIN, "12345").fails().contains("Invalid PIN length"));
    let said = console(&world, &["card", "pin", "change", "--old", PIN, "--new", "12345"]).fails();
    assert!(said.contains("the new PIN is not 6 to 8 digits"), "{said}");
    assert_eq!(tries(), 3, "no program spent a try");
    change(WRONG_PIN, "654321").fails();
    assert_eq!(tries(), 2);
    change(PIN, "654321").succeeds();
    world.reinsert();
    assert!(log_in(&world, PIN).contains("CKR_PIN_INCORRECT"));
    assert!(!log_in(&world, "654321").contains("error"));
    opensc(&world, "cac", &["--login", "--pin", "654321", "--change-pin", "--new-pin", "13579024"])
        .succeeds();
    console(&world, &["card", "pin", "change", "--old", "13579024", "--new", PIN]).succeeds();
    world.reinsert();
    assert!(!log_in(&world, PIN).contains("error"));
}

#[test]
fn row_08_only_the_issuer_unlocks_a_locked_card() {
    let world = world(GEMALTO, &[]);
    for _ in 0..3 {
        log_in(&world, WRONG_PIN);
    }
    for driver in ["cac", "PIV-II"] {
        let words = ["--unblock-pin", "--auth-id", "01", "--puk", PUK, "--new-pin", "654321"];
        world.client("pkcs15-tool").env("OPENSC_DRIVER", driver).args(words).fails();
    }
    for words in [
        &["card", "unlock", "--puk", PUK, "--new-pin", "654321"][..],
        &["card", "pin", "change", "--old", PIN, "--new", "654321"],
        &["card", "info", "--pin", PIN],
    ] {
        let said = console(&world, words).fails();
        assert!(said.contains("contact the issuer"), "{said}");
    }
    assert!(console(&world, &["card", "info"]).succeeds().contains("contact the issuer"));
    assert!(log_in(&world, PIN).contains("CKR_PIN_LOCKED"));
}

#[test]
fn row_09_personal_information_comes_after_the_pin() {
    let world = world(GEMALTO, &[&HOLDER[..], &["--issued", "2017-06-01"]].concat());
    let person = read_object(&world, "cac", "Person Instance", "person.bin");
    let personal = console_json(&world, &["card", "info", "--pin", PIN]);
    assert_eq!(personal["name"], "DANA QUINCY SAMPLE");
    for field in ["born", "issued", "expires", "identifier"] {
        let compact = personal[field].as_str().unwrap().replace('-', "");
        assert!(holds(&person, &compact), "{field}: {compact}");
    }
    assert_eq!(personal["issued"], "2017-06-01");
    let public = console(&world, &["card", "info"]).succeeds();
    assert!(!public.contains("2017-06-01") && !public.contains("1970-01-01"), "{public}");
    console(&world, &["card", "info", "--pin", WRONG_PIN]).fails();
    let read = ["--read-object", "--type", "data", "--label", "Person Instance", "--output-file", "none.bin"];
    opensc(&world, "cac", &read).run();
    assert!(!world.path("none.bin").exists() || world.read("none.bin").is_empty());
}

/// The rule itself has its table beside it, in `console::activation`.
#[test]
fn row_10_cards_of_before_28_february_2018_have_a_certificate_to_activate() {
    for (issued, certificates, state) in [("2018-02-27", 3, "needed"), ("2018-02-28", 4, "active")] {
        let world = world(GEMALTO, &["--issued", issued]);
        let listed = opensc(&world, "PIV-II", &["--list-objects", "--type", "cert"]).succeeds();
        assert_eq!(labels(&listed).len(), certificates, "{issued}: {listed}");
        let information = console_json(&world, &["card", "info", "--pin", PIN]);
        assert_eq!(information["piv_activation"], state, "{issued}");
    }
    let world = world(GEMALTO, &[]);
    let wrong = console(&world, &["card", "info", "--piv-activation-cutoff", "2018-02-30"]).run();
    assert_eq!(wrong.code(), Some(2), "{wrong}");
}

#[test]
fn row_11_stocks_are_known_by_their_answers_to_reset() {
    for (profile, atr, printed) in [
        (GEMALTO, "3b:7d:96:00:00:80:31:80:65:b0:83:11:17:d6:83:00:90:00", "Gemalto TOP DL GX4 144K"),
        (
            "cac-oberthur-v55",
            "3b:db:96:00:80:1f:03:00:31:c0:64:b0:f3:10:00:07:90:00:80",
            "Oberthur ID One 128 v5.5 Dual",
        ),
    ] {
        let world = world(profile, &[]);
        let said = world.client("opensc-tool").args(["--atr", "--name"]).succeeds();
        assert!(said.contains(atr) && said.contains("Personal Identity Verification"), "{profile}: {said}");
        let stock = console_json(&world, &["card", "info"])["stock"].as_str().unwrap().to_owned();
        assert!(stock.contains(printed), "{stock}");
        // Software that is older than the card: its only drivers are for other cards.
        world.write("old.conf", "app default { card_drivers = openpgp; }\n");
        let old = world.client("opensc-tool").env("OPENSC_CONF", world.path("old.conf")).args(["--name"]);
        let said = old.run().text();
        assert!(!said.contains("Personal Identity"), "{said}");
    }
}

#[test]
fn row_12_an_expired_card_still_works_and_says_that_it_expired() {
    let world = world(GEMALTO, &["--issued", "2017-06-01"]);
    let said = console(&world, &["card", "info", "--now", "2023-06-01"]).succeeds();
    assert!(said.contains("the card expired on 2023-05-31"), "{said}");
    let said = console(&world, &["card", "info", "--now", "2023-05-01"]).succeeds();
    assert!(!said.contains("Warning"), "{said}");
    let certificates = console(&world, &["card", "certs", "--now", "2023-06-01"]).succeeds();
    assert_eq!(certificates.matches(": expired").count(), 3, "{certificates}");
    shown(&world, "cac", IDENTITY, &["-enddate"]);
    let words = ["x509", "-inform", "DER", "-in", "shown.der", "-noout", "-checkend", "0"];
    assert!(world.tool("openssl").args(words).fails().contains("Certificate will expire"));
    world.message("-sha256");
    let sign = ["--login", "--pin", PIN, "--sign", "--id", IDENTITY, "--mechanism", "SHA256-RSA-PKCS"];
    opensc(&world, "cac", &sign).args(["--input-file", MESSAGE, "--output-file", "signature.bin"]).succeeds();
    world.verify(&public_key(&world, IDENTITY), "signature.bin", &["-sha256"]);
}

/// The quickest of three removals and insertions, as pcsc_scan sees them.
fn quickest(scan: &mut Companion, mut act: impl FnMut(&str)) -> Duration {
    let mut time = |action: &str, state: &str| {
        let begun = Instant::now();
        act(action);
        scan.hear_line(&format!("Card state: Card {state}"));
        begun.elapsed()
    };
    (0..3).map(|_| time("remove", "removed").max(time("insert", "inserted"))).min().expect("three")
}

/// What a watcher sees of a card that goes and comes.
fn watched(watcher: &mut Watcher, mut act: impl FnMut(&str)) {
    let patience = Duration::from_secs(30);
    assert!(matches!(
        watcher.wait(patience).unwrap()[..],
        [ReaderEvent::Plugged(_), ReaderEvent::Inserted(_), ..]
    ));
    for _ in 0..3 {
        act("remove");
        assert!(matches!(watcher.wait(patience).unwrap()[..], [ReaderEvent::Removed(_)]));
        act("insert");
        assert!(matches!(watcher.wait(patience).unwrap()[..], [ReaderEvent::Inserted(_)]));
    }
    assert_eq!(watcher.wait(Duration::from_millis(20)).unwrap(), []);
}

#[test]
fn row_13_a_card_that_goes_and_comes_is_seen_at_once() {
    let world = World::with_served_card(&["--profile", GEMALTO]);
    let mut scan = world.companion(&["pcsc_scan", "-n"]);
    scan.hear_line("Card state: Card inserted");
    let time = quickest(&mut scan, |action| world.ctl(&[action]));
    assert!(time < SOON, "{time:?}");
    watched(&mut Watcher::new(world.socket()).unwrap(), |action| world.ctl(&[action]));
    assert_eq!(console_json(&world, &["card", "info", "--reader", READER])["tries_left"], 3);
}

#[test]
fn row_13_the_same_through_pcscd() {
    let (world, mut vreader) = World::with_plugged_card(&["--profile", GEMALTO]);
    let mut scan = world.companion(&["pcsc_scan", "-n"]);
    scan.hear_line("Card state: Card inserted");
    let time = quickest(&mut scan, |action| vreader.say(&format!("{action} 0")));
    assert!(time < SOON_BY_PCSCD, "{time:?}");
    let socket = world.socket();
    watched(&mut Watcher::new(&socket).unwrap(), |action| vreader.say(&format!("{action} 0")));
}

/// The console keeps other programs away from the card while it works; pcscd decides when the next one's turn is.
#[test]
fn transactions_are_those_of_pcscd() {
    let (world, _vreader) = World::with_plugged_card(&["--profile", GEMALTO]);
    let connect = || RemoteCard::connect(&world.socket(), pcscd::READER).unwrap();
    let (mut one, mut two) = (connect(), connect());
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut first = one.transaction(Disposition::Reset).unwrap();
        let second = scope.spawn(|| {
            let mut second = two.transaction(Disposition::Leave).unwrap();
            assert!(ended.load(Ordering::SeqCst), "it waited for the end of the other");
            let status = second.transmit(&TRIES).unwrap();
            second.end().unwrap();
            status
        });
        for command in [&SELECT[..], &LOG_IN, &TRIES] {
            assert!(first.transmit(command).unwrap().ends_with(&[0x90, 0x00]));
        }
        ended.store(true, Ordering::SeqCst);
        first.end().unwrap();
        // The end reset the card: nothing is selected, and nobody is logged in.
        assert_ne!(second.join().unwrap(), [0x90, 0x00]);
    });
    assert_eq!(console_json(&world, &["card", "info"])["tries_left"], 3);
}
