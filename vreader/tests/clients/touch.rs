//! Keys that want a touch, under Yubico's own programs: what these tell their users, and what comes of a touch and of none.

use crate::{
    card::{CARD, PIN},
    serve::Serve,
    vreader::wait_for,
    world::{Attachment, Client, World},
    ykman,
    yubico_piv_tool::{fresh, make_certificate},
};

/// A world with this YubiKey, in which a card that asks for a touch waits for `vreader ctl touch`.
fn waiting(profile: &str) -> World<Serve> {
    fresh(profile).serve(&["--card", CARD, "--touch", "wait=60"])
}

/// `ykman piv …`; words stand between spaces.
fn ykman(world: &World<impl Attachment>, words: &str) -> Client {
    world.client(&ykman::program()).args(ykman::words(words))
}

/// Runs ykman beside the test, touches the card when ykman asks its user to, and waits for its success.
fn touched(world: &World<Serve>, words: &str) {
    let words = ykman::words(words);
    let program = ykman::program();
    let command: Vec<_> = std::iter::once(program.as_str()).chain(words.iter().map(String::as_str)).collect();
    let mut ykman = world.companion(&command);
    ykman.hear_line("Touch your YubiKey...");
    // It knows from the metadata that there will be a question, and may tell before there is one.
    wait_for("the card asks", || {
        world.ctl_says(&["list"]).contains(": card, waits for a touch").then_some(())
    });
    world.ctl(&["touch"]);
    assert!(ykman.ends().success(), "{words:?}");
}

#[test]
fn ykman_tells_its_user_to_touch_a_key_and_goes_on() {
    let world = waiting("yubikey5");
    ykman(&world, "keys generate -m KEY --touch-policy ALWAYS -a ECCP256 9a public.pem").succeeds();
    touched(&world, &format!("certificates generate -m KEY -P {PIN} -s CN=Sam 9a public.pem"));
    ykman(&world, "certificates export 9a own.crt").succeeds();
    world.tool("openssl").args(["verify", "-CAfile", "own.crt", "own.crt"]).succeeds();
}

#[test]
fn ykman_tells_its_user_to_touch_a_management_key() {
    let world = waiting("yubikey5");
    ykman(&world, "access change-management-key -m KEY -n KEY -a AES192 --touch").succeeds();
    touched(&world, "objects generate -m KEY chuid");
    let said = ykman(&world, "info").succeeds();
    assert!(said.contains("CHUID: 3019"), "{said}");
}

#[test]
fn without_a_touch_the_programs_complain() {
    let world = fresh("yubikey5-4");
    make_certificate(&world);
    let import = ["-s", "9a", "-a", "import-key", "--touch-policy=always", "-i", "rsa.pem"];
    world.client("yubico-piv-tool").args(import).succeeds();
    let world = world.changed_to(&["--card", CARD, "--touch", "never=0.2"]);
    let test = ["-s", "9a", "-P", PIN, "-a", "verify-pin", "-a", "test-signature", "-i", "rsa.crt"];
    let said = world.client("yubico-piv-tool").args(test).args(["--verbose=2"]).fails();
    assert!(said.contains("6982"), "{said}");
    let public = ["pkey", "-in", "rsa.pem", "-pubout", "-out", "public.pem"];
    world.tool("openssl").args(public).succeeds();
    let request = format!("certificates request -P {PIN} -s CN=Sam 9a public.pem own.csr");
    let said = ykman(&world, &request).fails();
    assert!(said.contains("ERROR: Certificate Signing Request generation failed."), "{said}");

    // A cached touch serves a second program, too.
    let import = ["-s", "9d", "-a", "import-key", "--touch-policy=cached", "-i", "rsa.pem"];
    world.client("yubico-piv-tool").args(import).succeeds();
    let world = world.changed_to(&[]).serve(&["--card", CARD, "--touch", "wait=60"]);
    let decipher = [
        "yubico-piv-tool",
        "-s",
        "9d",
        "-P",
        PIN,
        "-a",
        "verify-pin",
        "-a",
        "test-decipher",
        "-i",
        "rsa.crt",
    ];
    let first = world.companion(&decipher);
    world.ctl(&["touch", "--wait", "60"]);
    assert!(first.ends().success());
    world.client(decipher[0]).args(&decipher[1..]).succeeds();
}
