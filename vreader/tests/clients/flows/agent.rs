//! Rows 46, 47 and 53 to 58: an agent beside the holder, with a management system of its own database and OpenSC's PKCS#11 module
//! as the client that sees what an update changes, and when.

use std::{fs, process::Command};

use serde_json::Value;

use crate::{
    card::{CARD, PIN, VREADER, opensc_module},
    companion::Companion,
    python,
    serve::{READER, Serve},
    vreader::text,
    world::{Attachment, Client, World},
};

/// When the management system was made and the card issued, for tests that stand at a moment.
const START: &str = "2026-03-01T08:00:00Z";

/// A week later to the second, and the second before.
const WEEK_LATER: &str = "2026-03-08T08:00:00Z";
const JUST_BEFORE: &str = "2026-03-08T07:59:59Z";

const ROOT: &str = "authorities/root.pem";

const PYKCS11: &str = "PyKCS11==1.5.20";

/// What a notice says.
const NOTICE: &str = "An update is pending for the card ";

/// A management system, and its card 1 in the only reader. `now` is that of all its commands so far.
fn office(now: &[&str]) -> World<Serve> {
    let world = World::with_options(&[]);
    set_up(&world, now);
    world.serve(&["--card", CARD])
}

/// The same, with the card in its file.
fn set_up(world: &World<impl Attachment>, now: &[&str]) {
    let holder = ["holder", "add", "Dana Quincy Sample"];
    let card = ["produce", CARD, "--holder", "1"];
    for words in [&["init"][..], &holder, &card, &["authority", "export", "authorities"]] {
        world.tool(VREADER).args(["cms"]).args(words).args(now).succeeds();
    }
}

fn cms(world: &World<impl Attachment>, words: &[&str]) -> Client {
    world.client(VREADER).args(["cms"]).args(words)
}

/// A request is made that waits for card 1.
fn request_renewal(world: &World<impl Attachment>, now: &[&str]) {
    cms(world, &["request", "renewal", "1", "--slot", "9a"]).args(now).succeeds();
}

/// The states of all requests.
fn requests(world: &World<impl Attachment>) -> Vec<String> {
    let said = cms(world, &["list", "requests", "--json"]).succeeds();
    let rows: Vec<Value> = serde_json::from_str(&said).expect("JSON");
    rows.iter().map(|row| row["state"].as_str().expect("a state").to_owned()).collect()
}

/// An agent that runs, and tells on standard error what it does besides. Notices stay until they are answered.
fn agent(world: &World<impl Attachment>, options: &[&str]) -> Companion {
    let environment = ["env", "VREADER_LOG=vreader=debug", "NO_COLOR=1", VREADER];
    let words = ["agent", "--state", "agent.json", "--check-timeout", "1min"];
    let stays = if options.contains(&"--notice") { &[][..] } else { &["--notice", "10min"] };
    world.companion(&[&environment[..], &words, stays, options].concat())
}

/// Waits until the agent knows which card was put in; whether it asks the management system about it.
fn asks(agent: &mut Companion) -> bool {
    agent.hear("a card that was put in", |line| {
        let asks = line.contains("a card was put in").then_some(line)?;
        Some(asks.contains("asks=true"))
    })
}

/// Waits until the management system has said that nothing is pending.
fn hears_of_nothing(agent: &mut Companion) {
    assert!(asks(agent), "the agent asks");
    agent.hear("the answer", |line| line.contains("answer=Ok(None)").then_some(()));
}

fn check_update(world: &World<Serve>, options: &[&str]) -> Client {
    world.client(VREADER).args(["card", "check-update", "--check-timeout", "1min"]).args(options)
}

