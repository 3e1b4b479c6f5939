//! What `card new` says: steps while it works, and what it has made.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use card_sim::{profile::Profile, sm::CipherSuite};
use vreader::issue::{self, DEFAULT_GLOBAL_PIN, Fault, Features, GlobalPin, IssuedCard, Request};

use super::Arguments;
use crate::cli::{Outcome, print, print_json, stock::known};

/// What was made, as `--json` prints it.
#[derive(serde::Serialize)]
struct Made<'a> {
    file: &'a Path,
    profile: &'static str,
    holder: &'a str,
    algorithm: &'static str,
    issued: String,
    expires: String,
    management_key_algorithm: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    secure_messaging: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pairing_code: Option<&'a str>,
    /// Primary and secondary finger, as they are presented.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fingers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    off_card_certificates: Option<&'a str>,
    exported: Vec<PathBuf>,
}

/// Prints what was made.
pub(super) fn report(
    arguments: &Arguments,
    file: &Path,
    profile: &Profile,
    request: &Request,
    issued: &IssuedCard,
    exported: Vec<PathBuf>,
) -> Outcome {
    let features = &request.features;
    let made = Made {
        file,
        profile: profile.name,
        holder: &issued.person.name,
        algorithm: issue::algorithm_name(request.algorithm),
        issued: issued.issued.to_string(),
        expires: issued.expires.to_string(),
        management_key_algorithm: arguments.stock.management_algorithm(),
        secure_messaging: features.secure_messaging.map(|secure| suite_name(secure.suite)),
        pairing_code: issued.pairing_code.as_ref().map(|code| code.as_str()),
        fingers: issued.fingers.iter().map(hex::encode_upper).collect(),
        broken: request.broken.map(Fault::name),
        off_card_certificates: issued.off_card_certificates.as_ref().map(|off_card| off_card.url.as_str()),
        exported,
    };
    if arguments.json {
        return print_json(&made);
    }
    print(&in_words(arguments, features, &made))
}

fn in_words(arguments: &Arguments, features: &Features, made: &Made<'_>) -> String {
    let mut text = format!(
        "{}: a {} card of {}, {} keys, from {} to {}\n",
        made.file.display(),
        made.profile,
        made.holder,
        made.algorithm,
        made.issued,
        made.expires
    );
    arguments.stock.secrets_in_words(&mut text);
    // Writing to a string cannot fail.
    if let Some(suite) = made.secure_messaging {
        let _ = writeln!(text, "  secure messaging with {suite}");
    }
    if let Some(code) = made.pairing_code {
        let _ = writeln!(text, "  pairing code {code}");
    }
    if let Some(GlobalPin { pin, .. }) = &features.global_pin {
        let pin = known(pin.as_str() != DEFAULT_GLOBAL_PIN, DEFAULT_GLOBAL_PIN);
        let _ = writeln!(text, "  Global PIN {pin}");
    }
    for (which, finger) in ["primary", "secondary"].iter().zip(&made.fingers) {
        let _ = writeln!(text, "  {which} finger {finger}");
    }
    if let Some(fault) = made.broken {
        let _ = writeln!(text, "  with a fault: {fault}");
    }
    if let Some(url) = made.off_card_certificates {
        let _ = writeln!(text, "  off-card certificates at {url}");
    }
    for path in &made.exported {
        let _ = writeln!(text, "  wrote {}", path.display());
    }
    text
}

fn suite_name(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::Cs2 => "CS2",
        CipherSuite::Cs7 => "CS7",
    }
}

/// Steps on standard error, for people who wait: one line that changes on a terminal, a line each elsewhere.
pub(in crate::cli) struct Progress {
    terminal: bool,
    shown: bool,
}

impl Progress {
    pub(in crate::cli) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), shown: false }
    }

    pub(in crate::cli) fn show(&mut self, step: issue::Step) {
        self.shown = true;
        if self.terminal {
            eprint!("\r\x1b[Kmaking {step} …");
        } else {
            eprintln!("making {step}");
        }
    }

    pub(in crate::cli) fn end(&self) {
        if self.shown && self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}
