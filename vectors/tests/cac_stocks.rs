//! Every stock of Common Access Cards against the table of such cards, and against every scenario of the CAC applets.

mod common;

use std::collections::BTreeSet;

use common::{RefusedBy, TestCard};
use vectors::{
    files,
    scenario::{Script, run},
};

/// The stock whose card the scenarios were written for.
const WRITTEN_FOR: &str = "cac-gemalto-gx4-144";

/// A row of the table.
struct Row {
    name: String,
    atr: Vec<u8>,
    profile: String,
    protocols: String,
    piv: String,
    properties: String,
    why_not: String,
}

fn rows() -> Vec<Row> {
    let rows = files::known("cac_stocks.tsv").expect("the table").into_iter();
    rows.map(|row| {
        let [name, atr, profile, protocols, piv, properties, why_not] =
            row.try_into().expect("seven columns");
        Row { name, atr: hex::decode(atr).expect("hex"), profile, protocols, piv, properties, why_not }
    })
    .collect()
}

/// The protocols that an answer to reset offers (ISO/IEC 7816-3, 8.2.3): without TD1 it is T=0.
fn protocols(atr: &[u8]) -> String {
    let (mut offered, mut at, mut indicator) = (BTreeSet::new(), 1, atr[1]);
    loop {
        // TAi, TBi, TCi stand between this byte and the next of its kind.
        at += (indicator >> 4).count_ones() as usize;
        if indicator & 0x80 == 0 {
            break;
        }
        indicator = atr[at];
        // T=15 is no protocol: the bytes after it say what the card is like.
        if indicator & 0x0F != 0x0F {
            offered.insert((indicator & 0x0F).to_string());
        }
    }
    if offered.is_empty() { "0".into() } else { offered.into_iter().collect::<Vec<_>>().join(",") }
}

fn script(name: &str) -> Script {
    Script::load(&files::own("scenarios").join(name), &files::own("cards"))
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_table_has_every_stock_and_says_why_others_are_none() {
    let mut named: Vec<_> =
        rows().into_iter().map(|row| row.profile).filter(|name| !name.is_empty()).collect();
    let mut stocks: Vec<_> = card_sim::cac::PROFILES.iter().map(|profile| profile.name.to_owned()).collect();
    named.sort();
    stocks.sort();
    assert_eq!(named, stocks);
    for row in rows() {
        assert_eq!(row.profile.is_empty(), !row.why_not.is_empty(), "{}", row.name);
        let known = card_sim::cac::PROFILES.iter().find(|profile| profile.atr == row.atr);
        assert_eq!(known.map_or("", |profile| profile.name), row.profile, "{}", row.name);
    }
}

#[test]
fn every_stock_is_as_its_row_says() {
    for row in rows().iter().filter(|row| !row.profile.is_empty()) {
        assert_eq!(protocols(&row.atr), row.protocols, "{}", row.name);
        let piv = if row.piv == "yes" { ".. 90 00" } else { "6A 82" };
        let alternate = row.properties.is_empty();
        let (person, objects, properties) = if alternate {
            ("6A 82", "A0000000790100", "51 11 .. 43 04 06200101".to_owned())
        } else {
            ("90 00", "A0000000790200", format!("50 {} ..", row.properties))
        };
        let text = format!(
            "title {name}\nclause GSC-IS 2.1\ncard cac\nscenario the card\nset profile = \"{profile}\"\n\
             > 00 A4 04 00 0B A000000308000010000100\n< {piv}\n\
             > 00 A4 04 0C 07 A0000000790200\n< {person}\n\
             > 00 A4 04 0C 07 {objects}\n< 90 00\n\
             > 00 56 01 00 00\n< 01 05 1002060203 40 01 01 {properties} 90 00\n",
            name = row.name,
            profile = row.profile,
        );
        let script =
            Script::parse("the table", &text, &files::own("cards")).unwrap_or_else(|error| panic!("{error}"));
        let report = run(&script, |values| {
            let card = TestCard::new(values, &RefusedBy::default());
            assert_eq!(card.atr(), row.atr, "{}", row.name);
            card
        });
        let wrong: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
        assert!(wrong.is_empty() && report.exchanges == 4, "{}: {}", row.name, wrong.join("\n"));
    }
}

#[test]
fn every_stock_with_both_faces_answers_every_scenario_of_the_cac_applets() {
    let scripts: Vec<_> = files::scenarios()
        .expect("the scenarios")
        .iter()
        .filter_map(|path| path.file_name()?.to_str().filter(|name| name.starts_with("cac_")).map(script))
        .collect();
    assert!(scripts.len() >= 8);
    for row in rows().iter().filter(|row| row.piv == "yes" && row.profile != WRITTEN_FOR) {
        for script in &scripts {
            let report = run(script, |values| {
                let mut values = values.clone();
                if values.get("profile") == Some(WRITTEN_FOR.as_bytes()) {
                    values.set("profile".into(), row.profile.clone().into());
                }
                TestCard::new(&values, &RefusedBy::default())
            });
            let wrong: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
            assert!(wrong.is_empty(), "{}: {}", row.name, wrong.join("\n"));
        }
    }
}
