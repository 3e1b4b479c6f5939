//! Reads the project's shared APDU vectors and checks the parser against each row.
//!
//! The vectors live outside the repository. On a developer's machine they may be missing, and
//! the test then says so; in CI (environment variable `CI`) their absence is a failure.

use std::{fs, io::ErrorKind};

use apdu::Command;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/apdu_cases.tsv");

/// Checks one row: apdu, case, nc, data, ne, note.
fn check(row: &str) {
    let columns: Vec<&str> = row.split('\t').collect();
    let [apdu, case, nc, data, ne, note] = columns[..] else {
        panic!("not six columns: {row}");
    };
    let bytes = hex::decode(apdu).expect("apdu column is hex");
    let parsed = Command::parse(&bytes);
    if case == "ERR" {
        assert!(parsed.is_err(), "{apdu} must be refused: {note}");
        return;
    }
    let command = parsed.unwrap_or_else(|error| panic!("{apdu} ({note}): {error}"));
    assert_eq!(command.case.to_string(), case, "{apdu} ({note})");
    assert_eq!(command.data.len().to_string(), nc, "{apdu} ({note})");
    assert_eq!(hex::encode_upper(command.data), data.to_uppercase(), "{apdu} ({note})");
    assert_eq!(command.ne().to_string(), ne, "{apdu} ({note})");
}

#[test]
fn shared_apdu_cases() {
    let text = match fs::read_to_string(VECTORS) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            assert!(std::env::var_os("CI").is_none(), "{VECTORS} is missing");
            println!("not checked: {VECTORS} is not there");
            return;
        }
        Err(error) => panic!("{VECTORS}: {error}"),
    };
    let rows: Vec<&str> = text.lines().skip(1).filter(|row| !row.is_empty()).collect();
    assert!(!rows.is_empty(), "{VECTORS} has no rows");
    for row in &rows {
        check(row);
    }
    println!("{} rows of {VECTORS} checked", rows.len());
}
