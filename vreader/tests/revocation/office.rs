//! An authority with certificates in every state, and where it publishes.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use card_sim::key::{AsymmetricAlgorithm::EccP256, PrivateKey};
use der::Decode;
use vreader::{
    clock::Clock,
    crypto::DefaultCrypto,
    issue::{self, Date, Pki, Request},
    random,
    revocation::{
        Reason, Revocation, SerialNumber, Status, StatusSource, Unavailable,
        crl::{RevocationList, SignedList},
        http::{Missing, Published, Publisher, Reach},
        ocsp::{Issuer, Responder, delegate},
    },
};
use x509_cert::Certificate;

use crate::{
    bench::{Bench, openssl, text},
    card_folder::{pem, pem_of_key},
};

/// Names of the authorities in addresses.
pub(crate) const ISSUING: &str = "sample-issuing-ca";
pub(crate) const ROOT: &str = "sample-root-ca";

/// When everything was revoked, and the lists that say so are made and end.
const REVOKED: &str = "2026-02-03T04:05:06Z";
const LISTED: &str = "2028-12-28";
const LIST_ENDS: &str = "2029-01-04";

/// A certificate on one of the authority's two cards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    card: usize,
    tag: u32,
}

pub(crate) const GOOD: Slot = Slot { card: 0, tag: 0x5F_C105 };
pub(crate) const ALSO_GOOD: Slot = Slot { card: 0, tag: 0x5F_C10A };
/// The responder never heard of it.
pub(crate) const STRANGE: Slot = Slot { card: 0, tag: 0x5F_C10B };
pub(crate) const STOLEN: Slot = Slot { card: 1, tag: 0x5F_C105 };
pub(crate) const SUPERSEDED: Slot = Slot { card: 1, tag: 0x5F_C10A };
pub(crate) const ON_HOLD: Slot = Slot { card: 1, tag: 0x5F_C10B };
/// Revoked, and nobody said why.
pub(crate) const REVOKED_ONLY: Slot = Slot { card: 1, tag: 0x5F_C101 };

/// What is not good, with its reason.
const STATES: [(Slot, Reason); 4] = [
    (STOLEN, Reason::KeyCompromise),
    (SUPERSEDED, Reason::Superseded),
    (ON_HOLD, Reason::CertificateHold),
    (REVOKED_ONLY, Reason::Unspecified),
];

/// Who signs the answers of the issuing authority.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signer {
    Delegate,
    Authority,
}

/// The authority, its cards, and a folder for a test's files.
pub(crate) struct Office {
    benches: [Bench; 2],
    publisher: Publisher,
}

/// What the server asks.
struct Desk {
    pki: Pki,
    states: BTreeMap<SerialNumber, Status>,
    responder: Responder,
}

impl Office {
    pub(crate) fn open() -> Self {
        Self::signing_with(Signer::Delegate)
    }

    pub(crate) fn signing_with(signer: Signer) -> Self {
        let request = |seed| Request { seed: Some(seed), algorithm: EccP256, ..Request::default() };
        let mut crypto = DefaultCrypto::new();
        let first = issue::issue(&request(1), &mut crypto, &mut |_| {}).unwrap();
        let pki = first.pki.clone();
        let second = issue::issue_under(&request(2), pki.clone(), &mut crypto, &mut |_| {}).unwrap();
        let benches = [first, second].map(Bench::new);
        let time = REVOKED.parse().unwrap();
        let good = [GOOD, ALSO_GOOD].map(|slot| (serial(&benches, slot), Status::Good));
        let revoked = STATES
            .map(|(slot, reason)| (serial(&benches, slot), Status::Revoked(Revocation { time, reason })));
        let states = good.into_iter().chain(revoked).collect();
        let desk = Desk { responder: responder(&pki, signer), pki, states };
        let publisher =
            Publisher::start("127.0.0.1:0".parse().unwrap(), Reach::Loopback, Arc::new(desk)).unwrap();
        Self { benches, publisher }
    }

