//! ykman, Yubico's manager, on a YubiKey of firmware 5.7 that has just left the factory: its PIV commands.
//!
//! It comes from PyPI: see [`python`]. Its own test before it takes a reader for a YubiKey's is the reader's name.

use crate::{
    card::{CARD, PIN, PUK, VREADER},
    python,
    world::{Client, World},
    yubico_piv_tool::{fresh, make_certificate},
};

const YKMAN: &str = "yubikey-manager==5.9.2";

/// The factory's management key.
const KEY: &str = "010203040506070801020304050607080102030405060708";

/// The program.
pub(crate) fn program() -> String {
    python::program(YKMAN, "ykman")
}

/// A Python that has the library below it.
pub(crate) fn python() -> String {
    python::program(YKMAN, "python")
}

/// The arguments of `ykman piv …`; words stand between spaces, and `KEY` for the factory's management key.
pub(crate) fn words(words: &str) -> Vec<String> {
    ["piv"].into_iter().chain(words.split(' ')).map(|word| word.replace("KEY", KEY)).collect()
}

/// `ykman piv …`, with these words.
pub(crate) fn ykman(world: &World, these: &str) -> Client {
    world.client(&program()).args(words(these))
}

#[test]
fn a_fresh_card_is_told_as_such() {
    for (profile, version, algorithm) in
        [("yubikey5", "5.7.1", "AES192"), ("yubikey5-4", "5.4.3", "TDES"), ("yubikey5-2", "5.2.4", "")]
    {
        let said = ykman(&fresh(profile), "info").succeeds();
        assert!(said.contains(&format!("PIV version:              {version}")), "{said}");
        assert!(said.contains("PIN tries remaining:      3"), "{said}");
        let with_metadata = !algorithm.is_empty();
        assert_eq!(said.contains("WARNING: Using default PIN!"), with_metadata, "{said}");
        assert!(said.contains(&format!("Management key algorithm: {algorithm}")), "{said}");
    }
}

#[test]
fn keys_are_generated_imported_moved_and_deleted() {
    let world = fresh("yubikey5");
    make_certificate(&world);
    ykman(&world, "keys generate -m KEY -a ECCP384 9e public.pem").succeeds();
    ykman(&world, "keys generate -m KEY -a RSA2048 82 public.pem").succeeds();
    ykman(&world, "keys import -m KEY --pin-policy ALWAYS --touch-policy CACHED 9d rsa.pem").succeeds();
    let said = ykman(&world, "keys info 9d").succeeds();
    for line in [
        "Algorithm:              RSA2048",
        "Origin:                 IMPORTED",
        "PIN required for use:   ALWAYS",
        "Touch required for use: CACHED",
    ] {
        assert!(said.contains(line), "{said}");
    }
    // What it exports is the public key of what was imported.
    let exported = ykman(&world, "keys export 9d -").succeeds();
    let public = world.tool("openssl").args(["pkey", "-in", "rsa.pem", "-pubout"]).succeeds();
    assert!(exported.contains(public.trim()), "{exported}");

    ykman(&world, "keys move -m KEY 82 83").succeeds();
    let said = ykman(&world, "keys info 83").succeeds();
    assert!(said.contains("GENERATED"), "{said}");
    ykman(&world, "keys info 82").fails();
    ykman(&world, "keys delete -m KEY 83").succeeds();
    ykman(&world, "keys info 83").fails();
}

#[test]
fn keys_of_every_algorithm_are_generated_and_attested() {
    let world = World::with_options(&["--card", CARD]);
    let new = ["card", "new", CARD, "--profile", "yubikey5", "--seed", "1", "--export-ca", "pki"];
    world.tool(VREADER).args(new).succeeds();
    ykman(&world, "certificates export f9 attestation.crt").succeeds();
    for (slot, algorithm) in [
        ("9a", "ED25519"),
        ("9c", "ECCP384"),
        ("9d", "X25519"),
        ("9e", "ECCP256"),
        ("82", "RSA1024"),
        ("83", "RSA3072"),
    ] {
        ykman(&world, &format!("keys generate -m KEY -a {algorithm} {slot} public.pem")).succeeds();
        let said = ykman(&world, &format!("keys info {slot}")).succeeds();
        assert!(said.contains(&format!("Algorithm:              {algorithm}\n")), "{said}");
        assert!(said.contains("Origin:                 GENERATED"), "{said}");
        let public = world.read_text("public.pem");
        let exported = ykman(&world, &format!("keys export {slot} -")).succeeds();
        assert!(exported.contains(public.trim()), "{exported}");
        ykman(&world, &format!("keys attest {slot} attested.pem")).succeeds();
        let ca = ["verify", "-CAfile", "pki/attestation-root-ca.pem", "-untrusted", "attestation.crt"];
        world.tool("openssl").args(ca).args(["attested.pem"]).succeeds();
        let attested =
            world.tool("openssl").args(["x509", "-in", "attested.pem", "-noout", "-pubkey"]).succeeds();
        assert!(attested.contains(public.trim()), "{attested}");
    }
}

