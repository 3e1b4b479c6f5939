//! The certificates of a card in its holder's words, in the card's order.
//!
//! A Common Access Card's are those of its PKI applets, in the order of its capability container; behind them come those that only
//! its PIV application has: PIV Authentication, once it is activated, and retired ones. A PIV card's come in the order of
//! SP 800-73-5 part 1, table 5.

use std::{error::Error, fmt, time::Duration};

use card_sim::{
    cac::ObjectId,
    key::{KeyReference, RetiredNumber},
};
use der::Encode;
use serde::{Serialize, Serializer};
use x509_cert::Certificate;

use super::{Console, ConsoleError, DOD, Face, GSC_IS, PIV, elements, value};
use crate::{
    clock::Time,
    clone::read_certificate,
    inspect::{certificate::serial_number, container_elements, without_controls},
    issue::certificate_tag,
    sm::transport::Transport,
};

/// A certificate that ends within this time is shown to end soon.
pub const SOON: Duration = Duration::from_hours(30 * 24);

/// What a certificate is for, as its holder calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Signing in with a Common Access Card.
    Identity,
    /// Signing in with PIV: 9A.
    Authentication,
    /// Signing mail and documents: 9C.
    Signature,
    /// Reading mail: 9D.
    Encryption,
    /// Doors: 9E.
    CardAuthentication,
    /// Reading old mail: 82 to 95, numbered from 1.
    Retired(u8),
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "ID",
            Self::Authentication => "Authentication",
            Self::Signature => "Signature",
            Self::Encryption => "Encryption",
            Self::CardAuthentication => "Card Authentication",
            Self::Retired(number) => return write!(f, "Retired Encryption {number}"),
        })
    }
}

impl Serialize for Purpose {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a certificate is worth at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Validity {
    /// It begins later.
    NotYetValid,
    /// It is valid.
    Valid,
    /// It is valid, and ends within [`SOON`].
    ExpiresSoon,
    /// It has ended.
    Expired,
}

impl Validity {
    /// At this time, of a certificate with these first and last seconds.
    pub fn at(now: Time, first: Time, last: Time) -> Self {
        if now < first {
            Self::NotYetValid
        } else if now > last {
            Self::Expired
        } else if now.plus(SOON) > last {
            Self::ExpiresSoon
        } else {
            Self::Valid
        }
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotYetValid => "not yet valid",
            Self::Valid => "valid",
            Self::ExpiresSoon => "expires within 30 days",
            Self::Expired => "expired",
        })
    }
}

/// A certificate on a card.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// What its holder calls it: the purpose and the holder's name.
    pub label: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Where it is, in hex: a container of the CAC applets, or an object of PIV.
    pub container: String,
    /// The holder's name in it, if it has one.
    pub name: Option<String>,
    /// Its subject, as RFC 4514 writes names.
    pub subject: String,
    /// Its issuer, the same.
    pub issuer: String,
    /// Its serial number in hex.
    pub serial_number: String,
    /// Its first second.
    pub not_before: Time,
    /// Its last second.
    pub not_after: Time,
    /// What it is worth.
    pub validity: Validity,
    /// Itself, in DER.
    #[serde(skip)]
    pub der: Vec<u8>,
}

/// A certificate that the card should have and that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// What it would be for.
    pub purpose: Purpose,
    /// Where it should be, in hex.
    pub container: String,
    /// What was found instead.
    pub reason: &'static str,
}

impl Unreadable {
    /// What would be its label.
    pub fn label(&self) -> String {
        format!("{} (container {})", self.purpose, self.container)
    }
}

/// What a card has.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Certificates {
    /// Those that could be read, in the card's order.
    pub certificates: Vec<Listed>,
    /// The others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<Unreadable>,
}

const NOT_THERE: &str = "the card has no such certificate";
const BROKEN: &str = "what the card has there is no certificate";

/// The PKI applets of every Common Access Card.
const APPLETS: [ObjectId; 3] = [ObjectId::IDENTITY, ObjectId::SIGNATURE, ObjectId::ENCRYPTION];

/// Elements of a certificate container: the certificate, and whether it is compressed.
const CERTIFICATE: u8 = 0x70;
const CERTIFICATE_INFO: u8 = 0x71;

impl<T: Transport<Error: Error + Send + Sync + 'static>> Console<T> {
    /// Reads all certificates; their states are those of this time.
    pub fn certificates(&mut self, now: Time) -> Result<Certificates, ConsoleError> {
        let mut found = Certificates::default();
        if self.face == Face::CommonAccess {
            for applet in self.applets()? {
                let container = self.container(DOD, applet.get())?;
                let elements = container.as_deref().and_then(container_elements);
                let element = |tag| value(elements.as_deref().unwrap_or_default(), tag);
                found.add(purpose_of(applet), format!("{:04X}", applet.get()), element, now, true);
            }
        }
        if self.has_piv {
            self.select(&PIV)?;
            for reference in self.references() {
                let Some(tag) = certificate_tag(reference) else { continue };
                let Some(object) = self.object(tag)? else { continue };
                let elements = elements(&object);
                let element = |tag| value(&elements, tag);
                found.add(purpose_of_key(reference), format!("{tag:06X}"), element, now, false);
            }
        }
        found.name_all();
        Ok(found)
    }

    /// The PKI applets in the order of the capability container; of a card without one, in that of their names.
    fn applets(&mut self) -> Result<Vec<ObjectId>, ConsoleError> {
        let capabilities = self.container(GSC_IS, ObjectId::CCC.get())?;
        let elements = capabilities.as_deref().and_then(container_elements).unwrap_or_default();
        let named: Vec<_> = elements.iter().filter_map(|(tag, value)| pki_applet(*tag, value)).collect();
        Ok(if named.is_empty() { APPLETS.to_vec() } else { named })
    }

    /// The keys of the PIV application whose certificates are the holder's. A Common Access Card's card authentication certificate
    /// is the card's own, and people who count their certificates do not count it.
    fn references(&self) -> Vec<KeyReference> {
        let asymmetric = KeyReference::ASYMMETRIC.into_iter();
        let retired = (1..=20).filter_map(RetiredNumber::new).map(KeyReference::Retired);
        let of_card = self.face == Face::CommonAccess;
        asymmetric
            .filter(|reference| !of_card || *reference != KeyReference::CardAuthentication)
            .chain(retired)
            .collect()
    }
}

