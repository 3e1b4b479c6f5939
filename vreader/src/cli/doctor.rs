//! `vreader doctor`: what this build and this machine can do, and what is missing.

use std::{fs, path::Path};

use vreader::{attach::vpcd::DEFAULT_PORT, crypto};

use super::{Outcome, print, print_json};

/// Looks, and changes nothing. Exit status 0 whatever is missing: nothing is needed by everybody.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  vreader doctor --json")]
pub(super) struct Arguments {
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
#[derive(serde::Serialize)]
struct Finding {
    what: &'static str,
    present: bool,
    found: String,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let findings = [cryptography(), pcscd(), vpcd_driver(), vpcd_port()];
    if arguments.json {
        return print_json(&findings);
    }
    let lines = findings.iter().map(|Finding { what, present, found }| {
        format!("{} {what}: {found}\n", if *present { "yes" } else { "no " })
    });
    print(&lines.collect::<String>())
}

fn cryptography() -> Finding {
    Finding { what: "fast cryptography", present: cfg!(feature = "aws-lc"), found: backend() }
}

fn backend() -> String {
    let name = crypto::backend_name();
    if cfg!(feature = "aws-lc") {
        format!("this build uses {name}")
    } else {
        format!("this build uses {name}; build with the feature aws-lc for faster RSA")
    }
}

fn pcscd() -> Finding {
    let present = Path::new("/run/pcscd/pcscd.comm").exists();
    let found = if present {
        "its socket is there".into()
    } else {
        "no socket at /run/pcscd/pcscd.comm; `vreader vpcd` needs it: install and start pcscd".into()
    };
    Finding { what: "pcscd runs", present, found }
}

fn vpcd_driver() -> Finding {
    let configuration = Path::new("/etc/reader.conf.d/vpcd");
    let present = configuration.exists();
    let found = if present {
        format!("{} is there", configuration.display())
    } else {
        format!("no {}; `vreader vpcd` needs it: install vsmartcard-vpcd", configuration.display())
    };
    Finding { what: "vpcd is installed", present, found }
}

/// Looks into the kernel's list of sockets: a connection would be taken for a card.
fn vpcd_port() -> Finding {
    const LISTENING: &str = "0A";
    let sockets = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let port = format!(":{DEFAULT_PORT:04X}");
    let present = sockets.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next().unwrap_or_default();
        local.ends_with(&port) && fields.nth(1) == Some(LISTENING)
    });
    let found = if present {
        format!("something listens on port {DEFAULT_PORT}")
    } else {
        format!("nothing listens on port {DEFAULT_PORT}; pcscd with vpcd does while it runs")
    };
    Finding { what: "vpcd waits for a card", present, found }
}