#[test]
fn keys_of_curve25519_are_imported_and_used() {
    let world = fresh("yubikey5");
    for (slot, algorithm) in [("9a", "ED25519"), ("9d", "X25519")] {
        let generate = ["genpkey", "-algorithm", algorithm, "-out", "own.pem"];
        world.tool("openssl").args(generate).succeeds();
        let policies = "--pin-policy ONCE --touch-policy NEVER";
        ykman(&world, &format!("keys import -m KEY {policies} {slot} own.pem")).succeeds();
        let public = world.tool("openssl").args(["pkey", "-in", "own.pem", "-pubout"]).succeeds();
        world.write(&format!("{slot}.pem"), &public);
        let exported = ykman(&world, &format!("keys export {slot} -")).succeeds();
        assert!(exported.contains(public.trim()), "{exported}");
    }
    ykman(&world, &format!("certificates generate -m KEY -P {PIN} -s CN=Sam 9a 9a.pem")).succeeds();
    ykman(&world, "certificates export 9a own.crt").succeeds();
    world.tool("openssl").args(["verify", "-CAfile", "own.crt", "own.crt"]).succeeds();
    ykman(&world, &format!("certificates request -P {PIN} -s CN=Sam 9a 9a.pem own.csr")).succeeds();
    world.tool("openssl").args(["req", "-in", "own.csr", "-noout", "-verify"]).succeeds();
    let said = world.tool(VREADER).args(["card", "show", CARD]).succeeds();
    assert!(said.contains("key      Ed25519, matches the slot"), "{said}");

    // The commands agree on nothing; the library below them does. own.pem is the key in 9D.
    world.tool("openssl").args(["genpkey", "-algorithm", "X25519", "-out", "peer.pem"]).succeeds();
    world.tool("openssl").args(["pkey", "-in", "peer.pem", "-pubout", "-out", "peer.pub"]).succeeds();
    world.write("agree.py", AGREE);
    let agreed = world.client(&python()).args(["agree.py", PIN, "peer.pub"]).succeeds();
    let derive = ["pkeyutl", "-derive", "-inkey", "own.pem", "-peerkey", "peer.pub", "-out", "secret"];
    world.tool("openssl").args(derive).succeeds();
    assert_eq!(hex::decode(agreed.trim()).expect("hex"), world.read("secret"));
}

/// Agrees on a secret with 9D and the public key in a file.
const AGREE: &str = "
import sys
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from ykman.pcsc import list_devices
from yubikit.core.smartcard import SmartCardConnection
from yubikit.piv import PivSession, SLOT
session = PivSession(list_devices()[0].open_connection(SmartCardConnection))
session.verify_pin(sys.argv[1])
peer = load_pem_public_key(open(sys.argv[2], 'rb').read())
print(session.calculate_secret(SLOT.KEY_MANAGEMENT, peer).hex())
";

