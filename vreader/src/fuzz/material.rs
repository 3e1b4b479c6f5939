//! Files of commands that people bring along.
//!
//! | a file | is |
//! |---|---|
//! | whose first line is a JSON object | a trace of `vreader run --trace`; bytes that are hidden in it are sent as zeros |
//! | that begins with a line of hex | text: a command a line, in hex, with spaces or colons between the bytes if you like |
//! | other | the bytes of one command |
//!
//! In text, `#` begins a comment, `>` may stand before a command, and a line after `<` is an answer, which is left out; so
//! are lines that begin with `connected`, as some recorders write them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    str,
};

use crate::trace::{self, TraceFileError};

/// Longest command: four bytes, three of an extended Lc, 65,535 of data, two of an extended Le.
const LONGEST: usize = 4 + 3 + 65_535 + 2;

/// Why a file gives no commands.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaterialError {
    /// It cannot be read, or a folder cannot be listed.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line of text is no command.
    #[error(
        "line {line} of {} is no command in hex: write one command a line, such as 00A4040005A000000308; \
         # begins a comment",
        path.display()
    )]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// It is longer than a command can be.
    #[error(
        "{} has {found} bytes, and a command has at most {LONGEST}; is it text? Then it begins with a line of hex or with #",
        path.display()
    )]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// Its bytes.
        found: usize,
    },
    /// It is no trace.
    #[error(transparent)]
    Trace(#[from] TraceFileError),
}

/// All files in these files and folders, those of a folder in the order of their names. Names with a dot before them are
/// left out, and links to folders are not followed.
pub fn files(places: &[PathBuf]) -> Result<Vec<PathBuf>, MaterialError> {
    let mut found = Vec::new();
    for place in places {
        let unreadable = |source| MaterialError::Unreadable { path: place.clone(), source };
        if fs::metadata(place).map_err(unreadable)?.is_dir() {
            list(place, &mut found)?;
        } else {
            found.push(place.clone());
        }
    }
    Ok(found)
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), MaterialError> {
    let unreadable = |source| MaterialError::Unreadable { path: folder.into(), source };
    let entries: Result<Vec<_>, _> = fs::read_dir(folder).map_err(unreadable)?.collect();
    let mut entries = entries.map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        if entry.file_type().map_err(unreadable)?.is_dir() {
            list(&path, found)?;
        } else if fs::metadata(&path).map_err(unreadable)?.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

/// The commands in a file.
pub fn commands(path: &Path) -> Result<Vec<Vec<u8>>, MaterialError> {
    let unreadable = |source| MaterialError::Unreadable { path: path.into(), source };
    let bytes = fs::read(path).map_err(unreadable)?;
    if is_trace(&bytes) {
        let events = trace::read(path)?;
        let commands = events.iter().filter_map(trace::Event::command);
        return Ok(commands.map(|run| run.command.shown().to_vec()).collect());
    }
    if let Some(text) = as_text(&bytes) {
        return lines(text).map_err(|line| MaterialError::Line { path: path.into(), line });
    }
    if bytes.len() > LONGEST {
        return Err(MaterialError::TooLong { path: path.into(), found: bytes.len() });
    }
    Ok(vec![bytes])
}

fn is_trace(bytes: &[u8]) -> bool {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    first.starts_with(b"{") && serde_json::from_slice::<serde_json::Value>(first).is_ok()
}

/// A file as text, if its first line that says anything is a line of text.
fn as_text(bytes: &[u8]) -> Option<&str> {
    // A command may be made of letters by chance, but it does not begin like a line of these.
    let readable = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let first = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty())?;
    if !first.iter().all(readable) {
        return None;
    }
    let begins =
        first.starts_with(b"#") || matches!(line(str::from_utf8(first).ok()?), Some(Line::Command(_)));
    let begins = begins || first.starts_with(b"connected") || first.starts_with(b"< ");
    if begins { str::from_utf8(bytes).ok() } else { None }
}

/// What a line of text is.
enum Line {
    Command(Vec<u8>),
    /// A comment, an answer, or nothing.
    Other,
}

/// The commands in a text, or the number of the first line that is none.
fn lines(text: &str) -> Result<Vec<Vec<u8>>, usize> {
    let mut commands = Vec::new();
    for (number, text) in (1..).zip(text.lines()) {
        match line(text) {
            Some(Line::Command(bytes)) => commands.push(bytes),
            Some(Line::Other) => {}
            None => return Err(number),
        }
    }
    Ok(commands)
}

fn line(text: &str) -> Option<Line> {
    let text = text.split('#').next().unwrap_or_default().trim();
    if text.is_empty() || text.starts_with('<') || text.starts_with("connected") {
        return Some(Line::Other);
    }
    let digits: String = text
        .strip_prefix('>')
        .unwrap_or(text)
        .chars()
        .filter(|it| !it.is_whitespace() && *it != ':')
        .collect();
    hex::decode(digits).ok().filter(|bytes| !bytes.is_empty()).map(Line::Command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, MaterialError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, bytes).unwrap();
        commands(&path)
    }

    #[test]
    fn a_file_is_known_by_its_first_line() {
        let select = vec![0x00, 0xA4, 0x04, 0x00];
        let verify = vec![0x00, 0x20, 0x00, 0x80];
        let event =
            r#"{"number":1,"at_us":5,"reader":"x","event":"command","command":"00200080","took_us":1}"#;
        let reset = r#"{"number":2,"at_us":5,"reader":"x","event":"reset","atr":""}"#;
        for (bytes, expected) in [
            (&b"\x00\xA4\x04\x00"[..], vec![select.clone()]),
            (b"", vec![vec![]]),
            (b"\n", vec![b"\n".to_vec()]),
            (b"GET / HTTP", vec![b"GET / HTTP".to_vec()]),
            (b"00a40400", vec![select.clone()]),
            (b"# a comment\n00 A4 04 00 # SELECT\n\n00:20:00:80\n", vec![select.clone(), verify.clone()]),
            (b"connected\n> 00a40400\n< 6a82\n> 00200080\n", vec![select, verify.clone()]),
            (format!("{event}\n{reset}\n").as_bytes(), vec![verify]),
            (b"# nothing but this", vec![]),
        ] {
            assert_eq!(read(bytes).unwrap(), expected, "{}", bytes.escape_ascii());
        }
        for (bytes, words) in [
            (&b"00a40400\n00a404"[..], None),
            (b"00a40400\n00a4040", Some("line 2")),
            (b"00a40400\nhello", Some("line 2")),
            (b"{}\n", Some("line 1")),
            (&vec![0; 65_545], Some("65545 bytes")),
        ] {
            let error = read(bytes).err().map(|error| error.to_string());
            match words {
                None => assert_eq!(error, None),
                Some(words) => assert!(error.as_ref().is_some_and(|it| it.contains(words)), "{error:?}"),
            }
        }
    }

    #[test]
    fn folders_are_read_in_order_and_hidden_files_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("b/c")).unwrap();
        fs::create_dir(at(".git")).unwrap();
        for name in ["z", "b/2", "b/c/1", "a", ".hidden", ".git/config"] {
            fs::write(at(name), name).unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), at("b/loop")).unwrap();
        let expected = ["a", "b/2", "b/c/1", "z"].map(at);
        assert_eq!(files(&[folder.path().into()]).unwrap(), expected);
        assert_eq!(files(&[at(".hidden"), at("z")]).unwrap(), [at(".hidden"), at("z")]);
        assert!(files(&[at("none")]).unwrap_err().to_string().contains("cannot read"));
    }
}
