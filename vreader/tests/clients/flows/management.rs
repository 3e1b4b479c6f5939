//! Rows 48 to 50: a card is issued and renewed, credentials come and go, and after each of these other programs, a server with the
//! revocation list and the reader of old mail agree.

use std::fs;

use serde_json::json;

use super::{
    cut::{Cut, Fragility},
    issued::{
        ENCRYPTION_KEY, ISSUED, LOGIN_KEY, NOW, PIN, RETIRED_KEY, assigned, credentials, is_accepted,
        is_readable, is_refused, office, open, serial, server, works, write_to,
    },
    office::{AUTHENTICATION, CARD_AUTHENTICATION, ECDSA, ENCRYPTION, HOLDER, Office, RETIRED, RSA},
};
use crate::{
    cac::{self, GEMALTO, opensc},
    card::{self, CARD, VREADER},
    opensc_tool::{SELECT, answers, verify},
    openssl::MESSAGE,
    world::World,
};

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

/// The e-mail certificates of a Common Access Card are those of PIV under another name: both faces show the new ones.
#[test]
fn row_48_both_faces_of_a_common_access_card_are_renewed() {
    let office = Office::open(NOW);
    office.cms(&["produce", CARD, "--profile", GEMALTO, "--holder", "1", "--pin", PIN]).succeeds();
    write_to(&office, "old.p7m");
    let of_cac = |id: &str| {
        let words = ["--read-object", "--type", "cert", "--id", id, "--output-file", "cac.der"];
        opensc(&office.world, "cac", &words).succeeds();
        office.world.openssl(["x509", "-inform", "DER", "-in", "cac.der", "-noout", "-serial"])
    };
    let old = [cac::IDENTITY, cac::SIGNATURE, cac::ENCRYPTION].map(of_cac);
    office.desk(&["renew", "--pin", PIN]).succeeds();
    let new = [cac::IDENTITY, cac::SIGNATURE, cac::ENCRYPTION].map(of_cac);
    assert_eq!([0, 1, 2].map(|number| old[number] == new[number]), [true, false, false]);
    assert_eq!(new[1..], ["02", ENCRYPTION_KEY].map(|id| serial(&office, id)));
    let said = opensc(&office.world, "cac", &["--login", "--pin", PIN, "--test"]).succeeds();
    assert!(said.contains("No errors"), "{said}");
    is_readable(&office, "old.p7m", RETIRED_KEY);
    office.signs(LOGIN_KEY, PIN, &RSA);
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

/// Whether the card has its old PUK or the new one, nobody knows then.
#[test]
fn row_50_a_card_whose_issuance_was_given_up_goes_back_into_stock() {
    for cut in [Cut::Before, Cut::After] {
        let Office { world, now } = assigned();
        // CHANGE REFERENCE DATA
        let begins = |command: &[u8]| matches!(command, [_, 0x24, ..]);
        let world = World::with_fragile_card(world.place, Fragility { begins, at: 0, cut });
        let office = Office { world, now };
        let said = office.desk(&["issue", "--pin", PIN]).fails();
        assert!(said.contains("the card was lost") && office.world.was_cut(), "{said}");
        office.cms(&["terminate", "1", "--reason", "damaged"]).succeeds();
        office.cms(&["request", "recycling", "1"]).succeeds();
        office.world.reinsert();
        office.desk(&["update"]).succeeds();
        office.cms(&["assign", "1", HOLDER]).succeeds();
        office.desk(&["issue", "--pin", PIN]).succeeds();
        works(&office, PIN);
        office.agrees(PIN);
    }
}

/// YubiKeys, which have no room for a face; the older one deletes no keys.
#[test]
fn row_50_a_yubikey_becomes_its_holders() {
    for (profile, algorithm) in [("yubikey5-4", "3des"), ("yubikey5", "aes192")] {
        let office = Office::open(NOW);
        office.world.tool(VREADER).args(["card", "new", CARD, "--profile", profile]).succeeds();
        office.desk(&["register", "--management-algorithm", algorithm]).succeeds();
        office.cms(&["assign", "1", HOLDER]).succeeds();
        office.desk(&["issue", "--pin", PIN]).succeeds();
        assert_eq!(office.listed(), ISSUED, "{profile}");
        works(&office, PIN);
        office.desk(&["renew", "--pin", PIN]).succeeds();
        assert_eq!(office.listed().len(), 5, "{profile}");
        works(&office, PIN);
        let status = office.world.client("yubico-piv-tool").args(["--action", "status"]).succeeds();
        assert!(status.contains("Slot 9a") && status.contains("PIN tries left:\t3"), "{status}");
        office.agrees(PIN);
    }
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
