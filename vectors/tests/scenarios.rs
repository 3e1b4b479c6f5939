//! Every scenario file against the card of this workspace.

mod common;

use card_sim::refusal::{Rule, rules};
use common::{RefusedBy, TestCard};
use vectors::files;
use vectors::scenario::{Report, Script, run};

/// Rules that no command to a working card can break.
fn outside_of_scenarios() -> [&'static Rule; 2] {
    [&rules::UNPOWERED, &rules::MEMORY_FAILURE]
}

#[test]
fn every_scenario_runs_as_written_and_every_rule_refuses_something() {
    let refused_by = RefusedBy::default();
    let mut total = Report::default();
    for path in files::scenarios().expect("the folder with the scenarios") {
        assert!(path.extension().is_some_and(|it| it == "scn"), "{}", path.display());
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
