//! For which cards nothing was pending, and when the management system said so; nothing else is remembered.
//!
//! A card with a pending request is in no memory, so that it is asked about, and offered, at every insertion; so is one
//! that was updated. What is lost with the file are answers to questions that will be asked again.
//!
//! Promise: a file is replaced as a whole or not at all, and is for its owner's eyes alone: it names cards.

use std::{
    collections::BTreeMap,
    env, fs,
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// The form of the file.
const VERSION: u32 = 1;

/// Cards of which it is known that nothing was pending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory(BTreeMap<String, Time>);

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    version: u32,
    nothing_pending: BTreeMap<String, String>,
}

/// Why a memory cannot be read or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The system refuses.
    #[error("cannot {action} the agent's memory {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is something else.
    #[error("{} is no agent's memory ({problem}); remove it, or name another file with --state", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A later agent wrote it.
    #[error(
        "{} is the memory of a later agent (form {found}, this one knows {VERSION}); \
         use that agent, or name another file with --state", path.display()
    )]
    Later {
        /// The file.
        path: PathBuf,
        /// The form that it has.
        found: u32,
    },
}

/// Where an agent's memory is unless it is told: in the user's folder for state (`XDG_STATE_HOME`, or `~/.local/state`).
pub fn default_file() -> Option<PathBuf> {
    let set = |variable: &str| env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?;
    Some(state.join("vreader").join("agent.json"))
}

impl Memory {
    /// Whether a card is to be asked about. An answer that lies in the future is none: the clock was set back.
    pub fn is_due(&self, card: &str, now: Time, interval: Duration) -> bool {
        self.0.get(card).is_none_or(|answered| *answered > now || now.since(*answered) >= interval)
    }

    /// Nothing is pending for a card.
    pub fn note_nothing_pending(&mut self, card: &str, now: Time) {
        self.0.insert(card.to_owned(), now);
    }

    /// Something is or may be pending for a card; whether that is news.
    pub fn forget(&mut self, card: &str) -> bool {
        self.0.remove(card).is_some()
    }

    /// Reads a file; one that is not there is an empty memory.
    pub fn load(path: &Path) -> Result<Self, MemoryError> {
        let mut text = String::new();
        match File::open(path).and_then(|mut file| file.read_to_string(&mut text)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            result => result.map_err(io_error("read", path))?,
        };
        let foreign = |problem: String| MemoryError::Foreign { path: path.into(), problem };
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| foreign(error.to_string()))?;
        let found = value.get("version").and_then(serde_json::Value::as_u64).unwrap_or_default();
        if let Some(found) = u32::try_from(found).ok().filter(|found| *found > VERSION) {
            return Err(MemoryError::Later { path: path.into(), found });
        }
        let form: Form = serde_json::from_value(value).map_err(|error| foreign(error.to_string()))?;
        let entry = |(card, time): (String, String)| Ok((card, time.parse()?));
        let entries =
            form.nothing_pending.into_iter().map(entry).collect::<Result<_, crate::clock::TimeError>>();
        entries.map(Self).map_err(|error| foreign(error.to_string()))
    }

    /// Writes a file; answers that no longer keep anybody from asking are left out.
    pub fn save(&self, path: &Path, now: Time, interval: Duration) -> Result<(), MemoryError> {
        let kept = self.0.iter().filter(|(card, _)| !self.is_due(card, now, interval));
        let nothing_pending = kept.map(|(card, time)| (card.clone(), time.to_string())).collect();
        let form = Form { version: VERSION, nothing_pending };
        let text = serde_json::to_string_pretty(&form)
            .map_err(|error| io_error("write", path)(io::Error::other(error)))?;
        replace(path, &text).map_err(io_error("write", path))
    }
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", process::id()));
    let temporary = PathBuf::from(name);
    let open = || OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary);
    let written = open()
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            // Otherwise a loss of power could leave the new name and no text.
            file.sync_all()
        })
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // What is left of it would only be in the way.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MemoryError {
    let path = path.to_owned();
    move |source| MemoryError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const WEEK: Duration = Duration::from_hours(7 * 24);

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn a_card_is_due_after_the_interval_and_not_a_second_before() {
        let mut memory = Memory::default();
        memory.note_nothing_pending("A", time("2026-01-01T12:00:00Z"));
        for (now, due) in [
            // The clock was set back.
            ("2026-01-01T11:59:59Z", true),
            ("2026-01-01T12:00:00Z", false),
            ("2026-01-08T11:59:59Z", false),
            ("2026-01-08T12:00:00Z", true),
            ("2026-01-08T12:00:01Z", true),
        ] {
            assert_eq!(memory.is_due("A", time(now), WEEK), due, "{now}");
        }
        assert!(memory.is_due("B", time("2026-01-01T12:00:00Z"), WEEK), "a card never seen");
        assert!(memory.is_due("A", time("2026-01-01T12:00:00Z"), Duration::ZERO), "at every insertion");
        assert!(memory.forget("A") && !memory.forget("A"));
        assert!(memory.is_due("A", time("2026-01-01T12:00:00Z"), WEEK));
    }

    #[test]
    fn a_file_keeps_what_counts_and_is_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/vreader/agent.json");
        let mut memory = Memory::load(&path).unwrap();
        assert_eq!(memory, Memory::default());
        let now = time("2026-01-08T12:00:00Z");
        memory.note_nothing_pending("old", time("2026-01-01T12:00:00Z"));
        memory.note_nothing_pending("later", time("2026-01-08T12:00:01Z"));
        memory.note_nothing_pending("kept", time("2026-01-01T12:00:01Z"));
        memory.save(&path, now, WEEK).unwrap();
        let mut expected = Memory::default();
        expected.note_nothing_pending("kept", time("2026-01-01T12:00:01Z"));
        assert_eq!(Memory::load(&path).unwrap(), expected);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn what_is_no_memory_is_not_overwritten_but_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.json");
        for (text, word) in [
            ("", "no agent's memory"),
            ("my diary", "no agent's memory"),
            ("{}", "no agent's memory"),
            (r#"{"version": 1, "nothing_pending": {"A": "soon"}}"#, "'soon' is not a time"),
            (r#"{"version": 1, "nothing_pending": {}, "more": 1}"#, "unknown field"),
            (r#"{"version": 2}"#, "later agent"),
        ] {
            fs::write(&path, text).unwrap();
            let error = Memory::load(&path).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
        let error = Memory::load(folder.path()).unwrap_err();
        assert!(matches!(error, MemoryError::Io { action: "read", .. }), "{error}");
        let error = Memory::default().save(&path.join("below"), time("2026-01-01"), WEEK).unwrap_err();
        assert!(matches!(error, MemoryError::Io { action: "write", .. }), "{error}");
    }
}
