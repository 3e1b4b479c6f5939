//! What is refused in front of a card: another card, another holder, a wrong PIN, a card that somebody else works on.
//!
//! A refusal changes nothing, neither on the card nor in the database, and is in the log with its reason: `support::refused` compares.

use card_sim::{
    key::{SymmetricAlgorithm, SymmetricKey},
    profile::PIV,
};
use vreader::{
    card_client::{CardClient, CardIdentity, Line, LinkError},
    cms::{
        Access, Cms, CmsError, UpdateOptions,
        state::{RequestEvent, RequestKind},
    },
    emulated::EmulatedCard,
    issue::blank,
    reader::InsertedCard,
};

use crate::{
    support::{
        Office, PIN, access, assert_agree, assert_keys_fit, assigned, blank_card, card_of, image, issue, puk,
        registered, reinsert, report,
    },
    untouched::{assert_logged, refused, tables, to_be_renewed, update, wish},
};

const WRONG_PIN: &str = "000000";

fn update_with(
    cms: &mut Cms,
    card: &mut EmulatedCard,
    access: &Access,
    options: &UpdateOptions,
) -> Result<(), CmsError> {
    cms.update(&mut Line::local(card), access, options).map(drop)
}

#[test]
fn a_card_that_nobody_registered_is_refused() {
    let (office, ..) = to_be_renewed();
    let mut foreign = blank_card(2);
    refused(&office, &mut foreign, "is not in the database", update);
    let issue = |cms: &mut Cms, card: &mut EmulatedCard| {
        cms.issue(&mut Line::local(card), &access(Some(PIN), None), &UpdateOptions::default())
    };
    refused(&office, &mut foreign, "is not in the database", issue);
    refused(&office, &mut foreign, "is not in the database", |cms, card| {
        cms.compare(&mut Line::local(card), &access(None, None))
    });
    refused(&office, &mut foreign, "is not in the database", |cms, card| {
        let identity = CardIdentity::read(&mut Line::local(card)).unwrap();
        cms.check(&identity)
    });
}

#[test]
fn a_card_is_registered_once_and_with_its_own_key() {
    let (office, mut card, _) = to_be_renewed();
    let blank = blank::blank(&PIV, Some(1)).unwrap();
    refused(&office, &mut card, "is registered already: it is card 1", |cms, card| {
        cms.register(&mut Line::local(card), &blank.management_key, Some(&puk()))
    });
    let other = SymmetricKey::new(SymmetricAlgorithm::Aes192, &[0x55; 24]).unwrap();
    refused(&office, &mut blank_card(2), "did not take the card management key (9B)", |cms, card| {
        cms.register(&mut Line::local(card), &other, None)
    });
}

#[test]
fn another_card_than_the_one_that_is_meant_is_refused() {
    let (office, mut card, id) = to_be_renewed();
    let options = UpdateOptions { card: Some(id + 1), ..UpdateOptions::default() };
    refused(&office, &mut card, "the card in the reader is card 1, not card 2", |cms, card| {
        update_with(cms, card, &access(Some(PIN), None), &options)
    });
}

#[test]
fn a_card_of_somebody_else_is_refused() {
    let (office, mut card, _) = to_be_renewed();
    office.cms().add_holder(Some("Other Person Sample"), None).unwrap();
    let of = |holder: &str| UpdateOptions { holder: Some(holder.to_owned()), ..UpdateOptions::default() };
    for (holder, words) in [
        ("Other Person Sample", "card 1 is Dana Quincy Sample's, not Other Person Sample's"),
        ("Nobody At All", "there is no holder 'Nobody At All' in the database"),
    ] {
        refused(&office, &mut card, words, |cms, card| {
            update_with(cms, card, &access(Some(PIN), None), &of(holder))
        });
    }
    let mut stock = blank_card(2);
    registered(&mut office.cms(), &mut stock);
    refused(&office, &mut stock, "card 2 is nobody's, not Dana Quincy Sample's", |cms, card| {
        update_with(cms, card, &access(Some(PIN), None), &of("Dana Quincy Sample"))
    });
    update_with(&mut office.cms(), &mut card, &access(Some(PIN), None), &of("Dana Quincy Sample")).unwrap();
}

