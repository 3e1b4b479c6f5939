//! What the test authority says to `openssl ocsp` and `curl`: a certificate is good, on hold, good again, revoked.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use card_sim::key::KeyReference;
use vreader::{
    card_client::Line,
    clock::{Clock, Time},
    cms::{
        Cms, UpdateOptions, Wish,
        publish::address,
        state::{Reason, RequestEvent, RequestKind},
    },
};

use crate::support::{Office, access, blank_card, issue, registered, reinsert};

/// `vreader cms serve`, until it is dropped.
struct Server {
    child: Child,
    base: String,
}

impl Server {
    fn start(office: &Office) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vreader"))
            .args(["cms", "serve", "--db"])
            .arg(office.database())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let base = line.trim().strip_suffix("/ocsp").expect("the first line is the responder's address");
        Self { base: base.to_owned(), child }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output =
        output.unwrap_or_else(|error| panic!("{program}: {error}; tools/install-clients installs it"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn write_pem(path: &Path, label: &str, der: &[u8]) {
    std::fs::write(path, der::pem::encode_string(label, der::pem::LineEnding::LF, der).unwrap()).unwrap();
}

#[test]
fn openssl_hears_of_each_state_over_ocsp_and_from_the_list() {
    // `openssl ocsp` knows no other clock than the system's.
    let now = Time::of_system();
    let office = Office::of(&now.to_string(), &now.to_string());
    let mut cms =
        Cms::open(&office.database(), Clock::System, "tester", vreader::cms::database::Database::PATIENCE)
            .unwrap();
    let mut card = blank_card(1);
    let id = issue(&mut cms, &mut card, "Dana Quincy Sample");
    let folder = office.file("pki");
    std::fs::create_dir(&folder).unwrap();
    let credentials = cms.credentials(id).unwrap();
    let of = |slot| credentials.iter().find(|placed| placed.slot == Some(slot)).unwrap();
    let certificate = &of(KeyReference::PivAuthentication).credential.certificate;
    write_pem(&folder.join("card.pem"), "CERTIFICATE", certificate);
    let mut issuing = String::new();
    for row in cms.authorities().unwrap() {
        write_pem(&folder.join(format!("{}.pem", row.role)), "CERTIFICATE", &row.certificate);
        if row.role.name() == "issuing" {
            issuing = address(&row);
        }
    }
    let server = Server::start(&office);
    let url = format!("{}/ocsp", server.base);
    let ask = || {
        let arguments =
            ["ocsp", "-url", &url, "-issuer", "issuing.pem", "-cert", "card.pem", "-CAfile", "root.pem"];
        run("openssl", &arguments, &folder)
    };
    let verify = || {
        let list = format!("{}/{issuing}.crl", server.base);
        run("curl", &["-sf", "-o", "list.der", &list], &folder);
        run("openssl", &["crl", "-inform", "DER", "-in", "list.der", "-out", "list.pem"], &folder);
        let arguments = [
            "verify",
            "-crl_check",
            "-CRLfile",
            "list.pem",
            "-CAfile",
            "root.pem",
            "-untrusted",
            "issuing.pem",
            "card.pem",
        ];
        run("openssl", &arguments, &folder)
    };
    let good = |answer: &str| {
        assert!(answer.contains("Response verify OK") && answer.contains("card.pem: good"), "{answer}");
    };
    good(&ask());
    assert!(verify().contains("card.pem: OK"), "{}", verify());

    // Forgotten: on hold, and back again.
    let request = cms.request(&Wish::new(id, RequestKind::Replacement, Reason::Forgotten)).unwrap();
    let answer = ask();
    assert!(answer.contains("card.pem: revoked") && answer.contains("Reason: certificateHold"), "{answer}");
    assert!(verify().contains("certificate revoked"), "{}", verify());
    cms.decide(request.id, RequestEvent::Cancel).unwrap();
    good(&ask());
    assert!(verify().contains("card.pem: OK"), "{}", verify());

    // Stolen, and replaced: for ever.
    cms.request(&Wish::new(id, RequestKind::Replacement, Reason::Stolen)).unwrap();
    let mut new = blank_card(2);
    let other = registered(&mut cms, &mut new);
    cms.assign_replacement(other, id).unwrap();
    reinsert(&mut new);
    cms.issue(&mut Line::local(&mut new), &access(Some("135790"), None), &UpdateOptions::default()).unwrap();
    let answer = ask();
    assert!(answer.contains("card.pem: revoked") && answer.contains("Reason: keyCompromise"), "{answer}");
    assert!(verify().contains("certificate revoked"), "{}", verify());
}
