//! Requests and states: what no table allows is refused, in every state and by every action; and what expired, was denied or is not
//! approved is not done.

use std::time::Duration;

use card_sim::crypto::Crypto;
use vreader::{
    card_client::{CardClient, ClientError, Line, LinkError},
    cms::{
        Cms, CmsError, UNLOCK_VALIDITY, UpdateOptions, Wish,
        state::{DeviceEvent, DeviceState, Reason, RequestEvent, RequestKind, RequestState},
    },
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    issue::blank,
    reader::InsertedCard,
};

use crate::{
    support::{Office, PIN, access, assert_agree, assigned, blank_card, image, issue, registered, reinsert},
    untouched::{assert_logged, refused, update, wish},
};

/// A card in this state; its number.
fn in_state(state: DeviceState, office: &Office, card: &mut EmulatedCard) -> i64 {
    let mut cms = office.cms();
    let none = &UpdateOptions::default();
    if state == DeviceState::Available {
        return registered(&mut cms, card);
    }
    let id = assigned(&mut cms, card, "Dana Quincy Sample");
    let mut options = UpdateOptions::default();
    match state {
        DeviceState::Assigned => return id,
        DeviceState::InProduction => {
            let mut line = Line::new(|command| {
                if command[1] == 0x47 { Err(LinkError::Removed) } else { Ok(card.transmit(command)) }
            });
            cms.issue(&mut line, &access(Some(PIN), None), none).unwrap_err();
            drop(line);
            reinsert(card);
            return id;
        }
        DeviceState::Produced => options.issue.produce = true,
        _ => {}
    }
    cms.issue(&mut Line::local(card), &access(Some(PIN), None), &options).unwrap();
    reinsert(card);
    match state {
        DeviceState::Invalid => {
            wish(&mut cms, id, RequestKind::Lock);
            update(&mut cms, card).unwrap();
            reinsert(card);
        }
        DeviceState::Terminated => drop(cms.terminate(id, Reason::Damaged).unwrap()),
        _ => {}
    }
    id
}

type Action = fn(&mut Cms, &mut EmulatedCard, i64) -> Result<(), CmsError>;

/// Every action that asks the table of devices, and what it asks.
const ACTIONS: &[(&str, DeviceEvent, Action)] = &[
    ("assign", DeviceEvent::Assign, |cms, _, id| cms.assign(id, "Dana Quincy Sample").map(drop)),
    ("unassign", DeviceEvent::Unassign, |cms, _, id| cms.unassign(id).map(drop)),
    ("hand over", DeviceEvent::HandOver, |cms, card, _| {
        cms.hand_over(&mut Line::local(card), &access(None, Some(PIN))).map(drop)
    }),
    ("terminate", DeviceEvent::Terminate, |cms, _, id| cms.terminate(id, Reason::Lost).map(drop)),
];

#[test]
fn no_action_and_no_request_leaves_the_tables() {
    let mut legal = 0;
    for state in DeviceState::ALL {
        let office = Office::new();
        let mut card = blank_card(1);
        let id = in_state(*state, &office, &mut card);
        assert_eq!(office.cms().card(id).unwrap().state, *state);
        if office.cms().holders().unwrap().is_empty() {
            office.cms().add_holder(Some("Dana Quincy Sample"), None).unwrap();
        }
        // What is begun is brought to its end by whoever puts the card in, so that only what needs no card is tried.
        let begun = *state == DeviceState::InProduction;
        for (name, event, run) in ACTIONS {
            let allowed = state.after(*event, "it").is_ok();
            if allowed || (begun && *name == "hand over") {
                legal += usize::from(allowed);
                continue;
            }
            let words = format!("is {state}, and a card in this state cannot {event}");
            refused(&office, &mut card, &words, |cms, card| run(cms, card, id));
        }
        for kind in RequestKind::ALL {
            if kind.states().contains(state) {
                continue;
            }
            let words = format!("card {id} is {state}; a request for {kind} needs a card that is ");
            refused(&office, &mut card, &words, |cms, _| cms.request(&Wish::new(id, *kind, Reason::None)));
        }
        if !begun {
            refused(&office, &mut card, "no update is pending for card 1", update);
        }
    }
    // Assign, unassign and hand over once each; terminate in five states.
    assert_eq!(legal, 8);
}

/// An office with an issued card.
fn issued() -> (Office, EmulatedCard, i64) {
    let office = Office::new();
    let mut card = blank_card(1);
    let id = issue(&mut office.cms(), &mut card, "Dana Quincy Sample");
    (office, card, id)
}