#[test]
fn the_rest_of_a_session_is_not_done_for_somebody_who_means_another_card() {
    let (office, mut card, id) = to_be_renewed();
    let mut commands = 0;
    let mut line = Line::new(|command| {
        commands += 1;
        if commands > 30 { Err(LinkError::Removed) } else { Ok(card.transmit(command)) }
    });
    let cut = office.cms().update(&mut line, &access(Some(PIN), None), &UpdateOptions::default());
    assert!(matches!(cut, Err(CmsError::Client(_))), "the session is interrupted");
    drop(line);
    assert_eq!(office.cms().open_sessions().unwrap().len(), 1);
    let options = UpdateOptions { card: Some(id + 1), ..UpdateOptions::default() };
    refused(&office, &mut card, "not card 2", |cms, card| {
        update_with(cms, card, &access(Some(PIN), None), &options)
    });
    assert!(update(&mut office.cms(), &mut card).unwrap().resumed);
    assert_agree(&mut office.cms(), &mut card, Some(PIN), "after the right card");
}

#[test]
fn a_wrong_pin_costs_one_try_and_nothing_else() {
    let (office, mut card, _) = to_be_renewed();
    let before = tables(&office);
    for left in ["2 tries are", "1 try is"] {
        let mut cms = office.cms();
        let error =
            update_with(&mut cms, &mut card, &access(Some(WRONG_PIN), None), &UpdateOptions::default());
        let error = error.unwrap_err().to_string();
        assert_eq!(error, format!("the PIN is wrong; {left} left before it is blocked"));
        assert_logged(&cms, &error);
        assert_eq!(tables(&office), before);
    }
    update(&mut office.cms(), &mut card).unwrap();
    assert_agree(&mut office.cms(), &mut card, Some(PIN), "after the right PIN");
}

#[test]
fn a_pin_without_the_form_of_one_is_not_shown_to_the_card() {
    for pin in ["12345", "123456789", "12345a", ""] {
        let error = Access::new(Some(pin), None).err().unwrap().to_string();
        assert_eq!(error, "a PIN has 6 to 8 digits; the card was not asked");
    }
}

#[test]
fn without_the_pin_that_is_to_be_set_nothing_is_begun() {
    let office = Office::new();
    let mut card = blank_card(1);
    let id = issue(&mut office.cms(), &mut card, "Dana Quincy Sample");
    wish(&mut office.cms(), id, RequestKind::Unlock);
    refused(&office, &mut card, "this needs a PIN", update);
}

#[test]
fn a_blocked_pin_is_refused_before_anything_is_written() {
    let (office, mut card, _) = to_be_renewed();
    block(&mut card);
    refused(&office, &mut card, "the PIN is blocked", update);
}

/// Spends all tries of the PIN.
fn block(card: &mut EmulatedCard) {
    let wrong = access(Some(WRONG_PIN), None).pin.unwrap();
    let mut line = Line::local(card);
    let mut client = CardClient::plain(&mut line).unwrap();
    while client.verify_pin(&wrong).is_err() && client.pin_tries().unwrap() != Some(0) {}
    assert_eq!(client.pin_tries().unwrap(), Some(0));
    drop(line);
    reinsert(card);
}

#[test]
fn a_pin_that_is_blocked_in_the_middle_leaves_a_session_that_ends_without_it() {
    let (office, mut card, id) = to_be_renewed();
    let wrong = [&[0x00, 0x20, 0x00, 0x80, 0x08][..], b"000000\xFF\xFF"].concat();
    let mut keys = 0;
    let mut line = Line::new(|command| {
        // Somebody else at the same reader, while the second key is made.
        keys += usize::from(command[1] == 0x47);
        if command[1] == 0x47 && keys == 2 {
            while card.transmit(&wrong)[..] != [0x69, 0x83] {}
        }
        Ok(card.transmit(command))
    });
    let mut cms = office.cms();
    let error = cms.update(&mut line, &access(Some(PIN), None), &UpdateOptions::default()).unwrap_err();
    drop(line);
    assert!(error.to_string().contains("the PIN is blocked"), "{error}");
    assert_logged(&cms, &error.to_string());
    reinsert(&mut card);
    assert_keys_fit(&mut card, "with the PIN blocked");

    // The card is unlocked after the renewal came to its end, which needs no PIN.
    let none = access(None, None);
    assert!(cms.update(&mut Line::local(&mut card), &none, &UpdateOptions::default()).unwrap().resumed);
    wish(&mut cms, id, RequestKind::Unlock);
    reinsert(&mut card);
    let new = access(None, Some(PIN));
    cms.update(&mut Line::local(&mut card), &new, &UpdateOptions::default()).unwrap();
    assert_agree(&mut cms, &mut card, Some(PIN), "after unlocking");
}

