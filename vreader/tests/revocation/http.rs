//! The server itself: what it has, what it refuses, how it ends.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use vreader::revocation::{
    Unavailable,
    http::{GRACE, MAX_REQUEST, Missing, Published, Publisher, PublisherError, Reach},
};

use crate::{
    bench::{openssl, text},
    office::{ISSUING, Office, ROOT, curl},
};

const LOOPBACK: &str = "127.0.0.1:0";

fn start(published: impl Published) -> Publisher {
    Publisher::start(LOOPBACK.parse().unwrap(), Reach::Loopback, Arc::new(published)).unwrap()
}

/// Status, type and body.
fn fetch(words: &[&str]) -> (u16, String, Vec<u8>) {
    let output = curl(&[&["--output", "-", "--write-out", "\n%{http_code} %{content_type}"], words].concat());
    assert!(output.status.success(), "{output:?}");
    let end = output.stdout.iter().rposition(|byte| *byte == b'\n').unwrap();
    let (body, line) = output.stdout.split_at(end);
    let line = std::str::from_utf8(&line[1..]).unwrap();
    let (code, kind) = line.split_once(' ').unwrap();
    (code.parse().unwrap(), kind.to_owned(), body.to_vec())
}

#[test]
fn files_have_their_types() {
    let office = Office::open();
    for (name, subject) in [(ISSUING, "CN = Sample Issuing CA"), (ROOT, "CN = Sample Root CA")] {
        let (code, kind, body) = fetch(&[&office.url(&format!("{name}.cer"))]);
        assert_eq!((code, &*kind), (200, "application/pkix-cert"));
        let file = office.write("fetched.cer", &body);
        let printed = openssl(&["x509", "-inform", "DER", "-in", text(&file), "-noout", "-subject"]);
        assert!(printed.contains(subject), "{printed}");
        let (code, kind, body) = fetch(&[&office.url(&format!("{name}.crl"))]);
        assert_eq!((code, &*kind), (200, "application/pkix-crl"));
        let file = office.write("fetched.crl", &body);
        let printed = openssl(&["crl", "-inform", "DER", "-in", text(&file), "-noout", "-issuer"]);
        assert!(printed.contains(subject), "{printed}");
    }
    let headers = curl(&["--head", &office.url("sample-root-ca.crl")]).stdout;
    let headers = String::from_utf8(headers).unwrap();
    assert!(headers.to_lowercase().contains("cache-control: no-store"), "{headers}");
}

#[test]
fn refusals_say_why() {
    let office = Office::open();
    let url = |path: &str| office.url(path);
    let request = "Content-Type: application/ocsp-request";
    let large = office.write("large", &vec![0x30; MAX_REQUEST + 1]);
    let large = format!("@{}", text(&large));
    let long = url(&format!("ocsp/{}", "MEIw".repeat(MAX_REQUEST / 4 + 1)));
    let table: &[(u16, &str, &[&str])] = &[
        (404, "no authority of this name", &[&url("nobody.crl")]),
        (404, "no authority of this name", &[&url("nobody.cer")]),
        (404, "published are", &[&url("")]),
        (404, "published are", &[&url("sample-root-ca.p7c")]),
        (404, "published are", &[&url("crl")]),
        (404, "published are", &["--path-as-is", &url("a/../../etc/passwd")]),
        (404, "no authority of this name", &["--path-as-is", &url("..%2F..%2Fetc%2Fshadow.crl")]),
        (400, "", &[&url("%FF.crl")]),
        (405, "with GET", &["--request", "DELETE", &url("sample-root-ca.crl")]),
        (405, "with POST", &[&url("ocsp")]),
        (415, "application/ocsp-request", &["--data-binary", "x", &url("ocsp")]),
        (400, "Base64", &[&url("ocsp/not*base64")]),
        (400, "padding", &[&url("ocsp/MEIwQA")]),
        (413, "", &["--data-binary", &large, "--header", request, &url("ocsp")]),
        (414, "POST", &[&long]),
    ];
    for (code, words, request) in table {
        let (found, _, body) = fetch(request);
        let body = String::from_utf8(body).unwrap();
        assert_eq!(found, *code, "{request:?}: {body}");
        assert!(body.contains(words) && !body.is_empty(), "{request:?}: {body}");
    }
}

