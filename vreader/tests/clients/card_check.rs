//! `vreader card check` over a card in somebody else's PC/SC service: Debian's pcscd.

use serde_json::Value;

use crate::{
    card::{PIN, VREADER},
    world::World,
};

#[test]
fn a_card_in_the_systems_pcscd_passes_and_is_as_it_was() {
    let (world, _vreader) = World::with_plugged_card(&["--sm", "cs2", "--vci", "pairing", "--retired", "1"]);
    let check = ["card", "check", "--reader", "Virtual PCD", "--pin", PIN, "--json"];
    let report: Value = serde_json::from_str(&world.client(VREADER).args(check).succeeds()).expect("JSON");
    assert_eq!(report["counts"]["failed"], 0, "{report}");
    assert!(report["counts"]["passed"].as_u64() > Some(380), "{}", report["counts"]);
    let tries = world.client(VREADER).args(["apdu", "00A4040005A00000030800", "00200080"]).run();
    assert!(tries.text().contains("63C3"), "{}", tries.text());
}
