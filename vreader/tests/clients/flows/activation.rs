//! Rows 36 to 44: the PIV Authentication certificate of an old Common Access Card is activated, and whoever is cut off in the
//! middle can go on.

use std::{fs, thread};

use serde_json::{Value, json};

use super::{
    cut::{Cut, Fragility},
    office::{AUTHENTICATION, CARD_AUTHENTICATION, ENCRYPTION, Office, RSA, SIGNATURE},
};
use crate::{
    cac::{CAC_ONLY, GEMALTO, PROFILES},
    card::{CARD, PIN, VREADER, WRONG_PIN},
    opensc_tool::{SELECT, answers, verify},
    serve::Serve,
    vreader::Place,
    world::{Attachment, Run, World},
};

/// When the office was opened, when the cards here were issued, and when they are activated.
const OPENED: &str = "2017-01-01";
const ISSUED: &str = "2017-06-01";
const NOW: &str = "2019-01-01";

/// What is on the card before, in the order of OpenSC; afterwards the PIV Authentication certificate comes first.
const BEFORE: [&str; 3] = [SIGNATURE, ENCRYPTION, CARD_AUTHENTICATION];
const AFTER: [&str; 4] = [AUTHENTICATION, SIGNATURE, ENCRYPTION, CARD_AUTHENTICATION];

const ACTIVATE: [&str; 4] = ["activate", "--pin", PIN, "--yes"];

const SUCCESS: &str = "Your CAC has been successfully updated.";

/// An office with one old card, number 1.
fn office() -> Office {
    let mut office = Office::open(OPENED);
    produce(&mut office, CARD, ISSUED);
    office.now = NOW;
    office
}

/// Makes a card that was issued on this day, and it is this day.
fn produce(office: &mut Office, file: &str, issued: &'static str) {
    produce_of(office, GEMALTO, file, issued);
}

/// The same of another stock.
fn produce_of(office: &mut Office<impl Attachment>, profile: &str, file: &str, issued: &'static str) {
    office.now = issued;
    let words = ["produce", file, "--profile", profile, "--holder", "1", "--issued", issued];
    office.cms(&words).succeeds();
}

/// Everything that is on the card. The bytes of its file are no measure: a PIN that was verified is written down twice.
fn contents(office: &Office) -> String {
    office.world.tool(VREADER).args(["card", "show", CARD, "--json"]).succeeds()
}

/// What the database has of the card.
fn row(office: &Office) -> [Value; 2] {
    [office.json(&["show", "1"]), office.json(&["list", "requests"])]
}

#[test]
fn row_36_the_portal_wants_a_login_with_the_card() {
    let office = office();
    let said = office.desk(&ACTIVATE).args(["--login", "signature"]).succeeds();
    assert!(said.contains("Signed in with the certificate of CN=DEMO DOD EMAIL CA-"), "{said}");
    let audit = office.cms(&["audit", "1"]).succeeds();
    assert!(audit.contains("sign in for activation done: CN=DEMO DOD EMAIL CA-"), "{audit}");
    // Nobody here knows this card.
    let office = office.with_card("foreign.card");
    office.world.new_card("foreign.card", &["--profile", GEMALTO, "--issued", ISSUED]);
    let said = office.desk(&ACTIVATE).fails();
    assert!(said.contains("is not in the database"), "{said}");
}

#[test]
fn row_37_only_the_email_certificate_signs_in() {
    let office = office();
    let (card, database) = (contents(&office), row(&office));
    let said = office.desk(&ACTIVATE).args(["--login", "id"]).fails();
    let text = "use the Signature or DOD EMAIL certificate or you may not be able to login";
    assert!(said.contains(text) && said.contains("DEMO DOD ID CA-") && !said.contains(SUCCESS), "{said}");
    assert_eq!((contents(&office), row(&office)), (card, database));
    assert_eq!(office.listed(), BEFORE);
    assert!(office.desk(&ACTIVATE).succeeds().contains(SUCCESS));
}

#[test]
fn row_38_of_two_cards_only_the_old_one_offers_it() {
    let mut office = Office::open(OPENED);
    produce(&mut office, CARD, ISSUED);
    produce(&mut office, "new.card", "2018-06-01");
    office.now = NOW;
    let said = office.cms(&["activate", "--list", "1"]).succeeds();
    let offers: Vec<_> = said.lines().map(|line| line.contains("[Activate PIV Certificate]")).collect();
    assert_eq!(offers, [true, false], "{said}");
    // Whoever puts in the other one is told why.
    let office = office.with_card("new.card");
    let refused = office.desk(&ACTIVATE).fails();
    assert!(refused.contains("is not hidden"), "{refused}");
    assert_eq!(office.listed(), AFTER);
    let office = office.with_card(CARD);
    office.desk(&ACTIVATE).succeeds();
    let said = office.cms(&["activate", "--list", "1"]).succeeds();
    assert!(said.lines().count() == 2 && !said.contains("[Activate"), "{said}");
}