#[test]
fn loopback_is_what_nobody_asked_otherwise() {
    struct Nothing;
    impl Published for Nothing {
        fn revocation_list(&self, _: &str) -> Result<Vec<u8>, Missing> {
            Err(Missing::Nobody)
        }
        fn certificate(&self, _: &str) -> Result<Vec<u8>, Missing> {
            Err(Missing::Nobody)
        }
        fn ocsp(&self, _: &[u8]) -> Vec<u8> {
            vec![]
        }
    }
    let try_start =
        |address: &str, reach| Publisher::start(address.parse().unwrap(), reach, Arc::new(Nothing));
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = try_start(address, Reach::Loopback).err().expect("it is refused");
        assert!(matches!(error, PublisherError::NotLoopback(_)), "{address}: {error}");
        assert!(error.to_string().contains("127.0.0.1"), "{error}");
    }
    let open = try_start("0.0.0.0:0", Reach::Network).unwrap();
    assert_ne!(open.address().port(), 0);
    let taken = TcpListener::bind(LOOPBACK).unwrap();
    let error = try_start(&taken.local_addr().unwrap().to_string(), Reach::Loopback).err().unwrap();
    assert!(matches!(error, PublisherError::Listen { .. }), "{error}");
    assert!(error.to_string().contains("another port"), "{error}");
}

/// An authority that waits, breaks, or is busy.
struct Moody(Arc<Barrier>);

impl Published for Moody {
    fn revocation_list(&self, name: &str) -> Result<Vec<u8>, Missing> {
        match name {
            "busy" => Err(Unavailable::TryLater.into()),
            "broken" => Err(Unavailable::Fault.into()),
            "slow" => {
                self.0.wait();
                Ok(b"slow".to_vec())
            }
            _ => panic!("asked for on purpose"),
        }
    }

    fn certificate(&self, _: &str) -> Result<Vec<u8>, Missing> {
        Ok(b"quick".to_vec())
    }

    fn ocsp(&self, _: &[u8]) -> Vec<u8> {
        vec![]
    }
}

#[test]
fn trouble_has_a_status_and_is_nobody_else_s() {
    let barrier = Arc::new(Barrier::new(2));
    let publisher = start(Moody(barrier.clone()));
    let url = |path: &str| format!("http://{}/{path}", publisher.address());
    for (path, code, words) in
        [("busy.crl", 503, "try again"), ("broken.crl", 500, "fault"), ("panic.crl", 500, "fault")]
    {
        let (found, _, body) = fetch(&[&url(path)]);
        assert_eq!(found, code, "{path}");
        assert!(String::from_utf8(body).unwrap().contains(words), "{path}");
    }
    // One that waits for a database is waited for by nobody else.
    let slow = url("slow.crl");
    let waiting = thread::spawn(move || fetch(&[&slow]));
    assert_eq!(fetch(&[&url("any.cer")]), (200, "application/pkix-cert".to_owned(), b"quick".to_vec()));
    barrier.wait();
    assert_eq!(waiting.join().unwrap().2, b"slow");
}

#[test]
fn bytes_that_are_no_http_hurt_nobody() {
    let office = Office::open();
    let address: SocketAddr =
        office.url("").trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    let long = [&b"GET /"[..], &vec![b'a'; 1 << 20]].concat();
    for bytes in [
        &b""[..],
        b"\x16\x03\x01\x02\x00\x01",
        b"POST /ocsp HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /ocsp HTTP/1.1\r\nContent-Type: application/ocsp-request\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        &long,
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        // A server that has heard enough closes while we write.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // Closed or reset, but not left open.
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
        }
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(fetch(&[&office.url("sample-root-ca.cer")]).0, 200);
}

#[test]
fn a_publisher_that_is_dropped_is_gone() {
    let publisher = start(Moody(Arc::new(Barrier::new(1))));
    let address = publisher.address();
    // A connection that somebody keeps, after one request and before any.
    let mut kept = TcpStream::connect(address).unwrap();
    kept.write_all(b"GET /any.cer HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    kept.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    let silent = TcpStream::connect(address).unwrap();
    let begun = Instant::now();
    drop(publisher);
    let took = begun.elapsed();
    assert!(took < 3 * GRACE, "{took:?}");
    TcpStream::connect(address).expect_err("nobody listens there");
    TcpListener::bind(address).expect("the port is free again");
    drop((kept, silent));
}
