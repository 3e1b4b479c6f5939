//! OpenSSH: the card's keys as SSH keys, and a login on this machine with the key of 9A.
//!
//! The server is a real sshd with a configuration of its own on a port of its own; it lets in the user who runs the tests.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt};

use crate::{
    card::{PIN, VREADER, WRONG_PIN, opensc_module},
    companion::Companion,
    opensc_tool::tries_left,
    pcscd::is_root,
    vreader::require,
    world::{Client, World},
};

/// Debian keeps it where only root's search path looks; it must be started with its path.
const SSHD: &str = "/usr/sbin/sshd";

/// What a login does, and what it prints.
const COMMAND: &str = "echo logged in: $((6 * 7))";
const PROOF: &str = "logged in: 42";

/// An sshd that runs as root wants a folder in /run, and an account without a password that is not locked. It gets both in
/// a mount namespace of its own, so that nothing is left of them.
const AS_ROOT: &str = "mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && echo 'root:*:::::::' > shadow && \
                       mount --bind shadow /etc/shadow && exec \"$@\"";

struct Server {
    port: u16,
    program: Companion,
    /// The one user who may log in.
    user: String,
}

impl Server {
    /// It lets in whoever has the key of 9A.
    fn start(world: &World) -> Self {
        require(SSHD);
        let user = world.tool("id").args(["--user", "--name"]).succeeds().trim().to_owned();
        world.tool("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", "host"]).succeeds();
        let keys = card_keys(world);
        world.write("authorized", &keys[0]);
        loop {
            let port = free_port();
            let mut program = Self::run(world, port);
            // Somebody may have taken the port in the meantime.
            let listens = program.hear("whether it listens", |line| {
                let listens = line.starts_with("Server listening on 127.0.0.1");
                (listens || line.starts_with("Cannot bind")).then_some(listens)
            });
            if listens {
                let host = world.read_text("host.pub");
                world.write("known", format!("[127.0.0.1]:{port} {host}"));
                return Self { port, program, user };
            }
        }
    }

    fn run(world: &World, port: u16) -> Companion {
        let path = |name| world.path(name).display().to_string();
        // Nothing of the machine's own configuration. The folder above is everybody's, which StrictModes refuses.
        let lines = [
            format!("ListenAddress 127.0.0.1:{port}"),
            format!("HostKey {}", path("host")),
            format!("AuthorizedKeysFile {}", path("authorized")),
            "AuthenticationMethods publickey".to_owned(),
            "PermitRootLogin yes".to_owned(),
            "StrictModes no".to_owned(),
            "UsePAM no".to_owned(),
            "PermitUserRC no".to_owned(),
            "PidFile none".to_owned(),
        ];
        world.write("sshd_config", lines.join("\n") + "\n");
        let (as_root, config) =
            (["unshare", "--mount", "--", "sh", "-c", AS_ROOT, "sh"], path("sshd_config"));
        let sshd = [SSHD, "-D", "-e", "-f", &config];
        world.server(&[if is_root() { &as_root[..] } else { &[] }, &sshd].concat())
    }

    /// What `ssh` must be told to reach it, and nothing of the user's own configuration.
    fn options(&self) -> Vec<String> {
        let options = [
            "StrictHostKeyChecking=yes",
            "UserKnownHostsFile=known",
            "GlobalKnownHostsFile=none",
            "IdentityFile=none",
            "PreferredAuthentications=publickey",
        ];
        let options = options.iter().flat_map(|option| ["-o", *option]);
        let address =
            ["-F", "none", "-p", &self.port.to_string(), "-l", &self.user, "127.0.0.1"].map(str::to_owned);
        options.map(str::to_owned).chain(address).collect()
    }

    /// Waits until it has let somebody in, with the key of 9A.
    fn accepts(&mut self, world: &World) {
        let said = self.program.hear_line("Accepted publickey");
        let fingerprint = world.tool("ssh-keygen").args(["-l", "-f", "authorized"]).succeeds();
        let fingerprint = fingerprint.split(' ').nth(1).expect("a fingerprint");
        assert!(
            said.contains(&format!("for {} from 127.0.0.1", self.user)) && said.ends_with(fingerprint),
            "{said}"
        );
    }

    /// Waits until somebody has left without having been let in.
    fn refuses(&mut self) {
        let said = self.program.hear("an end", |line| {
            (line.contains("Accepted") || line.contains("Connection closed")).then(|| line.to_owned())
        });
        assert!(said.contains("Connection closed by authenticating user"), "{said}");
    }
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its number").port()
}

