//! Tests of the file format and of the runner, against a target of a few lines.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Action, How, Reason, Report, Script, ScriptError, Target, Trouble, parse, run};

const CARD: &str = "set secret = 01 02\nprocedure ask\n> 00 84 00 00 02\n< {challenge:2} 90 00\n";

fn script(text: &str) -> Result<Script, ScriptError> {
    parse::script("test.scn", text, |_| parse::card("test.card", CARD))
}

fn whole(scenarios: &str) -> Script {
    script(&format!("title Test\nclause none\ncard test\n{scenarios}")).unwrap()
}

#[test]
fn a_file_becomes_scenarios() {
    let text = "\
# A comment.
title  Things   # said of the file
clause ISO 7816-4
card   test
set    other = {secret} 03

scenario first
step send something
> 00 A4
  04 00          # continued
< 90 00
reset

scenario second
clause another clause
do ask
repeat 3
>> 00 CB
< ..
";
    let script = script(text).unwrap();
    assert_eq!((script.title.as_str(), script.values.len()), ("Things", 1));
    assert_eq!(script.card.values.len(), 1);
    let [first, second] = &script.scenarios[..] else { panic!("two scenarios") };
    assert_eq!((first.name.as_str(), first.line, first.clause.as_str()), ("first", 7, "ISO 7816-4"));
    let lines: Vec<_> = first.steps.iter().map(|step| (step.line, step.name.as_str())).collect();
    assert_eq!(lines, [(11, "send something"), (12, "send something")]);
    assert_eq!(second.clause, "another clause");
    assert!(matches!(&second.steps[0].action, Action::Do(name) if name == "ask"));
    assert!(matches!(&second.steps[1].action, Action::Exchange { how: How::InPieces, times: 3, .. }));
}

#[test]
fn bad_files_are_refused_with_line_and_reason() {
    let head = "title Test\nclause none\ncard test\nscenario one\n";
    let rows = [
        ("> 00", 5, Reason::Pair),
        ("< 90 00", 5, Reason::Pair),
        ("> 00\n> 01\n< 90 00", 6, Reason::Pair),
        ("> 00\nreset", 6, Reason::Pair),
        (">\n< 90 00", 5, Reason::Empty(">")),
        ("> 00\n<", 6, Reason::Empty("<")),
        ("> 00\n< 9", 6, Reason::Hex("9".into())),
        ("> ..\n< 90 00", 5, Reason::AnswersOnly("..".into())),
        ("repeat 2\nreset", 6, Reason::Repeat),
        ("repeat 2", 5, Reason::Repeat),
        ("repeat many\n> 00\n< 00", 5, Reason::Count("many".into())),
        ("do sing", 5, Reason::Procedure("sing".into())),
        ("power up", 5, Reason::Power("up".into())),
        ("reset now", 5, Reason::Line("reset".into())),
        ("send 00", 5, Reason::Line("send".into())),
        ("set x 00", 5, Reason::Set),
        ("set x y = 00", 5, Reason::Name("x y".into())),
        ("check ecdsa(9A, 00)", 5, Reason::Check("ecdsa(9A, 00)".into())),
        ("check equal(00)", 5, Reason::Check("equal(00)".into())),
        ("check true", 5, Reason::Check("true".into())),
        ("check point(9A", 5, Reason::Missing(')')),
        ("step", 5, Reason::Empty("a heading")),
        ("title Again", 5, Reason::Twice("title".into())),
        ("card test", 5, Reason::Twice("card".into())),
        ("scenario one", 5, Reason::Twice("one".into())),
        ("procedure ask", 5, Reason::Twice("ask".into())),
    ];
    for (text, line, reason) in rows {
        let error = script(&format!("{head}{text}\n")).unwrap_err();
        assert_eq!(error, ScriptError { file: "test.scn".into(), line, reason }, "{text}");
    }
    let whole_files = [
        ("clause none\ncard test\nscenario one", 0, Reason::NoHeading("title")),
        ("title Test\ncard test\nscenario one", 0, Reason::NoHeading("clause")),
        ("title Test\nclause none\nscenario one", 0, Reason::NoHeading("card")),
        ("title Test\nclause none\ncard test", 0, Reason::NoHeading("scenario")),
        ("card", 1, Reason::Empty("card")),
        ("step before any scenario", 1, Reason::Outside("step")),
        ("reset", 1, Reason::Outside("reset")),
        ("> 00\n< 90 00", 2, Reason::Outside("<")),
    ];
    for (text, line, reason) in whole_files {
        assert_eq!(
            script(text).unwrap_err(),
            ScriptError { file: "test.scn".into(), line, reason },
            "{text}"
        );
    }
    let error = parse::card("test.card", "scenario one").unwrap_err();
    assert_eq!(error.to_string(), "test.card:1: a card file holds values and procedures, no scenarios");
}

#[test]
fn missing_files_are_named() {
    let error = Script::load("none.scn".as_ref(), "cards".as_ref()).unwrap_err();
    assert!(matches!(error, ScriptError { line: 0, reason: Reason::Unreadable(_), .. }), "{error}");
}

/// A target that counts what it sees: answers `84` with the count, `B0` with 300 bytes in two parts, `B1` without
/// end, the second and later parts of `DB` with a refusal, and `FF` with what happened to its power.
#[derive(Default)]
struct Fake {
    seen: usize,
    log: Rc<RefCell<Vec<Vec<u8>>>>,
    power: Vec<&'static str>,
}

