//! The second opinion: YubiKeys under Debian's pcscd, through vpcd, whose reader is given a YubiKey's name. By its own name,
//! ykman takes its card only through the antenna.

use crate::{
    card::{CARD, PIN, library},
    companion::Companion,
    pcscd::{Pcscd, READER},
    vreader::wait_for,
    world::{Client, World},
    ykman,
    yubico_piv_tool::make_certificate,
};

/// A world with pcscd and a YubiKey in its reader. `options` are those of `vreader vpcd`.
fn plugged(profile: &str, options: &[&str]) -> (World<Pcscd>, Companion) {
    plugged_into(World::with_readers_called("Yubico YubiKey OTP+FIDO+CCID"), profile, options)
}

fn plugged_into(world: World<Pcscd>, profile: &str, options: &[&str]) -> (World<Pcscd>, Companion) {
    world.new_card(CARD, &["--profile", profile]);
    let vreader = world.plug_with(&[CARD], options);
    (world, vreader)
}

fn piv_tool(world: &World<Pcscd>, words: &[&str]) -> Client {
    world.client("yubico-piv-tool").args(words)
}

#[test]
fn yubico_piv_tool_imports_signs_and_waits_for_a_touch() {
    let (world, mut vreader) = plugged("yubikey5-4", &["--touch", "wait=60"]);
    make_certificate(&world);
    let said = piv_tool(&world, &["-a", "version"]).succeeds();
    assert!(said.contains("5.4.3"), "{said}");
    for policy in ["--touch-policy=never", "--touch-policy=always"] {
        piv_tool(&world, &["-s", "9a", "-a", "import-key", policy, "-i", "rsa.pem"]).succeeds();
        let test = ["-s", "9a", "-P", PIN, "-a", "verify-pin", "-a", "test-signature", "-i", "rsa.crt"];
        if policy.ends_with("never") {
            let said = piv_tool(&world, &test).succeeds();
            assert!(said.contains("Successful RSA verification."), "{said}");
            continue;
        }
        let program = world.companion(&[&["yubico-piv-tool"], &test[..]].concat());
        wait_for("the card asks", || {
            vreader.say("list");
            let line = vreader.hear("where the card is", |line| {
                line.starts_with("slot 0: in the reader").then(|| line.to_owned())
            });
            line.ends_with("waits for a touch").then_some(())
        });
        vreader.say("touch 0");
        assert!(program.ends().success());
    }
}

#[test]
fn ykcs11_signs() {
    let (world, _vreader) = plugged("yubikey5-4", &[]);
    make_certificate(&world);
    for words in [["import-key", "rsa.pem"], ["import-certificate", "rsa.crt"]] {
        let [action, file] = words;
        piv_tool(&world, &["-s", "9a", "-a", action, "-i", file]).succeeds();
    }
    world.write("data", "sign me");
    let module = library("libykcs11.so");
    let pkcs11 = || world.client("pkcs11-tool").args(["--module", &module]);
    let said = pkcs11().args(["--list-slots"]).succeeds();
    assert!(said.contains("YubiKey PIV #"), "{said}");
    let sign = ["--sign", "--mechanism", "SHA256-RSA-PKCS", "--id", "01", "--input-file", "data"];
    pkcs11().args(["--login", "--pin", PIN]).args(sign).args(["--output-file", "signature"]).succeeds();
    world
        .tool("openssl")
        .args(["x509", "-in", "rsa.crt", "-pubkey", "-noout", "-out", "public.pem"])
        .succeeds();
    let verify = ["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "data"];
    world.tool("openssl").args(verify).succeeds();
}

#[test]
fn ykman_tells_what_is_on_the_card_and_makes_a_key() {
    let (world, _vreader) = plugged("yubikey5", &[]);
    let program = ykman::program();
    // vpcd always has a second reader, which is empty: ykman wants to know which of the two.
    let listed = world.client(&program).args(["list", "--serials"]).succeeds();
    let serial = listed.lines().next().expect("a serial number");
    let ykman = |words: &str| world.client(&program).args(["--device", serial]).args(ykman::words(words));
    let said = ykman("info").succeeds();
    assert!(said.contains("PIV version:              5.7.1"), "{said}");
    ykman("keys generate -m KEY -a ECCP256 9a public.pem").succeeds();
    ykman(&format!("certificates generate -m KEY -P {PIN} -s CN=Sam 9a public.pem")).succeeds();
    ykman("certificates export 9a own.crt").succeeds();
    world.tool("openssl").args(["verify", "-CAfile", "own.crt", "own.crt"]).succeeds();
}

#[test]
fn ykman_takes_a_card_on_the_antenna_of_a_reader_by_another_name() {
    let (world, _vreader) = plugged_into(World::with_pcscd(), "yubikey5", &["--contactless"]);
    let info = ykman::words("info");
    let said = world.client(&ykman::program()).args(["--reader", READER]).args(info).succeeds();
    assert!(said.contains("PIV version:              5.7.1"), "{said}");
}
