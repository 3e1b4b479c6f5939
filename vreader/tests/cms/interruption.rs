//! One update session is one unit. Each action is interrupted before and after every command that goes to the card, in four ways, and then
//! run again: card and database have to agree, and what was asked for has to be done once.
//!
//! | interruption | the card | the database |
//! |---|---|---|
//! | taken out before a command | has run the commands before | is at hand, and hears of the loss |
//! | taken out after a command | has run it, and lost its power; the answer is lost | the same |
//! | power fails in the middle of writing | is left as a torn write leaves it | the same |
//! | the database is locked from a command on | has all the power it wants | takes nothing more until the next run |
//!
//! A process that is killed leaves what the second leaves: whatever it was about to tell the database, it tells nobody. After each
//! interruption, before anything is put right, the card has no certificate without its key.

use std::time::Duration;

use card_sim::{key::KeyReference, profile::Profile};
use rusqlite::Connection;
use vreader::{
    card_client::{Line, LinkError},
    cms::{
        Cms, CmsError, UpdateOptions, Wish,
        state::{DeviceState, Reason, RequestKind, RequestState},
    },
    emulated::EmulatedCard,
    image::{PowerCut, Tear},
    reader::InsertedCard,
};
use zeroize::Zeroizing;

use crate::support::{
    Office, PIN, access, assert_agree, assert_keys_fit, assigned, blank_card, card_in, card_of, image, issue,
    registered, reinsert, slots,
};

const NEW_PIN: &str = "135790";

/// How a session is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Before,
    After,
    /// So many operations of the flash are done first.
    Power(u32),
    Locked,
}

/// An action, and what it begins with.
struct Action {
    name: &'static str,
    office: Office,
    card: Begin,
    id: i64,
    run: fn(&mut Cms, &mut Line<'_>) -> Result<(), CmsError>,
    /// The PIN when all is done; none if nobody knows it.
    pin: Option<&'static str>,
    state: DeviceState,
    slots: &'static [&'static str],
}

