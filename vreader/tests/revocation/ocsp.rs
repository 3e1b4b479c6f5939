//! `openssl ocsp` asks, verifies and tells.

use crate::{
    bench::{DURING_LIFE, text},
    office::{
        ALSO_GOOD, GOOD, ON_HOLD, Office, REVOKED_ONLY, STOLEN, STRANGE, SUPERSEDED, Signer, Slot, curl, run,
    },
};

/// A question about these certificates, hashed as options of openssl say, and how the answer is verified.
fn ask(office: &Office, hash: &[&str], slots: &[Slot], options: &[&str]) -> String {
    let authorities = office.path("authorities.pem");
    let certificates: Vec<_> = slots.iter().map(|slot| office.certificate(*slot)).collect();
    let ca = office.path("ca.pem");
    let mut words = vec!["ocsp", "-issuer", text(&ca)];
    for certificate in &certificates {
        // The hash is that of the next certificate only.
        words.extend(hash);
        words.extend(["-cert", text(certificate)]);
    }
    words.extend(["-CAfile", text(&authorities)]);
    words.extend(DURING_LIFE);
    words.extend(options);
    let output = run("openssl", &words);
    let said = String::from_utf8([output.stderr, output.stdout].concat()).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

/// That openssl found the answer to be the authority's and of now, and this about each certificate.
fn says(office: &Office, said: &str, expected: &[(Slot, &str, &[&str])]) {
    assert!(said.contains("Response verify OK"), "{said}");
    assert!(!said.contains("WARNING") && !said.contains("ERROR"), "{said}");
    for (slot, status, lines) in expected {
        let name = office.certificate(*slot);
        let (_, about) = said.split_once(&format!("{}: ", text(&name))).unwrap_or_else(|| panic!("{said}"));
        assert!(about.starts_with(&format!("{status}\n")), "{slot:?} is {status}:\n{said}");
        // What follows is indented, up to the next certificate.
        let about: String = about.lines().skip(1).take_while(|line| line.starts_with('\t')).collect();
        for line in *lines {
            assert!(about.contains(line), "{slot:?}: '{line}' is not in:\n{said}");
        }
        assert_eq!(about.contains("Reason"), lines.iter().any(|line| line.contains("Reason")), "{said}");
    }
}

const SINCE: &str = "Revocation Time: Feb  3 04:05:06 2026 GMT";

#[test]
fn every_state_is_told() {
    let all: &[(Slot, &str, &[&str])] = &[
        (GOOD, "good", &["This Update", "Next Update"]),
        (STOLEN, "revoked", &["Reason: keyCompromise", SINCE]),
        (SUPERSEDED, "revoked", &["Reason: superseded", SINCE]),
        (ON_HOLD, "revoked", &["Reason: certificateHold", SINCE]),
        (REVOKED_ONLY, "revoked", &[SINCE]),
        (STRANGE, "unknown", &[]),
        (ALSO_GOOD, "good", &[]),
    ];
    for signer in [Signer::Delegate, Signer::Authority] {
        let office = Office::signing_with(signer);
        let url = office.url("ocsp");
        for hash in [&[][..], &["-sha256"]] {
            for nonce in ["-nonce", "-no_nonce"] {
                // One alone, as RFC 5019 has it, and all together.
                for asked in [&all[..1], &all[1..2], all] {
                    let slots: Vec<Slot> = asked.iter().map(|(slot, ..)| *slot).collect();
                    says(&office, &ask(&office, hash, &slots, &["-url", &url, nonce]), asked);
                }
            }
        }
    }
}

#[test]
fn the_answer_shows_who_signed_it() {
    let office = Office::open();
    let said = ask(&office, &[], &[GOOD], &["-url", &office.url("ocsp"), "-resp_text"]);
    for line in [
        "Subject: C=US, O=Sample Organization, OU=Sample PKI, CN=Sample OCSP Responder",
        "OCSP No Check",
        "OCSP Signing",
        "OCSP Nonce",
        "Response Type: Basic OCSP Response",
    ] {
        let flat = said.replace(" = ", "=");
        assert!(flat.contains(line), "'{line}' is not in:\n{said}");
    }
}

/// RFC 6960, A.1, and RFC 5019, 5: Base64 of the request, in an address.
#[test]
fn an_answer_can_be_fetched_with_get() {
    let office = Office::open();
    let (request, answer) = (office.path("request.der"), office.path("answer.der"));
    let (ca, certificate) = (office.path("ca.pem"), office.certificate(STOLEN));
    for (hash, nonce) in [("-sha1", "-no_nonce"), ("-sha256", "-nonce")] {
        let words = [
            "ocsp",
            "-issuer",
            text(&ca),
            hash,
            "-cert",
            text(&certificate),
            nonce,
            "-reqout",
            text(&request),
        ];
        assert!(run("openssl", &words).status.success());
        let base64 = run("openssl", &["base64", "-A", "-in", text(&request)]).stdout;
        let base64 = String::from_utf8(base64).unwrap();
        let escaped = base64.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        for path in [base64, escaped] {
            let url = office.url(&format!("ocsp/{path}"));
            let words = ["--fail", "--output", text(&answer), "--write-out", "%{content_type}", &url];
            let kind = curl(&words);
            assert_eq!(kind.stdout, b"application/ocsp-response", "{kind:?}");
            let words = ["-respin", text(&answer), "-no_nonce"];
            let said = ask(&office, &[hash], &[STOLEN], &words);
            says(&office, &said, &[(STOLEN, "revoked", &["Reason: keyCompromise", SINCE])]);
        }
    }
}

/// Another authority's certificates are not this responder's business, and what is no request is called so.
#[test]
fn openssl_reads_the_refusals() {
    let office = Office::open();
    let (root, ca) = (office.path("root.pem"), office.path("ca.pem"));
    let url = office.url("ocsp");
    let output = run("openssl", &["ocsp", "-issuer", text(&root), "-cert", text(&ca), "-url", &url]);
    let said = String::from_utf8([output.stderr, output.stdout].concat()).unwrap();
    assert!(said.contains("Responder Error: unauthorized (6)"), "{said}");

    let answer = office.path("answer.der");
    let kind = "Content-Type: application/ocsp-request";
    let sent =
        curl(&["--fail", "--data-binary", "no request", "--header", kind, "--output", text(&answer), &url]);
    assert!(sent.status.success(), "{sent:?}");
    let output = run("openssl", &["ocsp", "-respin", text(&answer)]);
    let said = String::from_utf8([output.stderr, output.stdout].concat()).unwrap();
    assert!(said.contains("Responder Error: malformedrequest (1)"), "{said}");
}