#[test]
fn row_39_cancel_leaves_card_and_database_alone() {
    let office = office();
    let (card, database) = (contents(&office), row(&office));
    for answer in ["no\n", ""] {
        let said = office.desk(&["activate", "--pin", PIN]).input(answer).succeeds();
        assert!(said.contains("Proceed? [yes/no]") && said.contains("nothing was changed"), "{said}");
        assert_eq!((contents(&office), row(&office)), (card.clone(), database.clone()), "{answer:?}");
    }
    assert_eq!(office.listed(), BEFORE);
    let said = office.desk(&["activate", "--pin", PIN]).input("yes\n").succeeds();
    assert!(said.contains(SUCCESS), "{said}");
    assert_ne!(contents(&office), card);
}

/// What programs asked the card since its reader was there, a line a command.
fn asked(office: &Office<Serve>) -> Vec<String> {
    let trace = office.world.ctl_says(&["trace"]);
    let commands = trace.lines().filter(|line| line.contains(" -> "));
    commands.map(str::to_owned).collect()
}

/// The places of the commands that have this in them.
fn places(asked: &[String], part: &str) -> Vec<usize> {
    asked.iter().enumerate().filter(|(_, line)| line.contains(part)).map(|(place, _)| place).collect()
}

#[test]
fn row_40_the_pin_is_asked_before_reading_and_before_writing() {
    let office = office().serve();
    let said = office.desk(&["activate", "--pin", WRONG_PIN, "--yes"]).fails();
    assert!(said.contains("tries left: 2") && !said.contains(SUCCESS), "{said}");
    let refused = asked(&office);
    assert_eq!(places(&refused, "VERIFY").len(), 1, "{refused:#?}");
    assert_eq!(places(&refused, "63C2").len(), 1, "{refused:#?}");
    assert!(places(&refused, "9B (Card Management)").is_empty(), "it went no further");
    office.desk(&ACTIVATE).succeeds();
    let asked = asked(&office).split_off(refused.len());
    let (verify, write) = (places(&asked, "VERIFY"), places(&asked, "GENERATE ASYMMETRIC"));
    let personal = places(&asked, "SELECT file 0200");
    assert_eq!(verify.len(), 2, "{asked:#?}");
    assert!(verify[0] < personal[0] && personal[0] < verify[1] && verify[1] < write[0], "{asked:#?}");
}

