//! Days and seconds at their edges: when a certificate is due, how long it lives, the card's last day, and 28 February 2018.

use std::time::Duration;

use card_sim::{key::KeyReference, profile::Profile};
use vreader::{
    card_client::{CardIdentity, Line},
    clock::Time,
    cms::{
        LoginCertificate, RENEWAL_WINDOW, UpdateOptions, Wish,
        state::{Reason, RequestEvent, RequestKind},
    },
    console::activation,
    emulated::EmulatedCard,
    issue::DEFAULT_PIN,
};

use crate::{
    support::{
        Office, PIN, access, assert_agree, assigned, blank_card, card_in, issue, reinsert, slots, time,
    },
    untouched::{refused, update, wish},
};

const SECOND: Duration = Duration::from_secs(1);

fn before(time: Time, span: Duration) -> Time {
    Time::from_seconds(time.seconds() - span.as_secs())
}

/// What the management system says of a card at a time.
fn is_due(office: &mut Office, card: &mut EmulatedCard, now: Time) -> bool {
    office.now = now;
    let identity = CardIdentity::read(&mut Line::local(card)).unwrap();
    office.cms().check(&identity).unwrap().is_some()
}

#[test]
fn a_certificate_is_due_thirty_days_before_its_end() {
    let mut office = Office::new();
    let mut card = blank_card(1);
    let id = issue(&mut office.cms(), &mut card, "Dana Quincy Sample");
    let ends = office.cms().credentials(id).unwrap().iter().map(|placed| placed.credential.not_after).min();
    let edge = before(ends.unwrap(), RENEWAL_WINDOW);
    assert!(!is_due(&mut office, &mut card, before(edge, SECOND)));
    assert!(office.cms().requests().unwrap().iter().all(|request| !request.state.is_open()));
    assert!(is_due(&mut office, &mut card, edge));
    // It is asked for once.
    assert!(is_due(&mut office, &mut card, edge.plus(SECOND)));
    let cms = office.cms();
    let open: Vec<_> =
        cms.requests().unwrap().into_iter().filter(|request| request.state.is_open()).collect();
    assert_eq!(
        (open.len(), open[0].kind, open[0].details.as_str()),
        (1, RequestKind::Renewal, "9A 9C 9D 9E")
    );
    drop(cms);
    update(&mut office.cms(), &mut card).unwrap();
    assert_agree(&mut office.cms(), &mut card, Some(PIN), "after the renewal");
    let now = office.now;
    assert!(!is_due(&mut office, &mut card, now));
}

#[test]
fn no_certificate_outlives_its_card() {
    let mut office = Office::new();
    let (mut cms, mut card) = (office.cms(), blank_card(1));
    let id = assigned(&mut cms, &mut card, "Dana Quincy Sample");
    wish(&mut cms, id, RequestKind::Issuance);
    let mut options = UpdateOptions::default();
    options.issue.expires = Some("2027-03-01".parse().unwrap());
    cms.update(&mut Line::local(&mut card), &access(Some(PIN), None), &options).unwrap();
    reinsert(&mut card);
    let last = time("2027-03-01T23:59:59Z");
    let ends = |office: &Office| -> Vec<Time> {
        let placed = office.cms().credentials(id).unwrap().into_iter();
        placed.filter(|placed| placed.slot.is_some()).map(|placed| placed.credential.not_after).collect()
    };
    assert_eq!(ends(&office), [last; 4]);
    // They end with the card: there is nothing to renew, up to its last second and after it.
    for now in [before(last, RENEWAL_WINDOW), last, last.plus(SECOND)] {
        assert!(!is_due(&mut office, &mut card, now), "{now}");
    }
    office.now = time("2026-06-01");
    wish(&mut office.cms(), id, RequestKind::Renewal);
    update(&mut office.cms(), &mut card).unwrap();
    assert_eq!(ends(&office).iter().max(), Some(&last));
}

#[test]
fn on_its_last_day_a_card_is_renewed_and_on_the_next_it_is_expired() {
    let mut office = Office::new();
    let mut card = blank_card(1);
    let id = issue(&mut office.cms(), &mut card, "Dana Quincy Sample");
    let last = Time::end_of(office.cms().card(id).unwrap().expires.unwrap());
    // The certificates are over for years: that alone makes no expired card due.
    assert!(!is_due(&mut office, &mut card, last.plus(SECOND)));
    office.now = last;
    wish(&mut office.cms(), id, RequestKind::Renewal);
    office.now = last.plus(SECOND);
    refused(&office, &mut card, "card 1 expired on 2032-01-04; only a replacement helps", update);
    let renewal = office.cms().requests().unwrap().last().unwrap().id;
    office.cms().decide(renewal, RequestEvent::Cancel).unwrap();
    let slots = vec![KeyReference::DigitalSignature];
    office.cms().request(&Wish { slots, ..Wish::new(id, RequestKind::Addition, Reason::None) }).unwrap();
    refused(&office, &mut card, "only a replacement helps", update);

    let mut office = Office::new();
    let mut card = blank_card(1);
    let id = issue(&mut office.cms(), &mut card, "Dana Quincy Sample");
    office.now = last;
    wish(&mut office.cms(), id, RequestKind::Renewal);
    update(&mut office.cms(), &mut card).unwrap();
    assert_agree(&mut office.cms(), &mut card, Some(PIN), "on the last day");
}

/// A Common Access Card that was issued on this day.
fn common_access_card(office: &Office, file: &str, issued: &str) -> (EmulatedCard, i64) {
    let mut cms = office.cms();
    let holder = cms.add_holder(None, None).unwrap().id.to_string();
    let path = office.file(file);
    let stock = Profile::find("cac-oberthur-v55").unwrap();
    let life = (Some(issued.parse().unwrap()), None);
    let made = cms.produce(&path, stock, &holder, life, Some(DEFAULT_PIN)).unwrap();
    (card_in(&path), made.card.id)
}

#[test]
fn cards_of_27_february_2018_are_to_be_activated_and_those_of_the_28th_are_already() {
    let office = Office::of("2018-03-05T09:00:00Z", "2018-01-02");
    let page = |cms: &mut vreader::cms::Cms, card: &mut EmulatedCard, cutoff| {
        cms.activation_page(&mut Line::local(card), DEFAULT_PIN, LoginCertificate::Signature, cutoff)
    };
    let (mut old, id) = common_access_card(&office, "old", "2018-02-27");
    let shown = page(&mut office.cms(), &mut old, activation::CUTOFF).unwrap();
    assert_eq!((shown.card, shown.issued.to_string().as_str()), (id, "2018-02-27"));
    // Where another day is the first, the same card needs none.
    let error = page(&mut office.cms(), &mut old, "2018-02-24".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("cards of 2018-02-24 and later come with the certificate activated"), "{error}");
    reinsert(&mut old);
    wish(&mut office.cms(), id, RequestKind::Activation);
    let pin = access(Some(DEFAULT_PIN), None);
    office.cms().update(&mut Line::local(&mut old), &pin, &UpdateOptions::default()).unwrap();
    assert!(slots(&mut old).contains(&"9A".to_owned()));
    reinsert(&mut old);
    let error = page(&mut office.cms(), &mut old, activation::CUTOFF).unwrap_err().to_string();
    assert!(error.contains("nothing is to be activated"), "{error}");

    let (mut new, _) = common_access_card(&office, "new", "2018-02-28");
    let error = page(&mut office.cms(), &mut new, activation::CUTOFF).unwrap_err().to_string();
    assert!(error.contains("nothing is to be activated: its PIV Authentication certificate is not hidden"));
    assert!(slots(&mut new).contains(&"9A".to_owned()));
}