#[test]
fn keys_and_certificates_come_from_pkcs12_and_under_a_password() {
    let world = fresh("yubikey5");
    make_certificate(&world);
    let both = ["pkcs12", "-export", "-inkey", "rsa.pem", "-in", "rsa.crt", "-passout", "pass:secret"];
    world.tool("openssl").args(both).args(["-out", "both.p12"]).succeeds();
    let locked = ["rsa", "-in", "rsa.pem", "-aes128", "-passout", "pass:secret", "-out", "locked.pem"];
    world.tool("openssl").args(locked).succeeds();
    ykman(&world, "keys import -m KEY -p secret 82 both.p12").succeeds();
    ykman(&world, "keys import -m KEY -p secret 83 locked.pem").succeeds();
    ykman(&world, "certificates import -m KEY -p secret 82 both.p12").succeeds();
    ykman(&world, "certificates import -m KEY --compress 83 rsa.crt").succeeds();
    for slot in ["82", "83"] {
        // That the certificate is of the key, a signature shows.
        let verify = format!("certificates import -m KEY --verify -P {PIN} {slot} rsa.crt");
        ykman(&world, &verify).succeeds();
        let pem = ykman(&world, &format!("certificates export {slot} -")).succeeds();
        assert!(pem.contains(world.read_text("rsa.crt").trim()), "{pem}");
    }
}

#[test]
fn wrong_keys_and_certificates_are_complained_of() {
    let world = fresh("yubikey5");
    make_certificate(&world);
    ykman(&world, "keys generate -m KEY -a ECCP256 9a public.pem").succeeds();
    ykman(&world, "keys generate -m KEY -a RSA2048 82 public.pem").succeeds();
    ykman(&world, "keys import -m KEY 83 rsa.pem").succeeds();
    world.tool("openssl").args(["genpkey", "-algorithm", "ED448", "-out", "ed448.pem"]).succeeds();
    let verify = format!("certificates import -m KEY --verify -P {PIN}");
    for (words, complaint) in [
        ("keys attest 83 -", "Attestation failed."),
        ("keys attest 95 -", "Attestation failed."),
        ("keys info 95", "No key stored in slot 95"),
        ("keys export 95 -", "No key stored in slot 95"),
        ("keys move -m KEY 95 94", "No key in SOURCE slot."),
        ("keys move -m KEY 83 82", "DEST slot is not empty."),
        ("keys move -m KEY 83 83", "SOURCE must be different from DEST."),
        ("keys delete -m KEY 95", "No key stored in slot 95"),
        ("keys import -m KEY 95 rsa.crt", "Could not parse private key."),
        ("keys import -m KEY 95 ed448.pem", "Unsupported key type"),
        (&format!("{verify} 95 rsa.crt"), "No private key in slot 95"),
        // Another algorithm, and the right one.
        (&format!("{verify} 9a rsa.crt"), "does not match the private key in slot 9A"),
        (&format!("{verify} 82 rsa.crt"), "does not match the private key in slot 82"),
        ("certificates export 95 -", "No certificate found."),
        ("certificates import -m KEY 95 rsa.pem", "PEM file does not contain any certificate(s)"),
        (&format!("certificates request -P {PIN} -s CN=Sam 95 public.pem -"), "No private key in slot 95"),
        ("objects export 0x5fc105 -", "No data found."),
        (&format!("keys generate -m {} 9a -", "11".repeat(24)), "Authentication with management key failed."),
    ] {
        let said = ykman(&world, words).fails();
        assert!(said.contains(complaint) && !said.contains("Traceback"), "{words}: {said}");
    }
}

#[test]
fn a_blocked_card_is_complained_of() {
    let world = fresh("yubikey5");
    ykman(&world, "keys generate -m KEY -a ECCP256 9a public.pem").succeeds();
    let request = |pin: &str| format!("certificates request -P {pin} -s CN=Sam 9a public.pem -");
    for (words, complaint) in [
        (request("000000"), "PIN verification failed, 2 tries left."),
        ("access change-pin -P 000000 -n 654321".to_owned(), "PIN change failed - 1 tries left."),
        (request("000000"), "PIN is blocked."),
        (request(PIN), "PIN is blocked."),
        (format!("access change-pin -P {PIN} -n 654321"), "PIN is blocked."),
        ("access change-puk -p 00000000 -n 87654321".to_owned(), "PUK change failed - 2 tries left."),
        ("access unblock-pin -p 00000000 -n 654321".to_owned(), "PIN unblock failed - 1 tries left."),
        ("access unblock-pin -p 00000000 -n 654321".to_owned(), "PUK is blocked."),
        (format!("access change-puk -p {PUK} -n 87654321"), "PUK is blocked."),
    ] {
        let said = ykman(&world, &words).fails();
        assert!(said.contains(complaint) && !said.contains("Traceback"), "{words}: {said}");
    }
    let said = ykman(&world, "info").succeeds();
    assert!(
        said.contains("PIN tries remaining:      0/3") && said.contains("PUK tries remaining:      0/3"),
        "{said}"
    );
}

