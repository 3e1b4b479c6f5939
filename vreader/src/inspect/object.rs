//! The objects that name holder, numbers and expiration: CHUID, Printed Information, Card Capability Container.

use std::collections::BTreeMap;

use apdu::tlv_ber::Reader;

use super::{
    object_name,
    report::{Date, DateSource, Dated, Holder, HolderSource, Identifiers, Problem, Tag},
};
use crate::issue::{chuid, fascn::Fascn, printed, tag, uuid::Uuid};

const DISCOVERY: u32 = tag::DISCOVERY;
const BIT_GROUP: u32 = 0x7F61;
/// The Secure Messaging Certificate Signer, whose certificate belongs to no slot.
pub(super) const SECURE_MESSAGING_SIGNER: u32 = 0x5F_C122;

/// What the small objects say.
pub(super) struct Objects {
    pub(super) identifiers: Identifiers,
    name: Option<String>,
    affiliation: Option<String>,
    organization: Vec<String>,
    /// From the CHUID and from Printed Information.
    expirations: (Option<Date>, Option<Date>),
}

impl Objects {
    /// Reads what is there.
    pub(super) fn read(objects: &BTreeMap<u32, Vec<u8>>, problems: &mut Vec<Problem>) -> Self {
        let mut result = Self {
            identifiers: Identifiers::default(),
            name: None,
            affiliation: None,
            organization: Vec::new(),
            expirations: (None, None),
        };
        let mut find = |tag| objects.get(&tag).map(|object| Elements::read(tag, object, problems));
        let (chuid, printed, ccc, discovery) =
            (find(tag::CHUID), find(tag::PRINTED), find(tag::CCC), find(tag::DISCOVERY));
        if let Some(chuid) = chuid {
            result.read_chuid(&chuid, problems);
        }
        if let Some(printed) = printed {
            result.read_printed(&printed, problems);
        }
        if let Some(ccc) = ccc {
            result.identifiers.card_identifier =
                ccc.get(0xF0).filter(|value| !value.is_empty()).map(hex::encode_upper);
        }
        if let Some(discovery) = discovery.filter(|discovery| discovery.get(0x4F).is_none()) {
            discovery.problem(problems, "the application identifier 4F is missing");
        }
        result
    }

    /// The holder as printed on the card.
    pub(super) fn holder(&self) -> Option<Holder> {
        Some(Holder {
            name: self.name.clone()?,
            source: HolderSource::PrintedInformation,
            affiliation: self.affiliation.clone(),
            organization: self.organization.clone(),
        })
    }

    /// The card's last day. CHUID and Printed Information must say the same; the CHUID is signed.
    pub(super) fn expiration(&self, problems: &mut Vec<Problem>) -> Option<Dated> {
        if let (Some(chuid), Some(printed)) = self.expirations
            && chuid != printed
        {
            let text = format!("expiration {printed} is not that of the CHUID, {chuid}");
            problems.push(Problem::new(tag::PRINTED, text));
        }
        match self.expirations {
            (Some(date), _) => Some(Dated { date, source: DateSource::Chuid }),
            (None, Some(date)) => Some(Dated { date, source: DateSource::PrintedInformation }),
            (None, None) => None,
        }
    }

    fn read_chuid(&mut self, chuid: &Elements<'_>, problems: &mut Vec<Problem>) {
        let identifiers = &mut self.identifiers;
        if let Some(bytes) = chuid.required(chuid::tag::FASCN, "FASC-N", problems) {
            identifiers.fascn_hex = Some(hex::encode_upper(bytes));
            match Fascn::decode(bytes) {
                Ok(fascn) => {
                    identifiers.fascn_text = Some(fascn.to_string());
                    identifiers.fascn = Some(fascn);
                }
                Err(error) => chuid.problem(problems, format!("FASC-N: {error}")),
            }
        }
        if let Some(bytes) = chuid.required(chuid::tag::GUID, "GUID", problems) {
            identifiers.card_uuid = chuid.uuid("GUID", bytes, problems);
        }
        if let Some(bytes) = chuid.get(chuid::tag::CARDHOLDER_UUID) {
            identifiers.cardholder_uuid = chuid.uuid("Cardholder UUID", bytes, problems);
        }
        if let Some(bytes) = chuid.required(chuid::tag::EXPIRATION_DATE, "expiration date", problems) {
            self.expirations.0 = Date::from_compact(bytes);
            if self.expirations.0.is_none() {
                chuid.problem(problems, format!("'{}' is not a date YYYYMMDD", printable(bytes)));
            }
        }
    }