#[test]
fn a_card_whose_management_key_was_changed_is_refused_before_a_session_is_begun() {
    let (office, mut card, _) = to_be_renewed();
    // No command of this stock changes its key: the database is told another one instead.
    let other = rusqlite::Connection::open(office.database()).unwrap();
    other.execute("UPDATE card SET management_key = ?1", [[0x55_u8; 24].as_slice()]).unwrap();
    drop(other);
    refused(&office, &mut card, "did not take the card management key (9B)", update);
}

#[test]
fn two_operators_do_not_work_on_one_card() {
    let (office, mut card, _) = to_be_renewed();
    let before = tables(&office);
    let mut second = office.cms();
    let (mut tried, mut reasons) = (0, Vec::new());
    let mut other_line_card = card_of(&image(&mut card));
    let mut line = Line::new(|command| {
        // Before the session is begun, in its middle, and near its end.
        if command[1] == 0x47 && tried < 3 {
            tried += 1;
            let error = update(&mut second, &mut other_line_card).unwrap_err();
            assert_logged(&second, &error.to_string());
            reasons.push(error.to_string());
        }
        Ok(card.transmit(command))
    });
    let mut cms = office.cms();
    cms.update(&mut line, &access(Some(PIN), None), &UpdateOptions::default()).unwrap();
    drop(line);
    assert_eq!(tried, 3);
    let holder = format!("card 1 is being worked on by process {}", std::process::id());
    assert!(reasons.iter().all(|reason| reason.starts_with(&holder)), "{reasons:?}");
    assert_ne!(tables(&office), before, "the first one was not disturbed");
    assert_agree(&mut cms, &mut card, Some(PIN), "after the first operator");
}

#[test]
fn a_request_that_is_taken_back_while_it_is_planned_is_not_begun() {
    let (office, mut card, _) = to_be_renewed();
    let before = format!("{:?}", report(&mut card));
    let request = office.cms().requests().unwrap().last().unwrap().id;
    let mut second = office.cms();
    let mut line = Line::new(|command| {
        // VERIFY is the last before the session is written down.
        if command[1] == 0x20 {
            second.decide(request, RequestEvent::Cancel).unwrap();
        }
        Ok(card.transmit(command))
    });
    let mut cms = office.cms();
    let error = cms.update(&mut line, &access(Some(PIN), None), &UpdateOptions::default()).unwrap_err();
    drop(line);
    assert!(
        error.to_string().contains("is CANCELLED, and a request in this state cannot execute"),
        "{error}"
    );
    assert_logged(&cms, &error.to_string());
    assert_eq!(format!("{:?}", report(&mut card)), before);
    assert!(cms.open_sessions().unwrap().is_empty());
}

#[test]
fn a_card_that_was_produced_is_handed_over_with_the_pin_of_its_holder() {
    let office = Office::new();
    let (mut cms, mut card) = (office.cms(), blank_card(1));
    assigned(&mut cms, &mut card, "Dana Quincy Sample");
    let mut options = UpdateOptions::default();
    options.issue.produce = true;
    // The PIN that is given is not the card's yet, and is not tried.
    cms.issue(&mut Line::local(&mut card), &access(Some(PIN), None), &options).unwrap();
    reinsert(&mut card);
    let none = access(None, None);
    refused(&office, &mut card, "this needs a PIN", |cms, card| {
        cms.hand_over(&mut Line::local(card), &none).map(drop)
    });
    cms.hand_over(&mut Line::local(&mut card), &access(None, Some(PIN))).unwrap();
    assert_agree(&mut cms, &mut card, Some(PIN), "after it was handed over");
}

#[test]
fn a_card_without_a_known_unlock_code_has_none_to_tell() {
    let office = Office::new();
    let mut card = blank_card(1);
    let blank = blank::blank(&PIV, Some(1)).unwrap();
    let id = office.cms().register(&mut Line::local(&mut card), &blank.management_key, None).unwrap().id;
    refused(
        &office,
        &mut card,
        "no unlock code (PUK) of card 1 is known; use challenge and response",
        |cms, _| cms.unlock_code(id).map(drop),
    );
    refused(&office, &mut card, "there is no card 77 in the database", |cms, _| {
        cms.unlock_code(77).map(drop)
    });
}
