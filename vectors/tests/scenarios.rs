//! Every scenario file against the card of this workspace.

mod common;

use std::path::PathBuf;

use card_sim::refusal::{Rule, rules};
use common::{RefusedBy, TestCard};
use vectors::files;
use vectors::scenario::{Report, Script, run};

/// Rules that no command to a working card can break.
fn outside_of_scenarios() -> [&'static Rule; 2] {
    [&rules::UNPOWERED, &rules::MEMORY_FAILURE]
}

/// The scenario files in the order of their names.
fn scenario_files() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(files::own("scenarios")).expect("the folder with the scenarios");
    let mut paths: Vec<_> = folder.map(|entry| entry.expect("an entry of the folder").path()).collect();
    paths.sort();
    assert!(paths.iter().all(|path| path.extension().is_some_and(|it| it == "scn")), "{paths:?}");
    paths
}

#[test]
fn every_scenario_runs_as_written_and_every_rule_refuses_something() {
    let refused_by = RefusedBy::default();
    let mut total = Report::default();
    for path in scenario_files() {
        let script = Script::load(&path, &files::own("cards")).unwrap_or_else(|error| panic!("{error}"));
        let report = run(&script, |values| TestCard::new(values, &refused_by));
        println!("{}: {} scenarios, {} exchanges", script.title, report.scenarios, report.exchanges);
        total.add(report);
    }
    let mut wrong: Vec<_> = total.failures.iter().map(ToString::to_string).collect();
    let seen = refused_by.borrow();
    for rule in rules::ALL.iter().filter(|rule| !outside_of_scenarios().contains(rule)) {
        if !seen.contains(rule) {
            wrong.push(format!(
                "no scenario breaks the rule: {} ({}, {})",
                rule.text, rule.document, rule.clause
            ));
        }
    }
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