impl Target for Fake {
    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        self.seen += 1;
        self.log.borrow_mut().push(command.to_vec());
        match command {
            [_, 0x84, ..] => vec![0, u8::try_from(self.seen).unwrap(), 0x90, 0x00],
            [_, 0xB0, ..] => [&[0xAA; 256][..], &[0x61, 44]].concat(),
            [_, 0xC0, 0, 0, 44] => [&[0xBB; 44][..], &[0x90, 0x00]].concat(),
            [_, 0xB1 | 0xC0, ..] => vec![0x61, 0x00],
            [_, 0xDB, ..] if self.seen > 1 => vec![0x6A, 0x84],
            [_, 0xFF, ..] => self.power.concat().into_bytes(),
            _ => vec![0x90, 0x00],
        }
    }

    fn reset(&mut self) {
        self.power.push("R");
    }

    fn power_off(&mut self) {
        self.power.push("0");
    }

    fn power_on(&mut self) {
        self.power.push("1");
    }

    fn power_on_contactless(&mut self) {
        self.power.push("C");
    }
}

fn run_fake(text: &str) -> Report {
    run(&whole(text), |_| Fake::default())
}

#[test]
fn a_run_that_goes_well_counts_what_it_did() {
    let report = run_fake(
        "scenario values and answers\n\
         do ask\ncheck equal({challenge}, 00 01)\n\
         set before = {challenge}\n\
         do ask\ncheck differ({challenge}, {before})\n\
         scenario every scenario begins anew\n\
         do ask\ncheck equal({challenge}, 00 01)\n\
         repeat 5\n> 00 84\n< 00 ?? 90 00\n\
         > 00 84\n< 00 07 90 00\n\
         scenario power\n\
         reset\npower off\npower on\npower contactless\n> 00 FF\n< \"R01C\"\n\
         scenario long answers\n\
         >> 00 B0 00 00 00\n< AA*256 BB*44 90 00\n\
         > 00 B0 00 00 00\n< AA*256 61 2C\n",
    );
    assert_eq!(report.failures, []);
    assert_eq!((report.scenarios, report.exchanges), (4, 2 + 7 + 1 + 2));
}

#[test]
fn a_card_is_made_from_all_values_before_the_first_command() {
    let script = whole("scenario one\nset secret = 03\n> 00\n< 90 00\n");
    let report = run(&script, |values| {
        assert_eq!(values.get("secret"), Some(&[3][..]));
        assert_eq!(values.starting_with("sec").collect::<Vec<_>>(), [("ret", &[3][..])]);
        assert_eq!(values.get("challenge"), None);
        Fake::default()
    });
    assert_eq!((report.exchanges, report.failures), (1, vec![]));
}

#[test]
fn long_commands_go_in_a_chain_and_stop_where_they_are_refused() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let script = whole(
        "scenario one\n\
         >> 00 24 00 80 lc( 55*256 ) 00 00\n< 90 00\n\
         >> 00 DB 3F FF lc( 55*600 ) 00 00\n< 6A 84\n",
    );
    let report = run(&script, |_| Fake { log: Rc::clone(&log), ..Fake::default() });
    assert_eq!((report.exchanges, report.failures), (2, vec![]));
    let expected = [
        [&[0x10, 0x24, 0x00, 0x80, 0xFF][..], &[0x55; 255]].concat(),
        vec![0x00, 0x24, 0x00, 0x80, 0x01, 0x55, 0x00],
        [&[0x10, 0xDB, 0x3F, 0xFF, 0xFF][..], &[0x55; 255]].concat(),
    ];
    assert_eq!(*log.borrow(), expected);
}

#[test]
fn failures_say_where_and_what() {
    let report = run_fake(
        "scenario the answer\nstep counts\n> 00 84\n< 00 ?? 6A 82\n\
         scenario the check\nclause rule\ncheck equal(00, 01)\n\
         scenario the procedure\nset challenge = 00\ndo ask\n> {nothing}\n< 90 00\n\
         scenario the end\n>> 00 B1\n< ..\n\
         scenario the key\nset public-9A = 04\ncheck point(9A)\n\
         scenario the card file\nstep again\nrepeat 2\n> {secret}\n< 6A 82\n",
    );
    let found: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "test.scn:7: \"the answer\", step \"counts\" (none): the answer is another\n  \
         sent      00 84\n  expected  00 ?? 6A 82\n  found     00 01 90 00",
            "test.scn:10: \"the check\", step \"the beginning\" (rule): the check failed: equal: the bytes differ",
            "test.scn:15: \"the procedure\", step \"the beginning\" (none): {nothing} has no value: set it, or keep \
         it from an earlier answer",
            "test.scn:18: \"the end\", step \"the beginning\" (none): the card announces more data without end",
            "test.scn:21: \"the key\", step \"the beginning\" (none): the check failed: point: public-9A is not an \
         uncompressed point of P-256 or P-384",
            "test.scn:26: \"the card file\", step \"again\" (none): the answer is another\n  \
         sent      01 02\n  expected  6A 82\n  found     90 00",
        ]
    );
    assert_eq!((report.scenarios, report.exchanges), (6, 3));
}

#[test]
fn a_failure_in_a_procedure_names_its_file_and_its_caller() {
    let script = parse::script(
        "test.scn",
        "title Test\nclause none\ncard test\nscenario one\nstep first\ndo refused\n",
        |_| parse::card("test.card", "procedure refused\n> 00\n< 6A 82\n"),
    )
    .unwrap();
    let report = run(&script, |_| Fake::default());
    let failure = &report.failures[0];
    assert_eq!((failure.file.as_str(), failure.line), ("test.card", 3));
    assert_eq!(failure.step, "first: refused");
    assert!(matches!(&failure.what, Trouble::Answer { found, .. } if *found == [0x90, 0x00]));
}
