//! Data objects of a YubiKey under Yubico's own programs: tags of one's own, and those in which `ykman` keeps a management key
//! that the PIN protects. What one program writes, the other reads.

use crate::{
    card::{CARD, PIN, PUK, VREADER},
    world::{Attachment, Client, World},
    ykman,
    yubico_piv_tool::fresh,
};

/// `ykman piv …`; words stand between spaces.
fn ykman(world: &World<impl Attachment>, words: &str) -> Client {
    world.client(&ykman::program()).args(ykman::words(words))
}

/// `yubico-piv-tool`; words stand between spaces.
fn piv_tool(world: &World<impl Attachment>, words: &str) -> Client {
    world.client("yubico-piv-tool").args(words.split(' '))
}

#[test]
fn objects_of_ones_own_go_from_program_to_program() {
    let world = fresh("yubikey5-4");
    let note: Vec<u8> = (0..=255).cycle().take(3000).collect();
    world.write("note", &note);
    ykman(&world, "objects import -m KEY 5F1234 note").succeeds();
    // Both read the contents, without the tag and length around them.
    piv_tool(&world, "-a read-object --id 0x5f1234 -f binary -o read").succeeds();
    assert_eq!(world.read("read"), note);
    world.write("other", "short");
    piv_tool(&world, "-a write-object --id 0x5f4321 -f binary -i other").succeeds();
    ykman(&world, "objects export 5F4321 read").succeeds();
    assert_eq!(world.read("read"), b"short");
    let listed = world.tool(VREADER).args(["card", "show", CARD, "--json"]).succeeds();
    for tag in ["5F1234", "5F4321"] {
        assert!(listed.contains(tag), "{listed}");
    }

    world.write("long", [0xA5; 3053]);
    let said = ykman(&world, "objects import -m KEY 5F1235 long").fails();
    assert!(said.contains("ERROR"), "{said}");
    world.write("none", "");
    ykman(&world, "objects import -m KEY 5F1234 none").succeeds();
    ykman(&world, "objects export 5F1234 read").fails();
    piv_tool(&world, "-a read-object --id 0x5f1234 -f binary -o read").fails();
}

#[test]
fn a_protected_management_key_is_read_with_the_pin_and_with_nothing_else() {
    for profile in ["yubikey5", "yubikey5-4", "yubikey4"] {
        let world = fresh(profile);
        let said = ykman(&world, "info").succeeds();
        assert!(!said.contains("protected by PIN"), "{said}");
        ykman(&world, &format!("access change-management-key -m KEY -P {PIN} --protect -g")).succeeds();
        let said = ykman(&world, "info").succeeds();
        assert!(said.contains("Management key is stored on the YubiKey, protected by PIN."), "{said}");
        // The administrator data say so, and lie open; the key itself is where the PIN is asked for.
        ykman(&world, "objects export 5FFF00 admin-data").succeeds();
        assert_eq!(world.read("admin-data"), [0x80, 0x03, 0x81, 0x01, 0x02]);
        let said = ykman(&world, "objects export PRINTED printed").fails();
        assert!(said.contains("PIN"), "{said}");
        ykman(&world, &format!("objects export -P {PIN} PRINTED printed")).succeeds();
        let printed = world.read("printed");
        assert_eq!((printed.len(), &printed[..4]), (28, &[0x88, 0x1A, 0x89, 0x18][..]));
        // What is read there is the key.
        let key = hex::encode(&printed[4..]);
        ykman(&world, &format!("objects generate -m {key} chuid")).succeeds();
        ykman(&world, &format!("objects generate -P {PIN} ccc")).succeeds();
        let said = ykman(&world, "objects generate -m KEY ccc").fails();
        assert!(said.contains("Authentication with management key failed"), "{said}");
        // The PIN is another one, and opens the same.
        ykman(&world, &format!("access change-pin -P {PIN} -n 654321")).succeeds();
        ykman(&world, "objects generate -P 654321 ccc").succeeds();
        ykman(&world, "access change-management-key -m KEY -n KEY -P 654321").fails();
        ykman(&world, &format!("access unblock-pin -p {PUK} -n {PIN}")).succeeds();
    }
}
