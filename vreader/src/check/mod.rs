//! The conformance report: is a card what SP 800-85B and SP 800-85A-4 ask for?
//!
//! Three lists of rows are gone through. Each row is passed, failed (with what was expected and what was found), or does
//! not apply (with the reason); none is left out.
//!
//! | list | what it is about | judged by |
//! |---|---|---|
//! | SP 800-85B, 489 rows | data objects, signatures, certificates | [`Evidence`]: objects, and what a card at hand shows |
//! | SP 800-85A-4 | commands | commands sent to a card, or to copies of it |
//! | FIPS 201-3 | what neither asks: that certificates are valid now, and an authority's | [`Evidence`] |
//!
//! A card file is never written to: commands go to copies of it in memory. A card in a reader gets only commands that
//! change nothing, unless [`Options::destructive`] allows the others; it is reset between rows.
//!
//! # Where the rows are not taken by the letter
//!
//! Genuine NIST SD33 cards and the golden GSA ICAM cards are the measure: where they would fail a row, it was looked
//! into, and these are the exceptions. Each is as narrow as it can be.
//!
//! | row | by the letter | here | because |
//! |---|---|---|---|
//! | 8.x.0.2 BERTLV.2 | tags of three bytes | Discovery and BIT group have their own | their tags are `7E` and `7F61` |
//! | 8.x.1 73-4.56 | table of one revision | elements of revisions 4 and 5 | cards of both are in use |
//! | 8.6.1.2 73-4.25 | the text of a row about minutiae | the element `BC` is there | the assertion is the container's |
//! | 8.12 to 8.17, 9.5.1, 9.6.2, 9.7, 11.5, 11.6 | headings and placeholders | judged | SP 800-73-5, SP 800-76-2 say what is right |
//! | 9.2, 9.3 | assertion and text of different rows | the text | the table has slipped by a row |
//! | 9.4.2.0.1 | "value A" | a header of INCITS 378 | no value is named |
//! | 10.4.2.8 CMS.14 | the signature | the hash of the content too | no row of its own asks for it |
//! | 10.4.2.2 CMS.18 | version 1 | 1 or 3 | NIST and GSA write 3, as RFC 5652 says |
//! | 9.4.2.0.1, 9.4.2.1 | view number 0 | or the number of the view in the record | golden ICAM cards count through |
//! | CMS.13 | rsaEncryption with NULL | or without parameters | golden ICAM cards leave it out; RFC 4055, 2.1 |
//! | 11.1.2.6.2, 11.4.2.7.2 | Card UUID | not asked of certificates from before 2014-09-05 | FIPS 201-2 brought it; ICAM card 01 is older |
//! | 11.4.2.7.3 | no other names | a mail address in ICAM test certificates | golden ICAM card 53 has one |
//! | FASC-N, NACI indicator, content signing | as PIV | PIV-I's too | NIST card 16 is a PIV-I card: its FASC-N is all nines |
//! | 11.x CDP and AIA | http only | `ldap` may stand beside `http` | NIST's cards; the Common Policy asked for both |
//! | 11.7.2.1.2 | nonRepudiation too | digitalSignature is enough | no genuine content signer has it |
//! | 11.x policies | id-fpki-common-* | the test policies `48.x` too | test cards must not claim real policies |
//! | 78.1, 78.3 | SP 800-78-4 | SP 800-78-5 too: RSA 3072, SHA-384 with RSA | it is in force |
//!
//! An object that is optional and absent, or empty as genuine cards leave containers (`53 00`), makes its rows not
//! applicable. What makes an object unreadable fails one row, the first that needs it; the rows behind it do not apply.

mod biometric;
mod certificate;
mod cms;
mod commands;
mod container;
mod cvc;
mod evidence;
mod further;
mod hand;
mod look;
mod outcome;
mod policy;
mod report;
mod rows;
mod signature;
#[cfg(test)]
mod tests;

use std::path::Path;

use card_sim::interface::Interface;
use spki::SubjectPublicKeyInfoOwned;
use zeroize::Zeroizing;

use self::{
    commands::Secrets,
    evidence::Subject,
    hand::{Hand, Source},
    look::{PIV, VERIFY_PIN, look, padded},
    outcome::{Check, not_applicable},
    rows::{Row, container_name},
};
pub use self::{
    evidence::{Evidence, Found, Proof},
    hand::CheckError,
    outcome::Outcome,
    report::{Counts, Part, Report, RowReport},
};
pub(crate) use self::{
    hand::command,
    look::{Challenge, read as get_data},
};
use crate::{
    attach::pcsc::RemoteCard,
    emulated::EmulatedError,
    image::FileStore,
    issue::{DEFAULT_GLOBAL_PIN, DEFAULT_MANAGEMENT_KEY, DEFAULT_PIN, DEFAULT_PUK, Date},
    random,
};

