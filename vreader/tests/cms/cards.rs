//! Cards that cannot do all that is asked for: no import of keys, no room for another retired key, a key that nobody kept, a PUK that the
//! holder changed; and cards with secure messaging.

use card_sim::{
    key::KeyReference,
    profile::{NIST_SD33, PIV},
    sm::CipherSuite,
};
use vreader::{
    card_client::{CardClient, Line},
    clock::Clock,
    cms::{
        Cms, UpdateOptions, Updated, Wish,
        state::{DeviceState, Reason, RequestEvent, RequestKind},
    },
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    issue::{Features, Pki, Request, SecureMessaging, blank, issue_under},
    reader::{InsertedCard, Interface},
};

use crate::{
    support::{Office, PIN, access, assert_agree, assigned, blank_card, issue, puk, reinsert, slots},
    untouched::{refused, update, wish},
};

/// Makes a request about one key, and does it.
fn change(
    cms: &mut Cms,
    card: &mut EmulatedCard,
    (kind, slot): (RequestKind, KeyReference),
    options: &UpdateOptions,
) -> Updated {
    let id = cms.cards().unwrap()[0].id;
    cms.request(&of_slot(id, kind, slot)).unwrap();
    let updated = cms.update(&mut Line::local(card), &access(Some(PIN), None), options).unwrap();
    reinsert(card);
    updated
}

fn of_slot(id: i64, kind: RequestKind, slot: KeyReference) -> Wish {
    Wish { slots: vec![slot], ..Wish::new(id, kind, Reason::None) }
}

/// Encryption keys are made on the card.
fn without_recovery() -> UpdateOptions {
    let mut options = UpdateOptions::default();
    options.issue.recover = false;
    options
}

#[test]
fn a_stock_that_takes_no_keys_has_all_of_them_made_on_the_card() {
    let office = Office::new();
    let blank = blank::blank(&NIST_SD33, Some(1)).unwrap();
    let card = EmulatedCard::in_memory(&NIST_SD33, NIST_SD33.default_tries, &blank).unwrap();
    let (mut cms, mut card) = (office.cms(), powered(card));
    let id = assigned(&mut cms, &mut card, "Dana Quincy Sample");
    wish(&mut cms, id, RequestKind::Issuance);
    refused(&office, &mut card, "takes no key that was made elsewhere", update);
    let options = without_recovery();
    cms.update(&mut Line::local(&mut card), &access(Some(PIN), None), &options).unwrap();
    reinsert(&mut card);
    assert_agree(&mut cms, &mut card, Some(PIN), "after issuance");

    // It deletes no keys either: another one is made, which nobody has a certificate for.
    change(&mut cms, &mut card, (RequestKind::Removal, KeyReference::KeyManagement), &options);
    assert_eq!(slots(&mut card), ["9A", "9C", "9E"]);
    let addition = cms.request(&of_slot(id, RequestKind::Addition, KeyReference::KeyManagement)).unwrap();
    refused(&office, &mut card, "takes no key that was made elsewhere", update);
    cms.decide(addition.id, RequestEvent::Cancel).unwrap();
    assert_agree(&mut cms, &mut card, Some(PIN), "after the refused addition");

    cms.terminate(id, Reason::Damaged).unwrap();
    wish(&mut cms, id, RequestKind::Recycling);
    update(&mut cms, &mut card).unwrap();
    assert!(slots(&mut card).is_empty());
    assert_eq!(cms.card(id).unwrap().state, DeviceState::Available);
}

#[test]
fn an_encryption_key_that_nobody_kept_is_replaced_on_demand_only() {
    let office = Office::new();
    let (mut cms, mut card) = (office.cms(), blank_card(1));
    let id = assigned(&mut cms, &mut card, "Dana Quincy Sample");
    wish(&mut cms, id, RequestKind::Issuance);
    cms.update(&mut Line::local(&mut card), &access(Some(PIN), None), &without_recovery()).unwrap();
    reinsert(&mut card);
    cms.request(&of_slot(id, RequestKind::Renewal, KeyReference::KeyManagement)).unwrap();
    refused(&office, &mut card, "was never kept here", update);
    let options = UpdateOptions { lose_old_key: true, ..UpdateOptions::default() };
    cms.update(&mut Line::local(&mut card), &access(Some(PIN), None), &options).unwrap();
    assert_agree(&mut cms, &mut card, Some(PIN), "after the loss of the old key");
    assert_eq!(slots(&mut card), ["9A", "9C", "9D", "9E"]);
}