#[test]
fn a_card_has_one_open_request() {
    let (office, mut card, id) = issued();
    wish(&mut office.cms(), id, RequestKind::Renewal);
    for kind in [RequestKind::Renewal, RequestKind::Lock, RequestKind::Unlock, RequestKind::Replacement] {
        refused(&office, &mut card, "card 1 has an open request already: request 2 (renewal)", |cms, _| {
            cms.request(&Wish::new(id, kind, Reason::None))
        });
    }
    refused(&office, &mut card, "has an open request already", |cms, _| cms.terminate(id, Reason::Lost));
}

#[test]
fn two_requests_at_once_make_one() {
    let (office, _, id) = issued();
    let made: Vec<_> = std::thread::scope(|scope| {
        let operators: Vec<_> = (0..4)
            .map(|_| {
                let mut cms = office.cms();
                scope.spawn(move || cms.request(&Wish::new(id, RequestKind::Renewal, Reason::None)))
            })
            .collect();
        operators.into_iter().map(|operator| operator.join().unwrap()).collect()
    });
    assert_eq!(made.iter().filter(|result| result.is_ok()).count(), 1);
    for error in made.into_iter().filter_map(Result::err) {
        assert!(matches!(error, CmsError::OpenRequest { .. }), "{error}");
    }
    let cms = office.cms();
    assert_eq!(cms.requests().unwrap().iter().filter(|request| request.state.is_open()).count(), 1);
    let refusals = cms.audit(Some(id)).unwrap();
    assert_eq!(refusals.iter().filter(|entry| entry.detail.contains("has an open request")).count(), 3);
}

#[test]
fn one_card_takes_the_place_of_another() {
    let (office, _, old) = issued();
    wish(&mut office.cms(), old, RequestKind::Replacement);
    let stock: Vec<_> = (2..=5).map(|seed| registered(&mut office.cms(), &mut blank_card(seed))).collect();
    let assigned: Vec<_> = std::thread::scope(|scope| {
        let operator = |new: i64| {
            let mut cms = office.cms();
            scope.spawn(move || cms.assign_replacement(new, old).map(drop))
        };
        let operators: Vec<_> = stock.iter().copied().map(operator).collect();
        operators.into_iter().map(|operator| operator.join().unwrap()).collect()
    });
    assert_eq!(assigned.iter().filter(|result| result.is_ok()).count(), 1);
    for error in assigned.into_iter().filter_map(Result::err) {
        assert!(error.to_string().ends_with("is to replace card 1 already"), "{error}");
    }
    let taken = |id: &&i64| office.cms().card(**id).unwrap().state == DeviceState::Assigned;
    assert_eq!(stock.iter().filter(taken).count(), 1);
}

#[test]
fn a_card_with_an_open_request_does_not_go_back_into_stock() {
    let office = Office::new();
    let mut card = blank_card(1);
    let id = assigned(&mut office.cms(), &mut card, "Dana Quincy Sample");
    let request = wish(&mut office.cms(), id, RequestKind::Issuance);
    refused(&office, &mut card, "card 1 has an open request already", |cms, _| cms.unassign(id));
    office.cms().decide(request.id, RequestEvent::Cancel).unwrap();
    assert_eq!(office.cms().unassign(id).unwrap().state, DeviceState::Available);
}

#[test]
fn what_nobody_approved_is_not_done() {
    let (office, mut card, id) = issued();
    let wanted = Wish { approved: false, ..Wish::new(id, RequestKind::Renewal, Reason::None) };
    let request = office.cms().request(&wanted).unwrap();
    refused(&office, &mut card, "request 2 (renewal) waits for approval", update);
    assert_eq!(office.cms().decide(request.id, RequestEvent::Deny).unwrap().state, RequestState::Denied);
    refused(&office, &mut card, "no update is pending", update);
    for event in [RequestEvent::Approve, RequestEvent::Cancel, RequestEvent::Deny, RequestEvent::Execute] {
        let words = format!("is DENIED, and a request in this state cannot {event}; it is final");
        refused(&office, &mut card, &words, |cms, _| cms.decide(request.id, event));
    }
    let request = office.cms().request(&wanted).unwrap();
    office.cms().decide(request.id, RequestEvent::Approve).unwrap();
    update(&mut office.cms(), &mut card).unwrap();
    refused(&office, &mut card, "there is no request 77", |cms, _| cms.decide(77, RequestEvent::Approve));
}

#[test]
fn a_request_that_was_begun_is_not_taken_back() {
    let (office, mut card, id) = issued();
    let request = wish(&mut office.cms(), id, RequestKind::Renewal).id;
    interrupt(&office, &mut card, &access(Some(PIN), None));
    for event in [RequestEvent::Cancel, RequestEvent::Deny, RequestEvent::Approve] {
        refused(&office, &mut card, "was begun already, and the card may be changed", |cms, _| {
            cms.decide(request, event)
        });
    }
    update(&mut office.cms(), &mut card).unwrap();
    assert_agree(&mut office.cms(), &mut card, Some(PIN), "after the end");
}

