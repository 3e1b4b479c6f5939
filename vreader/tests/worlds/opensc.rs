//! What OpenSC's programs see of the readers that `vreader run` was told to make.

use crate::vreader::{Place, require};

fn run(options: &[&str], program: &[&str]) -> String {
    require(program[0]);
    Place::new().done(&[&["run"], options, &["--"], program].concat())
}

#[test]
fn opensc_tool_lists_the_readers() {
    let said = run(&["--card", "piv", "--empty"], &["opensc-tool", "--list-readers"]);
    let lines: Vec<_> = said.lines().filter(|line| line.contains("vreader")).collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].contains("Yes") && lines[1].contains("No"), "{said}");
}

#[test]
fn a_key_pad_asks_for_the_pin_itself() {
    let options = ["--card", "piv", "--pinpad", "123456"];
    assert!(run(&options, &["opensc-tool", "--list-readers"]).contains("PIN pad"));
    let said = run(&options, &["pkcs11-tool", "--login", "--list-objects", "--type", "privkey"]);
    assert!(said.contains("PIV AUTH key"), "{said}");
    assert!(!said.contains("Please enter"), "{said}");
}