#[test]
fn a_card_keeps_twenty_retired_keys() {
    let office = Office::new();
    let (mut cms, mut card) = (office.cms(), blank_card(1));
    let id = issue(&mut cms, &mut card, "Dana Quincy Sample");
    for _ in 0..20 {
        let options = UpdateOptions::default();
        change(&mut cms, &mut card, (RequestKind::Renewal, KeyReference::KeyManagement), &options);
    }
    assert_eq!(slots(&mut card).len(), 24);
    cms.request(&of_slot(id, RequestKind::Renewal, KeyReference::KeyManagement)).unwrap();
    refused(&office, &mut card, "the card has no room for another retired key: it has 20 already", update);
    assert_agree(&mut cms, &mut card, Some(PIN), "with all places taken");
}

#[test]
fn what_is_not_there_is_neither_renewed_nor_removed_and_what_is_there_is_not_added() {
    let office = Office::new();
    let (mut cms, mut card) = (office.cms(), blank_card(1));
    let id = issue(&mut cms, &mut card, "Dana Quincy Sample");
    let signature = KeyReference::DigitalSignature;
    let attempt = |card: &mut EmulatedCard, kind, words| {
        let mut cms = office.cms();
        let request = cms.request(&of_slot(id, kind, signature)).unwrap().id;
        refused(&office, card, words, update);
        cms.decide(request, RequestEvent::Cancel).unwrap();
    };
    attempt(&mut card, RequestKind::Addition, "card 1 has a credential in 9C already");
    change(&mut cms, &mut card, (RequestKind::Removal, signature), &UpdateOptions::default());
    attempt(&mut card, RequestKind::Removal, "card 1 has no credential in 9C");
    attempt(&mut card, RequestKind::Renewal, "card 1 has no credential in 9C");
}

#[test]
fn a_card_whose_puk_is_not_the_known_one_is_unlocked_by_the_administrator() {
    let office = Office::new();
    let (mut cms, mut card) = (office.cms(), blank_card(1));
    let id = issue(&mut cms, &mut card, "Dana Quincy Sample");
    let known = cms.unlock_code(id).unwrap();
    let mut line = Line::local(&mut card);
    CardClient::plain(&mut line).unwrap().change_puk(&known, &puk()).unwrap();
    drop(line);
    // As often as it takes to block it.
    for (number, pin) in ["135790", "246802", "975310", "864209"].into_iter().enumerate() {
        wish(&mut cms, id, RequestKind::Unlock);
        cms.update(&mut Line::local(&mut card), &access(None, Some(pin)), &UpdateOptions::default()).unwrap();
        assert_agree(&mut cms, &mut card, Some(pin), &format!("unlocked {} times", number + 1));
    }
}

fn powered(mut card: EmulatedCard) -> EmulatedCard {
    card.power_on(Interface::Contact);
    card
}

/// A card with secure messaging, under the authorities of an office.
fn with_secure_messaging(office: &Office, suite: CipherSuite, seed: u64) -> EmulatedCard {
    let mut crypto = DefaultCrypto::default();
    let algorithm = card_sim::key::AsymmetricAlgorithm::EccP256;
    let pki = Pki::create(Some(seed), algorithm, Clock::At(office.now).today(), &mut crypto).unwrap();
    let features = Features {
        secure_messaging: Some(SecureMessaging { suite, intermediate: false }),
        ..Features::default()
    };
    let request = Request { seed: Some(9), features, issued: Some(office.now.date()), ..Request::default() };
    let made = issue_under(&request, pki, &mut crypto, &mut |_| {}).unwrap();
    powered(EmulatedCard::in_memory(&PIV, PIV.default_tries, &made).unwrap())
}

#[test]
fn cards_with_secure_messaging_are_managed_under_it() {
    let office = Office::new();
    let (mut cms, mut card) = (office.cms(), with_secure_messaging(&office, CipherSuite::Cs2, 1));
    let id = assigned(&mut cms, &mut card, "Dana Quincy Sample");
    wish(&mut cms, id, RequestKind::Issuance);
    assert!(update(&mut cms, &mut card).unwrap().protected);
    assert_agree(&mut cms, &mut card, Some(PIN), "after issuance");
    for kind in [RequestKind::Renewal, RequestKind::Lock] {
        wish(&mut cms, id, kind);
        reinsert(&mut card);
        assert!(update(&mut cms, &mut card).unwrap().protected, "{kind}");
    }
    wish(&mut cms, id, RequestKind::Unlock);
    reinsert(&mut card);
    let new = access(None, Some("135790"));
    let unlocked = cms.update(&mut Line::local(&mut card), &new, &UpdateOptions::default()).unwrap();
    assert!(unlocked.protected);
    assert_agree(&mut cms, &mut card, Some("135790"), "after unlocking");
}

#[test]
fn secure_messaging_with_a_card_of_another_authority_is_refused() {
    let office = Office::new();
    let mut card = with_secure_messaging(&office, CipherSuite::Cs2, 2);
    refused(&office, &mut card, "secure messaging with the card failed", update);
}