impl Certificates {
    /// Adds what the elements of a container hold, once. Of a container that may be empty nothing is expected.
    fn add<'a>(
        &mut self,
        purpose: Purpose,
        container: String,
        element: impl Fn(u8) -> Option<&'a [u8]>,
        now: Time,
        expected: bool,
    ) {
        let stored = element(CERTIFICATE).filter(|stored| !stored.is_empty());
        let Some(stored) = stored else {
            if expected {
                self.unreadable.push(Unreadable { purpose, container, reason: NOT_THERE });
            }
            return;
        };
        let compressed =
            element(CERTIFICATE_INFO).is_some_and(|info| matches!(info, [info] if info & 0x03 == 0x01));
        let certificate = read_certificate(stored, compressed);
        match certificate.and_then(|certificate| listed(purpose, &container, &certificate, now)) {
            // The PIV application has the e-mail certificates once more.
            Some(listed) if self.certificates.iter().any(|other| other.der == listed.der) => {}
            Some(listed) => self.certificates.push(listed),
            None => self.unreadable.push(Unreadable { purpose, container, reason: BROKEN }),
        }
    }

    /// A certificate without a name is its holder's all the same.
    fn name_all(&mut self) {
        let holder = self.certificates.iter().find_map(|listed| listed.name.clone());
        for listed in &mut self.certificates {
            let name = listed.name.as_ref().or(holder.as_ref()).unwrap_or(&listed.subject);
            listed.label = format!("{} - {name}", listed.purpose);
        }
    }
}

fn listed(purpose: Purpose, container: &str, certificate: &Certificate, now: Time) -> Option<Listed> {
    let tbs = certificate.tbs_certificate();
    let time = |time: x509_cert::time::Time| Time::from_seconds(time.to_unix_duration().as_secs());
    let (first, last) = (time(tbs.validity().not_before), time(tbs.validity().not_after));
    let name = tbs.subject().common_name().ok().flatten();
    Some(Listed {
        label: String::new(),
        purpose,
        container: container.to_owned(),
        name: name.map(|name| without_controls(&name.value())),
        subject: without_controls(&tbs.subject().to_string()),
        issuer: without_controls(&tbs.issuer().to_string()),
        serial_number: serial_number(tbs.serial_number().as_bytes()),
        not_before: first,
        not_after: last,
        validity: Validity::at(now, first, last),
        der: certificate.to_der().ok()?,
    })
}

fn purpose_of(applet: ObjectId) -> Purpose {
    match applet {
        ObjectId::SIGNATURE => Purpose::Signature,
        ObjectId::ENCRYPTION => Purpose::Encryption,
        _ => Purpose::Identity,
    }
}

fn purpose_of_key(reference: KeyReference) -> Purpose {
    match reference {
        KeyReference::DigitalSignature => Purpose::Signature,
        KeyReference::KeyManagement => Purpose::Encryption,
        KeyReference::CardAuthentication => Purpose::CardAuthentication,
        KeyReference::Retired(number) => Purpose::Retired(number.get()),
        _ => Purpose::Authentication,
    }
}

/// The PKI applet that a card URL names: RID, kind of applet `04`, object, applet, access rules.
fn pki_applet(tag: u8, url: &[u8]) -> Option<ObjectId> {
    match (tag, url) {
        (0xF3, [rid @ .., 0x04, high, low, _, _, _, _, _, _, _, _]) if *rid == DOD => {
            ObjectId::new(u16::from_be_bytes([*high, *low])).filter(|id| APPLETS.contains(id))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_changes_at_its_edges() {
        let time = |text: &str| text.parse::<Time>().unwrap();
        let (first, last) = (time("2026-01-01"), time("2026-12-31T23:59:59Z"));
        for (now, expected) in [
            ("2025-12-31T23:59:59Z", Validity::NotYetValid),
            ("2026-01-01", Validity::Valid),
            ("2026-12-01T23:59:59Z", Validity::Valid),
            ("2026-12-02", Validity::ExpiresSoon),
            ("2026-12-31T23:59:59Z", Validity::ExpiresSoon),
            ("2027-01-01", Validity::Expired),
        ] {
            assert_eq!(Validity::at(time(now), first, last), expected, "{now}");
        }
    }

    #[test]
    fn only_urls_of_pki_applets_name_certificates() {
        let url = |kind, low| [&DOD[..], &[kind, 0x01, low, 0x01, low], &[0; 6]].concat();
        assert_eq!(pki_applet(0xF3, &url(0x04, 0x02)), Some(ObjectId::ENCRYPTION));
        for (tag, url) in [
            (0xF2, url(0x04, 0x02)),
            (0xF3, url(0x01, 0x02)),
            (0xF3, url(0x04, 0x0F)),
            (0xF3, url(0x04, 0x02)[1..].to_vec()),
            (0xF3, Vec::new()),
        ] {
            assert_eq!(pki_applet(tag, &url), None, "{tag:02X} {url:02X?}");
        }
    }
}