#[test]
fn row_46_an_insertion_asks_once_a_week_and_a_check_by_hand_at_once() {
    let now = ["--now", START];
    let world = office(&now);
    let mut first = agent(&world, &now);
    hears_of_nothing(&mut first);
    world.reinsert();
    assert!(!asks(&mut first), "it asked already");
    // What comes in between waits for the next question; a check by hand finds it.
    request_renewal(&world, &now);
    world.reinsert();
    assert!(!asks(&mut first), "it asked already");
    assert!(first.end_by(&world, "TERM").success());
    let found = check_update(&world, &["--now", START, "--answer", "cancel"]).succeeds();
    assert!(found.starts_with("An update is available for the card "), "{found}");

    // Another agent goes on where that one ended.
    let mut early = agent(&world, &["--now", JUST_BEFORE]);
    assert!(!asks(&mut early), "a second before the week is over");
    assert!(early.end_by(&world, "TERM").success());
    let mut due = agent(&world, &["--now", WEEK_LATER]);
    assert!(asks(&mut due), "when the week is over");
    due.hear_line(NOTICE);
    assert!(due.end_by(&world, "INT").success());
}

#[test]
fn row_46_the_interval_and_the_delay_are_settings() {
    let world = office(&[]);
    fs::write(world.path("agent.toml"), "interval = \"0s\"\ndelay = \"1s\"\n").expect("the settings");
    let mut agent = agent(&world, &["--settings", "agent.toml"]);
    for _ in 0..3 {
        hears_of_nothing(&mut agent);
        world.reinsert();
    }
    let refused = world.client(VREADER).args(["agent", "--interval", "weekly"]).run();
    assert_eq!(refused.code(), Some(2), "{refused}");
}

#[test]
fn row_47_nothing_pending_nothing_said() {
    let world = office(&[]);
    // Its standard output alone, to the last byte.
    let script = "exec \"$@\" > said.txt";
    let words = ["env", "VREADER_LOG=vreader=debug", "NO_COLOR=1", VREADER, "agent", "--state", "agent.json"];
    let mut agent = world.companion(&[&["sh", "-c", script, "sh"][..], &words].concat());
    hears_of_nothing(&mut agent);
    world.reinsert();
    assert!(!asks(&mut agent));
    assert!(agent.end_by(&world, "TERM").success());
    assert_eq!(world.read_text("said.txt"), "");
}

/// A PKCS#11 client that keeps its session: see `session.py`.
struct Session(Companion);

impl Session {
    fn start(world: &World<Serve>) -> Self {
        const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/flows/session.py");
        let python = python::program(PYKCS11, "python");
        Self(world.companion(&[&python, PROGRAM, &opensc_module()]))
    }

    fn ask(&mut self, question: &str) -> String {
        self.0.say(question);
        self.0.hear("an answer", |line| Some(line.strip_prefix(question)?.trim().to_owned()))
    }
}

/// Waits until pcsc_scan has seen the card come or go.
fn scan_sees(scan: &mut Companion, what: &str) {
    scan.hear("a card state", |line| line.trim().strip_prefix("Card state: ")?.contains(what).then_some(()));
}

#[test]
fn row_53_new_content_counts_after_the_card_was_taken_out_and_put_back() {
    let world = office(&[]);
    let mut session = Session::start(&world);
    let before = session.ask("open");
    assert_eq!(before.split(' ').count(), 4, "{before}");
    let mut scan = world.companion(&["pcsc_scan", "-n"]);
    scan_sees(&mut scan, "Card inserted");

    request_renewal(&world, &[]);
    let mut agent = agent(&world, &["--root", ROOT, "--pin", PIN, "--answer", "proceed"]);
    agent.hear_line(NOTICE);
    agent.hear_line("do not remove the card");
    agent.hear_line("Remove and reinsert the card");
    assert_eq!(requests(&world), ["EXECUTED"]);
    assert_eq!(session.ask("list"), before, "who has the card open sees what it was");

    world.ctl(&["remove"]);
    scan_sees(&mut scan, "Card removed");
    assert_eq!(session.ask("tokens"), "0");
    assert!(session.ask("list").starts_with("refused: "), "the session is over");
    world.ctl(&["insert"]);
    scan_sees(&mut scan, "Card inserted");
    assert_eq!(session.ask("tokens"), "1");
    let after = session.ask("open");
    let changed: Vec<_> = before.split(' ').zip(after.split(' ')).map(|(old, new)| old != new).collect();
    assert_eq!(changed, [true, false, false, false], "9A is new: {before}; {after}");
    // The agent asks about the card that is back, and has nothing to say.
    hears_of_nothing(&mut agent);
    cms(&world, &["compare", "--pin", PIN]).succeeds();
}