/// How to check.
#[derive(Clone)]
pub struct Options {
    /// The day for which validity is judged.
    pub now: Date,
    /// Keys of authorities that issue cards: one of them must have signed the card's certificates.
    pub authorities: Vec<SubjectPublicKeyInfoOwned>,
    /// The PIN. For a card file, [`DEFAULT_PIN`] is tried if there is none.
    pub pin: Option<Zeroizing<String>>,
    /// The PUK. For a card file, [`DEFAULT_PUK`] is tried if there is none.
    pub puk: Option<Zeroizing<String>>,
    /// The Global PIN. For a card file, [`DEFAULT_GLOBAL_PIN`] is tried if there is none.
    pub global_pin: Option<Zeroizing<String>>,
    /// The card management key. For a card file, [`DEFAULT_MANAGEMENT_KEY`] is tried if there is none.
    pub management_key: Option<Zeroizing<Vec<u8>>>,
    /// Whether a card in a reader may be worn out: PIN and PUK blocked, a key and an object replaced.
    pub destructive: bool,
}

impl Options {
    /// For a day, with nothing else known or allowed.
    pub fn on(now: Date) -> Self {
        Self {
            now,
            authorities: Vec::new(),
            pin: None,
            puk: None,
            global_pin: None,
            management_key: None,
            destructive: false,
        }
    }
}

/// Checks the card in a card file, on copies in memory.
pub fn check_file(path: &Path, options: &Options) -> Result<Report, CheckError> {
    let mut store = FileStore::peek(path)?;
    let image = store.with_image(|image| Zeroizing::new(image.to_vec())).map_err(|_| CheckError::Copy)?;
    let mut source = Source::Image(image);
    let pin = match &options.pin {
        Some(pin) => Some(padded(pin)?),
        None => default_pin(&mut source, 0x80, DEFAULT_PIN)?,
    };
    let global_pin = match &options.global_pin {
        Some(pin) => Some(padded(pin)?),
        None => default_pin(&mut source, 0x00, DEFAULT_GLOBAL_PIN)?,
    };
    let puk = options.puk.as_deref().map_or(DEFAULT_PUK, String::as_str);
    let puk = right_puk(&mut source, puk)?;
    if options.puk.is_some() && puk.is_none() {
        return Err(CheckError::Wrong("the PUK"));
    }
    let key = options.management_key.as_deref().map_or(&DEFAULT_MANAGEMENT_KEY[..], Vec::as_slice);
    let management_key = right_management_key(&mut source, key)?;
    if options.management_key.is_some() && management_key.is_none() {
        return Err(CheckError::Wrong("the card management key"));
    }
    let secrets = Secrets { pin, puk, global_pin, management_key };
    check_source(&mut source, &secrets, true, options)
}

/// Checks a card in a reader of a PC/SC service, which may be any card.
pub fn check_reader(socket: &Path, reader: &str, options: &Options) -> Result<Report, CheckError> {
    let secrets = Secrets {
        pin: options.pin.as_deref().map(|pin| padded(pin)).transpose()?,
        puk: options.puk.as_deref().map(|puk| puk_bytes(puk)).transpose()?,
        global_pin: options.global_pin.as_deref().map(|pin| padded(pin)).transpose()?,
        management_key: options.management_key.clone(),
    };
    let mut card = RemoteCard::connect(socket, reader)?;
    if secrets.pin.is_some() {
        not_the_last_try(&mut Hand::Reader(&mut card))?;
    }
    check_source(&mut Source::Reader(card), &secrets, options.destructive, options)
}

/// Judges objects, and what else was seen of a card, without the card.
pub fn check_evidence(evidence: &Evidence, options: &Options) -> Report {
    let mut rows = evidence_rows(evidence, options);
    rows.extend(commands::rows_without_card());
    Report::new(options.now, rows)
}

fn check_source(
    source: &mut Source,
    secrets: &Secrets,
    may_change: bool,
    options: &Options,
) -> Result<Report, CheckError> {
    let mut rng = random::from_system().map_err(EmulatedError::from)?;
    let pin = secrets.pin.as_deref().map(<[u8; 8]>::as_slice);
    let evidence = look(&mut source.card(Interface::Contact)?, pin, &mut rng)?;
    let mut rows = evidence_rows(&evidence, options);
    rows.extend(commands::rows(source, secrets, &evidence, may_change, &mut rng)?);
    Ok(Report::new(options.now, rows))
}

/// The PIN that cards of `vreader card new` have under this key reference, if this one has it.
fn default_pin(
    source: &mut Source,
    reference: u8,
    pin: &str,
) -> Result<Option<Zeroizing<[u8; 8]>>, CheckError> {
    let pin = padded(pin)?;
    let mut card = source.card(Interface::Contact)?;
    card.send([0x00, 0xA4, 0x04, 0x00], &PIV)?;
    let right = card.send([0x00, 0x20, 0x00, reference], &*pin)?.is_success();
    Ok(right.then_some(pin))
}

