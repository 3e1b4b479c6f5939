//! yubico-piv-tool on a YubiKey that has just left the factory: its whole command set, and its complaints.
//!
//! What is known of 2.2.0: it proves management keys of TDEA only, so the card is one of firmware 5.4; with OpenSSL 3 it
//! can neither sign a certificate nor a request itself, before anything reaches a card.

use crate::{
    card::{CARD, PIN, PUK, VREADER, WRONG_PIN},
    world::{Attachment, World},
};

/// Another management key than the factory's.
const OTHER_KEY: &str = "--key=111213141516171821222324252627283132333435363738";

/// A world with an empty YubiKey of this firmware, whose state remains from client to client.
pub(crate) fn fresh(profile: &str) -> World {
    let world = World::with_options(&["--card", CARD]);
    world.tool(VREADER).args(["card", "new", CARD, "--profile", profile, "--seed", "1"]).succeeds();
    world
}

fn tool(world: &World, words: &[&str]) -> String {
    world.client("yubico-piv-tool").args(words).succeeds()
}

/// An RSA key and its certificate, made with openssl: `rsa.pem`, `rsa.crt`.
pub(crate) fn make_certificate(world: &World<impl Attachment>) {
    let words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Sam Sample", "-days", "30"];
    world.tool("openssl").args(words).args(["-keyout", "rsa.pem", "-out", "rsa.crt"]).succeeds();
}

#[test]
fn it_finds_the_card_and_tells_what_is_on_it() {
    let world = fresh("yubikey5-4");
    let listed = tool(&world, &["-a", "list-readers"]);
    assert!(listed.contains("Yubico YubiKey OTP+FIDO+CCID"), "{listed}");
    let said = tool(&world, &["-a", "version", "-a", "status"]);
    for line in ["Application version 5.4.3 found.", "CHUID:\tNo data available", "PIN tries left:\t3"] {
        assert!(said.contains(line), "{said}");
    }
    tool(&world, &["-a", "set-chuid", "-a", "set-ccc"]);
    let said = tool(&world, &["-a", "status"]);
    assert!(said.contains("CHUID:\t3019") && said.contains("CCC:\tf015a000000116"), "{said}");
}

#[test]
fn imported_keys_sign_and_decrypt_under_their_certificate() {
    let world = fresh("yubikey5-4");
    make_certificate(&world);
    for slot in ["9a", "9c", "9d", "82"] {
        tool(&world, &["-s", slot, "-a", "import-key", "-i", "rsa.pem"]);
        tool(&world, &["-s", slot, "-a", "import-certificate", "-i", "rsa.crt"]);
        let pem = tool(&world, &["-s", slot, "-a", "read-certificate"]);
        assert!(pem.contains(world.read_text("rsa.crt").trim()), "{pem}");
        let test = |what: &str| {
            tool(&world, &["-s", slot, "-P", PIN, "-a", "verify-pin", "-a", what, "-i", "rsa.crt"])
        };
        let said = test("test-signature");
        assert!(said.contains("Successful RSA verification."), "{said}");
        let said = test("test-decipher");
        assert!(said.contains("Successfully performed RSA decryption!"), "{said}");
    }
    tool(&world, &["-s", "9a", "-a", "delete-certificate"]);
    world.client("yubico-piv-tool").args(["-s", "9a", "-a", "read-certificate"]).fails();
}

