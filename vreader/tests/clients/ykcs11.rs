//! ykcs11, Yubico's PKCS#11 module, under OpenSC's pkcs11-tool. It finds a YubiKey by its reader's name and its version.

use crate::{
    card::{PIN, WRONG_PIN, library},
    world::{Client, World},
    yubico_piv_tool::{fresh, make_certificate},
};

/// The factory's management key, which is the security officer's PIN here.
pub(crate) const SO_PIN: &str = "010203040506070801020304050607080102030405060708";

pub(crate) fn ykcs11(world: &World) -> Client {
    world.client("pkcs11-tool").args(["--module", &library("libykcs11.so")])
}

/// A YubiKey with an RSA key and its certificate in 9A.
fn with_certificate() -> World {
    let world = fresh("yubikey5-4");
    make_certificate(&world);
    for words in [["import-key", "rsa.pem"], ["import-certificate", "rsa.crt"]] {
        let [action, file] = words;
        world.client("yubico-piv-tool").args(["-s", "9a", "-a", action, "-i", file]).succeeds();
    }
    world
}

#[test]
fn the_token_and_its_objects_are_listed() {
    let world = with_certificate();
    let said = ykcs11(&world).args(["--list-slots"]).succeeds();
    assert!(said.contains("YubiKey PIV #") && said.contains("token model        : YubiKey YK5"), "{said}");
    let said = ykcs11(&world).args(["--list-objects"]).succeeds();
    assert!(said.contains("subject:    DN: CN=Sam Sample"), "{said}");
    assert!(said.contains("Public Key Object; RSA 2048 bits"), "{said}");
}

#[test]
fn signatures_verify_and_the_whole_test_passes() {
    let world = with_certificate();
    let said = ykcs11(&world).args(["--login", "--pin", PIN, "--test"]).succeeds();
    assert!(said.contains("No errors"), "{said}");
    world.write("data", "sign me");
    let sign = ["--sign", "--mechanism", "SHA256-RSA-PKCS", "--id", "01", "--input-file", "data"];
    ykcs11(&world).args(["--login", "--pin", PIN]).args(sign).args(["--output-file", "signature"]).succeeds();
    world
        .tool("openssl")
        .args(["x509", "-in", "rsa.crt", "-pubkey", "-noout", "-out", "public.pem"])
        .succeeds();
    let verify = ["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "data"];
    world.tool("openssl").args(verify).succeeds();
    let said = ykcs11(&world).args(["--login", "--pin", WRONG_PIN, "--test"]).fails();
    assert!(said.contains("CKR_PIN_INCORRECT"), "{said}");
}

#[test]
fn the_security_officer_generates_a_key_and_writes_a_certificate() {
    let world = with_certificate();
    let officer = || ykcs11(&world).args(["--login", "--login-type", "so", "--so-pin", SO_PIN]);
    officer().args(["--keypairgen", "--id", "02", "--key-type", "EC:prime256v1"]).succeeds();
    officer().args(["--write-object", "rsa.crt", "--type", "cert", "--id", "05"]).succeeds();
    let said = ykcs11(&world).args(["--list-objects"]).succeeds();
    assert!(said.contains("X.509 Certificate for Retired Key 1"), "{said}");
}