/// The lines that ssh-keygen prints for the card's keys: 9A, 9C, 9D, 9E.
fn card_keys(world: &World) -> Vec<String> {
    let said = world.client("ssh-keygen").args(["-D", &opensc_module()]).succeeds();
    let keys: Vec<_> =
        said.lines().filter(|line| line.contains("pubkey")).map(|line| format!("{line}\n")).collect();
    assert_eq!(keys.len(), 4, "{said}");
    keys
}

/// The PIN for whoever asks.
fn with_pin(world: &World, client: Client, pin: &str) -> Client {
    world.write("askpass", format!("#!/bin/sh\necho {pin}\n"));
    fs::set_permissions(world.path("askpass"), fs::Permissions::from_mode(0o700)).expect("a program");
    client
        .env("SSH_ASKPASS", world.path("askpass"))
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("SSH_AUTH_SOCK", "")
}

/// ssh with OpenSC's module.
fn ssh(world: &World, server: &Server, pin: &str) -> Client {
    let provider = format!("PKCS11Provider={}", opensc_module());
    with_pin(world, world.client("ssh"), pin).args(["-o", &provider]).args(server.options()).args([COMMAND])
}

/// A shell script beside an ssh-agent, in one world. In it, `"$@"` are the arguments of `ssh`.
fn with_agent(world: &World, server: &Server, script: &str) -> Client {
    with_pin(world, world.client("ssh-agent"), PIN)
        .env("MODULE", opensc_module())
        .env("VREADER", VREADER)
        .args(["sh", "-e", "-c", script, "sh"])
        .args(server.options())
        .args([COMMAND])
}

#[test]
fn the_keys_are_those_of_the_certificates() {
    for algorithm in ["rsa2048", "p256", "p384"] {
        let world = World::with_card(&["--algorithm", algorithm]);
        for (line, id) in card_keys(&world).iter().zip(["01", "02", "03", "04"]) {
            world
                .client("pkcs15-tool")
                .args(["--read-certificate", id, "--output", "certificate.pem"])
                .succeeds();
            world.openssl(["x509", "-in", "certificate.pem", "-pubkey", "-noout", "-out", "key.pem"]);
            let expected = world.tool("ssh-keygen").args(["-i", "-m", "PKCS8", "-f", "key.pem"]).succeeds();
            assert!(line.starts_with(expected.trim()), "{algorithm} {id}: {line} is not {expected}");
        }
    }
}

#[test]
fn the_holder_logs_in() {
    for algorithm in ["rsa2048", "p256"] {
        let world = World::with_card(&["--algorithm", algorithm]);
        let mut server = Server::start(&world);
        assert!(ssh(&world, &server, PIN).succeeds().contains(PROOF), "{algorithm}");
        server.accepts(&world);
    }
}

#[test]
fn the_holder_logs_in_through_an_agent_until_the_card_is_taken_out() {
    for algorithm in ["rsa2048", "p256"] {
        let world = World::with_card(&["--algorithm", algorithm]);
        let mut server = Server::start(&world);
        let script =
            r#"ssh-add -s "$MODULE"; ssh-add -l; ssh "$@"; ssh "$@"; "$VREADER" ctl remove; ! ssh "$@""#;
        let said = with_agent(&world, &server, script).succeeds();
        assert_eq!(said.matches("pubkey (").count(), 4, "{said}");
        assert_eq!(said.matches(PROOF).count(), 2, "{said}");
        server.accepts(&world);
        server.accepts(&world);
        server.refuses();
    }
}

#[test]
fn a_wrong_pin_costs_one_try_and_lets_nobody_in() {
    let world = World::with_card(&[]);
    let mut server = Server::start(&world);
    let outcome = ssh(&world, &server, WRONG_PIN).run();
    assert!(outcome.code() == Some(255) && outcome.text().contains("PIN incorrect"), "{outcome}");
    server.refuses();
    assert_eq!(tries_left(&world), 2);
}

/// A known fault of OpenSSH 9.2: it asks again, and spends a try, for each key that the server would accept.
#[test]
fn a_wrong_pin_costs_a_try_for_each_key_that_is_known() {
    let world = World::with_card(&["--tries", "5"]);
    let mut server = Server::start(&world);
    world.write("authorized", card_keys(&world).concat());
    let outcome = ssh(&world, &server, WRONG_PIN).run();
    assert!(outcome.code() == Some(255), "{outcome}");
    server.refuses();
    assert_eq!(tries_left(&world), 1);
}

#[test]
fn without_the_card_nobody_gets_in() {
    let world = World::with_card(&[]);
    let mut server = Server::start(&world);
    let world = world.changed_to(&["--empty"]);
    let outcome = ssh(&world, &server, PIN).run();
    assert!(outcome.code() == Some(255) && outcome.text().contains("Permission denied"), "{outcome}");
    server.refuses();
}
