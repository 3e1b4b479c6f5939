//! Each row of what people do with cards has a test named after it.

use std::{fs, path::Path};

/// Rows 1 to 16: what is on a card, PIN, and making certificates available; 36 to 58: activation and card management.
fn rows() -> impl Iterator<Item = u32> {
    (1..=16).chain(36..=58)
}

#[test]
fn every_row_has_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/flows");
    let sources: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let has_test = |row: u32| {
        let name = format!("#[test]\nfn row_{row:02}_");
        sources.iter().any(|source| source.contains(&name))
    };
    let missing: Vec<u32> = rows().filter(|row| !has_test(*row)).collect();
    assert!(missing.is_empty(), "no test is named after the rows {missing:?}");
}