#[test]
fn certificates_and_objects_are_made_and_read_back() {
    let world = fresh("yubikey5");
    ykman(&world, "keys generate -m KEY -a ECCP256 9a public.pem").succeeds();
    ykman(&world, &format!("certificates generate -m KEY -P {PIN} -s CN=Sam 9a public.pem")).succeeds();
    ykman(&world, "certificates export 9a own.crt").succeeds();
    let verify = ["verify", "-CAfile", "own.crt", "own.crt"];
    world.tool("openssl").args(verify).succeeds();
    ykman(&world, &format!("certificates request -P {PIN} -s CN=Sam 9a public.pem own.csr")).succeeds();
    world.tool("openssl").args(["req", "-in", "own.csr", "-noout", "-verify"]).succeeds();
    make_certificate(&world);
    ykman(&world, "certificates import -m KEY 9d rsa.crt").succeeds();
    ykman(&world, "objects generate -m KEY chuid").succeeds();
    ykman(&world, "objects generate -m KEY ccc").succeeds();
    let said = ykman(&world, "info").succeeds();
    for line in ["CHUID: 3019", "CCC:   f015", "Subject DN:       CN=Sam", "Private key type: ECCP256"] {
        assert!(said.contains(line), "{said}");
    }
    ykman(&world, "certificates delete -m KEY 9a").succeeds();
    ykman(&world, "certificates export 9a -").fails();
}

#[test]
fn pin_puk_and_management_key_are_changed() {
    let world = fresh("yubikey5");
    ykman(&world, &format!("access change-pin -P {PIN} -n 654321")).succeeds();
    let said = ykman(&world, &format!("access change-pin -P {PIN} -n 654321")).fails();
    assert!(said.contains("2 tries left"), "{said}");
    ykman(&world, &format!("access change-puk -p {PUK} -n 87654321")).succeeds();
    ykman(&world, "access unblock-pin -p 87654321 -n 777777").succeeds();
    ykman(&world, "access set-retries -m KEY -P 777777 -f 5 4").succeeds();
    let other = "A1".repeat(32);
    ykman(&world, &format!("access change-management-key -m KEY -a AES256 -n {other}")).succeeds();
    let protect = format!("access change-management-key -m {other} -P {PIN} --protect -a AES192 -g");
    ykman(&world, &protect).succeeds();
    let said = ykman(&world, "info").succeeds();
    for line in
        ["remaining:      5/5", "remaining:      4/4", "stored on the YubiKey, protected by PIN", "AES192"]
    {
        assert!(said.contains(line), "{said}");
    }
    // The key that it made up, which only the card knows, opens the card.
    ykman(&world, &format!("keys generate -P {PIN} -a ECCP256 9a -")).succeeds();
}

#[test]
fn a_sample_person_is_on_a_yubikey_only_if_asked_for() {
    let world = World::with_options(&["--card", CARD]);
    let new = ["card", "new", CARD, "--profile", "yubikey5", "--holder", "Sam Sample"];
    let said = world.tool(VREADER).args(new).fails();
    assert!(said.contains("add --identity"), "{said}");
    world.tool(VREADER).args(new).args(["--identity"]).succeeds();
    let said = ykman(&world, "info").succeeds();
    for line in ["CHUID: 3019", "Slot 9A (AUTHENTICATION)", "CN=Sam Sample", "Slot 9E (CARD_AUTH)"] {
        assert!(said.contains(line), "{said}");
    }
    let said = ykman(&world, "keys attest 9a -").succeeds();
    assert!(said.contains("BEGIN CERTIFICATE"), "{said}");
}

#[test]
fn it_resets_the_card() {
    let world = fresh("yubikey5");
    ykman(&world, "keys generate -m KEY -a ECCP256 9a -").succeeds();
    ykman(&world, &format!("access change-pin -P {PIN} -n 654321")).succeeds();
    ykman(&world, "reset -f").succeeds();
    let said = ykman(&world, "info").succeeds();
    assert!(said.contains("WARNING: Using default PIN!") && !said.contains("Slot 9A"), "{said}");
}
