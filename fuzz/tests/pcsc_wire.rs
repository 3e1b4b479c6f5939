//! What the target `pcsc_wire` begins with harms nobody. It counts the threads of its process, so nothing else runs in here.

use fuzz::{Target, corpus};

#[test]
fn what_the_fuzzer_begins_with_harms_nobody() {
    let target = Target::find("pcsc_wire").expect("a target");
    for (name, input) in corpus::inputs(target).expect("a corpus in vectors/fuzz") {
        println!("pcsc_wire: {name}");
        (target.play)(&input);
    }
    // Every kind of step.
    let session = (target.seeds)().swap_remove(1).1;
    for how in 0..=u8::MAX {
        let steps: Vec<u8> =
            (0..24).flat_map(|place| [how, how / 5, place, how, 7, how, how, place]).collect();
        (target.play)(&[&session[..], &steps].concat());
    }
}
