//! "My personal information": who the card says its holder is, and how long.
//!
//! On a Common Access Card that is the container Person Instance (`0200`), on a PIV card Printed Information
//! (`5FC109`); the card gives both only after the PIN. The CHUID, which tells the numbers and the last day, and the
//! names in the certificates are public.

use std::error::Error;

use card_sim::cac::ObjectId;
use serde::Serialize;

use super::{
    Console, ConsoleError, DOD, Face, GSC_IS, PIV,
    activation::Activation,
    certificates::{Certificates, Purpose, SOON},
    elements, value,
};
use crate::{
    clock::Time,
    inspect::{container_elements, without_controls},
    issue::{Date, chuid, fascn::Fascn, printed, tag},
    sm::transport::Transport,
};

/// Elements of Person Instance.
mod person {
    pub(super) const FIRST_NAME: u8 = 0x01;
    pub(super) const MIDDLE_NAME: u8 = 0x02;
    pub(super) const LAST_NAME: u8 = 0x03;
    pub(super) const CADENCY: u8 = 0x04;
    pub(super) const BORN: u8 = 0x06;
    pub(super) const EDIPI: u8 = 0x17;
    pub(super) const ISSUED: u8 = 0x62;
    pub(super) const EXPIRES: u8 = 0x63;
}

/// What the PIN shows.
const OF_COMMON_ACCESS: &[&str] = &["full name", "day of birth", "day of issue"];
const OF_PIV: &[&str] = &["name as printed", "affiliation", "organization"];

/// What a card says of its holder and of itself.
#[derive(Clone, Debug, Serialize)]
pub struct Information {
    /// The side of the card that was asked.
    pub face: Face,
    /// What is printed on blank cards with this answer to reset, if this project knows them.
    pub stock: Option<&'static str>,
    /// The holder's name; without the PIN as the certificates have it.
    pub name: Option<String>,
    /// The holder's number: the EDIPI of a Common Access Card.
    pub identifier: Option<String>,
    /// The FASC-N, with its fields.
    pub fascn: Option<String>,
    /// Day of birth; only Common Access Cards have it, and only after the PIN.
    pub born: Option<Date>,
    /// What the holder is to the organization; only PIV cards say it, and only after the PIN.
    pub affiliation: Option<String>,
    /// The organization, the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub organization: Vec<String>,
    /// Day of issue; only Common Access Cards say it, and only after the PIN.
    pub issued: Option<Date>,
    /// Last day.
    pub expires: Option<Date>,
    /// Tries that the PIN has left; nothing if it is verified, for then the card does not say.
    pub tries_left: Option<u8>,
    /// What the PIN shows, if it was not verified.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub behind_the_pin: &'static [&'static str],
    /// Whether the PIV Authentication certificate is activated, on a Common Access Card that has PIV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub piv_activation: Option<Activation>,
    /// What its holder should know.
    pub warnings: Vec<String>,
}

