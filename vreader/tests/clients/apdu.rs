//! `vreader apdu` as a client of other people's PC/SC service: Debian's pcscd, which speaks an older protocol than ours.

use crate::{
    card::{CARD, VREADER},
    world::World,
};

#[test]
fn it_finds_and_reaches_a_card_in_the_systems_pcscd() {
    let (world, _vreader) = World::with_plugged_card(&["--sm", "cs2", "--vci", "open"]);
    // Without the variable: the system's socket.
    let said = world
        .client(VREADER)
        .args(["apdu", "--sm", "0020008008313233343536FFFF", "00CB3FFF055C035FC10900"])
        .succeeds();
    assert!(said.contains("VERIFY PIV PIN\n< 9000 (success)"), "{said}");
    assert!(said.contains("GET DATA Printed Information\n< 53"), "{said}");
    let refused = world.client(VREADER).args(["apdu", "--reader", "Gate", "00A40400"]).run();
    assert_eq!(refused.code(), Some(2));
    assert!(
        refused.text().contains("there is \"Virtual PCD 00 00\", \"Virtual PCD 00 01\" (empty)"),
        "{}",
        refused.text()
    );
    assert!(world.path(CARD).exists());
}