    /// Where it publishes.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.publisher.address())
    }

    /// A file in the test's folder. There are `root.pem`, `ca.pem` and `authorities.pem`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.benches[0].path(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        self.benches[0].write(name, bytes)
    }

    /// A certificate in PEM.
    pub(crate) fn certificate(&self, slot: Slot) -> PathBuf {
        let pem = pem("CERTIFICATE", certificate(&self.benches, slot));
        self.write(&format!("{}-{:06X}.pem", slot.card, slot.tag), pem.as_bytes())
    }

    /// The certificate of 9A on a card with its key, for a TLS client.
    pub(crate) fn identity(&self, slot: Slot) -> (PathBuf, PathBuf) {
        let key: &PrivateKey = &self.benches[slot.card].card.keys[0].1;
        let name = format!("{}.key", slot.card);
        (self.certificate(slot), self.write(&name, pem_of_key(key).as_bytes()))
    }

    pub(crate) fn serial(&self, slot: Slot) -> String {
        hex::encode_upper(serial(&self.benches, slot).as_bytes())
    }

    /// A list of the issuing authority or the root in PEM, fetched with curl as anybody would.
    pub(crate) fn list(&self, name: &str) -> PathBuf {
        let der = self.path("list.der");
        let list = self.url(&format!("{name}.crl"));
        let fetched = curl(&["--fail", "--output", text(&der), &list]);
        assert!(fetched.status.success(), "{fetched:?}");
        let pem = openssl(&["crl", "-inform", "DER", "-in", text(&der)]);
        self.write(&format!("{name}.crl.pem"), pem.as_bytes())
    }
}

fn certificate(benches: &[Bench; 2], slot: Slot) -> &[u8] {
    benches[slot.card].element(slot.tag, 0x70)
}

fn serial(benches: &[Bench; 2], slot: Slot) -> SerialNumber {
    let certificate = Certificate::from_der(certificate(benches, slot)).unwrap();
    certificate.tbs_certificate().serial_number().clone()
}

fn responder(pki: &Pki, signer: Signer) -> Responder {
    let mut rng = random::from_seed("OCSP responder", 1);
    let life = (Date::new(2026, 1, 1).unwrap(), Date::new(2031, 12, 31).unwrap());
    let issuer = match signer {
        Signer::Authority => Issuer::signing(ISSUING, pki.issuing_ca.clone()),
        Signer::Delegate => {
            let delegate = delegate(&pki.issuing_ca, life, &mut rng, &mut DefaultCrypto::new()).unwrap();
            Issuer::delegating(ISSUING, &pki.issuing_ca, delegate)
        }
    };
    Responder::new(vec![issuer.unwrap()], Duration::from_hours(1))
}

/// A program of somebody else, with its words. What it is told about proxies is not for us.
pub(crate) fn run(program: &str, words: &[&str]) -> Output {
    let command =
        Command::new("timeout").args(["60", program]).args(words).env("no_proxy", "127.0.0.1").output();
    let output = command.expect("timeout runs (coreutils)");
    assert_ne!(output.status.code(), Some(127), "{program} is missing; tools/install-clients installs it");
    output
}

/// curl, which says nothing but errors.
pub(crate) fn curl(words: &[&str]) -> Output {
    run("curl", &[&["--silent", "--show-error", "--noproxy", "*"], words].concat())
}

impl StatusSource for Desk {
    fn status(&self, issuer: &str, serial: &SerialNumber) -> Result<Status, Unavailable> {
        assert_eq!(issuer, ISSUING);
        Ok(self.states.get(serial).copied().unwrap_or(Status::Unknown))
    }
}

impl Published for Desk {
    fn revocation_list(&self, name: &str) -> Result<Vec<u8>, Missing> {
        let revoked = |(serial, status): (&SerialNumber, &Status)| match status {
            Status::Revoked(revocation) => Some((serial.clone(), *revocation)),
            _ => None,
        };
        let (authority, entries) = match name {
            ISSUING => (&self.pki.issuing_ca, self.states.iter().filter_map(revoked).collect()),
            ROOT => (&self.pki.root, vec![]),
            _ => return Err(Missing::Nobody),
        };
        let this_update = LISTED.parse().unwrap();
        let list =
            RevocationList { number: 7, this_update, next_update: LIST_ENDS.parse().unwrap(), entries };
        let signed = list.sign(authority, &mut DefaultCrypto::new());
        Ok(signed.map(SignedList::into_der).unwrap())
    }

    fn certificate(&self, name: &str) -> Result<Vec<u8>, Missing> {
        match name {
            ISSUING => Ok(self.pki.issuing_ca.certificate_der().to_vec()),
            ROOT => Ok(self.pki.root.certificate_der().to_vec()),
            _ => Err(Missing::Nobody),
        }
    }

    fn ocsp(&self, request: &[u8]) -> Vec<u8> {
        // `openssl ocsp` holds thisUpdate against the system's clock, and no option changes that.
        let now = Clock::System.now();
        self.responder.respond(request, now, self, &mut DefaultCrypto::new())
    }
}