impl<T: Transport<Error: Error + Send + Sync + 'static>> Console<T> {
    /// Reads what is public, and with the PIN the rest. `cutoff` is the first day of issue whose cards need no activation.
    pub fn information(
        &mut self,
        pin: Option<&str>,
        now: Time,
        cutoff: Date,
    ) -> Result<Information, ConsoleError> {
        let certificates = self.certificates(now)?;
        let mut information = self.public(&certificates)?;
        if let Some(pin) = pin {
            self.log_in(pin)?;
            self.personal(&mut information)?;
        } else {
            information.tries_left = self.tries_left()?;
            information.behind_the_pin = self.behind_the_pin()?;
        }
        if self.face == Face::CommonAccess && self.has_piv {
            let visible =
                certificates.certificates.iter().any(|listed| listed.purpose == Purpose::Authentication);
            information.piv_activation = Some(Activation::of(visible, information.issued, cutoff));
        }
        information.warnings = information.warnings(now);
        Ok(information)
    }

    /// What anybody may read.
    fn public(&mut self, certificates: &Certificates) -> Result<Information, ConsoleError> {
        let object = if self.has_piv {
            self.select(&PIV)?;
            self.object(tag::CHUID)?
        } else {
            self.container(GSC_IS, CHUID)?
        };
        let object = object.unwrap_or_default();
        let elements =
            if self.has_piv { elements(&object) } else { container_elements(&object).unwrap_or_default() };
        let fascn = value(&elements, chuid::tag::FASCN).and_then(|bytes| Fascn::decode(bytes).ok());
        Ok(Information {
            face: self.face,
            stock: self.stock.map(|stock| stock.description),
            name: certificates.certificates.iter().find_map(|listed| listed.name.clone()),
            identifier: fascn.map(|fascn| format!("{:010}", fascn.person_identifier)),
            fascn: fascn.map(|fascn| fascn.to_string()),
            born: None,
            affiliation: None,
            organization: Vec::new(),
            issued: None,
            expires: value(&elements, chuid::tag::EXPIRATION_DATE).and_then(Date::from_compact),
            tries_left: None,
            behind_the_pin: &[],
            piv_activation: None,
            warnings: Vec::new(),
        })
    }

    /// What the PIN would show. Whether a Common Access Card has a Person Instance is no secret; alternate tokens have none.
    fn behind_the_pin(&mut self) -> Result<&'static [&'static str], ConsoleError> {
        let person = [&DOD[..], &ObjectId::PERSON.get().to_be_bytes()].concat();
        Ok(match self.face {
            Face::Piv => OF_PIV,
            Face::CommonAccess => {
                if self.selects(&person)? {
                    OF_COMMON_ACCESS
                } else {
                    &[]
                }
            }
        })
    }

    /// What the card gives after the PIN.
    fn personal(&mut self, information: &mut Information) -> Result<(), ConsoleError> {
        match self.face {
            Face::CommonAccess => {
                let person = self.container(DOD, ObjectId::PERSON.get())?.unwrap_or_default();
                information.add_person(&container_elements(&person).unwrap_or_default());
            }
            Face::Piv => {
                let printed = self.object(tag::PRINTED)?.unwrap_or_default();
                information.add_printed(&elements(&printed));
            }
        }
        Ok(())
    }
}

/// The container of the CHUID on a card without the PIV application.
const CHUID: u16 = 0x3000;

impl Information {
    fn add_person(&mut self, person: &[(u8, &[u8])]) {
        let text = |tag| text(person, tag);
        let names = [person::FIRST_NAME, person::MIDDLE_NAME, person::LAST_NAME, person::CADENCY];
        let name = names.into_iter().filter_map(text).collect::<Vec<_>>().join(" ");
        let date = |tag| value(person, tag).and_then(Date::from_compact);
        self.name = Some(name).filter(|name| !name.is_empty()).or(self.name.take());
        self.identifier = text(person::EDIPI).or(self.identifier.take());
        self.born = date(person::BORN);
        self.issued = date(person::ISSUED);
        self.expires = date(person::EXPIRES).or(self.expires);
    }

    fn add_printed(&mut self, printed: &[(u8, &[u8])]) {
        let text = |tag| text(printed, tag);
        self.name = text(printed::tag::NAME).or(self.name.take());
        self.affiliation = text(printed::tag::EMPLOYEE_AFFILIATION);
        let lines = [printed::tag::ORGANIZATION_LINE_1, printed::tag::ORGANIZATION_LINE_2];
        self.organization = lines.into_iter().filter_map(text).collect();
    }

    fn warnings(&self, now: Time) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(expires) = self.expires {
            let end = Time::end_of(expires);
            if now > end {
                warnings.push(format!(
                    "the card expired on {expires}: it still answers, but nobody should accept it; get a new one"
                ));
            } else if now.plus(SOON) > end {
                warnings.push(format!("the card expires on {expires}: ask for a new one"));
            }
        }
        match self.tries_left {
            Some(0) if self.face == Face::CommonAccess => {
                warnings.push(ConsoleError::LockedByIssuer.to_string());
            }
            Some(0) => warnings.push(ConsoleError::Locked.to_string()),
            Some(1) => warnings.push("one more wrong PIN locks the card".to_owned()),
            _ => {}
        }
        warnings
    }
}

/// An element that has text in it, fit for a terminal.
fn text(elements: &[(u8, &[u8])], tag: u8) -> Option<String> {
    let text = without_controls(String::from_utf8_lossy(value(elements, tag)?).trim());
    (!text.is_empty()).then_some(text)
}
