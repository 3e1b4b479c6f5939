//! Cards that were issued, and who judges them: other programs, a server with the revocation list, somebody who writes a letter.

use super::office::{AUTHENTICATION, CARD_AUTHENTICATION, ECDSA, ENCRYPTION, HOLDER, Office, SIGNATURE};
use crate::{
    card::{CARD, VREADER},
    tls::{Server, curl_with, with_engine},
    world::{Attachment, Outcome},
};

/// A day before that of the servers, on which temporary cards live and lists are valid.
pub(super) const NOW: &str = "2026-12-31";

/// The PIN that the holder chooses, and another one.
pub(super) const PIN: &str = "246813";
pub(super) const OTHER_PIN: &str = "135790";

/// What is on an issued card, in the order of OpenSC.
pub(super) const ISSUED: [&str; 4] = [AUTHENTICATION, SIGNATURE, ENCRYPTION, CARD_AUTHENTICATION];

/// PKCS#11 identifiers of the keys 9A, 9D and 82.
pub(super) const LOGIN_KEY: &str = "01";
pub(super) const ENCRYPTION_KEY: &str = "03";
pub(super) const RETIRED_KEY: &str = "05";

/// An office with an issued card, number 1.
pub(super) fn office(algorithm: &str) -> Office {
    let office = assigned();
    office.desk(&["issue", "--pin", PIN, "--algorithm", algorithm]).succeeds();
    office.cms(&["authority", "export", "pki"]).succeeds();
    office
}

/// An office with a blank card, number 1, which is assigned to the holder.
pub(super) fn assigned() -> Office {
    let office = Office::open(NOW);
    register(&office, CARD);
    office.cms(&["assign", "1", HOLDER]).succeeds();
    office
}

/// A blank card in the office's stock; the reader must have this file.
pub(super) fn register(office: &Office, file: &str) {
    office.world.tool(VREADER).args(["card", "new", "--blank", file]).succeeds();
    office.desk(&["register"]).succeeds();
}

/// That a PIN opens the card, and its key signs.
pub(super) fn works(office: &Office<impl Attachment>, pin: &str) {
    let said = office.log_in(pin);
    assert!(said.contains("Private Key Object") && !said.contains("error"), "{said}");
    office.signs(LOGIN_KEY, pin, &ECDSA);
}

/// The states that the credentials of a card have.
pub(super) fn credentials(office: &Office<impl Attachment>, card: &str) -> Vec<String> {
    let shown = office.json(&["show", card]);
    let rows = shown["credentials"].as_array().expect("credentials");
    let mut states: Vec<_> =
        rows.iter().map(|row| row["state"].as_str().expect("a state").to_owned()).collect();
    states.dedup();
    states
}

// Servers.

/// A server that trusts the office, and knows what it has revoked by now.
pub(super) fn server(office: &Office) -> Server {
    office.cms(&["crl", "--out", "list.pem"]).succeeds();
    let authorities = ["pki/root.pem", "pki/issuing.pem"];
    Server::demanding(&office.world, &authorities, &["-crl_check", "-CRL", "list.pem"])
}

fn connect(office: &Office, server: &Server) -> Outcome {
    curl_with("%01", &office.world, server, "1.3", PIN).run()
}

pub(super) fn is_accepted(office: &Office, server: &Server) {
    let outcome = connect(office, server);
    assert!(outcome.code() == Some(0) && outcome.text().contains("Client certificate"), "{outcome}");
}

pub(super) fn is_refused(office: &Office, server: &mut Server) {
    let outcome = connect(office, server);
    assert!(outcome.code() != Some(0) && !outcome.text().contains("Client certificate"), "{outcome}");
    server.refuses("certificate revoked");
}

// Mail.

const TEXT: &str = "A letter that is older than the key.\n";

/// Somebody writes to the holder, with the certificate that is on the card now.
pub(super) fn write_to(office: &Office, mail: &str) {
    office.read_certificate(ENCRYPTION_KEY, "recipient.der");
    let certificate = format!("{mail}.crt");
    office.world.openssl(["x509", "-inform", "DER", "-in", "recipient.der", "-out", &certificate]);
    office.world.write("letter.txt", TEXT);
    office.world.openssl(["cms", "-encrypt", "-aes256", "-in", "letter.txt", "-out", mail, &certificate]);
}

/// The holder opens a letter with a key of the card.
pub(super) fn open(office: &Office, mail: &str, id: &str) -> Outcome {
    let (key, certificate) = (format!("pkcs11:id=%{id};type=private;pin-value={PIN}"), format!("{mail}.crt"));
    with_engine(office.world.client("openssl"))
        .args(["cms", "-decrypt", "-in", mail, "-recip", &certificate])
        .args(["-engine", "pkcs11", "-keyform", "engine", "-inkey", &key])
        .run()
}

pub(super) fn is_readable(office: &Office, mail: &str, id: &str) {
    let outcome = open(office, mail, id);
    assert!(outcome.code() == Some(0) && outcome.text().contains(TEXT.trim()), "{outcome}");
}

/// The serial number of a certificate, as openssl has it.
pub(super) fn serial(office: &Office, id: &str) -> String {
    office.read_certificate(id, "shown.der");
    office.world.openssl(["x509", "-inform", "DER", "-in", "shown.der", "-noout", "-serial"])
}