#[test]
fn generated_keys_sign_and_are_attested() {
    let world = World::with_options(&["--card", CARD]);
    let new = ["card", "new", CARD, "--profile", "yubikey5-4", "--seed", "1", "--export-ca", "pki"];
    world.tool(VREADER).args(new).succeeds();
    tool(&world, &["-s", "f9", "-a", "read-certificate", "-o", "key.pem"]);
    world.write("data", "sign me");
    let algorithms = [("9a", "RSA2048"), ("9e", "ECCP256"), ("9d", "ECCP384"), ("82", "RSA1024")];
    for (slot, algorithm) in algorithms {
        tool(&world, &["-s", slot, "-A", algorithm, "-a", "generate", "-o", "public.pem"]);
        let sign = ["-a", "verify-pin", "-P", PIN, "--sign", "-s", slot, "-A", algorithm, "-i", "data"];
        tool(&world, &[&sign[..], &["-o", "signature"]].concat());
        let verify = ["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "data"];
        world.tool("openssl").args(verify).succeeds();

        tool(&world, &["-s", slot, "-a", "attest", "-o", "attested.pem"]);
        let verify =
            ["verify", "-CAfile", "pki/attestation-root-ca.pem", "-untrusted", "key.pem", "attested.pem"];
        world.tool("openssl").args(verify).succeeds();
        let said = world
            .tool("openssl")
            .args(["x509", "-in", "attested.pem", "-noout", "-subject", "-pubkey"])
            .succeeds();
        assert!(said.contains(&format!("CN = YubiKey PIV Attestation {slot}")), "{said}");
        assert!(said.contains(world.read_text("public.pem").trim()), "{said}");
    }
    make_certificate(&world);
    tool(&world, &["-s", "9c", "-a", "import-key", "-i", "rsa.pem"]);
    let said = world.client("yubico-piv-tool").args(["-s", "9c", "-a", "attest"]).fails();
    assert!(said.contains("Failed to attest data."), "{said}");
}

#[test]
fn small_and_elliptic_keys_are_imported_and_used() {
    let world = fresh("yubikey5-4");
    let own = ["-nodes", "-subj", "/CN=Sam Sample", "-keyout", "own.pem", "-out", "own.crt"];
    for (slot, algorithm, said) in [
        ("84", &["rsa:1024"][..], ["Successful RSA verification.", "Successfully performed RSA decryption!"]),
        (
            "9e",
            &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
            ["Successful ECDSA verification.", "Successfully performed ECDH exchange with card."],
        ),
    ] {
        world.tool("openssl").args(["req", "-x509", "-newkey"]).args(algorithm).args(own).succeeds();
        tool(&world, &["-s", slot, "-a", "import-key", "-i", "own.pem"]);
        tool(&world, &["-s", slot, "-a", "import-certificate", "-i", "own.crt"]);
        for (action, expected) in ["test-signature", "test-decipher"].into_iter().zip(said) {
            let said =
                tool(&world, &["-s", slot, "-P", PIN, "-a", "verify-pin", "-a", action, "-i", "own.crt"]);
            assert!(said.contains(expected), "{said}");
        }
    }
}

#[test]
fn keys_and_certificates_come_in_every_format() {
    let world = fresh("yubikey5-4");
    make_certificate(&world);
    let both = ["pkcs12", "-export", "-inkey", "rsa.pem", "-in", "rsa.crt", "-passout", "pass:secret"];
    world.tool("openssl").args(both).args(["-out", "both.p12"]).succeeds();
    let locked = ["rsa", "-in", "rsa.pem", "-aes128", "-passout", "pass:secret", "-out", "locked.pem"];
    world.tool("openssl").args(locked).succeeds();
    let der = ["x509", "-in", "rsa.crt", "-outform", "der", "-out", "rsa.der"];
    world.tool("openssl").args(der).succeeds();
    world.tool("gzip").args(["--keep", "rsa.der"]).succeeds();

    let both = ["-K", "PKCS12", "-p", "secret", "-i", "both.p12"];
    tool(&world, &[&["-s", "9d", "-a", "import-key", "-a", "import-certificate"], &both[..]].concat());
    tool(&world, &["-s", "9a", "-a", "import-key", "-p", "secret", "-i", "locked.pem"]);
    tool(&world, &["-s", "9a", "-a", "import-certificate", "-K", "DER", "-i", "rsa.der"]);
    let pem = tool(&world, &["-s", "9d", "-a", "read-certificate"]);
    assert!(pem.contains(world.read_text("rsa.crt").trim()), "{pem}");
    tool(&world, &["-s", "9a", "-a", "read-certificate", "-K", "DER", "-o", "back.der"]);
    assert_eq!(world.read("back.der"), world.read("rsa.der"));
    let said = tool(&world, &["-s", "9a", "-a", "read-certificate", "-K", "SSH"]);
    assert!(said.starts_with("ssh-rsa "), "{said}");

    // A compressed certificate it writes, but cannot read; OpenSC can.
    tool(&world, &["-s", "9a", "-a", "import-certificate", "-K", "GZIP", "-i", "rsa.der.gz"]);
    let pem = world.client("pkcs15-tool").args(["--read-certificate", "01"]).succeeds();
    assert!(pem.contains(world.read_text("rsa.crt").trim()), "{pem}");
}

#[test]
fn objects_are_written_and_read() {
    let world = fresh("yubikey5-4");
    world.write("hex", "0102030405\n");
    world.write("bytes", [0x00, 0xFF, 0x7F]);
    tool(&world, &["-a", "write-object", "--id", "0x5fc106", "-i", "hex"]);
    assert!(tool(&world, &["-a", "read-object", "--id", "0x5fc106"]).contains("0102030405"));
    let said = tool(&world, &["-a", "read-object", "--id", "0x5fc106", "-f", "base64"]);
    assert!(said.contains("AQIDBAU="), "{said}");
    // Printed Information needs the PIN.
    let printed = ["--id", "0x5fc109", "-f", "binary"];
    tool(&world, &[&["-a", "write-object", "-i", "bytes"], &printed[..]].concat());
    let read = [&["-a", "read-object", "-o", "back"], &printed[..]].concat();
    let said = world.client("yubico-piv-tool").args(&read).fails();
    assert!(said.contains("Failed fetching object."), "{said}");
    tool(&world, &[&["-a", "verify-pin", "-P", PIN], &read[..]].concat());
    assert_eq!(world.read("back"), [0x00, 0xFF, 0x7F]);
}

#[test]
fn wrong_keys_certificates_and_readers_are_complained_of() {
    let world = fresh("yubikey5-4");
    make_certificate(&world);
    let curve = ["ecparam", "-name", "secp521r1", "-genkey", "-noout", "-out", "p521.pem"];
    world.tool("openssl").args(curve).succeeds();
    tool(&world, &["-s", "9a", "-A", "RSA2048", "-a", "generate", "-o", "public.pem"]);
    let verified = |action: &str| format!("-s 9a -P {PIN} -a verify-pin -a {action}");
    for (words, complaint) in [
        ("-s 9c -a read-certificate", "Failed fetching certificate."),
        ("-s 9c -a delete-certificate --key=1234", "Failed authentication with the application."),
        ("-s 9c -a import-certificate -i rsa.pem", "Failed loading certificate for import."),
        ("-s 9c -a import-key -i rsa.crt", "Failed loading private key for import."),
        ("-s 9c -a import-key -i p521.pem", "only 256 and 384 are supported."),
        ("-s 9c -a import-key -K PKCS12 -p secret -i rsa.pem", "Failed to load PKCS12"),
        ("-s 9c -a attest", "Failed to attest data."),
        ("-s 9c -a test-signature -i rsa.crt", "Failed signing test data."),
        // Of another key.
        (&format!("{} -i rsa.crt", verified("test-signature")), "Failed RSA verification."),
        // Nothing that the card does: this version of the program has lost these under OpenSSL 3.
        (
            &format!("{} -S /CN=Sam/ -i public.pem", verified("request-certificate")),
            "Failed signing request.",
        ),
        (
            &format!("{} -S /CN=Sam/ -i public.pem", verified("selfsign-certificate")),
            "Failed signing certificate.",
        ),
        ("-a read-object --id 0x5fc10a", "Failed fetching object."),
        ("-a set-mgm-key -n 0102", "has to be exactly 48 hexadecimal characters."),
        ("-a pin-retries --pin-retries 4 --puk-retries 4", "Failed changing pin retries."),
        ("-a reset", "Reset failed, are pincodes blocked?"),
        ("-a version -r Other", "Failed to connect to yubikey."),
    ] {
        let said = world.client("yubico-piv-tool").args(words.split(' ')).fails();
        assert!(said.contains(complaint), "{words}: {said}");
    }
}

#[test]
fn keys_are_generated_with_policies() {
    let world = fresh("yubikey5-4");
    for (slot, algorithm) in [("9a", "RSA2048"), ("9c", "ECCP256"), ("95", "ECCP384")] {
        let words = ["-s", slot, "-A", algorithm, "-a", "generate", "--pin-policy=always"];
        tool(&world, &[&words[..], &["--touch-policy=cached", "-o", "public.pem"]].concat());
        world.tool("openssl").args(["pkey", "-pubin", "-in", "public.pem", "-noout"]).succeeds();
    }
}

#[test]
fn pins_puks_and_keys_are_changed_and_complained_of() {
    let world = fresh("yubikey5-4");
    let refused = |words: &[&str]| world.client("yubico-piv-tool").args(words).fails();
    let said = refused(&["-a", "verify-pin", "-P", WRONG_PIN]);
    assert!(said.contains("2 tries left before pin is blocked"), "{said}");
    tool(&world, &["-a", "change-pin", "-P", PIN, "-N", "654321"]);
    let said = refused(&["-a", "change-pin", "-P", PIN, "-N", "654321"]);
    assert!(said.contains("2 tries left"), "{said}");
    tool(&world, &["-a", "change-puk", "-P", PUK, "-N", "87654321"]);
    tool(&world, &["-a", "unblock-pin", "-P", "87654321", "-N", "777777"]);
    tool(&world, &["-a", "verify-pin", "-P", "777777"]);

    let retries = ["-a", "verify-pin", "-P", "777777", "-a", "pin-retries", "--pin-retries", "4"];
    tool(&world, &[&retries[..], &["--puk-retries", "2"]].concat());
    let said = tool(&world, &["-a", "status"]);
    assert!(said.contains("PIN tries left:\t4"), "{said}");
    tool(&world, &["-a", "verify-pin", "-P", PIN]);

    let new = OTHER_KEY.trim_start_matches("--key=");
    tool(&world, &["-a", "set-mgm-key", "-n", new]);
    let said = refused(&["-s", "9a", "-A", "ECCP256", "-a", "generate"]);
    assert!(said.contains("Failed authentication with the application."), "{said}");
    tool(&world, &[OTHER_KEY, "-s", "9a", "-A", "ECCP256", "-a", "generate"]);
}

#[test]
fn a_blocked_card_is_reset() {
    let world = fresh("yubikey5-4");
    tool(&world, &["-s", "9a", "-A", "ECCP256", "-a", "generate", "-a", "set-chuid"]);
    let refused = |words: &[&str]| world.client("yubico-piv-tool").args(words).fails();
    refused(&["-a", "reset"]);
    let blocked = "Pin code blocked, use unblock-pin action to unblock.";
    for (pin, complaint) in [
        (WRONG_PIN, "2 tries left before pin is blocked."),
        (WRONG_PIN, "1 tries left before pin is blocked."),
        (WRONG_PIN, blocked),
        (PIN, blocked),
    ] {
        let said = refused(&["-a", "verify-pin", "-P", pin]);
        assert!(said.contains(complaint), "{said}");
    }
    let said = refused(&["-a", "change-pin", "-P", PIN, "-N", "654321"]);
    assert!(said.contains("The pin code is blocked, use the unblock-pin action to unblock it."), "{said}");
    for (action, left) in [("change-puk", 2), ("unblock-pin", 1), ("unblock-pin", 0)] {
        let said = refused(&["-a", action, "-P", "00000000", "-N", "87654321"]);
        assert!(
            said.contains(&format!("Failed verifying puk code, now {left} tries left before blocked.")),
            "{said}"
        );
    }
    for action in ["change-puk", "unblock-pin"] {
        let said = refused(&["-a", action, "-P", PUK, "-N", "87654321"]);
        assert!(said.contains("The puk code is blocked, you will have to reinitialize"), "{said}");
    }
    tool(&world, &["-a", "reset"]);
    let said = tool(&world, &["-a", "status", "-a", "verify-pin", "-P", PIN]);
    assert!(said.contains("CHUID:\tNo data available") && said.contains("PIN tries left:\t3"), "{said}");
}
