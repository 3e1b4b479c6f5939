//! What [`inspect`](super::inspect) finds, in the form in which `--json` prints it.
//!
//! The names of the fields are a promise to programs that read the JSON.

use card_sim::key::Origin;
use serde::{Serialize, Serializer};

use super::common_access::CommonAccessEntry;
pub use crate::issue::Date;
use crate::issue::{fascn::Fascn, uuid::Uuid};

/// Everything that is on a card.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Name of the card stock's profile.
    pub profile: String,
    /// The application label of the card stock.
    pub label: String,
    /// The holder, if any object names one.
    pub holder: Option<Holder>,
    /// The numbers of card and holder.
    pub identifiers: Identifiers,
    /// When the card was issued. A PIV card does not say it; the earliest certificate does.
    pub issued: Option<Dated>,
    /// Last day of the card.
    pub expires: Option<Dated>,
    /// Tries of the PIN.
    pub pin: Counter,
    /// Tries of the PUK.
    pub puk: Counter,
    /// Tries of the Global PIN, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub global_pin: Option<Counter>,
    /// Tries of the fingers of on-card comparison: the primary one, the secondary one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fingers: Vec<Counter>,
    /// The asymmetric keys.
    pub slots: Vec<SlotEntry>,
    /// The certificates in their containers.
    pub certificates: Vec<CertificateEntry>,
    /// The CAC side, if the card is a Common Access Card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_access: Option<CommonAccessEntry>,
    /// All data objects.
    pub objects: Vec<ObjectEntry>,
    /// What could not be read or does not fit together.
    pub problems: Vec<Problem>,
}

/// The holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Name.
    pub name: String,
    /// Where the name is from.
    pub source: HolderSource,
    /// Employee affiliation, from Printed Information.
    pub affiliation: Option<String>,
    /// Organization lines, from Printed Information.
    pub organization: Vec<String>,
}

/// What names the holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HolderSource {
    /// Printed Information, tag `01`.
    PrintedInformation,
    /// The common name of a certificate's subject.
    Certificate,
}

/// The numbers of card and holder.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Identifiers {
    /// The FASC-N's fields, if it is well formed.
    pub fascn: Option<Fascn>,
    /// The FASC-N as printed, fields joined by dashes.
    pub fascn_text: Option<String>,
    /// The FASC-N's bytes in hex, well formed or not.
    pub fascn_hex: Option<String>,
    /// Card UUID, called GUID in the CHUID.
    pub card_uuid: Option<Uuid>,
    /// Cardholder UUID.
    pub cardholder_uuid: Option<Uuid>,
    /// Agency card serial number, from Printed Information.
    pub agency_card_serial_number: Option<String>,
    /// Issuer identification, from Printed Information.
    pub issuer_identification: Option<String>,
    /// Card identifier of the Card Capability Container in hex.
    pub card_identifier: Option<String>,
}

/// A date and where it is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dated {
    /// The day.
    pub date: Date,
    /// Where it is from.
    pub source: DateSource,
}

/// What says a date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DateSource {
    /// The beginning of the earliest certificate, in this slot.
    EarliestCertificate(String),
    /// CHUID, tag `35`.
    Chuid,
    /// Printed Information, tag `04`.
    PrintedInformation,
    /// The CAC container Person Instance, tag `62`.
    PersonInstance,
}

/// A retry counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counter {
    /// Tries left; 0 means blocked.
    pub tries_left: u8,
    /// Tries of a fresh counter.
    pub tries_total: u8,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlotEntry {
    /// Key reference in hex.
    pub reference: String,
    /// What the key is for.
    pub name: String,
    /// Algorithm and size.
    pub algorithm: &'static str,
    /// Where the key was made.
    pub origin: OriginName,
    /// Whether a certificate in this slot could be read.
    pub has_certificate: bool,
}

/// Where a key was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OriginName {
    /// On the card.
    Generated,
    /// Elsewhere.
    Imported,
}

impl From<Origin> for OriginName {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Generated => Self::Generated,
            Origin::Imported => Self::Imported,
        }
    }
}

/// A certificate in a container.
#[derive(Clone, Debug, Serialize)]
pub struct CertificateEntry {
    /// Tag of the container.
    pub tag: Tag,
    /// Name of the container.
    pub container: &'static str,
    /// Key reference that it belongs to, in hex.
    pub slot: Option<String>,
    /// Whether it is stored compressed.
    pub compressed: bool,
    /// Subject, as RFC 4514 writes names.
    pub subject: String,
    /// Issuer, the same.
    pub issuer: String,
    /// Serial number in hex.
    pub serial_number: String,
    /// Begin of validity, in UTC.
    pub not_before: String,
    /// End of validity, in UTC.
    pub not_after: String,
    /// Algorithm and size of its public key.
    pub algorithm: String,
    /// Whether its public key belongs to the private key in the slot.
    pub key_match: KeyMatch,
}

/// Whether certificate and slot belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyMatch {
    /// The public keys are the same.
    Matches,
    /// They are different.
    Differs,
    /// There is no key in the slot, or no slot for this container.
    NoKey,
}

/// A data object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObjectEntry {
    /// Its tag.
    pub tag: Tag,
    /// Its name in the standard.
    pub name: &'static str,
    /// Length in bytes, as GET DATA answers it.
    pub length: usize,
    /// Whether nothing is in it, as in the containers of a card that were never filled.
    pub empty: bool,
}

/// Something wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Tag of the object.
    pub tag: Tag,
    /// Its name in the standard.
    pub object: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// Tag of an object, written in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(pub u32);

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // `pad` keeps the width that a table asks for.
        f.pad(&format!("{:02X}", self.0))
    }
}

impl Serialize for Tag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
