//! Reading a recording back.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use super::Event;

/// Why a file is no recording.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceFileError {
    /// It cannot be read.
    #[error("cannot read the trace {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line of it is no event.
    #[error("line {line} of {} is no event of a trace: {source}; make one with `vreader run --trace FILE`", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// The events in a file; `/dev/stdin` is one, too. A last line that was cut off, because its writer was killed, is left
/// out.
pub fn read(path: &Path) -> Result<Vec<Event>, TraceFileError> {
    let unreadable = |source| TraceFileError::Unreadable { path: path.into(), source };
    let mut lines = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut events = Vec::new();
    for number in 1.. {
        let mut line = Vec::new();
        lines.read_until(b'\n', &mut line).map_err(unreadable)?;
        if !line.ends_with(b"\n") {
            break;
        }
        let event = serde_json::from_slice(&line);
        events.push(event.map_err(|source| TraceFileError::Line {
            path: path.into(),
            line: number,
            source,
        })?);
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LINE: &str = r#"{"number":1,"at_us":5,"reader":"Desk 00 00","event":"plugged_in"}"#;

    #[test]
    fn a_line_that_is_no_event_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace");
        let read_text = |text: String| {
            fs::write(&path, text).unwrap();
            read(&path)
        };
        assert_eq!(read_text(String::new()).unwrap().len(), 0);
        assert_eq!(read_text(format!("{LINE}\n{LINE}\n")).unwrap().len(), 2);
        assert_eq!(read_text(format!("{LINE}\n{}", &LINE[..20])).unwrap().len(), 1);
        for wrong in ["", "{}", "hello", r#"{"number":1,"at_us":5,"reader":"x","event":"danced"}"#] {
            let error = read_text(format!("{LINE}\n{wrong}\n{LINE}\n")).unwrap_err().to_string();
            assert!(error.contains("line 2") && error.contains("--trace"), "{error}");
        }
        let error = read(&folder.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("cannot read the trace"), "{error}");
    }
}
