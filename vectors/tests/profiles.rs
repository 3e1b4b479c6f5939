//! Every card stock has scenarios: those that name it, those on a card file that names it, and for Common Access Cards all of
//! the CAC applets (`cac_stocks`).

use std::{collections::BTreeSet, fs};

use card_sim::profile;
use vectors::files;

/// The values of lines that begin so.
fn values<'a>(text: &'a str, beginning: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| Some(line.strip_prefix(beginning)?.trim().trim_matches('"')))
}

#[test]
fn every_profile_has_scenarios() {
    let card = |name: &str| {
        let path = files::own("cards").join(name).with_extension("card");
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let mut played = BTreeSet::new();
    for path in files::scenarios().expect("the scenarios") {
        let text = fs::read_to_string(&path).expect("a scenario");
        played.extend(values(&text, "set profile = ").map(str::to_owned));
        for file in values(&text, "card ") {
            played.extend(values(&card(file), "set profile = ").map(str::to_owned));
        }
    }
    let stocks = files::known("cac_stocks.tsv").expect("the table");
    played.extend(stocks.into_iter().filter_map(|row| row.into_iter().nth(2)));
    let missing: Vec<_> =
        profile::ALL.iter().map(|profile| profile.name).filter(|name| !played.contains(*name)).collect();
    assert!(missing.is_empty(), "no scenario in vectors/scenarios plays a card of {missing:?}");
}
