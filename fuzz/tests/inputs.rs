//! Seeds and committed corpora harm nobody. The target `pcsc_wire` counts threads and memory, and has a process of its own.

use std::fs;

use fuzz::{Target, corpus};

fn play_all(name: &str) {
    let target = Target::find(name).expect("a target");
    let inputs = corpus::inputs(target).expect("a corpus in vectors/fuzz");
    let kept = fs::read_dir(corpus::folder(target)).expect("a corpus in vectors/fuzz").count();
    assert!(kept > 0 && inputs.len() > kept, "{kept} inputs in the corpus, {} in all", inputs.len());
    for (input_name, input) in &inputs {
        // What an input does is told by the panic; which one it was, by this line.
        println!("{name}: {input_name}");
        (target.play)(input);
    }
}

#[test]
fn apdu() {
    play_all("apdu");
}

#[test]
fn apdu_sequence() {
    play_all("apdu_sequence");
}

#[test]
fn cac() {
    play_all("cac");
}

#[test]
fn card_file() {
    play_all("card_file");
}

#[test]
fn secure_messaging() {
    play_all("secure_messaging");
}

#[test]
fn tlv() {
    play_all("tlv");
}

#[test]
fn yubikey() {
    play_all("yubikey");
}

#[test]
fn every_target_has_its_program_and_a_test() {
    for target in fuzz::TARGETS {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz_targets/").to_owned() + target.name + ".rs";
        let program = fs::read_to_string(program).expect("a program of the target's name");
        assert!(program.contains(&format!("use fuzz::{}::", target.name)));
        let tests = [include_str!("inputs.rs"), include_str!("pcsc_wire.rs")].concat();
        assert!(
            tests.contains(&format!("play_all(\"{}\")", target.name))
                || tests.contains(&format!("\"{}\"", target.name))
        );
    }
}