/// The PUK, if it is right: it resets the PIN of a copy.
fn right_puk(source: &mut Source, puk: &str) -> Result<Option<Zeroizing<[u8; 8]>>, CheckError> {
    let puk = puk_bytes(puk)?;
    let mut card = source.card(Interface::Contact)?;
    card.send([0x00, 0xA4, 0x04, 0x00], &PIV)?;
    let data = Zeroizing::new([&puk[..], &padded(DEFAULT_PIN)?[..]].concat());
    let right = card.send([0x00, 0x2C, 0x00, 0x80], &data)?.is_success();
    Ok(right.then_some(puk))
}

/// The card management key, if it is right.
fn right_management_key(source: &mut Source, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, CheckError> {
    let key = Zeroizing::new(key.to_vec());
    let secrets = Secrets { management_key: Some(key.clone()), ..Secrets::default() };
    let right = commands::takes_management_key(source, &secrets)?;
    Ok(right.then_some(key))
}

/// A wrong PIN must not be what blocks somebody's card.
fn not_the_last_try(card: &mut Hand<'_>) -> Result<(), CheckError> {
    // A PIN that somebody has verified would not tell its tries.
    card.reset()?;
    card.send([0x00, 0xA4, 0x04, 0x00], &PIV)?;
    let status = card.send(VERIFY_PIN, &[])?.status;
    if status == 0x63C1 { Err(CheckError::LastTry) } else { Ok(()) }
}

fn puk_bytes(puk: &str) -> Result<Zeroizing<[u8; 8]>, CheckError> {
    let bytes = puk.as_bytes().try_into().map_err(|_| CheckError::Malformed("the PUK"))?;
    Ok(Zeroizing::new(bytes))
}

/// Why rows about the FASC-N do not apply to some cards.
const PIV_INTEROPERABLE: &str =
    "a PIV-I card, whose FASC-N is all nines: its certificates and signatures name the Card UUID only";

fn evidence_rows(evidence: &Evidence, options: &Options) -> Vec<RowReport> {
    let subject = Subject { evidence, now: options.now };
    let mut reports: Vec<_> = rows::rows()
        .map(|row| RowReport {
            part: Part::DataModel,
            id: row.id.to_owned(),
            about: row.container.map_or("", container_name).to_owned(),
            text: row.text.to_owned(),
            outcome: judge(row, &subject).into(),
        })
        .collect();
    reports.extend(further::rows(&subject, &options.authorities));
    reports
}

/// One row of SP 800-85B.
fn judge(row: Row, subject: &Subject<'_>) -> Check {
    if let Some(check) = open_row(row.id, subject) {
        return check;
    }
    let Some(tag) = row.container.filter(|_| !row.atom.is_empty()) else {
        return not_applicable("a heading of the list");
    };
    let (family, _) = row.atom.split_once(['.', '-']).unwrap_or((row.atom, ""));
    match (family, row.atom) {
        ("BERTLV", atom) => container::ber_tlv(atom, tag, subject),
        ("73", "73-4.56") => container::order_and_lengths(tag, subject),
        ("73", "73-4.36") => cms::covered_containers(subject),
        ("73", "73-4.37") => cms::hashes(subject),
        ("73", "73-4.42") => policy::discovery(subject),
        ("73", atom @ ("73-4.12" | "73-4.13" | "73-4.15" | "73-4.16")) => {
            container::chuid_row(atom, row.id, subject)
        }
        ("73", atom) => container::element_row(atom, tag, subject),
        ("76", atom) if row.id.starts_with("9.4") => biometric::minutiae(row.id, atom, subject),
        ("76", _) if row.id.starts_with("9.6") => biometric::face(row.id, subject),
        ("76", atom) => biometric::cbeff(row.id, atom, tag, subject),
        ("CMS", atom) => cms::row(atom, row.id, tag, subject),
        (_, atom) => certificate::row(atom, row.id, tag, subject),
    }
}

/// Rows for which the table has no assertion, or a placeholder, and the standards do say what is right.
fn open_row(id: &str, subject: &Subject<'_>) -> Option<Check> {
    Some(match id {
        "8.11.1.4" => not_applicable("it asks for the vendor's papers; 8.11.1.5 judges the values"),
        "8.12" => container::optional_container(0x5F_C121, subject),
        "8.13" => container::retired(subject),
        "8.13.1" => container::optional_container(0x5F_C10D, subject),
        "8.13.2" => container::optional_container(0x5F_C10E, subject),
        "8.14" => container::optional_container(0x5F_C10C, subject),
        "8.15" => container::optional_container(0x7F61, subject),
        "8.16" => container::optional_container(0x5F_C122, subject),
        "8.17" => container::optional_container(0x5F_C123, subject),
        "9.4.1.8" | "9.4.1.9" => not_applicable("it asks for the images that the template was made from"),
        "9.5.1" => policy::on_card_comparison(subject),
        "9.6.2.1" | "9.6.2.2" | "9.6.2.3" | "9.6.2.4" => biometric::face(id, subject),
        "9.7.1" | "9.7.2" => biometric::iris(id, subject),
        "11.5.1" | "11.5.2" | "11.5.3" | "11.6.1" | "11.6.2" => cvc::row(id, subject),
        _ => return None,
    })
}
