//! What one program writes on a YubiKey, the others read and use: ykman, yubico-piv-tool, ykcs11, and OpenSC's piv-tool,
//! pkcs15-tool and pkcs11-tool.

use crate::{
    card::{PIN, library},
    piv_tool::piv_tool,
    world::{Client, World},
    ykcs11::{SO_PIN, ykcs11},
    ykman::ykman,
    yubico_piv_tool::{fresh, make_certificate},
};

fn opensc(world: &World) -> Client {
    world.client("pkcs11-tool").args(["--login", "--pin", PIN])
}

/// The public key of a certificate, in a file.
fn public_key_of(world: &World, certificate: &str) {
    let words = ["x509", "-in", certificate, "-noout", "-pubkey", "-out", "public.pem"];
    world.tool("openssl").args(words).succeeds();
}

/// That `signature` is over the message under `public.pem`.
fn verify(world: &World) {
    let words = ["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "message"];
    world.tool("openssl").args(words).succeeds();
}

#[test]
fn what_ykman_writes_the_others_read() {
    let world = fresh("yubikey5");
    make_certificate(&world);
    world.write("message", "sign me");
    world.tool("openssl").args(["dgst", "-sha256", "-binary", "-out", "digest", "message"]).succeeds();
    for (slot, algorithm, name) in
        [("9a", "ECCP256", "Anna"), ("9c", "ECCP384", "Carl"), ("9e", "ED25519", "Emma")]
    {
        ykman(&world, &format!("keys generate -m KEY -a {algorithm} {slot} public.pem")).succeeds();
        let certify = format!("certificates generate -m KEY -P {PIN} -s CN={name} {slot} public.pem");
        ykman(&world, &certify).succeeds();
    }
    ykman(&world, "keys import -m KEY 9d rsa.pem").succeeds();
    ykman(&world, "certificates import -m KEY 9d rsa.crt").succeeds();
    ykman(&world, "certificates export 9a 9a.crt").succeeds();

    // OpenSC 0.23 knows no Ed25519: of 9E it shows the certificate, and not a key.
    for said in [opensc(&world).args(["-O"]).succeeds(), ykcs11(&world).args(["-O"]).succeeds()] {
        for name in ["CN=Anna", "CN=Carl", "CN=Emma", "CN=Sam Sample"] {
            assert!(said.contains(&format!("subject:    DN: {name}")), "{said}");
        }
    }
    let said = world.client("yubico-piv-tool").args(["-a", "status"]).succeeds();
    for line in ["Algorithm:\tECCP256", "Algorithm:\tECCP384", "Subject DN:\tCN=Emma"] {
        assert!(said.contains(line), "{said}");
    }
    let pem = world.client("pkcs15-tool").args(["--read-certificate", "01"]).succeeds();
    assert!(pem.contains(world.read_text("9a.crt").trim()), "{pem}");

    public_key_of(&world, "9a.crt");
    let sign = ["--sign", "--id", "01", "--signature-format", "openssl", "--output-file", "signature"];
    opensc(&world).args(sign).args(["--mechanism", "ECDSA", "--input-file", "digest"]).succeeds();
    verify(&world);
    let message = ["--mechanism", "ECDSA-SHA256", "--input-file", "message"];
    ykcs11(&world).args(["--login", "--pin", PIN]).args(sign).args(message).succeeds();
    verify(&world);
    let sign = ["-a", "verify-pin", "-P", PIN, "--sign", "-s", "9a", "-A", "ECCP256", "-i", "message"];
    world.client("yubico-piv-tool").args(sign).args(["-o", "signature"]).succeeds();
    verify(&world);

    let encrypt = ["pkeyutl", "-encrypt", "-certin", "-inkey", "rsa.crt", "-in", "message", "-out", "secret"];
    world.tool("openssl").args(encrypt).succeeds();
    let decrypt = ["--decrypt", "--mechanism", "RSA-PKCS", "--id", "03", "--input-file", "secret"];
    for program in [opensc(&world), ykcs11(&world).args(["--login", "--pin", PIN])] {
        program.args(decrypt).args(["--output-file", "message.back"]).succeeds();
        assert_eq!(world.read_text("message.back"), "sign me");
    }
}

#[test]
fn what_the_others_write_ykman_reads() {
    // yubico-piv-tool and OpenSC's piv-tool prove a management key of TDEA.
    let world = fresh("yubikey5-4");
    make_certificate(&world);
    let certificate = world.read_text("rsa.crt");
    world.client("yubico-piv-tool").args(["-s", "9a", "-a", "import-key", "-i", "rsa.pem"]).succeeds();
    world
        .client("yubico-piv-tool")
        .args(["-s", "9a", "-a", "import-certificate", "-i", "rsa.crt"])
        .succeeds();
    world.client("yubico-piv-tool").args(["-a", "set-chuid", "-a", "set-ccc"]).succeeds();
    // Its exit status is that of the write, whatever became of it.
    piv_tool(&world, "03", &["--cert", "9D", "--in", "rsa.crt"]).run();
    let officer = || ykcs11(&world).args(["--login", "--login-type", "so", "--so-pin", SO_PIN]);
    officer().args(["--keypairgen", "--id", "02", "--key-type", "EC:secp384r1"]).succeeds();
    officer().args(["--write-object", "rsa.crt", "--type", "cert", "--id", "05"]).succeeds();

    for slot in ["9a", "9d", "82"] {
        let pem = ykman(&world, &format!("certificates export {slot} -")).succeeds();
        assert!(pem.contains(certificate.trim()), "{slot}: {pem}");
        let pem = world.client("yubico-piv-tool").args(["-s", slot, "-a", "read-certificate"]).succeeds();
        assert!(pem.contains(certificate.trim()), "{slot}: {pem}");
    }
    let said = ykman(&world, "keys info 9c").succeeds();
    for line in ["Algorithm:              ECCP384", "Origin:                 GENERATED", "use:   ALWAYS"] {
        assert!(said.contains(line), "{said}");
    }
    ykman(&world, &format!("certificates import -m KEY --verify -P {PIN} 9a rsa.crt")).succeeds();
    let said = ykman(&world, "info").succeeds();
    assert!(said.contains("CHUID: 3019") && said.contains("CCC:   f015"), "{said}");
}

/// The way of a certificate from an authority: yubico-piv-tool makes the key; a request for it, which that program cannot sign under
/// OpenSSL 3, comes from openssl on ykcs11; what the authority answers goes back on the card.
#[test]
fn a_key_gets_its_certificate_from_an_authority() {
    let world = fresh("yubikey5-4");
    let own = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Authority", "-days", "30"];
    world.tool("openssl").args(own).args(["-keyout", "ca.pem", "-out", "ca.crt"]).succeeds();
    world.client("yubico-piv-tool").args("-s 9a -A RSA2048 -a generate -o public.pem".split(' ')).succeeds();
    library("engines-3/pkcs11.so");
    let key = format!("pkcs11:id=%01;type=private;pin-value={PIN}");
    world
        .client("openssl")
        .env("PKCS11_MODULE_PATH", library("libykcs11.so"))
        .args(["req", "-new", "-engine", "pkcs11", "-keyform", "engine", "-key", &key])
        .args(["-subj", "/CN=Sam Sample", "-out", "own.csr"])
        .succeeds();
    let sign = ["x509", "-req", "-in", "own.csr", "-CA", "ca.crt", "-CAkey", "ca.pem", "-CAcreateserial"];
    world.tool("openssl").args(sign).args(["-days", "30", "-out", "own.crt"]).succeeds();
    let import = "-s 9a -a import-certificate -i own.crt".split(' ');
    world.client("yubico-piv-tool").args(import).succeeds();
    let test = format!("-s 9a -P {PIN} -a verify-pin -a test-signature -i own.crt");
    world.client("yubico-piv-tool").args(test.split(' ')).succeeds();
    ykman(&world, &format!("certificates import -m KEY --verify -P {PIN} 9a own.crt")).succeeds();

    world.write("message", "sign me");
    public_key_of(&world, "own.crt");
    let sign = ["--sign", "--id", "01", "--mechanism", "SHA256-RSA-PKCS", "--input-file", "message"];
    opensc(&world).args(sign).args(["--output-file", "signature"]).succeeds();
    verify(&world);
}