#[test]
fn row_42_the_page_is_shown_and_the_administrator_writes() {
    let office = office().serve();
    let said = office.desk(&ACTIVATE).succeeds();
    for line in ["Name      DANA QUINCY SAMPLE", "EDIPI     ", "FASC-N    D4E739", "Issued    2017-06-01"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(said.contains("will come from CN=DEMO DOD ID CA-"), "{said}");
    let asked = asked(&office);
    let administrator = places(&asked, "9B (Card Management), AES 192: answers the challenge -> 9000");
    let writes = [places(&asked, "GENERATE ASYMMETRIC"), places(&asked, "PUT DATA")].concat();
    assert_eq!(administrator.len(), 1, "{asked:#?}");
    assert!(writes.len() > 2 && writes.iter().all(|write| *write > administrator[0]), "{asked:#?}");
    // Nobody else can, with the PIN or without.
    let verify = verify(PIN);
    let put = "00DB3FFF0A5C035FC1055303700100";
    let generate = "0047009A05AC03800107";
    for before in [&[SELECT][..], &[SELECT, &verify]] {
        for command in [put, generate] {
            let said = answers(&office.world, &[before, &[command]].concat());
            assert_eq!(said.last().expect("an answer").1, "6982", "{command}");
        }
    }
}

#[test]
fn row_43_after_the_update_and_a_new_insertion_there_are_four_certificates() {
    let office = office().serve();
    assert_eq!(office.listed(), BEFORE);
    let said = office.desk(&ACTIVATE).succeeds();
    assert!(said.contains(SUCCESS) && said.contains("Remove the card and put it in again"), "{said}");
    office.world.reinsert();
    assert_eq!(office.listed(), AFTER);
    office.signs("01", PIN, &RSA);
    office.agrees(PIN);
}

/// Debian's pcscd with vpcd, and a card that speaks T=0.
#[test]
fn row_43_the_same_through_pcscd() {
    let mut office = Office::open_in(World::with_pcscd(), OPENED);
    produce_of(&mut office, "cac-oberthur-v55", CARD, ISSUED);
    office.now = NOW;
    let vreader = office.world.plug(&[CARD]);
    assert_eq!(office.listed(), BEFORE);
    assert!(office.desk(&ACTIVATE).succeeds().contains(SUCCESS));
    assert_eq!(office.listed(), AFTER);
    office.signs("01", PIN, &RSA);
    office.agrees(PIN);
    drop(vreader);
}

#[test]
fn row_43_every_stock_of_such_cards_can_be_activated() {
    for profile in PROFILES.into_iter().filter(|profile| *profile != CAC_ONLY) {
        let mut office = Office::open(OPENED);
        produce_of(&mut office, profile, CARD, ISSUED);
        office.now = NOW;
        assert!(office.desk(&ACTIVATE).succeeds().contains(SUCCESS), "{profile}");
        assert_eq!(office.listed(), AFTER, "{profile}");
        office.agrees(PIN);
    }
}

/// Its containers can only be written through the issuer's secure channel.
#[test]
fn row_43_a_card_without_piv_has_nothing_to_activate_and_is_not_made() {
    let office = Office::open(OPENED);
    let produce = ["produce", CARD, "--profile", CAC_ONLY, "--holder", "1"];
    let said = office.cms(&produce).fails();
    assert!(said.contains("this is no PIV card"), "{said}");
    assert!(!office.world.path(CARD).exists() && office.json(&["list"]) == json!([]));
}

#[test]
fn row_44_whoever_has_not_the_software_is_told_what_is_missing() {
    let office = office();
    // A system on which nothing is installed.
    fs::create_dir_all(office.world.path("bare/etc")).expect("a folder");
    office.world.write("bare/etc/os-release", "ID=debian\n");
    let said = office.world.tool(VREADER).args(["doctor", "--root", "bare"]).run().text();
    for missing in ["pkcs11-tool", "OpenSC's PKCS#11 module", "pcscd"] {
        let found = said.lines().any(|line| line.trim().starts_with(&format!("no  {missing}")));
        assert!(found, "{missing}: {said}");
    }
    let install = said.lines().rfind(|line| line.contains("apt-get install")).expect("what to do");
    assert!(
        ["opensc", "opensc-pkcs11", "pcscd"].iter().all(|package| install.contains(package)),
        "{install}"
    );
    // And so is whoever has no card in the reader.
    let world = office.world.changed_to(&["--empty"]);
    let said = world.client(VREADER).args(["cms", "--now", NOW]).args(ACTIVATE).fails();
    assert!(said.contains("no reader has a card; there is \"vreader 00 00\" (empty)"), "{said}");
}

// Row 41.

/// Activates with a cut at the command with this number, and activates again. How many certificates there were in between;
/// nothing if there was no such command.
fn cut_and_go_on(original: &World<Run>, cut: Cut, at: usize) -> Option<usize> {
    let place = Place::new();
    for file in [CARD, "cms.db"] {
        fs::copy(original.path(file), place.file(file)).expect("a copy");
    }
    // GENERAL AUTHENTICATE with the card management key is the first of the write phase.
    let begins = |command: &[u8]| matches!(command, [_, 0x87, _, 0x9B, ..]);
    let world = World::with_fragile_card(place, Fragility { begins, at, cut });
    let office = Office { world, now: NOW };

    let outcome = office.desk(&ACTIVATE).run();
    if !office.world.was_cut() {
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        return None;
    }
    let when = format!("{cut:?} command {at}: {outcome}");
    assert!(outcome.code() == Some(1) && !outcome.text().contains(SUCCESS), "{when}");
    office.world.reinsert();
    let listed = office.listed();
    if listed.len() == BEFORE.len() {
        assert_eq!(listed, BEFORE, "{when}");
    } else {
        // Whole, before anybody went on.
        assert_eq!(listed, AFTER, "{when}");
        office.signs("01", PIN, &RSA);
    }
    office.desk(&ACTIVATE).succeeds();
    office.world.reinsert();
    assert_eq!(office.listed(), AFTER, "{when}");
    office.signs("01", PIN, &RSA);
    office.agrees(PIN);
    Some(listed.len())
}

#[test]
fn row_41_cut_before_and_after_each_command_the_update_is_brought_to_its_end() {
    let office = office();
    let found = thread::scope(|scope| {
        let of = |cut| {
            let world = &office.world;
            scope.spawn(move || (0..).map_while(|at| cut_and_go_on(world, cut, at)).collect::<Vec<_>>())
        };
        [of(Cut::Before), of(Cut::After)].map(|cuts| cuts.join().expect("each cut"))
    });
    for found in &found {
        eprintln!("cut at {} commands; certificates afterwards: {found:?}", found.len());
        // The old state until one command, and the new one from there on.
        assert!(
            found.len() > 8 && found.is_sorted() && found.first() == Some(&3) && found.last() == Some(&4)
        );
    }
}
