//! An `openssl s_server` that demands a certificate and looks into the authority's list.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use crate::{
    bench::{DURING_LIFE, openssl, text},
    office::{GOOD, ISSUING, Office, STOLEN, Slot},
};

/// A server that runs; dropped, it is ended.
struct Server {
    child: Child,
    port: u16,
    lines: Receiver<String>,
}

impl Server {
    fn start(office: &Office) -> Self {
        let (certificate, key) = (office.path("server.pem"), office.path("server.key"));
        let words =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2"];
        let name = ["-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1"];
        openssl(&[&words[..], &name, &["-keyout", text(&key), "-out", text(&certificate)]].concat());
        let (authorities, list) = (office.path("authorities.pem"), office.list(ISSUING));
        let mut child = Command::new("stdbuf")
            .args(["--output=L", "openssl", "s_server", "-accept", "127.0.0.1:0", "-www"])
            .args(["-cert", text(&certificate), "-key", text(&key), "-Verify", "2", "-verify_return_error"])
            .args(["-CAfile", text(&authorities), "-crl_check", "-CRL", text(&list)])
            .args(DURING_LIFE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("stdbuf (coreutils) and openssl are installed; tools/install-clients installs them");
        let (sender, lines) = channel();
        let outputs: [Box<dyn BufRead + Send>; 2] = [
            Box::new(BufReader::new(child.stdout.take().unwrap())),
            Box::new(BufReader::new(child.stderr.take().unwrap())),
        ];
        for output in outputs {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in output.lines().map_while(Result::ok) {
                    // The test may be over before the program is.
                    let _ = sender.send(line);
                }
            });
        }
        let mut server = Self { child, port: 0, lines };
        let ready = server.hear("ACCEPT 127.0.0.1:");
        server.port = ready.rsplit(':').next().unwrap().parse().unwrap();
        server
    }

    /// Waits until the server has said this.
    fn hear(&self, words: &str) -> String {
        let mut heard = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(Duration::from_mins(1)) {
            if line.contains(words) {
                return line;
            }
            heard.push(line);
        }
        panic!("the server never said '{words}', but\n{}", heard.join("\n"))
    }

    /// What a client with this certificate gets.
    fn client(&self, office: &Office, slot: Slot, version: &str) -> String {
        let (certificate, key) = office.identity(slot);
        let (trusted, address) = (office.path("server.pem"), format!("127.0.0.1:{}", self.port));
        let mut child = Command::new("timeout")
            .args(["60", "openssl", "s_client", version, "-connect", &address, "-ign_eof"])
            .args(["-CAfile", text(&trusted), "-cert", text(&certificate), "-key", text(&key)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("timeout runs (coreutils)");
        // A client that was refused does not read it any more.
        let _ = child.stdin.take().unwrap().write_all(b"GET / HTTP/1.0\r\n\r\n");
        let output = child.wait_with_output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_revoked_certificate_opens_no_connection() {
    let office = Office::open();
    let server = Server::start(&office);
    for version in ["-tls1_2", "-tls1_3"] {
        let page = server.client(&office, GOOD, version);
        assert!(page.contains("HTTP/1.0 200 ok") && page.contains("Client certificate"), "{page}");
        let refused = server.client(&office, STOLEN, version);
        assert!(refused.contains("certificate revoked"), "{refused}");
        assert!(!refused.contains("HTTP/1.0 200 ok"), "{refused}");
        server.hear("certificate verify failed");
    }
}