    fn read_printed(&mut self, printed: &Elements<'_>, problems: &mut Vec<Problem>) {
        let text = |tag| printed.get(tag).filter(|value| !value.is_empty()).map(printable);
        self.name = text(printed::tag::NAME);
        if self.name.is_none() && !printed.is_empty() {
            printed.problem(problems, "the name, tag 01, is missing or empty");
        }
        self.affiliation = text(printed::tag::EMPLOYEE_AFFILIATION);
        let lines = [printed::tag::ORGANIZATION_LINE_1, printed::tag::ORGANIZATION_LINE_2];
        self.organization = lines.into_iter().filter_map(text).collect();
        self.identifiers.agency_card_serial_number = text(printed::tag::AGENCY_CARD_SERIAL_NUMBER);
        self.identifiers.issuer_identification = text(printed::tag::ISSUER_IDENTIFICATION);
        if let Some(bytes) = printed.get(printed::tag::EXPIRATION_DATE) {
            self.expirations.1 = Date::from_printed(bytes);
            if self.expirations.1.is_none() {
                printed.problem(problems, format!("'{}' is not a date YYYYMMMDD", printable(bytes)));
            }
        }
    }
}

/// The elements of one object, as many as could be read.
pub(super) struct Elements<'a> {
    tag: u32,
    elements: Vec<(u32, &'a [u8])>,
}

impl<'a> Elements<'a> {
    /// Reads `object`, which is complete with its outer tag, up to the first error.
    pub(super) fn read(tag: u32, object: &'a [u8], problems: &mut Vec<Problem>) -> Self {
        let mut result = Self { tag, elements: Vec::new() };
        let outer = if matches!(tag, DISCOVERY | BIT_GROUP) { tag } else { 0x53 };
        let contents = match Reader::new(object).expect(apdu::Tag::new(outer)) {
            Ok(contents) => contents,
            Err(error) => {
                result.problem(problems, format!("the object cannot be unwrapped: {error}"));
                return result;
            }
        };
        let reader = match tag {
            // The only objects with a tag of more than one byte: 5F2F, 7F60 and 7F21.
            DISCOVERY | BIT_GROUP | SECURE_MESSAGING_SIGNER => Reader::new(contents),
            _ => Reader::single_byte_tags(contents),
        };
        for element in reader {
            match element {
                Ok(element) => result.elements.push((element.tag.number(), element.value)),
                Err(error) => {
                    let read = result.elements.len();
                    result.problem(problems, format!("after {read} readable elements: {error}"));
                }
            }
        }
        result
    }

    /// Value of the first element with this tag.
    pub(super) fn get(&self, tag: u8) -> Option<&'a [u8]> {
        let mut elements = self.elements.iter();
        elements.find(|(found, _)| *found == u32::from(tag)).map(|(_, value)| *value)
    }

    /// Whether the container is empty, as cards have it before they are personalised.
    pub(super) fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Notes a problem of this object.
    pub(super) fn problem(&self, problems: &mut Vec<Problem>, problem: impl Into<String>) {
        problems.push(Problem::new(self.tag, problem));
    }

    /// Like [`get`](Self::get), and a problem if the element is missing from an object that is not empty.
    fn required(&self, tag: u8, name: &str, problems: &mut Vec<Problem>) -> Option<&'a [u8]> {
        let value = self.get(tag);
        if value.is_none() && !self.is_empty() {
            self.problem(problems, format!("the {name}, tag {tag:02X}, is missing"));
        }
        value
    }

    fn uuid(&self, name: &str, bytes: &[u8], problems: &mut Vec<Problem>) -> Option<Uuid> {
        let uuid = bytes.try_into().ok().map(Uuid);
        if uuid.is_none() {
            self.problem(problems, format!("the {name} has {} bytes instead of 16", bytes.len()));
        }
        uuid
    }
}

impl Problem {
    pub(super) fn new(tag: u32, problem: impl Into<String>) -> Self {
        Self { tag: Tag(tag), object: object_name(tag), problem: problem.into() }
    }
}

/// Text of a card, fit for a terminal: invalid UTF-8 and control characters replaced, padding at its end gone.
fn printable(bytes: &[u8]) -> String {
    without_controls(String::from_utf8_lossy(bytes).trim_end())
}

/// `text` with its control characters replaced.
pub(crate) fn without_controls(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
