//! piv-tool: administration of the card with its management key.
//!
//! What is known of OpenSC 0.23: the exit status after a write is the low byte of the number of bytes
//! written, so the proof is what another client reads back; with OpenSSL 3 it generates a key and then fails
//! to print it, so its public key is taken from the tool's own log; its external authentication (`A:`) gives
//! up on any card before it sends the answer.

use crate::card::PIN;
use crate::world::{Client, Outcome, World};

pub(crate) const MANAGEMENT_KEY: &str =
    "01:02:03:04:05:06:07:08:01:02:03:04:05:06:07:08:01:02:03:04:05:06:07:08";

/// A sample object for Printed Information, which is read back with the PIN.
pub(crate) const OBJECT: [u8; 10] = [0x53, 0x08, 0x01, 0x04, b'T', b'E', b'S', b'T', 0xFE, 0x00];

/// Runs piv-tool after mutual authentication with the management key; `algorithm` is that key's.
pub(crate) fn piv_tool(world: &World, algorithm: &str, words: &[&str]) -> Client {
    world.write("management.key", MANAGEMENT_KEY);
    let authentication = format!("M:9B:{algorithm}");
    world
        .client("piv-tool")
        .env("PIV_EXT_AUTH_KEY", "management.key")
        .args(["--admin", &authentication])
        .args(words)
}

/// Reads Printed Information as OpenSC shows it to the holder.
fn printed_information(world: &World) -> Vec<u8> {
    let words =
        ["--login", "--pin", PIN, "--read-object", "--type", "data", "--label", "Printed Information"];
    world.client("pkcs11-tool").args(words).args(["--output-file", "printed.bin"]).succeeds();
    world.read("printed.bin")
}

#[test]
fn objects_are_written_with_every_kind_of_management_key() {
    for (name, algorithm) in [("3des", "03"), ("aes192", "0A")] {
        let world = World::with_card(&["--management-algorithm", name]);
        world.write("object.bin", OBJECT);
        let before = printed_information(&world);
        let outcome = piv_tool(&world, algorithm, &["--object", "3001", "--in", "object.bin"]).run();
        assert_eq!(outcome.code(), Some(10), "{outcome}");
        assert_ne!(before, OBJECT);
        assert_eq!(printed_information(&world), OBJECT, "{name}");
    }
}

#[test]
fn without_the_management_key_nothing_is_written() {
    let world = World::with_card(&["--management-algorithm", "3des"]);
    world.write("object.bin", OBJECT);
    world.write("wrong.key", MANAGEMENT_KEY.replace("08", "18"));
    let before = printed_information(&world);
    let write = ["--object", "3001", "--in", "object.bin"];
    let said = world
        .client("piv-tool")
        .env("PIV_EXT_AUTH_KEY", "wrong.key")
        .args(["--admin", "M:9B:03"])
        .args(write)
        .fails();
    assert!(said.contains("admin_mode failed"), "{said}");
    world.client("piv-tool").args(write).fails();
    assert_eq!(printed_information(&world), before);
}

/// The answer to GENERATE ASYMMETRIC KEY PAIR in the tool's log: the template 7F49 in hex.
fn generated_template(outcome: &Outcome) -> String {
    let text = outcome.text();
    // The last answer that begins so; each follows a line "Incoming APDU" as 16 bytes a line, then as text.
    let begin = text.rfind("\n7F 49 ").unwrap_or_else(|| panic!("no key in the tool's log: {outcome}"));
    let lines = text[begin + 1..].lines().take_while(|line| !line.is_empty());
    lines.flat_map(|line| line.split(' ').take(16)).take_while(|word| word.len() == 2).collect()
}

#[test]
fn a_generated_key_signs_under_its_imported_certificate() {
    let world = World::with_card(&[]);
    let outcome = piv_tool(&world, "0A", &["-vvv", "--genkey", "9A:11", "--out", "printed.pem"]).run();
    // SP 800-73-5 part 2, 3.3.2: 7F49 43 { 86 41 04 X Y }.
    let template = generated_template(&outcome);
    let point = template.strip_prefix("7F49438641").unwrap_or_else(|| panic!("not a P-256 key: {template}"));
    assert!(point.starts_with("04") && point.len() >= 130, "{template}");

    // RFC 5480: a SubjectPublicKeyInfo of P-256 is this and the point.
    let information = format!("3059301306072A8648CE3D020106082A8648CE3D030107034200{}", &point[..130]);
    world.write("key.der", hex::decode(information).expect("hex"));
    world.openssl(["pkey", "-pubin", "-inform", "DER", "-in", "key.der", "-out", "key.pem"]);
    world.openssl(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "ca.key"]);
    let request = ["req", "-x509", "-key", "ca.key", "-subj", "/CN=Test CA", "-days", "30", "-out", "ca.pem"];
    world.openssl(request);
    let words = ["x509", "-new", "-force_pubkey", "key.pem", "-subj", "/CN=Generated", "-days", "30"];
    world.openssl(words.into_iter().chain(["-CA", "ca.pem", "-CAkey", "ca.key", "-out", "new.pem"]));

    piv_tool(&world, "0A", &["--cert", "9A", "--in", "new.pem"]).run();
    world
        .client("pkcs11-tool")
        .args(["--read-object", "--type", "cert", "--id", "01", "--output-file", "read.der"])
        .succeeds();
    world.openssl(["x509", "-in", "new.pem", "-outform", "DER", "-out", "new.der"]);
    assert_eq!(world.read("read.der"), world.read("new.der"), "the certificate is on the card");

    world.message("-sha256");
    world
        .client("pkcs11-tool")
        .args(["--login", "--pin", PIN, "--sign", "--id", "01", "--mechanism", "ECDSA"])
        .args(["--signature-format", "openssl", "--input-file", "hash.bin", "--output-file", "signature.bin"])
        .succeeds();
    world.verify("key.pem", "signature.bin", &["-sha256"]);
}