/// An update whose card is taken out after the command that follows the session's beginning.
fn interrupt(office: &Office, card: &mut EmulatedCard, access: &vreader::cms::Access) {
    let path = office.database();
    let begun = || {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.query_row("SELECT COUNT(*) FROM session", [], |row| row.get::<_, i64>(0)).unwrap() > 0
    };
    let mut after = 0;
    let mut line = Line::new(|command| {
        after += usize::from(begun());
        if after > 1 { Err(LinkError::Removed) } else { Ok(card.transmit(command)) }
    });
    office.cms().update(&mut line, access, &UpdateOptions::default()).unwrap_err();
    drop(line);
    reinsert(card);
    assert_eq!(office.cms().open_sessions().unwrap().len(), 1);
}

#[test]
fn a_request_to_unlock_is_good_for_ten_minutes() {
    for (seconds, done) in [(599, true), (600, true), (601, false)] {
        let (mut office, mut card, id) = issued();
        let request = wish(&mut office.cms(), id, RequestKind::Unlock);
        assert_eq!(request.expires.unwrap().since(request.created), UNLOCK_VALIDITY);
        office.now = office.now.plus(Duration::from_secs(seconds));
        let before = image(&mut card);
        let mut cms = office.cms();
        let new = access(None, Some("135790"));
        let result = cms.update(&mut Line::local(&mut card), &new, &UpdateOptions::default());
        let state = cms.requests().unwrap().last().unwrap().state;
        if done {
            result.unwrap();
            assert_eq!(state, RequestState::Executed, "after {seconds} s");
        } else {
            let error = result.unwrap_err().to_string();
            assert_eq!(
                error,
                "request 2 (unlock) expired on 2026-01-05T09:10:00Z, and it is 2026-01-05T09:10:01Z; make a new one"
            );
            assert_logged(&cms, &error);
            // Only that it expired is new.
            assert_eq!(state, RequestState::Expired);
            assert!(image(&mut card) == before);
            wish(&mut cms, id, RequestKind::Unlock);
        }
    }
}

#[test]
fn what_expired_is_not_approved_any_more() {
    let (mut office, mut card, id) = issued();
    let wanted = Wish { approved: false, ..Wish::new(id, RequestKind::Unlock, Reason::None) };
    let request = office.cms().request(&wanted).unwrap().id;
    office.now = office.now.plus(Duration::from_secs(601));
    refused(&office, &mut card, "request 2 (unlock) expired on", |cms, _| {
        cms.decide(request, RequestEvent::Approve)
    });
}

#[test]
fn a_session_that_was_begun_in_time_is_finished_later() {
    let (mut office, mut card, id) = issued();
    wish(&mut office.cms(), id, RequestKind::Unlock);
    interrupt(&office, &mut card, &access(None, Some("135790")));
    office.now = office.now.plus(Duration::from_hours(1));
    // Neither a new request nor a challenge takes the old one's place.
    refused(&office, &mut card, "request 2 (unlock) was begun already", |cms, _| {
        cms.request(&Wish::new(id, RequestKind::Unlock, Reason::None))
    });
    let new = access(None, Some("135790"));
    let mut cms = office.cms();
    assert!(cms.update(&mut Line::local(&mut card), &new, &UpdateOptions::default()).unwrap().resumed);
    assert_agree(&mut cms, &mut card, Some("135790"), "after the end");
}

#[test]
fn a_challenge_is_answered_for_an_open_request_to_unlock_only() {
    let (office, mut card, id) = issued();
    refused(&office, &mut card, "no update is pending for card 1", |cms, _| cms.respond(id, &[0; 16]));
    let renewal = wish(&mut office.cms(), id, RequestKind::Renewal);
    refused(&office, &mut card, "waits for request 2 (renewal), not for unlocking", |cms, _| {
        cms.respond(id, &[0; 16])
    });
    office.cms().decide(renewal.id, RequestEvent::Cancel).unwrap();
    wish(&mut office.cms(), id, RequestKind::Unlock);
    for length in [0, 8, 15, 17, 32] {
        let words = format!("the challenge has {length} bytes, and this card's has 16");
        refused(&office, &mut card, &words, |cms, _| cms.respond(id, &vec![0; length]));
    }
    interrupt(&office, &mut card, &access(None, Some(PIN)));
    refused(&office, &mut card, "was begun already", |cms, _| cms.respond(id, &[0; 16]));
}

