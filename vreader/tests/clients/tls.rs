//! TLS with the card's key: `openssl s_client` and `curl` reach OpenSC through OpenSSL's PKCS#11 engine, and an `openssl
//! s_server` demands a certificate of the card's PKI.

use crate::{
    card::{PIN, WRONG_PIN, library, opensc_module},
    companion::Companion,
    opensc_tool::tries_left,
    world::{Client, Outcome, World},
};

const VERSIONS: [&str; 2] = ["1.2", "1.3"];

/// The certificate of 9A, as the client reads it from the card.
const CERTIFICATE: &str = "01.pem";

/// A server that answers each request with what it knows about the client.
pub(crate) struct Server {
    port: u16,
    program: Companion,
}

impl Server {
    /// It has a new certificate for 127.0.0.1, and trusts the PKI of the world's card.
    fn start(world: &World) -> Self {
        Self::trusting(world, &["pki/root-ca.pem", "pki/issuing-ca.pem"])
    }

    /// The same, and it trusts these authorities.
    pub(crate) fn trusting(world: &World, authorities: &[&str]) -> Self {
        Self::demanding(world, authorities, &[])
    }

    /// The same, and it asks more of a certificate: `demands` are options of `openssl s_server`.
    pub(crate) fn demanding(world: &World, authorities: &[&str], demands: &[&str]) -> Self {
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", "server.key"];
        let name = ["-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
        world.openssl(["req", "-x509", "-out", "server.pem"].into_iter().chain(key).chain(name));
        let trusted: String = authorities.iter().map(|name| world.read_text(name)).collect();
        world.write("trusted.pem", trusted);

        // `stdbuf` lets us hear each line at once.
        let server = ["stdbuf", "--output=L", "openssl", "s_server", "-accept", "127.0.0.1:0", "-www"];
        let own = ["-cert", "server.pem", "-key", "server.key"];
        // Cards with a seed are valid from 2026 to 2031 whenever the test runs: this is 2027-01-01.
        let demand =
            ["-Verify", "2", "-verify_return_error", "-CAfile", "trusted.pem", "-attime", "1798761600"];
        let mut program = world.server(&[&server[..], &own, &demand, demands].concat());
        let port = program.hear("its port", |line| line.strip_prefix("ACCEPT 127.0.0.1:")?.parse().ok());
        Self { port, program }
    }

    /// Waits until it has refused somebody, for this reason.
    pub(crate) fn refuses(&mut self, reason: &str) {
        self.program.hear_line(reason);
    }
}

/// A world with a card and a server for it. The certificate of 9A has been read.
fn with_server(algorithm: &str) -> (World, Server) {
    let world = World::with_card(&["--algorithm", algorithm]);
    world.client("pkcs15-tool").args(["--read-certificate", "01", "--output", CERTIFICATE]).succeeds();
    let server = Server::start(&world);
    (world, server)
}

/// The key of 9A, for the engine.
fn key(pin: &str) -> String {
    format!("pkcs11:id=%01;type=private;pin-value={pin}")
}

/// OpenSSL finds the engine by its name, and the engine OpenSC's module by this variable.
pub(crate) fn with_engine(client: Client) -> Client {
    library("engines-3/pkcs11.so");
    client.env("PKCS11_MODULE_PATH", opensc_module())
}

fn s_client(world: &World, server: &Server, version: &str, pin: &str) -> Outcome {
    let version = format!("-tls{}", version.replace('.', "_"));
    let engine = ["-engine", "pkcs11", "-keyform", "engine", "-key", &key(pin), "-cert", CERTIFICATE];
    let address = format!("127.0.0.1:{}", server.port);
    with_engine(world.client("openssl"))
        .args(["s_client", &version, "-connect", &address])
        .args(["-CAfile", "server.pem", "-verify_return_error", "-ign_eof"])
        .args(engine)
        .input("GET / HTTP/1.0\r\n\r\n")
        .run()
}

fn curl(world: &World, server: &Server, version: &str, pin: &str) -> Outcome {
    curl_with("%01", world, server, version, pin).run()
}

/// The same with the key and the certificate of this PKCS#11 identifier.
pub(crate) fn curl_with(id: &str, world: &World, server: &Server, version: &str, pin: &str) -> Client {
    let key = format!("pkcs11:id={id};type=private;pin-value={pin}");
    let engine = ["--engine", "pkcs11", "--key-type", "ENG", "--key", &key, "--cert-type", "ENG"];
    with_engine(world.client("curl"))
        .args(["--silent", "--show-error", "--cacert", "server.pem", "--noproxy", "*"])
        .args([&format!("--tlsv{version}"), "--tls-max", version])
        .args(engine)
        .args([
            "--cert",
            &format!("pkcs11:id={id};type=cert"),
            &format!("https://127.0.0.1:{}/", server.port),
        ])
}

/// That a client has read the server's page, which shows a connection with the certificate of the card.
fn gets_the_page(world: &World, version: &str, outcome: &Outcome) {
    let page = outcome.text();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert!(page.contains(&format!("Protocol  : TLSv{version}")), "{page}");
    let (_, client) =
        page.split_once("Client certificate\n").unwrap_or_else(|| panic!("no certificate: {page}"));
    assert!(client.contains(&world.read_text(CERTIFICATE)), "{page}");
}

/// Both clients with both versions. `signature` is what the server has from the client.
fn connect(algorithm: &str, signature: &str) {
    let (world, server) = with_server(algorithm);
    for version in VERSIONS {
        for client in [s_client, curl] {
            let outcome = client(&world, &server, version, PIN);
            gets_the_page(&world, version, &outcome);
            // s_client shows that of the server before.
            let page = outcome.text();
            let (_, last) = page.rsplit_once("Peer signature type: ").expect("a signature");
            assert_eq!(last.lines().next(), Some(signature), "{outcome}");
        }
    }
}

#[test]
fn an_rsa_key_opens_a_connection() {
    // TLS 1.3 demands PSS, and TLS 1.2 prefers it. The card computes raw RSA; its software pads.
    connect("rsa2048", "RSA-PSS");
}

#[test]
fn an_elliptic_key_opens_a_connection() {
    connect("p256", "ECDSA");
}

#[test]
fn without_a_certificate_the_server_refuses() {
    let (world, mut server) = with_server("p256");
    let address = format!("https://127.0.0.1:{}/", server.port);
    for version in VERSIONS {
        let words =
            ["--silent", "--show-error", "--cacert", "server.pem", "--noproxy", "*", "--tls-max", version];
        world.tool("curl").args(words).args([&address]).fails();
        server.refuses("peer did not return a certificate");
    }
}

#[test]
fn a_card_of_another_issuer_is_refused() {
    let (world, mut server) = with_server("p256");
    world.new_card("other.card", &["--seed", "2"]);
    let world = world.changed_to(&["--card", "other.card"]);
    let outcome = curl(&world, &server, "1.3", PIN);
    assert_ne!(outcome.code(), Some(0), "{outcome}");
    server.refuses("unable to get local issuer certificate");
}

#[test]
fn a_wrong_pin_costs_one_try_and_opens_nothing() {
    let (world, server) = with_server("p256");
    let outcome = s_client(&world, &server, "1.3", WRONG_PIN);
    assert!(outcome.code() == Some(1) && outcome.text().contains("PIN incorrect"), "{outcome}");
    assert_eq!(tries_left(&world), 2);
    let outcome = curl(&world, &server, "1.3", WRONG_PIN);
    // CURLE_SSL_CERTPROBLEM
    assert!(outcome.code() == Some(58) && outcome.text().contains("Login failed"), "{outcome}");
    assert_eq!(tries_left(&world), 1);
    gets_the_page(&world, "1.3", &curl(&world, &server, "1.3", PIN));
    assert_eq!(tries_left(&world), 3);
}

#[test]
fn without_a_card_there_is_no_connection() {
    let (world, server) = with_server("p256");
    let world = world.changed_to(&["--empty"]);
    for client in [s_client, curl] {
        let outcome = client(&world, &server, "1.3", PIN);
        assert!(outcome.code() != Some(0), "{outcome}");
        assert!(outcome.text().contains("No matching initialized token was found"), "{outcome}");
    }
}
