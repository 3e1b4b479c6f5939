//! The check that a person asks for, with readers behind a socket.

use std::time::Duration;

use card_sim::profile::PIV;
use vreader::{
    World,
    agent::{CheckError, ManualCheck, ManualError, Outcome, Settings, UpdateError, find_reader},
    reader::ReaderSettings,
    run::{CardSource, WorldSettings},
};

use crate::double::{Double, Mood, PATIENCE, root_file};

const DESK: &str = "Desk 00 00";
const DOOR: &str = "Door 01 00";
const SHORT: Duration = Duration::from_millis(200);

#[test]
fn row_56_the_wrong_reader_has_no_card() {
    let world = World::with(&WorldSettings::default()).unwrap();
    let find = |wanted| find_reader(world.socket(), wanted);
    assert!(find(None).unwrap_err().to_string().contains("no card in reader: there is no reader"));
    world.add(ReaderSettings::new("Desk"), None).unwrap();
    assert!(
        find(None).unwrap_err().to_string().contains("no card in reader: there is \"Desk 00 00\" (empty)")
    );
    world.add(ReaderSettings::new("Door"), Some(&CardSource::Profile(&PIV))).unwrap();
    assert_eq!(find(Some("Door")).unwrap(), DOOR);
    assert_eq!(find(None).unwrap(), DOOR);
    let error = find(Some("Desk")).unwrap_err();
    assert!(matches!(&error, ManualError::NoCard { reader, .. } if reader == DESK));
    let said = error.to_string();
    assert!(
        said.starts_with("no card in reader \"Desk 00 00\";")
            && said.contains("\"Door 01 00\" (with a card)"),
        "{said}"
    );
    let said = find(Some("Gate")).unwrap_err().to_string();
    assert!(
        said.starts_with("no reader has \"Gate\" in its name; there is \"Desk 00 00\" (empty),"),
        "{said}"
    );
}

#[test]
fn row_56_an_available_update_is_offered_and_carried_out() {
    let folder = tempfile::tempdir().unwrap();
    let double = Double::with_request(DESK, "A", "1");
    let settings = Settings { root: Some(root_file(folder.path(), 1)), ..Settings::default() };
    let check = || ManualCheck::of(double.office(settings.clone()), DESK).unwrap();
    // Asking changes nothing, however often.
    for _ in 0..2 {
        let Outcome::Pending(notice) = check().outcome().unwrap() else { panic!("an update is available") };
        assert_eq!(notice.request, "1");
    }
    assert!(matches!(check().update("2"), Err(ManualError::Update(UpdateError::Refused(_)))));
    double.state().pending.insert("A".into(), "1".into());
    assert_eq!(check().update("1").unwrap().changes, ["Signature: new key and certificate"]);
    assert_eq!(check().outcome().unwrap(), Outcome::NothingPending);
}

#[test]
fn row_57_a_card_for_which_nothing_is_pending_and_cards_of_others() {
    let double = Double::new();
    double.state().cards.extend([(DESK.into(), "A".into()), (DOOR.into(), "unknown".into())]);
    let check = |reader| ManualCheck::of(double.office(Settings::default()), reader);
    assert_eq!(check(DESK).unwrap().outcome().unwrap(), Outcome::NothingPending);
    assert_eq!(check(DESK).unwrap().card(), "A");
    assert!(matches!(
        check(DOOR).unwrap().outcome(),
        Err(ManualError::Check(CheckError::UnknownCard { .. }))
    ));
    assert!(matches!(check("Gate 02 00"), Err(ManualError::OtherCard { .. })));
}

#[test]
fn a_management_system_that_is_slow_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let double = Double::with_request(DESK, "A", "1");
    double.set_mood(Mood::Slow);
    let settings = Settings {
        check_timeout: SHORT,
        portal_limit: SHORT,
        root: Some(root_file(folder.path(), 1)),
        ..Settings::default()
    };
    let check = ManualCheck::of(double.office(settings), DESK).unwrap();
    assert!(matches!(check.outcome(), Err(ManualError::TimedOut(_))));
    // An update is told to end, and says itself how it ended.
    assert!(matches!(check.update("1"), Err(ManualError::Update(UpdateError::Stopped))));
    assert!(!double.state().pending.is_empty());
    double.set_mood(Mood::Gone);
    let patient = double.office(Settings { check_timeout: PATIENCE, ..Settings::default() });
    let error = ManualCheck::of(patient, DESK).unwrap().outcome().unwrap_err().to_string();
    assert!(error.contains("no connection to the management system"), "{error}");
}
