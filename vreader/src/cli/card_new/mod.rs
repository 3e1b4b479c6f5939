//! `vreader card new`: a complete card in one command.

use std::{
    fmt::Write as _,
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use card_sim::{key::AsymmetricAlgorithm, sm::CipherSuite};
use der::pem::{self, LineEnding};
use vreader::{
    crypto::DefaultCrypto,
    emulated::EmulatedCard,
    issue::{
        self, DEFAULT_GLOBAL_PIN, Date, Features, GlobalPin, IssuedCard, Request, SecureMessaging,
        VirtualContact,
    },
};
use zeroize::Zeroizing;

use super::{
    Failure, Outcome,
    option::{Rank, parse_algorithm, parse_rank, parse_suite, parse_virtual_contact},
    print, print_json,
    stock::{Stock, known, refuse_existing},
};

/// Makes a sample person, a small test PKI, keys, certificates and signed data objects, and puts them on a new card.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  vreader card new my.card\n  \
    vreader card new ci.card --seed 7 --algorithm rsa2048 --holder 'Sam Sample' --export-ca pki/")]
pub(super) struct Arguments {
    /// The card file to make; an existing file is never replaced
    file: PathBuf,
    /// The same seed and options give the same card, byte for byte
    #[arg(long)]
    seed: Option<u64>,
    /// The holder's name [default: a sample person]
    #[arg(long)]
    holder: Option<String>,
    /// First day, YYYY-MM-DD [default: today; with a seed 2026-01-01]
    #[arg(long)]
    issued: Option<Date>,
    /// Last day, YYYY-MM-DD [default: six years, the longest life of a card]
    #[arg(long)]
    expires: Option<Date>,
    /// Algorithm of the keys 9A 9C 9D 9E: rsa2048, rsa3072, rsa4096, p256 or p384
    #[arg(long, default_value = "p256", value_parser = parse_algorithm)]
    algorithm: AsymmetricAlgorithm,
    /// Secure messaging: cs2 (P-256) or cs7 (P-384)
    #[arg(long, value_name = "SUITE", value_parser = parse_suite)]
    sm: Option<CipherSuite>,
    /// The key for secure messaging is certified by an intermediate key, which an RSA signer vouches for
    #[arg(long, requires = "sm")]
    intermediate_cvc: bool,
    /// Virtual contact interface: pairing (readers show the pairing code) or open
    #[arg(long, value_name = "WHO", value_parser = parse_virtual_contact, requires = "sm")]
    vci: Option<VirtualContact>,
    /// A Global PIN beside the PIV PIN: primary (holders are asked for it) or secondary
    #[arg(long, value_name = "RANK", value_parser = parse_rank)]
    global_pin: Option<Rank>,
    /// The Global PIN's digits, 6 to 8
    #[arg(long, value_name = "DIGITS", default_value = DEFAULT_GLOBAL_PIN, requires = "global_pin")]
    global_pin_value: String,
    /// Number of retired key-management keys with certificates, 0 to 20
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=20))]
    retired: u8,
    #[command(flatten)]
    stock: Stock,
    /// Write the certificates of the test PKI to this folder
    #[arg(long, value_name = "FOLDER")]
    export_ca: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

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
    exported: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let stock = &arguments.stock;
    refuse_existing(&arguments.file)?;
    let request = Request {
        seed: arguments.seed,
        holder: arguments.holder.clone(),
        issued: arguments.issued,
        expires: arguments.expires,
        algorithm: arguments.algorithm,
        pin: Zeroizing::new(stock.pin.clone()),
        puk: Zeroizing::new(stock.puk.clone()),
        management_key: stock.management_key()?,
        features: features(arguments),
        ..Request::default()
    };
    let mut progress = Progress::new();
    let issued = issue::issue(&request, &mut DefaultCrypto::default(), &mut |step| progress.show(step));
    progress.end();
    let issued = issued?;
    EmulatedCard::create(&arguments.file, stock.flash_size, stock.profile, stock.tries(), &issued)?;
    let exported = match &arguments.export_ca {
        Some(folder) => export(&issued, folder)?,
        None => Vec::new(),
    };
    report(arguments, &issued, exported)
}

fn features(arguments: &Arguments) -> Features {
    let secure_messaging =
        arguments.sm.map(|suite| SecureMessaging { suite, intermediate: arguments.intermediate_cvc });
    let global_pin = arguments.global_pin.map(|rank| GlobalPin {
        pin: Zeroizing::new(arguments.global_pin_value.clone()),
        primary: rank == Rank::Primary,
    });
    Features { secure_messaging, virtual_contact: arguments.vci, global_pin, retired_keys: arguments.retired }
}

fn export(issued: &IssuedCard, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let error = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| Failure(format!("cannot write {}: {source}", path.display()))
    };
    fs::create_dir_all(folder).map_err(error(folder))?;
    let pki = &issued.pki;
    let authorities = [
        ("root-ca.pem", &pki.root),
        ("issuing-ca.pem", &pki.issuing_ca),
        ("content-signer.pem", &pki.content_signer),
    ];
    let mut written = Vec::new();
    for (name, authority) in authorities {
        let path = folder.join(name);
        let pem = pem::encode_string("CERTIFICATE", LineEnding::LF, authority.certificate_der())
            .map_err(|source| Failure(format!("cannot encode {}: {source}", path.display())))?;
        fs::write(&path, pem).map_err(error(&path))?;
        written.push(path);
    }
    Ok(written)
}

fn report(arguments: &Arguments, issued: &IssuedCard, exported: Vec<PathBuf>) -> Outcome {
    let made = Made {
        file: &arguments.file,
        profile: arguments.stock.profile.name,
        holder: &issued.person.name,
        algorithm: issue::algorithm_name(arguments.algorithm),
        issued: issued.issued.to_string(),
        expires: issued.expires.to_string(),
        management_key_algorithm: arguments.stock.management_algorithm(),
        secure_messaging: arguments.sm.map(suite_name),
        pairing_code: issued.pairing_code.as_ref().map(|code| code.as_str()),
        exported,
    };
    if arguments.json {
        return print_json(&made);
    }
    print(&in_words(arguments, &made))
}

fn in_words(arguments: &Arguments, made: &Made<'_>) -> String {
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
    if arguments.global_pin.is_some() {
        let pin = known(arguments.global_pin_value != DEFAULT_GLOBAL_PIN, DEFAULT_GLOBAL_PIN);
        let _ = writeln!(text, "  Global PIN {pin}");
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
struct Progress {
    terminal: bool,
    shown: bool,
}

impl Progress {
    fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), shown: false }
    }

    fn show(&mut self, step: issue::Step) {
        self.shown = true;
        if self.terminal {
            eprint!("\r\x1b[Kmaking {step} …");
        } else {
            eprintln!("making {step}");
        }
    }

    fn end(&self) {
        if self.shown && self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}
