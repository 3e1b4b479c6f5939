//! What clients sent: our own trace is answered as it says, and traces of other cards reach ours without harm.

mod common;

use std::fmt::Write as _;
use std::path::Path;

use common::{RefusedBy, TestCard};
use vectors::scenario::{Report, Script, Target, run};
use vectors::trace::{self, Exchange};
use vectors::{files, scenario};

fn load(path: &Path) -> Vec<Exchange> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let exchanges = trace::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(!exchanges.is_empty(), "{} holds nothing", path.display());
    exchanges
}

/// Sends the commands of a trace, and expects its answers or, if they come from another card, any.
fn replay(exchanges: &[Exchange], same_card: bool) -> Report {
    let mut text = String::from("title Trace\nclause a client\ncard piv\nscenario the trace\n");
    for Exchange { command, answer } in exchanges {
        let answer = answer.as_ref().filter(|_| same_card).map_or("..".to_owned(), hex::encode);
        writeln!(text, "> {}\n< {answer}", hex::encode(command)).unwrap();
    }
    let script = Script::parse("trace", &text, &files::own("cards")).unwrap();
    let refused_by = RefusedBy::default();
    run(&script, |values: &scenario::Values| Judge(TestCard::new(values, &refused_by)))
}

/// Lets only answers through that a card may give.
struct Judge(TestCard);

impl Target for Judge {
    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        let answer = self.0.transmit(command);
        let Some((data, [sw1, _])) = answer.split_last_chunk() else {
            panic!("{answer:02X?} has no status word")
        };
        assert!(matches!(sw1, 0x61..=0x6F | 0x90), "status word in {answer:02X?}");
        // Data goes with success and warnings only (ISO 7816-4, 5.2).
        assert!(data.is_empty() || matches!(sw1, 0x61..=0x63 | 0x90), "{answer:02X?}");
        answer
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn power_off(&mut self) {
        self.0.power_off();
    }

    fn power_on(&mut self) {
        self.0.power_on();
    }

    fn power_on_contactless(&mut self) {
        self.0.power_on_contactless();
    }
}

#[test]
fn our_own_trace_is_answered_as_it_says() {
    let exchanges = load(&files::own("known/opensc-probe.apdu"));
    let report = replay(&exchanges, true);
    let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(report.exchanges, exchanges.len());
}

#[test]
fn traces_of_other_cards_do_no_harm() {
    // Recorded with a card of `vreader card new`, which has other keys.
    assert!(harmless(&files::own("traces")) > 100);
    let Some(folder) = files::shared("client-traces").unwrap_or_else(|error| panic!("{error}")) else {
        return;
    };
    let sent = harmless(&folder);
    println!("{sent} commands of ../shared/vectors/client-traces sent");
}

/// Sends all traces in a folder; gives the number of commands.
fn harmless(folder: &Path) -> usize {
    let mut sent = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let exchanges = load(&path);
        let report = replay(&exchanges, false);
        assert_eq!((report.exchanges, report.failures), (exchanges.len(), vec![]), "{}", path.display());
        sent += exchanges.len();
    }
    assert!(sent > 0, "{} holds no traces", folder.display());
    sent
}
