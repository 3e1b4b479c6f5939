//! What a check and an update need, in every combination.

use std::{fs, path::PathBuf};

use vreader::agent::{CheckError, Deed, Missing, Prerequisite, Session, Settings, UpdateError, find_reader};

use crate::double::{Double, Mood, root_file};

const READER: &str = "Desk 00 00";

/// What is missing in a try, of all but the smart card service.
fn combinations() -> impl Iterator<Item = Vec<Prerequisite>> {
    (0..1_u8 << 4).map(|bits| {
        let rest = &Prerequisite::ALL[1..];
        rest.iter().enumerate().filter(|(bit, _)| bits & 1 << bit != 0).map(|(_, item)| *item).collect()
    })
}

#[test]
fn row_55_each_missing_item_has_its_message_and_only_updates_need_root_and_control() {
    let folder = tempfile::tempdir().unwrap();
    let root = root_file(folder.path(), 1);
    let mut tried = 0;
    for missing in combinations() {
        let double = Double::with_request(READER, "A", "1");
        let is_missing = |item| missing.contains(&item);
        let settings = Settings {
            root: (!is_missing(Prerequisite::Root)).then(|| root.clone()),
            updates: !is_missing(Prerequisite::ClientControl),
            minimum_version: if is_missing(Prerequisite::Version) { "5.8" } else { "5.7" }.parse().unwrap(),
            ..Settings::default()
        };
        if is_missing(Prerequisite::Connection) {
            double.set_mood(Mood::Gone);
        }
        let office = double.office(settings);
        let first_needed_for =
            |deed| missing.iter().copied().find(|item: &Prerequisite| item.is_needed_for(deed));

        let found = match office.check("A") {
            Ok(notice) => {
                assert_eq!(notice.unwrap().request, "1");
                None
            }
            Err(CheckError::Missing(missing)) => Some(missing.item()),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(found, first_needed_for(Deed::Check), "a check without {missing:?}");

        let found = match office.update(READER, "A", "1", &Session::default()) {
            Ok(_) => None,
            Err(UpdateError::Missing(missing)) => Some(missing.item()),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(found, first_needed_for(Deed::Update), "an update without {missing:?}");
        assert_eq!(double.state().pending.is_empty(), found.is_none(), "what was not done is still pending");
        tried += 1;
    }
    assert_eq!(tried, 16);
}

#[test]
fn row_55_the_messages_differ_and_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let double = Double::with_request(READER, "A", "1");
    let update = |settings: Settings| {
        let outcome = double.office(settings).update(READER, "A", "1", &Session::default());
        outcome.unwrap_err().to_string()
    };
    let with_root = |root: PathBuf| Settings { root: Some(root), ..Settings::default() };
    let text = folder.path().join("notes.txt");
    fs::write(&text, "not a certificate").unwrap();
    let nobody = find_reader(&folder.path().join("pcscd.comm"), None).unwrap_err().to_string();
    let messages = [
        (nobody, "the smart card service is missing", "start pcscd"),
        (update(Settings::default()), "root certificate is missing", "--root"),
        (update(with_root(folder.path().join("none.pem"))), "none.pem", "No such file"),
        (update(with_root(text)), "notes.txt", "no certificate in PEM"),
        (update(with_root(root_file(folder.path(), 2))), "root-2.pem", "not the root certificate of this"),
        (
            update(Settings { updates: false, ..with_root(root_file(folder.path(), 1)) }),
            "client control is missing",
            "ask the administrator",
        ),
        (
            update(Settings { minimum_version: "6.0".parse().unwrap(), ..Settings::default() }),
            "version 5.7",
            "at least 6.0",
        ),
        (
            {
                double.set_mood(Mood::Gone);
                update(Settings::default())
            },
            "no connection to the management system",
            "nobody is there",
        ),
    ];
    for (message, what, more) in &messages {
        assert!(message.contains(what) && message.contains(more), "{what}, {more}: {message}");
        assert_eq!(messages.iter().filter(|(other, ..)| other == message).count(), 1, "{message}");
    }
    assert!(matches!(
        double.office(Settings::default()).check("A"),
        Err(CheckError::Missing(Missing::Connection(_)))
    ));
}