#[test]
fn a_wrong_response_is_refused_by_the_card() {
    let (office, mut card, id) = issued();
    let key = blank::blank(&card_sim::profile::PIV, Some(1)).unwrap().management_key;
    let algorithm = key.algorithm().id();
    wish(&mut office.cms(), id, RequestKind::Unlock);
    let before = image(&mut card);
    let new = access(None, Some("135790")).new_pin.unwrap();
    let mut line = Line::local(&mut card);
    let mut client = CardClient::plain(&mut line).unwrap();
    let mut refuse = |response: &[u8]| {
        let error = client.respond(algorithm, response).unwrap_err();
        assert!(matches!(error, ClientError::ManagementKey), "{error}");
        let unblocked = client.reset_pin_as_administrator(&new).unwrap_err();
        assert!(matches!(unblocked, ClientError::Refused { status: 0x6982, .. }), "{unblocked}");
        client.challenge(algorithm).unwrap()
    };
    // Without a challenge; too short; the answer to another card's challenge; that to an earlier one of this card.
    refuse(&[0; 16]);
    let mut earlier = refuse(&[0; 8]);
    DefaultCrypto::default().encrypt_block(&key, &mut earlier).unwrap();
    refuse(&[0x5A; 16]);
    refuse(&earlier);
    drop(line);
    assert!(image(&mut card) == before, "nothing was written");
    // The answer to a challenge is taken.
    let mut line = Line::local(&mut card);
    let mut client = CardClient::plain(&mut line).unwrap();
    let challenge = client.challenge(algorithm).unwrap();
    let response = office.cms().respond(id, &challenge).unwrap();
    client.respond(algorithm, &response).unwrap();
    client.reset_pin_as_administrator(&new).unwrap();
    client.verify_pin(&new).unwrap();
}

#[test]
fn the_unlock_code_of_a_locked_card_is_told_to_nobody() {
    let (office, mut card, id) = issued();
    office.cms().unlock_code(id).unwrap();
    wish(&mut office.cms(), id, RequestKind::Lock);
    update(&mut office.cms(), &mut card).unwrap();
    refused(&office, &mut card, "card 1 is locked: its unlock code is told to nobody", |cms, _| {
        cms.unlock_code(id).map(drop)
    });
}

#[test]
fn a_card_that_is_being_replaced_is_neither_unlocked_nor_taken_for_its_replacement() {
    let (office, mut card, id) = issued();
    let request = wish(&mut office.cms(), id, RequestKind::Replacement).id;
    refused(&office, &mut card, "card 1 is being replaced: its unlock code is told to nobody", |cms, _| {
        cms.unlock_code(id).map(drop)
    });
    refused(&office, &mut card, "is being replaced; cancel the replacement", |cms, _| {
        cms.respond(id, &[0; 16])
    });
    refused(&office, &mut card, "is done by issuing the replacement, not on card 1", update);

    let mut new = blank_card(2);
    let second = registered(&mut office.cms(), &mut new);
    refused(&office, &mut new, "there is no request for the replacement of card 2", |cms, _| {
        cms.assign_replacement(second, second)
    });
    office.cms().assign_replacement(second, id).unwrap();
    let third = registered(&mut office.cms(), &mut blank_card(3));
    refused(&office, &mut new, "card 2 is to replace card 1 already", |cms, _| {
        cms.assign_replacement(third, id)
    });

    // The replacement is begun: now the request for it stays.
    wish(&mut office.cms(), second, RequestKind::Issuance);
    interrupt(&office, &mut new, &access(Some(PIN), None));
    refused(&office, &mut new, "request 2 (replacement) was begun already", |cms, _| {
        cms.decide(request, RequestEvent::Cancel)
    });
    update(&mut office.cms(), &mut new).unwrap();
    assert_agree(&mut office.cms(), &mut new, Some(PIN), "after the replacement");
    assert_eq!(office.cms().card(id).unwrap().state, DeviceState::Terminated);
}

#[test]
fn a_replacement_that_is_not_approved_or_taken_back_is_not_done() {
    let (office, mut card, id) = issued();
    let wanted = Wish { approved: false, ..Wish::new(id, RequestKind::Replacement, Reason::Forgotten) };
    let request = office.cms().request(&wanted).unwrap().id;
    let mut new = blank_card(2);
    let second = registered(&mut office.cms(), &mut new);
    refused(&office, &mut card, "waits for approval", |cms, _| cms.assign_replacement(second, id));
    office.cms().decide(request, RequestEvent::Approve).unwrap();
    office.cms().assign_replacement(second, id).unwrap();
    office.cms().decide(request, RequestEvent::Cancel).unwrap();
    assert_eq!(office.cms().card(id).unwrap().state, DeviceState::Issued);
    wish(&mut office.cms(), second, RequestKind::Issuance);
    refused(&office, &mut new, "there is no request for the replacement of card 1", update);
}