/// The card before the action.
enum Begin {
    Flash(Zeroizing<Vec<u8>>),
    /// A card file in the office's folder.
    File(&'static str),
}

impl Begin {
    fn card(&self, office: &Office) -> EmulatedCard {
        match self {
            Self::Flash(image) => card_of(image),
            Self::File(name) => card_in(&office.file(name)),
        }
    }
}

fn update(cms: &mut Cms, line: &mut Line<'_>) -> Result<(), CmsError> {
    cms.update(line, &access(Some(PIN), None), &UpdateOptions::default()).map(drop)
}

fn unlock(cms: &mut Cms, line: &mut Line<'_>) -> Result<(), CmsError> {
    cms.update(line, &access(None, Some(NEW_PIN)), &UpdateOptions::default()).map(drop)
}

fn first_issue(cms: &mut Cms, line: &mut Line<'_>) -> Result<(), CmsError> {
    cms.issue(line, &access(Some(PIN), None), &UpdateOptions::default()).map(drop)
}

const ALL: &[&str] = &["9A", "9C", "9D", "9E"];

/// An action on a card that was issued, for a request of this kind.
fn on_issued(
    name: &'static str,
    wish: impl FnOnce(i64) -> Wish,
    prepare: impl FnOnce(&mut Cms, &mut EmulatedCard, i64),
    (pin, state, slots): (Option<&'static str>, DeviceState, &'static [&'static str]),
) -> Action {
    let office = Office::new();
    let (mut cms, mut card) = (office.cms(), blank_card(1));
    let id = issue(&mut cms, &mut card, "Dana Quincy Sample");
    prepare(&mut cms, &mut card, id);
    cms.request(&wish(id)).unwrap();
    drop(cms);
    let run = if pin == Some(NEW_PIN) { unlock } else { update };
    Action { name, office, card: Begin::Flash(image(&mut card)), id, run, pin, state, slots }
}

fn issuance() -> Action {
    let office = Office::new();
    let (mut cms, mut card) = (office.cms(), blank_card(1));
    let id = assigned(&mut cms, &mut card, "Dana Quincy Sample");
    drop(cms);
    let (run, pin, state) = (first_issue, Some(PIN), DeviceState::Issued);
    Action { name: "issuance", office, card: Begin::Flash(image(&mut card)), id, run, pin, state, slots: ALL }
}

/// A card in the place of one that was lost, whose encryption key is recovered.
fn replacement() -> Action {
    let office = Office::new();
    let (mut cms, mut old, mut card) = (office.cms(), blank_card(1), blank_card(2));
    let lost = issue(&mut cms, &mut old, "Dana Quincy Sample");
    cms.request(&Wish::new(lost, RequestKind::Replacement, Reason::Lost)).unwrap();
    let id = registered(&mut cms, &mut card);
    cms.assign_replacement(id, lost).unwrap();
    drop(cms);
    let slots = &["9A", "9C", "9D", "9E", "82"];
    let (run, pin, state) = (first_issue, Some(PIN), DeviceState::Issued);
    Action { name: "replacement", office, card: Begin::Flash(image(&mut card)), id, run, pin, state, slots }
}

/// The PIV Authentication certificate of a Common Access Card of 2017.
fn activation() -> Action {
    let office = Office::of("2018-06-01T09:00:00Z", "2017-01-02");
    let mut cms = office.cms();
    cms.add_holder(Some("Dana Quincy Sample"), None).unwrap();
    let profile = Profile::find("cac-oberthur-v55").unwrap();
    let life = (Some("2017-06-01".parse().unwrap()), None);
    let made = cms.produce(&office.file("old.card"), profile, "1", life, Some(PIN)).unwrap();
    assert!(made.hidden);
    let id = made.card.id;
    cms.request(&Wish::new(id, RequestKind::Activation, Reason::None)).unwrap();
    drop(cms);
    let (run, pin, state) = (update as fn(&mut Cms, &mut Line<'_>) -> _, Some(PIN), DeviceState::Issued);
    Action { name: "activation", office, card: Begin::File("old.card"), id, run, pin, state, slots: ALL }
}

fn wish(kind: RequestKind) -> impl FnOnce(i64) -> Wish {
    move |id| Wish::new(id, kind, Reason::None)
}

fn of_slot(kind: RequestKind, slot: KeyReference) -> impl FnOnce(i64) -> Wish {
    move |id| Wish { slots: vec![slot], ..Wish::new(id, kind, Reason::None) }
}

/// Removes a credential before the action.
fn without(slot: KeyReference) -> impl FnOnce(&mut Cms, &mut EmulatedCard, i64) {
    move |cms, card, id| {
        cms.request(&of_slot(RequestKind::Removal, slot)(id)).unwrap();
        update(cms, &mut Line::local(card)).unwrap();
        reinsert(card);
    }
}

/// Locks the card before the action.
fn locked(cms: &mut Cms, card: &mut EmulatedCard, id: i64) {
    cms.request(&wish(RequestKind::Lock)(id)).unwrap();
    update(cms, &mut Line::local(card)).unwrap();
    reinsert(card);
}

/// One run of an action.
struct Run {
    office: Office,
    card: EmulatedCard,
    /// Commands that reached the line.
    commands: usize,
    result: Result<(), CmsError>,
}

/// Runs an action, interrupted at the command with this number, if any.
fn run(action: &Action, cut: Option<(usize, Cut)>) -> Run {
    let office = action.office.copy();
    let mut card = action.card.card(&office);
    // A database that is locked is not waited for long: nobody will unlock it.
    let mut cms = office.patient_cms(Duration::from_millis(1));
    let path = office.database();
    let mut blocker: Option<Connection> = None;
    let mut commands = 0;
    let mut dead = false;
    let result = {
        let mut line = Line::new(|command| {
            commands += 1;
            let here = cut.filter(|(number, _)| *number == commands).map(|(_, cut)| cut);
            if dead || here == Some(Cut::Before) {
                dead = true;
                return Err(LinkError::Removed);
            }
            match here {
                Some(Cut::Power(after)) => {
                    assert!(card.cut_power(PowerCut { after, tear: Tear::Torn }));
                }
                Some(Cut::Locked) => {
                    let other = Connection::open(&path).unwrap();
                    other.execute_batch("BEGIN IMMEDIATE").unwrap();
                    blocker = Some(other);
                }
                _ => {}
            }
            let answer = card.transmit(command);
            if here == Some(Cut::After) || answer.is_empty() {
                dead = true;
                return Err(LinkError::Mute);
            }
            Ok(answer)
        });
        (action.run)(&mut cms, &mut line)
    };
    drop(blocker);
    drop(cms);
    if matches!(cut, Some((_, Cut::Power(_)))) && !dead {
        // The command did not write so much: the order is taken back.
        assert!(card.cut_power(PowerCut { after: u32::MAX, tear: Tear::Clean }));
    }
    reinsert(&mut card);
    Run { office, card, commands, result }
}

/// Interrupts an action everywhere, and prints where it passed.
fn cut_everywhere(action: &Action) {
    let whole = run(action, None);
    whole.result.unwrap_or_else(|error| panic!("{}: {error}", action.name));
    let mut passed = [0; 4];
    for number in 1..=whole.commands {
        // A command writes to the flash in some dozens of operations; three of them a command are tried, others at the next.
        let depth = u32::try_from(number % 5).unwrap();
        let cuts = [Cut::Before, Cut::After, Cut::Power(depth * 3), Cut::Locked];
        for (kind, cut) in cuts.into_iter().enumerate() {
            if cut_once(action, number, cut) {
                passed[kind] += 1;
            }
        }
    }
    let [before, after, power, locked] = passed;
    println!(
        "{}: {} commands; cut points passed: {before} before a command, {after} after it, {power} while the card wrote, {locked} with the \
         database locked",
        action.name, whole.commands
    );
    assert_eq!((before, after), (whole.commands, whole.commands), "{}", action.name);
}

/// Interrupts once, looks, and runs again. Tells whether it was interrupted at all: a card that writes nothing more loses no power, and a
/// session that needs nothing more of the database does not mind.
fn cut_once(action: &Action, number: usize, cut: Cut) -> bool {
    let when = format!("{}, {cut:?} command {number}", action.name);
    let Run { office, mut card, result, .. } = run(action, Some((number, cut)));
    assert_keys_fit(&mut card, &when);
    let interrupted = result.is_err();
    let mut cms = office.cms();
    if interrupted {
        let again = (action.run)(&mut cms, &mut Line::local(&mut card));
        again.unwrap_or_else(|error| panic!("{when}, run again: {error}"));
    }
    assert_done(action, &mut cms, &mut card, &when);
    interrupted
}

fn assert_done(action: &Action, cms: &mut Cms, card: &mut EmulatedCard, when: &str) {
    assert_agree(cms, card, action.pin, when);
    assert_eq!(cms.card(action.id).unwrap().state, action.state, "{when}");
    assert_eq!(slots(card), action.slots, "{when}");
    for request in cms.requests().unwrap() {
        let done = matches!(request.state, RequestState::Executed | RequestState::Cancelled);
        assert!(done, "{when}: {} is {}", request.name(), request.state);
    }
    // The unlock code is the one that the database has; a Common Access Card has none.
    let Some(known) = cms.card(action.id).unwrap().puk else { return };
    let pin = access(action.pin.or(Some(PIN)), None).pin.unwrap();
    let mut line = Line::local(card);
    let mut client = vreader::card_client::CardClient::plain(&mut line).unwrap();
    client.reset_pin(&known, &pin).unwrap_or_else(|error| panic!("{when}: {error}"));
}

macro_rules! interrupted {
    ($($name:ident: $action:expr;)*) => {
        $(#[test]
        fn $name() {
            cut_everywhere(&$action);
        })*
    };
}

const ISSUED: DeviceState = DeviceState::Issued;

interrupted! {
    an_issuance_that_is_interrupted_is_finished: issuance();
    a_replacement_that_is_interrupted_is_finished: replacement();
    a_renewal_that_is_interrupted_is_finished: on_issued(
        "renewal", wish(RequestKind::Renewal), |_, _, _| {},
        (Some(PIN), ISSUED, &["9A", "9C", "9D", "9E", "82"]),
    );
    an_activation_that_is_interrupted_is_finished: activation();
    an_addition_that_is_interrupted_is_finished: on_issued(
        "addition", of_slot(RequestKind::Addition, KeyReference::KeyManagement), without(KeyReference::KeyManagement),
        (Some(PIN), ISSUED, ALL),
    );
    a_removal_that_is_interrupted_is_finished: on_issued(
        "removal", of_slot(RequestKind::Removal, KeyReference::DigitalSignature), |_, _, _| {},
        (Some(PIN), ISSUED, &["9A", "9D", "9E"]),
    );
    a_lock_that_is_interrupted_is_finished: on_issued(
        "lock", wish(RequestKind::Lock), |_, _, _| {}, (None, DeviceState::Invalid, ALL),
    );
    an_unlock_that_is_interrupted_is_finished: on_issued(
        "unlock", wish(RequestKind::Unlock), locked, (Some(NEW_PIN), ISSUED, ALL),
    );
    a_recycling_that_is_interrupted_is_finished: on_issued(
        "recycling", wish(RequestKind::Recycling),
        |cms, _, id| { cms.terminate(id, Reason::Damaged).unwrap(); },
        (None, DeviceState::Available, &[]),
    );
}