#[test]
fn row_53_an_update_of_a_card_in_pcscd() {
    let world = World::with_pcscd();
    set_up(&world, &[]);
    request_renewal(&world, &[]);
    let mut reader = world.plug(&[CARD]);
    let mut agent = agent(&world, &["--root", ROOT, "--pin", PIN]);
    agent.hear_line(NOTICE);
    reader.say("remove 0");
    agent.hear_line("the card was taken out and its notice with it");
    reader.say("insert 0");
    agent.hear_line(NOTICE);
    agent.say("proceed");
    agent.hear_line("Remove and reinsert the card");
    reader.say("remove 0");
    reader.say("insert 0");
    hears_of_nothing(&mut agent);
    assert_eq!(requests(&world), ["EXECUTED"]);
}

#[test]
fn row_53_an_update_that_loses_the_card_is_finished_when_it_is_back() {
    let world = office(&[]);
    request_renewal(&world, &[]);
    world.ctl(&["tear"]);
    // Without a PIN the card's first write is the session's.
    let mut agent = agent(&world, &["--root", ROOT, "--answer", "proceed"]);
    agent.hear_line(NOTICE);
    let failed = agent.hear_line("the update failed");
    assert!(failed.contains("Request 1 stays pending"), "{failed}");
    world.reinsert();
    let notice = agent.hear_line(NOTICE);
    assert!(notice.contains("interrupted"), "{notice}");
    agent.hear_line("Remove and reinsert the card");
    assert_eq!(requests(&world), ["EXECUTED"]);
    cms(&world, &["compare", "--pin", PIN]).succeeds();
}

#[test]
fn row_54_a_notice_that_is_dismissed_or_loses_its_card_comes_back_with_the_card() {
    let world = office(&[]);
    request_renewal(&world, &[]);
    let mut agent = agent(&world, &["--root", ROOT]);
    let notice = agent.hear_line(NOTICE);
    assert!(notice.contains(READER) && notice.contains("renewal (request 1)"), "{notice}");
    agent.say("dismiss");
    agent.hear_line("the notice was dismissed; request 1 stays pending");
    world.reinsert();
    agent.hear_line(NOTICE);
    assert_eq!(requests(&world), ["APPROVED"], "it waits for the card");

    world.ctl(&["remove"]);
    agent.hear_line("the card was taken out and its notice with it; request 1 stays pending");
    // Too late: there is nothing to proceed with.
    agent.say("proceed");
    agent.hear_line("No such notice waits for an answer");
    world.ctl(&["insert"]);
    agent.hear_line(NOTICE);
    assert_eq!(requests(&world), ["APPROVED"]);
    agent.say("proceed");
    agent.hear_line("Remove and reinsert the card");
    assert_eq!(requests(&world), ["EXECUTED"]);
}

#[test]
fn row_54_a_notice_that_nobody_answers_disappears() {
    let world = office(&[]);
    request_renewal(&world, &[]);
    let mut agent = agent(&world, &["--root", ROOT, "--notice", "1s", "--json"]);
    let event = |line: &str| serde_json::from_str::<Value>(line).ok();
    let notice = agent.hear("the notice", event);
    assert_eq!((notice["event"].as_str(), notice["stays"].as_u64()), (Some("notice"), Some(1)));
    let gone = agent.hear("its end", event);
    assert_eq!((gone["event"].as_str(), gone["reason"].as_str()), (Some("withdrawn"), Some("unanswered")));
    assert_eq!(requests(&world), ["APPROVED"]);
}

#[test]
fn row_55_each_missing_prerequisite_has_its_message() {
    let world = office(&[]);
    request_renewal(&world, &[]);
    fs::write(world.path("foreign.pem"), world.read("authorities/issuing.pem")).expect("another certificate");
    // What is missing; the message; whether a check works without it.
    let rows: [(&[&str], &str, bool); 7] = [
        (&["--root", ROOT, "--cms", "none.db"], "no connection to the management system", false),
        (&["--root", ROOT, "--cms", ROOT], "no connection to the management system", false),
        (&["--root", ROOT, "--minimum-version", "99.0"], "and at least 99.0 is needed", false),
        (&[], "root certificate is missing", true),
        (&["--root", "none.pem"], "root certificate cannot be used: none.pem", true),
        (&["--root", "foreign.pem"], "foreign.pem is not the root certificate", true),
        (&["--root", ROOT, "--no-updates"], "client control is missing", true),
    ];
    for (options, message, checks) in rows {
        let check = check_update(&world, options).args(["--answer", "cancel"]).run();
        assert_eq!(check.code(), Some(i32::from(!checks)), "{options:?}: {check}");
        let update = check_update(&world, options).args(["--answer", "ok"]).fails();
        assert!(update.contains(message), "{options:?}: {update}");
        assert_eq!(requests(&world), ["APPROVED"], "{options:?}");
    }
    // An agent says the same when the card is put in.
    let mut agent = agent(&world, &["--minimum-version", "99.0"]);
    agent.hear_line("cannot check for updates: the management system has version ");

    // The smart card service is missing everywhere else.
    for words in [&["agent", "--state", "agent.json"][..], &["card", "check-update"]] {
        let mut alone = Command::new(VREADER);
        world.place.set_up(&mut alone);
        let output = alone.args(words).env("PCSCLITE_CSOCK_NAME", world.path("none.comm")).output();
        let output = output.expect("vreader starts");
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains("the smart card service is missing: "), "{}", text(&output));
    }
}

#[test]
fn row_56_a_check_by_hand_is_of_the_reader_that_was_chosen() {
    let world = office(&[]);
    world.ctl(&["add-reader", "Door"]);
    request_renewal(&world, &[]);
    let wrong = check_update(&world, &["--reader", "Door", "--answer", "ok"]).fails();
    assert!(wrong.contains("no card in reader \"Door 01 00\""), "{wrong}");
    assert!(wrong.contains(&format!("\"{READER}\" (with a card)")), "{wrong}");

    let right = |answer: &str| check_update(&world, &["--reader", READER, "--root", ROOT]).input(answer);
    let cancelled = right("cancel\n").succeeds();
    assert!(cancelled.contains("renewal (request 1). OK or Cancel?"), "{cancelled}");
    assert!(cancelled.contains("request 1 stays pending"), "{cancelled}");
    assert_eq!(requests(&world), ["APPROVED"]);
    let done = right("perhaps\nok\n").run();
    assert_eq!(done.code(), Some(0), "{done}");
    assert!(done.text().contains("Remove and reinsert the card"), "{done}");
    assert_eq!(requests(&world), ["EXECUTED"]);
}

#[test]
fn row_57_without_an_update_a_check_by_hand_says_so() {
    let world = office(&[]);
    for options in [&[][..], &["--now"], &["--reader", READER]] {
        let said = check_update(&world, options).run();
        assert_eq!(said.code(), Some(0), "{said}");
        let said = said.text();
        assert!(
            said.starts_with("No update is available for the card ") && said.lines().count() == 1,
            "{said}"
        );
    }
}

#[test]
fn row_58_the_portals_address_is_printed_and_nothing_opened() {
    let world = World::with_options(&[]);
    let address = "https://cms.example/update";
    let open = |options: &[&str]| world.tool(VREADER).args(["agent", "--open"]).args(options);
    assert_eq!(open(&["--portal", address]).succeeds(), format!("{address}\n"));
    fs::write(world.path("agent.toml"), format!("portal = \"{address}\"\n")).expect("the settings");
    assert_eq!(open(&["--settings", "agent.toml"]).succeeds(), format!("{address}\n"));
    assert!(open(&[]).fails().contains("no address; give `portal`"));
}
